//! The line for a free slot in the table of ops in flight.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hydrant_engine::{Core, File, LocalTask, OpenOptions};

use crate::host::{LIMIT, Place, config, hosts};

/// Ops in flight at most.
const SLOTS: u16 = 4;
const MOMENT: Duration = Duration::from_millis(10);

/// Whoever is called and lets go of its future instead of starting gives the slot to the next.
#[test]
fn a_dropped_waiter_calls_the_next() {
    let mut config = config();
    config.op.ops_in_flight_max = SLOTS;
    for mut host in hosts(&config) {
        host.run(one_slot_for_two);
        host.finish();
    }
}

async fn one_slot_for_two(core: Core, place: Place) {
    let mut accepts = take_slots(&core, &place, 0).await;
    let first = core.spawn(let_go_when_called(open(core.clone(), place.clone(), "first")));
    let second = core.spawn(open(core.clone(), place.clone(), "second")).expect("room");
    core.sleep(MOMENT).await;
    assert!(!second.is_finished(), "every slot is taken");
    drop(accepts.pop());
    let second = core.timeout(LIMIT, second).await;
    assert!(second.expect("called") == Some(()), "it opened its file");
    assert_eq!(first.expect("room").await, Some(()));
}

/// A task that goes from op to op within one poll does not take the slot that it has just freed ahead
/// of who waits for one.
#[test]
fn who_waits_is_served_before_who_asks_again() {
    let mut config = config();
    config.op.ops_in_flight_max = SLOTS;
    for mut host in hosts(&config) {
        host.run(one_slot_for_a_busy_task_and_another);
        host.finish();
    }
}

async fn one_slot_for_a_busy_task_and_another(core: Core, place: Place) {
    const PATIENCE: u32 = 1_000;
    let options = OpenOptions::new().write().create();
    let file = Rc::new(File::open(&core, &place.path("file"), &options).await.expect("made"));
    let accepts = take_slots(&core, &place, 1).await;
    let (asked, begun) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let (busy_core, busy_file) = (core.clone(), Rc::clone(&file));
    let (theirs, count) = (Rc::clone(&asked), Rc::clone(&begun));
    let busy = core.spawn(async move {
        while count.get() < PATIENCE {
            count.set(count.get() + u32::from(theirs.get()));
            busy_file.metadata(&busy_core).await.expect("known");
        }
    });
    core.sleep(MOMENT).await;
    asked.set(true);
    core.timeout(LIMIT, file.metadata(&core)).await.expect("called").expect("known");
    assert!(begun.get() <= 2, "the busy task went ahead {} times", begun.get());
    drop((busy, accepts));
}

/// Leaves `left` slots.
async fn take_slots(core: &Core, place: &Place, left: u16) -> Vec<LocalTask<()>> {
    let listener = Rc::new(place.listen());
    let accepts = (0..SLOTS - left).map(|_| {
        let (core, listener) = (core.clone(), Rc::clone(&listener));
        core.clone().spawn(async move { drop(listener.accept(&core).await) }).expect("room")
    });
    let accepts = accepts.collect();
    core.sleep(MOMENT).await;
    accepts
}

async fn open(core: Core, place: Place, name: &'static str) {
    let options = OpenOptions::new().write().create();
    File::open(&core, &place.path(name), &options).await.expect("made");
}

/// Polls once, and drops the future when it is called.
async fn let_go_when_called(future: impl Future<Output = ()>) {
    let mut future = Some(Box::pin(future));
    let mut called = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut called, true) {
            future = None;
            return Poll::Ready(());
        }
        let waiting = future.as_mut().expect("dropped at the second poll").as_mut();
        assert!(waiting.poll(cx).is_pending(), "every slot is taken");
        Poll::Pending
    })
    .await;
}
