//! The workers of a pipeline: one shape for all of them.
//!
//! Each is the same future on the next core in turn. It takes memory first and a part then, so that
//! a part which has been taken always has what it needs to end (POOL-1).

use std::future::Future;
use std::sync::Arc;

use hydrant_engine::{Core, Error as EngineError, Lease, PoolError, Ticket, TicketRequest};

use super::board::Board;
use crate::error::{ErrorKind, Result};
use crate::store::Reader;

/// Runs `work` `count` times at once, on this core and those after it, until all have ended. The
/// first failure of any ends the others and is the result.
pub(super) async fn run_workers<T, F>(
    core: &Core,
    board: &Arc<Board<T>>,
    count: usize,
    work: impl Fn(Core) -> F + Clone + Send + 'static,
) -> Result<()>
where
    T: Send + 'static,
    F: Future<Output = Result<()>> + 'static,
{
    let mut others = Vec::with_capacity(count.saturating_sub(1));
    for number in 1..count {
        let (board, work) = (Arc::clone(board), work.clone());
        let start = move |core: Core| async move { board.run(work(core)).await };
        others.push(core.engine().on_core(core.index() + number, start)?);
    }
    if count > 0 {
        board.run(work(core.clone())).await;
    }
    for other in others {
        other.await?;
    }
    board.failure().map_or(Ok(()), Err)
}

/// How many workers a pipeline that reads `parts` parts keeps busy.
pub(super) fn readers_for(reader: &dyn Reader, parts: u64, connections: usize) -> usize {
    // More would ask for what has not come by yet.
    workers_for(parts, if reader.is_in_order() { 1 } else { connections })
}

/// How many workers a pipeline of `parts` parts keeps busy.
pub(super) fn workers_for(parts: u64, connections: usize) -> usize {
    connections.min(usize::try_from(parts).unwrap_or(usize::MAX))
}

/// Memory for a part of the pipeline of `board`: `count` leases at once.
///
/// A wait that grows too long is an error that names who holds the memory, unless some of it
/// `comes_back` by what this pipeline does itself: parts that are moving are watched by their own
/// clocks, and never ended by this one (TIME-1).
///
/// # Errors
/// [`PoolError::Exhausted`] and its kin; the failure of the pipeline.
pub(super) async fn part_ticket<T>(
    core: &Core,
    board: &Board<T>,
    bytes_each: u64,
    count: usize,
    comes_back: impl Fn(&T) -> bool,
) -> Result<Ticket> {
    loop {
        match board.unless_failed(ticket(core, bytes_each, count)).await {
            Err(error) if is_exhausted(error.kind()) && board.look(|state| comes_back(&*state)) => {
            }
            other => return other,
        }
    }
}

/// One lease of the same.
pub(super) async fn part_memory<T>(
    core: &Core,
    board: &Board<T>,
    bytes: u64,
    comes_back: impl Fn(&T) -> bool,
) -> Result<Lease> {
    Ok(granted(&mut part_ticket(core, board, bytes, 1, comes_back).await?))
}

/// One lease for a part, waited for in line.
pub(crate) async fn memory(core: &Core, bytes: u64) -> Result<Lease> {
    Ok(granted(&mut ticket(core, bytes, 1).await?))
}

/// The next lease of a ticket that has one.
pub(super) fn granted(ticket: &mut Ticket) -> Lease {
    ticket.take().expect("a ticket grants what was asked for")
}

async fn ticket(core: &Core, bytes_each: u64, count: usize) -> Result<Ticket> {
    let bytes_each = usize::try_from(bytes_each).unwrap_or(usize::MAX);
    Ok(core.ticket(TicketRequest { bytes_each, count, label: "part" }).await?)
}

fn is_exhausted(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Engine(EngineError::Pool(PoolError::Exhausted { .. })))
}
