//! The server as a whole: restarts, who may ask, names, counters, limits.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::client::{Client, config, etag, hex, noise, serve};
use hmac::{Hmac, KeyInit, Mac};
use hydrant_server::{Config, Credentials, Limits, Server, ServerError};
use sha2::{Digest, Sha256};
use tempfile::tempdir;

#[test]
fn everything_is_there_after_a_restart() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client
        .request("PUT", "/bucket/a", &[("x-amz-meta-m", "v"), ("content-type", "t/x")], b"content")
        .assert(200);
    client.put("/bucket/a/b", b"below").assert(200);
    let upload =
        client.request("POST", "/bucket/big?uploads", &[], b"").assert(200).tag("UploadId");
    let part =
        client.put(&format!("/bucket/big?partNumber=1&uploadId={upload}"), b"part").assert(200);
    std::fs::write(root.path().join(".hydrant/tmp/left-by-a-crash"), b"half").unwrap();
    server.stop();

    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    let answer = client.get("/bucket/a").assert(200);
    assert_eq!((answer.header("x-amz-meta-m"), answer.header("content-type")), ("v", "t/x"));
    assert_eq!(
        (answer.header("etag"), answer.body.as_slice()),
        (etag(b"content").as_str(), b"content".as_slice())
    );
    let tag = part.header("etag");
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    );
    let joined = client
        .request("POST", &format!("/bucket/big?uploadId={upload}"), &[], body.as_bytes())
        .assert(200);
    let joined = joined.tag("ETag");
    assert!(!root.path().join(".hydrant/tmp/left-by-a-crash").exists());
    server.stop();

    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    assert_eq!(client.get("/bucket/big").assert(200).header("etag"), joined);
    // Changed by other means: what was kept no longer describes the file.
    std::fs::write(root.path().join("bucket/big"), b"rewritten").unwrap();
    assert_eq!(client.get("/bucket/big").assert(200).header("etag"), etag(b"rewritten"));
}

#[test]
fn a_durable_server_does_the_same() {
    let root = tempdir().unwrap();
    let server = Server::start(Config::new(root.path())).unwrap();
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/x/y", b"content").assert(200);
    assert_eq!(client.get("/bucket/x/y").assert(200).body, b"content");
    client.delete("/bucket/x/y").assert(204);
    client.delete("/bucket").assert(204);
}

#[test]
fn one_directory_has_one_server() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    assert!(matches!(Server::start(config(root.path())), Err(ServerError::InUse { .. })));
    let elsewhere = tempdir().unwrap();
    let taken = Config { listen: server.addr(), ..config(elsewhere.path()) };
    assert!(matches!(Server::start(taken), Err(ServerError::Listen { .. })));
    server.stop();
    serve(root.path());
}

#[test]
fn with_credentials_only_their_signature_opens() {
    let root = tempdir().unwrap();
    let credentials = Credentials::new("AKID", "very secret");
    assert!(!format!("{credentials:?}").contains("very"), "SEC-1");
    let server =
        Server::start(Config { credentials: Some(credentials), ..config(root.path()) }).unwrap();
    let mut client = Client::new(server.addr());
    let host = server.addr().to_string();
    let signed = |method: &str, path: &str, secret: &str, payload: &str, body: &[u8]| {
        let date = amz_date();
        let authorization = sign(method, path, &host, &date, payload, "AKID", secret);
        let headers = [
            ("x-amz-date", date.as_str()),
            ("x-amz-content-sha256", payload),
            ("authorization", authorization.as_str()),
        ];
        Client::new(server.addr()).request(method, path, &headers, body)
    };
    signed("PUT", "/bucket", "very secret", "UNSIGNED-PAYLOAD", b"").assert(200);
    signed("PUT", "/bucket/k", "very secret", "UNSIGNED-PAYLOAD", b"hello").assert(200);
    let sha256 = hex(&Sha256::digest(b"hello"));
    signed("PUT", "/bucket/k", "very secret", &sha256, b"hello").assert(200);
    signed("PUT", "/bucket/k", "very secret", &sha256, b"hallo")
        .assert_error(400, "XAmzContentSHA256Mismatch");
    assert_eq!(
        signed("GET", "/bucket/k", "very secret", "UNSIGNED-PAYLOAD", b"").assert(200).body,
        b"hello"
    );
    signed("GET", "/bucket/k", "wrong", "UNSIGNED-PAYLOAD", b"")
        .assert_error(403, "SignatureDoesNotMatch");
    client.get("/bucket/k").assert_error(403, "AccessDenied");
}

