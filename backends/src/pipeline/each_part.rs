//! Every part of an object, read in any order and handed to a sink in the lease that it lies in, or passed to
//! an upload in pieces.
//!
//! Copies and checksums are such sinks.

use std::future::Future;
use std::sync::Arc;

use hydrant_engine::{Buf, Core, Lease};

use super::board::Board;
use super::fetch::whole;
use super::plan::{GetPlan, GetPlanConfig, PartRequest};
use super::relay::{Passage, Relay};
use super::workers::{granted, memory, part_memory, part_ticket, readers_for, run_workers};
use crate::checksum::{Crc64, Sum};
use crate::error::Result;
use crate::store::{KeptPart, ReadInfo, Reader};

/// What becomes of the parts. Clones of it run on several cores.
pub(super) trait Sink: Clone + Send + 'static {
    /// Whether all parts but the last have to be of one size; else they keep to those that the object was
    /// stored in.
    fn wants_even_parts(&self) -> bool;

    /// Whether the sink has this part from before, so that it need not be read; `lease` is memory
    /// to look with, and comes back.
    fn has(
        &self,
        core: &Core,
        part: PartRequest,
        lease: Lease,
    ) -> impl Future<Output = (Result<Option<KeptPart>>, Lease)>;

    /// How parts of so many bytes go where nobody has to see them whole.
    fn passage(&self, _part_bytes: u64) -> Option<Passage<'_>> {
        None
    }

    /// A part has gone that way.
    fn passed(&self, _part: PartRequest, _crc: Option<Crc64>) {}

    /// Takes a part that lies at the start of `lease`, all of it; `sum` where its reader took one.
    fn take(
        &self,
        core: &Core,
        part: PartRequest,
        lease: Lease,
        sum: Option<Sum>,
    ) -> impl Future<Output = Result<()>>;
}

/// The first part of an object, read to learn what the object is.
#[derive(Debug)]
pub(super) struct First {
    pub(super) lease: Lease,
    pub(super) info: ReadInfo,
    pub(super) part_size_bytes: u64,
}

#[derive(Debug)]
struct State {
    plan: GetPlan,
    /// The first part, until a worker hands it to the sink.
    first: Option<(PartRequest, Lease, Option<Sum>)>,
    /// Parts between their reading and the end of the sink's work.
    under_way: usize,
}

#[derive(Clone)]
struct Worker<S> {
    board: Arc<Board<State>>,
    reader: Arc<dyn Reader>,
    object: String,
    object_bytes: u64,
    sink: S,
}

impl First {
    /// Reads at most one part from the start.
    pub(super) async fn read(
        core: &Core,
        reader: &Arc<dyn Reader>,
        part_size_bytes: u64,
    ) -> Result<First> {
        let lease = memory(core, part_size_bytes).await?;
        let read = reader.read(core, 0, lease.into(), 0..part_size_bytes as usize).await;
        let info = read.result?;
        Ok(First { lease: filled(read.buf, info.len_bytes), info, part_size_bytes })
    }

    /// Whether this is all of the object.
    pub(super) fn is_whole(&self) -> bool {
        self.info.len_bytes as u64 == self.info.object_bytes
    }
}

/// Hands the first part and all others to the sink, over `connections` connections.
pub(super) async fn each_part<S: Sink>(
    core: &Core,
    reader: Arc<dyn Reader>,
    object: String,
    first: First,
    connections: usize,
    sink: S,
) -> Result<()> {
    let First { lease, info, part_size_bytes } = first;
    let window_parts = 4 * connections + 1;
    let mut plan = GetPlan::new(GetPlanConfig { part_size_bytes, window_parts }, None)?;
    plan.next_part().expect("a fresh plan has a first part");
    plan.align_to(reader.stored_part_bytes().filter(|_| !sink.wants_even_parts()));
    let part = plan.on_first(info.object_bytes)?;
    whole(&object, part, info.len_bytes)?;
    let parts = plan.parts().unwrap_or(0);
    let first = (part.len > 0).then_some((part, lease, info.sum));
    let board = Arc::new(Board::new(State { plan, first, under_way: 0 }));
    let object_bytes = info.object_bytes;
    let worker = Worker { board: Arc::clone(&board), reader, object, object_bytes, sink };
    let workers = readers_for(&*worker.reader, parts, connections);
    run_workers(core, &board, workers, move |core| worker.clone().work(core)).await
}

