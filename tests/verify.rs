//! Checksums that are taken on the way, and comparing what lies in two stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hydrant::{Class, CopyOptions, Crc64, Sum, VerifyOptions, copy, verify};
use hydrant_tests::{BUCKET, PART, Peer, World, noise, program};

const SCHEMES: [&str; 4] = ["s3", "file", "direct", "mem"];

#[test]
fn copies_tell_the_checksum_that_both_ends_have() {
    let world = World::new();
    let hydrant = world.client();
    for size in [0, 1, PART, 3 * PART + 7] {
        let data = noise(size as u64, size);
        std::fs::write(world.file("source"), &data).expect("a file");
        let source = hydrant.locate(&world.uri("file", "source")).expect("a URI");
        for scheme in SCHEMES {
            let target = hydrant.locate(&world.uri(scheme, "target")).expect("a URI");
            let copied = copy(&source, &target, streamed()).wait().expect("copied");
            assert_eq!(copied.crc64nvme, Some(Crc64::of(&data)), "{target}");
            let back = hydrant.locate(&world.uri("direct", "back")).expect("a URI");
            for (from, to) in [(&source, &target), (&target, &back)] {
                let how = CopyOptions { unsummed: true, ..streamed() };
                let told = copy(from, to, how).wait().expect("copied").crc64nvme;
                // What a store took to compare it is told; what nobody needs is not taken.
                match scheme {
                    "s3" if size > 0 => assert_eq!(told, Some(Crc64::of(&data)), "{from} to {to}"),
                    "file" | "direct" if size > 0 => assert_eq!(told, None, "{from} to {to}"),
                    _ => assert!(told.is_none_or(|sum| sum == Crc64::of(&data)), "{from} to {to}"),
                }
            }
            // In parts of another size than those of the copy.
            let part_size_bytes = Some(PART as u64 / 3);
            let how = VerifyOptions { part_size_bytes, ..VerifyOptions::default() };
            let same = verify(&source, &target, how).wait().expect("the same");
            let told = (same.bytes, same.crc64nvme, same.healed_parts);
            assert_eq!(told, (size as u64, Crc64::of(&data), 0), "{target}");
        }
    }
}

fn streamed() -> CopyOptions {
    CopyOptions { streamed: true, ..CopyOptions::default() }
}

#[test]
fn a_difference_is_told_with_its_place() {
    let world = World::new();
    let hydrant = world.client();
    let mut data = noise(1, 3 * PART);
    std::fs::write(world.file("one"), &data).expect("a file");
    data[2 * PART + 5] ^= 1;
    std::fs::write(world.object("other"), &data).expect("an object");
    std::fs::write(world.object("short"), &data[..PART]).expect("an object");
    let at = |scheme, name| hydrant.locate(&world.uri(scheme, name)).expect("a URI");
    let differ = |name| {
        let how = VerifyOptions::default();
        verify(&at("file", "one"), &at("s3", name), how).wait().expect_err("they differ")
    };
    let error = differ("other");
    assert_eq!(error.class(), Class::Integrity);
    let range = format!("bytes {}..{} differ", 2 * PART, 3 * PART);
    assert!(error.to_string().contains(&range), "{error}");
    let error = differ("short");
    assert_eq!(error.class(), Class::Integrity);
    assert!(error.to_string().contains(&format!("it has {PART} bytes")), "{error}");
    assert!(differ("missing").is_not_found());

    let one = world.file("one").display().to_string();
    let output = program(&world, &["verify", &one, &format!("s3://{BUCKET}/other")]).output();
    assert_eq!(output.expect("ended").status.code(), Some(6));
    let output = program(&world, &["verify", &one, &one]).output().expect("ended");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.starts_with("same 15 MiB CRC-64/NVME "), "{text}");
}

