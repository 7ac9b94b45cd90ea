//! The signer against the signer of the AWS SDK for Rust, on random requests.

use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody};
use hydrant::s3::credentials::Credentials;
use hydrant::s3::encode::{encode_path, write_query};
use hydrant::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use hydrant::s3::time::{SigningTime, Timestamp};
use proptest::prelude::*;

use crate::oracle::{HOST, Signer};

#[derive(Clone, Debug)]
struct Sample {
    method: &'static str,
    key: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    token: Option<String>,
    secret: String,
    region: String,
    unix_seconds: u64,
}

/// Keys as S3 allows them: any text but an unpaired surrogate, with what paths trip over made
/// common.
fn key() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "/", "//", ".", "..", "/./", " ", "+", "%", "%41", "?", "#", "\n", "é"
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,6}",
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

fn header() -> impl Strategy<Value = (String, String)> {
    // Printable ASCII, blanks at the ends and in runs: what the rules for values are about.
    ("x-amz-meta-[a-d]{1,2}", "[ ]{0,3}[!-~]{0,5}[ ]{0,3}[!-~]{0,5}[ ]{0,2}")
}

fn sample() -> impl Strategy<Value = Sample> {
    (
        prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD"]),
        key(),
        prop::collection::vec((any::<String>(), any::<String>()), 0..5)
            .prop_map(|pairs| pairs.into_iter().filter(|(key, _)| !key.is_empty()).collect()),
        prop::collection::vec(header(), 0..6),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..64)),
        prop::option::of("[A-Za-z0-9+/=]{1,80}"),
        "[A-Za-z0-9+/]{1,80}",
        "[a-z]{2}-[a-z]{4}-[1-9]",
        0..4_102_444_800u64,
    )
        .prop_map(
            |(method, key, query, headers, body, token, secret, region, unix_seconds)| Sample {
                method,
                key,
                query,
                headers,
                body,
                token,
                secret,
                region,
                unix_seconds,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn both_signers_agree(sample in sample()) {
        prop_assert_eq!(ours(&sample), theirs(&sample));
    }
}

fn encoded_path(sample: &Sample) -> Vec<u8> {
    let mut path = b"/".to_vec();
    encode_path(sample.key.as_bytes(), &mut path);
    path
}

fn pairs(sample: &Sample) -> Vec<(&str, &str)> {
    sample.query.iter().map(|(key, value)| (&key[..], &value[..])).collect()
}

/// The value of the `authorization` header by this crate.
fn ours(sample: &Sample) -> String {
    let time = SigningTime::new(Timestamp::from_unix_seconds(sample.unix_seconds));
    let payload = sample.body.as_ref().map_or(PayloadHash::Unsigned, |body| PayloadHash::of(body));
    let mut headers: Vec<(&str, &[u8])> = vec![
        ("host", HOST.as_bytes()),
        ("x-amz-content-sha256", payload.as_bytes()),
        ("x-amz-date", time.date_time()),
    ];
    headers.extend(sample.headers.iter().map(|(name, value)| (&name[..], value.as_bytes())));
    if let Some(token) = &sample.token {
        headers.push(("x-amz-security-token", token.as_bytes()));
    }
    let credentials =
        Credentials::new("AKID", &sample.secret[..], sample.token.clone(), None).unwrap();
    let path = encoded_path(sample);
    let query = pairs(sample);
    let request = SigningRequest {
        method: sample.method,
        path: &path,
        query: &query,
        headers: &headers,
        payload,
    };
    let scope = Scope { time, region: &sample.region, service: "s3" };
    let signed = sign(&request, scope, &credentials, &mut SigningKeyCache::new()).unwrap();
    let mut authorization = Vec::new();
    signed.write_authorization(&mut authorization);
    String::from_utf8(authorization).unwrap()
}

/// The same by the SDK's signer.
fn theirs(sample: &Sample) -> String {
    let signer = Signer {
        secret: &sample.secret,
        token: sample.token.as_deref(),
        region: &sample.region,
        unix_seconds: sample.unix_seconds,
    };
    let mut uri = format!("http://{HOST}").into_bytes();
    uri.extend_from_slice(&encoded_path(sample));
    write_query(&pairs(sample), &mut uri);
    let uri = String::from_utf8(uri).unwrap();
    let body = sample.body.as_deref().map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
    let headers = sample.headers.iter().map(|(name, value)| (&name[..], &value[..]));
    let instructions = signer.sign(sample.method, uri, headers, body, |settings| {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    });
    let (headers, _) = instructions.into_parts();
    let authorization = headers.iter().find(|header| header.name() == "authorization").unwrap();
    authorization.value().to_owned()
}
