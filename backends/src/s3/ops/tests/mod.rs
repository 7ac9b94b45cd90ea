//! Each operation as it is sent and as it is read, without a server.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::http1::response::{HeadLimits, HeadProgress, parse_head};
use crate::s3::xml::can_be_written;

mod buckets;
mod deletes;
mod object;
mod uploads;

/// Method, target, query and headers as text: one line each.
fn said(operation: &impl Operation) -> Vec<String> {
    let mut parts = RequestParts::new();
    operation.encode(&mut parts).unwrap();
    let target = match parts.target() {
        Target::Service => "service".to_owned(),
        Target::Bucket => "bucket".to_owned(),
        Target::Object(key) => format!("object {key}"),
    };
    let mut lines = vec![format!("{} {target}", parts.method().as_str())];
    lines.extend(parts.query_pairs().map(|(name, value)| format!("?{name}={value}")));
    lines.extend(parts.headers().map(|(name, value)| format!("{name}: {value}")));
    lines
}

fn document(operation: &impl Operation) -> String {
    match operation.payload() {
        Payload::Document { xml, .. } => String::from_utf8(xml).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Reads an answer with these header lines and this body.
fn read<O: Operation>(operation: &O, headers: &str, body: &str) -> Result<O::Output, DecodeError> {
    let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", headers.replace('\n', "\r\n"));
    let parsed = parse_head(text.as_bytes(), &HeadLimits::default()).unwrap();
    let HeadProgress::Complete { head, .. } = parsed else { panic!("cut: {text}") };
    operation.decode(&head, body.as_bytes())
}

fn at(unix_seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

fn access() -> Access {
    Access { expected_bucket_owner: Some("111122223333".into()), requester_pays: true }
}

const ACCESS: [&str; 2] =
    ["x-amz-expected-bucket-owner: 111122223333", "x-amz-request-payer: requester"];

const INTERNAL_ERROR: &str = "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code>\
    <Message>We encountered an internal error.</Message><RequestId>R</RequestId></Error>";

/// Everything that reads a document, for what must hold of all of them.
fn read_all(body: &str) -> Vec<bool> {
    let source = || CopySource::new("b", "k");
    vec![
        read(&CopyObject::new("k", source()), "", body).is_ok(),
        read(&UploadPartCopy::new("k", "U", 1, source()), "", body).is_ok(),
        read(&DeleteObjects::new(["k".into()]), "", body).is_ok(),
        read(&ListObjectsV2::default(), "", body).is_ok(),
        read(&ListObjectVersions::default(), "", body).is_ok(),
        read(&ListBuckets::default(), "", body).is_ok(),
        read(&GetBucketLocation::default(), "", body).is_ok(),
        read(&GetBucketVersioning::default(), "", body).is_ok(),
        read(&GetObjectTagging::new("k"), "", body).is_ok(),
        read(&GetObjectAttributes::new("k"), "", body).is_ok(),
        read(&CreateMultipartUpload::new("k"), "", body).is_ok(),
        read(&CompleteMultipartUpload::new("k", "U", Vec::new()), "", body).is_ok(),
        read(&ListParts::new("k", "U"), "", body).is_ok(),
        read(&ListMultipartUploads::default(), "", body).is_ok(),
    ]
}

#[test]
fn an_empty_body_and_an_error_are_a_success_of_nothing() {
    for body in ["", "<Error><Code>SlowDown</Code></Error>", "<html></html>", "nonsense"] {
        assert!(read_all(body).iter().all(|good| !good), "{body}");
    }
}

/// What keys trip over, made common.
fn key() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "/", "//", ".", "..", " ", "+", "%", "%2F", "?", "#", "&", "=", "\n", "\r", "\t", "\0",
            "é", "🦀",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 1..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a key", |key| !key.is_empty())
}

proptest! {
    #[test]
    fn any_key_is_said_as_it_is(key in key()) {
        let mut parts = RequestParts::new();
        GetObject::new(&key[..]).encode(&mut parts).unwrap();
        prop_assert_eq!(parts.target(), Target::Object(&key));
        let copy = CopyObject::new("k", CopySource::new("b", &key[..]));
        copy.encode(&mut parts).unwrap();
        let (_, source) = parts.headers().next().unwrap();
        let mut decoded = source.to_owned();
        crate::s3::encode::decode_listing(&mut decoded).unwrap();
        prop_assert_eq!(decoded.strip_prefix("/b/"), Some(&key[..]));
        prop_assert!(source.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn any_key_that_xml_can_carry_has_its_outcome(key in key(), version in any::<Option<u8>>()) {
        prop_assume!(can_be_written(&key));
        let mut object = ObjectId::new(&key[..]);
        object.version_id = version.map(|number| number.to_string());
        let delete = DeleteObjects::new([object.clone()]);
        let text = document(&delete);
        // A server that answers with what it was sent.
        let answer = text.replace("Object>", "Deleted>").replace("Delete xmlns", "DeleteResult xmlns")
            .replace("</Delete>", "</DeleteResult>");
        let outcomes = read(&delete, "", &answer).unwrap();
        prop_assert_eq!(&outcomes[0].object, &object);
        prop_assert!(outcomes[0].result.is_ok(), "{:?} in {}", outcomes, answer);
    }

    #[test]
    fn any_document_is_read_without_panic(body in any::<String>()) {
        read_all(&body);
    }

    #[test]
    fn a_changed_document_is_read_without_panic_and_an_error_stays_one(
        at in 0..INTERNAL_ERROR.len(),
        byte in 0..128u8,
    ) {
        let mut body = INTERNAL_ERROR.as_bytes().to_vec();
        body[at] = byte;
        let body = String::from_utf8(body).unwrap();
        prop_assert!(read_all(&body).iter().all(|good| !good));
    }
}
