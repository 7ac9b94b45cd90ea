//! Errors of the store as errors of S3.

use std::io::ErrorKind;

use hyper::StatusCode;
use s3s::{S3Error, S3ErrorCode};

use crate::store::StoreError;

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let mut answer = S3Error::with_message(code(&error), error.to_string());
        if let StoreError::Io { source, .. } = &error
            && matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        {
            // Trying again does not help, which a 500 would invite to.
            answer.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
        }
        if let StoreError::DigestMismatch { .. } = &error {
            answer.set_status_code(StatusCode::BAD_REQUEST);
        }
        answer
    }
}

/// The codes are those of the S3 API reference, "Error responses".
fn code(error: &StoreError) -> S3ErrorCode {
    match error {
        StoreError::NoSuchBucket { .. } => S3ErrorCode::NoSuchBucket,
        StoreError::BucketExists { .. } => S3ErrorCode::BucketAlreadyOwnedByYou,
        StoreError::BucketNotEmpty { .. } => S3ErrorCode::BucketNotEmpty,
        StoreError::NoSuchKey { .. } => S3ErrorCode::NoSuchKey,
        StoreError::InvalidKey { .. } | StoreError::Blocked { .. } => S3ErrorCode::InvalidArgument,
        StoreError::PreconditionFailed { .. } => S3ErrorCode::PreconditionFailed,
        StoreError::NoSuchUpload { .. } => S3ErrorCode::NoSuchUpload,
        StoreError::InvalidPart { .. } => S3ErrorCode::InvalidPart,
        StoreError::InvalidPartOrder { .. } => S3ErrorCode::InvalidPartOrder,
        StoreError::EntityTooSmall { .. } => S3ErrorCode::EntityTooSmall,
        StoreError::DigestMismatch { digest: "x-amz-content-sha256" } => {
            S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into())
        }
        StoreError::DigestMismatch { .. } => S3ErrorCode::BadDigest,
        StoreError::Io { .. } => S3ErrorCode::InternalError,
    }
}

/// What a body that could not be read to its end means. The kinds are known to the protocol layer alone, which
/// shows them only by their text.
pub(crate) fn unreadable_body(error: s3s::StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        return StoreError::DigestMismatch { digest: "x-amz-content-sha256" }.into();
    }
    if text.contains("SignatureMismatch") {
        return S3Error::with_message(
            S3ErrorCode::SignatureDoesNotMatch,
            "a chunk's signature is not the right one",
        );
    }
    let mut answer =
        S3Error::with_message(S3ErrorCode::IncompleteBody, format!("the body ended early: {text}"));
    answer.set_source(error);
    answer
}
