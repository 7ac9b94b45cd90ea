//! Servers that misbehave: what can be mended is mended, what cannot is an error, and a mixture of
//! two versions or a short object is never reported as success (DATA-2).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hydrant::s3::PutObject;
use hydrant::{Bytes, Class, ErrorKind, Hydrant, Location, PutOptions};
use hydrant_tests::{BUCKET, Dice, PART, Peer, Seen, Wire, client, client_with, noise, read_all};

const ETAG: &str = "\"version-1\"";

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
                let (head, body) = ranged(seen, &body, ETAG);
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
        let (head, body) = ranged(seen, &body, ETAG);
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
            let (head, body) = ranged(seen, &new, "\"version-2\"");
            wire.send(head.as_bytes())?;
            return wire.send(body);
        }
        let (head, body) = ranged(seen, &old, ETAG);
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
                let (head, body) = ranged(seen, &old, ETAG);
                wire.send(head.as_bytes())?;
                return wire.send(body);
            }
            assert_eq!(seen.header("if-match"), Some(ETAG));
            if refuses {
                return wire.send(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n");
            }
            let (head, body) = ranged(seen, &new, "\"version-2\"");
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
        let (head, body) = ranged(seen, &data[..end], ETAG);
        wire.send(head.as_bytes())?;
        wire.send(body)
    });
    let (_hydrant, at) = object(&peer);
    expect_changed(&at);
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    for trouble in [
        "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\noh!",
        "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
    ] {
        let peer = Peer::start(move |seen, wire| {
            if seen.number < 2 {
                return wire.send(trouble.as_bytes());
            }
            whole(seen, wire, b"fine")
        });
        let (_hydrant, at) = object(&peer);
        assert_eq!(read_all(&at).expect("asked again"), b"fine");
        assert_eq!(peer.seen().len(), 3, "{trouble}");
    }
}

#[test]
fn tries_have_an_end() {
    let peer =
        Peer::start(|_, wire| wire.send(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"));
    let (_hydrant, at) = object(&peer);
    assert_eq!(read_all(&at).expect_err("in trouble for ever").class(), Class::Temporary);
    assert_eq!(peer.seen().len(), 5);
}

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
        let (head, body) = ranged(seen, &body, ETAG);
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
            let (head, body) = ranged(seen, b"body", ETAG);
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

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_replaced_in_silence() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let peer = Peer::start(move |seen, wire| {
        count.fetch_add(1, SeqCst);
        whole(seen, wire, b"body")?;
        // Says nothing of closing, and closes.
        wire.close();
        Ok(())
    });
    let (_hydrant, at) = object(&peer);
    for number in 1..20 {
        assert_eq!(at.store.get_range(&at.key, 0..4).wait().expect("in silence"), b"body"[..]);
        // Nobody was told that a connection was found dead: each answer is to one request.
        assert_eq!(served.load(SeqCst), number);
    }
}

#[test]
fn a_connection_that_is_closed_as_a_request_arrives_is_replaced_in_silence() {
    // Takes the second request of each connection, and closes without a word.
    let served = std::sync::Mutex::new(Vec::new());
    let peer = Peer::start(move |seen, wire| {
        let mut served = served.lock().expect("no panic");
        if served.contains(&seen.connection) {
            wire.close();
            return Ok(());
        }
        served.push(seen.connection);
        drop(served);
        whole(seen, wire, b"body")
    });
    let hydrant = client_with(&peer.url(), |builder| {
        // A single try for what is a failure: a stale connection is none.
        builder.cores(1).s3(|s3| s3.retry.tries_max = 2)
    });
    let at = locate(&hydrant);
    for _ in 0..10 {
        assert_eq!(at.store.get_range(&at.key, 0..4).wait().expect("in silence"), b"body"[..]);
    }
}

#[test]
fn a_refusal_in_the_middle_of_an_upload_is_what_the_caller_sees() {
    for closes in [false, true] {
        let peer = Peer::start(move |_, wire| {
            // While the body still comes, of which a part is read.
            wire.send(
                b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: application/xml\r\n\
                  Content-Length: 76\r\n\r\n<Error><Code>AccessDenied</Code>\
                  <Message>not with this key</Message></Error> ",
            )?;
            if closes {
                wire.close();
            }
            Ok(())
        });
        let hydrant = unasked(&peer);
        let at = locate(&hydrant);
        let put = at.store.put(&at.key, Bytes::from(noise(1, PART))).wait();
        let error = put.expect_err("refused");
        assert!(error.to_string().contains("403"), "closes: {closes}: {error}");
        assert_eq!((error.class(), peer.seen().len()), (Class::Config, 1), "{error}");
    }
}

#[test]
fn a_refusal_whose_document_comes_late_is_read_to_its_end() {
    let peer = Peer::start(move |_, wire| {
        let document = "<Error><Code>EntityTooLarge</Code><Message>too much</Message></Error>";
        let (first, second) = document.split_at(20);
        let length = document.len();
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {length}\r\n\r\n");
        // Segments of their own, and not a byte of the body is read.
        wire.send_bytewise(head.as_bytes())?;
        std::thread::sleep(Duration::from_millis(20));
        wire.send_bytewise(first.as_bytes())?;
        std::thread::sleep(Duration::from_millis(20));
        wire.send_bytewise(second.as_bytes())
    });
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| {
            s3.http.expect_continue_bytes_min = None;
            s3.http.early_answer_wait = Duration::from_secs(60);
        })
    });
    let put = PutObject::new("object", Bytes::from(vec![0; 32 << 20]));
    let error = hydrant.s3(BUCKET).expect("a bucket").send(put).wait().expect_err("refused");
    let ErrorKind::S3(told) = error.kind() else { panic!("{error}") };
    assert_eq!((&*told.code, &*told.message), ("EntityTooLarge", "too much"));
    assert_eq!(peer.seen().len(), 1);
}

