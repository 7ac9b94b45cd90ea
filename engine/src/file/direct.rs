//! Reading and writing spans that O_DIRECT would not take as they are.
//!
//! Aligned memory at an aligned offset goes straight; a tail that is no whole block is read or
//! written as a whole block where the buffer has room for it. A long read from within a block goes
//! straight from the next block on, where that comes to lie at aligned memory. Everything else goes
//! through a bounce buffer from the pool's share for small things, and is counted as a copy (DATA-1).

use std::ops::Range;

use super::transfer::Transfer;
use super::{BufResult, Direct, File};
use crate::cores::Core;
use crate::error::{Error, Result};
use crate::metrics::{CopyReason, add};
use crate::op::Op;
use crate::pool::{Buf, Lease};

/// Bytes of one bounce buffer.
const BOUNCE_BYTES: usize = 64 << 10;

pub(super) fn read<'a>(
    core: &'a Core,
    file: &'a File,
    buf: Buf,
    span: Range<usize>,
    offset: u64,
) -> Transfer<'a> {
    if let Some(error) = outside(file, &buf, &span) {
        return Transfer::ended(Err(error), buf);
    }
    match straight_read(file, &buf, &span, offset) {
        Some(_) if span.is_empty() => Transfer::ended(Ok(0), buf),
        Some(whole) => submit_read(core, file, buf, whole, offset).telling_at_most(span.len()),
        None => Transfer::in_pieces(read_in_pieces(core, file, buf, span, offset)),
    }
}

/// Why nothing can be moved into or out of `span`.
fn outside(file: &File, buf: &Buf, span: &Range<usize>) -> Option<Error> {
    let capacity = buf.capacity();
    (span.start.max(span.end) > capacity).then(|| {
        Error::InvalidInput(format!(
            "bytes {} to {} of a buffer of {capacity}, for {}",
            span.start,
            span.end,
            file.path.display()
        ))
    })
}

/// What to read in place of `span`; `None` where the file does not take it in one piece.
fn straight_read(file: &File, buf: &Buf, span: &Range<usize>, offset: u64) -> Option<Range<usize>> {
    let Direct::Yes { memory_align, offset_align } = file.direct else {
        return Some(span.clone());
    };
    let whole = span.start..span.start + span.len().next_multiple_of(offset_align as usize);
    let taken = is_aligned(buf, span.start, memory_align)
        && offset.is_multiple_of(offset_align.into())
        && whole.end <= buf.capacity();
    taken.then_some(whole)
}

async fn read_in_pieces(
    core: &Core,
    file: &File,
    mut buf: Buf,
    span: Range<usize>,
    offset: u64,
) -> BufResult<usize> {
    let Direct::Yes { memory_align, offset_align } = file.direct else {
        unreachable!("a buffered file takes any span");
    };
    let straight = straight_within(&buf, &span, offset, memory_align, offset_align);
    let (head, tail) = (span.start..straight.start, straight.end.min(span.end)..span.end);
    let mut done = 0;
    for (piece, bounces) in [(head, true), (straight, false), (tail, true)] {
        let wanted = piece.end.min(span.end).saturating_sub(piece.start);
        if wanted == 0 {
            continue;
        }
        let at = offset + done as u64;
        let (result, back) = if bounces {
            bounce_read(core, file, buf, piece, at, offset_align as usize).await
        } else {
            submit_read(core, file, buf, piece, at).telling_at_most(wanted).await
        };
        buf = back;
        let read = match result {
            Ok(read) => read,
            Err(error) => return (Err(error), buf),
        };
        done += read;
        if read < wanted {
            break;
        }
    }
    (Ok(done), buf)
}

/// What is read as it is in place of the end of `span`, from the first block that begins in it; nothing
/// where that comes to lie as the file does not take it, and where one bounce buffer holds all: three reads
/// cost more than a small copy.
fn straight_within(
    buf: &Buf,
    span: &Range<usize>,
    offset: u64,
    memory_align: u32,
    offset_align: u32,
) -> Range<usize> {
    let align = offset_align as usize;
    let behind_block = (offset % u64::from(offset_align)) as usize;
    let head = (align - behind_block) % align;
    let start = span.start + head;
    let is_small = behind_block > 0 && behind_block + span.len() <= BOUNCE_BYTES;
    if is_small || span.len() < head + align || !is_aligned(buf, start, memory_align) {
        return span.end..span.end;
    }
    let rest = span.len() - head;
    let padded = start + rest.next_multiple_of(align);
    if padded <= buf.capacity() { start..padded } else { start..start + rest / align * align }
}

pub(super) fn write<'a>(
    core: &'a Core,
    file: &'a File,
    mut buf: Buf,
    span: Range<usize>,
    offset: u64,
) -> Transfer<'a> {
    if let Some(error) = outside(file, &buf, &span) {
        return Transfer::ended(Err(error), buf);
    }
    match straight_write(file, &mut buf, &span, offset) {
        Err(error) => Transfer::ended(Err(error), buf),
        Ok(Some(_)) if span.is_empty() => Transfer::ended(Ok(0), buf),
        Ok(Some(whole)) => submit_write(core, file, buf, whole, offset).telling_at_most(span.len()),
        Ok(None) => Transfer::in_pieces(write_in_pieces(core, file, buf, span, offset)),
    }
}

