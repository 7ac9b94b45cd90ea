//! The copy by one `io_uring` with registered buffers: each slot reads a block, then writes it.

use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::AsRawFd;

use io_uring::{opcode, types};

use super::{Copy, Files, padded};
use crate::arena::{Arena, Buffer};
use crate::failure::{Failure, Result};
use crate::ring::Ring;
use crate::work::Ranges;

/// Copies all `blocks`; gives the bytes copied.
pub(super) fn run(copy: &Copy, files: &Files, blocks: &Ranges) -> Result<u64> {
    // A run that fails midway leaves operations in flight. Their memory is then leaked, never freed
    // (OWN-2).
    let arena = ManuallyDrop::new(Arena::new(copy.queue_depth, copy.block_bytes)?);
    let mut ring = Ring::new(u32::try_from(copy.queue_depth).unwrap_or(u32::MAX))?;
    let buffers: Vec<Buffer> = (0..copy.queue_depth).map(|slot| arena.buffer(slot)).collect();
    let vectors: Vec<_> = buffers
        .iter()
        .map(|buffer| libc::iovec { iov_base: buffer.at(0).cast(), iov_len: buffer.len() })
        .collect();
    // SAFETY: the arena is dropped below, when nothing is in flight; registered pages stay pinned
    // until the ring goes.
    unsafe { ring.register(&vectors)? };
    let copied_bytes = drive(copy, files, blocks, &buffers, &mut ring)?;
    drop(ring);
    drop(ManuallyDrop::into_inner(arena));
    Ok(copied_bytes)
}

/// What a slot waits for.
enum Step {
    Read(Range<u64>),
    Write(Range<u64>),
}

/// The loop of the ring. `Ok` says that nothing is in flight any more.
fn drive(
    copy: &Copy,
    files: &Files,
    blocks: &Ranges,
    buffers: &[Buffer],
    ring: &mut Ring,
) -> Result<u64> {
    let (mut copied_bytes, mut completions) = (0, Vec::new());
    let mut steps: Vec<Option<Step>> = Vec::with_capacity(buffers.len());
    for (slot, &buffer) in buffers.iter().enumerate() {
        steps.push(begin_next(copy, files, blocks, slot, buffer, ring)?);
    }
    while steps.iter().any(Option::is_some) {
        ring.turn(&mut completions)?;
        for completion in completions.drain(..) {
            let slot =
                usize::try_from(completion.user_data()).expect("the tag is the index of a slot");
            let result = completion.result();
            let step = steps[slot].take().expect("a slot that completes was waiting");
            steps[slot] = match step {
                Step::Read(block) => {
                    let bytes = block.end - block.start;
                    whole("READ_FIXED", result, bytes)?;
                    if copy.writes() {
                        push_write(files, &block, slot, buffers[slot], ring)?;
                        Some(Step::Write(block))
                    } else {
                        copied_bytes += bytes;
                        begin_next(copy, files, blocks, slot, buffers[slot], ring)?
                    }
                }
                Step::Write(block) => {
                    let bytes = block.end - block.start;
                    whole("WRITE_FIXED", result, padded(bytes) as u64)?;
                    copied_bytes += bytes;
                    begin_next(copy, files, blocks, slot, buffers[slot], ring)?
                }
            };
        }
    }
    Ok(copied_bytes)
}

/// The first step of the next block, of which there may be none.
fn begin_next(
    copy: &Copy,
    files: &Files,
    blocks: &Ranges,
    slot: usize,
    buffer: Buffer,
    ring: &mut Ring,
) -> Result<Option<Step>> {
    let Some(block) = blocks.take() else { return Ok(None) };
    if !copy.reads() {
        push_write(files, &block, slot, buffer, ring)?;
        return Ok(Some(Step::Write(block)));
    }
    let descriptor = types::Fd(files.source.as_raw_fd());
    // The last read asks for a whole block, as O_DIRECT demands, and gets what there is.
    let entry = opcode::ReadFixed::new(descriptor, buffer.at(0), length(buffer.len()), index(slot))
        .offset(block.start)
        .build()
        .user_data(slot as u64);
    // SAFETY: the buffer is this slot's alone and nothing else of it is in flight; `run` keeps
    // arena and files.
    unsafe { ring.push(&entry)? };
    Ok(Some(Step::Read(block)))
}

fn push_write(
    files: &Files,
    block: &Range<u64>,
    slot: usize,
    buffer: Buffer,
    ring: &mut Ring,
) -> Result<()> {
    let descriptor = types::Fd(files.destination.as_raw_fd());
    let bytes = length(padded(block.end - block.start));
    let entry = opcode::WriteFixed::new(descriptor, buffer.at(0), bytes, index(slot))
        .offset(block.start)
        .build()
        .user_data(slot as u64);
    // SAFETY: as in `begin_next`.
    unsafe { ring.push(&entry) }
}

fn whole(call: &str, result: i32, bytes: u64) -> Result<()> {
    match u64::try_from(result) {
        Ok(moved) if moved == bytes => Ok(()),
        Ok(moved) => Err(Failure::wrong(format!("{call} moved {moved} of {bytes} bytes"))),
        Err(_) => Err(Failure::completion(call, result)),
    }
}

/// `Copy::run` keeps blocks under 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block is under 4 GiB")
}

/// The kernel registers at most 16 384 buffers, so an index that got this far fits.
fn index(slot: usize) -> u16 {
    u16::try_from(slot).expect("at most 16 384 buffers are registered")
}
