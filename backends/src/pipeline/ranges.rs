//! Many ranges of many objects into memory of the caller, in one call.
//!
//! A range on its own is received straight into its place. Neighbours that are read with one
//! request come through a lease, and that copy is counted (DATA-1).

use std::collections::VecDeque;
use std::sync::Arc;

use hydrant_engine::{CopyReason, Core, Lease, Region};

use super::board::Board;
use super::limits::TransferLimits;
use super::plan::{RangeRequest, RangesConfig, Share, WantedRange, plan_ranges};
use super::workers::{part_memory, run_workers, workers_for};
use crate::condition::ReadOptions;
use crate::error::{Error, Result};
use crate::store::Reader;

/// A range of an object, and the memory that it goes to.
#[derive(Debug)]
pub struct RangeInto<'a> {
    /// The object.
    pub key: &'a str,
    /// First byte in the object.
    pub offset: u64,
    /// As many bytes are read as it has.
    pub into: &'a mut [u8],
}

/// A range of an object, and the lent memory that it goes to.
#[derive(Debug)]
pub struct RangeRegion {
    /// The object.
    pub key: String,
    /// First byte in the object.
    pub offset: u64,
    /// As many bytes are read as it has.
    pub into: Region,
}

/// How many ranges are read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RangesOptions {
    /// Ranges of one object with at most so many bytes between them are read with one request, and
    /// copied out of it. Default 16 KiB: about what comes in the time that one more request costs a
    /// server nearby.
    pub gap_bytes_max: u64,
    /// Requests under way at once instead of the default.
    pub connections: Option<usize>,
    /// Which version of each object, and what has to hold of it.
    pub read: ReadOptions,
}

impl Default for RangesOptions {
    fn default() -> RangesOptions {
        RangesOptions { gap_bytes_max: 16 << 10, connections: None, read: ReadOptions::default() }
    }
}

/// Ranges as the pipeline takes them: objects by number, memory as regions.
pub(crate) struct Wanted {
    pub(crate) range: WantedRange,
    pub(crate) into: Region,
}

#[derive(Clone)]
struct Worker {
    board: Arc<Board<State>>,
    readers: Arc<[Arc<dyn Reader>]>,
}

#[derive(Debug)]
struct State {
    left: VecDeque<Job>,
    /// Requests that have their lease, which comes back when they end.
    with_lease: usize,
    results: Vec<Result<usize>>,
}

/// A request with the memory for each of its shares.
#[derive(Debug)]
struct Job {
    request: RangeRequest,
    memory: Vec<Region>,
}

/// Reads all ranges. What came of each is told in their order: the number of bytes, short only at
/// the end of its object. One that fails stops none of the others.
pub(crate) async fn read_ranges(
    core: &Core,
    readers: Vec<Arc<dyn Reader>>,
    wanted: Vec<Wanted>,
    gap_bytes_max: u64,
    limits: TransferLimits,
) -> Result<Vec<Result<usize>>> {
    let config = RangesConfig {
        gap_bytes_max,
        request_bytes_max: super::fetch::fitting_part(&core.engine(), limits.part_size_bytes),
    };
    let ranges: Vec<_> = wanted.iter().map(|wanted| wanted.range).collect();
    let plan = plan_ranges(&ranges, config);
    let left = with_memory(plan, wanted);
    let workers = workers_for(left.len() as u64, limits.connections);
    let results = ranges.iter().map(|_| Ok(0)).collect();
    let board = Arc::new(Board::new(State { left, with_lease: 0, results }));
    let worker = Worker { board: Arc::clone(&board), readers: readers.into() };
    run_workers(core, &board, workers, move |core| worker.clone().work(core)).await?;
    Ok(board.look(|state| std::mem::take(&mut state.results)))
}

/// Cuts each range's memory into the pieces of its requests, which come by offset.
fn with_memory(plan: Vec<RangeRequest>, wanted: Vec<Wanted>) -> VecDeque<Job> {
    let mut rest: Vec<_> = wanted.into_iter().map(|wanted| wanted.into).collect();
    let cut = |request: RangeRequest| {
        let cut = |share: &Share| rest[share.wanted].split_to(len(share));
        let memory = request.shares.iter().map(cut).collect();
        Job { request, memory }
    };
    plan.into_iter().map(cut).collect()
}

fn len(share: &Share) -> usize {
    (share.range.end - share.range.start) as usize
}

impl State {
    fn take(&mut self) -> Option<Job> {
        self.left.pop_front()
    }

    fn note(&mut self, wanted: usize, outcome: Result<usize>) {
        let result = &mut self.results[wanted];
        match (result.as_mut(), outcome) {
            (Ok(sum), Ok(bytes)) => *sum += bytes,
            (Ok(_), Err(error)) => *result = Err(error),
            (Err(_), _) => {}
        }
    }
}

