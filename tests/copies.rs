//! Copies that the server or the kernel makes, and what goes along with a copy.

use std::time::{Duration, SystemTime};

use hydrant::s3::CopyLimits;
use hydrant::{
    Attributes, Bytes, CopyOptions, CopyReport, CopyWay, Crc64, ErrorKind, Hydrant, OnFailure,
    PutOptions, TransferLimits, copy,
};
use hydrant_tests::{BUCKET, PART, Peer, Seen, Wire, World, client, client_with, noise, read_all};

/// Everything that can be said of an object.
fn said() -> PutOptions {
    let mut attributes = Attributes::default();
    attributes.cache_control = Some("max-age=60".into());
    attributes.content_disposition = Some("attachment".into());
    attributes.content_encoding = Some("zstd".into());
    attributes.content_language = Some("de".into());
    attributes.expires = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000));
    attributes.metadata = vec![("made-by".into(), "a test".into()), ("other".into(), "1".into())];
    let mut options = PutOptions::default();
    options.content_type = Some("text/x-test".into());
    options.attributes = Some(Box::new(attributes));
    options
}

/// Servers tell metadata in any order.
fn sorted(mut attributes: Option<Box<Attributes>>) -> Option<Box<Attributes>> {
    attributes.iter_mut().for_each(|attributes| attributes.metadata.sort());
    attributes
}

fn copy_at(hydrant: &Hydrant, from: &str, to: &str, streamed: bool) -> hydrant::Result<CopyReport> {
    let from = hydrant.locate(from).expect("a URI");
    let to = hydrant.locate(to).expect("a URI");
    copy(&from, &to, CopyOptions { streamed, ..CopyOptions::default() }).wait()
}

/// A client that lets the server copy anything but empty objects in parts of [`PART`].
fn in_parts(world: &World) -> Hydrant {
    let copy = CopyLimits { whole_bytes_max: 0, part_size_bytes: PART as u64 };
    world.client_with(|builder| builder.s3(|s3| s3.copy = copy))
}

#[test]
fn inside_one_s3_the_server_copies_and_all_that_is_said_goes_along() {
    let world = World::new();
    for (hydrant, size, parts) in [
        (world.client(), 0, 1),
        (world.client(), 3 * PART + 7, 1),
        (in_parts(&world), 0, 1),
        (in_parts(&world), 1, 1),
        (in_parts(&world), 3 * PART + 7, 4),
    ] {
        let data = Bytes::from(noise(size as u64, size));
        let from = hydrant.locate(&world.uri("s3", "from key +%")).expect("a URI");
        from.store.put_with(&from.key, data.clone(), said()).wait().expect("put");
        let to = world.uri("s3", "to");
        for streamed in [false, true] {
            let report = copy_at(&hydrant, &from.to_string(), &to, streamed).expect("copied");
            let way = if streamed { CopyWay::Streamed } else { CopyWay::OnServer };
            assert_eq!((report.way, report.bytes, report.fell_back), (way, size as u64, None));
            assert_eq!(report.crc64nvme.is_some(), streamed);
            if !streamed {
                assert_eq!(report.parts, parts, "{size} bytes");
            }
            let at = hydrant.locate(&to).expect("a URI");
            let meta = at.store.head(&at.key).wait().expect("head");
            assert_eq!(meta.content_type, said().content_type, "{way:?}, {size} bytes");
            assert_eq!(sorted(meta.attributes), said().attributes, "{way:?}, {size} bytes");
            assert_eq!(meta.etag, report.meta.etag);
            assert!(read_all(&at).expect("read") == data, "{way:?}, {size} bytes");
            at.store.delete(&at.key).wait().expect("deleted");
        }
    }
    assert_eq!(world.uploads(), 0, "an upload was left");
}

