//! A request, signed by Hydrant and by the SDK's signer. The fuzz target of signatures uses it too.

use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody};
use hydrant::s3::credentials::Credentials;
use hydrant::s3::encode::{encode_path, write_query};
use hydrant::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use hydrant::s3::time::{SigningTime, Timestamp};

use super::oracle::{HOST, Signer};

/// What is signed, with which secret, where and when.
#[derive(Clone, Debug)]
pub struct Sample {
    pub method: &'static str,
    pub key: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub token: Option<String>,
    pub secret: String,
    pub region: String,
    pub unix_seconds: u64,
}

impl Sample {
    fn encoded_path(&self) -> Vec<u8> {
        let mut path = b"/".to_vec();
        encode_path(self.key.as_bytes(), &mut path);
        path
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.query.iter().map(|(key, value)| (&key[..], &value[..])).collect()
    }

    /// The value of the `authorization` header by this crate.
    pub fn ours(&self) -> String {
        let time = SigningTime::new(Timestamp::from_unix_seconds(self.unix_seconds));
        let payload =
            self.body.as_ref().map_or(PayloadHash::Unsigned, |body| PayloadHash::of(body));
        let mut headers: Vec<(&str, &[u8])> = vec![
            ("host", HOST.as_bytes()),
            ("x-amz-content-sha256", payload.as_bytes()),
            ("x-amz-date", time.date_time()),
        ];
        headers.extend(self.headers.iter().map(|(name, value)| (&name[..], value.as_bytes())));
        if let Some(token) = &self.token {
            headers.push(("x-amz-security-token", token.as_bytes()));
        }
        let credentials =
            Credentials::new("AKID", &self.secret[..], self.token.clone(), None).unwrap();
        let path = self.encoded_path();
        let query = self.pairs();
        let request = SigningRequest {
            method: self.method,
            path: &path,
            query: &query,
            headers: &headers,
            payload,
        };
        let scope = Scope { time, region: &self.region, service: "s3" };
        let signed = sign(&request, scope, &credentials, &mut SigningKeyCache::new()).unwrap();
        let mut authorization = Vec::new();
        signed.write_authorization(&mut authorization);
        String::from_utf8(authorization).unwrap()
    }

    /// The same by the SDK's signer.
    pub fn theirs(&self) -> String {
        let signer = Signer {
            secret: &self.secret,
            token: self.token.as_deref(),
            region: &self.region,
            unix_seconds: self.unix_seconds,
        };
        let mut uri = format!("http://{HOST}").into_bytes();
        uri.extend_from_slice(&self.encoded_path());
        write_query(&self.pairs(), &mut uri);
        let uri = String::from_utf8(uri).unwrap();
        let body = self.body.as_deref().map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
        let headers = self.headers.iter().map(|(name, value)| (&name[..], &value[..]));
        let instructions = signer.sign(self.method, uri, headers, body, |settings| {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        });
        let (headers, _) = instructions.into_parts();
        let authorization = headers.iter().find(|header| header.name() == "authorization").unwrap();
        authorization.value().to_owned()
    }
}
