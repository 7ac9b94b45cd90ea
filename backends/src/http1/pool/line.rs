//! The line for the connections of one core to one origin: who came first is served first.
//!
//! Who gives a place back and asks again in the same poll stands behind those who wait. A wait has no
//! limit of its own: it ends when others give their places back, and those have limits (TIME-1).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Places, and who waits for one.
#[derive(Debug)]
pub(super) struct Line {
    places: Cell<usize>,
    taken: Cell<usize>,
    /// In their order. The first are called, one for each free place, and stay until they come.
    waiting: RefCell<VecDeque<Waiter>>,
    next_number: Cell<u64>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    waker: Waker,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Line);

struct Waiting<'a> {
    line: &'a Line,
    /// Absent before it stands in the line, and once it has its place.
    number: Option<u64>,
}

impl Line {
    pub(super) fn new(places: usize) -> Line {
        Line {
            places: Cell::new(places),
            taken: Cell::new(0),
            waiting: RefCell::default(),
            next_number: Cell::new(0),
        }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.get()
    }

    /// So many places from now on; those that are taken stay so.
    pub(super) fn set_places(&self, places: usize) {
        if self.places.replace(places) < places {
            self.call();
        }
    }

    /// A place, when it is the caller's turn.
    pub(super) fn place(&self) -> impl Future<Output = Place<'_>> {
        Waiting { line: self, number: None }
    }

    fn free(&self) -> usize {
        self.places.get().saturating_sub(self.taken.get())
    }

    /// Calls those whose turn it is.
    fn call(&self) {
        for waiter in self.waiting.borrow().iter().take(self.free()) {
            waiter.waker.wake_by_ref();
        }
    }
}

impl<'a> Future for Waiting<'a> {
    type Output = Place<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Place<'a>> {
        let line = self.line;
        let mut waiting = line.waiting.borrow_mut();
        let at = match self.number {
            None => waiting.len(),
            // Numbers only grow along the line.
            Some(number) => waiting.partition_point(|waiter| waiter.number < number),
        };
        if at < line.free() {
            if self.number.take().is_some() {
                waiting.remove(at);
            }
            line.taken.set(line.taken.get() + 1);
            return Poll::Ready(Place(line));
        }
        match waiting.get_mut(at) {
            Some(waiter) => waiter.waker.clone_from(cx.waker()),
            None => {
                let number = line.next_number.replace(line.next_number.get() + 1);
                waiting.push_back(Waiter { number, waker: cx.waker().clone() });
                self.number = Some(number);
            }
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        self.line.waiting.borrow_mut().retain(|waiter| waiter.number != number);
        // It may have been called.
        self.line.call();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.taken.set(self.0.taken.get() - 1);
        self.0.call();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    fn poll<F: Future>(future: Pin<&mut F>, calls: &Arc<Calls>) -> Option<F::Output> {
        let waker = Waker::from(Arc::clone(calls));
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_gives_back_and_asks_again_stands_behind_who_waits() {
        let (line, calls) = (Line::new(1), Arc::new(Calls::default()));
        let place = poll(pin!(line.place()), &calls).expect("free");
        let mut first = pin!(line.place());
        assert!(poll(first.as_mut(), &calls).is_none());
        drop(place);
        assert_eq!(calls.0.load(SeqCst), 1, "called");
        let mut again = pin!(line.place());
        assert!(poll(again.as_mut(), &calls).is_none(), "it is not its turn");
        let place = poll(first.as_mut(), &calls).expect("its turn");
        assert!(poll(again.as_mut(), &calls).is_none());
        drop(place);
        assert!(poll(again.as_mut(), &calls).is_some());
    }

    #[test]
    fn who_leaves_the_line_calls_the_next() {
        let (line, theirs, others) = (Line::new(1), Arc::default(), Arc::new(Calls::default()));
        let place = poll(pin!(line.place()), &theirs).expect("free");
        let mut leaving = Box::pin(line.place());
        let mut next = pin!(line.place());
        assert!(poll(leaving.as_mut(), &theirs).is_none());
        assert!(poll(next.as_mut(), &others).is_none());
        drop(place);
        assert_eq!((theirs.0.load(SeqCst), others.0.load(SeqCst)), (1, 0));
        drop(leaving);
        assert_eq!(others.0.load(SeqCst), 1);
        assert!(poll(next.as_mut(), &others).is_some());
    }

    #[test]
    fn fewer_places_take_none_back_and_more_call_those_who_wait() {
        let (line, calls) = (Line::new(2), Arc::new(Calls::default()));
        let held: Vec<_> =
            (0..2).map(|_| poll(pin!(line.place()), &calls).expect("free")).collect();
        line.set_places(1);
        assert_eq!(line.taken(), 2);
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(line.place())).collect();
        for one in &mut waiting {
            assert!(poll(one.as_mut(), &calls).is_none());
        }
        line.set_places(4);
        assert_eq!(calls.0.load(SeqCst), 2, "one for each free place");
        assert!(poll(waiting[2].as_mut(), &calls).is_none(), "the third is not called");
        drop(held);
        assert!(waiting.iter_mut().all(|one| poll(one.as_mut(), &calls).is_some()));
    }
}
