//! Sockets: bytes arrive as they were sent, and an abandoned connection gives its memory back.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hydrant_engine::{
    Error, RecvMode, RegionOwner, SendList, TcpListener, TcpStream, ZeroCopyChoice,
};

use crate::host::{
    Host, LIMIT, check, config, drop_after, filled, hosts, join, kernels, lease, memory, on_all,
};

const SIZES: [usize; 9] = [1, 2, 511, 4097, 16_383, 16_384, 65_537, 1 << 20, (4 << 20) + 1];

#[test]
fn what_is_sent_is_received_and_comes_back() {
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        for size in SIZES {
            let data = filled(&core, size, 5).await;
            let room = lease(&core, size).await;
            let (sent, (received, mut echo)) = join(
                near.send(data, 0..size, size.is_multiple_of(2), LIMIT),
                far.recv(room, 0..size, RecvMode::Fill, LIMIT),
            )
            .await;
            assert_eq!(received.expect("received"), size);
            check(&memory(&mut echo)[..size], 5);
            let (sent, room) = (sent.0.expect("sent"), sent.1);
            assert_eq!(sent, size);
            let (sent, (received, mut back)) = join(
                far.send(echo, 0..size, false, LIMIT),
                near.recv(room, 0..size, RecvMode::Fill, LIMIT),
            )
            .await;
            assert_eq!((sent.0.expect("sent"), received.expect("received")), (size, size));
            check(&memory(&mut back)[..size], 5);
        }
    });
}

#[test]
fn a_receive_takes_what_is_there_or_fills_its_span() {
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        let data = filled(&core, 1000, 6).await;
        let (sent, data) = near.send(data, 0..1000, false, LIMIT).await;
        assert_eq!(sent.expect("sent"), 1000);
        let room = lease(&core, 4096).await;
        let (some, room) = far.recv(room, 100..4000, RecvMode::Some, LIMIT).await;
        let some = some.expect("received");
        assert!((1..=1000).contains(&some));
        let (rest, mut room) = far.recv(room, 100 + some..1100, RecvMode::Fill, LIMIT).await;
        assert_eq!(some + rest.expect("received"), 1000);
        check(&memory(&mut room)[100..1100], 6);
        // The peer closes in the middle: what came is given, and then the end is told.
        near.send(data, 0..1000, false, LIMIT).await.0.expect("sent");
        drop(near);
        let (short, mut room) = far.recv(room, 0..4096, RecvMode::Fill, LIMIT).await;
        assert_eq!(short.expect("short"), 1000);
        check(&memory(&mut room)[..1000], 6);
        let (end, _) = far.recv(room, 0..4096, RecvMode::Some, LIMIT).await;
        assert_eq!(end.expect("the end"), 0);
    });
}

#[test]
fn bytes_go_out_of_shared_memory() {
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        let bytes = bytes::Bytes::from_static(b"a head that is sent from static memory");
        let len = bytes.len();
        near.send(bytes.clone(), 0..len, true, LIMIT).await.0.expect("sent");
        near.send(bytes.clone(), 2..len, false, LIMIT).await.0.expect("sent");
        let room = lease(&core, 4096).await;
        let (got, mut room) = far.recv(room, 0..2 * len - 2, RecvMode::Fill, LIMIT).await;
        assert_eq!(got.expect("received"), 2 * len - 2);
        assert_eq!(memory(&mut room)[..len], bytes[..]);
        assert_eq!(memory(&mut room)[len..2 * len - 2], bytes[2..]);
        let (refused, _) = far.recv(bytes, 0..5, RecvMode::Some, LIMIT).await;
        assert_eq!(refused.expect_err("shared memory").errno(), Some(libc::EFAULT));
    });
}

