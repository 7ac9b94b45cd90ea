//! A core that the caller's own loop drives: one descriptor to wait for, turns in between, blocking
//! calls that drive it, and no thread of the engine's.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use hydrant_engine::testing::not_tested;
use hydrant_engine::{Driven, Engine, Error, File, OpenOptions, Pace, RecvMode, Task, block_on};

use crate::host::{LIMIT, Place, assert_all_back, check, config, filled, join, lease, memory};

/// Runs a test with a driven engine of each driver, and stops it.
fn on_each(test: impl Fn(&mut Driven)) {
    for driver in crate::host::drivers() {
        let builder = Engine::builder().configure(|it| *it = config()).driver(*driver);
        let mut driven = builder.start_here().expect("started");
        test(&mut driven);
        let pool = driven.engine().pool().clone();
        driven.stop().expect("stopped");
        assert_all_back(&pool);
    }
}

/// As an embedder's loop does it: wait for the descriptor alone, never inside a turn.
fn loop_until<T>(driven: &mut Driven, task: &Task<T>) -> usize {
    let deadline = Instant::now() + LIMIT;
    let mut waits = 0;
    while !task.is_finished() {
        assert!(Instant::now() < deadline, "a hang");
        let pace = driven.run_once(Some(Duration::ZERO)).expect("a turn");
        if pace == Pace::Wait && !task.is_finished() {
            waits += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            let mut poll =
                libc::pollfd { fd: driven.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one entry, which is ours.
            let ready = unsafe { libc::poll(&raw mut poll, 1, left.as_millis() as i32) };
            assert!(ready == 1, "the descriptor wakes the loop: {ready}");
        }
    }
    waits
}

#[test]
fn files_sockets_and_timers_by_one_descriptor() {
    on_each(|driven| {
        let dir = tempfile::tempdir().expect("a directory");
        let place = Place { dir: dir.path().into(), world: None };
        let task = driven.engine().on_core(0, move |core| async move {
            let options = OpenOptions::new().read().write().create().direct(true);
            let file = File::open(&core, &place.path("file"), &options).await.expect("made");
            let data = filled(&core, 1 << 20, 1).await;
            file.write_at(&core, data, 0..1 << 20, 0).await.0.expect("written");
            let room = lease(&core, 1 << 20).await;
            let (read, mut room) = file.read_at(&core, room, 0..1 << 20, 0).await;
            assert_eq!(read.expect("read"), 1 << 20);
            check(&memory(&mut room)[..1 << 20], 1);
            let (near, far) = place.pair(&core).await;
            let (data, room) = (filled(&core, 1 << 20, 2).await, lease(&core, 1 << 20).await);
            let (sent, received) = join(
                near.send(data, 0..1 << 20, false, LIMIT),
                far.recv(room, 0..1 << 20, RecvMode::Fill, LIMIT),
            )
            .await;
            assert_eq!((sent.0.expect("sent"), received.0.expect("received")), (1 << 20, 1 << 20));
            let began = core.now();
            core.sleep(Duration::from_millis(30)).await;
            assert!(core.now() - began >= Duration::from_millis(30));
        });
        let task = task.expect("spawned");
        assert!(loop_until(driven, &task) > 0, "it waited for the descriptor");
        task.wait().expect("the body");
    });
}

#[test]
fn work_comes_from_other_threads() {
    on_each(|driven| {
        let engine = driven.engine().clone();
        let thread = std::thread::spawn(move || {
            (0..200u64)
                .map(|i| {
                    if i % 50 == 0 {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    let task = engine.on_core(0, move |core| async move {
                        core.sleep(Duration::from_micros(i % 7)).await;
                        i
                    });
                    task.expect("below the limit").wait().expect("a value")
                })
                .sum::<u64>()
        });
        let engine = driven.engine().clone();
        let last = engine.on_core(0, move |core| async move {
            core.blocking(move || thread.join().expect("no panic")).await.expect("joined")
        });
        let last = last.expect("spawned");
        loop_until(driven, &last);
        assert_eq!(last.wait().expect("a value"), (0..200).sum());
    });
}

#[test]
fn blocking_calls_drive_the_core() {
    on_each(|driven| {
        let slept = |ms| {
            let sleep = move |core: hydrant_engine::Core| async move {
                core.sleep(Duration::from_millis(ms)).await;
                ms
            };
            driven.engine().on_core(0, sleep).expect("spawned")
        };
        assert_eq!(slept(3).wait().expect("a value"), 3);
        assert_eq!(block_on(slept(2)).expect("driven").expect("a value"), 2);
        let endless = slept(3_600_000);
        let endless = endless.wait_timeout(Duration::from_millis(20)).expect_err("it goes on");
        drop(endless);
        // What another thread answers ends the wait as well.
        let engine = driven.engine().clone();
        let answered = engine.on_core(0, |core| async move {
            core.blocking(|| std::thread::sleep(Duration::from_millis(5))).await
        });
        answered.expect("spawned").wait().expect("ran").expect("slept");
    });
}

#[test]
fn inside_a_task_nothing_drives() {
    on_each(|driven| {
        let task = driven.engine().on_core(0, |core| async move {
            let never = core.engine().on_core(0, |core| async move { core.sleep(LIMIT).await });
            assert!(matches!(never.expect("spawned").wait(), Err(Error::WouldDeadlock)));
            assert!(matches!(Engine::builder().start_here(), Err(Error::InvalidInput(_))));
        });
        task.expect("spawned").wait().expect("the body");
    });
}

#[test]
fn a_thread_drives_one_engine_at_a_time() {
    on_each(|driven| {
        let second = Engine::builder().pool_bytes(8 << 20).start_here();
        assert!(matches!(second, Err(Error::InvalidInput(_))), "{second:?}");
        assert!(matches!(driven.engine().on_core(0, |_| async { 1 }).expect("room").wait(), Ok(1)));
    });
    let mut after = Engine::builder().pool_bytes(8 << 20).start_here().expect("the place is free");
    after.run_once(Some(Duration::ZERO)).expect("a turn");
}

/// Linux keeps the numbers of 16 rings for a thread, and each ring as long as its number is kept.
#[test]
fn a_thread_drives_more_engines_than_it_may_have_rings() {
    const NUMBERED: &str = "registered ring descriptor";
    let has_number = || {
        let builder = Engine::builder().configure(|it| *it = config());
        let driven = builder.start_here().expect("started");
        let granted = driven.engine().capabilities().has(NUMBERED);
        driven.stop().expect("stopped");
        granted
    };
    if !has_number() {
        return not_tested("the numbers of rings, of which this thread gets none");
    }
    for number in 1..20 {
        assert!(has_number(), "engine {number}");
    }
}

/// `Engine::stop` from elsewhere only asks; the turns that the descriptor calls for end the core.
#[test]
fn a_stop_from_another_thread_ends_it_in_the_turns_of_the_loop() {
    on_each(|driven| {
        let task = driven.engine().on_core(0, |core| async move { core.sleep(LIMIT).await });
        let task = task.expect("spawned");
        let engine = driven.engine().clone();
        let asking = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            engine.stop()
        });
        let began = Instant::now();
        loop_until(driven, &task);
        assert!(matches!(task.wait(), Err(Error::Cancelled)));
        while driven.run_once(Some(Duration::from_millis(100))).is_ok() {}
        assert!(matches!(driven.run_once(None), Err(Error::Stopped)));
        assert!(began.elapsed() < LIMIT / 2, "it does not wait for a limit to pass");
        asking.join().expect("no panic").expect("asked");
    });
}