impl State {
    /// The next part; `Some(None)` when none is left.
    fn take(&mut self) -> Option<Option<PartRequest>> {
        let part = self.plan.next_part();
        self.under_way += usize::from(part.is_some());
        (part.is_some() || self.plan.all_planned()).then_some(part)
    }
}

impl<S: Sink> Worker<S> {
    async fn work(self, core: Core) -> Result<()> {
        let first = self.board.look(|state| {
            state.under_way += usize::from(state.first.is_some());
            state.first.take()
        });
        if let Some((part, lease, sum)) = first {
            self.sink.take(&core, part, lease, sum).await?;
            self.done(part)?;
        }
        let part_bytes = self.board.look(|state| state.plan.part_size_bytes());
        let passage = self.sink.passage(part_bytes).filter(|_| self.reader.gives_pieces());
        if let Some(passage) = passage {
            return self.pass_on(&core, passage).await;
        }
        while !self.board.look(|state| state.plan.all_planned()) {
            let comes_back = |state: &State| state.under_way > 0;
            let lease = part_memory(&core, &self.board, part_bytes, comes_back).await?;
            let Some(part) = self.board.wait(State::take).await? else { break };
            let (kept, lease) = self.sink.has(&core, part, lease).await;
            if let Some(kept) = kept? {
                self.skip(&core, part, kept, lease).await?;
            } else {
                let span = 0..part.len as usize;
                let read = self.reader.read(&core, part.offset, lease.into(), span).await;
                let info = read.result?;
                whole(&self.object, part, info.len_bytes)?;
                let lease = filled(read.buf, info.len_bytes);
                self.sink.take(&core, part, lease, info.sum).await?;
            }
            self.done(part)?;
        }
        Ok(())
    }

    /// Passes parts on piece by piece.
    async fn pass_on(&self, core: &Core, passage: Passage<'_>) -> Result<()> {
        let piece_bytes = passage.piece_bytes as u64;
        while !self.board.look(|state| state.plan.all_planned()) {
            let comes_back = |state: &State| state.under_way > 0;
            let mut ticket = part_ticket(core, &self.board, piece_bytes, 2, comes_back).await?;
            let [first, second] = [(); 2].map(|()| granted(&mut ticket).into());
            let Some(part) = self.board.wait(State::take).await? else { break };
            let mut relay = Relay::new(core, passage, part, second);
            let info = self.reader.read_pieces(core, part, first, &mut relay).await?;
            whole(&self.object, part, info.len_bytes)?;
            let crc = relay.finish().await?;
            self.sink.passed(part, crc.or_else(|| info.sum?.crc64nvme()));
            self.done(part)?;
        }
        Ok(())
    }

    /// Tells the reader of a part that is there; its bytes may lie in `lease`.
    async fn skip(
        &self,
        core: &Core,
        part: PartRequest,
        kept: KeptPart,
        lease: Lease,
    ) -> Result<()> {
        let lease = filled(lease.into(), if kept.in_memory { part.len as usize } else { 0 });
        let sum_in = |algorithm| {
            let known = [Some(kept.crc64nvme.into()), kept.tag.sum].into_iter().flatten();
            let mut known = known.filter(|sum| sum.algorithm() == algorithm);
            let bytes = kept.in_memory.then(|| lease.as_slice());
            known.next().or_else(|| Some(Sum::of(algorithm, bytes?)))
        };
        self.reader.skip(core, self.object_bytes, part.offset, part.len, &sum_in).await
    }

    fn done(&self, part: PartRequest) -> Result<()> {
        Ok(self.board.change(|state| {
            state.under_way -= 1;
            state.plan.on_done(part.index)
        })?)
    }
}

/// The lease that was lent to a read, marked with what it holds now.
fn filled(buf: Buf, len_bytes: usize) -> Lease {
    let mut lease = buf.into_lease().expect("a lease was lent and comes back");
    lease.set_len(len_bytes);
    lease
}
