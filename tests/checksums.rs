//! Checksums of what is written and read: sent in the head, kept by the server, compared on the way
//! back, whole or in ranges (DATA-2).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hydrant::s3::credentials::{Credentials, Identity};
use hydrant::s3::*;
use hydrant::{
    Bytes, ChecksumAlgorithm, Class, Crc64, ErrorKind, Hydrant, Location, PutOptions, Sum, copy,
};
use hydrant_tests::{BUCKET, PART, Peer, Wire, World, client_with, noise, read_all};

const ALL: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

#[test]
fn what_is_written_keeps_its_checksum() {
    let world = World::new();
    for algorithm in ALL {
        let sent = SentChecksum::Kept(algorithm);
        let hydrant = world.client_with(|builder| builder.s3(|s3| s3.checksums.sent = sent));
        let client = hydrant.s3(BUCKET).expect("a bucket");
        let at = hydrant.locate(&world.uri("s3", "small")).expect("a URI");
        for data in [noise(1, 0), noise(2, 1000)] {
            let sum = Sum::of(algorithm, &data).to_string();
            let body = Bytes::from(data.clone());
            at.store.put(&at.key, body.clone()).wait().expect("put");
            assert_eq!(kept(&client, "small").get(algorithm), Some(&*sum), "{algorithm:?}");
            assert!(read_all(&at).expect("read") == data);
            client.send(PutObject::new("raw", body)).wait().expect("put");
            assert_eq!(kept(&client, "raw").get(algorithm), Some(&*sum), "{algorithm:?}");
            let (_, back) = client.get_object(GetObject::new("raw"), 5000).wait().expect("get");
            assert!(back == data[..]);
        }
        // In parts: S3 keeps a checksum of all bytes where those of parts combine.
        let data = noise(3, 2 * PART + 777);
        let meta = at.store.put("parts", Bytes::from(data.clone())).wait().expect("put");
        let parts = hydrant.locate(&world.uri("s3", "parts")).expect("a URI");
        assert!(read_all(&parts).expect("read") == data);
        if algorithm == ChecksumAlgorithm::Crc64Nvme {
            let whole = Crc64::of(&data);
            assert_eq!(meta.crc64nvme, Some(whole));
            let kept = kept(&client, "parts");
            assert_eq!(kept.get(algorithm), Some(&*Sum::from(whole).to_string()));
            assert_eq!(kept.kind, Some(ChecksumKind::FullObject));
        }
    }
}

/// Operation by operation: an upload names what its parts bring, and both or neither.
#[test]
fn an_upload_by_hand_has_the_checksum_that_others_have() {
    use ChecksumAlgorithm::{Crc32c, Crc64Nvme, Sha256};
    type Change<'a> = &'a dyn Fn(&mut S3Config);
    let data = noise(4, 1000);
    let asked = |change: Change<'_>, part: UploadPart| {
        let peer = Peer::start(|seen, wire| {
            wire.receive_body()?;
            let created = "<InitiateMultipartUploadResult><UploadId>U</UploadId>\
                </InitiateMultipartUploadResult>";
            let body = if seen.method == "POST" { created } else { "" };
            whole(wire, body.as_bytes())
        });
        let hydrant = client_with(&peer.url(), |builder| builder.s3(change));
        let client = hydrant.s3(BUCKET).expect("a bucket");
        client.send(CreateMultipartUpload::new("key")).wait().expect("begun");
        client.send(part).wait().expect("stored");
        peer.seen()
    };
    let of = |sent| move |s3: &mut S3Config| s3.checksums.sent = SentChecksum::Kept(sent);
    let when = |policy| move |s3: &mut S3Config| s3.checksums.requests = Some(policy);
    let cases: [(Change<'_>, Option<ChecksumAlgorithm>); 5] = [
        (&|_| {}, Some(Crc64Nvme)),
        (&of(Crc32c), Some(Crc32c)),
        // S3 completes such an upload only with the checksum of each part named again.
        (&of(Sha256), None),
        (&when(ChecksumPolicy::WhenRequired), None),
        (&when(ChecksumPolicy::Off), None),
    ];
    let part = UploadPart::new("key", "U", 1, data.clone());
    for (change, named) in cases {
        let [create, part] = &asked(change, part.clone())[..] else { panic!("two requests") };
        assert_eq!(create.header("x-amz-checksum-algorithm"), named.map(|it| it.name()));
        assert_eq!(create.header("x-amz-checksum-type"), named.map(|_| "FULL_OBJECT"));
        for algorithm in ALL {
            let header = format!("x-amz-checksum-{}", algorithm.name().to_lowercase());
            let sum = (named == Some(algorithm)).then(|| Sum::of(algorithm, &data).to_string());
            assert_eq!(part.header(&header), sum.as_deref(), "{named:?}");
        }
    }
    // What is said by hand is what is sent.
    let mut own = part.clone();
    let value = Sum::of(Sha256, &data).to_string();
    own.checksum = Some(Checksum { algorithm: Sha256, value: value.clone() });
    let seen = asked(&|_| {}, own);
    assert_eq!(seen[1].header("x-amz-checksum-sha256"), Some(&*value));
    assert_eq!(seen[1].header("x-amz-checksum-crc64nvme"), None);
    // None goes into an upload that somebody else began without.
    let mut without = part.clone();
    without.unsummed = true;
    let seen = asked(&|_| {}, without);
    assert_eq!(seen[1].header("x-amz-checksum-crc64nvme"), None);
    assert_eq!(seen[1].header("content-md5"), None);
    // A server that knows nothing else is sent `Content-MD5`.
    let seen = asked(&|s3| s3.checksums.sent = SentChecksum::ContentMd5, part);
    assert_eq!(seen[0].header("x-amz-checksum-algorithm"), None);
    assert!(seen[1].header("content-md5").is_some());
}

