//! The operations of S3 against a real server, and against peers that do what real ones do at times.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use hydrant::s3::credentials::{Credentials, Identity};
use hydrant::s3::time::{HttpDate, Timestamp};
use hydrant::s3::*;
use hydrant::{Bytes, ErrorKind, Etag, Hydrant, PutOptions, Result, WriteIf};
use hydrant_tests::{BUCKET, PART, Peer, Wire, World, client_with, noise};

#[test]
fn an_object_keeps_what_was_said_of_it() {
    let world = World::new();
    let hydrant = world.client();
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let mut put = PutObject::new("key", &b"hello"[..]);
    put.object.content_type = Some("text/plain".into());
    put.object.cache_control = Some("no-store".into());
    put.object.metadata = vec![("made-by".into(), "me  and you".into())];
    let stored = client.send(put.clone()).wait().expect("put");
    let info = client.send(HeadObject::new("key")).wait().expect("head");
    assert_eq!((info.content_length, info.etag), (Some(5), stored.etag));
    assert_eq!(info.content_type.as_deref(), Some("text/plain"));
    assert_eq!(info.cache_control.as_deref(), Some("no-store"));
    assert_eq!(info.metadata, [("made-by".to_owned(), "me  and you".to_owned())]);

    let mut get = GetObject::new("key");
    get.range = Some(ReadRange::Last(3));
    let (info, bytes) = client.get_object(get.clone(), 100).wait().expect("get");
    assert_eq!((&bytes[..], info.object_bytes()), (&b"llo"[..], Some(5)));
    assert!(client.get_object(GetObject::new("key"), 4).wait().is_err(), "more than was asked for");
    get.range = None;
    get.conditions.if_none_match = info.etag.map(|etag| etag.as_str().to_owned());
    let error = client.get_object(get, 100).wait().expect_err("not modified");
    assert_eq!(s3_error(&error).kind(), S3ErrorKind::NotModified);

    put.conditions.if_none_match = Some("*".into());
    let error = client.send(put).wait().expect_err("it is there");
    assert_eq!(s3_error(&error).kind(), S3ErrorKind::PreconditionFailed);
}

#[test]
fn buckets_are_made_listed_and_deleted() {
    let world = World::new();
    let hydrant = world.client();
    let client = hydrant.s3("another").expect("a name");
    let error = client.send(HeadBucket::default()).wait().expect_err("not there");
    assert!(error.is_not_found(), "{error}");
    client.send(CreateBucket::default()).wait().expect("made");
    client.send(HeadBucket::default()).wait().expect("there");
    assert_eq!(client.send(GetBucketLocation::default()).wait().expect("told"), "us-east-1");
    let page = client.send(ListBuckets::default()).wait().expect("listed");
    let names: Vec<_> = page.buckets.iter().map(|bucket| &*bucket.name).collect();
    assert_eq!(names, ["another", BUCKET]);
    assert_eq!(client.with_bucket(BUCKET).expect("a name").bucket(), BUCKET);
    client.send(DeleteBucket::default()).wait().expect("deleted");
    assert!(client.send(HeadBucket::default()).wait().expect_err("gone").is_not_found());
}

/// What keys trip over; the longest has the 1,024 bytes that S3 allows.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "two words",
        "a+b",
        "100%",
        "%41",
        "%2F",
        "a//b",
        "/leading",
        "//",
        "trailing/",
        "./x",
        "../x",
        "a/../b",
        "a/./b",
        "..",
        ".",
        "new\nline",
        "carriage\r\nreturn",
        "tab\t",
        "\u{1f980}/\u{1f4a7}",
        "?q=1&r#f",
        "a=b;c:d@e!$'()*,",
        "back\\slash",
        "\"quoted\"<&>",
        " ",
        " blanks ",
        "~tilde",
        "\u{7f}\u{1}",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push("é/".repeat(341) + "x");
    assert_eq!(keys.last().map(String::len), Some(1024));
    keys
}

