//! What is given up leaves nothing: no object, no upload, no temporary file (DATA-3).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use hydrant::{Class, CopyOptions, ErrorKind, PutOptions, copy};
use hydrant_tests::{BUCKET, PART, Peer, World, client, noise, wait_until};

#[test]
fn a_writer_that_is_dropped_aborts_its_upload() {
    let world = World::new();
    let hydrant = world.client();
    let at = hydrant.locate(&world.uri("s3", "dropped")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(1, 2 * PART + 10)).expect("write");
    wait_until("an upload begins", || world.uploads() == 1);
    drop(writer);
    wait_until("the upload is aborted", || world.uploads() == 0);
    assert!(at.store.head(&at.key).wait().expect_err("no object").is_not_found());
}

#[test]
fn a_writer_that_is_dropped_at_any_moment_aborts_its_upload() {
    let world = World::new();
    let hydrant = world.client();
    for parts in 0..6 {
        let at = hydrant.locate(&world.uri("s3", &format!("dropped-{parts}"))).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        writer.write_wait(&noise(1, parts * PART + 10)).expect("write");
        drop(writer);
        // Nothing is waited for: the abort of an upload may come before its first part.
        wait_until("the upload is aborted", || world.uploads() == 0);
        assert!(at.store.head(&at.key).wait().expect_err("no object").is_not_found());
    }
    hydrant.stop().expect("stopped");
    assert_eq!(world.uploads(), 0);
}

#[test]
fn a_writer_that_is_cancelled_leaves_nothing_when_that_is_told() {
    let world = World::new();
    let hydrant = world.client();
    for (scheme, parts) in [("s3", 0), ("s3", 3), ("file", 0), ("file", 3), ("mem", 3)] {
        let at = hydrant.locate(&world.uri(scheme, "cancelled")).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        writer.write_wait(&noise(1, parts * PART + 10)).expect("write");
        writer.cancel_wait().expect("nothing is left");
        assert_eq!((world.uploads(), world.files()), (0, 0), "{scheme}");
        assert!(at.store.head(&at.key).wait().expect_err("no object").is_not_found(), "{scheme}");
    }
}

#[test]
fn what_a_cancelled_writer_leaves_is_told() {
    let peer = Peer::start(move |seen, wire| {
        wire.receive_body()?;
        if seen.method == "DELETE" {
            return wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
        let body = "<InitiateMultipartUploadResult><UploadId>mine</UploadId>\
                    </InitiateMultipartUploadResult>";
        let length = body.len();
        wire.send(
            format!("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: {length}\r\n\r\n{body}")
                .as_bytes(),
        )
    });
    let hydrant = client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(1, PART + 1)).expect("write");
    let left = writer.cancel_wait().expect_err("it may not be aborted");
    let ErrorKind::NotAborted { upload_id, .. } = left.kind() else { panic!("{left}") };
    assert_eq!(upload_id, "mine");
}

#[test]
fn an_upload_whose_answer_comes_after_its_writer_has_gone_is_aborted() {
    let gone = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&gone);
    let peer = Peer::start(move |seen, wire| {
        wire.receive_body()?;
        if seen.method == "DELETE" {
            return wire.send(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
        wait_until("the writer goes", || now.load(SeqCst));
        let body = "<InitiateMultipartUploadResult><UploadId>late</UploadId>\
                    </InitiateMultipartUploadResult>";
        let length = body.len();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())
    });
    let hydrant = client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(1, PART + 1)).expect("write");
    wait_until("the upload is asked for", || peer.seen().len() == 1);
    drop(writer);
    gone.store(true, SeqCst);
    wait_until("the upload is aborted", || {
        peer.seen()
            .iter()
            .any(|seen| seen.method == "DELETE" && seen.target.ends_with("/object?uploadId=late"))
    });
}

