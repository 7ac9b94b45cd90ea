//! Requests with a body that are refused, and those that have to be sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hydrant::s3::PutObject;
use hydrant::{Bytes, Class, ErrorKind, Hydrant, PutOptions};
use hydrant_tests::{BUCKET, PART, Peer, client_with, noise};

use super::{ETAG, locate, object};

#[test]
fn a_refusal_in_the_middle_of_an_upload_is_what_the_caller_sees() {
    for closes in [false, true] {
        let peer = Peer::start(move |_, wire| {
            // While the body still comes, of which a part is read.
            wire.send(
                b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: application/xml\r\n\
                  Content-Length: 76\r\n\r\n<Error><Code>AccessDenied</Code>\
                  <Message>not with this key</Message></Error> ",
            )?;
            if closes {
                wire.close();
            }
            Ok(())
        });
        let hydrant = unasked(&peer);
        let at = locate(&hydrant);
        let put = at.store.put(&at.key, Bytes::from(noise(1, PART))).wait();
        let error = put.expect_err("refused");
        assert!(error.to_string().contains("403"), "closes: {closes}: {error}");
        assert_eq!((error.class(), peer.seen().len()), (Class::Config, 1), "{error}");
    }
}

#[test]
fn a_refusal_whose_document_comes_late_is_read_to_its_end() {
    let peer = Peer::start(move |_, wire| {
        let document = "<Error><Code>EntityTooLarge</Code><Message>too much</Message></Error>";
        let (first, second) = document.split_at(20);
        let length = document.len();
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {length}\r\n\r\n");
        // Segments of their own, and not a byte of the body is read.
        wire.send_bytewise(head.as_bytes())?;
        std::thread::sleep(Duration::from_millis(20));
        wire.send_bytewise(first.as_bytes())?;
        std::thread::sleep(Duration::from_millis(20));
        wire.send_bytewise(second.as_bytes())
    });
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| {
            s3.http.expect_continue_bytes_min = None;
            s3.http.early_answer_wait = Duration::from_secs(60);
        })
    });
    let put = PutObject::new("object", Bytes::from(vec![0; 32 << 20]));
    let error = hydrant.s3(BUCKET).expect("a bucket").send(put).wait().expect_err("refused");
    let ErrorKind::S3(told) = error.kind() else { panic!("{error}") };
    assert_eq!((&*told.code, &*told.message), ("EntityTooLarge", "too much"));
    assert_eq!(peer.seen().len(), 1);
}

#[test]
fn a_body_is_sent_again_whole_after_a_failure() {
    let data = Arc::new(noise(1, PART));
    let body = Arc::clone(&data);
    let received = Arc::new(AtomicUsize::new(0));
    let whole_bodies = Arc::clone(&received);
    let peer = Peer::start(move |seen, wire| match seen.number {
        0 => {
            wire.reset();
            Ok(())
        }
        1 => {
            wire.receive_body()?;
            wire.close();
            Ok(())
        }
        2 => {
            wire.receive_body()?;
            wire.send(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
        }
        _ => {
            assert!(wire.receive_body()? == *body);
            whole_bodies.fetch_add(1, SeqCst);
            wire.send(
                format!("HTTP/1.1 200 OK\r\nETag: {ETAG}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
            )
        }
    });
    let (_hydrant, at) = object(&peer);
    let meta = at.store.put(&at.key, Bytes::from(data.to_vec())).wait().expect("in the end");
    assert_eq!(meta.etag.expect("told").as_str(), ETAG);
    assert_eq!(received.load(SeqCst), 1);
}

#[test]
fn an_upload_that_fails_is_aborted_and_what_could_not_be_is_said() {
    for abort_fails in [false, true] {
        let peer = Peer::start(move |seen, wire| {
            wire.receive_body()?;
            let (status, body) = match seen.method.as_str() {
                "POST" if seen.target.contains("uploads") => (
                    "200 OK",
                    "<InitiateMultipartUploadResult><UploadId>U</UploadId>\
                     </InitiateMultipartUploadResult>",
                ),
                "DELETE" if abort_fails => ("403 Forbidden", ""),
                "DELETE" => ("204 No Content", ""),
                _ => ("400 Bad Request", "<Error><Code>InvalidPart</Code></Error>"),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            wire.send(answer.as_bytes())
        });
        let (_hydrant, at) = object(&peer);
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        // The failure may be seen by a write; the end says what came of the upload besides.
        if let Err(error) = (0..8).try_for_each(|_| writer.write_wait(&noise(1, PART))) {
            assert!(error.to_string().contains("InvalidPart"), "{error}");
        }
        let error = writer.finish_wait().expect_err("refused");
        assert!(error.to_string().contains("InvalidPart"), "{error}");
        match (abort_fails, error.kind()) {
            (false, ErrorKind::S3(_)) => {}
            (true, ErrorKind::LeftBehind { error, left }) => {
                assert!(matches!(error.kind(), ErrorKind::S3(_)), "{error}");
                let ErrorKind::NotAborted { object, upload_id, source } = left.kind() else {
                    panic!("{left}")
                };
                assert_eq!((&**object, &**upload_id), (&*at.store.uri_of(&at.key), "U"));
                let ErrorKind::S3(refusal) = source.kind() else { panic!("{source}") };
                assert_eq!((refusal.operation, refusal.http_status), ("AbortMultipartUpload", 403));
            }
            (_, _) => panic!("{error}"),
        }
        let said = error.to_string();
        let says_it = said.contains("upload U of s3://") && said.contains("could not be aborted");
        assert_eq!(says_it, abort_fails, "{said}");
        hydrant_tests::wait_until("the upload is aborted", || {
            peer.seen()
                .iter()
                .any(|seen| seen.method == "DELETE" && seen.target.contains("uploadId=U"))
        });
    }
}

/// A client that sends bodies without asking whether they are wanted.
fn unasked(peer: &Peer) -> Hydrant {
    client_with(&peer.url(), |builder| builder.s3(|s3| s3.http.expect_continue_bytes_min = None))
}
