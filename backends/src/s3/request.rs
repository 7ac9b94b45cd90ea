//! One attempt's head: written and signed into the memory of a connection, without allocating.

use super::credentials::{Credentials, Identity};
use super::encode::write_query;
use super::endpoint::Endpoint;
use super::sign::{PayloadHash, Scope, SignError, SigningKeyCache, SigningRequest, sign};
use super::time::{SigningTime, Timestamp};
use crate::http1::HttpError;
use crate::http1::request::{Method, RequestWriter};

/// A request of S3 as the operations describe it; each attempt is made from it anew.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// As the API reference names it.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// `None` where the operation is about the bucket.
    pub(super) key: Option<&'a str>,
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Beyond host, date, payload hash and token; names in lower case. All are signed.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) payload: PayloadHash,
    /// Length of the body; `None` where the method has none.
    pub(super) body_bytes: Option<u64>,
}

/// Memory that the heads of one core are put together in; it keeps its capacity.
#[derive(Default)]
pub(super) struct Scratch {
    target: Vec<u8>,
    path_bytes: usize,
    authorization: Vec<u8>,
    keys: SigningKeyCache,
}

/// Header lines that one request signs at most: four of its own and those of the operation.
const HEADERS_MAX: usize = 16;

/// Writes the head of one attempt and tells its length.
pub(super) fn write_head(
    out: &mut [u8],
    request: &Request<'_>,
    endpoint: &Endpoint,
    host: &str,
    identity: &Identity,
    now: Timestamp,
    scratch: &mut Scratch,
) -> Result<usize, HttpError> {
    scratch.write_target(request, endpoint);
    let Scratch { target, path_bytes, authorization, keys } = scratch;
    let target_text = std::str::from_utf8(target).map_err(|_| not_text())?;
    let mut writer = RequestWriter::start(out, request.method, target_text, host)?;
    for (name, value) in request.headers {
        writer = writer.header(name, value)?;
    }
    if let Identity::Keys(credentials) = identity {
        let time = SigningTime::new(now);
        let mut headers = [("", &[][..]); HEADERS_MAX];
        let headers = collect(&mut headers, request, host, credentials, &time)?;
        let to_sign = SigningRequest {
            method: request.method.as_str(),
            path: &target[..*path_bytes],
            query: request.query,
            headers,
            payload: request.payload,
        };
        let scope = Scope { time, region: endpoint.region(), service: "s3" };
        let signed = sign(&to_sign, scope, credentials, keys).map_err(not_signed)?;
        authorization.clear();
        signed.write_authorization(authorization);
        writer = writer
            .header("x-amz-date", time.date_time())?
            .header("x-amz-content-sha256", request.payload.as_bytes())?;
        if let Some(token) = credentials.session_token() {
            writer = writer.header("x-amz-security-token", token)?;
        }
        writer = writer.header("authorization", &authorization)?;
    }
    if let Some(bytes) = request.body_bytes {
        writer = writer.content_length(bytes)?;
    }
    Ok(writer.finish()?)
}

impl Scratch {
    fn write_target(&mut self, request: &Request<'_>, endpoint: &Endpoint) {
        self.target.clear();
        match request.key {
            Some(key) => endpoint.write_object_path(key, &mut self.target),
            None => endpoint.write_bucket_path(&mut self.target),
        }
        self.path_bytes = self.target.len();
        write_query(request.query, &mut self.target);
    }
}

fn collect<'a, 'b>(
    into: &'b mut [(&'a str, &'a [u8]); HEADERS_MAX],
    request: &'a Request<'_>,
    host: &'a str,
    credentials: &'a Credentials,
    time: &'a SigningTime,
) -> Result<&'b [(&'a str, &'a [u8])], HttpError> {
    let own = [
        ("host", host.as_bytes()),
        ("x-amz-content-sha256", request.payload.as_bytes()),
        ("x-amz-date", &time.date_time()[..]),
    ];
    let token = credentials.session_token().map(|token| ("x-amz-security-token", token.as_bytes()));
    let extra = request.headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let mut count = 0;
    for header in own.into_iter().chain(token).chain(extra) {
        let slot = into.get_mut(count).ok_or_else(|| {
            HttpError::Unexpected(format!("more than {HEADERS_MAX} headers in one request"))
        })?;
        *slot = header;
        count += 1;
    }
    Ok(&into[..count])
}

fn not_signed(error: SignError) -> HttpError {
    HttpError::Unexpected(format!("the request cannot be signed: {error}"))
}

fn not_text() -> HttpError {
    HttpError::Unexpected("a path that is not text".into())
}
