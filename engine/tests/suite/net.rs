//! Connecting to the first of several addresses that answers (RFC 8305); from names to addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::time::Duration;

use hydrant_engine::sim::{SimConfig, seeds};
use hydrant_engine::testing::not_tested;
use hydrant_engine::{
    ConnectLimits, Core, DriverChoice, Error, OsError, RecvMode, TcpListener, TcpStream, resolve,
};

use crate::dropped::{at_every_await, at_its_awaits};
use crate::host::{Host, LIMIT, Place, check, config, drop_after, filled, join, kernels, lease};
use crate::host::{memory, on_all};

/// In the simulator: what the operations of a few connects take, at most.
const LATENCY: Duration = Duration::from_millis(5);

fn limits(attempt_delay: Duration) -> ConnectLimits {
    let mut limits = ConnectLimits::default();
    (limits.total, limits.attempt_delay) = (LIMIT, attempt_delay);
    limits
}

/// Nobody listens on this port, which is the lowest.
fn refusing(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 1))
}

#[test]
fn an_address_that_refuses_costs_no_time() {
    on_all(|core, place| async move {
        let listener = place.listen();
        let addresses = [refusing(1), refusing(2), listener.local_addr()];
        // Only what does not wait for the next attempt's time stays within the limit.
        let connected = TcpStream::connect_any(&core, &addresses, &limits(10 * LIMIT)).await;
        assert_eq!(connected.expect("the third listens").peer(), listener.local_addr());
    });
}

#[test]
fn an_address_that_never_answers_costs_the_delay() {
    let delay = Duration::from_millis(250);
    on_all(move |core, place| async move {
        assert_eq!(ConnectLimits::default().attempt_delay, delay);
        let (hole, listener) = (BlackHole::new(&place), place.listen());
        let began = core.now();
        let addresses = [hole.address, listener.local_addr()];
        let near = TcpStream::connect_any(&core, &addresses, &limits(delay)).await;
        let (near, took) = (near.expect("the second listens"), core.now() - began);
        assert_eq!(near.peer(), listener.local_addr());
        assert!(took >= delay, "{took:?}");
        assert!(place.world.is_none() || took < delay + LATENCY, "{took:?}");
        hole.is_let_alone(&core).await;
        let far = listener.accept(&core).await.expect("accepted");
        let data = filled(&core, 1000, 1).await;
        near.send(data, 0..1000, false, LIMIT).await.0.expect("sent");
        let room = lease(&core, 1000).await;
        let (received, mut room) = far.recv(room, 0..1000, RecvMode::Fill, LIMIT).await;
        assert_eq!(received.expect("received"), 1000);
        check(&memory(&mut room)[..1000], 1);
    });
}

#[test]
fn an_attempt_goes_on_beside_the_next_and_may_still_win() {
    for mut host in kernels(&config()) {
        host.run(|core, place| async move {
            let (first, second) = (BlackHole::new(&place), BlackHole::new(&place));
            let addresses = [first.address, second.address];
            let opening = async {
                core.sleep(Duration::from_millis(100)).await;
                first.open()
            };
            let limits = limits(Duration::from_millis(10));
            let connect = TcpStream::connect_any(&core, &addresses, &limits);
            let (connected, _opened) = join(connect, opening).await;
            assert_eq!(connected.expect("there is room now").peer(), addresses[0]);
            second.is_let_alone(&core).await;
        });
        host.finish();
    }
    let mut world = SimConfig::calm();
    world.accept_backlog = 1;
    let mut host = Host::simulated(1, world, config());
    host.run(|core, place| async move {
        let (listener, hole) = (place.listen(), BlackHole::new(&place));
        let addresses = [listener.local_addr(), hole.address];
        let _first = TcpStream::connect(&core, addresses[0], LIMIT).await.expect("there is room");
        let opening = async {
            core.sleep(Duration::from_secs(1)).await;
            listener.accept(&core).await.expect("the first")
        };
        let limits = limits(Duration::from_millis(10));
        let connect = TcpStream::connect_any(&core, &addresses, &limits);
        let (connected, _accepted) = join(connect, opening).await;
        assert_eq!(connected.expect("there is room now").peer(), addresses[0]);
    });
    host.finish();
}

