//! Ranged GET into one buffer: each worker receives straight into its own piece of it.

use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{CopyReason, Core, Region, RegionOwner};

use super::board::Board;
use super::fetch::{SMALLEST_PART_BYTES, fitting_part, frozen, whole};
use super::limits::TransferLimits;
use super::plan::{GetPlan, GetPlanConfig, PartRequest};
use super::workers::{memory, readers_for, run_workers};
use crate::error::Result;
use crate::object::ObjectMeta;
use crate::store::{PartRules, Reader};

/// What is left to read, and the memory for it. The pieces are cut in the order of the parts.
struct State {
    plan: GetPlan,
    rest: Option<Region>,
}

#[derive(Clone)]
struct Worker {
    board: Arc<Board<State>>,
    reader: Arc<dyn Reader>,
    object: String,
}

/// Fills `region` from `offset`; the count is short only at the end of the object.
pub(crate) async fn read_into(
    core: &Core,
    reader: Arc<dyn Reader>,
    object: String,
    offset: u64,
    region: Region,
    limits: TransferLimits,
) -> Result<usize> {
    let end = offset.saturating_add(region.len() as u64);
    let config = GetPlanConfig {
        part_size_bytes: limits.part_size_bytes,
        window_parts: 4 * limits.connections + 1,
    };
    let plan = GetPlan::new(config, Some(offset..end))?;
    let board = Arc::new(Board::new(State { plan, rest: Some(region) }));
    Worker { board, reader, object }.coordinate(core, limits).await
}

/// Reads a range into one buffer from the pool, and hands it on without a copy.
pub(crate) async fn read_range(
    core: &Core,
    reader: Arc<dyn Reader>,
    object: String,
    range: std::ops::Range<u64>,
    limits: TransferLimits,
) -> Result<Bytes> {
    let len = range.end.saturating_sub(range.start);
    if len == 0 {
        return Ok(Bytes::new());
    }
    let lease = memory(core, len).await?;
    if len <= limits.part_size_bytes {
        let read = reader.read_to_keep(core, range.start, lease, 0..len as usize).await;
        let count = read.result?.len_bytes;
        let lease = read.buf.into_lease().expect("a lease was lent and comes back");
        return Ok(frozen(lease, count));
    }
    let (owner, mut region) = RegionOwner::new(lease);
    drop(region.split_off(len as usize));
    let count = read_into(core, reader, object, range.start, region, limits).await?;
    let lease = owner.returned().await;
    Ok(frozen(lease, count))
}

/// Reads a whole object into one buffer from the pool. Its size is not known before the first bytes
/// are there; these are moved once where the object turns out to be larger.
pub(crate) async fn read_whole(
    core: &Core,
    reader: Arc<dyn Reader>,
    object: String,
    limits: TransferLimits,
    rules: PartRules,
) -> Result<(Bytes, ObjectMeta)> {
    let mut first_bytes = fitting_part(&core.engine(), limits.part_size_bytes);
    if rules.s3_limits {
        first_bytes = first_bytes.min(share_of_free(core));
    }
    let lease = memory(core, first_bytes).await?;
    let read = reader.read_to_keep(core, 0, lease, 0..first_bytes as usize).await;
    let info = read.result?;
    let mut first = read.buf.into_lease().expect("a lease was lent and comes back");
    let total = info.object_bytes;
    let part = PartRequest { index: 0, offset: 0, len: total.min(first_bytes) };
    whole(&object, part, info.len_bytes)?;
    let meta = reader.meta().unwrap_or_else(|| ObjectMeta::of_size(total));
    if info.len_bytes as u64 == total {
        return Ok((frozen(first, info.len_bytes), meta));
    }
    let total_bytes = usize::try_from(total).unwrap_or(usize::MAX);
    let (lease, have) = match core.pool().try_lease(total_bytes, "part") {
        Some(mut lease) => {
            let (from, have) = (&first.as_mut_slice()[..info.len_bytes], 0..info.len_bytes);
            core.metrics().copy_payload(CopyReason::Bounce, from, &mut lease.as_mut_slice()[have]);
            (lease, info.len_bytes)
        }
        // Whoever waits for memory holds none (POOL-1), so the first bytes are read again.
        None => {
            drop(first);
            (memory(core, total).await?, 0)
        }
    };
    let (owner, mut rest) = RegionOwner::new(lease);
    drop(rest.split_off(total_bytes));
    drop(rest.split_to(have));
    let part = PartRequest { index: 1, offset: have as u64, len: total - have as u64 };
    let count = read_into(core, reader, object.clone(), part.offset, rest, limits).await?;
    whole(&object, part, count)?;
    Ok((frozen(owner.returned().await, total_bytes), meta))
}

/// So much is asked for at first of an object whose size nobody knows, where that is less than a part: in a pool that is small or
/// in use an eighth of what is free, so that many small objects are read at once. Only of servers that know ranges: from
/// others the rest of a larger object could not be had.
fn share_of_free(core: &Core) -> u64 {
    let share = (core.pool().free_part_bytes() as u64 / 8).max(SMALLEST_PART_BYTES);
    // Leases lie in blocks of a power of two.
    1 << share.ilog2()
}

impl Worker {
    async fn coordinate(&self, core: &Core, limits: TransferLimits) -> Result<usize> {
        let Some((first, piece)) = self.take() else { return Ok(0) };
        let span = 0..first.len as usize;
        let read = self.reader.read(core, first.offset, piece.into(), span).await;
        let info = read.result?;
        if first.offset >= info.object_bytes {
            return Ok(0);
        }
        let stored_bytes = self.reader.stored_part_bytes();
        let part = self.board.look(|state| {
            state.plan.align_to(stored_bytes);
            state.plan.on_first(info.object_bytes)
        })?;
        whole(&self.object, part, info.len_bytes)?;
        self.board.change(|state| state.plan.on_done(part.index))?;
        let parts = self.board.look(|state| state.plan.parts()).unwrap_or(0);
        let left = parts.saturating_sub(1);
        let workers = readers_for(&*self.reader, left, limits.connections);
        let worker = self.clone();
        run_workers(core, &self.board, workers, move |core| worker.clone().work(core)).await?;
        let range = self.board.look(|state| state.plan.range()).expect("the size is known");
        Ok((range.end - range.start) as usize)
    }

    async fn work(self, core: Core) -> Result<()> {
        loop {
            let next = self.board.wait(|state| match state.take() {
                Some(part) => Some(Some(part)),
                None => state.plan.all_planned().then_some(None),
            });
            let Some((part, piece)) = next.await? else { return Ok(()) };
            let span = 0..part.len as usize;
            let read = self.reader.read(&core, part.offset, piece.into(), span).await;
            whole(&self.object, part, read.result?.len_bytes)?;
            self.board.change(|state| state.plan.on_done(part.index))?;
        }
    }

    fn take(&self) -> Option<(PartRequest, Region)> {
        self.board.look(State::take)
    }
}

impl State {
    fn take(&mut self) -> Option<(PartRequest, Region)> {
        let part = self.plan.next_part()?;
        let rest = self.rest.as_mut()?;
        Some((part, rest.split_to(part.len as usize)))
    }
}
