//! Signatures, against the signer of the AWS SDK for Rust.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as OracleCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as oracle_sign,
};
use aws_sigv4::sign::v4;
use hydrant::s3::credentials::Credentials;
use hydrant::s3::encode::{encode_path, write_query};
use hydrant::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use hydrant::s3::time::{SigningTime, Timestamp};
use libfuzzer_sys::arbitrary::{Result, Unstructured};

const HOST: &str = "bucket.s3.example:9000";

struct Sample {
    path: Vec<u8>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    token: Option<String>,
    secret: String,
    unix_seconds: u64,
}

pub fn run(data: &[u8]) {
    if let Ok(sample) = sample(&mut Unstructured::new(data)) {
        assert_eq!(ours(&sample), theirs(&sample));
    }
}

fn sample(from: &mut Unstructured<'_>) -> Result<Sample> {
    let printable =
        |text: String| text.chars().filter(|c| (' '..='~').contains(c)).collect::<String>();
    let graphic = |text: String| text.chars().filter(char::is_ascii_graphic).collect::<String>();
    let mut query = Vec::new();
    for _ in 0..from.int_in_range(0..=4)? {
        let (name, value): (String, String) = from.arbitrary()?;
        if !name.is_empty() {
            query.push((name, value));
        }
    }
    let mut headers = Vec::new();
    for _ in 0..from.int_in_range(0..=4)? {
        let name = format!("x-amz-meta-{}", from.choose(&["a", "b", "ab", "b-"])?);
        headers.push((name, printable(from.arbitrary()?)));
    }
    let token = from.arbitrary::<Option<String>>()?.map(graphic).filter(|it| !it.is_empty());
    let body = from.arbitrary()?;
    let unix_seconds = from.int_in_range(0..=4_102_444_800)?;
    let secret = format!("s{}", graphic(from.arbitrary()?));
    let key: String = from.arbitrary()?;
    let mut path = b"/".to_vec();
    encode_path(key.as_bytes(), &mut path);
    Ok(Sample { path, query, headers, body, token, secret, unix_seconds })
}

fn pairs(sample: &Sample) -> Vec<(&str, &str)> {
    sample.query.iter().map(|(name, value)| (&name[..], &value[..])).collect()
}

/// The value of the `authorization` header by Hydrant.
fn ours(sample: &Sample) -> String {
    let time = SigningTime::new(Timestamp::from_unix_seconds(sample.unix_seconds));
    let payload = sample.body.as_ref().map_or(PayloadHash::Unsigned, |body| PayloadHash::of(body));
    let mut headers: Vec<(&str, &[u8])> = vec![
        ("host", HOST.as_bytes()),
        ("x-amz-content-sha256", payload.as_bytes()),
        ("x-amz-date", time.date_time()),
    ];
    headers.extend(sample.headers.iter().map(|(name, value)| (&name[..], value.as_bytes())));
    headers.extend(sample.token.as_ref().map(|it| ("x-amz-security-token", it.as_bytes())));
    let keys = Credentials::new("AKID", &sample.secret[..], sample.token.clone(), None);
    let keys = keys.expect("graphic keys");
    let query = pairs(sample);
    let request = SigningRequest {
        method: "GET",
        path: &sample.path,
        query: &query,
        headers: &headers,
        payload,
    };
    let scope = Scope { time, region: "eu-west-1", service: "s3" };
    let mut cache = SigningKeyCache::new();
    let signed = sign(&request, scope, &keys, &mut cache).expect("signed");
    let mut authorization = Vec::new();
    signed.write_authorization(&mut authorization);
    String::from_utf8(authorization).expect("text")
}

/// The same by the SDK's signer.
fn theirs(sample: &Sample) -> String {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let keys =
        OracleCredentials::new("AKID", &sample.secret[..], sample.token.clone(), None, "fuzz");
    let identity = keys.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("s3")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(sample.unix_seconds))
        .settings(settings)
        .build()
        .expect("parameters")
        .into();
    let mut uri = format!("http://{HOST}").into_bytes();
    uri.extend_from_slice(&sample.path);
    write_query(&pairs(sample), &mut uri);
    let uri = String::from_utf8(uri).expect("text");
    let body = sample.body.as_deref().map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
    let headers = sample.headers.iter().map(|(name, value)| (&name[..], &value[..]));
    let request = SignableRequest::new("GET", uri, headers, body).expect("a request");
    let (instructions, _) = oracle_sign(request, &params).expect("signed").into_parts();
    let (headers, _) = instructions.into_parts();
    let found = headers.iter().find(|header| header.name() == "authorization");
    found.expect("a signature").value().to_owned()
}
