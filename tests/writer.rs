//! The streaming writer: when its bytes leave, what it copies, what it refuses, how it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use hydrant::pipeline::PlanError;
use hydrant::{Bytes, ErrorKind, Location, PutOptions, Writer, WriterOptions};
use hydrant_tests::{BUCKET, PART, Peer, World, client, noise, read_all, wait_until};

const SCHEMES: [&str; 4] = ["s3", "file", "direct", "mem"];

#[test]
fn the_first_part_leaves_before_the_second_is_written() {
    let peer = uploads(|_| true);
    let hydrant = client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(1, PART)).expect("a full part");
    wait_until("the first part is on the wire", || parts_of(&peer) == 1);
    writer.write_wait(&noise(2, PART)).expect("another");
    writer.flush_wait().expect("both are with the store");
    assert_eq!(parts_of(&peer), 2);
    assert_eq!(writer.finish_wait().expect("finish").size_bytes, 2 * PART as u64);
    assert_eq!(parts_of(&peer), 2, "a stream that ends with a part has no empty one after it");
}

#[test]
fn the_first_part_that_fails_ends_the_writer_for_good() {
    let refused = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&refused);
    let peer = uploads(move |part| {
        told.fetch_or(part == 2, SeqCst);
        part != 2
    });
    let hydrant = client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(1, 2 * PART)).expect("nothing has failed yet");
    let first = writer.flush_wait().expect_err("the second part is refused").to_string();
    assert!(refused.load(SeqCst) && first.contains("403"), "{first}");
    let same = |error: hydrant::Error| assert_eq!(error.to_string(), first);
    same(writer.write_wait(b"more").expect_err("failed before"));
    same(writer.write_owned_wait(Bytes::from_static(b"more")).expect_err("failed before"));
    same(writer.reserve_wait(4).map(drop).expect_err("failed before"));
    same(writer.flush_wait().expect_err("failed before"));
    same(writer.finish_wait().expect_err("failed before"));
    let methods: Vec<_> = peer.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods.iter().filter(|method| *method == "DELETE").count(), 1, "{methods:?}");
}

#[test]
fn no_more_parts_are_in_flight_than_asked_for() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let peer = uploads(|_| {
        MOST.fetch_max(NOW.fetch_add(1, SeqCst) + 1, SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(20));
        NOW.fetch_sub(1, SeqCst);
        true
    });
    let hydrant = client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    let options = WriterOptions { max_in_flight: Some(2), ..WriterOptions::default() };
    let mut writer = at.store.writer_with(&at.key, options).expect("a writer");
    writer.write_wait(&noise(1, 9 * PART)).expect("write");
    writer.finish_wait().expect("finish");
    assert_eq!((parts_of(&peer), MOST.load(SeqCst) <= 2), (9, true));
}

#[test]
fn bytes_given_away_in_line_with_parts_are_never_copied() {
    let world = World::new();
    let hydrant = world.client();
    let data = Bytes::from(noise(1, 3 * PART));
    for scheme in ["s3", "file"] {
        let at = hydrant.locate(&world.uri(scheme, "in-line")).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        let before = hydrant.engine().metrics();
        writer.write_owned_wait(data.slice(..PART)).expect("one part");
        writer.write_owned_wait(data.slice(PART..)).expect("two parts at once");
        writer.finish_wait().expect("finish");
        let copied = hydrant.engine().metrics().since(&before);
        assert_eq!((copied.copied_borrowed, copied.copied_bounce), (0, 0), "{at}");
        assert!(read_all(&at).expect("read") == data, "{at}");
    }
}