#[test]
fn a_checksum_behind_the_body_is_kept_as_one_in_the_head() {
    let world = World::new();
    for place in [ChecksumPlace::Trailer, ChecksumPlace::SignedTrailer] {
        for algorithm in ALL {
            let hydrant = world.client_with(|builder| {
                builder.s3(|s3| {
                    s3.checksums.sent = SentChecksum::Kept(algorithm);
                    s3.checksums.place = place;
                })
            });
            let client = hydrant.s3(BUCKET).expect("a bucket");
            // Empty; one chunk; three.
            for size in [0, 1000, (17 << 20) + 5] {
                let data = noise(size as u64, size);
                let mut put = PutObject::new("raw", data.clone());
                put.object.content_encoding = Some("gzip".to_owned());
                client.send(put).wait().expect("put");
                let sum = Sum::of(algorithm, &data).to_string();
                assert_eq!(kept(&client, "raw").get(algorithm), Some(&*sum), "{algorithm:?}");
                let get = client.get_object(GetObject::new("raw"), 20 << 20).wait();
                let (info, back) = get.expect("get");
                assert!(back == data[..], "{place:?} {size}");
                assert_eq!(info.content_encoding.as_deref(), Some("gzip"), "{place:?}");
            }
            let at = hydrant.locate(&world.uri("s3", "stream")).expect("a URI");
            for size in [1000, 2 * PART + 777] {
                let data = noise(3, size);
                let meta = at.store.put(&at.key, Bytes::from(data.clone())).wait().expect("put");
                assert!(read_all(&at).expect("read") == data, "{place:?} {size}");
                if algorithm == ChecksumAlgorithm::Crc64Nvme {
                    assert_eq!(meta.crc64nvme, Some(Crc64::of(&data)), "{size}");
                    let sum = Sum::from(Crc64::of(&data)).to_string();
                    assert_eq!(kept(&client, "stream").get(algorithm), Some(&*sum), "{size}");
                }
            }
        }
    }
    // Signed chunks without a checksum.
    let hydrant = world.client_with(|builder| {
        builder.s3(|s3| {
            s3.checksums.requests = Some(ChecksumPolicy::Off);
            s3.checksums.place = ChecksumPlace::SignedTrailer;
        })
    });
    let at = hydrant.locate(&world.uri("s3", "bare")).expect("a URI");
    at.store.put(&at.key, Bytes::from(noise(9, 5000))).wait().expect("put");
    assert!(read_all(&at).expect("read") == noise(9, 5000));
}

