//! The inbox: a core that falls asleep while others hand it work.

use std::collections::VecDeque;
use std::sync::Arc;

use loom::thread;

use super::{Eventfd, model};
use crate::cores::{Header, Inbox, Message, RemoteTask};
use crate::error::Error;

#[test]
fn no_message_is_missed_by_a_core_that_falls_asleep() {
    model(|| receive(2, sleep_if_empty));
}

/// The mistake: to sleep without the look that follows the announcement.
#[test]
#[should_panic(expected = "deadlock")]
fn a_core_that_does_not_look_again_misses_one() {
    model(|| {
        receive(2, |inbox, eventfd| {
            let _ = inbox.prepare_sleep();
            eventfd.wait();
        });
    });
}

/// The mistake: to look first and announce the sleep after it.
#[test]
#[should_panic(expected = "deadlock")]
fn a_core_that_announces_after_its_look_misses_one() {
    model(|| {
        receive(1, |inbox, eventfd| {
            if inbox.prepare_sleep() {
                inbox.awake();
                let _ = inbox.prepare_sleep();
                eventfd.wait();
            }
        });
    });
}

/// A core that looks out for messages is not signalled; what comes after its look ends its sleep.
#[test]
fn no_message_is_missed_by_a_core_that_looked_out_for_it() {
    model(|| {
        receive(2, |inbox, eventfd| {
            inbox.announce_look();
            if !inbox.has_any() {
                sleep_if_empty(inbox, eventfd);
            }
        });
    });
}

/// The mistake: to sleep after the look as if it had been announced.
#[test]
#[should_panic(expected = "deadlock")]
fn a_core_that_sleeps_while_it_is_said_to_look_misses_one() {
    model(|| {
        receive(1, |inbox, eventfd| {
            inbox.announce_look();
            if !inbox.has_any() {
                eventfd.wait();
            }
        });
    });
}

fn sleep_if_empty(inbox: &Inbox, eventfd: &Eventfd) {
    if inbox.prepare_sleep() {
        eventfd.wait();
    }
}

/// Senders, each with one message, and a core that sleeps in its driver when it has none.
fn receive(senders: usize, sleep: impl Fn(&Inbox, &Eventfd)) {
    let (inbox, eventfd) = (Arc::new(Inbox::new(8)), Eventfd::new());
    let wake = Arc::clone(&eventfd);
    inbox.set_wake(Box::new(move || wake.signal()));
    let sending = (0..senders).map(|_| {
        let inbox = Arc::clone(&inbox);
        thread::spawn(move || inbox.rouse())
    });
    let sending: Vec<_> = sending.collect();
    let (mut messages, mut received) = (VecDeque::new(), 0);
    while received < senders {
        inbox.take(&mut messages);
        received += messages.drain(..).count();
        if received < senders {
            sleep(&inbox, &eventfd);
            inbox.awake();
        }
    }
    sending.into_iter().for_each(|sender| sender.join().expect("no panic"));
}

/// A loop that waits outside of the turns is woken too, also when the core slept in its driver just
/// before and was woken there by something else.
#[test]
fn a_loop_outside_of_the_turns_is_woken() {
    model(|| {
        let (inbox, driver, outside) = (Arc::new(Inbox::new(8)), Eventfd::new(), Eventfd::new());
        let (wake, wake_outside) = (Arc::clone(&driver), Arc::clone(&outside));
        inbox.set_wake(Box::new(move || wake.signal()));
        inbox.set_wake_outside(Box::new(move || wake_outside.signal()));
        let sending: Vec<_> = (0..2)
            .map(|_| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || inbox.rouse())
            })
            .collect();
        let (mut messages, mut received) = (VecDeque::new(), 0);
        while received < 2 {
            // A turn, whose sleep ends for another reason at once.
            inbox.take(&mut messages);
            received += messages.drain(..).count();
            if inbox.prepare_sleep() {
                driver.take();
            }
            inbox.awake();
            if received < 2 && inbox.prepare_outside() {
                outside.wait();
            }
        }
        sending.into_iter().for_each(|sender| sender.join().expect("no panic"));
    });
}