#[test]
fn odd_keys_pass_through_every_operation() {
    let world = World::new();
    let hydrant = world.client();
    let client = hydrant.s3(BUCKET).expect("a bucket");
    for key in odd_keys() {
        round_trip(&client, &key).unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }
    let page = client.send(ListObjectsV2::default()).wait().expect("listed");
    assert!(page.objects.is_empty(), "{page:?}");
}

fn round_trip(client: &S3Client, key: &str) -> Result<()> {
    let data = Bytes::from(format!("the object {key:?}"));
    client.send(PutObject::new(key, data.clone())).wait()?;
    client.send(HeadObject::new(key)).wait()?;
    assert_eq!(client.get_object(GetObject::new(key), 5000).wait()?.1, data);
    let copied = format!("{key}copy");
    if copied.len() <= 1024 {
        let source = CopySource::new(client.bucket(), key);
        client.send(CopyObject::new(&copied[..], source)).wait()?;
        assert_eq!(client.get_object(GetObject::new(&copied[..]), 5000).wait()?.1, data);
        client.send(DeleteObject::new(copied)).wait()?;
    }
    let created = client.send(CreateMultipartUpload::new(key)).wait()?;
    let id = &created.upload_id[..];
    let uploads = client.send(ListMultipartUploads::default()).wait()?;
    assert_eq!((&*uploads.uploads[0].key, &*uploads.uploads[0].upload_id), (key, id));
    let first = client.send(UploadPart::new(key, id, 1, Bytes::from(noise(1, PART)))).wait()?;
    let source = CopySource::new(client.bucket(), key);
    let second = client.send(UploadPartCopy::new(key, id, 2, source)).wait()?;
    let listed = client.send(ListParts::new(key, id)).wait()?;
    let sizes: Vec<_> = listed.parts.iter().map(|part| (part.number, part.size)).collect();
    assert_eq!(sizes, [(1, PART as u64), (2, data.len() as u64)]);
    let tags = [first.etag, second.etag].map(|etag| etag.expect("told").to_string());
    let [first, second] = tags;
    let parts = vec![CompletedPart::new(1, first), CompletedPart::new(2, second)];
    client.send(CompleteMultipartUpload::new(key, id, parts)).wait()?;
    let mut tail = GetObject::new(key);
    tail.range = Some(ReadRange::From(PART as u64));
    assert_eq!(client.get_object(tail, 5000).wait()?.1, data);

    let begun = client.send(CreateMultipartUpload::new(key)).wait()?;
    client.send(AbortMultipartUpload::new(key, begun.upload_id)).wait()?;
    let page = client.send(ListObjectsV2::default()).wait()?;
    let keys: Vec<_> = page.objects.iter().map(|object| &*object.key).collect();
    assert_eq!(keys, [key]);
    let outcomes = client.delete_each(DeleteObjects::new([key.into()])).wait()?;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(client.send(HeadObject::new(key)).wait().expect_err("gone").is_not_found());
    Ok(())
}

#[test]
fn more_than_a_thousand_deletes_have_an_outcome_each() {
    let world = World::new();
    let hydrant = world.client();
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let kept = PutObject::new("kept", &b""[..]);
    client.send(kept).wait().expect("put");
    let mut objects: Vec<_> = (0..1500).map(|number| ObjectId::new(format!("k{number}"))).collect();
    objects.insert(700, ObjectId::new("\u{1}\u{2}"));
    for number in [0, 700, 1499] {
        let put = PutObject::new(&objects[number].key[..], &b"x"[..]);
        client.send(put).wait().expect("put");
    }
    objects[1200] = ObjectId::new("k".repeat(1500));
    let outcomes = client.delete_each(DeleteObjects::new(objects)).wait().expect("told");
    let refused: Vec<_> = (0..).zip(&outcomes).filter(|it| it.1.is_err()).map(|it| it.0).collect();
    assert_eq!((outcomes.len(), refused), (1501, vec![1200]), "in the order given");
    let page = client.send(ListObjectsV2::default()).wait().expect("listed");
    assert_eq!(page.objects.len(), 1);
}

