//! The clock, the order of completions, and replaying.

use std::time::Duration;

use super::files::{open, write_op};
use super::sockets::{pair, recv_op, send_op};
use super::*;
use crate::op::{Completion, Op};
use crate::ring::sim::seeds;
use crate::ring::{Driver, Wait};

/// A run with something of everything.
fn trace_of(seed: u64) -> (u64, Duration) {
    let world = World::new(seed, SimConfig::choppy());
    let (machine, pool) = (Machine::new(&world, 0), pool());
    let work = async {
        let file = open(&machine, "/file", libc::O_RDWR | libc::O_CREAT).await;
        let writing = machine.op(write_op(&pool, &file, &[1; 50_000], 0));
        let (client, server) = pair(&world, &machine).await;
        let sending = machine.op(send_op(&pool, &client, &[2; 3000], true));
        let got = machine.op(recv_op(&pool, &server, 3000, true)).await;
        assert_eq!(got.transferred, 3000);
        assert_eq!(sending.await.transferred, 3000);
        assert_eq!(writing.await.transferred, 50_000);
    };
    run_alone(&world, &machine, work);
    (world.trace(), world.now())
}

#[test]
fn a_seed_is_a_run() {
    let runs: Vec<_> = (0..30).map(trace_of).collect();
    for (seed, run) in runs.iter().enumerate() {
        assert_eq!(trace_of(seed as u64), *run, "seed {seed} replays");
        assert!(!runs[..seed].contains(run), "seed {seed} is a run of its own");
    }
}

#[test]
fn a_sleep_ends_with_the_limit_or_the_completion() {
    let world = World::new(1, SimConfig::calm());
    let machine = Machine::new(&world, 0);
    machine.turn(Wait::UntilCompletion(None));
    assert_eq!(world.now(), Duration::ZERO, "without an event there is nothing to sleep for");
    machine.turn(Wait::UntilCompletion(Some(Duration::from_millis(5))));
    assert_eq!(world.now(), Duration::from_millis(5));
    machine.turn(Wait::No);
    assert_eq!(world.now(), Duration::from_millis(5), "only a sleep moves the clock");
    let mut made = machine.op(Op::Socket { ipv6: false });
    assert_eq!(machine.turn(Wait::UntilCompletion(Some(Duration::from_secs(9)))), 1);
    assert!(world.now() < Duration::from_millis(6) && made.try_take().is_some());
    assert_eq!(world.next_event(), None);
}

#[test]
fn one_cores_sleep_carries_out_the_other_cores_operations() {
    let world = World::new(1, SimConfig::calm());
    let (one, other) = (Machine::new(&world, 0), Machine::new(&world, 1));
    let mut made = other.op(Op::Socket { ipv6: false });
    other.turn(Wait::No);
    one.turn(Wait::UntilCompletion(Some(Duration::from_secs(1))));
    assert_eq!(world.operations_in_flight(), 0);
    assert_eq!((other.turn(Wait::No), made.try_take().is_some()), (1, true));
}

#[test]
fn a_full_completion_queue_loses_nothing() {
    seeds(20, |seed| {
        let world = World::new(seed, SimConfig::choppy());
        let machine = Machine::with_completion_entries(&world, 0, 2);
        let ops: Vec<_> = (0..50).map(|_| machine.op(Op::Socket { ipv6: false })).collect();
        machine.turn(Wait::No);
        world.advance(Duration::from_secs(1));
        assert_eq!(machine.turn(Wait::No), 2);
        assert_eq!(machine.counts().overflows, 1);
        let work = async {
            for op in ops {
                assert!(op.await.handle.is_some());
            }
        };
        run_alone(&world, &machine, work);
        assert!(machine.counts().overflows > 10);
    });
}

#[test]
fn completions_come_in_another_order_only_where_asked() {
    for (config, want) in [(SimConfig::calm(), false), (SimConfig::choppy(), true)] {
        let world = World::new(5, config);
        let mut driver = world.driver(0);
        let mut ops: Vec<_> = (0..30).map(|_| Op::Socket { ipv6: false }).collect();
        for (name, op) in ops.iter_mut().enumerate() {
            let span = crate::op::Span { start: 0, len: 0 };
            driver.submit(crate::op::UserData(name as u64), op, span);
        }
        driver.enter(Wait::No).expect("the ring does not break");
        world.advance(Duration::from_secs(1));
        let mut into: Vec<Completion> = Vec::with_capacity(64);
        driver.completions(&mut into);
        // Descriptors are counted up as operations are carried out.
        let in_order = into.is_sorted_by_key(|completion| completion.result);
        assert_eq!((into.len(), !in_order), (30, want));
        into.into_iter().for_each(|completion| drop(driver.adopt(completion.result, 0)));
        assert_eq!(world.open_descriptors(), 0);
    }
}

#[test]
fn a_dropped_driver_ends_nothing() {
    let world = World::new(1, SimConfig::calm());
    world.put_file("/file", &[7; 100]).expect("there is room");
    let file = {
        let machine = Machine::new(&world, 0);
        let mut file = None;
        let work = async { file = Some(open(&machine, "/file", libc::O_RDONLY).await) };
        run_alone(&world, &machine, work);
        file.expect("opened")
    };
    let pool = pool();
    let buf = crate::pool::Buf::Lease(lease(&pool, 100));
    // The op outlives its driver, as one in a leaked table does.
    let mut op = Op::Read { file, buf, span: 0..100, offset: 0 };
    let mut driver = world.driver(1);
    let span = crate::op::Span { start: 0, len: 100 };
    driver.submit(crate::op::UserData(1), &mut op, span);
    drop(driver);
    world.advance(Duration::from_secs(1));
    let mut buf = op.into_buf().expect("a read has a buffer");
    assert_eq!(buf.as_mut_slice().expect("a lease")[..100], [7; 100], "OWN-2");
}

#[test]
#[should_panic(expected = "seed 3")]
fn the_seed_that_fails_is_named() {
    seeds(10, |seed| assert_ne!(seed, 3, "fails"));
}
