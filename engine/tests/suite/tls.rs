//! TLS between two ends of the engine, on all drivers, and what is refused.

use std::time::Duration;

use hydrant_engine::sim::{SimConfig, seeds};
use hydrant_engine::{
    Buf, Core, Error, RecvMode, TcpStream, TlsConfig, TlsLimits, TlsMemory, TlsProblem,
    TlsServerConfig, TlsStream, TlsVersion,
};
use rcgen::date_time_ymd;

use crate::authority::{Authority, HOST, Identity};
use crate::dropped::at_every_await;
use crate::host::{
    Host, LIMIT, Place, check, config, filled, hosts, join, kernels, lease, memory, on_all,
};

const SIZES: [usize; 9] = [1, 511, 16_384, 16_385, 65_537, 82_000, 300_000, 1 << 20, (4 << 20) + 1];

type Opened = hydrant_engine::Result<TlsStream>;

async fn connect(core: &Core, tcp: TcpStream, host: &str, config: &TlsConfig) -> Opened {
    let memory = TlsMemory::take(core, config.limits()).await?;
    TlsStream::connect(core, tcp, host, config, memory).await
}

async fn accept(core: &Core, tcp: TcpStream, config: &TlsServerConfig) -> Opened {
    let memory = TlsMemory::take(core, config.limits()).await?;
    TlsStream::accept(core, tcp, config, memory).await
}

/// Both ends of a handshake, as they fare.
async fn shake(
    core: &Core,
    place: &Place,
    host: &str,
    client: &TlsConfig,
    server: &TlsServerConfig,
) -> (Opened, Opened) {
    let (near, far) = place.pair(core).await;
    join(connect(core, near, host, client), accept(core, far, server)).await
}

async fn pair(core: &Core, place: &Place) -> (TlsStream, TlsStream) {
    let authority = Authority::new();
    let server = authority.identity().server();
    let (near, far) = shake(core, place, HOST, &authority.client(), &server).await;
    (near.expect("a client"), far.expect("a server"))
}

