//! Cancels that win, lose and come late; buffers that are freed early.

use std::time::Duration;

use super::files::{open, write_op};
use super::sockets::{on_one_core, pair, received, recv_op, send_op};
use super::*;
use crate::op::Op;
use crate::pool::Buf;
use crate::ring::Wait;
use crate::ring::sim::{Faults, seeds};

const FILE: &str = "/file";

fn world_with_a_file(seed: u64, config: SimConfig) -> World {
    let world = World::new(seed, config);
    world.put_file(FILE, &[7; 8192]).expect("there is room");
    world
}

#[test]
fn a_cancel_and_its_target_race_in_either_order() {
    let (mut cancelled, mut done) = (0, 0);
    for seed in 0..100 {
        let world = world_with_a_file(seed, SimConfig::calm());
        let (machine, pool) = (Machine::new(&world, 0), pool());
        let work = async {
            let file = open(&machine, FILE, libc::O_RDONLY).await;
            let buf = Buf::Lease(lease(&pool, 4096));
            let reading = machine.op(Op::Read { file, buf, span: 0..4096, offset: 0 });
            reading.cancel();
            let read = reading.await;
            match (read.transferred, read.error) {
                (0, Some(libc::ECANCELED)) => cancelled += 1,
                (4096, None) => done += 1,
                other => panic!("seed {seed}: {other:?}"),
            }
        };
        run_alone(&world, &machine, work);
    }
    assert!(cancelled > 20 && done > 20, "{cancelled} cancelled, {done} done");
}

#[test]
fn a_cancel_that_is_ignored_leaves_a_late_write() {
    let faults = Faults { cancel_ignored: 1.0, late_max: Duration::from_secs(1), ..Faults::none() };
    let mut late = 0;
    for seed in 0..50 {
        let config = SimConfig { faults: faults.clone(), ..SimConfig::calm() };
        let world = world_with_a_file(seed, config);
        let (machine, pool) = (Machine::new(&world, 0), pool());
        let work = async {
            let file = open(&machine, FILE, libc::O_RDONLY).await;
            let buf = Buf::Lease(lease(&pool, 4096));
            let mut reading = machine.op(Op::Read { file, buf, span: 0..4096, offset: 0 });
            reading.cancel();
            machine.turn(Wait::No);
            world.advance(Duration::from_millis(1));
            // The cancel has been answered by now, and the read may be on its way all the same.
            machine.turn(Wait::No);
            late += u32::from(reading.try_take().is_none_or(|read| {
                assert_eq!((read.transferred, read.error), (4096, None));
                false
            }));
        };
        run_alone(&world, &machine, work);
        assert_eq!(pool.quarantine_release(), [], "the table kept the lease (OWN-1)");
    }
    assert!(late > 10, "{late} of 50 came late");
}

#[test]
fn a_buffer_that_is_freed_early_is_found() {
    let faults = Faults { cancel_ignored: 1.0, late_max: Duration::from_secs(1), ..Faults::none() };
    for free_early in [false, true] {
        let config = SimConfig { faults: faults.clone(), ..SimConfig::calm() };
        let world = world_with_a_file(3, config);
        let (machine, pool) = (Machine::new(&world, 0), pool());
        let work = async {
            let file = open(&machine, FILE, libc::O_RDONLY).await;
            if free_early {
                machine.free_early();
            }
            let buf = Buf::Lease(lease(&pool, 8192));
            drop(machine.op(Op::Read { file, buf, span: 0..8192, offset: 0 }));
        };
        run_alone(&world, &machine, work);
        assert_eq!(!pool.quarantine_release().is_empty(), free_early);
    }
}

