//! Tasks: results, panics, cancelling, limits, timers, and waits from where one may not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hydrant_engine::sim::{SimConfig, World};
use hydrant_engine::testing::not_tested;
use hydrant_engine::{Elapsed, Engine, Error, Simulation, block_on};

use crate::host::{Host, LIMIT, config, filled, hosts, kernels, on_all};

#[test]
fn a_panic_ends_its_task_and_not_the_core() {
    for mut host in hosts(&config()) {
        let engine = host.engine();
        let task = engine.on_core(0, |core| async move {
            let _lease = filled(&core, 4096, 1).await;
            core.sleep(Duration::from_millis(1)).await;
            panic!("a test's own {}", "panic")
        });
        let task = task.map(|task: hydrant_engine::Task<()>| task).expect("spawned");
        match host.wait(task) {
            Err(Error::Panicked { message }) => assert_eq!(message, "a test's own panic"),
            other => panic!("{other:?}"),
        }
        let local = host.run(|core, _| async move {
            let task = core.spawn(async { panic!("on the same core") }).expect("spawned");
            task.await
        });
        assert_eq!(local, None::<()>);
        let blocking = host.run(|core, _| async move {
            core.blocking(|| panic!("on the control thread")).await.map(|(): ()| ())
        });
        assert!(matches!(blocking, Err(Error::Panicked { .. })));
        assert_eq!(host.run(|_, _| async { 7 }), 7);
        host.finish();
    }
}

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

/// The closure that makes a future, and a future's destructor, run caller's code on the core too.
#[test]
fn a_panic_before_or_after_a_poll_leaves_the_core_alive() {
    for mut host in hosts(&config()) {
        let engine = host.engine();
        let task = engine.on_core(0, |_| -> std::future::Ready<()> { panic!("no future") });
        let ended = host.wait(task.expect("spawned"));
        assert!(matches!(ended, Err(Error::Panicked { .. })), "{ended:?}");
        let task = engine.on_core(0, |core| async move {
            let _grenade = Grenade;
            core.sleep(Duration::from_secs(3600)).await;
        });
        drop(task.expect("spawned"));
        // One that is cancelled before it starts.
        let grenade = Grenade;
        let task = engine.on_core(0, move |_| async move { drop(grenade) });
        drop(task.expect("spawned"));
        assert_eq!(host.run(|_, _| async { 7 }), 7);
        host.finish();
    }
}

#[test]
fn a_dropped_task_is_cancelled_on_its_core() {
    for mut host in hosts(&config()) {
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let waiting = host.engine().on_core(0, move |core| async move {
            let _lease = filled(&core, 4096, 1).await;
            core.sleep(LIMIT * 10).await;
            drop(inside);
        });
        host.run(|_, _| async {});
        drop(waiting);
        host.run(move |core, _| async move {
            while Arc::strong_count(&held) > 1 {
                core.sleep(Duration::from_millis(1)).await;
            }
        });
        host.finish();
    }
}

#[test]
fn a_detached_task_runs_on() {
    for mut host in hosts(&config()) {
        let done = Arc::new(AtomicUsize::new(0));
        let inside = Arc::clone(&done);
        let spawned = host.engine().on_core(0, move |core| async move {
            let count = async move { inside.fetch_add(1, Relaxed) };
            core.spawn(count).expect("room").detach();
            core.sleep(Duration::from_millis(1)).await;
        });
        spawned.expect("spawned").detach();
        host.run(move |core, _| async move {
            while done.load(Relaxed) == 0 {
                core.sleep(Duration::from_millis(1)).await;
            }
        });
        host.finish();
    }
}

#[test]
fn a_wait_on_a_core_would_deadlock() {
    kernels(&config()).for_each(wait_on_a_core);
}

fn wait_on_a_core(host: Host) {
    let engine = host.engine();
    let task = engine.clone().on_core(0, move |core| async move {
        let never = core.engine().on_core(0, |core| async move { core.sleep(LIMIT).await });
        assert!(matches!(never.expect("spawned").wait(), Err(Error::WouldDeadlock)));
        assert!(matches!(block_on(async {}), Err(Error::WouldDeadlock)));
        assert!(matches!(engine.stop(), Err(Error::WouldDeadlock)));
    });
    task.expect("spawned").wait().expect("waited for from outside");
    host.finish();
}

