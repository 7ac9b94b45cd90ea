//! Objects behind plain URLs, from servers of every kind: with ranges and without, with and without
//! HEAD, sizes and redirects. Credentials go to none of them (SEC-3).

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hydrant::s3::GetObject;
use hydrant::{
    Bytes, Class, CopyOptions, ErrorKind, GetOptions, Hydrant, ListRequest, Location, PutOptions,
    RedirectError, copy,
};
use hydrant_tests::{Authority, PART, Peer, Seen, Wire, World, noise, read_all, wait_until};

const SIZES: [usize; 4] = [0, 1000, PART, 3 * PART + 777];

/// A client that has credentials, for nobody who is asked here.
fn client() -> Hydrant {
    World::new().client()
}

fn locate(hydrant: &Hydrant, url: &str) -> Location {
    hydrant.locate(url).expect("a URL")
}

/// Reads an object in every way.
fn expect_reads(hydrant: &Hydrant, url: &str, data: &[u8]) {
    let at = locate(hydrant, url);
    let (store, key, size) = (&at.store, at.key.as_str(), data.len());
    assert_eq!(store.head(key).wait().expect("known").size_bytes, size as u64, "{at}");
    assert!(read_all(&at).expect("read") == data, "{at}");
    assert!(store.get_whole(key).wait().expect("read").0 == data, "{at}");
    let mut into = vec![0; size];
    assert_eq!(store.get_into(key, 0, &mut into).expect("read"), size);
    assert!(into == data, "{at}");
    if size > 0 {
        let (start, end) = (size / 2, size.min(size / 2 + PART + 1));
        let range = store.get_range(key, start as u64..end as u64).wait().expect("read");
        assert!(range == data[start..end], "{at}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("copy");
    copy(&at, &locate(hydrant, &to.display().to_string()), CopyOptions::default())
        .wait()
        .expect("copied");
    assert!(std::fs::read(to).expect("a file") == data, "{at}");
}

#[test]
fn signed_urls_are_read_and_never_shown() {
    let world = World::new();
    let hydrant = world.client();
    for size in SIZES {
        let data = Bytes::from(noise(size as u64, size));
        let at = locate(&hydrant, &world.uri("s3", &format!("a key/{size}")));
        at.store.put(&at.key, data.clone()).wait().expect("put");
        let s3 = at.store.s3().expect("a bucket");
        let signed = s3.presign(&GetObject::new(&at.key), Duration::from_secs(600));
        let url = signed.expect("signed").url.clone();
        assert!(url.contains("X-Amz-Signature="));
        // The server refuses a HEAD: it was signed for a GET.
        expect_reads(&hydrant, &url, &data);
        let at = locate(&hydrant, &url);
        assert!(!at.to_string().contains("Signature"), "SEC-1: {at}");
        let other = locate(&hydrant, &url.replace("/a%20key/", "/b%20key/"));
        let error = read_all(&other).expect_err("refused");
        assert_eq!(error.class(), Class::Config, "{error}");
        assert!(!format!("{error} {error:?}").contains("Signature="), "SEC-1: {error}");
    }
}

/// A server of another make on a folder. It ends with the value.
struct Other {
    child: Child,
    url: String,
}

impl Drop for Other {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Python's own server, which knows no ranges.
fn python(folder: &Path) -> Other {
    let mut child = Command::new("python3")
        .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Python starts");
    let mut line = String::new();
    let said = child.stdout.take().expect("piped");
    BufReader::new(said).read_line(&mut line).expect("it says where it listens");
    let port = line.split(" port ").nth(1).and_then(|text| text.split(' ').next());
    let url = format!("http://127.0.0.1:{}", port.expect("a port"));
    Other { child, url }
}

#[test]
fn a_server_of_another_make_without_ranges_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = python(folder.path());
    let hydrant = client();
    for size in SIZES {
        let data = noise(size as u64, size);
        std::fs::write(folder.path().join(format!("{size} b")), &data).expect("a file");
        expect_reads(&hydrant, &format!("{}/{size}%20b?x=y", server.url), &data);
    }
    let error = read_all(&locate(&hydrant, &format!("{}/nothing", server.url)));
    assert!(error.expect_err("nothing is there").is_not_found());
}

/// An answer with all of `data`, whatever was asked for.
fn ok(wire: &mut Wire, data: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n", data.len());
    wire.send(head.as_bytes())?;
    wire.send(data)
}

/// An answer with what was asked for.
fn ranged(seen: &Seen, wire: &mut Wire, data: &[u8], etag: &str) -> io::Result<()> {
    let (first, last) = seen.range().expect("a range");
    let body = &data[first..(last + 1).min(data.len())];
    let (length, last, all) = (body.len(), first + body.len() - 1, data.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Length: {length}\r\n\
         Content-Range: bytes {first}-{last}/{all}\r\n\r\n"
    );
    wire.send(head.as_bytes())?;
    wire.send(body)
}

#[test]
fn a_server_without_ranges_is_asked_for_all_once() {
    let data = Arc::new(noise(1, 4 * PART + 5));
    let body = Arc::clone(&data);
    let peer = Peer::start(move |_, wire| ok(wire, &body));
    let hydrant = client();
    let at = locate(&hydrant, &format!("{}/x", peer.url()));
    assert!(read_all(&at).expect("read") == *data);
    let ranges: Vec<_> =
        peer.seen().iter().map(|seen| seen.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges.len(), 2, "the first showed that ranges are ignored: {ranges:?}");
}

#[test]
fn a_whole_body_that_breaks_off_is_asked_for_again_and_never_mixed() {
    let data = Arc::new(noise(1, 4 * PART + 5));
    for changes in [false, true] {
        let (body, other) = (Arc::clone(&data), noise(2, 4 * PART + 5));
        let peer = Peer::start(move |seen, wire| match seen.number {
            0 => ok(wire, &body),
            1 | 2 => {
                let head = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: ";
                wire.send(format!("{head}{}\r\n\r\n", body.len()).as_bytes())?;
                wire.send(&body[..seen.number * (PART + 7)])?;
                wire.close();
                Ok(())
            }
            _ if changes => {
                let head = "HTTP/1.1 200 OK\r\nETag: \"2\"\r\nContent-Length: ";
                wire.send(format!("{head}{}\r\n\r\n", other.len()).as_bytes())?;
                wire.send(&other)
            }
            _ => ok(wire, &body),
        });
        let hydrant = client();
        let read = read_all(&locate(&hydrant, &format!("{}/x", peer.url())));
        match changes {
            false => assert!(read.expect("mended") == *data),
            true => {
                let error = read.expect_err("another version");
                assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
            }
        }
        let asked: Vec<_> =
            peer.seen().iter().map(|seen| seen.header("if-match").is_some()).collect();
        assert_eq!(asked, [false, true, true, true]);
    }
}

#[test]
fn parts_of_two_versions_are_never_mixed() {
    let (old, new) = (noise(1, 3 * PART), noise(2, 3 * PART));
    let peer = Peer::start(move |seen, wire| match seen.range().expect("a range").0 {
        0 => ranged(seen, wire, &old, "\"1\""),
        _ => ranged(seen, wire, &new, "\"2\""),
    });
    let hydrant = client();
    let error = read_all(&locate(&hydrant, &format!("{}/x", peer.url()))).expect_err("a mixture");
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
}

/// Another place may have another object, whatever its tag.
#[test]
fn parts_from_two_places_are_never_mixed() {
    let data = Arc::new(noise(1, 3 * PART));
    let other = Arc::clone(&data);
    let there = Peer::start(move |seen, wire| ranged(seen, wire, &other, "\"1\""));
    let to = format!("{}/x", there.url());
    let here = Peer::start(move |seen, wire| match seen.range().expect("a range").0 {
        0 => ranged(seen, wire, &data, "\"1\""),
        _ => redirect(wire, 307, &to),
    });
    let hydrant = client();
    let error = read_all(&locate(&hydrant, &format!("{}/x", here.url()))).expect_err("a mixture");
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    assert!(there.seen().is_empty());
}

/// An answer whose size nothing tells.
fn chunked(wire: &mut Wire, data: &[u8]) -> io::Result<()> {
    wire.send(b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for chunk in data.chunks(60_000) {
        wire.send(format!("{:x}\r\n", chunk.len()).as_bytes())?;
        wire.send(chunk)?;
        wire.send(b"\r\n")?;
    }
    wire.send(b"0\r\n\r\n")
}

#[test]
fn an_object_of_unknown_size_comes_in_one_part_or_is_refused() {
    let hydrant = client();
    for size in [0, 1, 100_000, PART, PART + 1] {
        let data = Arc::new(noise(size as u64, size));
        let body = Arc::clone(&data);
        let peer = Peer::start(move |_, wire| chunked(wire, &body));
        let read = read_all(&locate(&hydrant, &format!("{}/x", peer.url())));
        if size <= PART {
            assert!(read.expect("read") == *data, "{size}");
        } else {
            let error = read.expect_err("too large");
            assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
        }
        assert_eq!(peer.seen().len(), 1, "{size}");
    }
}

#[test]
fn a_body_that_only_the_end_of_the_connection_ends_is_refused() {
    let peer = Peer::start(|_, wire| {
        wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nperhaps not all")?;
        wire.close();
        Ok(())
    });
    let hydrant = client();
    let error = read_all(&locate(&hydrant, &format!("{}/x", peer.url()))).expect_err("DATA-2");
    assert!(error.to_string().contains("cut one"), "{error}");
}

#[test]
fn a_server_without_head_is_asked_for_one_byte() {
    for has_ranges in [true, false] {
        let peer = Peer::start(move |seen, wire| match (seen.method.as_str(), has_ranges) {
            ("HEAD", _) => {
                wire.send(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            }
            (_, true) => ranged(seen, wire, &[7; 1234], "\"1\""),
            (_, false) => ok(wire, &[7; 1234]),
        });
        let hydrant = client();
        let at = locate(&hydrant, &format!("{}/x", peer.url()));
        let meta = at.store.head(&at.key).wait().expect("known");
        assert_eq!(meta.size_bytes, 1234);
        assert_eq!(meta.etag.expect("told").as_str(), "\"1\"");
        let methods: Vec<_> = peer.seen().into_iter().map(|seen| seen.method).collect();
        assert_eq!(methods, ["HEAD", "GET"]);
    }
}

fn redirect(wire: &mut Wire, status: u16, to: &str) -> io::Result<()> {
    let head =
        format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 4\r\n\r\nbody");
    wire.send(head.as_bytes())
}

#[test]
fn redirects_are_followed_once_for_all_parts_and_without_credentials() {
    for status in [301, 302, 303, 307, 308] {
        let data = Arc::new(noise(1, 3 * PART));
        let body = Arc::clone(&data);
        let there = Peer::start(move |seen, wire| match seen.target.as_str() {
            "/there?a=b" => ranged(seen, wire, &body, "\"1\""),
            _ => redirect(wire, status, "../there?a=b#part"),
        });
        let to = format!("{}/deep/in", there.url());
        let here = Peer::start(move |_, wire| redirect(wire, status, &to));
        let hydrant = client();
        let at = locate(&hydrant, &format!("{}/here", here.url()));
        assert!(read_all(&at).expect("read") == *data);
        assert_eq!(here.seen().len(), 1);
        assert_eq!(there.seen().len(), 1 + 3, "{:?}", there.seen());
        for seen in here.seen().iter().chain(&there.seen()) {
            assert!(seen.header("authorization").is_none(), "SEC-3");
            assert!(seen.header("x-amz-date").is_none());
            let host = if seen.target == "/here" { here.url() } else { there.url() };
            assert_eq!(seen.header("host"), host.strip_prefix("http://"));
        }
    }
}

#[test]
fn objects_whose_redirects_lead_to_one_origin_share_its_connections() {
    let there = Peer::start(move |seen, wire| ranged(seen, wire, b"fine", "\"1\""));
    let to = there.url();
    let here = Peer::start(move |seen, wire| redirect(wire, 307, &format!("{to}{}", seen.target)));
    let hydrant = client();
    let store = hydrant.store(&format!("{}/", here.url())).expect("a URL");
    for number in 0..10 {
        let read = store.get_range(&format!("object-{number}?signature"), 0..4).wait();
        assert_eq!(&read.expect("read")[..], b"fine");
    }
    assert_eq!((here.seen().len(), there.seen().len()), (10, 10));
    let cores = hydrant.engine().cores();
    assert!(there.connections() <= cores, "{} connections", there.connections());
}

/// They lie side by side, and not each at the front of memory for a part.
#[test]
fn small_objects_that_are_kept_leave_room_for_parts_behind_redirects_too() {
    let there = Peer::start(move |seen, wire| ranged(seen, wire, b"small", "\"1\""));
    let to = there.url();
    let here = Peer::start(move |seen, wire| redirect(wire, 307, &format!("{to}{}", seen.target)));
    let hydrant = client();
    let pool = hydrant.engine().pool();
    let parts = pool.capacity_for(8 << 20);
    let store = hydrant.store(&format!("{}/", here.url())).expect("a URL");
    let kept = (0..2 * parts).map(|number| {
        let read = store.get_whole(&format!("object-{number}")).wait().expect("read").0;
        assert_eq!(&read[..], b"small");
        read
    });
    let kept: Vec<_> = kept.collect();
    let free: Vec<_> = std::iter::from_fn(|| pool.try_lease(8 << 20, "a part")).collect();
    assert!(free.len() + 1 >= parts, "{} of {parts} parts beside {}", free.len(), kept.len());
}

#[test]
fn objects_that_are_read_in_order_hold_so_many_connections_and_no_more() {
    let data = Arc::new(noise(1, 4 * PART));
    let body = Arc::clone(&data);
    let peer = Peer::start(move |_, wire| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(&body)
    });
    let hydrant = World::new()
        .client_with(|builder| builder.cores(1).s3(|s3| s3.http.in_order_per_core_max = 2));
    let store = hydrant.store(&format!("{}/", peer.url())).expect("a URL");
    let one_at_a_time = || GetOptions { connections: Some(1), ..GetOptions::default() };
    let begin = |key: &str| {
        let mut stream = store.get(key, one_at_a_time()).expect("a stream");
        let first = stream.next_wait().expect("a piece");
        first.map(|first| (first.to_vec(), stream))
    };
    let (mut read, mut stream) = begin("one").expect("the first");
    let other = begin("two").expect("the second");
    let error = begin("three").map(drop).expect_err("the third");
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    assert!(error.to_string().contains("in_order_per_core_max"), "{error}");
    drop(other);
    wait_until("there is room again", || begin("three").is_ok());
    while let Some(piece) = stream.next_wait() {
        read.extend_from_slice(&piece.expect("read"));
    }
    assert!(read == *data);
}

#[test]
fn a_circle_of_redirects_ends() {
    let peer = Peer::start(|_, wire| redirect(wire, 302, "/again?secret"));
    let hydrant = client();
    let at = locate(&hydrant, &format!("{}/x", peer.url()));
    for error in
        [read_all(&at).expect_err("a circle"), at.store.head(&at.key).wait().expect_err("a circle")]
    {
        let source = match error.kind() {
            ErrorKind::Redirect { source, .. } => *source,
            _ => panic!("{error}"),
        };
        assert_eq!(source, RedirectError::TooMany { limit: 10 });
        assert!(!format!("{error} {error:?}").contains("secret"), "SEC-1");
    }
    assert_eq!(peer.seen().len(), 2 * 11);
}

#[test]
fn redirects_lead_into_tls_and_not_out_of_it() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let identity = authority.identity(&["127.0.0.1"]);
    let world = World::with(folder, move |config| config.tls = Some(identity));
    let bundle = world.file("bundle.pem").display().to_string();
    std::fs::write(&bundle, authority.pem()).expect("written");
    let env = world.env();
    let hydrant = world.client_with(|builder| {
        builder.env(move |name| match name {
            "AWS_CA_BUNDLE" => Some(bundle.clone()),
            _ => env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
        })
    });
    let data = Bytes::from(noise(1, 2 * PART + 1));
    let at = locate(&hydrant, &world.uri("s3", "key"));
    at.store.put(&at.key, data.clone()).wait().expect("put");
    let s3 = at.store.s3().expect("a bucket");
    let signed = s3.presign(&GetObject::new("key"), Duration::from_secs(600)).expect("signed");
    let url = signed.url.clone();
    assert!(url.starts_with("https://"));
    expect_reads(&hydrant, &url, &data);
    let peer = Peer::start(move |_, wire| redirect(wire, 307, &url));
    assert!(read_all(&locate(&hydrant, &format!("{}/x", peer.url()))).expect("read") == data);
}

#[test]
fn a_url_is_only_read() {
    let peer = Peer::start(|_, wire| ok(wire, b"x"));
    let hydrant = client();
    let at = locate(&hydrant, &format!("{}/x", peer.url()));
    let large = Bytes::from(noise(1, PART + 1));
    let errors = [
        at.store.put(&at.key, Bytes::from_static(b"y")).wait().map(drop),
        at.store.put(&at.key, large).wait().map(drop),
        at.store.writer(&at.key, PutOptions::default()).and_then(|mut writer| {
            writer.write_wait(b"y")?;
            writer.finish_wait().map(drop)
        }),
        at.store.delete(&at.key).wait(),
        at.store.list(ListRequest::default()).entries_wait().next().expect("an error").map(drop),
        copy(&locate(&hydrant, "mem://m/x"), &at, CopyOptions::default()).wait().map(drop),
    ];
    for (number, result) in errors.into_iter().enumerate() {
        let error = result.expect_err("read only");
        let is_missing = number == 5 && error.is_not_found();
        assert!(is_missing || matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    }
    assert_eq!(peer.seen().len(), 0);
}

#[test]
fn refusals_are_told_in_the_words_of_http() {
    for (status, class, tries) in [
        (404, Class::NotFound, 1),
        (410, Class::NotFound, 1),
        (403, Class::Config, 1),
        (500, Class::Temporary, 5),
        (400, Class::Other, 1),
    ] {
        let peer = Peer::start(move |_, wire| {
            let head = format!("HTTP/1.1 {status} No\r\nContent-Length: 6\r\n\r\n<html>");
            wire.send(head.as_bytes())
        });
        let hydrant = client();
        let at = locate(&hydrant, &format!("{}/x?token=secret", peer.url()));
        let error = read_all(&at).expect_err("refused");
        assert_eq!(error.class(), class, "{error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("/x") && !text.contains("secret") && !text.contains("s3://x"),
            "{text}"
        );
        assert_eq!(peer.seen().len(), tries, "{error}");
    }
}
