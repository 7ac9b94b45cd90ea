//! Services: who asks gets the answer, whatever becomes of the others.

use std::sync::Arc;
use std::time::Duration;

use hydrant_engine::{Core, Engine, Error, File, Lease, OpenOptions, Service};

use crate::host::{LIMIT, config, fill, filled, hosts, kernels, on_all};

/// Answers after as many milliseconds as it is asked for.
fn sleeper(engine: &Engine, at_once: usize) -> Service<u64, u64> {
    let serve = |core: Core, millis| async move {
        core.sleep(Duration::from_millis(millis)).await;
        millis
    };
    Service::start(engine, 0, at_once, serve).expect("started")
}

#[test]
fn each_who_asks_gets_its_own_answer() {
    on_all(|core, _| async move {
        let service = sleeper(&core.engine(), 4);
        for round in 0..10 {
            let asked = [3, 1, 2, 0].map(|millis| service.ask(millis + round).expect("vacant"));
            match service.ask(99) {
                Err((Error::Busy { max: 4, .. }, question)) => assert_eq!(question, 99),
                other => panic!("{other:?}"),
            }
            for (answer, millis) in asked.into_iter().zip([3, 1, 2, 0]) {
                assert_eq!(answer.await.expect("answered"), millis + round);
            }
        }
    });
}

#[test]
fn a_service_that_works_at_nothing_is_refused() {
    for mut host in hosts(&config()) {
        let refused = Service::start(&host.engine(), 0, 0, |_, ()| async {});
        assert!(matches!(refused, Err(Error::InvalidInput(_))));
        host.run(|_, _| async {});
        host.finish();
    }
}

#[test]
fn an_answer_that_is_dropped_cancels_the_work() {
    on_all(|core, _| async move {
        let serve = |core: Core, held: Arc<()>| async move {
            let _lease = filled(&core, 4096, 1).await;
            core.sleep(LIMIT * 10).await;
            drop(held);
        };
        let service = Service::start(&core.engine(), 0, 1, serve).expect("started");
        let held = Arc::new(());
        for turns_before in 0..4 {
            let answer = service.ask(Arc::clone(&held)).expect("vacant again");
            for _ in 0..turns_before {
                core.sleep(Duration::from_millis(1)).await;
            }
            drop(answer);
            while Arc::strong_count(&held) > 1 {
                core.sleep(Duration::from_millis(1)).await;
            }
        }
    });
}

/// The closure and the future that it makes run caller's code.
#[test]
fn a_panic_is_an_answer_and_the_service_goes_on() {
    on_all(|core, _| async move {
        let serve = |core: Core, question: u32| {
            assert_ne!(question, 1, "a test's own panic");
            async move {
                core.sleep(Duration::from_millis(1)).await;
                assert_ne!(question, 2, "a test's own panic");
                question
            }
        };
        let service = Service::start(&core.engine(), 0, 1, serve).expect("started");
        for question in [1, 2, 1, 3, 2, 4] {
            let answer = service.ask(question).expect("vacant").await;
            match question {
                1 | 2 => assert!(matches!(answer, Err(Error::Panicked { .. })), "{answer:?}"),
                _ => assert_eq!(answer.expect("answered"), question),
            }
        }
    });
}

/// Panics when it is dropped, unless something panics already.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a test's own panic");
        }
    }
}

/// A question, a future or an answer that panics when it is dropped takes no seat with it.
#[test]
fn a_destructor_that_panics_leaves_the_seat() {
    on_all(|core, _| async move {
        let serve = |core: Core, question: Option<Grenade>| async move {
            core.sleep(Duration::from_millis(1)).await;
            question
        };
        let service = Service::start(&core.engine(), 0, 1, serve).expect("started");
        for millis in [0, 0, 5, 1, 2] {
            let asked = service.ask(Some(Grenade)).map_err(|(error, grenade)| {
                std::mem::forget(grenade);
                error
            });
            let asked = asked.expect("vacant again");
            core.sleep(Duration::from_millis(millis)).await;
            // Of who asked, where it lies in the seat; of the core, where that has it.
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(asked))));
            core.sleep(Duration::from_millis(5)).await;
        }
        let answer = service.ask(None).map_err(|(error, _)| error).expect("vacant");
        assert!(answer.await.expect("answered").is_none());
    });
}

