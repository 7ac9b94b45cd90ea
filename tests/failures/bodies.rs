//! Bodies that break off, stall, or are of another version.

use std::sync::Arc;
use std::time::Duration;

use hydrant::{Class, ErrorKind, Location};
use hydrant_tests::{Dice, PART, Peer, client_with, noise, read_all};

use super::{ETAG, locate, object};

#[test]
fn a_body_that_breaks_off_is_carried_on_where_it_broke() {
    for by_reset in [false, true] {
        let mut dice = Dice::of_the_day();
        for break_at in [1, 4000, PART - 1]
            .into_iter()
            .chain((0..5).map(|_| 1 + dice.below(PART as u64 - 2) as usize))
        {
            let data = Arc::new(noise(1, PART));
            let body = Arc::clone(&data);
            let peer = Peer::start(move |seen, wire| {
                let (head, body) = seen.ranged(&body, ETAG);
                wire.send(head.as_bytes())?;
                if seen.number > 0 {
                    return wire.send(body);
                }
                wire.send(&body[..break_at])?;
                if by_reset {
                    wire.reset()
                } else {
                    wire.close()
                }
                Ok(())
            });
            let (_hydrant, at) = object(&peer);
            assert!(read_all(&at).expect("mended") == *data, "broken at {break_at}");
            let seen = peer.seen();
            assert_eq!(seen.len(), 2, "{seen:?}");
            let (first, last) = seen[1].range().expect("a ranged GET");
            assert_eq!(last, PART - 1);
            // A reset throws away what the socket had and nobody has received yet.
            let carried_on = if by_reset { first <= break_at } else { first == break_at };
            assert!(carried_on, "broken at {break_at}, carried on at {first}");
            if first > 0 {
                assert_eq!(seen[1].header("if-match"), Some(ETAG), "carried on without If-Match");
            }
        }
    }
}

#[test]
fn a_body_that_breaks_off_again_and_again_is_read_to_its_end() {
    let data = Arc::new(noise(1, PART));
    let body = Arc::clone(&data);
    let peer = Peer::start(move |seen, wire| {
        let (head, body) = seen.ranged(&body, ETAG);
        wire.send(head.as_bytes())?;
        wire.send(&body[..body.len().min(500_000)])?;
        if body.len() > 500_000 {
            wire.close();
        }
        Ok(())
    });
    let (_hydrant, at) = object(&peer);
    assert!(read_all(&at).expect("each try makes progress") == *data);
    assert_eq!(peer.seen().len(), PART.div_ceil(500_000));
}

#[test]
fn a_body_that_breaks_off_is_not_carried_on_with_another_version() {
    // The second answer comes from a server that knows no If-Match.
    let (old, new) = (noise(1, PART), noise(2, PART));
    let peer = Peer::start(move |seen, wire| {
        if seen.number > 0 {
            let (head, body) = seen.ranged(&new, "\"version-2\"");
            wire.send(head.as_bytes())?;
            return wire.send(body);
        }
        let (head, body) = seen.ranged(&old, ETAG);
        wire.send(head.as_bytes())?;
        wire.send(&body[..PART / 2])?;
        wire.close();
        Ok(())
    });
    let (_hydrant, at) = object(&peer);
    expect_changed(&at);
}

#[test]
fn parts_of_two_versions_are_never_mixed() {
    let (old, new) = (noise(1, 4 * PART), noise(2, 4 * PART));
    let answers_412 = [false, true];
    for refuses in answers_412 {
        let (old, new) = (old.clone(), new.clone());
        let peer = Peer::start(move |seen, wire| {
            let first = seen.range().expect("a ranged GET").0;
            if first < 2 * PART {
                let (head, body) = seen.ranged(&old, ETAG);
                wire.send(head.as_bytes())?;
                return wire.send(body);
            }
            assert_eq!(seen.header("if-match"), Some(ETAG));
            if refuses {
                return wire.send(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n");
            }
            let (head, body) = seen.ranged(&new, "\"version-2\"");
            wire.send(head.as_bytes())?;
            wire.send(body)
        });
        let (_hydrant, at) = object(&peer);
        expect_changed(&at);
    }
}

#[test]
fn a_size_that_changes_between_parts_is_a_change() {
    let data = noise(1, 4 * PART);
    let peer = Peer::start(move |seen, wire| {
        let first = seen.range().expect("a ranged GET").0;
        let end = if first == 0 { data.len() } else { data.len() - 1 };
        let (head, body) = seen.ranged(&data[..end], ETAG);
        wire.send(head.as_bytes())?;
        wire.send(body)
    });
    let (_hydrant, at) = object(&peer);
    expect_changed(&at);
}

#[test]
fn a_peer_that_falls_silent_is_a_stall_and_one_that_dribbles_is_not() {
    let silent = Peer::start(|seen, wire| {
        let (head, _) = seen.ranged(&[0; 1000], ETAG);
        wire.send(head.as_bytes())?;
        // The client goes away before this ends, or the test does.
        wire.receive_body()?;
        std::thread::sleep(Duration::from_millis(600));
        wire.close();
        Ok(())
    });
    let impatient = |url: &str, stall| {
        client_with(url, |builder| {
            builder.s3(|s3| {
                s3.http.stall = stall;
                s3.retry.tries_max = 2;
            })
        })
    };
    let hydrant = impatient(&silent.url(), Duration::from_millis(200));
    let error = read_all(&locate(&hydrant)).expect_err("silent");
    assert_eq!(error.class(), Class::Temporary, "{error}");

    // The whole takes longer than the limit, and each byte much less.
    let dribbling = Peer::start(|seen, wire| {
        let (head, body) = seen.ranged(&[7; 12], ETAG);
        wire.send(head.as_bytes())?;
        for byte in body {
            std::thread::sleep(Duration::from_millis(300));
            wire.send(&[*byte])?;
        }
        Ok(())
    });
    let hydrant = impatient(&dribbling.url(), Duration::from_secs(3));
    assert_eq!(read_all(&locate(&hydrant)).expect("it moves"), [7; 12]);
    assert_eq!(dribbling.seen().len(), 1);
}

/// What came before the silence is not asked for again.
#[test]
fn a_body_that_stalls_is_carried_on_where_it_stalled() {
    const CAME: usize = 30_000;
    let data = Arc::new(noise(1, PART));
    let body = Arc::clone(&data);
    let peer = Peer::start(move |seen, wire| {
        let (head, body) = seen.ranged(&body, ETAG);
        wire.send(head.as_bytes())?;
        if seen.number > 0 {
            return wire.send(body);
        }
        wire.send(&body[..CAME])?;
        // Until the client goes away.
        wire.receive_rest().map(drop)
    });
    let hydrant =
        client_with(&peer.url(), |builder| builder.s3(|s3| s3.http.stall = Duration::from_secs(3)));
    assert!(read_all(&locate(&hydrant)).expect("mended") == *data);
    let asked: Vec<_> = peer.seen().iter().map(|seen| seen.range()).collect();
    assert_eq!(asked, [Some((0, PART - 1)), Some((CAME, PART - 1))]);
}

#[track_caller]
fn expect_changed(at: &Location) {
    let error = read_all(at).expect_err("two versions");
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
}
