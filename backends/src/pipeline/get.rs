//! Ranged GET as a stream: parts arrive on several connections and are handed on in order.
//!
//! The first request is already a ranged one; its answer tells the size, and only then do other
//! workers start. A part lies in its lease from the socket to the caller, who gets it as `Bytes`
//! and gives the memory back by dropping it.

use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use hydrant_engine::{Core, Engine, Lease, Task, TicketRequest};

use super::board::Board;
use super::limits::TransferLimits;
use super::plan::{GetPlan, GetPlanConfig, InOrder, PART_ALIGN_BYTES, PartRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectMeta;
use crate::store::Reader;

/// What is read of an object, and how.
#[derive(Debug, Clone, Default)]
pub struct GetOptions {
    /// Only these bytes; the end is cut at the object's. `None` is the whole object.
    pub range: Option<Range<u64>>,
    /// Bytes of a part instead of the default.
    pub part_size_bytes: Option<u64>,
    /// Parts under way at once instead of the default.
    pub connections: Option<usize>,
}

/// An object on its way, as pieces in order. Dropping it ends the transfer.
#[derive(Debug)]
pub struct GetStream {
    board: Arc<Board<State>>,
    reader: Arc<dyn Reader>,
    coordinator: Task<()>,
    ended: bool,
}

#[derive(Debug)]
struct State {
    plan: GetPlan,
    ready: InOrder<Bytes>,
}

/// What one worker needs; workers differ in their core only.
#[derive(Clone)]
struct Worker {
    board: Arc<Board<State>>,
    reader: Arc<dyn Reader>,
    object: String,
}

/// Starts a stream. `object` names it in messages.
pub(crate) fn start(
    engine: &Engine,
    reader: Arc<dyn Reader>,
    object: String,
    range: Option<Range<u64>>,
    limits: TransferLimits,
) -> Result<GetStream> {
    let part_size_bytes = fitting_part(engine, limits.part_size_bytes);
    // Parts may wait for an older one that is slow; the pool bounds them as well.
    let window_parts = 2 * limits.connections + 1;
    let plan = GetPlan::new(GetPlanConfig { part_size_bytes, window_parts }, range)?;
    let board = Arc::new(Board::new(State { plan, ready: InOrder::new(window_parts)? }));
    let worker = Worker { board: Arc::clone(&board), reader: Arc::clone(&reader), object };
    let coordinator =
        engine.on_any_core(move |core| async move { worker.coordinate(&core, limits).await })?;
    Ok(GetStream { board, reader, coordinator, ended: false })
}

impl GetStream {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The first failure of any part; the stream is over then.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.ended {
            return None;
        }
        let next = self.wait_next().await.transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    /// A coordinator that ended without a word, by a panic or a stop, ends the stream as well.
    async fn wait_next(&mut self) -> Result<Option<Bytes>> {
        let mut wait = pin!(self.board.wait(State::next));
        let mut coordinator = Pin::new(&mut self.coordinator);
        let mut coordinated = false;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(next) = wait.as_mut().poll(cx) {
                return Poll::Ready(next);
            }
            if !coordinated && let Poll::Ready(ended) = coordinator.as_mut().poll(cx) {
                coordinated = true;
                if let Err(error) = ended {
                    return Poll::Ready(Err(error.into()));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The same, blocking this thread.
    ///
    /// # Errors
    /// As [`GetStream::next`]; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn next_wait(&mut self) -> Option<Result<Bytes>> {
        match hydrant_engine::block_on(self.next()) {
            Ok(next) => next,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// What is known of the object, once the first piece is there or the end was reached.
    pub fn meta(&self) -> Option<ObjectMeta> {
        self.reader.meta()
    }
}

impl State {
    /// `Some(None)` is the end of the object.
    fn next(&mut self) -> Option<Option<Bytes>> {
        let index = self.ready.next_index();
        if let Some(bytes) = self.ready.pop_next() {
            self.plan.on_done(index).expect("a part that was ready had been planned");
            if !bytes.is_empty() {
                return Some(Some(bytes));
            }
        }
        self.plan.is_done().then_some(None)
    }
}

impl Worker {
    /// Reads the first part, then works with the others until all is read.
    async fn coordinate(self, core: &Core, limits: TransferLimits) {
        self.board.run(self.coordinate_inner(core, limits)).await;
    }

    async fn coordinate_inner(&self, core: &Core, limits: TransferLimits) -> Result<()> {
        let Some(first) = self.board.look(|state| state.plan.next_part()) else {
            return Ok(());
        };
        let lease = memory(core, first.len).await?;
        self.read_first(core, first, lease).await?;
        let parts = self.board.look(|state| state.plan.parts()).unwrap_or(0);
        let others = limits.connections.min(usize::try_from(parts).unwrap_or(usize::MAX));
        let engine = core.engine();
        let mut tasks = Vec::with_capacity(others);
        for number in 1..others {
            let worker = self.clone();
            let start = move |core: Core| async move { worker.work(&core).await };
            tasks.push(engine.on_core(core.index() + number, start)?);
        }
        if parts > 1 {
            self.work(core).await;
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    }

    async fn work(&self, core: &Core) {
        self.board.run(self.work_inner(core)).await;
    }

    async fn work_inner(&self, core: &Core) -> Result<()> {
        let part_bytes = self.board.look(|state| state.plan.part_size_bytes());
        loop {
            if self.board.look(|state| state.plan.all_planned()) {
                return Ok(());
            }
            // Memory first, then a part: whoever has a part can end it (POOL-1).
            let lease = memory(core, part_bytes).await?;
            let next = self.board.wait(|state| match state.plan.next_part() {
                Some(part) => Some(Some(part)),
                None => state.plan.all_planned().then_some(None),
            });
            let Some(part) = next.await? else { return Ok(()) };
            self.read(core, part, lease).await?;
        }
    }

    async fn read_first(&self, core: &Core, part: PartRequest, lease: Lease) -> Result<()> {
        let span = 0..part.len as usize;
        let read = self.reader.read(core, part.offset, lease.into(), span).await;
        let info = read.result?;
        let part = self.board.look(|state| state.plan.on_first(info.object_bytes))?;
        self.deliver(part, info.len_bytes, read.buf.into_lease())
    }

    async fn read(&self, core: &Core, part: PartRequest, lease: Lease) -> Result<()> {
        let span = 0..part.len as usize;
        let read = self.reader.read(core, part.offset, lease.into(), span).await;
        let info = read.result?;
        self.deliver(part, info.len_bytes, read.buf.into_lease())
    }

    fn deliver(
        &self,
        part: PartRequest,
        len_bytes: usize,
        lease: Result<Lease, hydrant_engine::Buf>,
    ) -> Result<()> {
        whole(&self.object, part, len_bytes)?;
        let bytes = frozen(lease.expect("a lease was lent and comes back"), len_bytes);
        Ok(self.board.change(|state| state.ready.push(part.index, bytes))?)
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

/// One lease for a part.
pub(crate) async fn memory(core: &Core, bytes: u64) -> Result<Lease> {
    let bytes_each = usize::try_from(bytes).unwrap_or(usize::MAX);
    let request = TicketRequest { bytes_each, count: 1, label: "part" };
    let mut ticket = core.ticket(request).await?;
    Ok(ticket.take().expect("a ticket of one grants one"))
}

/// The part size asked for, or less where the pool could not hold two of them.
pub(super) fn fitting_part(engine: &Engine, asked_bytes: u64) -> u64 {
    const SMALLEST: u64 = 64 << 10;
    let mut bytes = asked_bytes;
    let asked = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    while bytes > SMALLEST && engine.pool().capacity_for(asked(bytes)) < 2 {
        bytes /= 2;
    }
    bytes.next_multiple_of(PART_ALIGN_BYTES)
}
