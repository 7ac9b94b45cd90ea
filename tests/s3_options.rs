//! What S3 alone can be asked for goes with every request that it is for, and with no other store.

use std::io;
use std::sync::Arc;

use hydrant::s3::{CustomerKey, S3PutOptions, S3ReadOptions, ServerSide};
use hydrant::{
    Bytes, CopyOptions, ErrorKind, GetOptions, Hydrant, OnFailure, PutOptions, ReadOptions, Store,
    copy,
};
use hydrant_tests::{BUCKET, PART, Peer, Seen, Wire, client, noise, wait_until};

/// `base64` of 32 times the byte 7, and of its MD5.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const CUSTOMER: &str = "x-amz-server-side-encryption-customer";
const OWNER: (&str, &str) = ("x-amz-expected-bucket-owner", "111122223333");
const PAYER: (&str, &str) = ("x-amz-request-payer", "requester");

/// What only the request says that makes the object.
const OF_THE_OBJECT: [(&str, &str); 3] = [
    ("x-amz-storage-class", "STANDARD_IA"),
    ("x-amz-acl", "bucket-owner-full-control"),
    ("x-amz-tagging", "team=a%20b&cost=1"),
];

fn to_write() -> Box<S3PutOptions> {
    let mut options = S3PutOptions::default();
    options.storage_class = Some(OF_THE_OBJECT[0].1.into());
    options.acl = Some(OF_THE_OBJECT[1].1.into());
    options.tags = vec![("team".into(), "a b".into()), ("cost".into(), "1".into())];
    options.customer_key = Some(CustomerKey::new([7; 32]));
    options.access = to_read().access;
    Box::new(options)
}

fn to_read() -> Box<S3ReadOptions> {
    let mut options = S3ReadOptions::default();
    options.customer_key = Some(CustomerKey::new([7; 32]));
    options.access.expected_bucket_owner = Some(OWNER.1.into());
    options.access.requester_pays = true;
    Box::new(options)
}

fn put_options(s3: Box<S3PutOptions>) -> PutOptions {
    let mut options = PutOptions::default();
    options.s3 = Some(s3);
    options
}

fn read_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.s3 = Some(to_read());
    options
}

/// A bucket with one object, which takes whatever is written.
fn bucket(object: Vec<u8>) -> Peer {
    let object = Arc::new(object);
    Peer::start(move |seen, wire| answer(seen, wire, &object))
}