#[test]
fn an_upload_with_a_part_on_its_way_is_aborted_until_it_is_gone() {
    let gone = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&gone);
    let peer = Peer::start(move |seen, wire| {
        wire.receive_body()?;
        let (status, body) = match seen.method.as_str() {
            "POST" => (
                "200 OK",
                "<InitiateMultipartUploadResult><UploadId>U</UploadId>\
                 </InitiateMultipartUploadResult>",
            ),
            "PUT" => {
                // The part arrives, and its answer does not.
                wait_until("the writer goes", || now.load(SeqCst));
                wire.close();
                return Ok(());
            }
            // It comes to light after the first abort.
            "GET" if seen.number < 6 => (
                "200 OK",
                "<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>e</ETag><Size>1</Size>\
                 </Part></ListPartsResult>",
            ),
            "GET" => ("404 Not Found", "<Error><Code>NoSuchUpload</Code></Error>"),
            _ => ("204 No Content", ""),
        };
        let length = body.len();
        let length = if status.starts_with("204") {
            String::new()
        } else {
            format!("Content-Length: {length}\r\n")
        };
        wire.send(format!("HTTP/1.1 {status}\r\n{length}\r\n{body}").as_bytes())
    });
    let hydrant = client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(1, PART + 1)).expect("write");
    let of = |method: &str| peer.seen().iter().filter(|seen| seen.method == method).count();
    wait_until("the part is on its way", || of("PUT") == 1);
    drop(writer);
    wait_until("the upload is aborted", || of("DELETE") >= 1);
    gone.store(true, SeqCst);
    wait_until("it is gone for good", || {
        let seen = peer.seen();
        seen.last().is_some_and(|last| last.method == "GET" && last.number >= 6)
    });
    assert!(of("DELETE") >= 3, "{:?}", peer.seen());
    hydrant.stop().expect("stopped");
}

#[test]
fn stopping_in_the_middle_of_an_upload_aborts_it() {
    let world = World::new();
    let hydrant = world.client();
    let at = hydrant.locate(&world.uri("s3", "stopped")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&noise(1, 2 * PART + 10)).expect("write");
    wait_until("an upload begins", || world.uploads() == 1);
    hydrant.stop().expect("stopped");
    wait_until("the upload is aborted", || world.uploads() == 0);
    assert_eq!(writer.finish_wait().expect_err("stopped").class(), Class::Cancelled);
}

#[test]
fn a_dropped_writer_of_a_file_leaves_no_temporary() {
    let world = World::new();
    let hydrant = world.client();
    for scheme in ["file", "direct"] {
        let at = hydrant.locate(&world.uri(scheme, "dropped")).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        writer.write_wait(&noise(1, 2 * PART + 10)).expect("write");
        wait_until("a temporary is there", || world.files() == 1);
        assert!(!world.file("dropped").exists(), "nothing under the name before the end");
        drop(writer);
        wait_until("the temporary is removed", || world.files() == 0);
    }
}

#[test]
fn a_copy_that_is_cancelled_leaves_nothing() {
    let world = World::with(tempfile::tempdir().expect("a folder"), |config| {
        // So slow that none ends before it is cancelled.
        config.throttle_bytes_per_second = Some(2 << 20);
    });
    let hydrant = world.client();
    std::fs::write(world.file("source"), noise(2, 8 * PART)).expect("a file");
    std::fs::copy(world.file("source"), world.object("object")).expect("an object");

    let source = hydrant.locate(&world.uri("file", "source")).expect("a URI");
    let target = hydrant.locate(&world.uri("s3", "target")).expect("a URI");
    let task = copy(&source, &target, CopyOptions::default());
    wait_until("an upload begins", || world.uploads() == 1);
    drop(task);
    wait_until("the upload is aborted", || world.uploads() == 0);
    assert!(target.store.head(&target.key).wait().expect_err("no object").is_not_found());

    let source = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
    for scheme in ["file", "direct"] {
        let target = hydrant.locate(&world.uri(scheme, "target")).expect("a URI");
        let task = copy(&source, &target, CopyOptions::default());
        wait_until("a temporary is there", || world.files() == 2);
        drop(task);
        wait_until("the temporary is removed", || world.files() == 1);
        assert!(!world.file("target").exists());
    }
}

#[test]
fn a_source_that_fails_in_the_middle_of_a_copy_leaves_nothing() {
    let world = World::new();
    let data = vec![7; 4 * PART];
    // The last part is refused for good.
    let peer = Peer::start(move |seen, wire| {
        if seen.range().is_some_and(|(first, _)| first >= 3 * PART) {
            return wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
        let (head, body) = seen.ranged(&data, "\"v1\"");
        wire.send(head.as_bytes())?;
        wire.send(body)
    });
    let hydrant = world.client();
    let from = peer.url().replace("http://", "s3://");
    let source = hydrant.locate(&format!("{from}/{BUCKET}/source")).expect("a URI");
    for scheme in ["s3", "file", "direct", "mem"] {
        let target = hydrant.locate(&world.uri(scheme, "target")).expect("a URI");
        let failed = copy(&source, &target, CopyOptions::default()).wait().expect_err("refused");
        assert!(failed.to_string().contains("403"), "{scheme}: {failed}");
        assert!(target.store.head(&target.key).wait().expect_err("nothing").is_not_found());
        assert_eq!((world.uploads(), world.files()), (0, 0), "{scheme}: something is left");
    }
}