#[test]
fn presigned_urls_need_no_credentials() {
    let world = World::new();
    let hydrant = world.client();
    let client = hydrant.s3(BUCKET).expect("a bucket");
    for key in ["plain", "a b+%/é", "../x//y", "new\nline"] {
        let mut put = PutObject::new(key, Bytes::new());
        put.object.metadata = vec![("by".into(), "url".into())];
        let hour = Duration::from_secs(3600);
        let put = client.presign(&put, hour).expect("presigned");
        assert!(by_hand(&put, "hello").starts_with("HTTP/1.1 200"), "{key:?}");
        let get = client.presign(&GetObject::new(key), hour).expect("presigned");
        let answer = by_hand(&get, "");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        let head = client.presign(&HeadObject::new(key), hour).expect("presigned");
        assert!(by_hand(&head, "").contains("x-amz-meta-by: url"), "{key:?}");
        let mut forged = get;
        let last = forged.url.pop();
        forged.url.push(if last == Some('0') { '1' } else { '0' });
        assert!(by_hand(&forged, "").starts_with("HTTP/1.1 403"), "{key:?}");
        let delete = client.presign(&DeleteObject::new(key), hour).expect("presigned");
        assert!(by_hand(&delete, "").starts_with("HTTP/1.1 204"), "{key:?}");
    }
}

/// Runs a presigned request with nothing but a socket.
fn by_hand(request: &Presigned, body: &str) -> String {
    let rest = request.url.strip_prefix("http://").expect("plain HTTP");
    let (host, target) = rest.split_at(rest.find('/').expect("a path"));
    let mut head = format!("{} {target} HTTP/1.1\r\nHost: {host}\r\n", request.method.as_str());
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(host).expect("connected");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code><Message>slower</Message>\
    <RequestId>R1</RequestId><HostId>H1</HostId></Error>";
const ACCESS_DENIED: &str = "<Error><Code>AccessDenied</Code><Message>no</Message>\
    <RequestId>R2</RequestId><HostId>H2</HostId></Error>";
const COMPLETED: &str = "<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag>\
    </CompleteMultipartUploadResult>";
const COPIED: &str = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>";

#[test]
fn an_error_inside_a_200_is_tried_again_or_told() {
    let complete = || CompleteMultipartUpload::new("k", "U", vec![CompletedPart::new(1, "e")]);
    let copy = || CopyObject::new("k", CopySource::new("b", "s"));
    let peer = |first: &'static str, then: &'static str| {
        Peer::start(move |seen, wire| {
            wire.receive_body()?;
            answer(wire, "200 OK", "", if seen.number < 2 { first } else { then })
        })
    };
    let good = peer(SLOW_DOWN, COMPLETED);
    let done = s3(&good).1.send(complete()).wait().expect("the third time");
    assert_eq!((done.etag.expect("told").as_str(), good.seen().len()), ("\"e-1\"", 3));
    let good = peer(SLOW_DOWN, COPIED);
    assert!(s3(&good).1.send(copy()).wait().is_ok());
    let bad = peer(ACCESS_DENIED, COPIED);
    let error = s3(&bad).1.send(copy()).wait().expect_err("refused");
    let told = s3_error(&error);
    assert_eq!((told.http_status, &*told.code, &*told.message), (200, "AccessDenied", "no"));
    assert_eq!((told.operation, told.key.as_deref()), ("CopyObject", Some("k")));
    assert_eq!((told.request_id.as_deref(), told.host_id.as_deref()), (Some("R2"), Some("H2")));
    assert_eq!(bad.seen().len(), 1);
}

/// What support asks for goes with an answer that cannot be read, too.
#[test]
fn an_answer_that_cannot_be_read_is_told_with_its_status_and_ids() {
    let told_of = |status: &'static str, fields: &'static str, body: &'static str| {
        let peer = Peer::start(move |_, wire| {
            let ids = "x-amz-request-id: R8\r\nx-amz-id-2: H8\r\n";
            answer(wire, status, &format!("{ids}{fields}"), body)
        });
        let hydrant = client_with(&peer.url(), |builder| builder.s3(|s3| s3.retry.tries_max = 1));
        let client = hydrant.s3(BUCKET).expect("a bucket");
        let copy = CopyObject::new("k", CopySource::new("b", "s"));
        let errors = [
            client.send(copy).wait().expect_err("no copy"),
            client.get_object(GetObject::new("k"), 100).wait().expect_err("no object"),
        ];
        (errors[0].clone(), errors.map(|error| error.to_string()))
    };
    let (refused, _) = told_of("202 Accepted", "", ACCESS_DENIED);
    assert_eq!(s3_error(&refused).http_status, 202);
    let (_, [foreign, _]) = told_of("202 Accepted", "", "<Other/>");
    let (_, [cut, _]) = told_of("202 Accepted", "", "<CopyObjectResult><ETag>");
    let (_, [_, field]) = told_of("206 Partial Content", "Content-Range: nonsense\r\n", "x");
    for (text, status) in [(foreign, 202), (cut, 202), (field, 206)] {
        let ids = format!("(HTTP {status}, request id R8, host id H8)");
        assert!(text.contains(&ids), "{text}");
    }
}

