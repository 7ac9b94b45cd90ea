//! The operations of S3, each a plain request with a pure `encode` and `decode`.
//!
//! An operation says what is sent ([`RequestParts`], a [`Payload`]) and reads what comes back; it
//! does no I/O, and is signed, sent and tried again by whoever runs it (SANS-1). Fields that a server
//! adds, leaves out or writes in another order never break a client: only what an answer cannot do
//! without is demanded. Source of names and fields: Amazon S3 API reference, the page of each
//! operation.

mod attributes;
mod bucket;
mod copy;
mod delete;
mod fields;
mod list;
mod multipart;
mod object;
mod parts;
mod tagging;
#[cfg(test)]
mod tests;
mod uploads;

use std::fmt;

use bytes::Bytes;

use super::retry::Repeat;
use super::xml::{ErrorDocument, Leaf, XmlError, XmlLimits, parse_error, walk};
use crate::http1::response::{FieldError, ResponseHead};

pub use attributes::{GetObjectAttributes, ObjectAttributes, ObjectPart};
pub use bucket::{
    Bucket, BucketInfo, BucketVersioning, CreateBucket, DeleteBucket, GetBucketLocation,
    GetBucketVersioning, HeadBucket, ListBuckets, ListBucketsPage, PutBucketVersioning, Versioning,
};
pub use copy::{Copied, CopyObject, CopySource, UploadPartCopy};
pub use delete::{
    DELETE_KEYS_MAX, DeleteObject, DeleteObjects, DeleteOutcome, DeleteRefusal, Deleted, ObjectId,
};
pub(super) use fields::content_md5;
pub use fields::{
    Access, Checksum, ChecksumAlgorithm, ChecksumKind, Checksums, Conditions, CustomerKey,
    Encrypted, NewObject, Retention, ServerSide,
};
pub(in crate::s3) use list::ListEntries;
pub use list::{ListObjectVersions, ListObjectsV2, ListedVersion, VersionEntry, VersionPage};
pub use multipart::{
    AbortMultipartUpload, CompleteMultipartUpload, Completed, CompletedPart, CreateMultipartUpload,
    CreatedUpload, UploadPart,
};
pub use object::{GetObject, HeadObject, ObjectInfo, PutObject, ReadRange, Stored};
pub use parts::{InvalidRequest, RequestParts, Target};
pub use tagging::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging, TagSet, Tagged};
pub use uploads::{
    ListMultipartUploads, ListParts, ListedPart, ListedUpload, PartPage, UploadPage,
};

/// One operation of S3, as plain data.
pub trait Operation: fmt::Debug {
    /// What a success tells.
    type Output;

    /// As the API reference names it.
    const NAME: &'static str;

    /// Says what is sent, but for the body.
    ///
    /// # Errors
    /// A request that no server could take.
    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest>;

    /// The body.
    fn payload(&self) -> Payload {
        Payload::None
    }

    /// Whether a checksum goes with the body.
    fn body_check(&self) -> BodyCheck {
        BodyCheck::Own
    }

    /// Takes the checksum that the client has for uploads, for those where it covers the object: what
    /// begins one and names none names it. Parts have it by [`Operation::body_check`].
    fn name_checksum(&mut self, _algorithm: ChecksumAlgorithm, _kind: ChecksumKind) {}

    /// Reads the answer to a request that succeeded by its status. `document` is the whole body;
    /// for GetObject, whose body is the object, it is empty.
    ///
    /// # Errors
    /// An answer that cannot be read, or an error inside a success.
    fn decode(&self, head: &ResponseHead<'_>, document: &[u8])
    -> Result<Self::Output, DecodeError>;

    /// The key, for messages.
    fn key(&self) -> Option<&str> {
        None
    }

    /// Whether it may be sent again.
    fn repeat(&self) -> Repeat {
        Repeat::Freely
    }

    /// Whether the answer of the first try is waited for only as long as answers before took: done twice,
    /// it comes to the same.
    fn waits_as_learnt(&self) -> bool {
        false
    }
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// There is none.
    None,
    /// A document; its SHA-256 is signed.
    Document {
        /// The XML.
        xml: Vec<u8>,
        /// Whether `Content-MD5` goes with it, which some operations and most servers other than
        /// AWS insist on.
        md5: bool,
    },
    /// The bytes of an object or a part.
    Bytes(Bytes),
}

/// Whether a checksum goes with a body, besides what the operation itself says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyCheck {
    /// No: the operation brings its own, or needs none.
    Own,
    /// Where the client uses them.
    Supported,
    /// Where the client uses them at all, because S3 refuses the request without.
    Required,
    /// Where the client names one when it begins an upload: S3 refuses a part with another.
    Part,
}

/// Why an answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The status said success and the body says error: the head was sent before the outcome was
    /// known.
    #[error("the server answered 200 and then {}: {}", .0.code, .0.message)]
    Refused(Box<ErrorDocument>),
    /// A document that cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// A header that cannot be read.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Something that has to be there is not.
    #[error("the answer has no {0}")]
    Missing(&'static str),
    /// The answer contradicts itself, or what was asked.
    #[error("{0}")]
    Contradiction(String),
}

/// Walks the document of an answer. One that is an error is one, whatever the status said.
fn read_document(
    document: &[u8],
    limits: &XmlLimits,
    root: &'static str,
    visit: impl FnMut(Leaf<'_>) -> Result<(), XmlError>,
) -> Result<(), DecodeError> {
    walk(document, limits, root, visit).map_err(|error| refusal_or(error, document, limits))
}

/// The same where some servers give the root another name.
fn read_document_as(
    document: &[u8],
    limits: &XmlLimits,
    [root, other]: [&'static str; 2],
    mut visit: impl FnMut(Leaf<'_>) -> Result<(), XmlError>,
) -> Result<(), DecodeError> {
    match read_document(document, limits, root, &mut visit) {
        Err(DecodeError::Xml(XmlError::Root { found, .. })) if found == other => {
            read_document(document, limits, other, visit)
        }
        read => read,
    }
}

/// A document whose root is `Error` is a refusal; any other that cannot be read is what it is.
fn refusal_or(error: XmlError, document: &[u8], limits: &XmlLimits) -> DecodeError {
    match error {
        XmlError::Root { found, .. } if found == "Error" => match parse_error(document, limits) {
            Ok(refusal) => DecodeError::Refused(Box::new(refusal)),
            Err(error) => error.into(),
        },
        error => error.into(),
    }
}