/// Each attempt sends all of it, framed, from the same memory.
#[test]
fn a_body_with_a_trailer_is_framed_in_each_attempt() {
    let data = noise(5, (8 << 20) + 3);
    let sum = Sum::of(ChecksumAlgorithm::Crc64Nvme, &data).to_string();
    let peer = Peer::start(move |seen, wire| {
        let lines = [
            ("content-encoding", "aws-chunked"),
            ("x-amz-trailer", "x-amz-checksum-crc64nvme"),
            ("x-amz-decoded-content-length", "8388611"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("expect", "100-continue"),
        ];
        for (name, value) in lines {
            assert_eq!(seen.header(name), Some(value), "{name}");
        }
        assert_eq!(seen.header("x-amz-checksum-crc64nvme"), None);
        let signed = seen.header("authorization").expect("signed");
        for name in ["content-encoding", "x-amz-decoded-content-length", "x-amz-trailer"] {
            assert!(signed.contains(name), "{name} in {signed}");
        }
        match seen.number {
            // Refused before the body is asked for, then in its midst, then behind it.
            0 => return wire.send(head("503 Slow Down", b"", &[]).as_bytes()),
            1 => {
                wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                wire.reset();
                return Ok(());
            }
            _ => {}
        }
        let body = wire.receive_body()?;
        let behind = format!("\r\n0\r\nx-amz-checksum-crc64nvme:{sum}\r\n\r\n");
        let expected =
            [b"800000\r\n", &data[..8 << 20], b"\r\n3\r\n", &data[8 << 20..], behind.as_bytes()];
        assert!(body == expected.concat(), "{} bytes", body.len());
        let status = if seen.number == 2 { "500 Internal Server Error" } else { "200 OK" };
        wire.send(head(status, b"", &[]).as_bytes())
    });
    let keys = Credentials::new("AKID", "secret", None, None).expect("keys");
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| {
            s3.identity = Some(Identity::Keys(keys));
            s3.checksums.place = ChecksumPlace::Trailer;
            s3.http.expect_continue_bytes_min = Some(1);
            s3.http.expect_continue_wait = Duration::from_secs(60);
        })
    });
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let body = Bytes::from(noise(5, (8 << 20) + 3));
    client.send(PutObject::new("key", body)).wait().expect("the fourth attempt");
    assert_eq!(peer.seen().len(), 4);
}

#[test]
fn what_policy_says_is_sent_and_asked_for() {
    use ChecksumPolicy::{Off, WhenRequired, WhenSupported};
    for (policy, checked) in [(WhenSupported, true), (WhenRequired, false), (Off, false)] {
        let peer = Peer::start(|seen, wire| match &*seen.method {
            "PUT" => wire.send(b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n"),
            _ => whole(wire, b"body"),
        });
        let name = match policy {
            WhenSupported => "when_supported",
            WhenRequired => "when_required",
            Off => "OFF",
        };
        let url = peer.url();
        let lookup = move |variable: &str| match variable {
            "AWS_ENDPOINT_URL" => Some(url.clone()),
            "AWS_REQUEST_CHECKSUM_CALCULATION" | "AWS_RESPONSE_CHECKSUM_VALIDATION" => {
                Some(name.to_owned())
            }
            _ => None,
        };
        let builder = Hydrant::builder().cores(1).pool_bytes(64 << 20);
        let hydrant = builder.env(lookup).anonymous().build().expect("a client");
        let client = hydrant.s3(BUCKET).expect("a bucket");
        let at = hydrant.locate(&format!("s3://{BUCKET}/key")).expect("a URI");
        at.store.put(&at.key, Bytes::from_static(b"body")).wait().expect("put");
        let mut locked = PutObject::new("locked", &b"body"[..]);
        locked.object.legal_hold = Some(true);
        client.send(locked).wait().expect("put");
        let mut own = PutObject::new("own", &b"body"[..]);
        own.content_md5 = Some("hB2bTpsiCQGPmpa8rFBBTg==".into());
        client.send(own).wait().expect("put");
        assert_eq!(read_all(&at).expect("read"), b"body");
        let seen = peer.seen();
        let sent = |number: usize| seen[number].header("x-amz-checksum-crc64nvme").is_some();
        let required = policy != Off;
        assert_eq!((sent(0), sent(1), sent(2)), (checked, required, false), "{policy:?}");
        assert_eq!(seen[3].header("x-amz-checksum-mode").is_some(), checked, "{policy:?}");
    }
}

#[test]
fn content_md5_is_for_servers_that_know_nothing_else() {
    let world = World::new();
    let hydrant =
        world.client_with(|builder| builder.s3(|s3| s3.checksums.sent = SentChecksum::ContentMd5));
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let at = hydrant.locate(&world.uri("s3", "key")).expect("a URI");
    for size in [0, 1000, PART + 1] {
        let data = noise(size as u64, size);
        at.store.put(&at.key, Bytes::from(data.clone())).wait().expect("the server compares it");
        assert!(read_all(&at).expect("read") == data);
        assert!(kept(&client, "key").values.is_empty(), "it is not kept");
    }
}

/// The server compares before the object can be seen.
#[test]
fn a_wrong_checksum_of_the_whole_leaves_no_object() {
    let world = World::new();
    let hydrant = world.client();
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let created = client.send(CreateMultipartUpload::new("key")).wait().expect("begun");
    let data = Bytes::from(noise(1, 1000));
    let mut part = UploadPart::new("key", &*created.upload_id, 1, data.clone());
    part.checksum = Some(Checksum::from(&Sum::of(ChecksumAlgorithm::Crc64Nvme, &data)));
    let stored = client.send(part).wait().expect("stored");
    let parts = vec![CompletedPart::new(1, stored.etag.expect("told").as_str())];
    let mut complete = CompleteMultipartUpload::new("key", &*created.upload_id, parts);
    complete.checksum =
        Some(Checksum::from(&Sum::of(ChecksumAlgorithm::Crc64Nvme, b"other bytes")));
    complete.checksum_kind = Some(ChecksumKind::FullObject);
    let error = client.send(complete).wait().expect_err("refused");
    assert!(error.to_string().contains("BadDigest"), "{error}");
    assert!(client.send(HeadObject::new("key")).wait().expect_err("none").is_not_found());
}

/// How a server tells the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// With an answer that brings all bytes, and when it is asked by a HEAD: as S3 does.
    OfWholeAnswers,
    /// With every answer.
    Always,
}