#[test]
fn when_all_refuse_the_error_names_each() {
    on_all(|core, _| async move {
        let addresses = [1, 2, 3].map(refusing);
        let mut limits = limits(10 * LIMIT);
        let error = TcpStream::connect_any(&core, &addresses, &limits).await.expect_err("nobody");
        assert_eq!(error.errno(), Some(libc::ECONNREFUSED));
        let text = error.to_string();
        assert!(
            text.ends_with("nobody listens there; check host and port, and that the server runs")
        );
        assert!(addresses.iter().all(|it| text.contains(&it.to_string())), "{text}");
        assert_eq!(text.matches("refused").count(), 3, "{text}");
        let refused = |it: &SocketAddr| OsError::new("connect", it, libc::ECONNREFUSED);
        assert_eq!(failures(error), addresses.iter().map(refused).collect::<Vec<_>>());
        limits.attempts_max = 2;
        let error = TcpStream::connect_any(&core, &addresses, &limits).await.expect_err("nobody");
        assert_eq!(failures(error).len(), 2);
        limits.attempts_max = 0;
        for (addresses, limits) in [(&addresses[..], limits), (&[], ConnectLimits::default())] {
            let error = TcpStream::connect_any(&core, addresses, &limits).await;
            assert!(matches!(error, Err(Error::InvalidInput(_))), "{error:?}");
        }
    });
}

#[track_caller]
fn failures(error: Error) -> Vec<OsError> {
    match error {
        Error::Connect { failures } => failures,
        other => panic!("{other}"),
    }
}

#[test]
fn one_time_limit_holds_for_all_attempts_together() {
    on_all(|core, place| async move {
        let holes = [BlackHole::new(&place), BlackHole::new(&place)];
        let addresses = [holes[0].address, refusing(1), holes[1].address];
        let mut limits = limits(Duration::from_millis(20));
        limits.total = Duration::from_secs(5);
        let began = core.now();
        let error = TcpStream::connect_any(&core, &addresses, &limits).await.expect_err("nobody");
        let took = core.now() - began;
        assert!(took >= limits.total, "{took:?}");
        assert!(place.world.is_none() || took == limits.total, "{took:?}");
        let text = error.to_string();
        let Error::Stalled { operation: "connect", object, limit } = error else {
            panic!("{text}")
        };
        assert_eq!(limit, limits.total);
        assert!(object.contains(&format!("{} (Connection refused", addresses[1])), "{object}");
        for hole in [addresses[0], addresses[2]] {
            assert!(object.contains(&format!("{hole} (no answer)")), "{object}");
        }
        for hole in holes {
            hole.is_let_alone(&core).await;
        }
    });
}

/// OWN-1, and no socket is left: on the kernel none that still connects, in the simulator none at all.
#[test]
fn dropped_at_every_await() {
    for mut host in kernels(&config()) {
        host.run(connect_and_drop);
        host.finish();
    }
    seeds(100, |seed| {
        let mut host = Host::simulated(seed, SimConfig::choppy(), config());
        host.run(connect_and_drop);
        host.finish();
    });
}

async fn connect_and_drop(core: Core, place: Place) {
    let (hole, listener) = (BlackHole::new(&place), place.listen());
    let addresses = [hole.address, refusing(1), listener.local_addr()];
    let limits = limits(Duration::from_millis(5));
    at_every_await(|| async {
        let connected = TcpStream::connect_any(&core, &addresses, &limits).await;
        assert_eq!(connected.expect("the third listens").peer(), listener.local_addr());
    })
    .await;
    if place.world.is_none() {
        // The control thread of a simulation answers at once.
        at_its_awaits(|| async { resolve(&core, "localhost", 80).await.expect("found") }).await;
    }
    hole.is_let_alone(&core).await;
}

