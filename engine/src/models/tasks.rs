//! The hand-over of a task's result: to who waits, with cancelling and dropping in between.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::thread;

use super::model;
use crate::cores::{Header, Inbox, Join};
use crate::error::Error;
use crate::park::block_until;

#[test]
fn a_result_reaches_who_waits() {
    model(|| {
        let (join, task) = Join::new();
        let core = thread::spawn(move || join.finish(Ok(Box::new(7))));
        assert_eq!(task.wait().ok(), Some(Box::new(7)));
        core.join().expect("no panic");
    });
}

#[test]
fn work_that_was_dropped_ends_the_wait() {
    model(|| {
        let (join, task) = Join::<Box<u32>>::new();
        let core = thread::spawn(move || drop(join));
        assert!(matches!(task.wait(), Err(Error::Cancelled)));
        core.join().expect("no panic");
    });
}

/// Whoever drops the task cancels its work, unless it has ended; a result is not lost in between,
/// nor dropped twice.
#[test]
fn a_task_that_is_dropped_cancels_or_had_ended() {
    model(|| {
        let inbox = Arc::new(Inbox::new(8));
        let (header, alive) = (Header::new(&inbox), Arc::new(()));
        let (join, task) = Join::new();
        task.bind(Arc::clone(&header));
        let result = Arc::clone(&alive);
        let core = thread::spawn(move || join.finish(Ok(result)));
        let ended = task.is_finished();
        drop(task);
        assert!(ended || header.is_cancelled() || Arc::strong_count(&alive) < 3);
        core.join().expect("no panic");
        assert_eq!(Arc::strong_count(&alive), 1, "the result was dropped");
    });
}

/// A task that moves from one waker to another is woken by the last.
#[test]
fn the_last_waker_is_woken() {
    model(|| {
        let (join, task) = Join::new();
        let core = thread::spawn(move || join.finish(Ok(7)));
        let mut task = pin!(task);
        // Polled elsewhere first, as by a `select` that has moved on.
        if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            assert_eq!(result.ok(), Some(7));
        } else {
            let result = block_until(None, |cx| task.as_mut().poll(cx));
            assert_eq!(result.and_then(Result::ok), Some(7));
        }
        core.join().expect("no panic");
    });
}

/// The mistake: to wait with a waker that the task does not know.
#[test]
#[should_panic(expected = "deadlock")]
fn a_waker_that_is_not_handed_on_is_never_woken() {
    model(|| {
        let (join, task) = Join::new();
        let core = thread::spawn(move || join.finish(Ok(7)));
        let mut task = pin!(task);
        let waited =
            block_until(None, |_| task.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        assert!(waited.is_some());
        core.join().expect("no panic");
    });
}
