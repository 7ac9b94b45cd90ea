//! The line for a free slot in the table of ops in flight.

use std::task::Poll;
use std::time::Duration;

use hydrant_engine::{Core, File, OpenOptions};

use crate::host::{LIMIT, Place, config, hosts};

/// Ops in flight at most.
const SLOTS: u16 = 4;

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
    const MOMENT: Duration = Duration::from_millis(10);
    let listener = std::rc::Rc::new(place.listen());
    // One slot belongs to the core itself where it listens for other threads.
    let taken = if place.world.is_some() { SLOTS } else { SLOTS - 1 };
    let mut accepts: Vec<_> = (0..taken)
        .map(|_| {
            let (core, listener) = (core.clone(), std::rc::Rc::clone(&listener));
            core.clone().spawn(async move { drop(listener.accept(&core).await) }).expect("room")
        })
        .collect();
    core.sleep(MOMENT).await;
    let first = core.spawn(let_go_when_called(open(core.clone(), place.clone(), "first")));
    let second = core.spawn(open(core.clone(), place.clone(), "second")).expect("room");
    core.sleep(MOMENT).await;
    assert!(!second.is_finished(), "every slot is taken");
    drop(accepts.pop());
    let second = core.timeout(LIMIT, second).await;
    assert!(second.expect("called") == Some(()), "it opened its file");
    assert_eq!(first.expect("room").await, Some(()));
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
