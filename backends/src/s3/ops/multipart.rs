//! Uploads in parts.

use bytes::Bytes;

use super::fields::{
    Access, Checksum, ChecksumAlgorithm, ChecksumKind, Checksums, Conditions, CustomerKey,
    Encrypted, NewObject, encode_customer_key, request_charged, told,
};
use super::object::Stored;
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{BodyCheck, DecodeError, Operation, Payload, read_document};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::object::Etag;
use crate::s3::encode::ByteSink;
use crate::s3::retry::Repeat;
use crate::s3::xml::{XmlLimits, some_text, write_element};

/// Begins an upload.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CreateMultipartUpload {
    /// The key.
    pub key: String,
    /// What is said of the object.
    pub object: NewObject,
    /// The checksum that its parts will have. `None`, here and in `checksum_kind`, names the one that the
    /// client sends with parts by itself, if that covers the object; one that covers the checksums of
    /// the parts has to be asked for, as the request that completes the upload has to repeat them.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// What the checksum of the object will cover.
    pub checksum_kind: Option<ChecksumKind>,
    /// Who asks and who pays.
    pub access: Access,
}

impl CreateMultipartUpload {
    /// Begins an upload to `key`.
    pub fn new(key: impl Into<String>) -> CreateMultipartUpload {
        CreateMultipartUpload { key: key.into(), ..CreateMultipartUpload::default() }
    }
}

/// An upload that has begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedUpload {
    /// Its name in all later requests.
    pub upload_id: String,
    /// How its parts are encrypted.
    pub encrypted: Encrypted,
    /// When a rule of the bucket will abort it, as sent.
    pub abort_date: Option<String>,
    /// Which rule that is.
    pub abort_rule_id: Option<String>,
    /// The checksum that its parts must have.
    pub checksum_algorithm: Option<String>,
    /// Whether who asked pays.
    pub request_charged: bool,
}

