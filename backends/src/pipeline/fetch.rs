//! The workers of a ranged GET, and what they share.
//!
//! The first request is already a ranged one; its answer tells the size, and only then do other
//! workers start. Each part ahead of the consumer holds a place; how many places there are follows
//! the consumer's pace.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Core, Engine, Lease};

use super::board::Board;
use super::get::Piece;
use super::limits::TransferLimits;
use super::plan::{
    GetPlan, GetPlanConfig, InOrder, PART_ALIGN_BYTES, PartRequest, PlanError, ReadAhead,
};
use super::workers::{memory, part_memory, readers_for, run_workers};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{PartRead, Reader};

/// In which order pieces are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    OfTheObject,
    OfArrival,
}

#[derive(Debug)]
pub(super) struct State {
    plan: GetPlan,
    ready: Ready,
    ahead: ReadAhead,
    /// Places taken: parts that wait for memory, are on the wire, or lie ready.
    places: usize,
    /// Of those, on the wire.
    on_wire: usize,
}

/// Parts that wait for the consumer.
#[derive(Debug)]
enum Ready {
    InOrder(InOrder<(PartRequest, Bytes)>),
    AsTheyCome(VecDeque<(PartRequest, Bytes)>),
}

/// What one worker needs; workers differ in their core only.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) board: Arc<Board<State>>,
    pub(super) reader: Arc<dyn Reader>,
    pub(super) object: String,
}

impl State {
    pub(super) fn new(
        engine: &Engine,
        range: Option<Range<u64>>,
        limits: TransferLimits,
        order: Order,
    ) -> Result<State> {
        let part_size_bytes = fitting_part(engine, limits.part_size_bytes);
        // Parts may wait for an older one that is slow; the pool bounds them as well.
        let window_parts = 2 * limits.connections + 1;
        let ready = match order {
            Order::OfTheObject => Ready::InOrder(InOrder::new(window_parts)?),
            Order::OfArrival => Ready::AsTheyCome(VecDeque::with_capacity(window_parts)),
        };
        let plan = GetPlan::new(GetPlanConfig { part_size_bytes, window_parts }, range)?;
        let ahead = ReadAhead::new(limits.connections, window_parts);
        Ok(State { plan, ready, ahead, places: 0, on_wire: 0 })
    }

    /// What the consumer gets; `Some(None)` is the end of the object.
    pub(super) fn next(&mut self) -> Option<Option<Piece>> {
        let all_ready = self.ready.len() == self.places && self.places >= self.ahead.parts();
        match self.ready.pop() {
            Some((part, bytes)) => {
                self.plan.on_done(part.index).expect("a part that was ready had been planned");
                self.places -= 1;
                self.ahead.on_taken(all_ready);
                if !bytes.is_empty() {
                    return Some(Some(Piece { offset: part.offset, bytes }));
                }
            }
            None => self.ahead.on_missed(),
        }
        self.plan.is_done().then_some(None)
    }

    /// Takes a place for one more part; `Some(false)` when no part is left.
    fn admit(&mut self) -> Option<bool> {
        if self.plan.all_planned() {
            return Some(false);
        }
        let admitted = self.places < self.ahead.parts();
        self.places += usize::from(admitted);
        admitted.then_some(true)
    }

    /// The next part; `Some(None)` when others took the last one.
    fn take(&mut self) -> Option<Option<PartRequest>> {
        let part = self.plan.next_part();
        match part {
            Some(_) => self.on_wire += 1,
            None if self.plan.all_planned() => self.places -= 1,
            None => return None,
        }
        Some(part)
    }

    fn deliver(&mut self, part: PartRequest, bytes: Bytes) -> Result<(), PlanError> {
        self.on_wire -= 1;
        match &mut self.ready {
            Ready::InOrder(ready) => ready.push(part.index, (part, bytes)),
            Ready::AsTheyCome(ready) => {
                ready.push_back((part, bytes));
                Ok(())
            }
        }
    }

