//! The last handle of an engine stops it, wherever it is dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::{Eventfd, model};
use crate::config::Config;
use crate::cores::{Control, Inbox, Message, ReadyQueue, Stepping};
use crate::engine::{Engine, Shared};

#[test]
fn the_last_handle_waits_for_the_core() {
    model(|| {
        let (engine, ended, _) = start(|_| {});
        let other = engine.clone();
        let dropping = thread::spawn(move || drop(other));
        drop(engine);
        dropping.join().expect("no panic");
        assert!(ended.load(Ordering::Acquire), "the core has ended before the last drop returns");
    });
}

/// A task may hold the last handle. Its core cannot wait for itself.
#[test]
fn the_last_handle_dropped_on_its_core_stops_it() {
    model(|| drop_on_the_core(true));
}

/// The mistake: a core that does not know that it is one.
#[test]
#[should_panic(expected = "deadlock")]
fn a_core_that_waits_for_itself_never_ends() {
    model(|| drop_on_the_core(false));
}

fn drop_on_the_core(stepping: bool) {
    let handed = Arc::new(loom::sync::Mutex::new(None::<Engine>));
    let theirs = Arc::clone(&handed);
    let (engine, _ended, inbox) = start(move |inbox| {
        let _stepping = stepping.then(|| Stepping::enter(&ReadyQueue::new(inbox)));
        let engine = theirs.lock().expect("no panic").take();
        drop(engine);
    });
    *handed.lock().expect("no panic") = Some(engine);
    inbox.rouse();
}

/// An engine with one core, which does `work` at each message until it is told to stop.
fn start(work: impl Fn(&Arc<Inbox>) + Send + 'static) -> (Engine, Arc<AtomicBool>, Arc<Inbox>) {
    let mut config = Config::default();
    config.cores = 1;
    config.pool.pool_bytes = 2 << 20;
    config.pool.head_share_bytes = Some(1 << 20);
    let shared = Shared::new(config, |_| Control::inline()).expect("mapped");
    let (inbox, eventfd) = (Arc::clone(&shared.inboxes[0]), Eventfd::new());
    let wake = Arc::clone(&eventfd);
    inbox.set_wake(Box::new(move || wake.signal()));
    let ended = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&ended);
    let core = thread::spawn(move || {
        let mut messages = VecDeque::new();
        loop {
            inbox.take(&mut messages);
            let stop = messages.iter().any(|message| matches!(message, Message::Stop));
            if !messages.is_empty() {
                work(&inbox);
            }
            messages.clear();
            if stop {
                break;
            }
            if inbox.prepare_sleep() {
                eventfd.wait();
            }
            inbox.awake();
        }
        drop(inbox.close());
        tell.store(true, Ordering::Release);
    });
    let inbox = Arc::clone(&shared.inboxes[0]);
    (Engine::of_threads(&shared, vec![core]), ended, inbox)
}
