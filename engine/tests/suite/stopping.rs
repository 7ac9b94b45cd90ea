//! OWN-2: stopping is cancel all, drain, then free; and whoever waits hears of it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use hydrant_engine::sim::{SimConfig, seeds};
use hydrant_engine::{Buf, Core, Error, File, OpenOptions, RecvMode};

use crate::host::{
    Host, LIMIT, Place, assert_all_back, config, drivers, filled, hosts, kernels, lease,
};

const BYTES: usize = 512 << 10;

#[test]
fn with_everything_in_flight_on_the_kernel() {
    for _ in 0..20 {
        kernels(&config()).for_each(stop_with_everything_in_flight);
    }
}

#[test]
fn with_everything_in_flight_in_the_simulator() {
    seeds(100, |seed| {
        stop_with_everything_in_flight(Host::simulated(seed, SimConfig::choppy(), config()));
    });
}

fn stop_with_everything_in_flight(mut host: Host) {
    let place = host.place();
    let started = Arc::new(AtomicBool::new(false));
    let inside = Arc::clone(&started);
    let task = host.engine().on_core(0, move |core| put_in_flight(core, place, inside));
    let task = task.expect("spawned");
    host.run(move |core, _| async move {
        while !started.load(SeqCst) {
            core.sleep(Duration::from_micros(100)).await;
        }
    });
    let (engine, pool) = (host.engine(), host.pool());
    host.stop_cores();
    assert!(matches!(host.wait(task), Err(Error::Cancelled)), "its waiter hears of the stop");
    assert!(matches!(engine.on_core(0, |_| async {}), Err(Error::Stopped)));
    // Twice is no harm.
    host.stop_cores();
    assert_eq!(pool.quarantine_check(), []);
    drop(engine);
    host.finish();
}

/// Reads, writes, a receive and a send that will not end by themselves soon.
async fn put_in_flight(core: Core, place: Place, started: Arc<AtomicBool>) {
    let options = OpenOptions::new().read().write().create().direct(true);
    let file = File::open(&core, &place.path("file"), &options).await.expect("made");
    let data = filled(&core, BYTES, 1).await;
    let (written, data) = file.write_at(&core, data, 0..BYTES, 0).await;
    written.expect("written");
    let (near, far) = place.pair(&core).await;
    core.spawn(write_for_ever(core.clone(), file.clone(), data)).expect("room").detach();
    for _ in 0..8 {
        core.spawn(read_for_ever(core.clone(), file.clone())).expect("room").detach();
    }
    let receiving = core.clone();
    let receive = async move {
        let room = lease(&receiving, BYTES).await;
        drop(far.recv(room, 0..BYTES, RecvMode::Fill, LIMIT).await);
    };
    core.spawn(receive).expect("room").detach();
    let sending = core.clone();
    let send = async move {
        let data = filled(&sending, BYTES / 2, 2).await;
        drop(near.send(data, 0..BYTES / 2, false, LIMIT).await);
        std::future::pending::<()>().await;
    };
    core.spawn(send).expect("room").detach();
    core.sleep(Duration::from_millis(1)).await;
    started.store(true, SeqCst);
    core.sleep(LIMIT).await;
}

async fn write_for_ever(core: Core, file: File, mut buf: Buf) {
    loop {
        buf = file.write_at(&core, buf, 0..BYTES, 0).await.1;
    }
}

async fn read_for_ever(core: Core, file: File) {
    let mut buf = Buf::from(lease(&core, BYTES).await);
    loop {
        buf = file.read_at(&core, buf, 0..BYTES, 0).await.1;
    }
}

#[test]
fn a_clean_up_gets_its_time_and_no_more() {
    let mut config = config();
    config.stop.cleanup = Duration::from_millis(200);
    for mut host in hosts(&config) {
        let cleaned = Arc::new(AtomicBool::new(false));
        let inside = Arc::clone(&cleaned);
        host.run(move |core, _| async move {
            let clean_up = OnDrop(core.clone(), inside);
            core.spawn(async move {
                let _kept = clean_up;
                std::future::pending::<()>().await;
            })
            .expect("room")
            .detach();
            let slow = core.clone();
            core.spawn_cleanup(async move { slow.sleep(LIMIT).await }).expect("room");
            core.sleep(Duration::from_millis(1)).await;
        });
        host.stop_cores();
        assert!(cleaned.load(SeqCst), "started while stopping, and ended");
        host.finish();
    }
}

#[test]
fn whoever_stops_at_the_same_time_waits_for_the_same_end() {
    for mut host in kernels(&config()) {
        let cleaned = Arc::new(AtomicBool::new(false));
        let inside = Arc::clone(&cleaned);
        host.run(move |core, _| async move {
            let clean_up = OnDrop(core.clone(), inside);
            let kept = async move {
                let _kept = clean_up;
                std::future::pending::<()>().await;
            };
            core.spawn(kept).expect("room").detach();
            core.sleep(Duration::from_millis(1)).await;
        });
        let engine = host.engine();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    engine.stop().expect("from outside");
                    assert!(cleaned.load(SeqCst), "this one returned before the end");
                });
            }
        });
        drop(engine);
        host.finish();
    }
}

