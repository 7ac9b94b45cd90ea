//! When waiting threads hear of completions.
//!
//! A turn of a core completes several requests one after the other. A thread that is woken at the first takes that one, and
//! sleeps again before the second is there: each costs a wake-up on both sides. So what completes while a lane is polled
//! is told at the end of the poll, or after [`UNTOLD_MAX`], as a request may keep its core busy for longer than that.

use std::cell::Cell;
use std::ptr::{from_ref, null};
use std::time::{Duration, Instant};

use super::slots::Queue;

/// How long a completion stays untold at most, but for the poll of one request.
const UNTOLD_MAX: Duration = Duration::from_micros(50);

thread_local! {
    /// The queue of which a lane is polled on this thread. Never followed.
    static POLLED: Cell<*const Queue> = const { Cell::new(null()) };
    static UNTOLD_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Whether somebody on this thread tells of this queue's completions before long.
pub(super) fn tells_later(queue: &Queue) -> bool {
    let later = POLLED.get() == from_ref(queue);
    if later && UNTOLD_SINCE.get().is_none() {
        UNTOLD_SINCE.set(Some(Instant::now()));
    }
    later
}

/// A poll of a lane of a queue; when it ends, everything is told.
pub(super) struct Telling<'a>(&'a Queue);

impl<'a> Telling<'a> {
    pub(super) fn begin(queue: &'a Queue) -> Telling<'a> {
        POLLED.set(queue);
        Telling(queue)
    }

    /// Tells what has waited for long enough.
    pub(super) fn between_requests(&self) {
        if UNTOLD_SINCE.get().is_some_and(|since| since.elapsed() > UNTOLD_MAX) {
            self.tell();
        }
    }

    fn tell(&self) {
        if UNTOLD_SINCE.take().is_some() {
            self.0.tell(self.0.lock());
        }
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        POLLED.set(null());
        self.tell();
    }
}
