//! Tickets: memory for a piece of work, granted all at once, in the order of the requests.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::blocks::Blocks;
use super::buddy::units_for;
use super::handle::ShareName;
use super::label::Label;
use super::{Lease, Pool, PoolError};
use crate::park::block_until;

/// What a ticket asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRequest {
    /// Bytes of each block, rounded up to 4 KiB; at most 1 GiB. Powers of two pack best: a block
    /// starts at a multiple of its size rounded up to one, and what lies between it and the next
    /// such multiple serves smaller blocks only.
    pub bytes_each: usize,
    /// Blocks, all granted at once.
    pub count: usize,
    /// What the memory is for, as an exhausted pool will say it. A pool tells 32 labels apart.
    pub label: &'static str,
}

impl TicketRequest {
    pub(super) fn asked_bytes(&self) -> usize {
        self.bytes_each.saturating_mul(self.count)
    }
}

/// Memory granted and not yet taken. Dropping it returns what was not taken.
#[must_use]
pub struct Ticket {
    pool: Pool,
    blocks: Blocks,
    share: ShareName,
    label: Label,
}

impl Ticket {
    pub(super) fn new(pool: Pool, share: ShareName, label: Label, blocks: Blocks) -> Self {
        Self { pool, blocks, share, label }
    }

    /// The next block, `None` once all are taken.
    pub fn take(&mut self) -> Option<Lease> {
        let block = self.blocks.pop()?;
        Some(Lease::new(self.pool.clone(), self.share, self.label, block))
    }

    /// Blocks not yet taken.
    pub fn remaining(&self) -> usize {
        self.blocks.len()
    }

    /// Keeps the first `bytes` of each block not yet taken, rounded up to 4 KiB, and returns the
    /// rest to the pool: for when the head has told the size (POOL-1).
    pub fn shrink_each(&mut self, bytes: usize) {
        let Some(keep) = units_for(bytes) else { return };
        let blocks = self.blocks.as_mut_slice();
        if blocks.iter().any(|block| block.units() > keep) {
            let surplus = blocks.iter_mut().map(|block| block.split_off(keep));
            self.pool.give_back(self.share, self.label, surplus);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.remaining() > 0 {
            self.pool.give_back(self.share, self.label, self.blocks.drain());
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

/// A place in the line, or what came of it. Dropping it leaves the line.
#[must_use = "it holds a place in the line, and then memory"]
#[derive(Debug)]
pub struct TicketFuture {
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(Waiting),
    Granted(Ticket),
    Refused(PoolError),
    Finished,
}

#[derive(Debug)]
struct Waiting {
    pool: Pool,
    share: ShareName,
    label: Label,
    slot: u32,
    request: TicketRequest,
}

impl TicketFuture {
    pub(super) fn waiting(
        pool: Pool,
        share: ShareName,
        label: Label,
        slot: u32,
        request: TicketRequest,
    ) -> Self {
        Self { state: State::Waiting(Waiting { pool, share, label, slot, request }) }
    }

    pub(super) fn granted(ticket: Ticket) -> Self {
        Self { state: State::Granted(ticket) }
    }

    pub(super) fn refused(error: PoolError) -> Self {
        Self { state: State::Refused(error) }
    }

    /// Waits on a foreign thread for at most `limit`, then answers [`PoolError::Exhausted`].
    /// Never call it on a core (CORE-1): the core that would return the memory may be this one.
    pub fn wait_blocking(mut self, limit: Duration) -> Result<Ticket, PoolError> {
        let deadline = Instant::now().checked_add(limit);
        block_until(deadline, |context| Pin::new(&mut self).poll(context)).unwrap_or_else(|| {
            match &self.state {
                State::Waiting(waiting) => {
                    Err(waiting.pool.exhausted(waiting.share, &waiting.request))
                }
                State::Granted(_) | State::Refused(_) | State::Finished => {
                    unreachable!("only a waiting ticket has no answer")
                }
            }
        })
    }
}

impl Future for TicketFuture {
    type Output = Result<Ticket, PoolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Waiting(waiting) = &self.state {
            if waiting.pool.forked() {
                self.state = State::Finished;
                return Poll::Ready(Err(PoolError::Forked));
            }
            let share = waiting.pool.share(waiting.share);
            let Some(blocks) = share.claim(waiting.slot, context.waker()) else {
                return Poll::Pending;
            };
            let ticket = Ticket::new(waiting.pool.clone(), waiting.share, waiting.label, blocks);
            self.state = State::Finished;
            return Poll::Ready(Ok(ticket));
        }
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Granted(ticket) => Poll::Ready(Ok(ticket)),
            State::Refused(error) => Poll::Ready(Err(error)),
            State::Waiting(_) | State::Finished => panic!("a ticket polled after its answer"),
        }
    }
}

impl Drop for TicketFuture {
    fn drop(&mut self) {
        if let State::Waiting(waiting) = &self.state
            && !waiting.pool.forked()
        {
            waiting.pool.share(waiting.share).leave(waiting.slot);
        }
    }
}

/// A [`TicketFuture`] for one block, which answers with the lease.
#[must_use = "it holds a place in the line, and then memory"]
#[derive(Debug)]
pub struct LeaseFuture {
    ticket: TicketFuture,
}

impl LeaseFuture {
    pub(super) fn new(ticket: TicketFuture) -> Self {
        Self { ticket }
    }

    /// As [`TicketFuture::wait_blocking`].
    pub fn wait_blocking(self, limit: Duration) -> Result<Lease, PoolError> {
        self.ticket.wait_blocking(limit).map(only_block)
    }
}

impl Future for LeaseFuture {
    type Output = Result<Lease, PoolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.ticket).poll(context).map(|answer| answer.map(only_block))
    }
}

fn only_block(mut ticket: Ticket) -> Lease {
    ticket.take().expect("a ticket for one block has one")
}