/// A core that does not end keeps nobody waiting who does not want to.
#[test]
fn who_waits_for_a_while_is_told_how_many_cores_have_not_ended() {
    for host in kernels(&config()) {
        let engine = host.engine();
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let blocked = engine.on_core(0, move |_| async move {
            tell.send(()).expect("the test listens");
            // The core is stuck until the other end goes.
            assert!(ended.recv().is_err());
        });
        told.recv().expect("the core runs");
        let left = engine.stop_within(Duration::from_millis(1)).expect("from outside");
        assert!((1..=engine.cores()).contains(&left), "{left} cores have not ended");
        drop(end);
        while engine.stop_within(LIMIT).expect("from outside") > 0 {}
        assert_eq!(engine.stop_within(Duration::ZERO).expect("from outside"), 0);
        drop((blocked, engine));
        host.finish();
    }
}

/// A task refused at the limit is dropped where its destructor may start a clean-up.
#[test]
fn a_refused_task_may_start_a_clean_up_as_it_is_dropped() {
    for mut host in hosts(&config()) {
        let cleaned = Arc::new(AtomicBool::new(false));
        let inside = Arc::clone(&cleaned);
        host.run(move |core, _| async move {
            let spawner = SpawnOnDrop(core.clone(), inside);
            core.spawn(async move {
                let _kept = spawner;
                std::future::pending::<()>().await;
            })
            .expect("room")
            .detach();
            core.sleep(Duration::from_millis(1)).await;
        });
        host.stop_cores();
        assert!(cleaned.load(SeqCst));
        host.finish();
    }
}

#[test]
fn a_handle_dropped_on_a_core_ends_the_engine_without_joining_itself() {
    kernels(&config()).for_each(drop_a_handle_on_a_core);
}

fn drop_a_handle_on_a_core(mut host: Host) {
    let engine = host.engine();
    let pool = host.pool();
    let gate = Arc::new(AtomicBool::new(false));
    let inside = Arc::clone(&gate);
    let spawned = host.engine().on_core(0, move |core| async move {
        while !inside.load(SeqCst) {
            core.sleep(Duration::from_micros(100)).await;
        }
        drop(engine);
    });
    let task = spawned.expect("spawned");
    host.run(|_, _| async {});
    drop(host);
    gate.store(true, SeqCst);
    // The handle was dropped before the task's end, or with the task when the core stopped.
    match task.wait() {
        Ok(()) | Err(Error::Cancelled) => {}
        Err(other) => panic!("{other}"),
    }
    let deadline = Instant::now() + LIMIT;
    while pool.stats().lent_bytes > 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_all_back(&pool);
}

struct OnDrop(Core, Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let (core, cleaned) = (self.0.clone(), Arc::clone(&self.1));
        let clean_up = async move {
            core.sleep(Duration::from_millis(20)).await;
            cleaned.store(true, SeqCst);
        };
        self.0.spawn_cleanup(clean_up).expect("the engine only begins to stop");
    }
}

/// Starts work as it is dropped: that is refused while stopping, and what is refused starts a
/// clean-up in turn.
struct SpawnOnDrop(Core, Arc<AtomicBool>);

impl Drop for SpawnOnDrop {
    fn drop(&mut self) {
        let refused = OnDrop(self.0.clone(), Arc::clone(&self.1));
        let spawned = self.0.spawn(async move { drop(refused) });
        assert!(matches!(spawned, Err(Error::Stopped)));
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a test's own panic");
    }
}

/// Somebody else's waker that panics takes the core with it, and nothing more: who waits hears of it, what
/// the kernel still has is leaked (OWN-2), and the other cores go on.
#[test]
fn a_core_that_panics_is_heard_of_and_leaked() {
    for driver in drivers() {
        let mut config = config();
        config.cores = 2;
        let host = Host::kernel(*driver, config);
        let (engine, place) = (host.engine(), host.place());
        let receiving = engine.on_core(0, move |core| async move {
            let (_near, far) = place.pair(&core).await;
            let room = lease(&core, BYTES).await;
            far.recv(room, 0..BYTES, RecvMode::Fill, LIMIT).await.0.map(drop)
        });
        let receiving = receiving.expect("spawned");
        let begun = Instant::now();
        while engine.pool().stats().lent_bytes < BYTES {
            assert!(begun.elapsed() < LIMIT, "it never receives");
            std::thread::yield_now();
        }
        let fatal = engine.on_core(0, |core| async move {
            let waker = Waker::from(Arc::new(Panics));
            let mut sleep = pin!(core.sleep(Duration::from_millis(1)));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            std::future::pending::<()>().await
        });
        assert!(fatal.expect("spawned").wait().is_err());
        assert!(receiving.wait().is_err());
        assert!(matches!(engine.on_core(0, |_| async {}).map(drop), Err(Error::Stopped)));
        let other = engine.on_core(1, |_| async { 7 }).expect("spawned");
        assert_eq!(other.wait().expect("the other core goes on"), 7);
        engine.stop().expect("from outside");
        // Nothing came back, not even to the quarantine.
        assert_eq!(engine.pool().quarantine_release(), []);
        assert!(engine.pool().stats().lent_bytes >= BYTES, "OWN-2");
    }
}
