//! AWS Signature Version 4 in the `authorization` header or in the query, as S3 wants it, without
//! allocation per signature.
//!
//! The canonical request is never put together: it streams into a SHA-256. Headers and query pairs
//! are put in order by sorting small arrays of positions on the stack. The signing key is derived
//! once a day for a region and kept in a [`SigningKeyCache`].
//!
//! What is particular to S3: the path is signed as it is sent, encoded once, with its dots and
//! double slashes; `x-amz-content-sha256` and `x-amz-security-token` are signed. The signer takes
//! the headers as given and signs all of them, so a header that a proxy may change (`user-agent`,
//! `connection`) is not handed in. Source: Amazon S3 API reference, "Signature Calculations for the
//! Authorization Header".

mod canonical;
mod chunks;
mod key;

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::credentials::Credentials;
use super::encode::ByteSink;
use super::time::SigningTime;
use canonical::{HeaderOrder, write_canonical, write_header_names};

pub use chunks::ChunkSigner;
pub use key::SigningKeyCache;

/// Most headers that one request can sign.
pub const SIGNED_HEADERS_MAX: usize = 64;
/// Most query pairs that one request can sign.
pub const QUERY_PAIRS_MAX: usize = 32;

const ALGORITHM: &[u8] = b"AWS4-HMAC-SHA256";
const SCOPE_END: &[u8] = b"aws4_request";

/// A request to sign, as it will be sent. Its `Debug` shows no values of headers and query (SEC-1).
#[derive(Clone, Copy)]
pub struct SigningRequest<'a> {
    /// `GET`, `PUT`, ...
    pub method: &'a str,
    /// The path as sent: starting with `/`, URI-encoded once, without the query.
    pub path: &'a [u8],
    /// Query pairs, not encoded, in any order; a bare key such as `uploads` has an empty value.
    pub query: &'a [(&'a str, &'a str)],
    /// The headers to sign, names in lower case, in any order. `host` and `x-amz-date` must be
    /// there, and `x-amz-security-token` where the credentials have a token. S3 also asks for
    /// `x-amz-content-sha256`.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// What is said of the body: the value of `x-amz-content-sha256`.
    pub payload: PayloadHash,
}

impl fmt::Debug for SigningRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query: Vec<&str> = self.query.iter().map(|(key, _)| *key).collect();
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("SigningRequest")
            .field("method", &self.method)
            .field("path", &String::from_utf8_lossy(self.path))
            .field("query", &query)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// When, where and for which service a signature is good.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The moment in the `x-amz-date` header.
    pub time: SigningTime,
    /// The region of the bucket, for example `eu-central-1`.
    pub region: &'a str,
    /// `s3` for S3.
    pub service: &'a str,
}

/// What a signature says of the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadHash {
    /// `UNSIGNED-PAYLOAD`: the body is covered by a checksum header or by TLS.
    Unsigned,
    /// There is no body: the SHA-256 of nothing.
    Empty,
    /// The SHA-256 of the body.
    Sha256(HexDigest),
    /// The body is in chunks that are not signed, with a checksum behind the last.
    UnsignedChunksWithTrailer,
    /// Each chunk of the body is signed by a [`ChunkSigner`].
    SignedChunks,
    /// The same, with a checksum behind the last chunk that is signed, too.
    SignedChunksWithTrailer,
}

impl PayloadHash {
    /// Hashes a body that is at hand; bodies of parts are hashed while they are read.
    pub fn of(body: &[u8]) -> PayloadHash {
        if body.is_empty() {
            return PayloadHash::Empty;
        }
        PayloadHash::Sha256(HexDigest::new(&Sha256::digest(body).into()))
    }

    /// The value of the `x-amz-content-sha256` header.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            PayloadHash::Unsigned => b"UNSIGNED-PAYLOAD",
            PayloadHash::Empty => {
                b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            }
            PayloadHash::Sha256(digest) => digest.as_bytes(),
            PayloadHash::UnsignedChunksWithTrailer => b"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            PayloadHash::SignedChunks => b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            PayloadHash::SignedChunksWithTrailer => b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        }
    }
}

/// A SHA-256 or an HMAC-SHA-256 in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexDigest([u8; 64]);