#[test]
fn memory_is_written_with_the_completion_and_not_before() {
    let world = world_with_a_file(1, SimConfig::calm());
    let (machine, pool) = (Machine::new(&world, 0), pool());
    let work = async {
        let file = open(&machine, FILE, libc::O_RDONLY).await;
        let mut first = lease(&pool, 4096);
        first.as_mut_slice().fill(1);
        let place = first.as_mut_slice().as_mut_ptr();
        let peek = || {
            // SAFETY: OWN-1. The lease lives in the table, and nothing runs beside this test.
            unsafe { place.read_volatile() }
        };
        let reading =
            machine.op(Op::Read { file, buf: Buf::Lease(first), span: 0..4096, offset: 0 });
        machine.turn(Wait::No);
        assert_eq!(peek(), 1);
        world.advance(Duration::from_millis(1));
        assert_eq!(peek(), 7, "before anybody has looked at the completion");
        assert_eq!(reading.await.transferred, 4096);
    };
    run_alone(&world, &machine, work);
}

#[test]
fn a_cancelled_fill_reports_what_it_has() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        let filling = machine.op(recv_op(pool, &server, 100, true));
        assert_eq!(machine.op(send_op(pool, &client, &[5; 30], false)).await.transferred, 30);
        world.advance(Duration::from_secs(1));
        filling.cancel();
        let got = filling.await;
        assert_eq!(got.error, None);
        assert_eq!(received(got), [5; 30]);
        let nothing = machine.op(recv_op(pool, &server, 100, true));
        nothing.cancel();
        assert_eq!(nothing.await.error, Some(libc::ECANCELED));
    });
}

#[test]
fn an_ignored_cancel_of_a_receive_ends_by_data_or_late_by_itself() {
    let faults = Faults { cancel_ignored: 1.0, late_max: Duration::from_secs(1), ..Faults::none() };
    let (mut by_data, mut by_itself) = (0, 0);
    for seed in 0..40 {
        let world = World::new(seed, SimConfig { faults: faults.clone(), ..SimConfig::calm() });
        let (machine, pool) = (Machine::new(&world, 0), pool());
        let work = async {
            let (client, server) = pair(&world, &machine).await;
            let waiting = machine.op(recv_op(&pool, &server, 100, false));
            waiting.cancel();
            machine.turn(Wait::No);
            world.advance(Duration::from_millis(500));
            let sent = machine.op(send_op(&pool, &client, &[5; 30], false)).await;
            assert_eq!(sent.transferred, 30);
            let got = waiting.await;
            match (got.transferred, got.error) {
                (30, None) => by_data += 1,
                (0, Some(libc::ECANCELED)) => by_itself += 1,
                other => panic!("seed {seed}: {other:?}"),
            }
        };
        run_alone(&world, &machine, work);
    }
    assert!(by_data > 5 && by_itself > 5, "{by_data} by data, {by_itself} by itself");
}

#[test]
fn dropping_anything_at_any_time_frees_nothing_early() {
    seeds(150, |seed| {
        let world = world_with_a_file(seed, weather(seed));
        let (machine, pool) = (Machine::new(&world, 0), pool());
        let work = async {
            let file = open(&machine, FILE, libc::O_RDWR).await;
            let (client, server) = pair(&world, &machine).await;
            for _ in 0..20 {
                let op = match world.random_u64() % 5 {
                    0 => write_op(&pool, &file, &[8; 6000], world.random_u64() % 5000),
                    1 => recv_op(&pool, &server, 1000, true),
                    2 => send_op(&pool, &client, &[5; 3000], true),
                    3 => send_op(&pool, &client, &[6; 3000], false),
                    _ => {
                        let buf = Buf::Lease(lease(&pool, 8192));
                        Op::Read { file: file.clone(), buf, span: 0..8192, offset: 100 }
                    }
                };
                let waiting = machine.op(op);
                machine.turn(Wait::No);
                world.advance(Duration::from_micros(world.random_u64() % 300));
                machine.turn(Wait::No);
                drop(waiting);
            }
            machine.stop();
        };
        run_alone(&world, &machine, work);
        assert_eq!(pool.quarantine_release(), [], "OWN-1");
        assert_eq!((world.operations_in_flight(), world.open_descriptors()), (0, 0));
    });
}