impl Worker {
    async fn work(self, core: Core) -> Result<()> {
        while let Some(Job { request, memory }) = self.board.look(State::take) {
            let outcomes = match <[Region; 1]>::try_from(memory) {
                Ok([only]) => self.read_in_place(&core, &request, only).await,
                Err(memory) => self.read_through(&core, &request, memory).await,
            };
            self.board.change(|state| match outcomes {
                Ok(outcomes) => {
                    outcomes.into_iter().for_each(|(wanted, bytes)| state.note(wanted, Ok(bytes)));
                }
                Err(error) => request
                    .shares
                    .iter()
                    .for_each(|share| state.note(share.wanted, Err(Error::clone(&error)))),
            });
        }
        Ok(())
    }

    async fn read_in_place(
        &self,
        core: &Core,
        request: &RangeRequest,
        into: Region,
    ) -> Result<Vec<(usize, usize)>> {
        let span = 0..into.len();
        let reader = &self.readers[request.object];
        let read = reader.read(core, request.range.start, into.into(), span).await;
        Ok(vec![(request.shares[0].wanted, read.result?.len_bytes)])
    }

    async fn read_through(
        &self,
        core: &Core,
        request: &RangeRequest,
        memory: Vec<Region>,
    ) -> Result<Vec<(usize, usize)>> {
        let whole = request.range.end - request.range.start;
        let comes_back = |state: &State| state.with_lease > 0;
        let lease = part_memory(core, &self.board, whole, comes_back).await?;
        self.board.look(|state| state.with_lease += 1);
        let outcomes = self.read_apart(core, request, lease, memory).await;
        self.board.look(|state| state.with_lease -= 1);
        outcomes
    }

    /// Reads a request into a lease, and copies what came to where it belongs.
    async fn read_apart(
        &self,
        core: &Core,
        request: &RangeRequest,
        lease: Lease,
        memory: Vec<Region>,
    ) -> Result<Vec<(usize, usize)>> {
        let whole = request.range.end - request.range.start;
        let reader = &self.readers[request.object];
        let read = reader.read(core, request.range.start, lease.into(), 0..whole as usize).await;
        let came = read.result?.len_bytes;
        let mut lease = read.buf.into_lease().expect("a lease was lent and comes back");
        lease.set_len(came);
        let copy = |(share, mut to): (&Share, Region)| {
            let begin = (share.range.start - request.range.start) as usize;
            let bytes = lease.as_slice().get(begin..).unwrap_or_default();
            let count = bytes.len().min(to.len());
            let place = &mut to.as_mut_slice()[..count];
            core.metrics().copy_payload(CopyReason::Bounce, &bytes[..count], place);
            (share.wanted, count)
        };
        Ok(request.shares.iter().zip(memory).map(copy).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use hydrant_engine::{Error as EngineError, PoolError};

    use super::*;
    use crate::{ErrorKind, Hydrant};

    const PART: usize = 5 << 20;

    /// Two requests wait for memory that the caller holds: neither may count on the other.
    #[test]
    fn requests_that_only_wait_do_not_keep_each_other_waiting() {
        let hydrant = Hydrant::builder().cores(2).pool_bytes(34 << 20).engine(|config| {
            config.pool.wait_limit = Duration::from_millis(200);
            config.pool.head_share_bytes = Some(2 << 20);
        });
        let hydrant = hydrant.build().expect("a client");
        let store = hydrant.store("mem://ranges").expect("a store");
        for key in ["a", "b"] {
            store.put(key, Bytes::from(vec![7; PART])).wait().expect("put");
        }
        let pool = hydrant.engine().pool();
        let held: Vec<_> = std::iter::from_fn(|| pool.try_lease(PART, "held")).collect();
        assert_eq!(held.len(), pool.capacity_for(PART), "all parts are held");
        let mut memory = vec![vec![0; PART / 2]; 4];
        let mut ranges: Vec<_> = memory
            .iter_mut()
            .zip([("a", 0), ("a", PART / 2), ("b", 0), ("b", PART / 2)])
            .map(|(into, (key, offset))| RangeInto { key, offset: offset as u64, into })
            .collect();
        let options = RangesOptions { connections: Some(2), ..RangesOptions::default() };
        let results = store.get_ranges_into(&mut ranges, options.clone()).expect("none is refused");
        for result in results {
            let error = result.expect_err("there is no memory");
            let kind = error.kind();
            let ErrorKind::Engine(EngineError::Pool(PoolError::Exhausted { holders, .. })) = kind
            else {
                panic!("not exhausted: {error}");
            };
            assert_eq!(holders.first().map(|(label, _)| *label), Some("held"), "{error}");
        }
        drop(held);
        let results = store.get_ranges_into(&mut ranges, options).expect("none is refused");
        assert!(results.iter().all(|result| matches!(result, Ok(bytes) if *bytes == PART / 2)));
    }
}