#[test]
fn a_clock_that_is_off_is_corrected_once_and_remembered() {
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>off</Message></Error>";
    let peer = Peer::start(move |seen, wire| {
        if seen.header("x-amz-date").is_some_and(|date| date.starts_with("19941106T")) {
            return answer(wire, "200 OK", "Content-Length-Of: x\r\n", "");
        }
        answer(wire, "403 Forbidden", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", skewed)
    });
    let (_hydrant, client) = signing(&peer);
    for _ in 0..3 {
        client.send(DeleteObject::new("k")).wait().expect("signed with the server's clock");
    }
    assert_eq!(peer.seen().len(), 4);

    let hopeless = Peer::start(move |_, wire| answer(wire, "403 Forbidden", "", skewed));
    let (_hydrant, client) = signing(&hopeless);
    let error = client.send(DeleteObject::new("k")).wait().expect_err("no date to learn from");
    assert_eq!(s3_error(&error).kind(), S3ErrorKind::ClockSkew);
    assert_eq!(hopeless.seen().len(), 1);
}

/// What answers a HEAD has no document: the clock is learnt from `Date` all the same.
#[test]
fn a_clock_that_is_off_is_learnt_from_the_answer_to_a_head() {
    let peer = Peer::start(move |seen, wire| {
        if seen.header("x-amz-date").is_some_and(|date| date.starts_with("19941106T")) {
            return answer(wire, "200 OK", "", "");
        }
        answer(wire, "403 Forbidden", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "")
    });
    let (_hydrant, client) = signing(&peer);
    // Those that are under way together learn it each, and those behind them need not.
    let together: Vec<_> = (0..4).map(|_| client.send(HeadBucket::default())).collect();
    together.into_iter().for_each(|one| drop(one.wait().expect("signed with the server's clock")));
    let before = peer.seen().len();
    assert!((5..=8).contains(&before), "{before}");
    client.send(HeadBucket::default()).wait().expect("remembered");
    assert_eq!(peer.seen().len(), before + 1);

    // A clock that is right is not to blame, nor is one twice.
    let now = SystemTime::now();
    for (date, requests) in [(now, 1), (SystemTime::UNIX_EPOCH, 2)] {
        let date = format!("Date: {}\r\n", HttpDate(Timestamp::from(date)));
        let peer = Peer::start(move |_, wire| answer(wire, "403 Forbidden", &date, ""));
        let (_hydrant, client) = signing(&peer);
        let error = client.send(HeadObject::new("k")).wait().expect_err("refused");
        assert_eq!(s3_error(&error).kind(), S3ErrorKind::AccessDenied);
        assert_eq!(peer.seen().len(), requests);
    }
    // What is refused again has nothing to do with the clock: that of a proxy is not kept.
    let peer = Peer::start(move |seen, wire| {
        let is_ours = !seen.header("x-amz-date").is_some_and(|date| date.starts_with("1994"));
        match seen.method.as_str() {
            "HEAD" => answer(wire, "403 Forbidden", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ""),
            _ if is_ours => answer(wire, "204 No Content", "", ""),
            _ => answer(wire, "400 Bad Request", "", ""),
        }
    });
    let (_hydrant, client) = signing(&peer);
    client.send(HeadObject::new("k")).wait().expect_err("refused");
    assert_eq!(peer.seen().len(), 2, "it was tried");
    client.send(DeleteObject::new("k")).wait().expect("signed by the own clock");
    // A request that nobody signs has no clock.
    let peer = Peer::start(move |_, wire| {
        answer(wire, "403 Forbidden", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "")
    });
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| s3.identity = Some(Identity::Anonymous))
    });
    let client = hydrant.s3(BUCKET).expect("a bucket");
    client.send(HeadObject::new("k")).wait().expect_err("refused");
    assert_eq!(peer.seen().len(), 1);
}