#[test]
fn tasks_are_bounded_and_none_is_lost() {
    model(|| {
        let inbox = Arc::new(Inbox::new(1));
        let start = |inbox: Arc<Inbox>| {
            move || match inbox.start(task(&inbox)) {
                Ok(_) => 1,
                Err(Error::Busy { queue: "core.inbox_tasks_max", max: 1 }) => 0,
                Err(other) => panic!("{other}"),
            }
        };
        let senders = [(); 2].map(|()| thread::spawn(start(Arc::clone(&inbox))));
        let mut messages = VecDeque::new();
        inbox.take(&mut messages);
        let mut received = messages.drain(..).count();
        let accepted: usize = senders.map(|it| it.join().expect("no panic")).iter().sum();
        inbox.take(&mut messages);
        received += messages.len();
        assert!(messages.len() <= 1, "one may wait at a time");
        assert!(accepted >= 1 && received == accepted);
    });
}

/// What is handed over while a core ends is refused, or dropped so that its waiter hears of it.
#[test]
fn a_task_is_refused_or_dropped_when_its_core_ends() {
    model(|| {
        let inbox = Arc::new(Inbox::new(8));
        let alive = Arc::new(());
        let (theirs, held) = (Arc::clone(&inbox), Arc::clone(&alive));
        let sender = thread::spawn(move || {
            let mut task = task(&theirs);
            task.start = Box::new(move |_| {
                drop(held);
                Box::pin(async {})
            });
            theirs.start(task)
        });
        drop(inbox.close());
        let sent = sender.join().expect("no panic");
        assert!(matches!(sent, Ok(_) | Err(Error::Stopped)), "{sent:?}");
        assert_eq!(Arc::strong_count(&alive), 1, "its task is gone");
        let mut messages = VecDeque::new();
        inbox.take(&mut messages);
        assert!(messages.is_empty());
    });
}

fn task(inbox: &Arc<Inbox>) -> RemoteTask {
    RemoteTask { header: Header::new(inbox), start: Box::new(|_| Box::pin(async {})) }
}

/// A task that is woken from many sides is in the inbox once, and once more for each time that it
/// was taken out.
#[test]
fn a_wake_up_is_never_lost_and_never_queued_twice() {
    model(|| {
        let (inbox, eventfd) = (Arc::new(Inbox::new(8)), Eventfd::new());
        let wake = Arc::clone(&eventfd);
        inbox.set_wake(Box::new(move || wake.signal()));
        let header = Header::new(&inbox);
        let done = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let wakers = [(); 2].map(|()| {
            let (header, done) = (Arc::clone(&header), Arc::clone(&done));
            thread::spawn(move || {
                done.fetch_add(1, loom::sync::atomic::Ordering::Release);
                std::task::Waker::from(header).wake();
            })
        });
        let mut messages = VecDeque::new();
        // The task is done once it has seen both; each wake-up lets it look again.
        while done.load(loom::sync::atomic::Ordering::Acquire) < 2 {
            sleep_if_empty(&inbox, &eventfd);
            inbox.awake();
            inbox.take(&mut messages);
            assert!(messages.len() <= 1, "queued twice");
            for message in messages.drain(..) {
                let Message::Wake(header) = message else { panic!("{message:?}") };
                header.received();
            }
        }
        wakers.into_iter().for_each(|waker| waker.join().expect("no panic"));
    });
}

/// A task that is queued already when it is cancelled is dropped all the same.
#[test]
fn a_cancel_is_never_lost() {
    model(|| {
        let (inbox, eventfd) = (Arc::new(Inbox::new(8)), Eventfd::new());
        let wake = Arc::clone(&eventfd);
        inbox.set_wake(Box::new(move || wake.signal()));
        let header = Header::new(&inbox);
        let (waking, cancelling) = (Arc::clone(&header), Arc::clone(&header));
        let threads = [
            thread::spawn(move || std::task::Waker::from(waking).wake()),
            thread::spawn(move || cancelling.cancel()),
        ];
        let (mut messages, mut dropped) = (VecDeque::new(), false);
        while !dropped {
            sleep_if_empty(&inbox, &eventfd);
            inbox.awake();
            inbox.take(&mut messages);
            for message in messages.drain(..) {
                let Message::Wake(header) = message else { panic!("{message:?}") };
                header.received();
                dropped |= header.is_cancelled();
            }
        }
        threads.into_iter().for_each(|it| it.join().expect("no panic"));
    });
}