#[test]
fn memory_can_be_filled_in_place() {
    let world = World::new();
    let hydrant = world.client();
    let data = noise(1, 2 * PART + 12_345);
    for scheme in SCHEMES {
        let at = hydrant.locate(&world.uri(scheme, "in-place")).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        let before = hydrant.engine().metrics();
        let mut rest = &data[..];
        // Some of what is reserved is not used, some reservations are thrown away.
        while !rest.is_empty() {
            let _ = writer.reserve_wait(700_000).expect("memory that is not used");
            let mut memory = writer.reserve_wait(700_000).expect("memory");
            let used = memory.len().min(rest.len()).min(600_001);
            memory.as_mut_slice()[..used].copy_from_slice(&rest[..used]);
            memory.commit_wait(used).expect("commit");
            rest = &rest[used..];
        }
        assert_eq!(writer.bytes_written(), data.len() as u64);
        writer.finish_wait().expect("finish");
        let copied = hydrant.engine().metrics().since(&before).copied_borrowed;
        assert_eq!(copied, 0, "{at}");
        assert!(read_all(&at).expect("read") == data, "{at}");
    }
    let at = hydrant.locate(&world.uri("mem", "refused")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    assert!(writer.reserve_wait(0).is_err());
    let memory = writer.reserve_wait(10).expect("memory");
    assert!(memory.commit_wait(11).is_err(), "more than was reserved");
    writer.write_wait(b"goes on").expect("nothing was harmed");
    assert_eq!(writer.finish_wait().expect("finish").size_bytes, 7);
}

#[test]
fn all_ways_to_write_can_be_mixed() {
    let world = World::new();
    let hydrant = world.client();
    let data = Bytes::from(noise(1, 4 * PART + 77));
    for scheme in SCHEMES {
        let at = hydrant.locate(&world.uri(scheme, "mixed")).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        // Reserved and dropped where owned bytes then line up with the part.
        let _ = writer.reserve_wait(100).expect("memory");
        writer.write_owned_wait(data.slice(..PART)).expect("owned");
        let mut memory = writer.reserve_wait(50).expect("memory");
        memory.as_mut_slice().copy_from_slice(&data[PART..PART + 50]);
        memory.commit_wait(50).expect("commit");
        writer.write_owned_wait(data.slice(PART + 50..3 * PART + 9)).expect("owned");
        writer.write_wait(&data[3 * PART + 9..]).expect("lent");
        writer.finish_wait().expect("finish");
        assert!(read_all(&at).expect("read") == data, "{at}");
    }
}

#[test]
fn a_size_that_was_announced_is_kept_to() {
    let world = World::new();
    let hydrant = world.client();
    for scheme in SCHEMES {
        let at = hydrant.locate(&world.uri(scheme, "announced")).expect("a URI");
        for size in [0, 1, PART, PART + 1, 2 * PART] {
            let mut writer = announced(&at, size);
            writer.write_wait(&noise(1, size)).expect("as announced");
            let meta = writer.finish_wait().expect("as announced");
            assert_eq!(meta.size_bytes, size as u64, "{at}");
            at.store.delete(&at.key).wait().expect("delete");
        }
        let mut writer = announced(&at, PART + 1);
        writer.write_wait(&noise(1, PART)).expect("write");
        expect_mismatch(writer.finish_wait().map(drop));
        let mut writer = announced(&at, PART);
        expect_mismatch(writer.write_wait(&noise(1, PART + 1)));
        let mut writer = announced(&at, PART);
        writer.write_wait(&noise(1, PART)).expect("all of it");
        expect_mismatch(writer.reserve_wait(1).map(drop));
        drop(writer);
        let mut writer = announced(&at, PART);
        expect_mismatch(writer.write_owned_wait(Bytes::from(noise(1, 2 * PART))));
        drop(writer);
        assert!(at.store.head(&at.key).wait().expect_err("no object").is_not_found(), "{at}");
    }
    wait_until("all is aborted", || world.uploads() == 0 && world.files() == 0);
}

fn announced(at: &Location, size: usize) -> Writer {
    let size_bytes = Some(size as u64);
    at.store
        .writer_with(&at.key, WriterOptions { size_bytes, ..WriterOptions::default() })
        .expect("a writer")
}

fn expect_mismatch(result: hydrant::Result<()>) {
    let error = result.expect_err("not what was announced");
    let plan = matches!(error.kind(), ErrorKind::Plan(PlanError::SizeMismatch { .. }));
    assert!(plan, "{error}");
}

/// A server that takes uploads, and each part that `takes` says.
fn uploads(takes: impl Fn(usize) -> bool + Send + Sync + 'static) -> Peer {
    Peer::start(move |seen, wire| {
        wire.receive_body()?;
        let (status, headers, body) = match seen.method.as_str() {
            "PUT" if !takes(part_number(&seen.target)) => ("403 Forbidden", "", ""),
            "PUT" => ("200 OK", "ETag: \"part\"\r\n", ""),
            "DELETE" => ("204 No Content", "", ""),
            _ if seen.target.contains("uploads") => {
                let begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId>\
                             </InitiateMultipartUploadResult>";
                ("200 OK", "", begun)
            }
            _ => {
                let done = "<CompleteMultipartUploadResult><ETag>\"whole-2\"</ETag>\
                            </CompleteMultipartUploadResult>";
                ("200 OK", "", done)
            }
        };
        let length = match status {
            "204 No Content" => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        wire.send(format!("HTTP/1.1 {status}\r\n{headers}{length}\r\n{body}").as_bytes())
    })
}

fn part_number(target: &str) -> usize {
    let number = target.split(['?', '&']).find_map(|field| field.strip_prefix("partNumber="));
    number.and_then(|number| number.parse().ok()).expect("a part has a number")
}

fn parts_of(peer: &Peer) -> usize {
    peer.seen().iter().filter(|seen| seen.method == "PUT").count()
}
