//! The floor by one `io_uring` a thread. Each connection has one chain in flight: the head of the
//! request, linked to the first receive (GET) or the first send of the body (PUT).

use std::mem::ManuallyDrop;
use std::ops::Range;

use io_uring::{opcode, squeue, types};

use super::Transfer;
use super::answer::Answer;
use super::line::Line;
use super::moved::Moved;
use crate::arena::Arena;
use crate::failure::{Failure, Result};
use crate::ring::{POLL_FIRST, Ring};
use crate::tls::Sessions;
use crate::work::Ranges;

/// The completion of a request head, which is posted only when it failed.
const HEAD_FAILED: u64 = 1 << 32;

/// Runs the connections `mine` until no range is left; gives what was answered for.
pub(super) fn run(
    transfer: &Transfer,
    sessions: Option<&Sessions>,
    mine: &[usize],
    ranges: &Ranges,
) -> Result<Moved> {
    let arena = Arena::new(mine.len(), transfer.buffer_bytes)?;
    let lines = Line::open_all(transfer, sessions, mine, &arena)?;
    let exchanges = lines.into_iter().map(Exchange::idle).collect::<Vec<_>>();
    // A run that fails midway leaves operations in flight. What they name is then leaked, never
    // freed (OWN-2).
    let mut lent = ManuallyDrop::new((arena, exchanges));
    let moved = drive(transfer, &mut lent.1, ranges)?;
    drop(ManuallyDrop::into_inner(lent));
    Ok(moved)
}

/// The loop of one ring. `Ok` says that nothing is in flight any more.
fn drive(transfer: &Transfer, exchanges: &mut [Exchange], ranges: &Ranges) -> Result<Moved> {
    // A connection has two entries in flight at most: the head, and what is linked to it.
    let mut ring = Ring::new(u32::try_from(2 * exchanges.len()).unwrap_or(u32::MAX))?;
    let (mut running, mut moved, mut completions) = (0usize, Moved::default(), Vec::new());
    for (slot, exchange) in exchanges.iter_mut().enumerate() {
        running += usize::from(exchange.begin(transfer, slot, ranges, &mut ring)?);
    }
    while running > 0 {
        ring.turn(&mut completions)?;
        for completion in completions.drain(..) {
            let (tag, result) = (completion.user_data(), completion.result());
            if tag & HEAD_FAILED != 0 || result < 0 {
                return Err(Failure::completion("io_uring send or recv", result.min(0)));
            }
            let slot = usize::try_from(tag).expect("the tag is the index of a connection");
            let exchange = &mut exchanges[slot];
            if exchange.completed(transfer, slot, result.unsigned_abs() as usize, &mut ring)? {
                exchange.note_in(&mut moved);
                running -= usize::from(!exchange.begin(transfer, slot, ranges, &mut ring)?);
            }
        }
    }
    Ok(moved)
}

/// One connection and where its request stands.
struct Exchange {
    line: Line,
    range: Range<u64>,
    /// The request head: owned here until the kernel has sent it.
    head: Vec<u8>,
    /// Body of a PUT that is not sent yet; 0 for a GET and once the answer is awaited.
    unsent_bytes: u64,
    answer: Option<Answer>,
}

impl Exchange {
    fn idle(line: Line) -> Self {
        Self { line, range: 0..0, head: Vec::new(), unsent_bytes: 0, answer: None }
    }

    /// Sends the next request. False when no range is left.
    fn begin(
        &mut self,
        transfer: &Transfer,
        slot: usize,
        ranges: &Ranges,
        ring: &mut Ring,
    ) -> Result<bool> {
        let Some(range) = ranges.take() else { return Ok(false) };
        self.head = self.line.seal(transfer.request_head(self.line.connection.number, &range))?;
        self.unsent_bytes = transfer.body_bytes(&range);
        self.answer = Some(transfer.answer(&range));
        self.range = range;
        let more = if self.unsent_bytes > 0 { libc::MSG_MORE } else { 0 };
        let head_bytes = u32::try_from(self.head.len()).expect("a request head is short");
        let head = opcode::Send::new(self.descriptor(), self.head.as_ptr(), head_bytes)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL | more)
            .build()
            .flags(squeue::Flags::IO_LINK | squeue::Flags::SKIP_SUCCESS)
            .user_data(HEAD_FAILED | slot as u64);
        // SAFETY: the head stays in `self` until the linked operation completes, which is after its
        // own completion, and `run` leaks it when that does not come.
        unsafe { ring.push(&head)? };
        self.push_next(transfer, slot, ring)?;
        Ok(true)
    }

    /// The operation in flight moved `count` bytes. True when the answer is complete.
    fn completed(
        &mut self,
        transfer: &Transfer,
        slot: usize,
        count: usize,
        ring: &mut Ring,
    ) -> Result<bool> {
        if self.unsent_bytes > 0 {
            self.unsent_bytes -= count as u64;
        } else {
            let answer = self.answer.as_mut().expect("an exchange in flight awaits an answer");
            // SAFETY: the connection's one receive has completed, and the next is pushed below.
            if unsafe { self.line.received(answer, count) }? {
                return Ok(true);
            }
        }
        self.push_next(transfer, slot, ring)?;
        Ok(false)
    }

    /// The answer is complete.
    fn note_in(&self, moved: &mut Moved) {
        let answer = self.answer.as_ref().expect("a complete exchange had an answer");
        moved.note(&self.range, answer);
    }

    /// The next send of the body, or the next receive of the answer.
    fn push_next(&self, transfer: &Transfer, slot: usize, ring: &mut Ring) -> Result<()> {
        let buffer = self.line.connection.buffer;
        let answer = self.answer.as_ref().expect("an exchange in flight awaits an answer");
        let entry = if self.unsent_bytes > 0 {
            let count = self.unsent_bytes.min(buffer.len() as u64);
            opcode::Send::new(self.descriptor(), buffer.at(0), length(count as usize))
                .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
                .build()
        } else {
            let (span, is_sure) = self.line.next_span(answer);
            let wait_all = if transfer.wait_all && is_sure { libc::MSG_WAITALL } else { 0 };
            opcode::Recv::new(self.descriptor(), buffer.at(span.start), length(span.len()))
                .flags(wait_all)
                .ioprio(POLL_FIRST)
                .build()
        };
        // SAFETY: the buffer is this connection's alone, nothing else of it is in flight, and `run`
        // frees the arena only when nothing is (OWN-2).
        unsafe { ring.push(&entry.user_data(slot as u64)) }
    }

    fn descriptor(&self) -> types::Fd {
        types::Fd(self.line.connection.descriptor())
    }
}

/// `Transfer::validate` keeps buffers under 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a buffer is under 4 GiB")
}