#[test]
fn buffers_of_every_kind_go_out_as_one_and_come_back() {
    const HEAD: &[u8] = b"a head that is sent from static memory";
    for choice in [ZeroCopyChoice::Off, ZeroCopyChoice::Auto, ZeroCopyChoice::On] {
        on_all(move |core, place| async move {
            let (near, far) = place.pair(&core).await;
            near.set_zero_copy(choice);
            let mut list = SendList::new();
            for size in SIZES {
                let (owner, region) = RegionOwner::new(vec![7u8; 100]);
                let data = filled(&core, size, 5).await;
                list.push(bytes::Bytes::from_static(HEAD), 2..HEAD.len()).expect("room");
                list.push(bytes::Bytes::new(), 0..0).expect("room");
                list.push(data, 0..size).expect("room");
                list.push(region, 10..20).expect("room");
                let total = HEAD.len() - 2 + size + 10;
                assert_eq!((list.len(), list.bytes()), (4, total));
                let room = lease(&core, total).await;
                let ((sent, back), (received, mut room)) = join(
                    near.send_list(list, LIMIT),
                    far.recv(room, 0..total, RecvMode::Fill, LIMIT),
                )
                .await;
                assert_eq!((sent.expect("sent"), received.expect("received")), (total, total));
                let (head, rest) = memory(&mut room)[..total].split_at(HEAD.len() - 2);
                assert_eq!(head, &HEAD[2..]);
                check(&rest[..size], 5);
                assert_eq!(rest[size..], [7; 10]);
                list = back;
                drop(list.pop());
                assert!(owner.try_into_inner().is_ok(), "OWN-3: the list still holds it");
                let (data, span) = list.pop().expect("the lease");
                check(data.as_slice(), 5);
                assert_eq!((span, list.len()), (0..size, 2));
                while list.pop().is_some() {}
            }
            let (sent, list) = near.send_list(list, LIMIT).await;
            assert_eq!((sent.expect("nothing to send"), list.is_empty()), (0, true));
        });
    }
}

#[test]
fn a_receive_of_nothing_does_not_wait() {
    on_all(|core, place| async move {
        let (_near, far) = place.pair(&core).await;
        for mode in [RecvMode::Some, RecvMode::Fill] {
            let room = lease(&core, 4096).await;
            let receiving = far.recv(room, 7..7, mode, LIMIT);
            let (received, _) = drop_after(1, receiving).await.expect("at once");
            assert_eq!(received.expect("nothing"), 0);
        }
    });
}

#[test]
fn nobody_listens() {
    on_all(|core, _| async move {
        // The kernel hands out no port below 1024.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let error = TcpStream::connect(&core, address, LIMIT).await.expect_err("nobody");
        assert_eq!(error.errno(), Some(libc::ECONNREFUSED));
        let text = error.to_string();
        assert!(text.contains(&address.to_string()) && text.contains("listens"), "{text}");
    });
}

#[test]
fn a_reset_ends_both_sides() {
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        let room = lease(&core, 4096).await;
        let (received, _) = join(far.recv(room, 0..4096, RecvMode::Fill, LIMIT), async {
            core.sleep(Duration::from_millis(5)).await;
            near.reset();
        })
        .await;
        assert_eq!(received.0.expect_err("reset").errno(), Some(libc::ECONNRESET));
        let data = filled(&core, 4096, 1).await;
        assert!(matches!(near.send(data, 0..4096, false, LIMIT).await.0, Err(Error::Os(_))));
    });
}

#[test]
fn a_receive_that_fails_tells_what_had_come() {
    // Fits into a fresh window, so that it has arrived when it is sent.
    const CAME: usize = 30_000;
    const MOMENT: Duration = Duration::from_millis(200);
    on_all(|core, place| async move {
        // One that sleeps until much is there, and one that does not; by a reset and by a stall.
        for (room, stall) in [(CAME + 1, LIMIT), (1 << 20, LIMIT), (1 << 20, MOMENT)] {
            let (near, far) = place.pair(&core).await;
            let memory_there = lease(&core, room).await;
            let receiving = far.recv(memory_there, 0..room, RecvMode::Fill, stall);
            let ending = async {
                let data = filled(&core, CAME, 9).await;
                near.send(data, 0..CAME, false, LIMIT).await.0.expect("sent");
                core.sleep(Duration::from_millis(5)).await;
                if stall == LIMIT {
                    near.reset();
                }
            };
            let ((received, mut back), ()) = join(receiving, ending).await;
            let failed = received.expect_err("the rest never comes");
            let stalled = matches!(failed.error, Error::Stalled { .. });
            assert_eq!(stalled, stall == MOMENT, "{failed}");
            assert!(stalled || failed.errno() == Some(libc::ECONNRESET), "{failed}");
            assert_eq!(failed.received, CAME, "{failed}");
            check(&memory(&mut back)[..CAME], 9);
        }
    });
}

