//! Connections.

use std::net::SocketAddr;

use super::*;
use crate::op::{Descriptor, Handle, Op, Outcome};
use crate::pool::{Buf, Pool};
use crate::ring::sim::{Faults, SimDescriptor, seeds};
use crate::ring::socket_address;

pub(super) fn address() -> SocketAddr {
    "127.0.0.1:80".parse().expect("an address")
}

pub(super) fn send_op(pool: &Pool, socket: &Handle, data: &[u8], zero_copy: bool) -> Op {
    let mut lease = lease(pool, data.len().max(1));
    lease.as_mut_slice()[..data.len()].copy_from_slice(data);
    let (socket, buf, span) = (socket.clone(), Buf::Lease(lease), 0..data.len());
    match zero_copy {
        true => Op::SendZc { socket, buf, span },
        false => Op::Send { socket, buf, span, more: false },
    }
}

pub(super) fn recv_op(pool: &Pool, socket: &Handle, len: usize, fill: bool) -> Op {
    let lease = lease(pool, len.max(1));
    Op::Recv { socket: socket.clone(), buf: Buf::Lease(lease), span: 0..len, fill }
}

pub(super) fn received(outcome: Outcome) -> Vec<u8> {
    let count = outcome.transferred;
    let mut buf = outcome.op.into_buf().expect("a receive has a buffer");
    buf.as_mut_slice().expect("a lease")[..count].to_vec()
}

pub(super) async fn connect(machine: &Machine, to: SocketAddr) -> Result<Handle, i32> {
    let made = machine.op(Op::Socket { ipv6: to.is_ipv6() }).await;
    let socket = made.handle.ok_or(made.error.unwrap_or(0))?;
    let address = Box::new(socket_address(to));
    let outcome = machine.op(Op::Connect { socket: socket.clone(), address }).await;
    outcome.error.map_or(Ok(socket), Err)
}

/// Two connected sockets on one core, against all odds.
pub(super) async fn pair(world: &World, machine: &Machine) -> (Handle, Handle) {
    let listener = world.listen(address()).expect("nobody listens there");
    let client = loop {
        match connect(machine, address()).await {
            Ok(client) => break client,
            Err(errno) => assert_eq!(errno, libc::ECONNREFUSED),
        }
    };
    let accepted = machine.op(Op::Accept { listener: listener.clone() }).await;
    (client, accepted.handle.expect("a connection waits"))
}

pub(super) fn sim(handle: &Handle) -> &SimDescriptor {
    let Descriptor::Sim(descriptor) = handle.descriptor() else { panic!("a simulated handle") };
    descriptor
}

/// Runs a test on one core and looks for leaks.
pub(super) fn on_one_core(world: &World, test: impl AsyncFn(&Machine, &Pool)) {
    let (machine, pool) = (Machine::new(world, 0), pool());
    run_alone(world, &machine, test(&machine, &pool));
    assert_eq!(pool.quarantine_release(), [], "OWN-1");
    assert_eq!((world.operations_in_flight(), world.open_descriptors()), (0, 0));
}

/// Sends back what it receives, until the peer closes or the connection breaks.
async fn echo(machine: &Machine, pool: &Pool, listener: Handle) {
    let socket = loop {
        if let Some(socket) = machine.op(Op::Accept { listener: listener.clone() }).await.handle {
            break socket;
        }
    };
    drop(listener);
    loop {
        let got = machine.op(recv_op(pool, &socket, 7000, false)).await;
        let (broken, data) = (got.error.is_some(), received(got));
        if broken || data.is_empty() {
            return;
        }
        let sent = machine.op(send_op(pool, &socket, &data, data.len().is_multiple_of(2))).await;
        if sent.error.is_some() {
            return;
        }
    }
}

/// Sends `data` and receives it again; says how much came.
async fn send_and_compare(machine: &Machine, pool: &Pool, data: &[u8]) -> usize {
    let socket = loop {
        match connect(machine, address()).await {
            Ok(socket) => break socket,
            Err(errno) => assert_eq!(errno, libc::ECONNREFUSED),
        }
    };
    let sending = machine.op(send_op(pool, &socket, data, data.len().is_multiple_of(2)));
    let mut got = Vec::new();
    while got.len() < data.len() {
        let want = (data.len() - got.len()).min(5000);
        let part = machine.op(recv_op(pool, &socket, want, got.len().is_multiple_of(2))).await;
        let (error, part) = (part.error, received(part));
        let closed = part.is_empty();
        got.extend(part);
        if error.is_some() || closed {
            assert!(matches!(error, None | Some(libc::ECONNRESET)), "errno {error:?}");
            break;
        }
    }
    assert!(data.starts_with(&got), "bytes are never changed, lost or reordered");
    if got.len() == data.len() {
        let sent = sending.await;
        assert_eq!((sent.transferred, sent.error), (data.len(), None));
    }
    got.len()
}

