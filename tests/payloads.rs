//! What a signature says of the bytes of objects and parts, where servers insist on it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use hydrant::s3::credentials::{Credentials, Identity};
use hydrant::s3::*;
use hydrant::{Bytes, Hydrant, PutOptions};
use hydrant_tests::{BUCKET, PART, Peer, Seen, Wire, World, client_with, noise, read_all};
use sha2::{Digest, Sha256};

const CREATED: &str = "<InitiateMultipartUploadResult><UploadId>U</UploadId>\
    </InitiateMultipartUploadResult>";
const COMPLETED: &str = "<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag>\
    </CompleteMultipartUploadResult>";

/// Takes a body, and answers as S3 does.
fn take(seen: &Seen, wire: &mut Wire) -> std::io::Result<Vec<u8>> {
    let body = wire.receive_body()?;
    let text = match &*seen.method {
        "POST" if seen.target.contains("uploads") => CREATED,
        "POST" => COMPLETED,
        _ => "",
    };
    let length = text.len();
    let head = format!("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: {length}\r\n\r\n{text}");
    wire.send(head.as_bytes())?;
    Ok(body)
}

fn keys() -> Identity {
    Identity::Keys(Credentials::new("AKID", "secret", None, None).expect("keys"))
}

fn hash_of(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A small object, one by hand, and one in two parts.
fn write(hydrant: &Hydrant) {
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    at.store.put(&at.key, Bytes::from(noise(1, 1000))).wait().expect("put");
    at.store.put("empty", Bytes::new()).wait().expect("put");
    let client = hydrant.s3(BUCKET).expect("a bucket");
    client.send(PutObject::new("raw", noise(2, 5000))).wait().expect("put");
    let mut writer = at.store.writer("parts", PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(3, PART + 777)).expect("written");
    writer.finish_wait().expect("whole");
}

#[test]
fn signed_bytes_are_those_that_are_sent_in_each_attempt() {
    let bodies = Arc::new(AtomicUsize::new(0));
    let (count, failed) = (Arc::clone(&bodies), Mutex::new(HashSet::new()));
    let peer = Peer::start(move |seen, wire| {
        let said = seen.header("x-amz-content-sha256").map(str::to_owned);
        let is_first = failed.lock().expect("no panic").insert(seen.target.clone());
        if seen.method == "PUT" && is_first {
            wire.receive_body()?;
            return wire.send(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
        }
        if seen.method == "PUT" {
            // Before the answer, behind which the test looks.
            count.fetch_add(1, SeqCst);
        }
        let body = take(seen, wire)?;
        assert_eq!(said, Some(hash_of(&body)), "{} {}", seen.method, seen.target);
        assert!(seen.header("authorization").expect("signed").contains("x-amz-content-sha256"));
        if seen.method == "PUT" {
            // The checksum that S3 keeps goes with it as before.
            assert!(seen.header("x-amz-checksum-crc64nvme").is_some(), "{}", seen.target);
        }
        Ok(())
    });
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| {
            s3.identity = Some(keys());
            s3.payload_signing = PayloadSigning::Signed;
        })
    });
    write(&hydrant);
    assert_eq!(bodies.load(SeqCst), 5);
}

#[test]
fn unless_they_are_to_be_signed_bytes_go_unsigned() {
    let said_of = |identity: Identity, change: fn(&mut S3Config)| {
        let peer = Peer::start(|seen, wire| take(seen, wire).map(drop));
        write(&client_with(&peer.url(), |builder| {
            builder.s3(|s3| s3.identity = Some(identity)).s3(change)
        }));
        let puts = peer.seen().into_iter().filter(|seen| seen.method == "PUT");
        let said = puts.filter(|seen| !seen.target.contains("empty"));
        let said = said.map(|seen| seen.header("x-amz-content-sha256").map(str::to_owned));
        let said: Vec<_> = said.collect();
        assert!(said.len() == 4 && said.iter().all(|it| *it == said[0]), "{said:?}");
        said[0].clone()
    };
    assert_eq!(said_of(keys(), |_| {}).as_deref(), Some("UNSIGNED-PAYLOAD"));
    // Nobody signs, and what is framed is signed by the chunk.
    let signed = |s3: &mut S3Config| s3.payload_signing = PayloadSigning::Signed;
    let anonymous = said_of(Identity::Anonymous, signed);
    assert_eq!(anonymous, None);
    let framed = said_of(keys(), |s3| {
        s3.checksums.place = ChecksumPlace::Trailer;
        s3.payload_signing = PayloadSigning::Signed;
    });
    assert_eq!(framed.as_deref(), Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"));
}

#[test]
fn a_server_takes_signed_bytes() {
    let world = World::new();
    let hydrant =
        world.client_with(|builder| builder.s3(|s3| s3.payload_signing = PayloadSigning::Signed));
    for size in [0, 1000, 2 * PART + 777] {
        let at = hydrant.locate(&world.uri("s3", &format!("size-{size}"))).expect("a URI");
        let data = noise(size as u64, size);
        at.store.put(&at.key, Bytes::from(data.clone())).wait().expect("put");
        assert!(read_all(&at).expect("read") == data, "{size}");
    }
}