/// What to write in place of `span`, which is padded with zeros to the next block where there is
/// room; `None` where the file does not take it in one piece.
fn straight_write(
    file: &File,
    buf: &mut Buf,
    span: &Range<usize>,
    offset: u64,
) -> Result<Option<Range<usize>>> {
    let Direct::Yes { memory_align, offset_align } = file.direct else {
        return Ok(Some(span.clone()));
    };
    let align = offset_align as usize;
    if !offset.is_multiple_of(align as u64) {
        return Err(Error::InvalidInput(format!(
            "a direct write to {} at {offset} must be aligned to {align} bytes",
            file.path.display()
        )));
    }
    if !is_aligned(buf, span.start, memory_align) {
        return Ok(None);
    }
    let padded = span.start + span.len().next_multiple_of(align);
    let room = matches!(&*buf, Buf::Lease(lease) if padded <= lease.capacity());
    if let Some(memory) = buf.as_mut_slice().filter(|_| room) {
        memory[span.end..padded].fill(0);
    }
    Ok((room || padded == span.end).then_some(span.start..padded))
}

async fn write_in_pieces(
    core: &Core,
    file: &File,
    buf: Buf,
    span: Range<usize>,
    offset: u64,
) -> BufResult<usize> {
    let Direct::Yes { memory_align, offset_align } = file.direct else {
        unreachable!("a buffered file takes any span");
    };
    let align = offset_align as usize;
    let straight = span.len() / align * align;
    if !is_aligned(&buf, span.start, memory_align) || straight == 0 {
        return bounce_write(core, file, buf, span, offset, align).await;
    }
    let middle = span.start + straight;
    let (result, buf) = submit_write(core, file, buf, span.start..middle, offset).await;
    match result {
        Ok(written) => {
            let at = offset + straight as u64;
            let (tail, buf) = bounce_write(core, file, buf, middle..span.end, at, align).await;
            (tail.map(|tail| written + tail), buf)
        }
        other => (other, buf),
    }
}

fn submit_read<'a>(
    core: &'a Core,
    file: &'a File,
    buf: Buf,
    span: Range<usize>,
    offset: u64,
) -> Transfer<'a> {
    Transfer::of(core, file, Op::Read { file: file.handle.clone(), buf, span, offset }, offset)
}

fn submit_write<'a>(
    core: &'a Core,
    file: &'a File,
    buf: Buf,
    span: Range<usize>,
    offset: u64,
) -> Transfer<'a> {
    Transfer::of(core, file, Op::Write { file: file.handle.clone(), buf, span, offset }, offset)
}

async fn bounce_read(
    core: &Core,
    file: &File,
    mut buf: Buf,
    span: Range<usize>,
    offset: u64,
    align: usize,
) -> BufResult<usize> {
    let mut bounce = match bounce_buffer(core).await {
        Ok(lease) => lease,
        Err(error) => return (Err(error), buf),
    };
    let mut done = 0;
    while done < span.len() {
        let at = offset + done as u64;
        let head = (at % align as u64) as usize;
        let want = (span.len() - done).min(BOUNCE_BYTES - head);
        let block = 0..(head + want).next_multiple_of(align);
        let (result, back) = submit_read(core, file, bounce.into(), block, at - head as u64).await;
        bounce = back.into_lease().expect("the bounce buffer is a lease");
        let got = match result {
            Ok(read) => read.saturating_sub(head).min(want),
            Err(error) => return (Err(error), buf),
        };
        let Some(memory) = buf.as_mut_slice() else {
            return (
                Err(Error::InvalidInput("a read needs a buffer that can be written".into())),
                buf,
            );
        };
        let to = span.start + done;
        let from = &bounce.as_mut_slice()[head..head + got];
        core.metrics().copy_payload(CopyReason::Bounce, from, &mut memory[to..to + got]);
        done += got;
        if got < want {
            break;
        }
    }
    (Ok(done), buf)
}

async fn bounce_write(
    core: &Core,
    file: &File,
    mut buf: Buf,
    span: Range<usize>,
    offset: u64,
    align: usize,
) -> BufResult<usize> {
    let mut bounce = match bounce_buffer(core).await {
        Ok(lease) => lease,
        Err(error) => return (Err(error), buf),
    };
    let mut done = 0;
    while done < span.len() {
        let want = (span.len() - done).min(BOUNCE_BYTES);
        let block = want.next_multiple_of(align);
        let from = &whole_memory(&mut buf)[span.start + done..span.start + done + want];
        let memory = bounce.as_mut_slice();
        core.metrics().copy_payload(CopyReason::Bounce, from, &mut memory[..want]);
        memory[want..block].fill(0);
        let at = offset + done as u64;
        let (result, back) = submit_write(core, file, bounce.into(), 0..block, at).await;
        bounce = back.into_lease().expect("the bounce buffer is a lease");
        if let Err(error) = result {
            return (Err(error), buf);
        }
        done += want;
    }
    (Ok(done), buf)
}

async fn bounce_buffer(core: &Core) -> Result<Lease> {
    add(&core.counters().bounces, 1);
    core.head_lease(BOUNCE_BYTES, "bounce").await
}

fn is_aligned(buf: &Buf, start: usize, memory_align: u32) -> bool {
    (buf.as_slice().as_ptr().addr() + start).is_multiple_of(memory_align as usize)
}

/// All memory of a buffer, whether its owner has called it valid or not.
fn whole_memory(buf: &mut Buf) -> &[u8] {
    match buf {
        Buf::Lease(lease) => lease.as_mut_slice(),
        other => other.as_slice(),
    }
}
