//! Large bodies wait until the server wants them (`Expect: 100-continue`).

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use hydrant::{Bytes, Class, Hydrant, PutOptions, Store, WriteIf};
use hydrant_tests::{BUCKET, Peer, World, client_with, noise, wait_until};

/// Bytes from which on a body is announced by default.
const LARGE: usize = 1 << 20;

const STORED: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n";
const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

/// A bucket that stays open, and what is learnt of its server with it.
fn bucket(peer: &Peer, wait: Duration) -> (Hydrant, Store) {
    bucket_at(&peer.url(), wait)
}

fn bucket_at(url: &str, wait: Duration) -> (Hydrant, Store) {
    let hydrant =
        client_with(url, |builder| builder.cores(1).s3(|s3| s3.http.expect_continue_wait = wait));
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    (hydrant, store)
}

fn put(store: &Store, size: usize) -> hydrant::Result<()> {
    store.put("key", Bytes::from(noise(1, size))).wait().map(drop)
}

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_large_body_is_sent_once_it_is_wanted() {
    let peer = Peer::start(|seen, wire| {
        if seen.header("expect").is_some() {
            wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")?;
        }
        let size = seen.header("content-length").expect("told").parse().expect("a number");
        assert!(wire.receive_body()? == noise(1, size));
        wire.send(STORED)
    });
    let (_hydrant, store) = bucket(&peer, LONG);
    for size in [LARGE - 1, 0, LARGE] {
        put(&store, size).expect("stored");
    }
    let seen = peer.seen();
    let expects: Vec<_> = seen.iter().map(|seen| seen.header("expect")).collect();
    assert_eq!(expects, [None, None, Some("100-continue")]);
    assert!(seen.iter().all(|seen| seen.connection == 0), "the connection is used again");
}

