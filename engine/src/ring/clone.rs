//! Cloning registered buffers from one ring's table into another's.

use std::io::Write;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;

use io_uring::types::{CloneBuffersFlags, Fd};
use io_uring::{IoUring, Submitter, opcode};

/// A ring that holds a registration and never submits.
pub(super) fn small_ring() -> Result<IoUring, String> {
    let ring = IoUring::builder().dontfork().build(2);
    ring.map_err(|error| format!("no ring for a registration: {error}"))
}

/// Puts all entries of a table into a ring that has none (Linux 6.12).
pub(super) fn clone_whole(into: &Submitter<'_>, from: RawFd) -> Result<(), String> {
    into.register_buffers_clone(from)
        .map_err(|error| format!("a registration cannot be cloned (Linux 6.12 can): {error}"))
}

/// Puts the entries `range` of the table of `from` into that of a ring in use, from `place` on. Asked of
/// a ring whose kernel [can](into_tables_in_use).
pub(super) fn clone_into(
    into: &Submitter<'_>,
    from: RawFd,
    range: Range<u32>,
    place: u32,
) -> Result<(), String> {
    let (first, count) = (range.start, range.end - range.start);
    into.register_buffers_clone_offset(from, first, place, count, CloneBuffersFlags::DST_REPLACE)
        .map_err(|error| {
            format!("a registration cannot be cloned into a table (Linux 6.13 can): {error}")
        })
}

/// Whether entries can be cloned into a table in use, and all others stay there. Linux can from 6.13 on,
/// but until 6.18 it lost those behind the cloned ones (mended in 6.19, "io_uring/rsrc: fix lost entries
/// after cloned range", and in updates of 6.18). So it is tried, until there is an answer.
pub(super) fn into_tables_in_use() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    if let Some(answer) = ANSWER.get() {
        return answer.clone();
    }
    let answer = try_clones().map_err(|error| {
        format!("registered memory could not be tried with a page of 4 KiB: {error}")
    })?;
    ANSWER.get_or_init(|| answer).clone()
}

#[repr(align(4096))]
struct Page([u8; 4096]);

/// Puts one entry in front of another, and reads through the other: whether that is to be had, or what
/// stood in the way of trying, which may have passed by the next time.
fn try_clones() -> Result<Result<(), String>, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut page = Box::new(Page([0; 4096]));
    let entry = libc::iovec { iov_base: page.0.as_mut_ptr().cast(), iov_len: page.0.len() };
    let (source, mut ring) = (small_ring()?, small_ring()?);
    // SAFETY: OWN-1. The page outlives the one operation that names it: nobody leaves the loop below
    // with it before that has ended.
    unsafe { source.submitter().register_buffers(&[entry]) }.map_err(failed)?;
    for place in [1, 0] {
        if let Err(why) = clone_into(&ring.submitter(), source.as_raw_fd(), 0..1, place) {
            return Ok(Err(why));
        }
    }
    let (reader, mut writer) = std::io::pipe().map_err(failed)?;
    writer.write_all(&[1]).map_err(failed)?;
    let read = opcode::ReadFixed::new(Fd(reader.as_raw_fd()), page.0.as_mut_ptr(), 1, 1).build();
    // SAFETY: as above.
    unsafe { ring.submission().push(&read) }.expect("a fresh queue has room");
    let result = loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                // It may still be under way.
                std::mem::forget(page);
                return Err(failed(error));
            }
            // A signal ends the wait too, with and without an error.
            _ => {}
        }
        if let Some(completion) = ring.completion().next() {
            break completion.result();
        }
    };
    // A closed ring lets go of it some time later, and until then it counts against the limit.
    for ring in [&ring, &source] {
        ring.submitter().unregister_buffers().map_err(failed)?;
    }
    Ok(match (result, page.0[0]) {
        (1, 1) => Ok(()),
        (result, _) => Err(format!(
            "a clone into a table in use loses entries behind it (Linux 6.19 keeps them): {result}"
        )),
    })
}
