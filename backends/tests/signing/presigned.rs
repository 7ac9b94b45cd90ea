//! Presigned URLs against those of the AWS SDK for Rust, on random requests.

use std::time::Duration;

use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignatureLocation};
use hydrant::s3::credentials::Credentials;
use hydrant::s3::encode::{encode_path, encode_query};
use hydrant::s3::endpoint::{AddressStyle, Endpoint, EndpointOptions};
use hydrant::s3::presign::presign;
use hydrant::s3::time::Timestamp;
use hydrant::s3::{
    DeleteObject, GetObject, HeadObject, ListObjectsV2, PresignError, Presigned, PutObject,
    UploadPart,
};
use proptest::prelude::*;

use crate::oracle::{HOST, Signer};

#[derive(Clone, Debug)]
struct Sample {
    key: String,
    version: Option<String>,
    metadata: Vec<(String, String)>,
    token: Option<String>,
    secret: String,
    region: String,
    unix_seconds: u64,
    expires_s: u64,
}

fn sample() -> impl Strategy<Value = Sample> {
    let piece = prop_oneof![
        any::<String>(),
        prop::sample::select(vec!["/", "//", ".", "..", " ", "+", "%", "?", "#", "\n", "é"])
            .prop_map(str::to_owned),
    ];
    let key = prop::collection::vec(piece, 1..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a key", |key| !key.is_empty());
    let metadata = prop::collection::btree_map("[a-d]{1,2}", "[!-~]{0,5}[ ]{0,3}[!-~]{1,5}", 0..4);
    (
        key,
        prop::option::of("[ -~]{1,20}"),
        metadata.prop_map(|map| map.into_iter().collect()),
        prop::option::of("[A-Za-z0-9+/=]{1,80}"),
        "[A-Za-z0-9+/]{1,80}",
        "[a-z]{2}-[a-z]{4}-[1-9]",
        0..4_102_444_800u64,
        1..=604_800u64,
    )
        .prop_map(
            |(key, version, metadata, token, secret, region, unix_seconds, expires_s)| Sample {
                key,
                version,
                metadata,
                token,
                secret,
                region,
                unix_seconds,
                expires_s,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn reads_are_presigned_alike(sample in sample()) {
        let mut get = GetObject::new(&sample.key[..]);
        get.version_id.clone_from(&sample.version);
        let query: Vec<_> =
            sample.version.iter().map(|version| ("versionId", version.clone())).collect();
        let ours = ours(&sample, &get).unwrap();
        prop_assert_eq!(ours.method.as_str(), "GET");
        prop_assert_eq!(parts_of(&ours.url), parts_of(&theirs(&sample, "GET", &query, &[])));
        let head = self::ours(&sample, &HeadObject(get)).unwrap();
        prop_assert_eq!(parts_of(&head.url), parts_of(&theirs(&sample, "HEAD", &query, &[])));
    }

    #[test]
    fn writes_are_presigned_alike(sample in sample()) {
        let mut put = PutObject::new(&sample.key[..], &b""[..]);
        put.object.metadata.clone_from(&sample.metadata);
        let headers: Vec<_> = sample
            .metadata
            .iter()
            .map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone()))
            .collect();
        let ours = ours(&sample, &put).unwrap();
        prop_assert_eq!(parts_of(&ours.url), parts_of(&theirs(&sample, "PUT", &[], &headers)));
        prop_assert_eq!(&ours.headers, &headers);

        let part = UploadPart::new(&sample.key[..], "U+/=", 7, &b""[..]);
        let query = [("partNumber", "7".to_owned()), ("uploadId", "U+/=".to_owned())];
        let ours = self::ours(&sample, &part).unwrap();
        prop_assert_eq!(parts_of(&ours.url), parts_of(&theirs(&sample, "PUT", &query, &[])));

        let delete = self::ours(&sample, &DeleteObject::new(&sample.key[..])).unwrap();
        prop_assert_eq!(parts_of(&delete.url), parts_of(&theirs(&sample, "DELETE", &[], &[])));
    }
}

#[test]
fn a_life_that_is_none_is_refused_and_debug_shows_no_signature() {
    let sample = Sample {
        key: "k".into(),
        version: None,
        metadata: Vec::new(),
        token: Some("canary".into()),
        secret: "s".into(),
        region: "r".into(),
        unix_seconds: 0,
        expires_s: 604_800,
    };
    let good = ours(&sample, &GetObject::new("k")).unwrap();
    let signature = good.url.rsplit('=').next().unwrap();
    let shown = format!("{good:?}");
    assert!(!shown.contains(signature) && !shown.contains("canary"), "{shown}");
    for expires_s in [0, 604_801] {
        let refused = ours(&Sample { expires_s, ..sample.clone() }, &GetObject::new("k"));
        assert!(matches!(refused, Err(PresignError::Expires(_))), "{expires_s}");
    }
    assert!(ours(&sample, &ListObjectsV2::default()).unwrap().url.contains("list-type=2"));
    assert!(matches!(ours(&sample, &GetObject::new("")), Err(PresignError::Request(_))));
}

/// Whoever sends the request writes the headers as they are handed out: a line break would begin
/// another one.
#[test]
fn headers_that_cannot_be_sent_are_refused() {
    let sample = Sample {
        key: "k".into(),
        version: None,
        metadata: Vec::new(),
        token: None,
        secret: "s".into(),
        region: "r".into(),
        unix_seconds: 0,
        expires_s: 60,
    };
    for (name, value) in [("a", "b\r\nx-evil: c"), ("a\n", "b"), ("a:b", "c"), ("b", "c\0")] {
        let mut put = PutObject::new("k", &b""[..]);
        put.object.metadata = vec![(name.into(), value.into())];
        let refused = ours(&sample, &put);
        assert!(matches!(refused, Err(PresignError::Header(_))), "{name:?} {value:?}");
    }
}

fn ours(
    sample: &Sample,
    operation: &impl hydrant::s3::Operation,
) -> Result<Presigned, PresignError> {
    let options = EndpointOptions {
        url: Some("http://s3.example:9000".into()),
        region: Some(sample.region.clone()),
        style: Some(AddressStyle::VirtualHost),
        ..EndpointOptions::default()
    };
    let endpoint = Endpoint::resolve("bucket", &options).unwrap();
    let credentials =
        Credentials::new("AKID", &sample.secret[..], sample.token.clone(), None).unwrap();
    let now = Timestamp::from_unix_seconds(sample.unix_seconds);
    presign(operation, &endpoint, &credentials, now, Duration::from_secs(sample.expires_s))
}

/// The same by the SDK's signer.
fn theirs(
    sample: &Sample,
    method: &str,
    query: &[(&str, String)],
    headers: &[(String, String)],
) -> String {
    let signer = Signer {
        secret: &sample.secret,
        token: sample.token.as_deref(),
        region: &sample.region,
        unix_seconds: sample.unix_seconds,
    };
    let mut uri = format!("http://{HOST}/").into_bytes();
    encode_path(sample.key.as_bytes(), &mut uri);
    for (position, (name, value)) in query.iter().enumerate() {
        uri.push(if position == 0 { b'?' } else { b'&' });
        uri.extend_from_slice(name.as_bytes());
        uri.push(b'=');
        encode_query(value.as_bytes(), &mut uri);
    }
    let mut uri = String::from_utf8(uri).unwrap();
    let given = headers.iter().map(|(name, value)| (&name[..], &value[..]));
    let body = SignableBody::UnsignedPayload;
    let instructions = signer.sign(method, uri.clone(), given, body, |settings| {
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(sample.expires_s));
    });
    let (_, pairs) = instructions.into_parts();
    for (name, value) in pairs {
        uri.push(if uri.contains('?') { '&' } else { '?' });
        let mut encoded = Vec::new();
        encode_query(value.as_bytes(), &mut encoded);
        uri.push_str(&format!("{name}={}", String::from_utf8(encoded).unwrap()));
    }
    uri
}

/// Path and query pairs; their order is free.
fn parts_of(url: &str) -> (String, Vec<String>) {
    let (path, query) = url.split_once('?').expect("a query");
    let mut pairs: Vec<_> = query.split('&').map(str::to_owned).collect();
    pairs.sort();
    (path.to_owned(), pairs)
}

/// Amazon S3 API reference, "Authenticating requests: using query parameters", the example.
#[test]
fn the_example_of_s3_is_presigned_as_published() {
    let options = EndpointOptions {
        url: Some("https://s3.amazonaws.com".into()),
        region: Some("us-east-1".into()),
        style: Some(AddressStyle::VirtualHost),
        ..EndpointOptions::default()
    };
    let endpoint = Endpoint::resolve("examplebucket", &options).unwrap();
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).unwrap();
    let now = Timestamp::parse_iso8601("2013-05-24T00:00:00Z").unwrap();
    let get = GetObject::new("test.txt");
    let presigned =
        presign(&get, &endpoint, &credentials, now, Duration::from_secs(86_400)).unwrap();
    let published = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(parts_of(&presigned.url), parts_of(published));
    assert_eq!(presigned.headers.len(), 0);
}