/// A driver may not leave marks on a listener that the other would trip over.
#[test]
fn engines_of_all_drivers_accept_on_one_listener() {
    let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("loopback");
    let mut hosts: Vec<_> = kernels(&config()).collect();
    for _ in 0..2 {
        for host in &mut hosts {
            let inside = listener.clone();
            let accepting = host.engine().on_core(0, move |core| async move {
                inside.accept(&core).await.map(|stream| stream.peer())
            });
            // It waits before somebody connects, and in the first round the others have accepted.
            host.run(|core, _| async move { core.sleep(Duration::from_millis(20)).await });
            let near = std::net::TcpStream::connect(listener.local_addr()).expect("it listens");
            let accepted = host.wait(accepting.expect("spawned")).expect("no panic");
            assert_eq!(accepted.expect("accepted"), near.local_addr().expect("bound"));
        }
    }
    hosts.into_iter().for_each(Host::finish);
}

#[test]
fn sends_go_without_a_copy_as_chosen_and_as_the_kernel_can() {
    const SENDS: u64 = 3;
    let default = config().op.zero_copy_bytes_min;
    let chosen = [
        (ZeroCopyChoice::Off, default, 64 << 10, 0..=0),
        // The simulator may say that it copied, and one such answer is enough; of loopback it is known.
        (ZeroCopyChoice::Auto, default, 64 << 10, 1..=SENDS),
        (ZeroCopyChoice::Auto, default, default - 1, 0..=0),
        (ZeroCopyChoice::Auto, 1000, 1000, 1..=SENDS),
        (ZeroCopyChoice::On, default, 1000, SENDS..=SENDS),
    ];
    for (choice, bytes_min, size, expected) in chosen {
        let mut config = config();
        config.op.zero_copy_bytes_min = bytes_min;
        for mut host in hosts(&config) {
            let can = match &host {
                Host::Kernel { .. } if choice == ZeroCopyChoice::Auto => false,
                Host::Kernel { engine, .. } => engine.capabilities().has("zero-copy send"),
                Host::Simulated(_) => true,
            };
            host.run(move |core, place| async move {
                let (near, far) = place.pair(&core).await;
                near.set_zero_copy(choice);
                let (mut data, mut room) =
                    (filled(&core, size, 3).await, lease(&core, size).await.into());
                for _ in 0..SENDS {
                    let (sent, (received, back)) = join(
                        near.send(data, 0..size, false, LIMIT),
                        far.recv(room, 0..size, RecvMode::Fill, LIMIT),
                    )
                    .await;
                    assert_eq!((sent.0.expect("sent"), received.expect("received")), (size, size));
                    (data, room) = (sent.1.into_lease().expect("a lease"), back);
                    check(&memory(&mut room)[..size], 3);
                }
            });
            let sends = host.engine().metrics().bytes_sent_zero_copy / size as u64;
            let expected = if can { expected.clone() } else { 0..=0 };
            assert!(expected.contains(&sends), "{choice:?}: {sends} of {SENDS}");
            host.finish();
        }
    }
}

/// NET-1, on the kernel's loopback and in the simulator: the peer never reads.
#[test]
fn an_abandoned_connection_gives_back_the_leases_of_its_zero_copy_sends() {
    const BYTES: usize = 8 << 20;
    let mut config = config();
    config.pool.quarantine = false;
    for mut host in hosts(&config) {
        let zero_copy = match &host {
            Host::Kernel { engine, .. } => engine.capabilities().has("zero-copy send"),
            Host::Simulated(_) => true,
        };
        for polls in 1..4 {
            host.run(move |core, place| async move {
                // It is in the backlog of a listener, and nobody takes it from there.
                let listener = place.listen();
                let address = listener.local_addr();
                let stream = TcpStream::connect(&core, address, LIMIT).await.expect("connected");
                stream.set_zero_copy(ZeroCopyChoice::On);
                let data = filled(&core, BYTES, 8).await;
                // Woken from time to time, so that it is polled again and gets on in between.
                let sending = async {
                    let ticking = async {
                        for _ in 0..polls {
                            core.sleep(Duration::from_millis(2)).await;
                        }
                    };
                    join(stream.send(data, 0..BYTES, false, LIMIT), ticking).await.0
                };
                let dropped = drop_after(polls, sending).await;
                assert!(dropped.is_none(), "nobody reads 8 MiB: {dropped:?}");
                drop(stream);
                let all_back = async {
                    while core.pool().stats().lent_bytes > 0 {
                        core.sleep(Duration::from_millis(1)).await;
                    }
                };
                let waited = core.timeout(Duration::from_secs(20), all_back).await;
                assert!(waited.is_ok(), "NET-1: {:?}", core.pool().stats());
                drop(listener);
            });
        }
        assert!(zero_copy || host.engine().metrics().bytes_sent_zero_copy == 0);
        host.finish();
    }
}