#[test]
fn a_service_ends_with_its_last_handle() {
    on_all(|core, _| async move {
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let serve = move |core: Core, ()| {
            let inside = Arc::clone(&inside);
            async move {
                core.sleep(Duration::from_millis(1)).await;
                drop(inside);
            }
        };
        let service = Service::start(&core.engine(), 0, 3, serve).expect("started");
        let answer = service.clone().ask(()).expect("vacant");
        drop(service);
        answer.await.expect("whoever has asked still gets the answer");
        while Arc::strong_count(&held) > 1 {
            core.sleep(Duration::from_millis(1)).await;
        }
    });
}

/// Leases go there and back; those of reads that nobody waits for come back by themselves (OWN-1).
#[test]
fn memory_goes_to_the_core_and_back() {
    on_all(|core, place| async move {
        let options = OpenOptions::new().read().write().create();
        let file = File::open(&core, &place.path("file"), &options).await.expect("made");
        let lease = filled(&core, 64 << 10, 7).await;
        file.write_at(&core, lease, 0..64 << 10, 0).await.0.expect("written");
        let path = place.path("file");
        let serve = move |core: Core, (mut lease, at): (Lease, u64)| {
            let path = path.clone();
            async move {
                let file = File::open(&core, &path, &OpenOptions::new().read()).await?;
                lease.set_len(0);
                let (read, buf) = file.read_at(&core, lease, 0..4096, at).await;
                read.map(|len_bytes| (len_bytes, buf))
            }
        };
        let service = Service::start(&core.engine(), 0, 2, serve).expect("started");
        for at in 0..16 {
            let [kept, dropped] = [filled(&core, 4096, 1).await, filled(&core, 4096, 1).await];
            let asked = service.ask((kept, at * 4096)).map_err(|(error, _)| error);
            drop(service.ask((dropped, at * 4096)).map_err(|(error, _)| error));
            let read = asked.expect("vacant").await.expect("answered");
            let (len_bytes, mut buf) = read.expect("read");
            let mut wanted = vec![0; 64 << 10];
            fill(&mut wanted, 7);
            let at = at as usize * 4096;
            assert_eq!(len_bytes, 4096);
            assert!(crate::host::memory(&mut buf)[..4096] == wanted[at..at + 4096]);
        }
    });
}

#[test]
fn threads_wait_and_an_engine_that_stops_ends_the_wait() {
    for host in kernels(&config()) {
        let engine = host.engine();
        let service = sleeper(&engine, 2);
        let ask = |millis| service.ask(millis).map_err(|(error, _)| error);
        assert_eq!(ask(1).expect("vacant").wait().expect("answered"), 1);
        let late = ask(3_600_000).expect("vacant");
        let late = late.wait_timeout(Duration::from_millis(5)).expect_err("it is late");
        let theirs = service.clone();
        let on_a_core = engine.on_core(0, move |_| async move {
            theirs.ask(3_600_000).map_err(|(error, _)| error)?.wait()
        });
        let on_a_core = on_a_core.expect("spawned").wait().expect("no panic");
        assert!(matches!(on_a_core, Err(Error::WouldDeadlock)), "{on_a_core:?}");
        engine.stop().expect("from outside");
        assert!(matches!(late.wait(), Err(Error::Cancelled)));
        assert!(matches!(ask(1), Err(Error::Stopped)));
        host.finish();
    }
}

#[test]
fn many_threads_share_a_service() {
    for host in kernels(&config()) {
        let engine = host.engine();
        let double = |_, question: u64| async move { question * 2 };
        let service = Service::start(&engine, 0, 4, double).expect("started");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let service = service.clone();
                scope.spawn(move || {
                    for round in 0..1000 {
                        let question = thread << 32 | round;
                        let answer = service.ask(question).expect("one for each").wait();
                        assert_eq!(answer.expect("answered"), question * 2);
                    }
                });
            }
        });
        host.finish();
    }
}