#[test]
fn the_program_tells_what_is_the_same_in_a_line_of_json() {
    let world = World::new();
    let data = noise(1, PART + 7);
    std::fs::write(world.file("one"), &data).expect("a file");
    std::fs::write(world.object("other"), &data).expect("an object");
    let (one, other) = (world.uri("file", "one"), world.uri("s3", "other"));
    let json = |one: &str, other: &str| {
        let output = program(&world, &["verify", "--json", "--quiet", one, other]).output();
        let output = output.expect("ended");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let (code, line) = json(&one, &other);
    assert_eq!((code, line.lines().count()), (Some(0), 1), "{line}");
    let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let wanted = serde_json::json!({
        "schema": "hydrant.verify/1",
        "a": one,
        "b": other,
        "size_bytes": data.len(),
        "crc64nvme": Crc64::of(&data).to_string(),
        "healed_parts": 0,
    });
    assert_eq!(told, wanted);
    std::fs::write(world.object("other"), &data[1..]).expect("an object");
    assert_eq!(json(&one, &other), (Some(6), String::new()), "what differs has no line");
}

#[test]
fn a_part_that_came_broken_once_is_read_again() {
    let world = World::new();
    let data = Arc::new(noise(1, 3 * PART));
    std::fs::write(world.file("whole"), &**data).expect("a file");
    let broken = Arc::new(AtomicUsize::new(0));
    let (body, count) = (Arc::clone(&data), Arc::clone(&broken));
    let peer = Peer::start(move |seen, wire| {
        let (head, part) = seen.ranged(&body, "\"v\"");
        let mut part = part.to_vec();
        let is_second = seen.range().is_some_and(|(first, _)| first == PART);
        if is_second && count.fetch_add(1, SeqCst) == 0 {
            part[9] ^= 0x80;
        }
        wire.send(head.as_bytes())?;
        wire.send(&part)
    });
    let hydrant = world.client();
    let from = peer.url().replace("http://", "s3://");
    let source = hydrant.locate(&format!("{from}/{BUCKET}/source")).expect("a URI");
    let whole = hydrant.locate(&world.uri("file", "whole")).expect("a URI");
    let report = verify(&source, &whole, VerifyOptions::default()).wait().expect("healed");
    assert_eq!((report.healed_parts, report.crc64nvme), (1, Crc64::of(&data)));
    assert_eq!(broken.load(SeqCst), 2, "read again once");
}

/// A server that tells checksums makes the wrong bytes known before anything is compared.
#[test]
fn an_object_that_came_broken_once_is_read_again() {
    let world = World::new();
    let data = Arc::new(noise(1, 3 * PART));
    std::fs::write(world.file("whole"), &**data).expect("a file");
    let flips = Arc::new(AtomicUsize::new(0));
    let (body, left) = (Arc::clone(&data), Arc::clone(&flips));
    let peer = Peer::start(move |seen, wire| {
        let sum = Sum::from(Crc64::of(&body));
        let told = format!("ETag: \"v\"\r\nx-amz-checksum-crc64nvme: {sum}\r\n");
        let size = body.len();
        let Some((first, last)) = seen.range() else {
            let head = format!("HTTP/1.1 200 OK\r\n{told}Content-Length: {size}\r\n\r\n");
            return wire.send(head.as_bytes());
        };
        let last = last.min(size - 1);
        let mut part = body[first..=last].to_vec();
        if first == PART && left.load(SeqCst) > 0 {
            left.fetch_sub(1, SeqCst);
            part[9] ^= 0x80;
        }
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\n{told}Content-Length: {}\r\n\
             Content-Range: bytes {first}-{last}/{size}\r\n\r\n",
            part.len(),
        );
        wire.send(head.as_bytes())?;
        wire.send(&part)
    });
    let hydrant = world.client();
    let from = peer.url().replace("http://", "s3://");
    let source = hydrant.locate(&format!("{from}/{BUCKET}/source")).expect("a URI");
    let whole = hydrant.locate(&world.uri("file", "whole")).expect("a URI");
    let compare = |times| {
        flips.store(times, SeqCst);
        // In order: a part that comes last is read again by itself, and nothing else has to be.
        let how = VerifyOptions { connections: Some(1), ..VerifyOptions::default() };
        verify(&source, &whole, how).wait()
    };
    let report = compare(1).expect("healed");
    assert_eq!((report.healed_parts, report.crc64nvme), (1, Crc64::of(&data)));
    assert_eq!(compare(0).expect("the same").healed_parts, 0);
    assert_eq!(compare(2).expect_err("it came wrong twice").class(), Class::Integrity);
}
