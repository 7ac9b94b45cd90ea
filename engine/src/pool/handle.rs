//! `Pool`: the handle that everybody holds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::arena::Arena;
use super::buddy::{Block, Extent, units_for};
use super::label::{Label, Labels};
use super::line::Want;
use super::share::{Entered, Share};
use super::ticket::{LeaseFuture, Ticket, TicketFuture, TicketRequest};
use super::{Lease, PoolConfig, PoolError};

/// All payload memory, shared by every core and every foreign thread. A clone is a handle to the
/// same pool; the memory is unmapped once the last handle, lease and frozen `Bytes` are gone.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    arena: Arc<Arena>,
    parts: Share,
    heads: Share,
    labels: Labels,
    wait_limit: Duration,
    #[cfg(any(test, feature = "testing"))]
    quarantine: bool,
}

/// Which share of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShareName {
    Parts,
    Heads,
}

/// Numbers of a pool at one moment: both shares together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Bytes of the arena: `free_bytes + lent_bytes` (POOL-2).
    pub total_bytes: usize,
    /// Bytes that nobody has.
    pub free_bytes: usize,
    /// Bytes in tickets, leases, frozen `Bytes` and operations in flight.
    pub lent_bytes: usize,
    /// Tickets in the lines.
    pub waiting_tickets: usize,
    /// Tickets and single leases granted since the start.
    pub tickets_granted: u64,
    /// Tickets that had to wait, since the start.
    pub waits: u64,
}