#[test]
fn without_credentials_signatures_are_not_looked_at() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let authorization =
        sign("PUT", "/bucket/k", "h", &amz_date(), "UNSIGNED-PAYLOAD", "any", "key");
    client.request("PUT", "/bucket/k", &[("authorization", &authorization)], b"x").assert(200);
    let query = "/bucket/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0&X-Amz-Expires=1";
    assert_eq!(client.get(query).assert(200).body, b"x");
}

#[test]
fn a_bucket_can_be_named_by_the_host() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let host = format!("bucket.localhost:{}", server.addr().port());
    client.request("PUT", "/some/key", &[("host", &host)], b"x").assert(200);
    assert_eq!(client.get("/bucket/some/key").assert(200).body, b"x");
    let plain = format!("localhost:{}", server.addr().port());
    assert_eq!(
        client.request("GET", "/bucket/some/key", &[("host", &plain)], b"").assert(200).body,
        b"x"
    );
}

#[test]
fn connections_and_requests_are_counted() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/k", b"x").assert(200);
    for _ in 0..3 {
        client.get("/bucket/k").assert(200);
    }
    client.request("HEAD", "/bucket/k", &[], b"").assert(200);
    client.delete("/bucket/k").assert(204);
    let stats = server.stats();
    assert_eq!((stats.connections_accepted, stats.connections_open), (1, 1));
    assert_eq!((stats.put, stats.get, stats.head, stats.delete, stats.post), (2, 3, 1, 1, 0));
    assert_eq!(stats.requests(), 7);
    assert!(server.url().starts_with("http://127.0.0.1:"));
}

#[test]
fn a_throttle_slows_both_ways() {
    let root = tempdir().unwrap();
    let throttled = Config { throttle_bytes_per_second: Some(4 << 20), ..config(root.path()) };
    let server = Server::start(throttled).unwrap();
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let content = noise(1 << 20, 1);
    for _ in 0..2 {
        let begun = Instant::now();
        client.put("/bucket/k", &content).assert(200);
        let put = begun.elapsed();
        let begun = Instant::now();
        assert!(client.get("/bucket/k").assert(200).body == content);
        let get = begun.elapsed();
        for took in [put, get] {
            assert!(took > Duration::from_millis(200) && took < Duration::from_secs(3), "{took:?}");
        }
    }
}

#[test]
fn connections_beyond_the_limit_wait_for_a_place() {
    let root = tempdir().unwrap();
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let server = Server::start(Config { limits, ..config(root.path()) }).unwrap();
    let mut first = Client::new(server.addr());
    first.put("/bucket", b"").assert(200);
    let mut second = Client::new(server.addr());
    second.send("GET", "/", &[], b"");
    second.stream().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut byte = [0];
    assert!(second.stream().read(&mut byte).is_err(), "answered beyond the limit");
    drop(first);
    second.stream().set_read_timeout(None).unwrap();
    second.receive(false).assert(200);
}

#[test]
fn a_stop_lets_a_running_request_end() {
    let root = tempdir().unwrap();
    let throttled = Config { throttle_bytes_per_second: Some(2 << 20), ..config(root.path()) };
    let server = Server::start(throttled).unwrap();
    let content = noise(1 << 20, 3);
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/k", &content).assert(200);
    client.send("GET", "/bucket/k", &[], b"");
    let reader = std::thread::spawn(move || client.receive(false));
    let until = Instant::now() + Duration::from_secs(60);
    while server.stats().get == 0 {
        assert!(Instant::now() < until, "the request never came");
        std::thread::sleep(Duration::from_millis(1));
    }
    server.stop();
    assert!(reader.join().unwrap().assert(200).body == content);
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    for _ in 0..20 {
        let mut client = Client::new(server.addr());
        client.put("/none/k", &noise(900_000, 1)).assert_error(404, "NoSuchBucket");
        client.get("/none/k").assert_error(404, "NoSuchBucket");
    }
}

/// `YYYYMMDDTHHMMSSZ` of now, by the civil calendar.
fn amz_date() -> String {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (mut days, mut year) = (seconds / 86400, 1970);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", month + 1, days + 1)
}

/// Signature version 4 of a request without a query, by the book and independent of the server's code.
fn sign(
    method: &str,
    path: &str,
    host: &str,
    date: &str,
    payload: &str,
    access: &str,
    secret: &str,
) -> String {
    let names = "host;x-amz-content-sha256;x-amz-date";
    let canonical = format!(
        "{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{date}\n\n{names}\n{payload}"
    );
    let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mut key = format!("AWS4{secret}").into_bytes();
    for step in [&date[..8], "us-east-1", "s3", "aws4_request", &to_sign] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(step.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    format!(
        "AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={}",
        hex(&key)
    )
}