    /// Whether memory of this stream comes back without anybody else: parts arrive, or wait for a
    /// consumer who has not come for them yet.
    fn comes_back(&self) -> bool {
        self.on_wire > 0 || self.ready.len() > 0
    }
}

impl Ready {
    fn pop(&mut self) -> Option<(PartRequest, Bytes)> {
        match self {
            Ready::InOrder(ready) => ready.pop_next(),
            Ready::AsTheyCome(ready) => ready.pop_front(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Ready::InOrder(ready) => ready.len(),
            Ready::AsTheyCome(ready) => ready.len(),
        }
    }
}

impl Worker {
    /// Reads the first part, then works with the others until all is read.
    pub(super) async fn coordinate(self, core: &Core, limits: TransferLimits) {
        self.board.run(self.coordinate_inner(core, limits)).await;
    }

    async fn coordinate_inner(&self, core: &Core, limits: TransferLimits) -> Result<()> {
        let Some(first) = self.board.look(|state| state.plan.next_part()) else {
            return Ok(());
        };
        self.board.look(|state| (state.places, state.on_wire) = (1, 1));
        let lease = memory(core, first.len).await?;
        let span = 0..first.len as usize;
        let read = self.reader.read_to_keep(core, first.offset, lease, span).await;
        let total = read.result.as_ref().map_err(Error::clone)?.object_bytes;
        let stored_bytes = self.reader.stored_part_bytes();
        let first = self.board.look(|state| {
            state.plan.align_to(stored_bytes);
            state.plan.on_first(total)
        })?;
        self.deliver(first, read)?;
        let parts = self.board.look(|state| state.plan.parts()).unwrap_or(0);
        // The first part is read: one that was alone needs no worker.
        let left = parts.saturating_sub(1);
        let workers = readers_for(&*self.reader, left, limits.connections);
        let worker = self.clone();
        run_workers(core, &self.board, workers, move |core| worker.clone().work(core)).await
    }

    async fn work(self, core: Core) -> Result<()> {
        let part_bytes = self.board.look(|state| state.plan.part_size_bytes());
        while self.board.wait(State::admit).await? {
            let lease = part_memory(&core, &self.board, part_bytes, State::comes_back).await?;
            let Some(part) = self.board.wait(State::take).await? else { break };
            let span = 0..part.len as usize;
            let read = self.reader.read_to_keep(&core, part.offset, lease, span).await;
            self.deliver(part, read)?;
        }
        Ok(())
    }

    fn deliver(&self, part: PartRequest, read: PartRead) -> Result<()> {
        let len_bytes = read.result?.len_bytes;
        whole(&self.object, part, len_bytes)?;
        let lease = read.buf.into_lease().expect("a lease was lent and comes back");
        let bytes = frozen(lease, len_bytes);
        Ok(self.board.change(|state| state.deliver(part, bytes))?)
    }
}

/// A part must come whole (DATA-2).
pub(super) fn whole(object: &str, part: PartRequest, len_bytes: usize) -> Result<()> {
    if len_bytes as u64 == part.len {
        return Ok(());
    }
    let detail = format!("{len_bytes} of the {} bytes at offset {}", part.len, part.offset);
    Err(Error::from(ErrorKind::Integrity { object: object.to_owned(), detail }))
}

/// Hands the received bytes of a lease on; what is behind them goes back to the pool.
pub(crate) fn frozen(mut lease: Lease, len_bytes: usize) -> Bytes {
    lease.set_len(len_bytes);
    lease.freeze()
}

/// No part is made smaller than this to fit a pool.
pub(super) const SMALLEST_PART_BYTES: u64 = 64 << 10;

/// The part size asked for, or less where the pool could not hold two of them.
pub(super) fn fitting_part(engine: &Engine, asked_bytes: u64) -> u64 {
    let mut bytes = asked_bytes;
    let asked = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    while bytes > SMALLEST_PART_BYTES && engine.pool().capacity_for(asked(bytes)) < 2 {
        bytes /= 2;
    }
    bytes.next_multiple_of(PART_ALIGN_BYTES)
}
