//! Waiting on a thread that is not inside a core: it sleeps until it is woken.
//!
//! A thread that drives a core by itself ([`crate::Driven`]) steps that core instead of sleeping,
//! because nobody else would.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::pool::fork;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard, of_each_thread};

/// A core that this thread steps while it waits for something.
pub(crate) trait Drive {
    /// One turn, which sleeps at most for `limit`; `None` is without limit. `false` when no turn can
    /// be taken: the core has ended, or this thread is inside one. It never unwinds, because whoever
    /// waits for lent memory must not (OWN-1).
    fn turn(&self, limit: Option<Duration>) -> bool;

    /// Ends the sleep of a turn, from any thread.
    fn rouse(&self) -> Rouse;
}

/// Ends the sleep of a turn.
pub(crate) type Rouse = Box<dyn Fn() + Send + Sync>;

of_each_thread! {
    static DRIVE: RefCell<Option<Rc<dyn Drive>>> = RefCell::new(None);
}

of_each_thread! {
    /// Of the last wait of this thread, for the next one.
    static SIGNAL: RefCell<Option<Arc<Signal>>> = RefCell::new(None);
}

/// Says what this thread drives from now on; the one before comes back.
pub(crate) fn set_drive(drive: Option<Rc<dyn Drive>>) -> Option<Rc<dyn Drive>> {
    DRIVE.try_with(|cell| cell.replace(drive)).unwrap_or(None)
}

/// Whether this thread drives a core.
pub(crate) fn drives() -> bool {
    drive().is_some()
}

fn drive() -> Option<Rc<dyn Drive>> {
    // A thread whose locals are gone is ending, and drives nothing.
    DRIVE.try_with(|cell| cell.borrow().clone()).unwrap_or(None)
}

/// Polls until there is an answer, sleeping in between; `None` once `deadline` has passed.
///
/// Never call it inside a core (CORE-1).
pub(crate) fn block_until<T>(
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let signal = Signal::of_this_thread();
    let answer = poll_until(deadline, &signal, &mut poll);
    signal.keep();
    answer
}

fn poll_until<T>(
    deadline: Option<Instant>,
    signal: &Arc<Signal>,
    poll: &mut impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let waker = Waker::from(Arc::clone(signal));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = poll(&mut context) {
            return Some(answer);
        }
        if !signal.sleep(deadline) {
            // The answer may have come between the last look and the deadline.
            return match poll(&mut context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            };
        }
    }
}

struct Signal {
    fork_generation: u64,
    thread: Thread,
    /// Of the core that this thread drives while it waits, which may change meanwhile.
    rouse: Mutex<Option<Rouse>>,
    woken: AtomicBool,
}

impl Signal {
    /// That of the last wait, which asks the heap for nothing; a new one inside of another wait. Whoever
    /// still has a waker of the last wait may end a sleep of this one, which looks and sleeps again.
    fn of_this_thread() -> Arc<Signal> {
        let kept = SIGNAL.try_with(|cell| cell.take()).unwrap_or(None);
        // In a forked child its lock may be held by a thread that is not there (FORK-1).
        let ours = kept.filter(|signal| signal.fork_generation == fork::generation());
        ours.unwrap_or_else(|| {
            Arc::new(Signal {
                fork_generation: fork::generation(),
                thread: thread::current(),
                rouse: Mutex::new(None),
                woken: AtomicBool::new(false),
            })
        })
    }

    fn keep(self: Arc<Self>) {
        // A swap, as the other side's.
        self.woken.swap(false, Ordering::SeqCst);
        *self.lock() = None;
        // A thread whose locals are gone is ending, and keeps nothing.
        let _ = SIGNAL.try_with(|cell| cell.replace(Some(self)));
    }

    /// False if the deadline came first.
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        let drive = drive();
        // Who wakes from here on ends the turn; who woke before has left the mark that is looked at
        // next.
        *self.lock() = drive.as_ref().map(|drive| drive.rouse());
        while !self.woken.swap(false, Ordering::SeqCst) {
            let left = deadline.map(|it| it.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            if drive.as_ref().is_some_and(|drive| drive.turn(left)) {
                continue;
            }
            match left {
                None => thread::park(),
                Some(left) => thread::park_timeout(left),
            }
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rouse>> {
        self.rouse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A swap, as the other side's: loom does not order a store among swaps.
        self.woken.swap(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(rouse) = &*self.lock() {
            rouse();
        }
    }
}