#[track_caller]
fn problem(outcome: Opened) -> TlsProblem {
    match outcome {
        Err(Error::Tls(error)) => error.problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_sent_is_received_and_every_copy_is_counted() {
    on_all(|core, place| async move {
        let (near, far) = pair(&core, &place).await;
        for size in SIZES {
            let before = core.metrics().snapshot();
            let data = filled(&core, size, 5).await;
            let room = lease(&core, size + 7).await;
            let (sent, (received, mut echo)) = join(
                near.send(data, 0..size, size.is_multiple_of(2), LIMIT),
                far.recv(room, 7..size + 7, RecvMode::Fill, LIMIT),
            )
            .await;
            assert_eq!((sent.0.expect("sent"), received.expect("received")), (size, size));
            check(&memory(&mut echo)[7..size + 7], 5);
            let copied = core.metrics().snapshot().since(&before);
            assert_eq!(copied.copied_bytes(), copied.copied_tls);
            // Once to its place; what comes in pieces of a record is moved once more.
            let once = size as u64;
            assert!(copied.copied_tls >= once, "{size}: {copied:?}");
            let more = copied.copied_tls - once;
            assert!(more <= once + (64 << 10), "{size}: {more} more");
            let (sent, (received, mut back)) = join(
                far.send(echo, 7..size + 7, false, LIMIT),
                near.recv(sent.1, 0..size, RecvMode::Fill, LIMIT),
            )
            .await;
            assert_eq!((sent.0.expect("sent"), received.expect("received")), (size, size));
            check(&memory(&mut back)[..size], 5);
        }
    });
}

#[test]
fn many_sizes_through_large_and_small_receives() {
    seeds(20, |seed| {
        let mut host = Host::simulated(seed, SimConfig::choppy(), config());
        host.run(move |core, place| async move {
            let (near, far) = pair(&core, &place).await;
            let size = 700_000 + (core.random_u64() % 100_000) as usize;
            let data = filled(&core, size, seed).await;
            let room = lease(&core, size).await;
            let receiving = async {
                let (mut room, mut at) = (room.into(), 0);
                while at < size {
                    let most = [10, 20_000, 90_000, 400_000][(core.random_u64() % 4) as usize];
                    let end = size.min(at + 1 + (core.random_u64() % most) as usize);
                    let fill = core.random_u64().is_multiple_of(2);
                    let mode = if fill { RecvMode::Fill } else { RecvMode::Some };
                    let (received, back) = far.recv(room, at..end, mode, LIMIT).await;
                    let count = received.expect("received");
                    assert!(count > 0 && (!fill || count == end - at));
                    (room, at) = (back, at + count);
                }
                room
            };
            let (sent, mut room) = join(near.send(data, 0..size, false, LIMIT), receiving).await;
            assert_eq!(sent.0.expect("sent"), size);
            check(&memory(&mut room)[..size], seed);
        });
        host.finish();
    });
}

#[test]
fn a_word_at_the_end_is_an_end_and_a_cut_is_an_error() {
    on_all(|core, place| async move {
        for (size, room_bytes) in [(1000, 4096), (300_000, 400_000)] {
            for said in [true, false] {
                // The server sends: what a client has not read, such as tickets, resets the connection
                // when it is dropped.
                let (far, near) = pair(&core, &place).await;
                let data = filled(&core, size, 6).await;
                let room = lease(&core, room_bytes).await;
                let sending = async {
                    near.send(data, 0..size, false, LIMIT).await.0.expect("sent");
                    if said {
                        near.close(LIMIT).await.expect("closed");
                    }
                    drop(near);
                };
                let receiving = far.recv(room, 0..room_bytes, RecvMode::Fill, LIMIT);
                let ((received, mut room), ()) = join(receiving, sending).await;
                assert_eq!(received.expect("all there is"), size);
                check(&memory(&mut room)[..size], 6);
                let (end, _) = far.recv(room, 0..4096, RecvMode::Some, LIMIT).await;
                if said {
                    assert_eq!(end.expect("the end, again"), 0);
                } else {
                    let error = end.expect_err("cut off");
                    let Error::Tls(error) = error.error else { panic!("{error}") };
                    assert_eq!(error.problem, TlsProblem::CutOff);
                    assert!(!error.is_permanent() && error.to_string().contains("cut short"));
                }
            }
        }
    });
}

#[test]
fn one_end_may_close_and_still_receive() {
    on_all(|core, place| async move {
        let (near, far) = pair(&core, &place).await;
        near.close(LIMIT).await.expect("closed");
        let room = lease(&core, 4096).await;
        let (end, room) = far.recv(room, 0..4096, RecvMode::Some, LIMIT).await;
        assert_eq!(end.expect("the end"), 0);
        let data = filled(&core, 1000, 3).await;
        far.send(data, 0..1000, false, LIMIT).await.0.expect("sent");
        let (received, mut room) = near.recv(room, 0..1000, RecvMode::Fill, LIMIT).await;
        assert_eq!(received.expect("received"), 1000);
        check(&memory(&mut room)[..1000], 3);
    });
}

#[test]
fn certificates_are_checked_and_the_error_says_what_is_wrong() {
    on_all(|core, place| async move {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let good = ours.identity();
        let expired = ours.identity_with(|it| it.not_after = date_time_ymd(2020, 1, 1));
        let early = ours.identity_with(|it| it.not_before = date_time_ymd(3000, 1, 1));
        let wrong_name = TlsProblem::WrongName { presented: format!("{HOST}, 127.0.0.1") };
        let cases: [(&str, &Identity, TlsProblem, &str); 6] = [
            (HOST, &theirs.identity(), TlsProblem::UnknownIssuer, "give its certificate"),
            (HOST, &expired, TlsProblem::Expired, "expired"),
            (HOST, &early, TlsProblem::NotYetValid, "not valid yet"),
            ("other.test", &good, wrong_name.clone(), HOST),
            ("127.0.0.2", &good, wrong_name.clone(), "127.0.0.1"),
            ("sub.host.test", &good, wrong_name, HOST),
        ];
        for (host, identity, expected, says) in cases {
            let (near, far) = shake(&core, &place, host, &ours.client(), &identity.server()).await;
            let error = near.expect_err("refused");
            let text = error.to_string();
            assert!(text.contains(says) && text.contains(host), "{text}");
            let Error::Tls(error) = error else { panic!("{error}") };
            assert!(error.is_permanent());
            assert!(same_problem(&error.problem, &expected), "{error}");
            assert!(matches!(problem(far), TlsProblem::Refused(_)), "the server was told");
        }
        let (near, far) = shake(&core, &place, "127.0.0.1", &ours.client(), &good.server()).await;
        assert!(near.is_ok() && far.is_ok(), "the address is in the certificate");
        let (near, _far) = place.pair(&core).await;
        let error = connect(&core, near, "no name", &ours.client()).await;
        assert!(matches!(error, Err(Error::InvalidInput(_))), "{error:?}");
    });
}

fn same_problem(one: &TlsProblem, other: &TlsProblem) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

#[test]
fn a_client_shows_its_certificate_where_it_is_asked_for() {
    on_all(|core, place| async move {
        let authority = Authority::new();
        let (server, client) = (authority.identity(), authority.identity());
        let roots = authority.pem.as_bytes();
        let (chain, key) = (server.chain.as_bytes(), server.key.as_bytes());
        let asking = TlsServerConfig::new(chain, key, Some(roots), TlsVersion::V1_3, &[]);
        let asking = asking.expect("a configuration");
        let showing = TlsConfig::builder()
            .roots_pem(authority.pem.as_str())
            .client_certificate_pem(client.chain.as_str(), client.key.as_str())
            .build()
            .expect("a configuration");
        let (near, far) = shake(&core, &place, HOST, &showing, &asking).await;
        assert!(near.is_ok() && far.is_ok());
        let hiding = showing.without_client_certificate();
        let (_, far) = shake(&core, &place, HOST, &hiding, &asking).await;
        assert!(matches!(problem(far), TlsProblem::BadCertificate(_)), "SEC-3");
        let (near, far) = shake(&core, &place, HOST, &authority.client(), &asking).await;
        assert!(matches!(problem(far), TlsProblem::BadCertificate(_)));
        // In TLS 1.3 the client's part is over by then: the refusal comes with the first answer.
        let near = near.expect("its part went well");
        let room = lease(&core, 4096).await;
        let (received, _) = near.recv(room, 0..100, RecvMode::Some, LIMIT).await;
        let text = received.expect_err("refused").to_string();
        assert!(text.contains("asks for a client certificate"), "{text}");
    });
}

#[test]
fn versions_protocols_and_sessions_are_agreed_on() {
    on_all(|core, place| async move {
        let authority = Authority::new();
        let identity = authority.identity();
        let (chain, key) = (identity.chain.as_bytes(), identity.key.as_bytes());
        let server = TlsServerConfig::new(chain, key, None, TlsVersion::V1_2, &["h2", "http/1.1"]);
        let server = server.expect("a configuration");
        let client = TlsConfig::builder()
            .roots_pem(authority.pem.as_str())
            .min_version(TlsVersion::V1_3)
            .alpn(&["http/1.1"])
            .build()
            .expect("a configuration");
        let other_core = client.with_own_sessions();
        for resumed in [false, true] {
            let (near, far) = shake(&core, &place, HOST, &client, &server).await;
            let (near, far) = (near.expect("a client"), far.expect("a server"));
            assert_eq!(near.alpn().as_deref(), Some(&b"http/1.1"[..]));
            assert!(near.describe().contains("TLSv1_3"), "{}", near.describe());
            assert_eq!((near.is_resumed(), far.is_resumed()), (resumed, resumed));
            // The ticket comes behind the handshake, with the first data at the latest.
            let data = filled(&core, 10, 1).await;
            far.send(data, 0..10, false, LIMIT).await.0.expect("sent");
            let room = lease(&core, 10).await;
            near.recv(room, 0..10, RecvMode::Fill, LIMIT).await.0.expect("received");
        }
        let (near, _far) = shake(&core, &place, HOST, &other_core, &server).await;
        assert!(!near.expect("a client").is_resumed(), "sessions of its own");
        let strange = TlsConfig::builder().roots_pem(authority.pem.as_str()).alpn(&["gopher"]);
        let strange = strange.build().expect("a configuration");
        let (near, far) = shake(&core, &place, HOST, &strange, &server).await;
        let problem = problem(near);
        assert!(matches!(problem, TlsProblem::Refused(_)), "{problem}, {far:?}");
    });
}

#[test]
fn a_peer_that_speaks_no_tls_or_nothing_at_all() {
    on_all(|core, place| async move {
        let authority = Authority::new();
        let answers = [Some(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]), Some(&b""[..]), None];
        for answer in answers {
            let mut limits = TlsLimits::default();
            limits.handshake = if answer.is_some() { LIMIT } else { Duration::from_secs(2) };
            let config = TlsConfig::builder().roots_pem(authority.pem.as_str()).limits(limits);
            let config = config.build().expect("a configuration");
            let (near, far) = place.pair(&core).await;
            let speaking = async {
                let room = lease(&core, 4096).await;
                let (hello, _) = far.recv(room, 0..4096, RecvMode::Some, LIMIT).await;
                assert!(hello.expect("a hello") > 0);
                let Some(answer) = answer else { return Some(far) };
                let bytes = bytes::Bytes::from_static(answer);
                far.send(bytes, 0..answer.len(), false, LIMIT).await.0.expect("sent");
                None
            };
            let (opened, _far) = join(connect(&core, near, HOST, &config), speaking).await;
            match (answer, opened) {
                (None, Err(Error::Stalled { object, limit, .. })) => {
                    assert_eq!(limit, limits.handshake);
                    assert!(object.contains(HOST));
                }
                (Some(b""), opened) => assert_eq!(problem(opened), TlsProblem::ClosedInHandshake),
                (_, opened) => assert_eq!(problem(opened), TlsProblem::NotTls),
            }
        }
    });
}

#[test]
fn what_cannot_be_configured_is_refused() {
    let authority = Authority::new();
    let (one, other) = (authority.identity(), authority.identity());
    let refused = [
        TlsConfig::builder().roots_pem(""),
        TlsConfig::builder()
            .roots_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        TlsConfig::builder()
            .roots_pem(authority.pem.as_str())
            .client_certificate_pem(one.chain.as_str(), other.key.as_str()),
        TlsConfig::builder()
            .roots_pem(authority.pem.as_str())
            .client_certificate_pem(one.chain.as_str(), "no key"),
    ];
    for builder in refused {
        let shown = format!("{builder:?}");
        assert!(!shown.contains("PRIVATE"), "SEC-1");
        let error = builder.build().expect_err("refused");
        assert!(matches!(error, Error::InvalidInput(_)), "{error}");
        let secret = one.key.lines().nth(1).expect("base64");
        assert!(!error.to_string().contains(secret), "SEC-1");
    }
    let mut limits = TlsLimits::default();
    limits.receive_bytes = 4096;
    let small = TlsConfig::builder().roots_pem(authority.pem.as_str()).limits(limits).build();
    assert!(matches!(small, Err(Error::InvalidInput(_))));
}

/// OWN-1: a future is dropped at every one of its awaits, and the quarantine watches its memory.
#[test]
fn dropped_at_every_await() {
    for mut host in kernels(&config()) {
        host.run(shake_and_drop);
        host.finish();
    }
    seeds(20, |seed| {
        let mut host = Host::simulated(seed, SimConfig::choppy(), config());
        host.run(shake_and_drop);
        host.finish();
    });
}

async fn shake_and_drop(core: Core, place: Place) {
    let authority = Authority::new();
    let (client, server) = (authority.client(), authority.identity().server());
    at_every_await(|| async {
        let (near, far) = shake(&core, &place, HOST, &client, &server).await;
        let (near, far) = (near.expect("a client"), far.expect("a server"));
        let data = filled(&core, 300_000, 1).await;
        let room = lease(&core, 300_000).await;
        let (sent, (received, mut room)) = join(
            near.send(data, 0..300_000, false, LIMIT),
            far.recv(room, 0..300_000, RecvMode::Fill, LIMIT),
        )
        .await;
        assert_eq!((sent.0.expect("sent"), received.expect("received")), (300_000, 300_000));
        check(&memory(&mut room)[..300_000], 1);
        core.pool().quarantine_release();
    })
    .await;
}

#[test]
fn a_storm_ends_in_the_right_bytes_or_an_error() {
    seeds(50, |seed| {
        let mut host = Host::simulated(seed, SimConfig::stormy(), config());
        host.run(move |core, place| async move {
            let authority = Authority::new();
            let (client, server) = (authority.client(), authority.identity().server());
            let listener = place.listen();
            let tcp = TcpStream::connect(&core, listener.local_addr(), LIMIT);
            let accepting = core.timeout(LIMIT, listener.accept(&core));
            let (Ok(near), Ok(Ok(far))) = join(tcp, accepting).await else { return };
            let opening = join(connect(&core, near, HOST, &client), accept(&core, far, &server));
            let (Ok(near), Ok(far)) = opening.await else { return };
            let data = filled(&core, 200_000, seed).await;
            let room = lease(&core, 200_000).await;
            let sending = async {
                let sent = near.send(data, 0..200_000, false, LIMIT).await;
                drop(near);
                sent.0.is_ok()
            };
            let receiving = far.recv(room, 0..200_000, RecvMode::Fill, LIMIT);
            let (_sent, (received, mut room)) = join(sending, receiving).await;
            if let Ok(count) = received {
                check(&memory(&mut room)[..count], seed);
                if count < 200_000 {
                    let (end, _) = far.recv(room, 0..100, RecvMode::Some, LIMIT).await;
                    end.expect_err("a cut is never an end");
                }
            }
        });
        host.finish();
    });
}

#[test]
fn what_came_before_a_stall_is_given_and_the_rest_follows() {
    const SENT: usize = 150_000;
    for mut host in hosts(&config()) {
        host.run(|core, place| async move {
            let (near, far) = pair(&core, &place).await;
            let data = filled(&core, 2 * SENT, 7).await;
            let room = Buf::from(lease(&core, 2 * SENT).await);
            let receiving = async {
                let (mut have, mut room) = (0, room);
                while have < SENT {
                    let (short, rest) = (Duration::from_millis(50), have..2 * SENT);
                    let (stalled, back) = far.recv(room, rest, RecvMode::Fill, short).await;
                    let failed = stalled.expect_err("no more was sent");
                    assert!(matches!(failed.error, Error::Stalled { .. }), "{failed}");
                    (have, room) = (have + failed.received, back);
                }
                (have, room)
            };
            let sending = near.send(data, 0..SENT, false, LIMIT);
            let ((sent, data), (have, room)) = join(sending, receiving).await;
            assert_eq!((sent.expect("sent"), have), (SENT, SENT));
            let sending = near.send(data, SENT..2 * SENT, false, LIMIT);
            let receiving = far.recv(room, have..2 * SENT, RecvMode::Fill, LIMIT);
            let ((sent, _), (received, mut room)) = join(sending, receiving).await;
            assert_eq!((sent.expect("sent"), received.expect("received")), (SENT, SENT));
            check(&memory(&mut room)[..2 * SENT], 7);
        });
        host.finish();
    }
}

#[test]
fn memory_of_connections_comes_from_the_share_for_heads() {
    for mut host in hosts(&config()) {
        host.run(|core, place| async move {
            let before = core.pool().stats();
            let (near, far) = pair(&core, &place).await;
            let limits = TlsLimits::default();
            let lent = before.free_bytes - core.pool().stats().free_bytes;
            let each = limits.receive_bytes.max(limits.send_bytes);
            assert_eq!(lent, 2 * 2 * each, "two ends with two buffers each");
            drop((near, far));
        });
        host.finish();
    }
}
