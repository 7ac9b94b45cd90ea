//! `If-*` headers (RFC 9110 section 13).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::store::Condition;

/// The conditions of a read.
pub(crate) struct ReadConditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    /// In the order of RFC 9110 section 13.2.2: an ETag decides where it is given, the date only otherwise.
    pub(crate) fn check(&self, etag: &str, modified: SystemTime) -> S3Result<()> {
        let modified = Timestamp::from(whole_seconds(modified));
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, etag) => return Err(failed("If-Match")),
            (None, Some(since)) if modified > *since => return Err(failed("If-Unmodified-Since")),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if matches(condition, etag) => Err(not_modified(etag)),
            (None, Some(since)) if modified <= *since => Err(not_modified(etag)),
            _ => Ok(()),
        }
    }
}

/// The condition of a write. S3 knows no `If-None-Match` with an ETag here.
pub(crate) fn write_condition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<Option<Condition>> {
    match (if_match, if_none_match) {
        (None, None) => Ok(None),
        (None, Some(ETagCondition::Any)) => Ok(Some(Condition::Absent)),
        (Some(ETagCondition::Any), None) => Ok(Some(Condition::Present)),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Some(Condition::Etag(etag.into_value()))),
        _ => Err(s3_error!(NotImplemented, "a write takes either If-Match or If-None-Match: *")),
    }
}

/// Dates in headers have no fractions.
pub(crate) fn whole_seconds(time: SystemTime) -> SystemTime {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    condition.as_etag().is_none_or(|expected| expected.value() == etag)
}

fn failed(condition: &'static str) -> S3Error {
    s3_error!(PreconditionFailed, "the condition {condition} does not hold")
}

fn not_modified(etag: &str) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    let quoted = ETag::Strong(etag.to_owned()).to_http_header();
    error.set_headers(
        quoted.into_iter().map(|value: HeaderValue| (header::ETAG, value)).collect::<HeaderMap>(),
    );
    error
}