#[test]
fn in_a_storm_it_connects_or_says_why_not_and_leaves_nothing() {
    seeds(200, |seed| {
        let stormy = seed % 2 == 1;
        let world = if stormy { SimConfig::stormy() } else { SimConfig::choppy() };
        let mut host = Host::simulated(seed, world, config());
        host.run(move |core, place| async move {
            let (hole, listeners) = (BlackHole::new(&place), [place.listen(), place.listen()]);
            let [first, second] = [0, 1].map(|it: usize| listeners[it].local_addr());
            let addresses = [hole.address, first, refusing(1), second];
            let limits = limits(Duration::from_millis(core.random_u64() % 100));
            for _ in 0..20 {
                let connect = TcpStream::connect_any(&core, &addresses, &limits);
                let polls = match core.random_u64() % 12 {
                    few @ 1..6 => few as usize,
                    _ => usize::MAX,
                };
                match drop_after(polls, connect).await {
                    Some(Ok(stream)) => assert!([first, second].contains(&stream.peer())),
                    // The weather refused both, and the hole too or else it is waited for.
                    Some(Err(Error::Stalled { .. })) => assert!(stormy),
                    Some(Err(error)) => assert!(stormy && failures(error).len() == 4),
                    None => assert_ne!(polls, usize::MAX),
                }
            }
        });
        host.finish();
    });
}

#[test]
fn ipv6_goes_first_where_the_machine_has_it() {
    on_all(|core, place| async move {
        let any = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let ipv6 = match &place.world {
            None => TcpListener::bind(any),
            Some(world) => TcpListener::simulated(world, any),
        };
        let ipv6 = match ipv6 {
            Ok(listener) => listener,
            Err(error) => return not_tested(format_args!("IPv6, which is not here: {error}")),
        };
        let ipv4 = place.listen();
        let limits = limits(10 * LIMIT);
        let refusing = SocketAddr::from((Ipv6Addr::LOCALHOST, 1));
        for (addresses, peer) in [
            (vec![ipv6.local_addr()], ipv6.local_addr()),
            (vec![ipv4.local_addr(), ipv6.local_addr()], ipv6.local_addr()),
            (vec![ipv4.local_addr(), refusing], ipv4.local_addr()),
        ] {
            let connected = TcpStream::connect_any(&core, &addresses, &limits).await;
            assert_eq!(connected.expect("connected").peer(), peer);
        }
    });
}

#[test]
fn an_accepted_stream_names_its_peer() {
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        assert!(far.peer().ip().is_loopback(), "{}", far.peer());
        if place.world.is_none() {
            assert_ne!(far.peer(), near.peer(), "that is the listener's own address");
        }
    });
}

#[test]
fn literals_and_names_are_resolved() {
    on_all(|core, _| async move {
        let found = async |host: &str| resolve(&core, host, 80).await.expect("found");
        let localhost = found("localhost").await;
        assert!(!localhost.is_empty());
        assert!(localhost.iter().all(|it| it.ip().is_loopback() && it.port() == 80));
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 80));
        assert_eq!(found("127.0.0.1").await, [v4]);
        assert_eq!((found("::1").await, found("[::1]").await), (vec![v6], vec![v6]));
        // By the name of the zone and by its number: loopback has one everywhere.
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").expect("sysfs");
        let zone: u32 = index.trim().parse().expect("a number");
        let linked = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        for host in ["fe80::1%lo", "[fe80::1%lo]", &format!("fe80::1%{zone}")] {
            let [SocketAddr::V6(address)] = found(host).await[..] else { panic!("{host}") };
            assert_eq!((*address.ip(), address.scope_id()), (linked, zone), "{host}");
        }
        for host in ["[localhost]", "[127.0.0.1]", "[::1", "fe80::1%no-such-link", ""] {
            let error = resolve(&core, host, 80).await.expect_err(host);
            assert!(matches!(&error, Error::Resolve { host: of, .. } if of == host), "{error}");
        }
    });
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    let mut host = Host::kernel(DriverChoice::Auto, config());
    host.run(|core, _| async move {
        let error = resolve(&core, "name.invalid", 80).await.expect_err("RFC 2606 says so");
        // Where no nameserver answers at all, its time limit may come first.
        let told = matches!(error, Error::Resolve { .. } | Error::ResolveTimedOut { .. });
        assert!(told && error.to_string().contains("name.invalid"), "{error}");
    });
    host.finish();
}