#[test]
fn what_is_said_goes_through_memory_and_back() {
    let world = World::new();
    let hydrant = world.client();
    let from = hydrant.locate(&world.uri("s3", "from")).expect("a URI");
    from.store.put_with(&from.key, Bytes::from(noise(1, 2 * PART)), said()).wait().expect("put");
    copy_at(&hydrant, &from.to_string(), "mem://said/key", false).expect("copied");
    copy_at(&hydrant, "mem://said/key", &world.uri("s3", "back"), false).expect("copied");
    let meta = from.store.head("back").wait().expect("head");
    assert_eq!(meta.content_type, said().content_type);
    assert_eq!(sorted(meta.attributes), said().attributes);
}

#[test]
fn inside_one_file_system_the_kernel_copies() {
    let world = World::new();
    let hydrant = world.client();
    for size in [0, 1, 4096, 3 * PART + 7] {
        let data = noise(size as u64, size);
        std::fs::write(world.file("from"), &data).expect("a file");
        let (from, to) = (world.uri("file", "from"), world.uri("file", "to"));
        let report = copy_at(&hydrant, &from, &to, false).expect("copied");
        assert_eq!((report.way, report.fell_back), (CopyWay::InKernel, None), "{size} bytes");
        assert_eq!(report.bytes, size as u64);
        assert!(std::fs::read(world.file("to")).expect("a file") == data, "{size} bytes");
        let report = copy_at(&hydrant, &from, &world.uri("direct", "to"), false).expect("copied");
        assert_eq!(report.way, CopyWay::Streamed, "past the page cache");
    }
    assert_eq!(world.files(), 2, "a temporary was left");
}

/// Memory and disk are file systems of two kinds, between which the kernel does not copy.
#[test]
fn between_two_file_systems_the_bytes_pass_through() {
    let world = World::new();
    let hydrant = world.client();
    let memory = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let data = noise(1, PART + 7);
    let from = memory.path().join("from");
    std::fs::write(&from, &data).expect("a file");
    let report = copy_at(&hydrant, &from.display().to_string(), &world.uri("file", "to"), false);
    let report = report.expect("copied");
    assert!(std::fs::read(world.file("to")).expect("a file") == data);
    let kind = |path: &std::path::Path| {
        let output = std::process::Command::new("stat").args(["-f", "-c", "%T"]).arg(path).output();
        output.expect("stat(1) runs").stdout
    };
    let one_kind = kind(memory.path()) == kind(&world.file("to"));
    if one_kind {
        assert_eq!(report.way, CopyWay::InKernel);
    } else {
        assert_eq!(report.way, CopyWay::Streamed);
        assert!(report.fell_back.is_some_and(|why| why.contains("kernel")));
    }
    assert_eq!(world.files(), 1, "a temporary was left");
}

#[test]
fn a_file_that_is_written_to_while_the_kernel_copies_is_no_success() {
    let world = World::new();
    let hydrant = world.client();
    // Sparse, and long enough for many calls.
    let file = std::fs::File::create(world.file("from")).expect("a file");
    file.set_len(512 << 20).expect("a length");
    let changed = world.file("from");
    let progress: hydrant::pipeline::Progress = std::sync::Arc::new(move |done, _| {
        if done < 64 << 20 {
            std::fs::write(&changed, b"other bytes").expect("written");
        }
    });
    let from = hydrant.locate(&world.uri("file", "from")).expect("a URI");
    let to = hydrant.locate(&world.uri("file", "to")).expect("a URI");
    let how = CopyOptions { progress: Some(progress), ..CopyOptions::default() };
    let error = copy(&from, &to, how).wait().expect_err("it has changed");
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    assert_eq!(world.files(), 1, "neither the copy nor a temporary");
}

