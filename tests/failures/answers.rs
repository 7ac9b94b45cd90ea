//! Answers that are about something else than what was asked, and odd ones that are not.

use std::io;
use std::sync::Arc;

use hydrant::ErrorKind;
use hydrant_tests::{PART, Peer, Wire, noise, read_all};

use super::{ETAG, object};

#[test]
fn an_answer_to_another_range_is_never_taken() {
    // First byte, last byte, total, and Content-Length of what is asked for as 0-3 of 4.
    for (range, length) in [
        ("1-4/4", 4),
        ("0-2/4", 3),
        ("1-3/4", 3),
        ("0-3/4", 3),
        ("0-3/4", 5),
        ("0-9/10", 10),
        ("0-3/*", 4),
        ("3-0/4", 4),
        ("nonsense", 4),
        ("0-18446744073709551615/18446744073709551615", 4),
    ] {
        let peer = Peer::start(move |_, wire| {
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nETag: {ETAG}\r\nContent-Range: bytes {range}\r\n\
                 Content-Length: {length}\r\n\r\n"
            );
            wire.send(head.as_bytes())?;
            wire.send(&b"0123456789"[..length])
        });
        let (_hydrant, at) = object(&peer);
        let back = at.store.get_range(&at.key, 0..4).wait();
        assert!(back.is_err(), "bytes {range}, length {length}: {back:?}");
    }
}

#[test]
fn a_body_without_range_is_never_taken_for_a_part_of_one() {
    let data = Arc::new(noise(1, 2 * PART));
    let body = Arc::clone(&data);
    let peer = Peer::start(move |_, wire| ok(wire, &body));
    let (_hydrant, at) = object(&peer);
    let error = read_all(&at).expect_err("ranges are ignored");
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    let mut memory = vec![0; 100];
    assert!(at.store.get_into(&at.key, 1000, &mut memory).is_err());
}

#[test]
fn a_small_object_may_come_with_status_200() {
    let data = noise(1, 1000);
    let body = data.clone();
    let peer = Peer::start(move |_, wire| ok(wire, &body));
    let (_hydrant, at) = object(&peer);
    assert!(read_all(&at).expect("whole") == data);
}

#[test]
fn an_empty_object_has_no_range() {
    let peer = Peer::start(|_, wire| {
        wire.send(
            b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */0\r\n\
              Content-Length: 11\r\n\r\n<Error/>   ",
        )
    });
    let (_hydrant, at) = object(&peer);
    assert!(read_all(&at).expect("empty").is_empty());
    let back = at.store.get_range(&at.key, 0..10).wait().expect("empty");
    assert!(back.is_empty());
    assert_eq!(at.store.get_into(&at.key, 0, &mut [0; 10]).expect("empty"), 0);
}

#[test]
fn heads_may_come_byte_by_byte_and_behind_interim_ones() {
    let data = noise(1, 100_000);
    let body = data.clone();
    let peer = Peer::start(move |seen, wire| {
        let (head, body) = seen.ranged(&body, ETAG);
        wire.send_bytewise(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        wire.send_bytewise(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")?;
        wire.send_bytewise(head.as_bytes())?;
        wire.send_bytewise(&body[..50])?;
        wire.send(&body[50..])
    });
    let (_hydrant, at) = object(&peer);
    for _ in 0..3 {
        assert!(read_all(&at).expect("whole") == data);
    }
    assert!(peer.seen().iter().all(|seen| seen.connection < 2), "connections are used again");
}

#[test]
fn a_head_may_be_longer_than_the_first_buffer_but_not_endless() {
    let filler = |count| "X-Filler: 0123456789012345678901234567890123456789\r\n".repeat(count);
    for (filler, fits) in [(filler(0), true), (filler(90), true), (filler(5000), false)] {
        let peer = Peer::start(move |seen, wire| {
            let (head, body) = seen.ranged(b"body", ETAG);
            wire.send(head.replacen("\r\n", &format!("\r\n{filler}"), 1).as_bytes())?;
            wire.send(body)
        });
        let (_hydrant, at) = object(&peer);
        match at.store.get_range(&at.key, 0..4).wait() {
            Ok(back) => assert!(fits && back == b"body"[..]),
            Err(error) => assert!(!fits, "{error}"),
        }
    }
}

#[test]
fn a_chunked_body_is_put_together() {
    let data = Arc::new(noise(1, 300_000));
    for cut in [1, 7, 4096, 100_000, 300_000] {
        let (body, size) = (Arc::clone(&data), if cut == 1 { 3000 } else { data.len() });
        let peer = Peer::start(move |_, wire| {
            let mut answer = format!(
                "HTTP/1.1 206 Partial Content\r\nETag: {ETAG}\r\nTransfer-Encoding: chunked\r\n\
                 Content-Range: bytes 0-{}/{size}\r\n\r\n",
                size - 1
            )
            .into_bytes();
            for (number, chunk) in body[..size].chunks(cut).enumerate() {
                // All extensions of a body together are limited.
                let extension = if number < 10 { ";ext=1" } else { "" };
                let line = format!("{:x}{extension}\r\n", chunk.len());
                answer.extend_from_slice(line.as_bytes());
                answer.extend_from_slice(chunk);
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
            wire.send(&answer)
        });
        let (_hydrant, at) = object(&peer);
        for _ in 0..2 {
            assert!(read_all(&at).expect("whole") == data[..size], "chunks of {cut}");
        }
        assert!(peer.seen().iter().all(|seen| seen.connection < 2), "{cut}: used again");
    }
}

#[test]
fn a_chunked_body_that_ends_early_or_late_is_never_taken_for_whole() {
    for (chunks, closes) in [
        ("3\r\nabc\r\n0\r\n\r\n", false),
        ("5\r\nabcde\r\n0\r\n\r\n", false),
        ("2\r\nab\r\n", true),
        ("zz\r\nabcd\r\n0\r\n\r\n", false),
        ("4\r\nabcdX\r\n0\r\n\r\n", false),
        ("fffffffffffffffff\r\nabcd\r\n0\r\n\r\n", false),
    ] {
        let peer = Peer::start(move |seen, wire| {
            let (first, last) = seen.range().expect("a ranged GET");
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nETag: {ETAG}\r\nTransfer-Encoding: chunked\r\n\
                 Content-Range: bytes {first}-{last}/4\r\n\r\n{chunks}"
            );
            wire.send(head.as_bytes())?;
            if closes {
                wire.close();
            }
            Ok(())
        });
        let (_hydrant, at) = object(&peer);
        let back = at.store.get_range(&at.key, 0..4).wait();
        if let Ok(back) = &back {
            // What came before the fault may be carried on; it is never longer or mixed.
            assert_eq!(back[..2], b"ab"[..], "{chunks:?}");
            assert!(back.len() == 4 && peer.seen().len() > 1, "{chunks:?} gave {back:?}");
        }
    }
}

/// An answer from a server that ignores ranges.
fn ok(wire: &mut Wire, data: &[u8]) -> io::Result<()> {
    let length = data.len();
    let head = format!("HTTP/1.1 200 OK\r\nETag: {ETAG}\r\nContent-Length: {length}\r\n\r\n");
    wire.send(head.as_bytes())?;
    wire.send(data)
}
