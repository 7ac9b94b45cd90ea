//! A service: who asks and the task that answers, with letting go and ending in between.

use std::mem::ManuallyDrop;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::thread;

use super::model;
use crate::cores::{AtSeat, Inbox, Seats, Service};
use crate::error::{Error, Result};
use crate::park::block_until;

type Tripled = Service<Box<u32>, Box<u32>>;

/// A service with one seat, and the place of its task.
fn service() -> (Tripled, AtSeat<Box<u32>, Box<u32>>) {
    let seats = Seats::new(1);
    let at = seats.places().next().expect("one");
    let inbox = Arc::new(Inbox::new(8));
    (Service::with(seats, &inbox, Duration::ZERO, Vec::new()), at)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    block_until(None, |cx| future.as_mut().poll(cx)).expect("no limit")
}

fn answer(at: &AtSeat<Box<u32>, Box<u32>>) {
    wait(async {
        let question = at.question().await;
        at.answer_with(async { Box::new(*question * 3) }).await;
    });
}

fn asked(service: &Tripled, question: u32) -> Result<Box<u32>> {
    service.ask(Box::new(question)).map_err(|(error, _)| error)?.wait()
}

#[test]
fn each_question_is_answered() {
    model(|| {
        let (service, at) = service();
        let core = thread::spawn(move || (0..2).for_each(|_| answer(&at)));
        assert_eq!(asked(&service, 1).ok(), Some(Box::new(3)));
        assert_eq!(asked(&service, 2).ok(), Some(Box::new(6)), "the seat is vacant again");
        core.join().expect("no panic");
    });
}

/// Whoever lets go at whatever moment leaves a seat that the next one gets, and nothing in it.
#[test]
fn a_seat_that_was_let_go_becomes_vacant() {
    model(|| {
        let (service, at) = service();
        let core = thread::spawn(move || {
            // The first may be taken back before it is seen.
            while wait(async {
                let question = at.question().await;
                let last = *question == 2;
                at.answer_with(async { Box::new(*question * 3) }).await;
                !last
            }) {}
        });
        let first = service.ask(Box::new(1)).expect("vacant");
        drop(first);
        loop {
            match asked(&service, 2) {
                Err(Error::Busy { .. }) => thread::yield_now(),
                other => break assert_eq!(other.ok(), Some(Box::new(6))),
            }
        }
        core.join().expect("no panic");
    });
}

#[test]
fn a_task_that_ends_ends_the_wait() {
    model(|| {
        let (service, at) = service();
        let core = thread::spawn(move || drop(at));
        let result = asked(&service, 1);
        assert!(matches!(result, Err(Error::Cancelled | Error::Stopped)), "{result:?}");
        core.join().expect("no panic");
        assert!(matches!(asked(&service, 1), Err(Error::Stopped)));
    });
}

#[test]
fn a_task_that_ends_with_a_question_ends_the_wait() {
    model(|| {
        let (service, at) = service();
        let core = thread::spawn(move || drop(wait(at.question())));
        let result = asked(&service, 1);
        assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
        core.join().expect("no panic");
    });
}

/// The mistake: to look whether there is a question with a waker that the seat does not know.
#[test]
#[should_panic(expected = "deadlock")]
fn a_task_that_does_not_say_how_it_is_woken_misses_a_question() {
    model(|| {
        // What is dropped while the deadlock unwinds would take part in the model.
        let (service, at) = service();
        let (service, at) = (ManuallyDrop::new(service), ManuallyDrop::new(at));
        let core = thread::spawn(move || {
            let mut question = pin!(at.question());
            let deaf = || Context::from_waker(Waker::noop());
            block_until(None, |_| match question.as_mut().poll(&mut deaf()) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            })
        });
        let _asked = ManuallyDrop::new(service.ask(Box::new(1)).expect("vacant"));
        assert!(core.join().expect("no panic").is_some());
    });
}
