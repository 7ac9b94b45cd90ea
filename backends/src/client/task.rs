//! The result of a call, awaited or waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hydrant_engine::{Core, Engine, Task as EngineTask};

use crate::error::{Error, Result};

/// A call under way on a core: a future for any executor, or [`Task::wait`] on a thread of one's
/// own. Dropping it cancels the call.
#[derive(Debug)]
#[must_use = "dropping a task cancels it"]
pub struct Task<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    Running(EngineTask<Result<T>>),
    /// The call failed before it could start.
    Failed(Option<Error>),
}

impl<T: Send + 'static> Task<T> {
    /// Starts a call on the next core in turn.
    pub(crate) fn run<F>(engine: &Engine, start: impl FnOnce(Core) -> F + Send + 'static) -> Task<T>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        match engine.on_any_core(start) {
            Ok(task) => Task(State::Running(task)),
            Err(error) => Task::failed(error.into()),
        }
    }

    pub(crate) fn failed(error: Error) -> Task<T> {
        Task(State::Failed(Some(error)))
    }

    /// Blocks until the call has ended.
    ///
    /// # Errors
    /// The call's own; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn wait(self) -> Result<T> {
        match self.0 {
            State::Running(task) => task.wait()?,
            State::Failed(error) => Err(error.expect("taken once")),
        }
    }

    /// Lets the call run on without anyone waiting for it.
    pub fn detach(self) {
        if let State::Running(task) = self.0 {
            task.detach();
        }
    }
}

impl<T: Send + 'static> Future for Task<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut self.0 {
            State::Running(task) => Pin::new(task).poll(cx).map(|done| done?),
            State::Failed(error) => {
                Poll::Ready(Err(error.take().expect("a task is not polled after its end")))
            }
        }
    }
}
