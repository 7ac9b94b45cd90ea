//! Waiting on a thread for what a core does, with a look out first where the core does it at once. Never
//! on a core, which must not block (CORE-1).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::on_a_core;
use crate::error::{Error, Result};
use crate::park::block_until;
use crate::pool::fork;

/// Work of a core that a thread may wait for.
pub(super) trait Waited: Future + Unpin {
    /// Whether its result is there.
    fn is_finished(&self) -> bool;

    /// How long to look out before sleeping: the core was looking out for this work.
    fn soon(&self) -> Duration;

    /// Of the process that handed it over (FORK-1).
    fn fork_generation(&self) -> u64;
}

/// Blocks until the work has ended; it comes back where that was not before `deadline`.
pub(super) fn wait_deadline<W, T>(mut work: W, deadline: Option<Instant>) -> Result<Result<T>, W>
where
    W: Waited<Output = Result<T>>,
{
    if fork::generation() != work.fork_generation() {
        return Ok(Err(Error::Forked));
    }
    if on_a_core() && !work.is_finished() {
        return Ok(Err(Error::WouldDeadlock));
    }
    if !work.soon().is_zero() {
        look_out(&work, deadline);
    }
    if work.is_finished()
        && let Poll::Ready(result) =
            Pin::new(&mut work).poll(&mut Context::from_waker(Waker::noop()))
    {
        return Ok(result);
    }
    match block_until(deadline, |cx| Pin::new(&mut work).poll(cx)) {
        Some(result) => Ok(result),
        None => Err(work),
    }
}

fn look_out(work: &impl Waited, deadline: Option<Instant>) {
    let until = Instant::now().checked_add(work.soon()).into_iter().chain(deadline).min();
    while !work.is_finished() && until.is_none_or(|until| Instant::now() < until) {
        std::hint::spin_loop();
    }
}
