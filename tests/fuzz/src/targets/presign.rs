//! Presigned URLs: any key that is taken makes a URL that is one, and that leads back to the key.

use std::time::Duration;

use hydrant::http1::url::HttpUrl;
use hydrant::s3::credentials::Credentials;
use hydrant::s3::endpoint::{AddressStyle, Endpoint, EndpointOptions};
use hydrant::s3::presign::presign;
use hydrant::s3::time::Timestamp;
use hydrant::s3::{GetObject, PutObject};
use libfuzzer_sys::arbitrary::{Result, Unstructured};

pub fn run(data: &[u8]) {
    let _ = check(&mut Unstructured::new(data));
}

fn check(from: &mut Unstructured<'_>) -> Result<()> {
    let (seconds, expires_s): (u64, u32) = from.arbitrary()?;
    let metadata: Option<(String, String)> = from.arbitrary()?;
    let version: Option<String> = from.arbitrary()?;
    let key: String = from.arbitrary()?;
    let options = EndpointOptions {
        url: Some("http://h:9000/base".to_owned()),
        region: None,
        style: Some(AddressStyle::Path),
        ..EndpointOptions::default()
    };
    let endpoint = Endpoint::resolve("bucket", &options).expect("an endpoint");
    let keys = Credentials::new("AKID", "canary-secret", Some("token/+=".into()), None);
    let keys = keys.expect("keys");
    let (now, life) =
        (Timestamp::from_unix_seconds(seconds), Duration::from_secs(expires_s.into()));
    let mut get = GetObject::new(&key[..]);
    get.version_id = version;
    let mut put = PutObject::new(&key[..], Vec::new());
    put.object.metadata = metadata.into_iter().collect();
    let made =
        [presign(&get, &endpoint, &keys, now, life), presign(&put, &endpoint, &keys, now, life)];
    for presigned in made.into_iter().flatten() {
        let url = HttpUrl::parse(&presigned.url).expect("a URL");
        let path = url.target().split('?').next().expect("a path");
        let encoded = path.strip_prefix("/base/bucket/").expect("the bucket");
        assert_eq!(decoded(encoded), key.as_bytes());
        assert_eq!(presigned.url.matches("X-Amz-Signature=").count(), 1);
        assert!(!presigned.url.contains("canary-secret"), "SEC-1");
        assert!((1..=604_800).contains(&life.as_secs()));
        for (name, value) in &presigned.headers {
            assert!(!name.contains(['\r', '\n', ':']) && !value.contains(['\r', '\n']));
        }
    }
    Ok(())
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit =
            || char::from(bytes.next().expect("a digit")).to_digit(16).expect("a digit");
        let (high, low) = (digit(), digit());
        out.push((high * 16 + low) as u8);
    }
    out
}