#[test]
fn the_inbox_has_a_limit() {
    let mut config = config();
    config.core.inbox_tasks_max = 3;
    let mut host = Host::calm(config);
    let engine = host.engine();
    let spawn = || engine.on_core(0, |_| async {});
    let tasks: Vec<_> = (0..3).map(|_| spawn().expect("room")).collect();
    match spawn() {
        Err(Error::Busy { queue: "core.inbox_tasks_max", max: 3 }) => {}
        other => panic!("{other:?}"),
    }
    tasks.into_iter().for_each(|task| host.wait(task).expect("it ran"));
    host.wait(spawn().expect("room again")).expect("it ran");
    host.finish();
}

#[test]
fn a_core_holds_so_many_tasks() {
    let mut config = config();
    config.core.tasks_max = 3;
    let mut host = Host::calm(config);
    host.run(|core, _| async move {
        let sleep = || core.spawn(core.sleep(Duration::from_secs(1)));
        let tasks = [sleep().expect("room"), sleep().expect("room")];
        assert!(matches!(sleep(), Err(Error::Busy { queue: "core.tasks_max", max: 3 })));
        for task in tasks {
            assert_eq!(task.await, Some(()));
        }
        sleep().expect("room again").await.expect("it slept");
    });
    host.finish();
}

#[test]
fn many_threads_spawn_at_once() {
    let mut config = config();
    config.cores = 2;
    kernels(&config).for_each(spawn_from_many_threads);
}

