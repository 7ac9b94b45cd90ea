//! Several servers of one store: all of them serve, one that is in trouble is left alone and asked again
//! when it is back, and no request is sent twice that must not be.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hydrant::s3::credentials::{Credentials, Identity};
use hydrant::{Bytes, ErrorKind, Hydrant, PutOptions, Store, WriteIf};
use hydrant_tests::{
    BUCKET, PART, Peer, Seen, Wire, World, client_with, noise, read_all, wait_until,
};

const FINE: &[u8] = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/4\r\n\
                      Content-Length: 4\r\n\r\nfine";
/// An address of the server's that can die: what comes there goes to the server.
struct Door {
    addr: SocketAddr,
    shared: Arc<Passing>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Passing {
    bytes: AtomicU64,
    closed: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Door {
    fn open(at: SocketAddr, server: SocketAddr) -> Door {
        let listener = TcpListener::bind(at).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Passing::default());
        let passing = Arc::clone(&shared);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                let (client, server) =
                    (stream.expect("a client"), TcpStream::connect(server).expect("the server"));
                if passing.closed.load(SeqCst) {
                    return;
                }
                for (from, to, counts) in [(&client, &server, true), (&server, &client, false)] {
                    let [from, to] = [from, to].map(|it| it.try_clone().expect("a handle"));
                    let passing = Arc::clone(&passing);
                    thread::spawn(move || pass(from, to, &passing, counts));
                }
                passing.streams.lock().expect("no panic").extend([client, server]);
            }
        });
        Door { addr, shared, accepting: Some(accepting) }
    }

    /// Bytes of requests that came through.
    fn bytes(&self) -> u64 {
        self.shared.bytes.load(SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, passing: &Passing, counts: bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passing.bytes.fetch_add(if counts { count as u64 } else { 0 }, SeqCst);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shared.closed.store(true, SeqCst);
        // Wakes the accept.
        drop(TcpStream::connect(self.addr));
        self.accepting.take().map(JoinHandle::join);
        for stream in self.shared.streams.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn a_server_that_dies_in_a_transfer_is_done_without_and_asked_again_when_it_is_back() {
    let world = World::new();
    let at = |host| SocketAddr::from(([127, 0, 0, host], 0));
    let stays = Door::open(at(2), world.server().addr());
    let port = stays.addr.port();
    let dies_at = SocketAddr::from(([127, 0, 0, 3], port));
    let dies = Door::open(dies_at, world.server().addr());
    let hydrant = world.client_with(|builder| {
        builder.cores(1).s3(|s3| {
            s3.endpoint.url = Some(format!("http://127.0.0.{{2...3}}:{port}"));
            s3.endpoints.left_alone = Duration::from_millis(20);
        })
    });
    let at = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
    let data = noise(1, 12 * PART);
    at.store.put(&at.key, Bytes::from(data.clone())).wait().expect("put");
    assert!(stays.bytes() > 4 * PART as u64 && dies.bytes() > 4 * PART as u64, "both take parts");
    assert!(read_all(&at).expect("read") == data);

    let mut writer = at.store.writer("other", PutOptions::default()).expect("a writer");
    writer.write_wait(&data[..3 * PART]).expect("written");
    let mut stream = at.store.get(&at.key, Default::default()).expect("a stream");
    let mut read = stream.next_wait().expect("a piece").expect("read").to_vec();
    drop(dies);
    while let Some(piece) = stream.next_wait() {
        read.extend_from_slice(&piece.expect("read elsewhere"));
    }
    assert!(read == data);
    writer.write_wait(&data[3 * PART..]).expect("written elsewhere");
    writer.finish_wait().expect("completed");
    let other = at.with_key("other").expect("a key");
    assert!(read_all(&other).expect("read") == data);

    let back = Door::open(dies_at, world.server().addr());
    wait_until("it is asked again", || {
        assert_eq!(at.store.get_range(&at.key, 0..4).wait().expect("read")[..], data[..4]);
        back.bytes() > 0
    });
}

/// A client of these peers, one core, that leaves alone for ever what it leaves alone.
fn store_of(peers: &[&str]) -> (Hydrant, Store) {
    let hydrant = client_with(&peers.join(","), |builder| {
        builder.cores(1).s3(|s3| {
            s3.endpoints.left_alone = Duration::from_secs(3600);
            s3.endpoints.left_alone_max = Duration::from_secs(3600);
        })
    });
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    (hydrant, store)
}

fn fine(_: &Seen, wire: &mut Wire) -> std::io::Result<()> {
    wire.send(FINE)
}

fn read_often(store: &Store) {
    for _ in 0..20 {
        assert_eq!(store.get_range("key", 0..4).wait().expect("read")[..], *b"fine");
    }
}

/// An endpoint at which nobody listens: the kernel hands out no port below 1024.
fn nobody(host: u8) -> String {
    format!("http://127.0.0.{host}:1")
}

#[test]
fn each_server_is_asked_by_its_own_name_in_turn() {
    let peers = [Peer::start(fine), Peer::start(fine)];
    let urls = [peers[0].url(), peers[1].url()];
    let (_hydrant, store) = store_of(&[&urls[0], &urls[1]]);
    read_often(&store);
    for (peer, url) in peers.iter().zip(&urls) {
        let seen = peer.seen();
        assert_eq!(seen.len(), 10);
        assert!(seen.iter().all(|it| it.header("host") == url.strip_prefix("http://")));
        assert!(seen.iter().all(|it| it.connection == 0), "one connection each");
    }
}

#[test]
fn a_server_that_fails_again_and_again_is_left_alone() {
    for trouble in [
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        "no HTTP at all\r\n\r\n",
    ] {
        let sick = Peer::start(move |_, wire| {
            wire.send(trouble.as_bytes())?;
            wire.close();
            Ok(())
        });
        let healthy = Peer::start(fine);
        let (_hydrant, store) = store_of(&[&sick.url(), &nobody(3), &healthy.url()]);
        // A 503 holds requests to it back for a while, which all of the reads may fall into.
        wait_until("it has failed three times", || {
            read_often(&store);
            sick.seen().len() >= 3
        });
        read_often(&store);
        assert_eq!(sick.seen().len(), 3, "{trouble}");
    }
}

#[test]
fn a_server_that_refuses_for_good_reason_is_not_left_alone() {
    let refuses =
        Peer::start(|_, wire| wire.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    let other = Peer::start(fine);
    let (_hydrant, store) = store_of(&[&refuses.url(), &other.url()]);
    let failed = (0..20).filter(|_| store.get_range("key", 0..4).wait().is_err()).count();
    assert_eq!((failed, refuses.seen().len()), (10, 10));
}

#[test]
fn a_server_that_wants_to_be_left_alone_is_and_the_others_are_not() {
    const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code><Message>fewer</Message></Error>";
    let tired = Peer::start(|_, wire| {
        let head = "HTTP/1.1 503 Slow Down\r\nRetry-After: 3600\r\nContent-Length";
        wire.send(format!("{head}: {}\r\n\r\n{SLOW_DOWN}", SLOW_DOWN.len()).as_bytes())
    });
    let awake = Peer::start(fine);
    let (_hydrant, store) = store_of(&[&tired.url(), &awake.url()]);
    read_often(&store);
    assert_eq!((tired.seen().len(), awake.seen().len()), (1, 20));
}

fn elsewhere(wire: &mut Wire, url: &str) -> std::io::Result<()> {
    elsewhere_with(wire, url, "")
}

fn elsewhere_with(wire: &mut Wire, url: &str, told: &str) -> std::io::Result<()> {
    let document = "<Error><Code>TemporaryRedirect</Code><Message>there</Message></Error>";
    let length = document.len();
    let head = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {url}/{BUCKET}/key\r\n\
         {told}Content-Length: {length}\r\n\r\n{document}"
    );
    wire.send(head.as_bytes())
}

/// The body goes anew, and the server that it goes to checks the signature.
#[test]
fn a_server_that_names_another_of_its_store_is_followed() {
    let world = World::new();
    let there = world.server().url();
    let to = there.clone();
    // A region that is told besides has no host of its own here.
    let told = ["", "x-amz-bucket-region: eu-central-1\r\n"];
    for (waits_for_the_body, told) in [(false, told[0]), (true, told[0]), (false, told[1])] {
        let to = to.clone();
        let peer = Peer::start(move |_, wire| {
            if waits_for_the_body {
                wire.receive_body()?;
            }
            elsewhere_with(wire, &to, told)
        });
        let endpoints = format!("{},{there}", peer.url());
        let hydrant = world
            .client_with(|builder| builder.cores(1).s3(|s3| s3.endpoint.url = Some(endpoints)));
        let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
        let before = world.server().stats().requests();
        let data = Bytes::from(noise(1, PART));
        store.put("key", data.clone()).wait().expect("followed");
        assert_eq!(peer.seen().len(), 1);
        assert_eq!(world.server().stats().requests(), before + 1);
        assert!(std::fs::read(world.object("key")).expect("an object") == data);
    }
}

#[test]
fn a_server_that_leads_to_a_stranger_or_in_circles_is_not_followed() {
    let stranger = Peer::start(fine);
    let url = stranger.url();
    let peer = Peer::start(move |_, wire| elsewhere(wire, &url));
    let keys = Credentials::new("AKID", "secret", None, None).expect("credentials");
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| s3.identity = Some(Identity::Keys(keys)))
    });
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let error = store.get_range("key", 0..4).wait().expect_err("not followed");
    assert!(error.to_string().contains("TemporaryRedirect"), "{error}");
    assert_eq!((peer.seen().len(), stranger.connections()), (1, 0), "SEC-3");

    let other = Arc::new(Mutex::new(String::new()));
    let circle = |to: &Arc<Mutex<String>>| {
        let to = Arc::clone(to);
        Peer::start(move |_, wire| elsewhere(wire, &to.lock().expect("no panic").clone()))
    };
    let first = circle(&other);
    let second = circle(&Arc::new(Mutex::new(first.url())));
    *other.lock().expect("no panic") = second.url();
    let (_hydrant, store) = store_of(&[&first.url(), &second.url()]);
    store.get_range("key", 0..4).wait().expect_err("in circles");
    assert_eq!((first.seen().len(), second.seen().len()), (1, 1), "one step");
}