#[test]
fn a_body_is_sent_again_whole_after_a_failure() {
    let data = Arc::new(noise(1, PART));
    let body = Arc::clone(&data);
    let received = Arc::new(AtomicUsize::new(0));
    let whole_bodies = Arc::clone(&received);
    let peer = Peer::start(move |seen, wire| match seen.number {
        0 => {
            wire.reset();
            Ok(())
        }
        1 => {
            wire.receive_body()?;
            wire.close();
            Ok(())
        }
        2 => {
            wire.receive_body()?;
            wire.send(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
        }
        _ => {
            assert!(wire.receive_body()? == *body);
            whole_bodies.fetch_add(1, SeqCst);
            wire.send(
                format!("HTTP/1.1 200 OK\r\nETag: {ETAG}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
            )
        }
    });
    let (_hydrant, at) = object(&peer);
    let meta = at.store.put(&at.key, Bytes::from(data.to_vec())).wait().expect("in the end");
    assert_eq!(meta.etag.expect("told").as_str(), ETAG);
    assert_eq!(received.load(SeqCst), 1);
}

#[test]
fn an_upload_that_fails_is_aborted_and_what_could_not_be_is_said() {
    for abort_fails in [false, true] {
        let peer = Peer::start(move |seen, wire| {
            wire.receive_body()?;
            let (status, body) = match seen.method.as_str() {
                "POST" if seen.target.contains("uploads") => (
                    "200 OK",
                    "<InitiateMultipartUploadResult><UploadId>U</UploadId>\
                     </InitiateMultipartUploadResult>",
                ),
                "DELETE" if abort_fails => ("403 Forbidden", ""),
                "DELETE" => ("204 No Content", ""),
                _ => ("400 Bad Request", "<Error><Code>InvalidPart</Code></Error>"),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            wire.send(answer.as_bytes())
        });
        let (_hydrant, at) = object(&peer);
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        // The failure may be seen by a write; the end says what came of the upload besides.
        if let Err(error) = (0..8).try_for_each(|_| writer.write_wait(&noise(1, PART))) {
            assert!(error.to_string().contains("InvalidPart"), "{error}");
        }
        let error = writer.finish_wait().expect_err("refused");
        assert!(error.to_string().contains("InvalidPart"), "{error}");
        match (abort_fails, error.kind()) {
            (false, ErrorKind::S3(_)) => {}
            (true, ErrorKind::LeftBehind { error, left }) => {
                assert!(matches!(error.kind(), ErrorKind::S3(_)), "{error}");
                let ErrorKind::NotAborted { object, upload_id, source } = left.kind() else {
                    panic!("{left}")
                };
                assert_eq!((&**object, &**upload_id), (&*at.store.uri_of(&at.key), "U"));
                let ErrorKind::S3(refusal) = source.kind() else { panic!("{source}") };
                assert_eq!((refusal.operation, refusal.http_status), ("AbortMultipartUpload", 403));
            }
            (_, _) => panic!("{error}"),
        }
        let said = error.to_string();
        let says_it = said.contains("upload U of s3://") && said.contains("could not be aborted");
        assert_eq!(says_it, abort_fails, "{said}");
        hydrant_tests::wait_until("the upload is aborted", || {
            peer.seen()
                .iter()
                .any(|seen| seen.method == "DELETE" && seen.target.contains("uploadId=U"))
        });
    }
}

#[test]
fn a_peer_that_falls_silent_is_a_stall_and_one_that_dribbles_is_not() {
    let silent = Peer::start(|seen, wire| {
        let (head, _) = ranged(seen, &[0; 1000], ETAG);
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
        let (head, body) = ranged(seen, &[7; 12], ETAG);
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
        let (head, body) = ranged(seen, &body, ETAG);
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

/// An object on a peer, and the client that asks for it.
fn object(peer: &Peer) -> (Hydrant, Location) {
    let hydrant = client(&peer.url());
    let at = locate(&hydrant);
    (hydrant, at)
}

/// A client that sends bodies without asking whether they are wanted.
fn unasked(peer: &Peer) -> Hydrant {
    client_with(&peer.url(), |builder| builder.s3(|s3| s3.http.expect_continue_bytes_min = None))
}

fn locate(hydrant: &Hydrant) -> Location {
    hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI")
}

/// Head and body of the answer to a ranged GET.
fn ranged<'a>(seen: &Seen, data: &'a [u8], etag: &str) -> (String, &'a [u8]) {
    let (first, last) = seen.range().expect("a ranged GET");
    let body = &data[first..(last + 1).min(data.len())];
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Length: {}\r\n\
         Content-Range: bytes {first}-{}/{}\r\n\r\n",
        body.len(),
        first + body.len() - 1,
        data.len()
    );
    (head, body)
}

/// A good answer to a ranged GET.
fn whole(seen: &Seen, wire: &mut Wire, data: &[u8]) -> io::Result<()> {
    let (head, body) = ranged(seen, data, ETAG);
    wire.send(head.as_bytes())?;
    wire.send(body)
}

/// An answer from a server that ignores ranges.
fn ok(wire: &mut Wire, data: &[u8]) -> io::Result<()> {
    let length = data.len();
    let head = format!("HTTP/1.1 200 OK\r\nETag: {ETAG}\r\nContent-Length: {length}\r\n\r\n");
    wire.send(head.as_bytes())?;
    wire.send(data)
}