/// A server of `data` that flips a bit of the byte at `flipped` in the first `times` answers that
/// bring it.
fn flipping(data: Vec<u8>, tells: Tells, flipped: usize, times: usize) -> Peer {
    let left = std::sync::Mutex::new(times);
    let sum = Sum::from(Crc64::of(&data)).to_string();
    let data = Arc::new(data);
    Peer::start(move |seen, wire| {
        let tell = format!("x-amz-checksum-crc64nvme: {sum}\r\nx-amz-checksum-type: FULL_OBJECT");
        if seen.method == "HEAD" {
            return wire.send(head("200 OK", &data, &[&tell]).as_bytes());
        }
        let (first, last) = seen.range().expect("a ranged GET");
        let last = last.min(data.len() - 1);
        let mut body = data[first..=last].to_vec();
        if (first..=last).contains(&flipped) {
            let mut left = left.lock().expect("no panic");
            if *left > 0 {
                *left -= 1;
                body[flipped - first] ^= 0x10;
            }
        }
        let range = format!("Content-Range: bytes {first}-{last}/{}", data.len());
        let told = tells == Tells::Always || body.len() == data.len();
        let lines: &[&str] = if told { &[&range, &tell] } else { &[&range] };
        wire.send(head("206 Partial Content", &body, lines).as_bytes())?;
        wire.send(&body)
    })
}

#[test]
fn a_flipped_bit_is_read_again_once_and_then_an_error() {
    let small = noise(1, 100_000);
    for (times, requests) in [(1, 2), (usize::MAX, 2)] {
        for tells in [Tells::OfWholeAnswers, Tells::Always] {
            let peer = flipping(small.clone(), tells, 77_777, times);
            let (_hydrant, at) = object(&peer);
            match read_all(&at) {
                Ok(back) => assert!(times == 1 && back == small),
                Err(error) => {
                    assert!(times > 1, "{error}");
                    assert_eq!(error.class(), Class::Integrity, "{error}");
                    assert!(error.to_string().contains("CRC64NVME"), "{error}");
                }
            }
            assert_eq!(peer.seen().len(), requests, "{tells:?}");
        }
    }
}

#[test]
fn a_flipped_bit_in_one_of_many_ranges_is_an_error() {
    let data = noise(1, 5 * PART + 12_345);
    for tells in [Tells::OfWholeAnswers, Tells::Always] {
        for flipped in [0, 2 * PART, 5 * PART + 12_344] {
            let peer = flipping(data.clone(), tells, flipped, usize::MAX);
            let (hydrant, at) = object(&peer);
            let error = read_all(&at).expect_err("it is corrupt");
            assert_eq!(error.class(), Class::Integrity, "{tells:?} {flipped}: {error}");
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("copy");
            let to = hydrant.locate(&file.display().to_string()).expect("a path");
            let error = copy(&at, &to, Default::default()).wait().expect_err("corrupt");
            assert_eq!(error.class(), Class::Integrity, "{tells:?} {flipped}: {error}");
            assert!(!file.exists(), "nothing corrupt is visible (DATA-3)");
        }
        // A copy has shown nothing yet, and reads all of it once more.
        let peer = flipping(data.clone(), tells, 2 * PART, 1);
        let (hydrant, at) = object(&peer);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("copy");
        let to = hydrant.locate(&file.display().to_string()).expect("a path");
        let report = copy(&at, &to, Default::default()).wait().expect("read again");
        match (tells, report.began_anew) {
            (_, Some(why)) => assert!(why.contains("CRC64NVME"), "{why}"),
            // The range that came last was read again, and was the wrong one.
            (Tells::Always, None) => {}
            (Tells::OfWholeAnswers, None) => panic!("nobody can tell which range is wrong"),
        }
        assert!(std::fs::read(&file).expect("a file") == data, "{tells:?}");

        let peer = flipping(data.clone(), tells, 0, 0);
        let (_hydrant, at) = object(&peer);
        assert!(read_all(&at).expect("whole") == data, "{tells:?}");
        let heads = peer.seen().iter().filter(|seen| seen.method == "HEAD").count();
        assert_eq!(heads, usize::from(tells == Tells::OfWholeAnswers), "{tells:?}");
    }
}

