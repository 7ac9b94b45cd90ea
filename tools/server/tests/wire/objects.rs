//! Objects and buckets over the wire.

use crate::client::{Client, etag, noise, path, serve};
use tempfile::tempdir;

#[test]
fn an_object_comes_back_as_it_went() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    for (bytes, seed) in
        [(0, 1), (1, 2), (511, 3), (512 << 10, 4), ((512 << 10) + 1, 5), (5 << 20, 6)]
    {
        let content = noise(bytes, seed);
        let target = path("bucket", &format!("some/dir/{bytes}"));
        assert_eq!(client.put(&target, &content).assert(200).header("etag"), etag(&content));
        let answer = client.get(&target).assert(200);
        assert_eq!(answer.header("etag"), etag(&content));
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert!(!answer.header("last-modified").is_empty());
        assert!(answer.body == content, "{bytes} bytes differ");
        let head = client.request("HEAD", &target, &[], b"").assert(200);
        assert_eq!(head.header("content-length"), bytes.to_string());
        assert_eq!(head.header("etag"), etag(&content));
        let file = root.path().join("bucket/some/dir").join(bytes.to_string());
        assert!(std::fs::read(file).unwrap() == content);
    }
}

#[test]
fn ranges_are_those_of_rfc_9110() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let content = noise(2_000_000, 7);
    client.put("/bucket/k", &content).assert(200);
    let cases = [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=1999990-", 1_999_990..2_000_000),
        ("bytes=-5", 1_999_995..2_000_000),
        ("bytes=-9999999", 0..2_000_000),
        ("bytes=1000000-99999999", 1_000_000..2_000_000),
    ];
    for (range, expected) in cases {
        let answer = client.request("GET", "/bucket/k", &[("range", range)], b"").assert(206);
        let header = format!("bytes {}-{}/2000000", expected.start, expected.end - 1);
        assert_eq!(answer.header("content-range"), header, "{range}");
        assert!(answer.body == content[expected], "{range}");
    }
    for range in ["bytes=2000000-", "bytes=-0"] {
        let refused = client
            .request("GET", "/bucket/k", &[("range", range)], b"")
            .assert_error(416, "InvalidRange");
        assert_eq!(refused.header("content-range"), "bytes */2000000");
    }
    // What is not understood is ignored.
    for range in ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3"] {
        assert_eq!(
            client.request("GET", "/bucket/k", &[("range", range)], b"").assert(200).body.len(),
            2_000_000
        );
    }
    let head = client.request("HEAD", "/bucket/k", &[("range", "bytes=10-19")], b"").assert(206);
    assert_eq!(
        (head.header("content-length"), head.header("content-range")),
        ("10", "bytes 10-19/2000000")
    );
    client.put("/bucket/empty", b"").assert(200);
    client
        .request("GET", "/bucket/empty", &[("range", "bytes=0-")], b"")
        .assert_error(416, "InvalidRange");
}

#[test]
fn conditions_decide_on_reads_and_writes() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/k", b"one").assert(200);
    let tag = etag(b"one");
    let mut get = |name, value: &str| client.request("GET", "/bucket/k", &[(name, value)], b"");
    get("if-match", &tag).assert(200);
    get("if-match", "\"other\"").assert_error(412, "PreconditionFailed");
    let same = get("if-none-match", &tag).assert(304);
    assert_eq!(same.header("etag"), tag);
    get("if-none-match", "\"other\"").assert(200);
    get("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT").assert(304);
    get("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT")
        .assert_error(412, "PreconditionFailed");

    let mut put =
        |target, name, value: &str| client.request("PUT", target, &[(name, value)], b"two");
    put("/bucket/k", "if-none-match", "*").assert_error(412, "PreconditionFailed");
    put("/bucket/k", "if-match", "\"other\"").assert_error(412, "PreconditionFailed");
    put("/bucket/free", "if-none-match", "*").assert(200);
    put("/bucket/k", "if-match", &tag).assert(200);
    assert_eq!(client.get("/bucket/k").body, b"two");
}

#[test]
fn headers_stay_with_the_object() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "attachment"),
        ("content-encoding", "aws-chunked, gzip"),
        ("expires", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ("x-amz-meta-colour", "blue 100%"),
    ];
    client.request("PUT", "/bucket/k", &headers, b"x").assert(200);
    let answer = client.get("/bucket/k").assert(200);
    for (name, value) in headers {
        let expected = if name == "content-encoding" { "gzip" } else { value };
        assert_eq!(answer.header(name), expected, "{name}");
    }
    client.put("/bucket/k", b"x").assert(200);
    let answer = client.get("/bucket/k").assert(200);
    assert_eq!(
        (answer.header("x-amz-meta-colour"), answer.header("content-type")),
        ("", "binary/octet-stream")
    );
    let long = "v".repeat(3000);
    client
        .request("PUT", "/bucket/k", &[("x-amz-meta-a", &long)], b"x")
        .assert_error(400, "MetadataTooLarge");
}