#[test]
fn a_wait_goes_on_when_its_future_starts_what_the_thread_drives() {
    for driver in crate::host::drivers() {
        let answer = block_on(async {
            let builder = Engine::builder().configure(|it| *it = config()).driver(*driver);
            let driven = builder.start_here().expect("started");
            let task = driven.engine().on_core(0, |core| async move {
                core.sleep(Duration::from_millis(2)).await;
                core.blocking(|| std::thread::sleep(Duration::from_millis(2))).await
            });
            task.expect("spawned").await
        });
        answer.expect("driven").expect("ran").expect("slept");
    }
}

#[test]
fn a_forked_child_does_not_drive_it() {
    on_each(|driven| {
        // SAFETY: the child calls only what a child may: the engine, which answers without a lock,
        // and `_exit`.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "{}", std::io::Error::last_os_error());
        if child == 0 {
            let right = matches!(driven.run_once(Some(Duration::ZERO)), Err(Error::Forked));
            // SAFETY: ends the child without running anything of the test harness.
            unsafe { libc::_exit(if right { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above; the status is ours.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
        assert!(matches!(driven.engine().on_core(0, |_| async { 1 }).expect("room").wait(), Ok(1)));
    });
}

#[test]
fn dropping_it_stops_it_with_everything_in_flight() {
    for driver in crate::host::drivers() {
        let builder = Engine::builder().configure(|it| *it = config()).driver(*driver);
        let mut driven = builder.start_here().expect("started");
        let pool = driven.engine().pool().clone();
        let place = Place { dir: "/".into(), world: None };
        let task = driven.engine().on_core(0, move |core| async move {
            let (near, far) = place.pair(&core).await;
            let room = lease(&core, 1 << 20).await;
            drop(far.recv(room, 0..1 << 20, RecvMode::Fill, LIMIT).await);
            drop(near);
        });
        let task = task.expect("spawned");
        for _ in 0..20 {
            driven.run_once(Some(Duration::from_millis(1))).expect("a turn");
        }
        let engine = driven.engine().clone();
        drop(driven);
        assert!(matches!(task.wait(), Err(Error::Cancelled)));
        assert!(matches!(engine.on_core(0, |_| async {}), Err(Error::Stopped)));
        drop(engine);
        assert_all_back(&pool);
    }
}