#[test]
fn other_servers_and_other_people_get_the_bytes() {
    let (here, there) = (World::new(), World::new());
    let hydrant = here.client();
    let data = noise(1, PART + 1);
    std::fs::write(here.object("from"), &data).expect("an object");
    // The same server under another name is another one for all we know.
    let url = here.server().url().replace("http://127.0.0.1", "s3://localhost");
    let report = copy_at(&hydrant, &here.uri("s3", "from"), &format!("{url}/{BUCKET}/to"), false);
    assert_eq!(report.expect("copied").way, CopyWay::Streamed);
    assert!(std::fs::read(here.object("to")).expect("an object") == data);
    let url = there.server().url().replace("http://", "s3://");
    let report = copy_at(&hydrant, &here.uri("s3", "from"), &format!("{url}/{BUCKET}/to"), false);
    assert_eq!(report.expect("copied").way, CopyWay::Streamed);
    assert!(std::fs::read(there.object("to")).expect("an object") == data);
}

const SIZE: usize = 3 * PART;

/// A server of one object that answers copies as it is told.
fn server(
    on_copy: impl Fn(&Seen, &mut Wire) -> std::io::Result<()> + Send + Sync + 'static,
) -> Peer {
    Peer::start(move |seen, wire| {
        wire.receive_body()?;
        if seen.header("x-amz-copy-source").is_some() {
            assert_eq!(seen.header("x-amz-copy-source"), Some("/bucket/from"));
            assert_eq!(seen.header("x-amz-copy-source-if-match"), Some("\"one\""));
            return on_copy(seen, wire);
        }
        let query = seen.target.split_once('?').map_or("", |(_, query)| query);
        let document = |name: &str, text: &str| {
            let text = format!("<{name}>{text}</{name}>");
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
        };
        let answer = match (seen.method.as_str(), query) {
            ("HEAD", _) => {
                format!("HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: {SIZE}\r\n\r\n")
            }
            ("GET", "") => {
                let (first, last) = seen.range().expect("a ranged GET");
                let last = last.min(SIZE - 1);
                let length = last + 1 - first;
                let head = format!(
                    "HTTP/1.1 206 P\r\nETag: \"one\"\r\nContent-Length: {length}\r\n\
                     Content-Range: bytes {first}-{last}/{SIZE}\r\n\r\n"
                );
                wire.send(head.as_bytes())?;
                return wire.send(&vec![7; length]);
            }
            ("POST", "uploads=") => {
                document("InitiateMultipartUploadResult", "<UploadId>u</UploadId>")
            }
            ("POST", _) => document("CompleteMultipartUploadResult", "<ETag>\"x-3\"</ETag>"),
            // Whether the upload that was aborted has parts still.
            ("GET", _) => {
                let text = "<Error><Code>NoSuchUpload</Code></Error>";
                format!("HTTP/1.1 404 N\r\nContent-Length: {}\r\n\r\n{text}", text.len())
            }
            ("PUT", _) => "HTTP/1.1 200 OK\r\nETag: \"p\"\r\nContent-Length: 0\r\n\r\n".into(),
            ("DELETE", _) => "HTTP/1.1 204 No Content\r\n\r\n".into(),
            (method, query) => panic!("{method} {query}"),
        };
        wire.send(answer.as_bytes())
    })
}

fn document(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

/// What was begun to be kept is given up: nothing can carry it on.
#[test]
fn a_server_that_does_not_copy_parts_keeps_none() {
    let state = tempfile::tempdir().expect("a folder");
    let peer =
        server(|_, wire| wire.send(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n"));
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| s3.state_dir = Some(state.path().to_owned()))
    });
    let at = |key: &str| hydrant.locate(&format!("s3://{BUCKET}/{key}")).expect("a URI");
    let part_size_bytes = Some(PART as u64);
    let how =
        CopyOptions { on_failure: OnFailure::Keep, part_size_bytes, ..CopyOptions::default() };
    let report = copy(&at("from"), &at("to"), how).wait().expect("copied");
    assert_eq!((report.way, report.bytes), (CopyWay::Streamed, SIZE as u64));
    assert!(report.fell_back.is_some_and(|why| why.contains("501")));
    assert_eq!(peer.seen().iter().filter(|seen| seen.method == "DELETE").count(), 1);
    let journals = std::fs::read_dir(state.path().join("uploads")).expect("a folder");
    assert_eq!(journals.count(), 0);
}

