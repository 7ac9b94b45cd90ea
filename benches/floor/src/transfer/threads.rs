//! The floor by blocking calls. A thread with several connections sends a request on each, then
//! takes the answers in turn while the kernel fills the buffers of the other sockets.

use std::ops::Range;

use super::Transfer;
use super::line::Line;
use super::moved::Moved;
use crate::arena::Arena;
use crate::failure::Result;
use crate::tls::Sessions;
use crate::work::Ranges;

/// Runs the connections `mine` until no range is left; gives what was answered for.
pub(super) fn run(
    transfer: &Transfer,
    sessions: Option<&Sessions>,
    mine: &[usize],
    ranges: &Ranges,
) -> Result<Moved> {
    let arena = Arena::new(mine.len(), transfer.buffer_bytes)?;
    let mut lines = Line::open_all(transfer, sessions, mine, &arena)?;
    let mut moved = Moved::default();
    loop {
        let mut asked = Vec::with_capacity(lines.len());
        for line in &mut lines {
            let Some(range) = ranges.take() else { break };
            send_request(transfer, line, &range)?;
            asked.push((line, range));
        }
        if asked.is_empty() {
            return Ok(moved);
        }
        for (line, range) in asked {
            take_answer(transfer, line, &range, &mut moved)?;
        }
    }
}

fn send_request(transfer: &Transfer, line: &mut Line, range: &Range<u64>) -> Result<()> {
    let mut body_left = transfer.body_bytes(range);
    let head_flags = if body_left > 0 { libc::MSG_MORE } else { 0 };
    let head = line.seal(transfer.request_head(line.connection.number, range))?;
    let connection = &line.connection;
    connection.send_all(&head, head_flags)?;
    while body_left > 0 {
        let count = usize::try_from(body_left)
            .map_or(transfer.buffer_bytes, |left| left.min(transfer.buffer_bytes));
        // SAFETY: the arena lives as long as the connections of this thread, and a blocking call is
        // all that is ever in flight.
        connection.send_all(unsafe { connection.buffer.filled(count) }, 0)?;
        body_left -= count as u64;
    }
    Ok(())
}

fn take_answer(
    transfer: &Transfer,
    line: &mut Line,
    range: &Range<u64>,
    moved: &mut Moved,
) -> Result<()> {
    let mut answer = transfer.answer(range);
    loop {
        let (span, is_sure) = line.next_span(&answer);
        let flags = if transfer.wait_all && is_sure { libc::MSG_WAITALL } else { 0 };
        let count = line.connection.receive(span, flags)?;
        // SAFETY: as above: the receive has returned.
        if unsafe { line.received(&mut answer, count) }? {
            moved.note(range, &answer);
            return Ok(());
        }
    }
}