#[test]
fn a_region_that_the_server_names_is_learnt_and_remembered() {
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message>\
                     <Region>eu-west-1</Region></Error>";
    for in_head in [false, true] {
        let peer = Peer::start(move |seen, wire| {
            let signed = seen.header("authorization").expect("signed");
            if signed.contains("/eu-west-1/s3/") {
                return answer(wire, "200 OK", "Content-Type: text/plain\r\n", "");
            }
            match in_head {
                true => answer(
                    wire,
                    "301 Moved Permanently",
                    "x-amz-bucket-region: eu-west-1\r\nLocation: http://127.0.0.1:1/evil\r\n",
                    "",
                ),
                false => answer(wire, "400 Bad Request", "", malformed),
            }
        });
        let (_hydrant, client) = signing(&peer);
        for _ in 0..3 {
            client.send(DeleteObject::new("k")).wait().expect("signed for the region");
        }
        assert_eq!(peer.seen().len(), 4, "learnt once");
    }
    // A server that sends in circles is left after one step.
    let count = Arc::new(AtomicUsize::new(0));
    let turns = Arc::clone(&count);
    let peer = Peer::start(move |_, wire| {
        let region = format!("x-amz-bucket-region: r-{}\r\n", turns.fetch_add(1, SeqCst));
        answer(wire, "301 Moved Permanently", &region, "")
    });
    let (_hydrant, client) = signing(&peer);
    let error = client.send(DeleteObject::new("k")).wait().expect_err("in circles");
    assert_eq!(s3_error(&error).kind(), S3ErrorKind::WrongRegion);
    assert_eq!(count.load(SeqCst), 2);
}

#[test]
fn a_conditional_write_is_never_sent_twice_where_the_first_may_have_been_done() {
    let peer = Peer::start(|_, wire| {
        wire.receive_body()?;
        wire.close();
        Ok(())
    });
    let (_hydrant, client) = s3(&peer);
    let mut put = PutObject::new("k", &b"x"[..]);
    put.conditions.if_none_match = Some("*".into());
    assert!(client.send(put).wait().is_err());
    assert_eq!(peer.seen().len(), 1);
    let plain = client.send(PutObject::new("k", &b"x"[..])).wait();
    assert!(plain.is_err() && peer.seen().len() == 6, "a plain one is tried five times");
}

