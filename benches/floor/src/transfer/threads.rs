//! The floor by blocking calls. A thread with several connections sends a request on each, then
//! takes the answers in turn while the kernel fills the buffers of the other sockets.

use std::ops::Range;

use super::Transfer;
use super::answer::Answer;
use crate::arena::Arena;
use crate::connection::Connection;
use crate::failure::Result;
use crate::work::Ranges;

/// Runs the connections `mine` until no range is left; gives the bytes that were answered for.
pub(super) fn run(
    transfer: &Transfer,
    mine: impl Iterator<Item = usize>,
    ranges: &Ranges,
) -> Result<u64> {
    let mine: Vec<usize> = mine.collect();
    let arena = Arena::new(mine.len(), transfer.buffer_bytes)?;
    let connections = mine
        .iter()
        .enumerate()
        .map(|(slot, &number)| Connection::open(transfer.address, number, arena.buffer(slot)))
        .collect::<Result<Vec<_>>>()?;
    let mut moved_bytes = 0;
    loop {
        let mut asked = Vec::with_capacity(connections.len());
        for connection in &connections {
            let Some(range) = ranges.take() else { break };
            send_request(transfer, connection, &range)?;
            asked.push((connection, range));
        }
        if asked.is_empty() {
            return Ok(moved_bytes);
        }
        for (connection, range) in asked {
            take_answer(transfer, connection, &range)?;
            moved_bytes += range.end - range.start;
        }
    }
}

fn send_request(transfer: &Transfer, connection: &Connection, range: &Range<u64>) -> Result<()> {
    let mut body_left = transfer.body_bytes(range);
    let head_flags = if body_left > 0 { libc::MSG_MORE } else { 0 };
    connection.send_all(transfer.request_head(connection.number, range).as_bytes(), head_flags)?;
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

fn take_answer(transfer: &Transfer, connection: &Connection, range: &Range<u64>) -> Result<()> {
    let mut answer = Answer::new(transfer.expected(range));
    let buffer = connection.buffer;
    loop {
        let flags = if transfer.wait_all && answer.is_exact() { libc::MSG_WAITALL } else { 0 };
        let count = connection.receive(answer.next_span(buffer.len()), flags)?;
        // SAFETY: as above: the receive has returned.
        if answer.received(unsafe { buffer.filled(buffer.len()) }, count)? {
            return Ok(());
        }
    }
}
