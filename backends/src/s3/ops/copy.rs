//! Copies inside the server. Their 200 is sent before the copy has ended, so an error may come in
//! the body of a success.

use std::time::SystemTime;

use super::fields::{
    Access, ChecksumAlgorithm, Checksums, Conditions, CustomerKey, Encrypted, NewObject,
    encode_customer_key, encode_source_key, request_charged, told,
};
use super::object::{ReadRange, check_range};
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{DecodeError, Operation, read_document};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::object::Etag;
use crate::s3::encode::{encode_path, encode_query};
use crate::s3::retry::Repeat;
use crate::s3::time::Timestamp;
use crate::s3::xml::{XmlLimits, some_text};

/// What is copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopySource {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Another version than the newest.
    pub version_id: Option<String>,
    /// Conditions on it.
    pub conditions: Conditions,
    /// The key that it is encrypted with (SSE-C).
    pub customer_key: Option<CustomerKey>,
    /// `x-amz-source-expected-bucket-owner`
    pub expected_bucket_owner: Option<String>,
}

impl CopySource {
    /// The newest version of an object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> CopySource {
        CopySource { bucket: bucket.into(), key: key.into(), ..CopySource::default() }
    }

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        if self.bucket.is_empty() || self.key.is_empty() {
            let problem = "a bucket and a key are needed";
            return Err(InvalidRequest::Field { field: "CopySource", problem });
        }
        // A slash in front keeps a key that begins with one apart from its bucket.
        let mut text = b"/".to_vec();
        text.extend_from_slice(self.bucket.as_bytes());
        text.push(b'/');
        encode_path(self.key.as_bytes(), &mut text);
        if let Some(version) = &self.version_id {
            text.extend_from_slice(b"?versionId=");
            encode_query(version.as_bytes(), &mut text);
        }
        request.header("x-amz-copy-source", String::from_utf8_lossy(&text));
        self.conditions.encode_source(request);
        encode_source_key(self.customer_key.as_ref(), request);
        let owner = self.expected_bucket_owner.as_ref();
        request.header_opt("x-amz-source-expected-bucket-owner", owner);
        Ok(())
    }
}

/// Copies an object of at most 5 GiB.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CopyObject {
    /// The new key.
    pub key: String,
    /// What is copied.
    pub source: CopySource,
    /// What is said of the copy. Headers and metadata count only with `replace_metadata`, tags only
    /// with `replace_tags`.
    pub object: NewObject,
    /// The copy gets the headers and metadata given here, not those of the source.
    pub replace_metadata: bool,
    /// The copy gets the tags given here, not those of the source.
    pub replace_tags: bool,
    /// Conditions on what stands under the new key.
    pub conditions: Conditions,
    /// The checksum that the copy is to have.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// Who asks and who pays.
    pub access: Access,
}

impl CopyObject {
    /// Copies `source` to `key` in the bucket of the client.
    pub fn new(key: impl Into<String>, source: CopySource) -> CopyObject {
        CopyObject { key: key.into(), source, ..CopyObject::default() }
    }
}

impl Operation for CopyObject {
    type Output = Copied;
    const NAME: &'static str = "CopyObject";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Put, Target::Object(&self.key))?;
        self.source.encode(request)?;
        self.object.encode(request)?;
        self.conditions.encode(request);
        if self.replace_metadata {
            request.header("x-amz-metadata-directive", "REPLACE");
        }
        if self.replace_tags {
            request.header("x-amz-tagging-directive", "REPLACE");
        }
        let algorithm = self.checksum_algorithm.map(ChecksumAlgorithm::name);
        request.header_opt("x-amz-checksum-algorithm", algorithm);
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<Copied, DecodeError> {
        Copied::read("CopyObjectResult", head, document)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }

    fn repeat(&self) -> Repeat {
        if self.conditions.any() { Repeat::IfNotPerformed } else { Repeat::Freely }
    }
}

/// Copies an object, or a range of it, into a part of an upload.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UploadPartCopy {
    /// The key of the upload.
    pub key: String,
    /// Which upload.
    pub upload_id: String,
    /// Which part, 1 to 10,000.
    pub part_number: u32,
    /// What is copied.
    pub source: CopySource,
    /// Only these bytes of it; S3 takes [`ReadRange::Inclusive`] alone.
    pub range: Option<ReadRange>,
    /// The key of SSE-C.
    pub customer_key: Option<CustomerKey>,
    /// Who asks and who pays.
    pub access: Access,
}

impl UploadPartCopy {
    /// Copies `source` into part `part_number`.
    pub fn new(
        key: impl Into<String>,
        upload_id: impl Into<String>,
        part_number: u32,
        source: CopySource,
    ) -> UploadPartCopy {
        let (key, upload_id) = (key.into(), upload_id.into());
        UploadPartCopy { key, upload_id, part_number, source, ..UploadPartCopy::default() }
    }
}

impl Operation for UploadPartCopy {
    type Output = Copied;
    const NAME: &'static str = "UploadPartCopy";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Put, Target::Object(&self.key))?;
        request.query("partNumber", self.part_number);
        request.upload_id(&self.upload_id)?;
        self.source.encode(request)?;
        check_range(self.range)?;
        if matches!(self.range, Some(ReadRange::From(_) | ReadRange::Last(_))) {
            let problem = "a copy takes a first and a last byte";
            return Err(InvalidRequest::Field { field: "CopySourceRange", problem });
        }
        request.header_opt("x-amz-copy-source-range", self.range);
        encode_customer_key(self.customer_key.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<Copied, DecodeError> {
        Copied::read("CopyPartResult", head, document)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

/// What a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Its tag, with quotes.
    pub etag: Option<Etag>,
    /// When it was written.
    pub last_modified: Option<SystemTime>,
    /// Its version.
    pub version_id: Option<String>,
    /// The version that was copied.
    pub source_version_id: Option<String>,
    /// When a rule of the bucket will delete it.
    pub expiration: Option<String>,
    /// How it is encrypted.
    pub encrypted: Encrypted,
    /// Its checksums.
    pub checksums: Checksums,
    /// Whether who asked pays.
    pub request_charged: bool,
}

impl Copied {
    fn read(
        root: &'static str,
        head: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<Copied, DecodeError> {
        let mut copied = Copied {
            version_id: told(head, "x-amz-version-id"),
            source_version_id: told(head, "x-amz-copy-source-version-id"),
            expiration: told(head, "x-amz-expiration"),
            encrypted: Encrypted::of_head(head),
            request_charged: request_charged(head),
            ..Copied::default()
        };
        read_document(document, &XmlLimits::default(), root, |leaf| {
            match leaf.path {
                "ETag" => copied.etag = some_text(leaf.text).as_deref().and_then(Etag::new),
                "LastModified" => {
                    let at = Timestamp::parse_iso8601(leaf.text).ok();
                    copied.last_modified = at.map(SystemTime::from);
                }
                path => copied.checksums.take(path, leaf.text),
            }
            Ok(())
        })?;
        if copied.etag.is_none() {
            return Err(DecodeError::Missing("ETag"));
        }
        Ok(copied)
    }
}