/// The read that asks has given its connection back, or all that there are could wait for one more.
#[test]
fn asking_for_a_checksum_needs_no_second_connection() {
    let data = noise(1, 3 * PART);
    let peer = flipping(data.clone(), Tells::OfWholeAnswers, 0, 0);
    let hydrant = client_with(&peer.url(), |builder| {
        builder.cores(1).s3(|s3| s3.http.connections_per_core_max = 1)
    });
    let at = hydrant.locate(&format!("s3://{BUCKET}/key")).expect("a URI");
    let (told, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(read_all(&at)));
    let read = result.recv_timeout(Duration::from_secs(60)).expect("it ends");
    assert!(read.expect("whole") == data);
    assert_eq!(peer.seen().iter().filter(|seen| seen.method == "HEAD").count(), 1);
}

#[test]
fn with_checksums_off_nothing_is_compared() {
    let data = noise(1, 2 * PART);
    let peer = flipping(data.clone(), Tells::Always, 5, usize::MAX);
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| s3.checksums.answers = Some(ChecksumPolicy::Off))
    });
    let at = hydrant.locate(&format!("s3://{BUCKET}/key")).expect("a URI");
    assert!(read_all(&at).expect("not noticed") != data);
    assert!(peer.seen().iter().all(|seen| seen.header("x-amz-checksum-mode").is_none()));
}

#[test]
fn an_upload_that_a_server_tells_another_checksum_of_is_an_error() {
    let peer = Peer::start(|seen, wire| {
        wire.receive_body()?;
        let document = match (&*seen.method, seen.target.contains("uploads")) {
            ("POST", true) => {
                "<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>"
            }
            ("POST", false) => {
                "<CompleteMultipartUploadResult><ETag>\"e\"</ETag>\
                 <ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></CompleteMultipartUploadResult>"
            }
            ("PUT", _) => "",
            _ => return wire.send(b"HTTP/1.1 204 No Content\r\n\r\n"),
        };
        wire.send(head("200 OK", document.as_bytes(), &[]).as_bytes())?;
        wire.send(document.as_bytes())
    });
    let (_hydrant, at) = object(&peer);
    let put = at.store.put_with(&at.key, noise(1, PART + 1).into(), PutOptions::default());
    let error = put.wait().expect_err("another object");
    assert!(matches!(error.kind(), ErrorKind::Integrity { .. }), "{error}");
    let seen = peer.seen();
    let named = |name: &str| seen[0].header(name).map(str::to_owned);
    assert_eq!(named("x-amz-checksum-algorithm").as_deref(), Some("CRC64NVME"));
    assert_eq!(named("x-amz-checksum-type").as_deref(), Some("FULL_OBJECT"));
    let complete = seen.iter().rfind(|seen| seen.method == "POST").expect("completed");
    let size = (PART + 1).to_string();
    assert_eq!(complete.header("x-amz-mp-object-size"), Some(&*size));
    assert!(complete.header("x-amz-checksum-crc64nvme").is_some());
}

fn kept(client: &S3Client, key: &str) -> Checksums {
    let mut head = HeadObject::new(key);
    head.0.checksum_mode = true;
    client.send(head).wait().expect("head").checksums
}

fn object(peer: &Peer) -> (Hydrant, Location) {
    let hydrant = client_with(&peer.url(), |builder| builder);
    let at = hydrant.locate(&format!("s3://{BUCKET}/key")).expect("a URI");
    (hydrant, at)
}

fn head(status: &str, body: &[u8], lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "HTTP/1.1 {status}\r\nETag: \"version-1\"\r\n{lines}Content-Length: {}\r\n\r\n",
        body.len()
    )
}

fn whole(wire: &mut Wire, body: &[u8]) -> io::Result<()> {
    wire.send(head("200 OK", body, &[]).as_bytes())?;
    wire.send(body)
}