#[test]
fn a_server_without_strong_tags_is_guarded_by_its_dates() {
    for etag in ["", "ETag: W/\"weak\"\r\n"] {
        let peer = Peer::start(move |seen, wire| {
            let (first, last) = seen.range().expect("a ranged GET");
            let second = if seen.number == 0 { 37 } else { 38 };
            if seen.number > 0 {
                let unless = seen.header("if-unmodified-since");
                assert_eq!(unless, Some("Sun, 06 Nov 1994 08:49:37 GMT"), "{seen:?}");
                assert_eq!(seen.header("if-match"), None);
            }
            let length = (last + 1).min(2 * PART) - first;
            let end = first + length - 1;
            let total = 2 * PART;
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{etag}Content-Length: {length}\r\n\
                 Last-Modified: Sun, 06 Nov 1994 08:49:{second} GMT\r\n\
                 Content-Range: bytes {first}-{end}/{total}\r\n\r\n"
            );
            wire.send(head.as_bytes())?;
            wire.send(&vec![7; length])
        });
        let hydrant = hydrant_tests::client(&peer.url());
        let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
        let error = hydrant_tests::read_all(&at).expect_err("two versions");
        assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    }
}

/// An answer is taken for the bytes that were asked for only if it says which they are, and where
/// they end (DATA-2).
#[test]
fn a_plain_get_takes_no_other_bytes_than_those_asked_for() {
    let peer = Peer::start(|seen, wire| {
        let lines = match seen.target.rsplit('/').next() {
            Some("ignored") => "Content-Length: 5\r\n",
            Some("told") => "Content-Range: bytes 1-3/5\r\n",
            Some("other") => "Content-Range: bytes 0-2/5\r\nContent-Length: 3\r\n",
            Some("differing") => "Content-Range: bytes 1-3/5\r\nContent-Length: 2\r\n",
            _ => "",
        };
        let (status, body) = match lines.contains("Range") {
            true => ("206 Partial Content", "ell"),
            false => ("200 OK", "hello"),
        };
        wire.send(format!("HTTP/1.1 {status}\r\n{lines}\r\n{body}").as_bytes())?;
        if !lines.contains("Length") {
            wire.close();
        }
        Ok(())
    });
    let (_hydrant, client) = s3(&peer);
    let get = |key: &str, range| {
        let mut operation = GetObject::new(key);
        operation.range = range;
        client.get_object(operation, 100).wait().map(|(_, bytes)| bytes)
    };
    let middle = Some(ReadRange::Inclusive { first: 1, last: 3 });
    let all = [ReadRange::Inclusive { first: 0, last: 4 }, ReadRange::From(0), ReadRange::Last(9)];
    for range in all.into_iter().map(Some).chain([None]) {
        assert_eq!(get("ignored", range).expect("all of it"), "hello", "{range:?}");
    }
    let error = get("ignored", middle).expect_err("other bytes");
    assert!(error.to_string().contains("ignores ranges"), "{error}");
    assert_eq!(get("told", middle).expect("the range tells its length"), "ell");
    for key in ["other", "differing"] {
        let error = get(key, middle).expect_err("not what was asked for");
        assert!(error.to_string().contains("Content-Range"), "{error}");
    }
    get("told", None).expect_err("no range was asked for");
    let error = get("endless", None).expect_err("whether all has come is not told");
    assert!(error.to_string().contains("without length"), "{error}");
}

/// S3 tells a condition on an object that is not there as a 404.
#[test]
fn a_condition_on_what_is_not_there_does_not_hold() {
    for (code, is_condition) in [("NoSuchKey", true), ("NoSuchBucket", false)] {
        let document = format!("<Error><Code>{code}</Code></Error>");
        let peer = Peer::start(move |_, wire| {
            wire.receive_body()?;
            let length = document.len();
            let head = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {length}\r\n\r\n");
            wire.send(format!("{head}{document}").as_bytes())
        });
        let (hydrant, _client) = s3(&peer);
        let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
        let mut options = PutOptions::default();
        options.write_if = Etag::new("\"e\"").map(WriteIf::Is);
        let error = at.store.put_with(&at.key, Bytes::from_static(b"x"), options).wait();
        let error = error.expect_err("not there");
        assert_eq!(error.is_condition(), is_condition, "{error}");
    }
}