/// To be asked each time would cost each body the time of a small request.
#[test]
fn a_server_that_took_a_body_is_asked_again_after_a_refusal() {
    let count = AtomicUsize::new(0);
    let peer = Peer::start(move |seen, wire| {
        if seen.method == "HEAD" {
            return wire.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
        wire.receive_body()?;
        wire.send(if count.fetch_add(1, SeqCst) == 2 { REFUSED } else { STORED })
    });
    let (_hydrant, store) = bucket(&peer, LONG);
    put(&store, LARGE).expect("stored");
    put(&store, LARGE).expect("stored");
    put(&store, LARGE).expect_err("refused");
    put(&store, LARGE).expect("stored");
    store.head("none").wait().expect_err("that says nothing of bodies");
    put(&store, LARGE).expect("stored");
    let puts = peer.seen().into_iter().filter(|seen| seen.method == "PUT");
    let asked: Vec<_> = puts.map(|seen| seen.header("expect").is_some()).collect();
    assert_eq!(asked, [true, false, false, true, false]);
}

/// What was on its way before another was refused says nothing of those that follow, asked for or not.
#[test]
fn a_success_of_before_does_not_make_up_for_a_refusal() {
    for slow_is_asked_for in [false, true] {
        let (end, ends) = mpsc::channel();
        let ends = Mutex::new(ends);
        let peer = Peer::start(move |seen, wire| {
            wire.receive_body()?;
            if seen.target.ends_with("slow") {
                ends.lock().expect("no panic").recv().expect("it is to end");
            }
            wire.send(if seen.target.ends_with("refused") { REFUSED } else { STORED })
        });
        let (_hydrant, store) = bucket(&peer, LONG);
        let body = || Bytes::from(noise(1, LARGE));
        if !slow_is_asked_for {
            store.put("first", body()).wait().expect("stored");
        }
        let before = peer.seen().len();
        let slow = store.put("slow", body());
        wait_until("it is under way", || peer.seen().len() == before + 1);
        store.put("refused", body()).wait().expect_err("refused");
        end.send(()).expect("it is awaited");
        slow.wait().expect("stored");
        for key in ["third", "fourth"] {
            store.put(key, body()).wait().expect("stored");
        }
        let seen = peer.seen();
        let asked: Vec<_> =
            seen[before..].iter().map(|seen| seen.header("expect").is_some()).collect();
        assert_eq!(asked, [slow_is_asked_for, slow_is_asked_for, true, false]);
    }
}

/// What breaks may have been a refusal; small bodies, and conditions that are not met, say nothing of others.
#[test]
fn a_broken_connection_is_a_reason_to_ask_and_other_refusals_are_none() {
    let broken = AtomicUsize::new(0);
    let peer = Peer::start(move |seen, wire| {
        wire.receive_body()?;
        if seen.target.ends_with("broken") && broken.fetch_add(1, SeqCst) == 0 {
            wire.close();
            return Ok(());
        }
        wire.send(if seen.target.ends_with("refused") { REFUSED } else { STORED })
    });
    let (_hydrant, store) = bucket(&peer, LONG);
    let body = |size| Bytes::from(noise(1, size));
    let mut once = PutOptions::default();
    once.write_if = Some(WriteIf::Absent);
    put(&store, LARGE).expect("stored");
    store.put("refused", body(1)).wait().expect_err("refused");
    store.put_with("refused", body(LARGE), once).wait().expect_err("refused");
    put(&store, LARGE).expect("stored");
    store.put("broken", body(LARGE)).wait().expect("at the second try");
    put(&store, LARGE).expect("stored");
    let asked: Vec<_> = peer.seen().iter().map(|seen| seen.header("expect").is_some()).collect();
    assert_eq!(asked, [true, false, true, false, false, true, false]);
}

/// A refusal before any of it was sent leaves nothing in doubt, so that it may be tried again.
#[test]
fn a_write_that_must_not_be_sent_twice_is_asked_for_each_time() {
    let peer = Peer::start(|_, wire| {
        wire.receive_body()?;
        wire.send(STORED)
    });
    let (_hydrant, store) = bucket(&peer, LONG);
    let mut options = PutOptions::default();
    options.write_if = Some(WriteIf::Absent);
    for _ in 0..2 {
        put(&store, LARGE).expect("stored");
        let body = Bytes::from(noise(1, LARGE));
        store.put_with("key", body, options.clone()).wait().expect("stored");
    }
    let asked: Vec<_> = peer.seen().iter().map(|seen| seen.header("expect").is_some()).collect();
    assert_eq!(asked, [true, true, false, true]);
}

#[test]
fn a_refusal_costs_no_body() {
    let rest = Arc::new(Mutex::new(Vec::new()));
    let came = Arc::clone(&rest);
    let peer = Peer::start(move |_, wire| {
        wire.send(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 51\r\n\r\n\
              <Error><Code>AccessDenied</Code><Message/></Error>\n",
        )?;
        let rest = wire.receive_rest()?;
        came.lock().expect("no panic").push(rest.len());
        wire.close();
        Ok(())
    });
    let (_hydrant, store) = bucket(&peer, LONG);
    for _ in 0..2 {
        let error = put(&store, 5 * LARGE).expect_err("refused");
        assert!(error.to_string().contains("AccessDenied"), "{error}");
        assert_eq!(error.class(), Class::Config);
    }
    assert_eq!(peer.seen().len(), 2);
    assert_eq!(peer.seen()[1].connection, 1, "such a connection is not used again");
    drop(peer);
    assert_eq!(*rest.lock().expect("no panic"), [0, 0], "no byte of a body was sent");
}

#[test]
fn a_server_that_says_nothing_gets_the_body_and_is_not_asked_again() {
    let peer = Peer::start(|_, wire| {
        assert!(wire.receive_body_unasked()? == noise(1, LARGE));
        wire.send(STORED)
    });
    let (_hydrant, store) = bucket(&peer, Duration::from_millis(20));
    for _ in 0..3 {
        put(&store, LARGE).expect("stored");
    }
    let expects = peer.seen().iter().filter(|seen| seen.header("expect").is_some()).count();
    assert_eq!(expects, 1);
}

fn refuses_expectations() -> Peer {
    Peer::start(|seen, wire| {
        if seen.header("expect").is_some() {
            return wire.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
        }
        wire.receive_body()?;
        wire.send(STORED)
    })
}

/// There are more of them than a request has tries.
#[test]
fn one_endpoint_that_refuses_the_expectation_tells_for_all() {
    let peers = [(); 6].map(|()| refuses_expectations());
    let urls = peers.each_ref().map(|peer| peer.url().to_string());
    let (_hydrant, store) = bucket_at(&urls.join(","), LONG);
    put(&store, LARGE).expect("stored");
    let expected =
        |peer: &Peer| peer.seen().iter().filter(|it| it.header("expect").is_some()).count();
    assert_eq!(peers.iter().map(expected).sum::<usize>(), 1);
}

/// Also for a write that must not be sent twice: what was refused so was not carried out.
#[test]
fn a_server_that_refuses_the_expectation_is_asked_without() {
    for write_if in [None, Some(WriteIf::Absent)] {
        let peer = refuses_expectations();
        let (_hydrant, store) = bucket(&peer, LONG);
        let mut options = PutOptions::default();
        options.write_if = write_if;
        for _ in 0..2 {
            let written = store.put_with("key", Bytes::from(noise(1, LARGE)), options.clone());
            written.wait().expect("stored");
        }
        assert_eq!(peer.seen().len(), 3);
    }
}

/// DATA-2: what was not sent is not stored.
#[test]
fn a_success_before_the_body_was_sent_is_none() {
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let peer = Peer::start(move |_, wire| {
        count.fetch_add(1, SeqCst);
        wire.send(STORED)?;
        wire.receive_rest().map(drop)
    });
    let (_hydrant, store) = bucket(&peer, LONG);
    let error = put(&store, LARGE).expect_err("nothing was stored");
    assert_eq!(error.class(), Class::Temporary, "{error}");
    assert!(answered.load(SeqCst) > 1, "it may have been a mistake");
}

#[test]
fn a_real_server_says_when_it_wants_a_body() {
    let world = World::new();
    let hydrant = world.client_with(|builder| builder.s3(|s3| s3.http.expect_continue_wait = LONG));
    let at = hydrant.locate(&world.uri("s3", "key")).expect("a URI");
    let data = noise(1, 11 << 20);
    at.store.put(&at.key, Bytes::from(data.clone())).wait().expect("stored");
    assert!(hydrant_tests::read_all(&at).expect("read") == data);
}