impl HexDigest {
    /// Writes 32 bytes as 64 digits.
    pub fn new(digest: &[u8; 32]) -> HexDigest {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        HexDigest(text)
    }

    /// The 64 digits, in ASCII.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// Signs `request`. Nothing is allocated, but for the day's first signature into `keys`.
pub fn sign<'a>(
    request: &SigningRequest<'a>,
    scope: Scope<'a>,
    credentials: &'a Credentials,
    keys: &mut SigningKeyCache,
) -> Result<Signed<'a>, SignError> {
    check_headers(request, &scope, credentials)?;
    let order = HeaderOrder::of(request)?;
    let signature = signature(request, &order, &scope, credentials, keys)?;
    let headers = request.headers;
    Ok(Signed { headers, order, scope, access_key_id: credentials.access_key_id(), signature })
}

/// Signs a request that carries its signature in the query. `request.query` holds everything but
/// `X-Amz-Signature`; of the headers only `host` has to be there.
///
/// # Errors
/// A query that does not say when and by whom it is signed, as `scope` and `credentials` do.
pub fn sign_query(
    request: &SigningRequest<'_>,
    scope: Scope<'_>,
    credentials: &Credentials,
    keys: &mut SigningKeyCache,
) -> Result<HexDigest, SignError> {
    check_query(request, &scope, credentials)?;
    signature(request, &HeaderOrder::of(request)?, &scope, credentials, keys)
}

/// The value of `X-Amz-SignedHeaders`.
///
/// # Errors
/// A name that is not in lower case; too many of them.
pub fn write_signed_header_names(headers: &[(&str, &[u8])]) -> Result<String, SignError> {
    let mut names = Vec::new();
    write_header_names(headers, &HeaderOrder::of_headers(headers)?, &mut names);
    Ok(String::from_utf8_lossy(&names).into_owned())
}

fn signature(
    request: &SigningRequest<'_>,
    order: &HeaderOrder,
    scope: &Scope<'_>,
    credentials: &Credentials,
    keys: &mut SigningKeyCache,
) -> Result<HexDigest, SignError> {
    let mut canonical = HashSink(Sha256::new());
    write_canonical(request, order, &mut canonical)?;
    let hashed = HexDigest::new(&canonical.0.finalize().into());
    let mut mac = MacSink(keys.mac(credentials, scope));
    write_string_to_sign(scope, &hashed, &mut mac);
    Ok(HexDigest::new(&mac.0.finalize().into_bytes().into()))
}

/// Writes the canonical request that [`sign`] hashes: for comparing with what a server says it
/// computed.
///
/// It holds the session token where one is signed, so it belongs in no log (SEC-1).
pub fn write_canonical_request(
    request: &SigningRequest<'_>,
    sink: &mut impl ByteSink,
) -> Result<(), SignError> {
    write_canonical(request, &HeaderOrder::of(request)?, sink)
}

/// Writes the text that the signing key signs, given the SHA-256 of the canonical request.
pub fn write_string_to_sign(scope: &Scope<'_>, canonical: &HexDigest, sink: &mut impl ByteSink) {
    sink.put(ALGORITHM);
    sink.put(b"\n");
    sink.put(scope.time.date_time());
    sink.put(b"\n");
    scope.write(sink);
    sink.put(b"\n");
    sink.put(canonical.as_bytes());
}

/// A signature together with what the `authorization` header says about it.
pub struct Signed<'a> {
    headers: &'a [(&'a str, &'a [u8])],
    order: HeaderOrder,
    scope: Scope<'a>,
    access_key_id: &'a str,
    signature: HexDigest,
}

