//! The board of one pipeline: which parts are left, and how it has failed.
//!
//! The workers of a pipeline run on several cores and share this one thing (CORE-2). Its lock is
//! taken for a few instructions when a part begins or ends, and never held across a wait.

use std::future::Future;
use std::ops::DerefMut;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, ErrorKind, Result};

/// State that tasks on several cores and a caller's thread look at, with those who wait for a
/// change of it.
#[derive(Debug)]
pub(crate) struct Board<T> {
    state: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    value: T,
    failure: Option<Error>,
    waiting: Vec<Waker>,
}

/// Fails the board unless it is put off before.
struct Alarm<'a, T> {
    board: &'a Board<T>,
    armed: bool,
}

impl<T> Drop for Alarm<'_, T> {
    fn drop(&mut self) {
        if self.armed {
            self.board.fail(ErrorKind::Engine(hydrant_engine::Error::Cancelled).into());
        }
    }
}

impl<T> Board<T> {
    pub(crate) fn new(value: T) -> Board<T> {
        Board { state: Mutex::new(Inner { value, failure: None, waiting: Vec::new() }) }
    }

    /// Changes the state, and wakes everyone who waits for a change.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut inner = self.lock();
        let result = change(&mut inner.value);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
        result
    }

    /// Looks at the state without waking anybody.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut self.lock().deref_mut().value)
    }

    /// Ends the pipeline: the first failure is the one that counts.
    pub(crate) fn fail(&self, error: Error) {
        let mut inner = self.lock();
        inner.failure.get_or_insert(error);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Runs one of the tasks of the pipeline. Its failure ends the pipeline; so does a task that
    /// panics or is dropped, because the others would wait for its part for ever.
    pub(crate) async fn run(&self, task: impl Future<Output = Result<()>>) {
        let mut alarm = Alarm { board: self, armed: true };
        if let Err(error) = task.await {
            self.fail(error);
        }
        alarm.armed = false;
    }

    /// The failure that ended the pipeline.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.lock().failure.clone()
    }

    /// Waits until `ready` gives something, or the pipeline has failed. `ready` may take from the
    /// state: whoever waits for room is woken afterwards.
    pub(crate) async fn wait<R>(&self, mut ready: impl FnMut(&mut T) -> Option<R>) -> Result<R> {
        std::future::poll_fn(|cx| self.poll_wait(cx, &mut ready)).await
    }

    /// Ends when `work` does, or as soon as the pipeline has failed.
    pub(crate) async fn unless_failed<R>(
        &self,
        work: impl Future<Output = Result<R>>,
    ) -> Result<R> {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(result) = work.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            self.poll_wait(cx, &mut |_| None)
        })
        .await
    }

    fn poll_wait<R>(
        &self,
        cx: &Context<'_>,
        ready: &mut impl FnMut(&mut T) -> Option<R>,
    ) -> Poll<Result<R>> {
        let mut inner = self.lock();
        if let Some(error) = &inner.failure {
            return Poll::Ready(Err(error.clone()));
        }
        let Some(result) = ready(&mut inner.value) else {
            if !inner.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                inner.waiting.push(cx.waker().clone());
            }
            return Poll::Pending;
        };
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(result))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
