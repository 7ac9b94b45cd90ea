//! What a server said when it refused a request, with the likely cause and the way out.

use std::fmt;

use super::retry::GiveUp;
use super::xml::{ErrorDocument, XmlLimits, parse_error};

/// Most characters of a server's text that an error keeps.
const TEXT_CHARS_MAX: usize = 500;

/// A request that S3 answered with an error.
///
/// Its `Display` is one line: operation, object, status, code, message, ids and advice. It never
/// carries credentials, a signature or the canonical request (SEC-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Error {
    /// The S3 operation, as the API reference names it: `GetObject`.
    pub operation: &'static str,
    /// The bucket.
    pub bucket: String,
    /// The object's key; `None` where the operation is about the bucket.
    pub key: Option<String>,
    /// The HTTP status. It is 200 where the error came in the body of a success.
    pub http_status: u16,
    /// The code, `NoSuchKey`; empty where the answer had none, as those to HEAD.
    pub code: String,
    /// The server's sentence, or the start of a body that is not XML; cut to 500 characters.
    pub message: String,
    /// `x-amz-request-id`
    pub request_id: Option<String>,
    /// `x-amz-id-2`
    pub host_id: Option<String>,
    /// The bucket's region, where the server named another one (`x-amz-bucket-region`).
    pub region: Option<String>,
    /// The endpoint that the server says to use. Credentials do not follow it by themselves
    /// (SEC-3).
    pub endpoint: Option<String>,
    /// Tries made, the failed one included.
    pub attempts: u32,
    /// Why it was not tried again.
    pub gave_up: Option<GiveUp>,
    /// Where the answer points; requests of S3 go there only where it is an endpoint of their own store
    /// (SEC-3).
    pub(crate) location: Option<Location>,
}

/// The value of `Location`. It is not shown: its query may hold a signature (SEC-1).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Location(pub(crate) String);

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The parts of a refusal that its headers and the client know.
#[derive(Clone, Copy, Debug)]
pub struct ErrorContext<'a> {
    /// The S3 operation.
    pub operation: &'static str,
    /// The bucket.
    pub bucket: &'a str,
    /// The key, where there is one.
    pub key: Option<&'a str>,
    /// The HTTP status.
    pub http_status: u16,
    /// The header `x-amz-request-id`.
    pub request_id: Option<&'a str>,
    /// The header `x-amz-id-2`.
    pub host_id: Option<&'a str>,
    /// The header `x-amz-bucket-region`.
    pub bucket_region: Option<&'a str>,
}

/// The errors that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum S3ErrorKind {
    /// The object is not there.
    NotFound,
    /// The bucket is not there.
    NoSuchBucket,
    /// The multipart upload is not there (any more).
    NoSuchUpload,
    /// The credentials do not allow it.
    AccessDenied,
    /// The credentials or the signature are wrong.
    Authentication,
    /// The credentials have expired.
    ExpiredCredentials,
    /// The clocks differ by more than the server allows.
    ClockSkew,
    /// A condition (`If-Match`, `If-None-Match`) does not hold.
    PreconditionFailed,
    /// Somebody else changes the same at this moment, or what is there stands in the way.
    Conflict,
    /// `If-None-Match` or `If-Modified-Since`: the object has not changed.
    NotModified,
    /// The range lies outside the object.
    InvalidRange,
    /// The bucket is in another region or at another endpoint.
    WrongRegion,
    /// The server is overloaded.
    Throttled,
    /// The server failed.
    Server,
    /// The object is archived and must be restored first.
    Archived,
    /// The request is not one that this server takes.
    InvalidRequest,
}

impl S3Error {
    /// Reads the answer to a failed request. A body that is no error document is kept as the
    /// message.
    pub fn from_answer(context: &ErrorContext<'_>, body: &[u8], limits: &XmlLimits) -> S3Error {
        let document = parse_error(body, limits)
            .unwrap_or_else(|_| ErrorDocument { message: excerpt(body), ..Default::default() });
        S3Error::from_document(context, document)
    }