fn answer(seen: &Seen, wire: &mut Wire, object: &[u8]) -> io::Result<()> {
    wire.receive_body()?;
    let (mut status, mut fields, mut body) = ("200 OK", String::new(), &b""[..]);
    let is_complete = seen.target.contains("uploadId");
    match &*seen.method {
        "POST" if is_complete => {
            body = b"<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
        }
        "POST" => {
            body = b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>";
        }
        // Whether an upload that was given up is gone.
        "GET" if is_complete => status = "404 Not Found",
        "PUT" => fields = "ETag: \"e\"\r\n".into(),
        "DELETE" => status = "204 No Content",
        "HEAD" => {
            let length = object.len();
            return wire.send(
                format!("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: {length}\r\n\r\n")
                    .as_bytes(),
            );
        }
        _ => {
            let (first, last) = seen.range().expect("a ranged GET");
            let last = last.min(object.len() - 1);
            (status, body) = ("206 Partial Content", &object[first..=last]);
            let range = format!("bytes {first}-{last}/{}", object.len());
            fields = format!("ETag: \"e\"\r\nContent-Range: {range}\r\n");
        }
    }
    let length = body.len();
    wire.send(format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n").as_bytes())?;
    wire.send(body)
}

fn store_at(peer: &Peer) -> (Hydrant, Store) {
    let hydrant = client(&peer.url());
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    (hydrant, store)
}

/// What each request says.
#[track_caller]
fn check(peer: &Peer, requests: usize) {
    let seen = peer.seen();
    assert_eq!(seen.len(), requests, "{seen:#?}");
    for request in seen {
        let says = |(name, value): (&str, &str)| request.header(name) == Some(value);
        let makes = request.target.ends_with("?uploads=")
            || request.method == "PUT" && !request.target.contains("partNumber");
        for said in OF_THE_OBJECT {
            assert_eq!(says(said), makes, "{said:?} in {request:?}");
        }
        assert!(says(OWNER) && says(PAYER), "{request:?}");
        let key = request.header(&format!("{CUSTOMER}-key"));
        // Who only gives an upload up needs no key.
        assert_eq!(key, (request.method != "DELETE").then_some(KEY), "{request:?}");
    }
}

#[test]
fn a_write_says_it_with_every_request() {
    let peer = bucket(Vec::new());
    let (hydrant, store) = store_at(&peer);
    let small = store.put_with("key", Bytes::from_static(b"small"), put_options(to_write()));
    small.wait().expect("put");
    check(&peer, 1);
    let large = Bytes::from(noise(1, 2 * PART + 1));
    store.put_with("key", large.clone(), put_options(to_write())).wait().expect("written");
    check(&peer, 1 + 1 + 3 + 1);
    let mut writer = store.writer("key", put_options(to_write())).expect("a writer");
    writer.write_wait(&large[..PART + 1]).expect("written");
    let parts = || peer.seen().iter().filter(|seen| seen.target.contains("partNumber")).count();
    wait_until("a part is on its way", || parts() > 3);
    drop(writer);
    wait_until("it is aborted", || peer.seen().iter().any(|seen| seen.method == "DELETE"));
    hydrant.stop().expect("stopped");
    check(&peer, peer.seen().len());
}

#[test]
fn keys_that_the_server_has_are_named_once() {
    let peer = bucket(Vec::new());
    let (_hydrant, store) = store_at(&peer);
    let mut asked = S3PutOptions::default();
    asked.server_side = Some(ServerSide::S3);
    let large = Bytes::from(noise(1, PART + 1));
    store.put_with("key", large, put_options(Box::new(asked))).wait().expect("written");
    for seen in peer.seen() {
        let told = seen.header("x-amz-server-side-encryption");
        assert_eq!(told, seen.target.ends_with("?uploads=").then_some("AES256"), "{seen:?}");
    }
}

#[test]
fn a_read_says_it_with_every_range() {
    let data = noise(2, 3 * PART);
    let peer = bucket(data.clone());
    let (_hydrant, store) = store_at(&peer);
    let options = GetOptions { read: read_options(), ..GetOptions::default() };
    let mut stream = store.get("key", options).expect("a stream");
    let mut read = Vec::new();
    while let Some(piece) = stream.next_wait() {
        read.extend_from_slice(&piece.expect("read"));
    }
    assert!(read == data);
    // Behind the last range the checksum of the whole is asked for.
    check(&peer, 3 + 1);
    store.get_range_with("key", 0..10, &read_options()).wait().expect("read");
    check(&peer, 3 + 1 + 1);
}

#[test]
fn a_copy_says_it_at_both_ends() {
    let data = noise(3, PART + 1);
    let (from, to) = (bucket(data), bucket(Vec::new()));
    let (one, other) = (client(&from.url()), client(&to.url()));
    let source = one.locate(&format!("s3://{BUCKET}/from")).expect("a URI");
    let target = other.locate(&format!("s3://{BUCKET}/to")).expect("a URI");
    let how =
        || CopyOptions { read: read_options(), s3_put: Some(to_write()), ..CopyOptions::default() };
    let report = copy(&source, &target, how()).wait().expect("copied");
    assert!(report.fell_back.is_some(), "told why the server was not asked to copy");
    // Two ranges, and behind them the checksum of the whole.
    check(&from, 2 + 1);
    check(&to, 1 + 2 + 1);
}

#[test]
fn other_stores_refuse_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let peer = bucket(noise(4, 10));
    let hydrant = client(&peer.url());
    for uri in [format!("file://{}/x", folder.path().display()), "mem://m/x".to_owned()] {
        let at = hydrant.locate(&uri).expect("a URI");
        at.store.put(&at.key, Bytes::from_static(b"there")).wait().expect("put");
        let asked = put_options(to_write());
        let large = Bytes::from(noise(5, PART + 1));
        let source = hydrant.locate(&format!("s3://{BUCKET}/from")).expect("a URI");
        let how = |on_failure| CopyOptions {
            s3_put: Some(to_write()),
            on_failure,
            ..CopyOptions::default()
        };
        let refused = [
            at.store.put_with(&at.key, Bytes::from_static(b"x"), asked.clone()).wait().err(),
            at.store.put_with(&at.key, large, asked).wait().err(),
            at.store.get_range_with(&at.key, 0..1, &read_options()).wait().err(),
            copy(&source, &at, how(OnFailure::Discard)).wait().err(),
            copy(&source, &at, how(OnFailure::Keep)).wait().err(),
        ];
        for error in refused {
            let error = error.expect("refused");
            assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
        }
        assert_eq!(&at.store.get_range(&at.key, 0..9).wait().expect("as it was")[..], b"there");
    }
}

/// SEC-1
#[test]
fn a_key_is_shown_nowhere() {
    let peer = Peer::start(|_, wire| {
        wire.receive_body()?;
        wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    });
    let (_hydrant, store) = store_at(&peer);
    let how =
        CopyOptions { read: read_options(), s3_put: Some(to_write()), ..CopyOptions::default() };
    let write = put_options(to_write());
    let put = store.put_with("key", Bytes::from_static(b"x"), write.clone()).wait();
    let get = store.get_range_with("key", 0..4, &read_options()).wait();
    let (put, get) = (put.expect_err("refused"), get.expect_err("refused"));
    let shown = format!("{write:?} {:?} {how:?} {put} {put:?} {get} {get:?}", read_options());
    assert!(!shown.contains(KEY) && !shown.contains("7, 7"), "{shown}");
}
