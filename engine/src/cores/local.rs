//! The result of a task on the same core.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Header;

/// A task on the same core. Awaiting it gives its result; dropping it cancels it.
///
/// A panic of the task goes on in whoever awaits it, by way of the missing result: the core itself
/// survives.
#[must_use = "dropping a task cancels it"]
pub struct LocalTask<T> {
    cell: Rc<Cell<T>>,
    header: OnceCell<Arc<Header>>,
    detached: bool,
}

struct Cell<T> {
    state: RefCell<State<T>>,
}

enum State<T> {
    Running(Option<Waker>),
    Done(T),
    Gone,
}

/// Marks the cell when the task's future goes away without a result.
struct Finisher<T>(Rc<Cell<T>>);

impl<T: 'static> LocalTask<T> {
    pub(super) fn new(
        future: impl Future<Output = T> + 'static,
    ) -> (LocalTask<T>, Pin<Box<dyn Future<Output = ()>>>) {
        let cell = Rc::new(Cell { state: RefCell::new(State::Running(None)) });
        let finisher = Finisher(Rc::clone(&cell));
        let wrapped = Box::pin(async move {
            let result = future.await;
            finisher.finish(State::Done(result));
        });
        (LocalTask { cell, header: OnceCell::new(), detached: false }, wrapped)
    }

    pub(super) fn bind(&self, header: Arc<Header>) {
        assert!(self.header.set(header).is_ok(), "a task is bound to its work once");
    }

    /// Lets the task run on without anyone waiting for it.
    pub fn detach(mut self) {
        self.detached = true;
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.cell.state.borrow(), State::Running(_))
    }
}

impl<T> Future for LocalTask<T> {
    /// `None` when the task was cancelled or panicked.
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.cell.state.borrow_mut();
        if let State::Running(waker) = &mut *state {
            *waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Gone) {
            State::Done(value) => Poll::Ready(Some(value)),
            _ => Poll::Ready(None),
        }
    }
}

impl<T> Drop for LocalTask<T> {
    fn drop(&mut self) {
        if !self.detached
            && let Some(header) = self.header.get()
        {
            header.cancel();
        }
    }
}

impl<T> Finisher<T> {
    fn finish(&self, state: State<T>) {
        let before = std::mem::replace(&mut *self.0.state.borrow_mut(), state);
        if let State::Running(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Finisher<T> {
    fn drop(&mut self) {
        if matches!(*self.0.state.borrow(), State::Running(_)) {
            self.finish(State::Gone);
        }
    }
}
