//! Zero-copy sends: two completions, and memory that is lent until the second.

use std::time::Duration;

use super::sockets::{on_one_core, pair, received, recv_op, send_op, sim};
use super::*;
use crate::op::Op;
use crate::pool::{Buf, RegionOwner};
use crate::ring::Wait;
use crate::ring::sim::{Faults, seeds};

/// Lets everything happen that will happen by itself.
fn rest(world: &World, machine: &Machine) {
    machine.turn(Wait::No);
    while let Some(next) = world.next_event() {
        world.advance(next - world.now());
        machine.turn(Wait::No);
    }
    machine.turn(Wait::No);
}

#[test]
fn the_memory_is_lent_until_the_peer_has_received() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        let mut sending = machine.op(send_op(pool, &client, &[1; 1000], true));
        rest(&world, machine);
        assert!(sending.try_take().is_none(), "the peer has received nothing");
        assert_eq!(received(machine.op(recv_op(pool, &server, 999, true)).await), [1; 999]);
        rest(&world, machine);
        assert!(sending.try_take().is_none(), "one byte is left");
        assert_eq!(received(machine.op(recv_op(pool, &server, 10, false)).await), [1; 1]);
        let sent = sending.await;
        assert_eq!((sent.transferred, sent.error, sent.copied), (1000, None, false));
    });
}

#[test]
fn a_cancel_leaves_the_memory_lent_and_a_reset_frees_it() {
    for by_reset in [false, true] {
        let world = World::new(1, SimConfig::calm());
        on_one_core(&world, async |machine, pool| {
            let (client, server) = pair(&world, machine).await;
            let mut sending = machine.op(send_op(pool, &client, &[1; 1000], true));
            rest(&world, machine);
            // NET-1: only the peer or a reset brings the notification.
            sending.cancel();
            rest(&world, machine);
            assert!(sending.try_take().is_none());
            match by_reset {
                true => sim(&client).reset(),
                false => drop(server),
            }
            assert_eq!(sending.await.transferred, 1000, "the result had been a success");
        });
    }
}

#[test]
fn a_detached_send_keeps_its_lease_until_the_notification() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        drop(machine.op(send_op(pool, &client, &[1; 1000], true)));
        // The cancel may win before anything was sent, so another one follows that cannot lose.
        let sending = machine.op(send_op(pool, &client, &[2; 1000], true));
        rest(&world, machine);
        drop(sending);
        rest(&world, machine);
        assert_eq!(world.operations_in_flight(), 1, "OWN-1");
        assert_eq!(pool.quarantine_check(), []);
        drop((client, server));
        rest(&world, machine);
        assert_eq!(world.operations_in_flight(), 0);
    });
}

#[test]
fn the_bytes_are_read_when_they_are_received() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        let (owner, region) = RegionOwner::new(vec![1u8; 100]);
        let send = Op::SendZc { socket: client, buf: Buf::Region(region), span: 0..100 };
        let sending = machine.op(send);
        rest(&world, machine);
        let got = machine.op(recv_op(pool, &server, 100, true)).await;
        assert_eq!(received(got), [1; 100]);
        drop(sending.await);
        assert!(owner.try_into_inner().is_ok(), "nothing is lent any more");
    });
}

#[test]
fn the_notification_says_whether_the_kernel_copied() {
    let faults = Faults { copied: 1.0, ..Faults::none() };
    let world = World::new(1, SimConfig { faults, ..SimConfig::calm() });
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        let sending = machine.op(send_op(pool, &client, &[1; 100], true));
        let got = machine.op(recv_op(pool, &server, 100, true)).await;
        assert_eq!(received(got), [1; 100]);
        assert!(sending.await.copied);
    });
}

#[test]
fn a_failed_send_ends_with_or_without_a_notification() {
    for notify_after_error in [0.0, 1.0] {
        let world = World::new(1, SimConfig::calm());
        on_one_core(&world, async |machine, pool| {
            let (client, _server) = pair(&world, machine).await;
            let faults = Faults { reset: 1.0, notify_after_error, ..Faults::none() };
            world.set_faults(faults);
            let sent = machine.op(send_op(pool, &client, &[1; 100], true)).await;
            assert_eq!((sent.transferred, sent.error), (0, Some(libc::ECONNRESET)));
        });
    }
}

#[test]
fn a_kernel_without_zero_copy_refuses() {
    let world = World::new(1, SimConfig { zero_copy_sends: false, ..SimConfig::calm() });
    on_one_core(&world, async |machine, pool| {
        let (client, _server) = pair(&world, machine).await;
        let sent = machine.op(send_op(pool, &client, &[1; 100], true)).await;
        assert_eq!(sent.error, Some(libc::EINVAL));
    });
}

#[test]
fn in_any_weather_every_send_is_notified_once_its_connection_ends() {
    seeds(100, |seed| {
        let config = SimConfig { socket_buffer_bytes: 1000, ..weather(seed) };
        let world = World::new(seed, config);
        on_one_core(&world, async |machine, pool| {
            let (client, server) = pair(&world, machine).await;
            let sends: Vec<_> =
                (0..5).map(|_| machine.op(send_op(pool, &client, &[1; 700], true))).collect();
            machine.turn(Wait::No);
            world.advance(Duration::from_micros(world.random_u64() % 2000));
            if world.random_u64().is_multiple_of(2) {
                sim(&client).reset();
            }
            drop((client, server));
            for (at, send) in sends.into_iter().enumerate() {
                send.cancel();
                // The others are detached.
                if at.is_multiple_of(2) {
                    drop(send.await);
                }
            }
        });
    });
}