#[test]
fn an_echo_between_two_cores_is_whole_or_fails() {
    let counts = std::cell::Cell::new((0, 0));
    seeds(200, |seed| {
        let config = SimConfig { socket_buffer_bytes: 10_000, ..weather(seed) };
        let world = World::new(seed, config);
        let (server, client, pool) = (Machine::new(&world, 0), Machine::new(&world, 1), pool());
        let listener = world.listen(address()).expect("nobody listens there");
        let data: Vec<u8> = (0..40_000 + seed).map(|i| (i * 7 / 5) as u8).collect();
        let compare = async {
            let got = send_and_compare(&client, &pool, &data).await;
            let (whole, failed) = counts.get();
            let is_whole = got == data.len();
            assert!(is_whole || seed % 3 == 2, "only a storm breaks connections");
            counts.set(if is_whole { (whole + 1, failed) } else { (whole, failed + 1) });
        };
        let work: Vec<machine::Work<'_>> =
            vec![Box::pin(echo(&server, &pool, listener)), Box::pin(compare)];
        run(&world, &[server.clone(), client.clone()], work);
        assert_eq!(pool.quarantine_release(), [], "OWN-1");
        assert_eq!((world.operations_in_flight(), world.open_descriptors()), (0, 0));
    });
    let (whole, failed) = counts.get();
    let few =
        ["HYDRANT_SEED", "HYDRANT_SEEDS"].into_iter().any(|it| std::env::var_os(it).is_some());
    assert!(few || whole > 50 && failed > 5);
}

#[test]
fn nobody_listening_refuses() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, _| {
        assert_eq!(connect(machine, address()).await.err(), Some(libc::ECONNREFUSED));
        let listener = world.listen(address()).expect("nobody listens there");
        assert_eq!(world.listen(address()).err(), Some(libc::EADDRINUSE));
        let client = connect(machine, address()).await.expect("somebody listens");
        drop(listener);
        let got = machine.op(recv_op(&pool(), &client, 1, false)).await;
        assert_eq!(got.error, Some(libc::ECONNRESET), "it was never accepted");
        assert_eq!(connect(machine, address()).await.err(), Some(libc::ECONNREFUSED));
    });
}

#[test]
fn port_0_takes_a_free_port() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, _| {
        let any = "[::1]:0".parse().expect("an address");
        let listener = world.listen(any).expect("a free port");
        let to = sim(&listener).local_address().expect("a listener has an address");
        assert_ne!(to.port(), 0);
        let other = world.listen(any).expect("another free port");
        assert_ne!(sim(&other).local_address(), Some(to));
        assert!(connect(machine, to).await.is_ok());
        assert_eq!(connect(machine, address()).await.err(), Some(libc::ECONNREFUSED));
    });
}

#[test]
fn a_full_backlog_makes_connects_wait() {
    let world = World::new(1, SimConfig { accept_backlog: 1, ..SimConfig::calm() });
    on_one_core(&world, async |machine, _| {
        let listener = world.listen(address()).expect("nobody listens there");
        let _first = connect(machine, address()).await.expect("there is room");
        let made = machine.op(Op::Socket { ipv6: false }).await.handle.expect("a socket");
        let to = Box::new(socket_address(address()));
        let mut second = machine.op(Op::Connect { socket: made, address: to });
        machine.turn(crate::ring::Wait::No);
        world.advance(std::time::Duration::from_secs(1));
        machine.turn(crate::ring::Wait::No);
        assert!(second.try_take().is_none(), "the backlog is full");
        let _accepted = machine.op(Op::Accept { listener: listener.clone() }).await;
        assert_eq!(second.await.error, None);
    });
}

#[test]
fn a_send_waits_for_room_and_a_fill_for_the_end() {
    let world = World::new(1, SimConfig { socket_buffer_bytes: 100, ..SimConfig::calm() });
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        let mut sending = machine.op(send_op(pool, &client, &[1; 250], false));
        machine.turn(crate::ring::Wait::No);
        world.advance(std::time::Duration::from_secs(1));
        machine.turn(crate::ring::Wait::No);
        assert!(sending.try_take().is_none(), "100 bytes fit");
        let filling = machine.op(recv_op(pool, &server, 300, true));
        assert_eq!(sending.await.transferred, 250);
        drop(client);
        assert_eq!(received(filling.await), [1; 250], "the close ends it short");
        let end = machine.op(recv_op(pool, &server, 10, false)).await;
        assert_eq!((end.transferred, end.error), (0, None));
    });
}

#[test]
fn closing_with_unread_bytes_resets() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        assert_eq!(machine.op(send_op(pool, &client, &[1; 10], false)).await.transferred, 10);
        drop(server);
        let got = machine.op(recv_op(pool, &client, 10, false)).await;
        assert_eq!(got.error, Some(libc::ECONNRESET));
        let sent = machine.op(send_op(pool, &client, &[1; 10], false)).await;
        assert_eq!(sent.error, Some(libc::EPIPE), "an error is reported once");
    });
}

#[test]
fn a_send_to_a_closed_peer_is_taken_and_then_reset() {
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        drop(server);
        for want in [None, Some(libc::ECONNRESET), Some(libc::EPIPE)] {
            let sent = machine.op(send_op(pool, &client, &[1; 10], false)).await;
            assert_eq!(sent.error, want);
        }
    });
}

#[test]
fn a_reset_in_the_middle_reaches_both_sides() {
    let faults = Faults { reset: 1.0, ..Faults::none() };
    let world = World::new(1, SimConfig::calm());
    on_one_core(&world, async |machine, pool| {
        let (client, server) = pair(&world, machine).await;
        let waiting = machine.op(recv_op(pool, &server, 10, false));
        machine.turn(crate::ring::Wait::No);
        world.advance(std::time::Duration::from_secs(1));
        world.set_faults(faults.clone());
        let sent = machine.op(send_op(pool, &client, &[1; 10], false)).await;
        assert_eq!(sent.error, Some(libc::ECONNRESET));
        assert_eq!(waiting.await.error, Some(libc::ECONNRESET));
    });
}