fn spawn_from_many_threads(host: Host) {
    let engine = host.engine();
    let sum = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (engine, sum) = (&engine, &sum);
            scope.spawn(move || {
                for i in 0..500 {
                    let task = engine.on_any_core(move |core| async move {
                        core.sleep(Duration::from_micros(i % 7)).await;
                        thread * 500 + i as usize
                    });
                    let task = task.expect("below the limit");
                    let value =
                        if i % 2 == 0 { task.wait() } else { block_on(task).expect("no core") };
                    sum.fetch_add(value.expect("a value"), Relaxed);
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), (0..4000).sum());
    drop(engine);
    host.finish();
}

#[test]
fn work_goes_from_core_to_core() {
    let mut config = config();
    config.cores = 3;
    for mut host in hosts(&config) {
        let hops = host.run(|core, _| async move {
            let mut seen = vec![core.index()];
            for next in [1, 2, 0, 1] {
                let task = core.engine().on_core(next, |core| async move {
                    core.sleep(Duration::from_micros(10)).await;
                    core.index()
                });
                seen.push(task.expect("room").await.expect("a result"));
            }
            seen
        });
        assert_eq!(hops, [0, 1, 2, 0, 1]);
        host.finish();
    }
}

#[test]
fn timers_end_in_their_order_and_limits_cut() {
    on_all(|core, _| async move {
        let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let tasks: Vec<_> = [300, 100, 200, 0]
            .map(|ms| {
                let (order, sleep) = (order.clone(), core.sleep(Duration::from_millis(ms)));
                let task = core.spawn(async move {
                    sleep.await;
                    order.borrow_mut().push(ms);
                });
                task.expect("room")
            })
            .into();
        for task in tasks {
            task.await.expect("it slept");
        }
        assert_eq!(*order.borrow(), [0, 100, 200, 300]);
        let began = core.now();
        let cut = core.timeout(Duration::from_millis(5), core.sleep(LIMIT)).await;
        assert_eq!(cut, Err(Elapsed));
        assert!(core.now() - began >= Duration::from_millis(5));
        assert_eq!(core.timeout(LIMIT, async { 3 }).await, Ok(3));
    });
}

#[test]
fn an_engine_lives_as_long_as_its_last_handle() {
    let engine = Engine::builder().cores(1).pool_bytes(8 << 20).start().expect("io_uring");
    let task = engine.on_core(0, |core| async move { core.sleep(LIMIT).await }).expect("spawned");
    drop(engine);
    assert!(matches!(task.wait(), Err(Error::Cancelled)));
}

#[test]
#[should_panic(expected = "hang")]
fn a_simulated_wait_for_nothing_is_found() {
    let world = World::new(1, SimConfig::calm());
    let mut simulation = Simulation::new(world, config()).expect("an arena");
    let task = simulation.engine().on_core(0, |_| std::future::pending::<()>()).expect("spawned");
    // The panic unwinds through the simulation, which may then hold what it likes.
    drop(simulation.run(task));
}

/// A core that looks out for messages in place of a sleep misses none, and stops.
#[test]
fn a_core_that_looks_out_hears_everything() {
    let mut config = config();
    config.core.spin_max = Duration::from_millis(20);
    for host in kernels(&config) {
        let engine = host.engine();
        let (begun, mut round) = (Instant::now(), 0);
        let paid = || engine.metrics().looks > engine.metrics().looks_in_vain;
        // On a loaded machine the next message may be there before the core would sleep, or late.
        while round < 500 || !paid() {
            let task = engine.on_core(0, move |_| async move { round }).expect("spawned");
            assert_eq!(task.wait().expect("it ran"), round);
            assert!(begun.elapsed() < LIMIT, "no look pays: {:?}", engine.metrics());
            round += 1;
        }
        host.finish();
    }
}

/// A wait ends at its time, and so does a timer, however long a core may look out.
#[test]
fn no_time_is_overstayed_for_a_look() {
    let mut config = config();
    config.core.spin_max = Duration::MAX;
    for mut host in kernels(&config) {
        let engine = host.engine();
        let sleeper = engine.on_core(0, |core| async move {
            core.sleep(Duration::from_millis(20)).await;
        });
        for _ in 0..100 {
            engine.on_core(0, |_| async {}).expect("spawned").wait().expect("it ran");
        }
        host.wait(sleeper.expect("spawned")).expect("the timer rang");
        let late = engine.on_core(0, |core| async move { core.sleep(LIMIT).await });
        let late = late.expect("spawned").wait_timeout(Duration::from_millis(1));
        assert!(late.is_err(), "the time was over first");
        host.finish();
    }
}

/// Whoever hands over may run where the one may not who started the engine.
#[test]
fn an_engine_started_on_one_cpu_looks_out() {
    if std::thread::available_parallelism().map_or(1, usize::from) == 1 {
        return not_tested("looking out, which takes a second CPU");
    }
    let mut config = config();
    config.core.spin_max = Duration::from_millis(20);
    let start = move || {
        pin_to_one_cpu();
        Engine::builder().configure(|it| *it = config).start().expect("started")
    };
    let engine = std::thread::spawn(start).join().expect("no panic");
    // On a loaded machine the next message may be there before the core would sleep.
    let begun = Instant::now();
    while engine.metrics().looks == 0 {
        engine.on_core(0, |_| async {}).expect("spawned").wait().expect("it ran");
        assert!(begun.elapsed() < LIMIT, "it never looks out");
    }
    engine.stop().expect("from outside");
}

/// The calling thread, to the first of the CPUs that it may use.
fn pin_to_one_cpu() {
    let first = *usable_cpus().first().expect("one at least");
    // SAFETY: a zeroed set is the empty one; the call is given a set of ours and its size, and the index
    // is one of the set's.
    unsafe {
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(first, &mut one);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&one), &one), 0);
    }
}

/// The CPUs that the calling thread may run on.
fn usable_cpus() -> Vec<usize> {
    // SAFETY: a zeroed set is the empty one; the call is given a set of ours and its size, and every index
    // is one of the set's.
    unsafe {
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of_val(&all), &mut all), 0);
        (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &all)).collect()
    }
}

#[test]
fn pinned_cores_take_the_cpus_in_turn() {
    let all = usable_cpus();
    for pins in [true, false] {
        let builder = Engine::builder().configure(|it| *it = config());
        let engine = builder.cores(all.len() + 1).pin_cores(pins).start().expect("started");
        for core in 0..=all.len() {
            let cpus = engine.on_core(core, |_| async { usable_cpus() }).expect("spawned");
            let expected = if pins { vec![all[core % all.len()]] } else { all.clone() };
            assert_eq!(cpus.wait().expect("it ran"), expected, "core {core}");
        }
        engine.stop().expect("from outside");
    }
}

#[test]
fn a_core_that_is_to_sleep_never_looks_out() {
    let mut config = config();
    config.core.spin_max = Duration::ZERO;
    for host in kernels(&config) {
        let engine = host.engine();
        for _ in 0..100 {
            engine.on_core(0, |_| async {}).expect("spawned").wait().expect("it ran");
        }
        assert_eq!(engine.metrics().looks, 0);
        host.finish();
    }
}