fn copy_on(peer: &Peer, parts: bool) -> hydrant::Result<CopyReport> {
    let hydrant = match parts {
        false => client(&peer.url()),
        true => client_with(&peer.url(), |builder| {
            let part_size_bytes = PART as u64;
            builder.s3(|s3| s3.copy = CopyLimits { whole_bytes_max: 0, part_size_bytes })
        }),
    };
    copy_at(&hydrant, &format!("s3://{BUCKET}/from"), &format!("s3://{BUCKET}/to"), false)
}

#[test]
fn an_error_inside_a_200_is_an_error() {
    for parts in [false, true] {
        let peer = server(|_, wire| {
            wire.send(&document("<Error><Code>AccessDenied</Code><Message>no</Message></Error>"))
        });
        let error = copy_on(&peer, parts).expect_err("it was refused");
        assert!(error.to_string().contains("AccessDenied"), "{error}");
        let is_get = |seen: &&Seen| seen.method == "GET" && !seen.target.contains("uploadId");
        let gets = peer.seen().iter().filter(is_get).count();
        assert_eq!(gets, 0, "nothing is streamed behind the back of a refusal");
        let begun = peer.seen().iter().filter(|seen| seen.target.ends_with("uploads=")).count();
        let aborted = peer.seen().iter().any(|seen| seen.method == "DELETE");
        assert_eq!((begun, aborted), (usize::from(parts), parts));
    }
}

#[test]
fn an_error_inside_a_200_that_passes_is_tried_again() {
    for parts in [false, true] {
        let root = if parts { "CopyPartResult" } else { "CopyObjectResult" };
        let peer = server(move |seen, wire| match seen.number {
            // The HEAD, or the HEAD and the begin of the upload, come before.
            0..4 => wire.send(&document("<Error><Code>InternalError</Code></Error>")),
            _ => wire.send(&document(&format!("<{root}><ETag>\"c\"</ETag></{root}>"))),
        });
        let report = copy_on(&peer, parts).expect("copied in the end");
        assert_eq!((report.way, report.parts), (CopyWay::OnServer, if parts { 3 } else { 1 }));
        assert_eq!(report.bytes, SIZE as u64);
    }
}

#[test]
fn a_source_that_is_replaced_in_between_has_changed() {
    for parts in [false, true] {
        let peer = server(|_, wire| {
            wire.send(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n")
        });
        let error = copy_on(&peer, parts).expect_err("another version");
        assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    }
}

#[test]
fn a_server_that_does_not_copy_gets_the_bytes_and_that_is_said() {
    for parts in [false, true] {
        let peer = server(|_, wire| {
            wire.send(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
        });
        let report = copy_on(&peer, parts).expect("copied");
        assert_eq!((report.way, report.bytes), (CopyWay::Streamed, SIZE as u64));
        let why = report.fell_back.expect("it is said");
        assert!(why.contains("501"), "{why}");
    }
}

#[test]
fn pieces_of_any_size_make_the_same_file() {
    let world = World::new();
    let data = noise(11, 2 * PART + 12_345);
    std::fs::write(world.file("from"), &data).expect("a file");
    for piece_size_bytes in [0, 4097, 1 << 20, usize::MAX] {
        let mut limits = TransferLimits::default().with(Some(PART as u64), None);
        limits.piece_size_bytes = piece_size_bytes;
        let hydrant = world.client_with(|builder| builder.transfer(limits));
        let at = |name| hydrant.locate(&world.uri("direct", name)).expect("a URI");
        let options = CopyOptions { streamed: true, ..CopyOptions::default() };
        let report = copy(&at("from"), &at("to"), options).wait().expect("copied");
        assert_eq!(report.crc64nvme, Some(Crc64::of(&data)), "{piece_size_bytes}");
        assert!(std::fs::read(world.file("to")).expect("a file") == data);
    }
}