    /// The same with a document already read, as it comes inside a 200.
    pub fn from_document(context: &ErrorContext<'_>, document: ErrorDocument) -> S3Error {
        let pick = |inner: Option<String>, header: Option<&str>| {
            inner.as_deref().or(header).filter(|text| !text.is_empty()).map(clean)
        };
        S3Error {
            operation: context.operation,
            bucket: context.bucket.to_owned(),
            key: context.key.map(str::to_owned),
            http_status: context.http_status,
            code: clean(&document.code),
            message: clean(&document.message),
            request_id: pick(document.request_id, context.request_id),
            host_id: pick(document.host_id, context.host_id),
            region: pick(document.region, context.bucket_region),
            endpoint: pick(document.endpoint, None),
            attempts: 1,
            gave_up: None,
            location: None,
        }
    }

    /// Sorts the error by its code, else by its status.
    pub fn kind(&self) -> S3ErrorKind {
        kind_of_code(&self.code).unwrap_or_else(|| kind_of_status(self.http_status))
    }

    /// The likely cause and the way out, in one sentence.
    pub fn advice(&self) -> &'static str {
        let is_mute = self.code.is_empty() && self.message.is_empty();
        if self.http_status == 400 && is_mute && self.operation.starts_with("Head") {
            return "the answer to a HEAD says no reason; often the region is another than the one that \
                    was signed for: set AWS_REGION";
        }
        advice_for_code(&self.code).unwrap_or_else(|| advice_for_kind(self.kind()))
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s3://{}", self.operation, self.bucket.escape_debug())?;
        if let Some(key) = &self.key {
            write!(f, "/{}", key.escape_debug())?;
        }
        write!(f, ": HTTP {}", self.http_status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message.trim_end_matches('.'))?;
        }
        write!(f, "; {}", self.advice())?;
        if let Some(region) = &self.region {
            write!(f, "; the bucket is in region {region}")?;
        }
        if let Some(endpoint) = &self.endpoint {
            write!(f, "; the server names the endpoint {endpoint}")?;
        }
        self.write_ids(f)
    }
}

impl S3Error {
    fn write_ids(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "attempt" } else { "attempts" };
        write!(f, " ({} {plural}", self.attempts)?;
        if let Some(reason) = self.gave_up.filter(|&reason| reason != GiveUp::Permanent) {
            write!(f, ", {reason}")?;
        }
        write!(f, ", request id {}", self.request_id.as_deref().unwrap_or("none"))?;
        if let Some(id) = &self.host_id {
            write!(f, ", host id {id}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for S3Error {}

fn kind_of_code(code: &str) -> Option<S3ErrorKind> {
    Some(match code {
        "NoSuchKey" | "NoSuchVersion" => S3ErrorKind::NotFound,
        "NoSuchBucket" => S3ErrorKind::NoSuchBucket,
        "NoSuchUpload" => S3ErrorKind::NoSuchUpload,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => S3ErrorKind::AccessDenied,
        "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "XAmzContentSHA256Mismatch" => S3ErrorKind::Authentication,
        "ExpiredToken" => S3ErrorKind::ExpiredCredentials,
        "RequestTimeTooSkewed" => S3ErrorKind::ClockSkew,
        "PreconditionFailed" => S3ErrorKind::PreconditionFailed,
        "ConditionalRequestConflict" | "OperationAborted" => S3ErrorKind::Conflict,
        "NotModified" => S3ErrorKind::NotModified,
        "InvalidRange" => S3ErrorKind::InvalidRange,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "Redirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => S3ErrorKind::WrongRegion,
        "SlowDown" | "ServiceUnavailable" | "TooManyRequests" => S3ErrorKind::Throttled,
        "InternalError" => S3ErrorKind::Server,
        "InvalidObjectState" => S3ErrorKind::Archived,
        _ => return None,
    })
}

fn kind_of_status(status: u16) -> S3ErrorKind {
    match status {
        304 => S3ErrorKind::NotModified,
        300..=399 => S3ErrorKind::WrongRegion,
        401 => S3ErrorKind::Authentication,
        403 => S3ErrorKind::AccessDenied,
        404 => S3ErrorKind::NotFound,
        409 => S3ErrorKind::Conflict,
        412 => S3ErrorKind::PreconditionFailed,
        416 => S3ErrorKind::InvalidRange,
        429 | 503 => S3ErrorKind::Throttled,
        // A refused expectation; the next try goes without it.
        417 | 500..=599 => S3ErrorKind::Server,
        _ => S3ErrorKind::InvalidRequest,
    }
}

/// Advice where the code tells more than the kind.
fn advice_for_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "SignatureDoesNotMatch" => {
            "the secret access key does not belong to the access key id, or a proxy changed the \
             request on its way; check AWS_SECRET_ACCESS_KEY"
        }
        "InvalidAccessKeyId" => {
            "this server does not know the access key id; check AWS_ACCESS_KEY_ID and the endpoint"
        }
        "InvalidToken" => {
            "the session token belongs to other keys or to another partition; check AWS_SESSION_TOKEN"
        }
        "AuthorizationHeaderMalformed" => {
            "the request was signed for another region than the bucket's; set AWS_REGION"
        }
        "EntityTooSmall" => {
            "every part but the last must have at least 5 MiB; choose a larger part size"
        }
        "EntityTooLarge" => {
            "one request carries at most 5 GiB and one object 5 TiB; upload in smaller parts"
        }
        "InvalidPart" | "InvalidPartOrder" => {
            "the server does not have a part as it was listed; start the upload again"
        }
        "BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch" => {
            "the body did not arrive as it was sent; a proxy or a bad link changed it"
        }
        "NoSuchVersion" => "the object has no such version; it may have been deleted",
        "NotImplemented" | "MissingContentLength" => {
            "this server does not support what the request asks for; switch checksums off if it is \
             not AWS"
        }
        "ConditionalRequestConflict" => "somebody else writes the same key; try again",
        _ => return None,
    })
}

