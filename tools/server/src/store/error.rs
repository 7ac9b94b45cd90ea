//! What can go wrong with objects in files.

use std::io;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("there is no bucket {bucket}")]
    NoSuchBucket { bucket: String },
    #[error("the bucket {bucket} exists")]
    BucketExists { bucket: String },
    #[error("the bucket {bucket} holds objects or files; delete these first")]
    BucketNotEmpty { bucket: String },
    #[error("there is no object {key} in bucket {bucket}")]
    NoSuchKey { bucket: String, key: String },
    #[error("the key cannot be stored: {reason}")]
    InvalidKey { reason: &'static str },
    #[error(
        "the key is in the way of a file that is no object: {name} in bucket {bucket} is a link or a device"
    )]
    Blocked { bucket: String, name: String },
    #[error("the condition {condition} does not hold")]
    PreconditionFailed { condition: &'static str },
    #[error(
        "there is no upload {id} for this key; it was completed or aborted, or the id is wrong"
    )]
    NoSuchUpload { id: String },
    #[error("part {number} is not there, or its ETag is not the one given")]
    InvalidPart { number: u32 },
    #[error("the parts are not in ascending order at part {number}")]
    InvalidPartOrder { number: u32 },
    #[error("part {number} has {bytes} bytes; every part but the last needs {minimum}")]
    EntityTooSmall { number: u32, bytes: u64, minimum: u64 },
    #[error("the body's {digest} is not the one that the request gave")]
    DigestMismatch { digest: &'static str },
    #[error("cannot {operation} ({object}): {source}")]
    Io { operation: &'static str, object: String, source: io::Error },
}

impl StoreError {
    pub(crate) fn io(
        operation: &'static str,
        object: impl Into<String>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Io { operation, object: object.into(), source: source.into() }
    }

    pub(crate) fn no_such_key(bucket: &str, key: &str) -> Self {
        Self::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() }
    }
}