#[test]
fn a_look_up_behind_one_that_hangs_ends_in_time() {
    let mut config = config();
    config.control.resolve = Duration::from_millis(50);
    for mut host in kernels(&config) {
        host.run(|core, _| async move {
            let (release, hanging) = mpsc::channel::<()>();
            let holder = core.clone();
            let hang = async move { holder.blocking(move || hanging.recv()).await.is_ok() };
            let hang = core.spawn(hang).expect("room");
            // A core polls its tasks in their order: the job is in line before the look-up.
            core.sleep(Duration::from_millis(1)).await;
            let error = resolve(&core, "localhost", 80).await.expect_err("nobody looks it up");
            let text = error.to_string();
            assert!(text.contains("\"localhost\"") && text.contains("50ms"), "{text}");
            assert!(matches!(error, Error::ResolveTimedOut { .. }), "{text}");
            assert!(resolve(&core, "127.0.0.1", 80).await.is_ok(), "a literal waits for nobody");
            release.send(()).expect("it still hangs");
            assert_eq!(hang.await, Some(true));
            // On a busy machine a look-up may take longer than this limit.
            let found = async { while resolve(&core, "localhost", 80).await.is_err() {} };
            core.timeout(LIMIT, found).await.expect("the control thread works again");
        });
        host.finish();
    }
}

/// An address that takes no connection and refuses none: in the simulator one that nobody answers,
/// on the kernel a listener with a full backlog, which drops every SYN (listen(2)).
struct BlackHole {
    address: SocketAddr,
    full: Option<(std::net::TcpListener, Vec<std::net::TcpStream>)>,
}

impl BlackHole {
    fn new(place: &Place) -> BlackHole {
        const BACKLOG: usize = 1;
        let Some(world) = &place.world else {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
            let address = listener.local_addr().expect("bound");
            // SAFETY: the descriptor is that of the listener; no memory is passed.
            assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), BACKLOG as i32) }, 0);
            // Linux takes one more than the backlog says.
            let connect = |_| std::net::TcpStream::connect(address).expect("there is room");
            return BlackHole {
                address,
                full: Some((listener, (0..=BACKLOG).map(connect).collect())),
            };
        };
        let port = world.random_u64() as u16;
        let address = SocketAddr::from(([192, 0, 2, 1], port));
        world.add_black_hole(address);
        BlackHole { address, full: None }
    }

    /// Makes room: a SYN that comes again is answered, for as long as the listener is kept.
    fn open(self) -> (std::net::TcpListener, Vec<std::net::TcpStream>) {
        let (listener, mut streams) = self.full.expect("on the kernel");
        for _ in 0..streams.len() {
            streams.push(listener.accept().expect("in the backlog").0);
        }
        (listener, streams)
    }

    /// Waits until no socket of this machine tries to connect there any more. In the simulator what
    /// is left open is found when it stops.
    async fn is_let_alone(&self, core: &Core) {
        if self.full.is_none() {
            return;
        }
        let left = async {
            while connecting_to(self.address) {
                core.sleep(Duration::from_millis(1)).await;
            }
        };
        core.timeout(LIMIT, left).await.expect("a socket was left behind that still connects");
    }
}

/// Whether `/proc/net/tcp` (proc(5)) has a socket in the state SYN-SENT for this address.
fn connecting_to(address: SocketAddr) -> bool {
    let IpAddr::V4(ip) = address.ip() else { panic!("an IPv4 address") };
    let ip = u32::from_ne_bytes(ip.octets());
    let remote = format!("{ip:08X}:{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("procfs");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next() == Some(&remote) && fields.next() == Some("02")
    })
}

#[test]
fn a_black_hole_is_one() {
    on_all(|core, place| async move {
        let hole = BlackHole::new(&place);
        let error = TcpStream::connect(&core, hole.address, Duration::from_millis(100)).await;
        assert!(matches!(error, Err(Error::Stalled { operation: "connect", .. })), "{error:?}");
        if place.world.is_none() {
            // What looks for sockets that were left behind sees one that is there.
            let (own, address) = (core.clone(), hole.address);
            let connect = async move { TcpStream::connect(&own, address, LIMIT).await.is_ok() };
            let connecting = core.spawn(connect).expect("room");
            let seen = async {
                while !connecting_to(address) {
                    core.sleep(Duration::from_millis(1)).await;
                }
            };
            core.timeout(LIMIT, seen).await.expect("a socket that connects is seen");
            drop(connecting);
        }
        hole.is_let_alone(&core).await;
    });
}
