//! The result of work that runs elsewhere: awaited, waited for, cancelled or let go.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::waiting::{Waited, wait_deadline};
use super::{Header, on_a_core};
use crate::error::{Error, Result};
use crate::park::block_until;
use crate::pool::fork;
use crate::sync::atomic::{AtomicBool, Ordering::*};
use crate::sync::{Mutex, MutexGuard};
use crate::trace::event;

/// Work handed to a core from any thread.
///
/// It is a future for any executor, and [`Task::wait`] blocks. Dropping it *cancels* the work: its
/// future is dropped on its core, and its ops give their buffers back when the kernel is done
/// (OWN-1). [`Task::detach`] lets it run on.
#[derive(Debug)]
#[must_use = "dropping a task cancels it"]
pub struct Task<T> {
    cell: Arc<Cell<T>>,
    detached: bool,
    /// The core runs it at once: whoever waits looks out for so long before sleeping.
    soon: Duration,
    fork_generation: u64,
}

/// The other end of a [`Task`]: whoever does the work finishes it.
#[derive(Debug)]
pub(crate) struct Join<T> {
    cell: Arc<Cell<T>>,
}

#[derive(Debug)]
struct Cell<T> {
    state: Mutex<State<T>>,
    /// For who looks out, without the lock.
    ended: AtomicBool,
    header: OnceLock<Arc<Header>>,
}

#[derive(Debug)]
enum State<T> {
    Running(Option<Waker>),
    Done(Result<T>),
    Taken,
}

impl<T> Task<T> {
    /// Blocks until the work has ended.
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] on a core of an engine; [`Error::Cancelled`] when the work was
    /// dropped before it ended; [`Error::Panicked`].
    pub fn wait(self) -> Result<T> {
        wait_deadline(self, None)
            .unwrap_or_else(|_| unreachable!("a wait without limit has a result"))
    }

    /// Blocks until the work has ended, at most for `limit`; then the task comes back.
    ///
    /// # Errors
    /// The task itself when the time is over. The result inside is as for [`Task::wait`].
    pub fn wait_timeout(self, limit: Duration) -> Result<Result<T>, Task<T>> {
        wait_deadline(self, Instant::now().checked_add(limit))
    }

    /// Whether the work has ended.
    pub fn is_finished(&self) -> bool {
        self.cell.ended.load(Acquire)
    }

    /// Lets the work run on without anyone waiting for it.
    pub fn detach(mut self) {
        self.detached = true;
    }

    pub(crate) fn bind(&self, header: Arc<Header>) {
        self.cell.header.set(header).expect("a task is bound to its work once");
    }

    /// To be called when the core was looking out for this work.
    pub(crate) fn expect_within(&mut self, soon: Duration) {
        self.soon = soon;
    }
}

/// Drives a future on this thread, which sleeps while it waits, or steps the core that it drives.
///
/// # Errors
/// [`Error::WouldDeadlock`] on a core of an engine.
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    if on_a_core() {
        return Err(Error::WouldDeadlock);
    }
    let mut future = std::pin::pin!(future);
    // Most often there is nothing to wait for, and so nobody who has to be able to wake this thread.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Ok(output);
    }
    let output = block_until(None, |cx| future.as_mut().poll(cx));
    Ok(output.unwrap_or_else(|| unreachable!("a wait without limit has a result")))
}

impl<T> Waited for Task<T> {
    fn is_finished(&self) -> bool {
        Task::is_finished(self)
    }

    fn soon(&self) -> Duration {
        self.soon
    }

    fn fork_generation(&self) -> u64 {
        self.fork_generation
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if fork::generation() != self.fork_generation {
            return Poll::Ready(Err(Error::Forked));
        }
        let mut state = self.cell.lock();
        if let State::Running(waker) = &mut *state {
            if !waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        Poll::Ready(take(&mut state))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        // In a forked child the core and its inbox are the parent's (FORK-1).
        let ours = fork::generation() == self.fork_generation;
        if !self.detached
            && ours
            && !self.is_finished()
            && let Some(header) = self.cell.header.get()
        {
            header.cancel();
        }
    }
}

impl<T> Join<T> {
    pub(crate) fn new() -> (Join<T>, Task<T>) {
        let cell = Arc::new(Cell {
            state: Mutex::new(State::Running(None)),
            ended: AtomicBool::new(false),
            header: OnceLock::new(),
        });
        let task = Task {
            cell: Arc::clone(&cell),
            detached: false,
            soon: Duration::ZERO,
            fork_generation: fork::generation(),
        };
        (Join { cell }, task)
    }

    /// Finishes with the result of a closure; a panic becomes [`Error::Panicked`].
    pub(crate) fn finish_with(self, work: impl FnOnce() -> T) {
        let result = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panicked(&*panic));
        self.finish(result);
    }

    /// Drives a future to its end and finishes with its result, panics included.
    pub(crate) async fn finish_after(self, future: impl Future<Output = T>) {
        let mut future = std::pin::pin!(future);
        let result = std::future::poll_fn(|cx| poll_caught(future.as_mut(), cx)).await;
        self.finish(result);
    }

    pub(crate) fn finish(self, result: Result<T>) {
        self.cell.finish(result);
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        // A `Join` that was not finished belongs to work that was dropped.
        if matches!(*self.cell.lock(), State::Running(_)) {
            self.cell.finish(Err(Error::Cancelled));
        }
    }
}

impl<T> Cell<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, result: Result<T>) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut *state, State::Done(result));
        self.ended.store(true, Release);
        drop(state);
        if let State::Running(Some(waker)) = before {
            waker.wake();
        }
    }
}

fn take<T>(state: &mut State<T>) -> Result<T> {
    match std::mem::replace(state, State::Taken) {
        State::Done(result) => result,
        State::Taken => panic!("a task's result was taken twice"),
        State::Running(_) => unreachable!("only called once the work has ended"),
    }
}

/// Polls a future; a panic becomes [`Error::Panicked`].
pub(super) fn poll_caught<F: Future>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panicked(&*panic))),
    }
}

pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    event!(ERROR, "work on a core panicked");
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::Panicked { message: message.unwrap_or_else(|| "(no message)".into()) }
}
