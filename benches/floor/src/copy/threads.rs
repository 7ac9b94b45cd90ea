//! The copy by blocking calls: as many threads as blocks in flight, each reads a block and writes
//! it.

use std::os::fd::AsRawFd;

use super::{Copy, Files, padded};
use crate::arena::Arena;
use crate::failure::{Failure, Result};
use crate::work::Ranges;

/// Copies all `blocks`; gives the bytes copied.
pub(super) fn run(copy: &Copy, files: &Files, blocks: &Ranges) -> Result<u64> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..copy.queue_depth)
            .map(|_| scope.spawn(|| copy_blocks(copy, files, blocks)))
            .collect();
        let finished = running.into_iter().map(|thread| thread.join());
        finished.map(|joined| joined.expect("a thread of the floor does not panic")).sum()
    })
}

fn copy_blocks(copy: &Copy, files: &Files, blocks: &Ranges) -> Result<u64> {
    let arena = Arena::new(1, copy.block_bytes)?;
    let address = arena.buffer(0).at(0).cast();
    let (source, destination) = (files.source.as_raw_fd(), files.destination.as_raw_fd());
    let mut copied_bytes = 0;
    while let Some(block) = blocks.take() {
        let bytes = block.end - block.start;
        let offset = libc::off_t::try_from(block.start).expect("a file is under 2^63 bytes");
        if copy.reads() {
            // SAFETY: the buffer holds a block and is this thread's alone. At the end of the file
            // the read asks for more than there is and comes back with what there is.
            let read = unsafe { libc::pread(source, address, copy.block_bytes, offset) };
            whole("pread", read, bytes)?;
        }
        if copy.writes() {
            // SAFETY: as above; a padded block is at most a block.
            let written = unsafe { libc::pwrite(destination, address, padded(bytes), offset) };
            whole("pwrite", written, padded(bytes) as u64)?;
        }
        copied_bytes += bytes;
    }
    Ok(copied_bytes)
}

/// A short transfer would be carried on by a real client; on a disk it does not happen, and the
/// floor says so.
fn whole(call: &str, result: isize, bytes: u64) -> Result<()> {
    match u64::try_from(result) {
        Ok(moved) if moved == bytes => Ok(()),
        Ok(moved) => Err(Failure::wrong(format!("{call} moved {moved} of {bytes} bytes"))),
        Err(_) => Err(Failure::last_errno(call)),
    }
}