impl Operation for CreateMultipartUpload {
    type Output = CreatedUpload;
    const NAME: &'static str = "CreateMultipartUpload";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Post, Target::Object(&self.key))?;
        request.query("uploads", "");
        self.object.encode(request)?;
        let algorithm = self.checksum_algorithm.map(ChecksumAlgorithm::name);
        request.header_opt("x-amz-checksum-algorithm", algorithm);
        request.header_opt("x-amz-checksum-type", self.checksum_kind.map(ChecksumKind::name));
        self.access.encode(request);
        Ok(())
    }

    fn name_checksum(&mut self, algorithm: ChecksumAlgorithm, kind: ChecksumKind) {
        if self.checksum_algorithm.is_none() && self.checksum_kind.is_none() {
            (self.checksum_algorithm, self.checksum_kind) = (Some(algorithm), Some(kind));
        }
    }

    fn decode(
        &self,
        head: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<CreatedUpload, DecodeError> {
        let mut upload_id = None;
        let limits = XmlLimits::default();
        read_document(document, &limits, "InitiateMultipartUploadResult", |leaf| {
            if leaf.path == "UploadId" {
                upload_id = some_text(leaf.text);
            }
            Ok(())
        })?;
        Ok(CreatedUpload {
            upload_id: upload_id.ok_or(DecodeError::Missing("UploadId"))?,
            encrypted: Encrypted::of_head(head),
            abort_date: told(head, "x-amz-abort-date"),
            abort_rule_id: told(head, "x-amz-abort-rule-id"),
            checksum_algorithm: told(head, "x-amz-checksum-algorithm"),
            request_charged: request_charged(head),
        })
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

/// Writes one part of an upload.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UploadPart {
    /// The key of the upload.
    pub key: String,
    /// Which upload.
    pub upload_id: String,
    /// Which part, 1 to 10,000.
    pub part_number: u32,
    /// The bytes: 5 MiB to 5 GiB, fewer in the last part.
    pub body: Bytes,
    /// Their checksum. Where neither this nor `content_md5` is said, the client sends the one that it names
    /// when an upload begins: an upload for which another was named needs that here.
    pub checksum: Option<Checksum>,
    /// `Content-MD5` of the bytes, in base64.
    pub content_md5: Option<String>,
    /// None goes with it: the upload was begun without, and S3 refuses one then.
    pub unsummed: bool,
    /// The key of SSE-C.
    pub customer_key: Option<CustomerKey>,
    /// Who asks and who pays.
    pub access: Access,
}

impl UploadPart {
    /// Writes `body` as part `part_number`.
    pub fn new(
        key: impl Into<String>,
        upload_id: impl Into<String>,
        part_number: u32,
        body: impl Into<Bytes>,
    ) -> UploadPart {
        let (key, upload_id, body) = (key.into(), upload_id.into(), body.into());
        UploadPart { key, upload_id, part_number, body, ..UploadPart::default() }
    }

    /// Says the same of another part: one upload's parts differ in their number alone.
    pub(in crate::s3) fn encode_numbered(
        &self,
        part_number: u32,
        request: &mut RequestParts,
    ) -> Result<(), InvalidRequest> {
        request.start(Method::Put, Target::Object(&self.key))?;
        request.query("partNumber", part_number);
        request.upload_id(&self.upload_id)?;
        if let Some(checksum) = &self.checksum {
            checksum.encode(request);
        }
        request.header_opt("content-md5", self.content_md5.as_ref());
        encode_customer_key(self.customer_key.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }
}

impl Operation for UploadPart {
    type Output = Stored;
    const NAME: &'static str = "UploadPart";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.encode_numbered(self.part_number, request)
    }

    fn payload(&self) -> Payload {
        Payload::Bytes(self.body.clone())
    }

    fn body_check(&self) -> BodyCheck {
        let has_own = self.checksum.is_some() || self.content_md5.is_some();
        if has_own || self.unsummed { BodyCheck::Own } else { BodyCheck::Part }
    }

    fn waits_as_learnt(&self) -> bool {
        // Encrypted anew, the part has another tag, and the upload may be completed with the first.
        self.customer_key.is_none()
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Stored, DecodeError> {
        let stored = Stored::of_head(head)?;
        if stored.etag.is_none() {
            // Without it the upload could not be completed.
            return Err(DecodeError::Missing("ETag"));
        }
        Ok(stored)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

/// A part as it is named when its upload is completed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompletedPart {
    /// 1 to 10,000.
    pub number: u32,
    /// As the answer to its upload told it, with quotes.
    pub etag: String,
    /// Its checksum, which S3 asks for where the upload named an algorithm.
    pub checksum: Option<Checksum>,
}

impl CompletedPart {
    /// A part without a checksum.
    pub fn new(number: u32, etag: impl Into<String>) -> CompletedPart {
        CompletedPart { number, etag: etag.into(), checksum: None }
    }
}

/// Makes the object of an upload visible.
///
/// Asked again, it may answer `NoSuchUpload` because of the first time: whoever lost the answer to
/// it has to look at the object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CompleteMultipartUpload {
    /// The key.
    pub key: String,
    /// Which upload.
    pub upload_id: String,
    /// Its parts, ascending by number.
    pub parts: Vec<CompletedPart>,
    /// Conditions on what stands under the key.
    pub conditions: Conditions,
    /// The checksum of the object.
    pub checksum: Option<Checksum>,
    /// What it covers.
    pub checksum_kind: Option<ChecksumKind>,
    /// `x-amz-mp-object-size`: refused where the parts do not have so many bytes.
    pub object_bytes: Option<u64>,
    /// The key of SSE-C.
    pub customer_key: Option<CustomerKey>,
    /// Who asks and who pays.
    pub access: Access,
}

impl CompleteMultipartUpload {
    /// Completes an upload of these parts.
    pub fn new(
        key: impl Into<String>,
        upload_id: impl Into<String>,
        parts: Vec<CompletedPart>,
    ) -> CompleteMultipartUpload {
        let (key, upload_id) = (key.into(), upload_id.into());
        CompleteMultipartUpload { key, upload_id, parts, ..CompleteMultipartUpload::default() }
    }
}

/// An object that was uploaded in parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// Its tag, with quotes. Not an MD5.
    pub etag: Option<Etag>,
    /// Where it is.
    pub location: Option<String>,
    /// Which version it is.
    pub version_id: Option<String>,
    /// When a rule of the bucket will delete it.
    pub expiration: Option<String>,
    /// How it is encrypted.
    pub encrypted: Encrypted,
    /// Its checksums.
    pub checksums: Checksums,
    /// Whether who asked pays.
    pub request_charged: bool,
}

impl Operation for CompleteMultipartUpload {
    type Output = Completed;
    const NAME: &'static str = "CompleteMultipartUpload";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        let ascending = self.parts.windows(2).all(|pair| pair[0].number < pair[1].number);
        if self.parts.is_empty() || !ascending {
            let problem = "at least one part is needed, and each number once and ascending";
            return Err(InvalidRequest::Field { field: "Parts", problem });
        }
        request.start(Method::Post, Target::Object(&self.key))?;
        request.upload_id(&self.upload_id)?;
        self.conditions.encode(request);
        if let Some(checksum) = &self.checksum {
            checksum.encode(request);
        }
        request.header_opt("x-amz-checksum-type", self.checksum_kind.map(ChecksumKind::name));
        request.header_opt("x-amz-mp-object-size", self.object_bytes);
        encode_customer_key(self.customer_key.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }

    fn payload(&self) -> Payload {
        let mut xml = Vec::with_capacity(128 + 128 * self.parts.len());
        xml.put(b"<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for part in &self.parts {
            xml.put(b"<Part>");
            write_element("PartNumber", &part.number.to_string(), &mut xml);
            write_element("ETag", &part.etag, &mut xml);
            if let Some(checksum) = &part.checksum {
                write_element(checksum.algorithm.element(), &checksum.value, &mut xml);
            }
            xml.put(b"</Part>");
        }
        xml.put(b"</CompleteMultipartUpload>");
        Payload::Document { xml, md5: false }
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<Completed, DecodeError> {
        let mut completed = Completed {
            version_id: told(head, "x-amz-version-id"),
            expiration: told(head, "x-amz-expiration"),
            encrypted: Encrypted::of_head(head),
            request_charged: request_charged(head),
            ..Completed::default()
        };
        let limits = XmlLimits::default();
        read_document(document, &limits, "CompleteMultipartUploadResult", |leaf| {
            match leaf.path {
                "ETag" => completed.etag = some_text(leaf.text).as_deref().and_then(Etag::new),
                "Location" => completed.location = some_text(leaf.text),
                path => completed.checksums.take(path, leaf.text),
            }
            Ok(())
        })?;
        if completed.etag.is_none() {
            return Err(DecodeError::Missing("ETag"));
        }
        Ok(completed)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }

    fn repeat(&self) -> Repeat {
        if self.conditions.any() { Repeat::IfNotPerformed } else { Repeat::Freely }
    }
}

/// Throws an upload away. Parts that are still being written may outlive it: list them, and abort
/// again.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AbortMultipartUpload {
    /// The key.
    pub key: String,
    /// Which upload.
    pub upload_id: String,
    /// Who asks and who pays.
    pub access: Access,
}

impl AbortMultipartUpload {
    /// Throws it away.
    pub fn new(key: impl Into<String>, upload_id: impl Into<String>) -> AbortMultipartUpload {
        let (key, upload_id) = (key.into(), upload_id.into());
        AbortMultipartUpload { key, upload_id, access: Access::default() }
    }
}

impl Operation for AbortMultipartUpload {
    type Output = ();
    const NAME: &'static str = "AbortMultipartUpload";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Delete, Target::Object(&self.key))?;
        request.upload_id(&self.upload_id)?;
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, _: &ResponseHead<'_>, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}