impl Pool {
    /// Maps the arena and carves the shares from it.
    pub fn new(config: PoolConfig) -> Result<Self, PoolError> {
        let shares = config.shares()?;
        let arena = Arc::new(Arena::map(&config)?);
        // Parts come first, so that their alignment in the share is alignment in a slab.
        let parts = Extent::of_bytes(0, shares.parts_bytes);
        let heads = Extent::of_bytes(shares.parts_bytes, shares.heads_bytes);
        let inner = Inner {
            arena,
            parts: Share::new(parts, config.ticket_line_max),
            heads: Share::new(heads, config.ticket_line_max),
            labels: Labels::default(),
            wait_limit: config.wait_limit,
            #[cfg(any(test, feature = "testing"))]
            quarantine: config.quarantine,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks for `count` blocks at once from the share for parts. The place in the line is taken
    /// now, not at the first poll; nobody overtakes it but by [`Lease::try_smaller`].
    ///
    /// The future answers `TooLarge`, `LineFull` or `Forked` at once. It has no limit of its own:
    /// whoever awaits it sets one, [`wait_limit`](Self::wait_limit) by default, and answers with
    /// [`exhausted_error`](Self::exhausted_error) when it has passed (LIMIT-1).
    pub fn ticket(&self, request: TicketRequest) -> TicketFuture {
        self.enter(ShareName::Parts, request)
    }

    /// As [`ticket`](Self::ticket), from the share for heads and small objects.
    pub fn head_ticket(&self, request: TicketRequest) -> TicketFuture {
        self.enter(ShareName::Heads, request)
    }

    /// One block for a part: a ticket of one, already taken.
    pub fn lease(&self, bytes: usize, label: &'static str) -> LeaseFuture {
        LeaseFuture::new(self.ticket(TicketRequest { bytes_each: bytes, count: 1, label }))
    }

    /// One block for a part, if nobody waits for one and there is one.
    pub fn try_lease(&self, bytes: usize, label: &'static str) -> Option<Lease> {
        self.try_take(ShareName::Parts, bytes, label)
    }

    /// One block from the share for heads, labelled `head`, if nobody waits for one and there is
    /// one.
    pub fn head(&self, bytes: usize) -> Option<Lease> {
        self.try_take(ShareName::Heads, bytes, "head")
    }

    /// Whether somebody waits for memory of the share for heads, so that nobody should keep any of it
    /// for later. Cheap enough to be asked for each request; false in a forked child.
    pub fn heads_are_waited_for(&self) -> bool {
        !self.forked() && self.inner.heads.is_waited_for()
    }

    /// How many blocks of `bytes` the empty share for parts holds; a request for more is
    /// `TooLarge`.
    pub fn capacity_for(&self, bytes: usize) -> usize {
        capacity(self.share(ShareName::Parts), bytes)
    }

    /// How long a wait for memory should last before it ends in an error.
    pub fn wait_limit(&self) -> Duration {
        self.inner.wait_limit
    }

    /// What to answer when a [`ticket`](Self::ticket) for parts has waited too long: names who
    /// holds how much.
    pub fn exhausted_error(&self, request: &TicketRequest) -> PoolError {
        self.exhausted(ShareName::Parts, request)
    }

    /// As [`exhausted_error`](Self::exhausted_error), for a [`head_ticket`](Self::head_ticket).
    pub fn head_exhausted_error(&self, request: &TicketRequest) -> PoolError {
        self.exhausted(ShareName::Heads, request)
    }

    /// Numbers of this moment; all 0 in a forked child.
    pub fn stats(&self) -> PoolStats {
        if self.forked() {
            return PoolStats::default();
        }
        let (parts, heads) = (self.inner.parts.stats(), self.inner.heads.stats());
        PoolStats {
            total_bytes: self.inner.arena.bytes(),
            free_bytes: parts.free + heads.free,
            lent_bytes: parts.lent + heads.lent,
            waiting_tickets: parts.waiting_tickets + heads.waiting_tickets,
            tickets_granted: parts.tickets_granted + heads.tickets_granted,
            waits: parts.waits + heads.waits,
        }
    }

    /// Bytes of the share for parts that nobody has; how much of it lies together is not said.
    pub fn free_part_bytes(&self) -> usize {
        if self.forked() { 0 } else { self.inner.parts.stats().free }
    }

    /// The mapping, for whoever registers it and for the report of capabilities.
    pub fn arena(&self) -> &Arc<Arena> {
        &self.inner.arena
    }

    pub(super) fn forked(&self) -> bool {
        self.inner.arena.forked()
    }

    pub(super) fn share(&self, name: ShareName) -> &Share {
        match name {
            ShareName::Parts => &self.inner.parts,
            ShareName::Heads => &self.inner.heads,
        }
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.inner.labels
    }

    /// Takes blocks back: to the allocator, or into quarantine. Nothing in a forked child.
    pub(super) fn give_back(
        &self,
        share: ShareName,
        label: Label,
        blocks: impl IntoIterator<Item = Block>,
    ) {
        if self.forked() {
            return;
        }
        #[cfg(any(test, feature = "testing"))]
        if self.inner.quarantine {
            return self.quarantine(share, label, blocks);
        }
        self.share(share).put_back(label, blocks);
    }

    pub(super) fn exhausted(&self, share: ShareName, request: &TicketRequest) -> PoolError {
        if self.forked() {
            return PoolError::Forked;
        }
        let share = self.share(share);
        let stats = share.stats();
        PoolError::Exhausted {
            label: request.label,
            asked: request.asked_bytes(),
            free: stats.free,
            largest_free: stats.largest_free,
            holders: share.holders(self.labels()),
        }
    }

    fn enter(&self, name: ShareName, request: TicketRequest) -> TicketFuture {
        if self.forked() {
            return TicketFuture::refused(PoolError::Forked);
        }
        let share = self.share(name);
        let too_large =
            PoolError::TooLarge { asked: request.asked_bytes(), pool: share.extent().bytes() };
        let Some(units) = units_for(request.bytes_each) else {
            return TicketFuture::refused(too_large);
        };
        if request.count > capacity(share, request.bytes_each) {
            return TicketFuture::refused(too_large);
        }
        let label = self.labels().intern(request.label);
        match share.enter(Want { units, count: request.count as u32, label }) {
            Entered::Granted(blocks) => {
                TicketFuture::granted(Ticket::new(self.clone(), name, label, blocks))
            }
            Entered::Waiting(slot) => {
                TicketFuture::waiting(self.clone(), name, label, slot, request)
            }
            Entered::LineFull => {
                TicketFuture::refused(PoolError::LineFull { limit: share.line_limit() })
            }
        }
    }

    fn try_take(&self, share: ShareName, bytes: usize, label: &'static str) -> Option<Lease> {
        let units = units_for(bytes).filter(|_| !self.forked())?;
        let label = self.labels().intern(label);
        let block = self.share(share).try_take(units, label)?;
        Some(Lease::new(self.clone(), share, label, block))
    }

    /// One block for who gives back a larger one soon.
    pub(super) fn take_past_the_line(
        &self,
        share: ShareName,
        units: u32,
        label: Label,
    ) -> Option<Lease> {
        if self.forked() {
            return None;
        }
        let block = self.share(share).take_past_the_line(units, label)?;
        Some(Lease::new(self.clone(), share, label, block))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("bytes", &self.inner.arena.bytes())
            .field("backing", &self.inner.arena.backing())
            .finish_non_exhaustive()
    }
}

fn capacity(share: &Share, bytes: usize) -> usize {
    units_for(bytes).map_or(0, |units| share.extent().capacity_for(units) as usize)
}