impl Signed<'_> {
    /// The signature alone.
    pub fn signature(&self) -> &HexDigest {
        &self.signature
    }

    /// What signs the chunks of the body, beginning with this signature. It takes over the signing
    /// key, so credentials that are renewed meanwhile make no difference.
    pub fn chunks(&self, credentials: &Credentials, keys: &mut SigningKeyCache) -> ChunkSigner {
        ChunkSigner::new(keys.key(credentials, &self.scope), &self.scope, self.signature)
    }

    /// Writes the value of the `authorization` header.
    pub fn write_authorization(&self, sink: &mut impl ByteSink) {
        sink.put(ALGORITHM);
        sink.put(b" Credential=");
        sink.put(self.access_key_id.as_bytes());
        sink.put(b"/");
        self.scope.write(sink);
        sink.put(b", SignedHeaders=");
        write_header_names(self.headers, &self.order, sink);
        sink.put(b", Signature=");
        sink.put(self.signature.as_bytes());
    }
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// Why a request cannot be signed. All of them are mistakes of the caller, found before anything is
/// sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// More headers than [`SIGNED_HEADERS_MAX`].
    #[error(
        "{count} headers to sign, at most {SIGNED_HEADERS_MAX} can be; send less user metadata"
    )]
    TooManyHeaders {
        /// How many there are.
        count: usize,
    },
    /// More query pairs than [`QUERY_PAIRS_MAX`].
    #[error("{count} query pairs to sign, at most {QUERY_PAIRS_MAX} can be")]
    TooManyQueryPairs {
        /// How many there are.
        count: usize,
    },
    /// A header name is empty or not in lower case.
    #[error("the header name {name:?} is not in lower case")]
    HeaderName {
        /// The name as given.
        name: String,
    },
    /// A header without which no signature is valid is missing, or says something else than what is
    /// signed.
    #[error("the header {name} is missing or differs from what is signed")]
    Header {
        /// The header's name.
        name: &'static str,
    },
    /// A pair of the query without which no presigned URL is valid is missing, or says something
    /// else than what is signed.
    #[error("the query pair {name} is missing or differs from what is signed")]
    Query {
        /// The pair's name.
        name: &'static str,
    },
    /// The path does not start with `/`.
    #[error("the path to sign does not start with a slash")]
    Path,
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl Scope<'_> {
    fn write(&self, sink: &mut impl ByteSink) {
        sink.put(self.time.day());
        for part in [self.region.as_bytes(), self.service.as_bytes(), SCOPE_END] {
            sink.put(b"/");
            sink.put(part);
        }
    }
}

fn check_headers(
    request: &SigningRequest<'_>,
    scope: &Scope<'_>,
    credentials: &Credentials,
) -> Result<(), SignError> {
    if !request.path.starts_with(b"/") {
        return Err(SignError::Path);
    }
    let find = |name: &str| request.headers.iter().find(|header| header.0 == name).map(|h| h.1);
    if find("host").is_none_or(<[u8]>::is_empty) {
        return Err(SignError::Header { name: "host" });
    }
    if find("x-amz-date") != Some(scope.time.date_time()) {
        return Err(SignError::Header { name: "x-amz-date" });
    }
    if find("x-amz-security-token") != credentials.session_token().map(str::as_bytes) {
        return Err(SignError::Header { name: "x-amz-security-token" });
    }
    if find("x-amz-content-sha256").is_some_and(|value| value != request.payload.as_bytes()) {
        return Err(SignError::Header { name: "x-amz-content-sha256" });
    }
    Ok(())
}

fn check_query(
    request: &SigningRequest<'_>,
    scope: &Scope<'_>,
    credentials: &Credentials,
) -> Result<(), SignError> {
    if !request.path.starts_with(b"/") {
        return Err(SignError::Path);
    }
    if !request.headers.iter().any(|(name, value)| *name == "host" && !value.is_empty()) {
        return Err(SignError::Header { name: "host" });
    }
    let find = |name: &str| request.query.iter().find(|pair| pair.0 == name).map(|pair| pair.1);
    if find("X-Amz-Date").map(str::as_bytes) != Some(scope.time.date_time()) {
        return Err(SignError::Query { name: "X-Amz-Date" });
    }
    if find("X-Amz-Security-Token") != credentials.session_token() {
        return Err(SignError::Query { name: "X-Amz-Security-Token" });
    }
    Ok(())
}

struct HashSink(Sha256);

impl ByteSink for HashSink {
    fn put(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

struct MacSink(Hmac<Sha256>);

impl ByteSink for MacSink {
    fn put(&mut self, bytes: &[u8]) {
        Mac::update(&mut self.0, bytes);
    }
}

#[cfg(test)]
mod tests;
