//! URLs that carry their own signature: whoever has one can make that one request until it ends.

use std::fmt;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::credentials::Credentials;
use super::encode::{encode_query, write_query};
use super::endpoint::Endpoint;
use super::ops::{InvalidRequest, Operation, Payload, RequestParts, Target};
use super::request::KEY_IN_THE_OPEN;
use super::sign::{
    PayloadHash, Scope, SignError, SigningKeyCache, SigningRequest, sign_query,
    write_signed_header_names,
};
use super::time::{SigningTime, Timestamp};
use crate::http1::request::{Method, RequestError, check_field};

/// The longest life of a presigned URL: 7 days. Source: Amazon S3 user guide, "Download and upload
/// objects with presigned URLs".
pub const EXPIRES_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A request that needs no credentials to be made. It is a secret as long as it lives, so its
/// `Debug` shows neither query nor header values, and it is wiped when dropped (SEC-1).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presigned {
    /// The method to use.
    pub method: Method,
    /// The URL, signature included.
    pub url: String,
    /// Headers that are signed too: they have to be sent with just these values.
    pub headers: Vec<(String, String)>,
}

impl Drop for Presigned {
    fn drop(&mut self) {
        self.url.zeroize();
        self.headers.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Presigned")
            .field("method", &self.method)
            .field("url", &self.url.split('?').next().unwrap_or_default())
            .field("headers", &names)
            .finish()
    }
}

/// Why a URL cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresignError {
    /// A request that no server could take.
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    /// A header that cannot be sent.
    #[error(transparent)]
    Header(#[from] RequestError),
    /// A key of the customer (SSE-C) for a server that is neither asked by TLS nor on this machine.
    #[error("the request cannot be signed: {KEY_IN_THE_OPEN}")]
    InTheOpen,
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It would live for no time, or longer than S3 allows.
    #[error("a presigned URL lives for 1 second to 7 days, not for {0:?}")]
    Expires(Duration),
    /// The operation needs a document of its own.
    #[error("{0} sends a document and cannot be presigned")]
    Document(&'static str),
}

/// Makes a URL for an operation, good from `now` on for `expires`. The body of a PUT is not covered
/// by the signature.
///
/// # Errors
/// An operation that cannot be asked for like this.
pub fn presign<O: Operation>(
    operation: &O,
    endpoint: &Endpoint,
    credentials: &Credentials,
    now: Timestamp,
    expires: Duration,
) -> Result<Presigned, PresignError> {
    if expires.as_secs() == 0 || expires > EXPIRES_MAX {
        return Err(PresignError::Expires(expires));
    }
    if matches!(operation.payload(), Payload::Document { .. }) {
        return Err(PresignError::Document(O::NAME));
    }
    let mut parts = RequestParts::new();
    operation.encode(&mut parts)?;
    if parts.has_secret() && !endpoint.is_confidential() {
        return Err(PresignError::InTheOpen);
    }
    // Others send them, with whatever program: a line break would end the header there.
    parts.headers().try_for_each(|(name, value)| check_field(name, value.as_bytes()))?;

    let host = endpoint.host_header();
    let mut headers: Vec<(&str, &[u8])> = vec![("host", host.as_bytes())];
    headers.extend(parts.headers().map(|(name, value)| (name, value.as_bytes())));
    let mut path = Vec::new();
    match parts.target() {
        Target::Object(key) => endpoint.write_object_path(key, &mut path),
        Target::Bucket | Target::Service => endpoint.write_bucket_path(&mut path),
    }
    let time = SigningTime::new(now);
    let scope = Scope { time, region: endpoint.region(), service: "s3" };
    let credential = format!("{}/{scope}", credentials.access_key_id());
    let date = String::from_utf8_lossy(time.date_time()).into_owned();
    let seconds = expires.as_secs().to_string();
    let names = write_signed_header_names(&headers)?;

    let mut query: Vec<(&str, &str)> = parts.query_pairs().collect();
    query.extend([
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &date),
        ("X-Amz-Expires", &seconds),
        ("X-Amz-SignedHeaders", &names),
    ]);
    query.extend(credentials.session_token().map(|token| ("X-Amz-Security-Token", token)));
    let request = SigningRequest {
        method: parts.method().as_str(),
        path: &path,
        query: &query,
        headers: &headers,
        payload: PayloadHash::Unsigned,
    };
    let signature = sign_query(&request, scope, credentials, &mut SigningKeyCache::new())?;

    // A buffer that grew would leave what it had behind.
    let said_bytes: usize =
        query.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let room = 2 * host.len() + path.len() + said_bytes + 128;
    let mut url = Zeroizing::new(Vec::with_capacity(room));
    url.extend_from_slice(format!("{}://{host}", endpoint.scheme().name()).as_bytes());
    url.extend_from_slice(&path);
    write_query(&query, &mut *url);
    url.extend_from_slice(b"&X-Amz-Signature=");
    encode_query(signature.as_bytes(), &mut *url);
    let sent = parts.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Presigned {
        method: parts.method(),
        url: String::from_utf8_lossy(&url).into_owned(),
        headers: sent.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::EndpointOptions;
    use super::super::ops::{CustomerKey, GetObject};
    use super::*;

    /// SEC-1
    #[test]
    fn a_key_of_the_customer_is_not_signed_for_a_server_in_the_open() {
        let keys = Credentials::new("id", "secret", None, None).unwrap();
        let sign = |get: &GetObject, url: &str| {
            let options = EndpointOptions { url: Some(url.to_owned()), ..Default::default() };
            let endpoint = Endpoint::resolve("bucket", &options).unwrap();
            let now = Timestamp::from_unix_seconds(0);
            presign(get, &endpoint, &keys, now, Duration::from_secs(60)).map(drop)
        };
        let mut get = GetObject::new("object");
        assert_eq!(sign(&get, "http://10.0.0.1:9000"), Ok(()));
        get.customer_key = Some(CustomerKey::new([7; 32]));
        assert_eq!(sign(&get, "https://10.0.0.1:9000"), Ok(()));
        assert_eq!(sign(&get, "http://10.0.0.1:9000"), Err(PresignError::InTheOpen));
    }
}