#[test]
fn what_must_not_be_sent_twice_goes_elsewhere_only_where_it_was_not_sent() {
    let created = |_: &Seen, wire: &mut Wire| -> std::io::Result<()> {
        wire.receive_body()?;
        wire.send(b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n")
    };
    let mut once = PutOptions::default();
    once.write_if = Some(WriteIf::Absent);
    // Nobody there: it was not sent.
    let there = Peer::start(created);
    let (_hydrant, store) = store_of(&[&nobody(3), &there.url()]);
    store.put_with("key", Bytes::from_static(b"x"), once.clone()).wait().expect("put elsewhere");
    assert_eq!(there.seen().len(), 1);
    // Gone before it has answered, or answered for by somebody else: it may have been performed.
    for answer in ["", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"] {
        let breaks = Peer::start(move |_, wire| {
            wire.receive_body()?;
            wire.send(answer.as_bytes())?;
            wire.close();
            Ok(())
        });
        let there = Peer::start(created);
        let (_hydrant, store) = store_of(&[&breaks.url(), &there.url()]);
        let error = store.put_with("key", Bytes::from_static(b"x"), once.clone()).wait();
        let error = error.expect_err("nobody knows");
        assert!(error.to_string().contains("may have been carried out") || answer.is_empty());
        assert_eq!((breaks.seen().len(), there.seen().len()), (1, 0), "{error}");
        // Without a condition a second one does no harm.
        store.put("key", Bytes::from_static(b"x")).wait().expect("put elsewhere");
        store.put("key", Bytes::from_static(b"x")).wait().expect("put elsewhere");
        assert_eq!(there.seen().len(), 2);
    }
}

#[test]
fn where_nobody_is_left_the_error_is_of_the_last() {
    let (_hydrant, store) = store_of(&[&nobody(3), &nobody(4)]);
    let error = store.get_range("key", 0..4).wait().expect_err("nobody");
    assert!(matches!(error.kind(), ErrorKind::Http { attempts: 5, .. }), "{error}");
}

#[test]
fn all_that_were_away_are_asked_again() {
    let away = Arc::new(AtomicBool::new(true));
    let peers = [0, 1].map(|_| {
        let away = Arc::clone(&away);
        Peer::start(move |_, wire| {
            if away.load(SeqCst) {
                wire.close();
                return Ok(());
            }
            wire.send(FINE)
        })
    });
    let (_hydrant, store) = store_of(&[&peers[0].url(), &peers[1].url()]);
    for _ in 0..4 {
        store.get_range("key", 0..4).wait().expect_err("both are away");
    }
    away.store(false, SeqCst);
    read_often(&store);
}
