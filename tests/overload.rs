//! A server that asks for fewer requests gets fewer, and more again later; one that wants to be left
//! alone for a while is.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hydrant_tests::{BUCKET, Peer, client_with, wait_until};

const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code><Message>fewer</Message></Error>";

/// Requests under way at the peer.
#[derive(Default)]
struct UnderWay {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[test]
fn a_server_that_says_slow_down_gets_half_and_slowly_more_again() {
    const AT_ONCE: usize = 8;
    const LATER: usize = 40;
    let (under_way, refused) = (Arc::new(UnderWay::default()), Arc::new(AtomicUsize::new(0)));
    let (counts, refusals) = (Arc::clone(&under_way), Arc::clone(&refused));
    let storm = Arc::new((Mutex::new(0), Condvar::new()));
    let peer = Peer::start(move |seen, wire| {
        let in_storm = seen.number < AT_ONCE;
        if in_storm {
            // All of them are under way before the first is refused.
            let (arrived, changed) = &*storm;
            let mut arrived = arrived.lock().expect("no panic");
            *arrived += 1;
            changed.notify_all();
            drop(changed.wait_while(arrived, |arrived| *arrived < AT_ONCE).expect("no panic"));
            refusals.fetch_add(1, SeqCst);
            let length = SLOW_DOWN.len();
            let head = format!("HTTP/1.1 503 Slow Down\r\nContent-Length: {length}\r\n\r\n");
            return wire.send(format!("{head}{SLOW_DOWN}").as_bytes());
        }
        let now = counts.now.fetch_add(1, SeqCst) + 1;
        counts.most.fetch_max(now, SeqCst);
        // Long enough that those which may be under way together are.
        std::thread::sleep(Duration::from_millis(3));
        counts.now.fetch_sub(1, SeqCst);
        let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/4\r\n\
                    Content-Length: 4\r\n\r\nfine";
        wire.send(head.as_bytes())
    });
    let hydrant = client_with(&peer.url(), |builder| {
        builder.cores(1).s3(|s3| s3.http.connections_per_core_max = AT_ONCE)
    });
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let read =
        |count: usize| -> Vec<_> { (0..count).map(|_| store.get_range("key", 0..4)).collect() };
    for task in read(AT_ONCE) {
        assert_eq!(&task.wait().expect("asked again")[..], b"fine");
    }
    assert_eq!(refused.load(SeqCst), AT_ONCE);
    // All were refused together, which counts once: 4 were allowed, and 5 once 4 had succeeded.
    let most = under_way.most.load(SeqCst);
    assert!((1..=AT_ONCE / 2 + 1).contains(&most), "{most} at once");
    // 4 successes for each step from 5 to 8 and more: after these all are allowed again.
    for task in read(LATER) {
        assert_eq!(&task.wait().expect("read")[..], b"fine");
    }
    wait_until("as many at once as before", || {
        read(2 * AT_ONCE).into_iter().for_each(|task| drop(task.wait().expect("read")));
        under_way.most.load(SeqCst) == AT_ONCE
    });
}

/// Counts requests that come before the server wants them. A machine that is slow only makes them come
/// later, so how fast it is decides nothing.
#[test]
fn who_asks_to_be_left_alone_gets_no_request_meanwhile() {
    const OTHERS: usize = 5;
    for tries in [1, 5] {
        let alone_until = Arc::new(Mutex::new(Instant::now()));
        let early = Arc::new(AtomicUsize::new(0));
        let (until, counts) = (Arc::clone(&alone_until), Arc::clone(&early));
        let peer = Peer::start(move |seen, wire| {
            let mut until = until.lock().expect("no panic");
            if seen.number == 0 {
                *until = Instant::now() + Duration::from_secs(1);
                let head = "HTTP/1.1 503 Slow Down\r\nRetry-After: 1\r\nConnection: close";
                let length = SLOW_DOWN.len();
                let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{SLOW_DOWN}");
                wire.send(answer.as_bytes())?;
                wire.close();
                return Ok(());
            }
            counts.fetch_add(usize::from(Instant::now() < *until), SeqCst);
            let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/4\r\n\
                        Content-Length: 4\r\n\r\nfine";
            wire.send(head.as_bytes())
        });
        let hydrant = client_with(&peer.url(), |builder| {
            builder.cores(1).s3(|s3| {
                // The others stand in the line until the first has been refused.
                s3.http.connections_per_core_max = 1;
                s3.retry.tries_max = tries;
            })
        });
        let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
        let tasks: Vec<_> = (0..=OTHERS).map(|_| store.get_range("key", 0..4)).collect();
        let read = tasks.into_iter().map(|task| task.wait());
        let failed = read.filter(Result::is_err).count();
        assert_eq!(failed, usize::from(tries == 1), "who has one try is refused");
        assert_eq!(early.load(SeqCst), 0, "{tries} tries");
        let asked = 1 + OTHERS + usize::from(tries > 1);
        assert_eq!(peer.seen().len(), asked, "{tries} tries");
        // Nobody opens one to find out then that the server wants none: that of the refusal, one for
        // those in the line, and a fresh one for the second try.
        let most = if tries > 1 { 3 } else { 2 };
        assert!(peer.connections() <= most, "{} connections", peer.connections());
    }
}