#[test]
fn a_read_at_the_end_of_all_numbers_reads_nothing() {
    let peer = Peer::start(|seen, wire| {
        assert_eq!(seen.header("range"), Some("bytes=18446744073709551615-18446744073709551615"));
        answer(wire, "416 Range Not Satisfiable", "Content-Range: bytes */5\r\n", "")
    });
    let hydrant = hydrant_tests::client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    assert_eq!(at.store.get_into(&at.key, u64::MAX, &mut [0; 1]).unwrap_or(0), 0);
}

fn s3_error(error: &hydrant::Error) -> &S3Error {
    match error.kind() {
        ErrorKind::S3(error) => error,
        other => panic!("{other}"),
    }
}

fn s3(peer: &Peer) -> (Hydrant, S3Client) {
    let hydrant = hydrant_tests::client(&peer.url());
    let client = hydrant.s3(BUCKET).expect("a bucket");
    (hydrant, client)
}

/// The answer to a HEAD has no document, and most servers of one's own name the region nowhere else.
#[test]
fn a_region_that_one_core_has_learnt_all_of_them_know() {
    let peer = Peer::start(move |seen, wire| {
        let signed = seen.header("authorization").expect("signed");
        if signed.contains("/garage/s3/") {
            return answer(wire, "200 OK", "", "");
        }
        let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message>\
                         <Region>garage</Region></Error>";
        let document = if seen.method == "HEAD" { "" } else { malformed };
        answer(wire, "400 Bad Request", "", document)
    });
    let (_hydrant, client) = signing_on(&peer, 2);
    // Both cores have met the store, and none has been told a region.
    let error = client.send(HeadBucket::default()).wait().expect_err("without a word");
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
    client.send(HeadBucket::default()).wait().expect_err("by the other core");
    client.send(DeleteObject::new("k")).wait().expect("told with the first refusal");
    for _ in 0..4 {
        client.send(HeadBucket::default()).wait().expect("by either core");
    }
    let refused = peer.seen().into_iter().filter(|seen| {
        seen.header("authorization").is_some_and(|signed| !signed.contains("/garage/s3/"))
    });
    assert_eq!(refused.count(), 4, "two without a word, and once for each core");
    let other = client.with_bucket("other").expect("a name");
    other.send(HeadBucket::default()).wait().expect("on the same servers");
    let presigned = client.presign(&GetObject::new("k"), Duration::from_secs(60)).expect("a URL");
    assert!(presigned.url.contains("%2Fgarage%2Fs3%2F"), "{}", presigned.url);
}

/// A client with credentials, on one core.
fn signing(peer: &Peer) -> (Hydrant, S3Client) {
    signing_on(peer, 1)
}

fn signing_on(peer: &Peer, cores: usize) -> (Hydrant, S3Client) {
    let keys = Credentials::new("AKID", "secret", None, None).expect("credentials");
    let hydrant = client_with(&peer.url(), |builder| {
        builder.cores(cores).s3(|s3| s3.identity = Some(Identity::Keys(keys)))
    });
    let client = hydrant.s3(BUCKET).expect("a bucket");
    (hydrant, client)
}

fn answer(wire: &mut Wire, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    wire.send(head.as_bytes())
}

/// DATA-2
#[test]
fn all_of_an_object_is_not_taken_for_a_part_of_it() {
    let peer = Peer::start(|_, wire| wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall"));
    let hydrant = client_with(&peer.url(), |builder| builder);
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let part = |number| {
        let mut get = GetObject::new("key");
        get.part_number = Some(number);
        client.get_object(get, 1000).wait()
    };
    // An object that was not uploaded in parts has one.
    assert_eq!(&part(1).expect("all").1[..], b"all");
    let error = part(2).expect_err("no part");
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
}
