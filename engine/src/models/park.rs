//! Waiting on a thread that is no core.
//!
//! Nobody joins the other thread: it may wake a thread that no longer waits for it, and loom does not
//! let a thread be woken in a join, nor while it waits for a lock. A model ends when all its threads have.

use std::sync::Arc;
use std::task::Poll;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::model;
use crate::park::block_until;

/// One that is set, and wakes who was told to wait.
#[derive(Default)]
struct Flag {
    set: AtomicBool,
    waker: Mutex<Option<std::task::Waker>>,
}

impl Flag {
    fn set(&self) {
        self.set.store(true, Ordering::Release);
        let waker = self.waker.lock().expect("no panic").take();
        waker.into_iter().for_each(std::task::Waker::wake);
    }

    fn is_set(&self) -> Poll<()> {
        if self.set.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn a_thread_that_falls_asleep_is_woken() {
    model(|| {
        let flag = Arc::new(Flag::default());
        let theirs = Arc::clone(&flag);
        thread::spawn(move || theirs.set());
        let waited = block_until(None, |cx| {
            *flag.waker.lock().expect("no panic") = Some(cx.waker().clone());
            flag.is_set()
        });
        assert_eq!(waited, Some(()));
    });
}

/// A wake-up for nothing, even one that is left over from before, does not end the wait.
#[test]
fn a_wake_up_for_nothing_lets_it_sleep_again() {
    model(|| {
        let flag = Arc::new(Flag::default());
        thread::current().unpark();
        let theirs = Arc::clone(&flag);
        thread::spawn(move || {
            let waker = theirs.waker.lock().expect("no panic").clone();
            waker.into_iter().for_each(std::task::Waker::wake);
            theirs.set();
        });
        let waited = block_until(None, |cx| {
            *flag.waker.lock().expect("no panic") = Some(cx.waker().clone());
            flag.is_set()
        });
        assert_eq!(waited, Some(()));
    });
}

/// The mistake: to look before one says whom to wake.
#[test]
#[should_panic(expected = "deadlock")]
fn a_look_before_the_waker_is_known_sleeps_for_ever() {
    model(|| {
        let flag = Arc::new(Flag::default());
        let theirs = Arc::clone(&flag);
        thread::spawn(move || theirs.set());
        let waited = block_until(None, |cx| {
            let seen = flag.is_set();
            *flag.waker.lock().expect("no panic") = Some(cx.waker().clone());
            seen
        });
        assert_eq!(waited, Some(()));
    });
}
