//! Waiting on a thread that is not inside a core: it sleeps until it is woken.
//!
//! A thread that drives a core by itself ([`crate::Driven`]) steps that core instead of sleeping,
//! because nobody else would.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// A core that this thread steps while it waits for something.
pub(crate) trait Drive {
    /// One turn, which sleeps at most for `limit`; `None` is without limit.
    fn turn(&self, limit: Option<Duration>);

    /// Ends the sleep of a turn, from any thread.
    fn rouse(&self) -> Rouse;
}

/// Ends the sleep of a turn.
pub(crate) type Rouse = Box<dyn Fn() + Send + Sync>;

thread_local! {
    static DRIVE: RefCell<Option<Rc<dyn Drive>>> = const { RefCell::new(None) };
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
    let rouse = drive().map(|drive| drive.rouse());
    let signal =
        Arc::new(Signal { thread: thread::current(), rouse, woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&signal));
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
    thread: Thread,
    rouse: Option<Rouse>,
    woken: AtomicBool,
}

impl Signal {
    /// False if the deadline came first.
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        while !self.woken.swap(false, Ordering::Acquire) {
            let left = deadline.map(|it| it.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            match (drive(), left) {
                (Some(drive), left) => drive.turn(left),
                (None, None) => thread::park(),
                (None, Some(left)) => thread::park_timeout(left),
            }
        }
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
        if let Some(rouse) = &self.rouse {
            rouse();
        }
    }
}