#[test]
fn digests_that_do_not_match_are_refused_data_2() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    // The digests of "hello".
    let right = [
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        (
            "x-amz-content-sha256",
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ];
    for (name, value) in right {
        client.request("PUT", "/bucket/right", &[(name, value)], b"hello").assert(200);
    }
    for (name, value) in &right[..4] {
        let code =
            if *name == "x-amz-content-sha256" { "XAmzContentSHA256Mismatch" } else { "BadDigest" };
        client.request("PUT", "/bucket/wrong", &[(name, value)], b"hallo").assert_error(400, code);
    }
    client.get("/bucket/wrong").assert_error(404, "NoSuchKey");
    let chunked = [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")];
    client
        .request("PUT", "/bucket/wrong", &chunked, b"5\r\nhello\r\n0\r\n\r\n")
        .assert_error(501, "NotImplemented");
}

#[test]
fn a_body_that_ends_early_leaves_nothing_data_3() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/k", b"before").assert(200);
    let mut broken = Client::new(server.addr());
    broken.send("PUT", "/bucket/k", &[("expect-nothing", "1")], b"");
    // The answer to that one, then a head that promises more than comes.
    broken.receive(false).assert(200);
    client.put("/bucket/k", b"before").assert(200);
    use std::io::Write;
    let head = format!(
        "PUT /bucket/k HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000000\r\n\r\n",
        server.addr()
    );
    broken.stream().write_all(head.as_bytes()).unwrap();
    broken.stream().write_all(&noise(300_000, 9)).unwrap();
    drop(broken);
    assert_eq!(client.get("/bucket/k").assert(200).body, b"before");
    let tmp = root.path().join(".hydrant/tmp");
    let emptied = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        std::fs::read_dir(&tmp).unwrap().next().is_none()
    });
    assert!(emptied, "the temporary file stayed");
}

#[test]
fn deleting_is_idempotent_and_removes_the_directories_it_empties() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/a/b/c", b"x").assert(200);
    client.put("/bucket/a/d", b"y").assert(200);
    for _ in 0..2 {
        client.delete("/bucket/a/b/c").assert(204);
    }
    client.get("/bucket/a/b/c").assert_error(404, "NoSuchKey");
    assert!(!root.path().join("bucket/a/b").exists());
    assert_eq!(client.get("/bucket/a/d").assert(200).body, b"y");
    client.put("/bucket/e", b"z").assert(200);
    let many = "<Delete><Object><Key>a/d</Key></Object><Object><Key>e</Key></Object><Object><Key>none</Key></Object></Delete>";
    let answer = client.request("POST", "/bucket?delete", &[], many.as_bytes()).assert(200);
    assert_eq!(answer.tags("Key"), ["a/d", "e", "none"]);
    client.get("/bucket/e").assert_error(404, "NoSuchKey");
    client.delete("/none/k").assert_error(404, "NoSuchBucket");
}

#[test]
fn buckets_are_directories() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/two", b"").assert(200);
    client.put("/one", b"").assert(200);
    client.put("/one", b"").assert_error(409, "BucketAlreadyOwnedByYou");
    client.put("/No", b"").assert_error(400, "InvalidBucketName");
    std::fs::create_dir(root.path().join("made.by.hand")).unwrap();
    std::fs::write(root.path().join("made.by.hand/file"), b"hi").unwrap();
    assert_eq!(client.get("/").assert(200).tags("Name"), ["made.by.hand", "one", "two"]);
    client.request("HEAD", "/one", &[], b"").assert(200);
    client.request("HEAD", "/none", &[], b"").assert(404);
    client.put("/none/k", b"x").assert_error(404, "NoSuchBucket");
    let answer = client.get("/made.by.hand/file").assert(200);
    assert_eq!(
        (answer.header("etag"), answer.body.as_slice()),
        (etag(b"hi").as_str(), b"hi".as_slice())
    );
    client.delete("/made.by.hand").assert_error(409, "BucketNotEmpty");
    client.put("/one/deep/down", b"x").assert(200);
    client.delete("/one").assert_error(409, "BucketNotEmpty");
    client.delete("/one/deep/down").assert(204);
    client.delete("/one").assert(204);
    client.delete("/one").assert_error(404, "NoSuchBucket");
}

#[test]
fn copies_take_bytes_and_headers_along() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let content = noise(1_500_000, 11);
    client.request("PUT", "/bucket/from", &[("x-amz-meta-a", "b")], &content).assert(200);
    let source = [("x-amz-copy-source", "/bucket/from")];
    let answer = client.request("PUT", "/bucket/to/here", &source, b"").assert(200);
    assert_eq!(answer.tag("ETag"), etag(&content));
    let copy = client.get("/bucket/to/here").assert(200);
    assert!(copy.body == content && copy.header("x-amz-meta-a") == "b");
    let missing = [("x-amz-copy-source", "/bucket/missing")];
    client.request("PUT", "/bucket/to", &missing, b"").assert_error(404, "NoSuchKey");
}