fn advice_for_kind(kind: S3ErrorKind) -> &'static str {
    match kind {
        S3ErrorKind::NotFound => {
            "there is no such object; check the key, with its case and slashes, and the bucket"
        }
        S3ErrorKind::NoSuchBucket => {
            "there is no such bucket at this endpoint; check its name, AWS_ENDPOINT_URL and AWS_REGION"
        }
        S3ErrorKind::NoSuchUpload => {
            "the multipart upload was completed or aborted by somebody else, or by a lifecycle rule"
        }
        S3ErrorKind::AccessDenied => {
            "the credentials lack the permission, or the object does not exist and listing is not \
             allowed; check the policy of the user and of the bucket"
        }
        S3ErrorKind::Authentication => {
            "the request was not accepted as signed; check the credentials"
        }
        S3ErrorKind::ExpiredCredentials => "the temporary credentials have expired; fetch new ones",
        S3ErrorKind::ClockSkew => {
            "this machine's clock and the server's differ by more than 15 minutes; set the clock"
        }
        S3ErrorKind::PreconditionFailed => {
            "the object changed meanwhile, or exists already; read its state again"
        }
        S3ErrorKind::Conflict => {
            "somebody else changes the same at this moment, or what is there stands in the way; look, \
             and do it again"
        }
        S3ErrorKind::NotModified => "the object has not changed since",
        S3ErrorKind::InvalidRange => {
            "the range starts behind the object's end; the object is empty or was replaced by a \
             shorter one"
        }
        S3ErrorKind::WrongRegion => {
            "the bucket is in another region; set AWS_REGION or AWS_ENDPOINT_URL to it"
        }
        S3ErrorKind::Throttled => {
            "the server is overloaded; lower the concurrency or spread the keys over more prefixes"
        }
        S3ErrorKind::Server => "the server failed; try later and report the request id",
        S3ErrorKind::Archived => "the object is archived; restore it first",
        S3ErrorKind::InvalidRequest => {
            "the server does not take this request; check that the endpoint speaks S3"
        }
    }
}

/// The start of a body that is not XML, for example a proxy's page. An error document that could
/// not be read is left out, for it may repeat a session token (SEC-1).
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(8 * TEXT_CHARS_MAX)]);
    if text.contains("<Error") || text.contains("Error>") {
        return "the error document could not be read".to_owned();
    }
    text.into_owned()
}

/// A server's text as one line without control characters, cut.
fn clean(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    match line.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
