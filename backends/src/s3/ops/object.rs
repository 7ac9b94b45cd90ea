//! Reading and writing one object.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;

use super::fields::{
    Access, Checksum, Checksums, Conditions, CustomerKey, Encrypted, NewObject,
    encode_customer_key, request_charged, told, told_number, told_time, told_true,
};
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{BodyCheck, DecodeError, Operation, Payload};
use crate::http1::request::Method;
use crate::http1::response::{ContentRange, FieldError, ResponseHead};
use crate::object::{Attributes, Etag, ObjectMeta};
use crate::s3::retry::Repeat;
use crate::s3::time::Timestamp;

/// Which bytes of an object are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadRange {
    /// From the first to the last, which is included.
    Inclusive {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte.
        last: u64,
    },
    /// From this offset to the end.
    From(u64),
    /// So many bytes at the end.
    Last(u64),
}

impl ReadRange {
    /// Whether an answer with these bytes, the last one included, is the one to this range; `total` is
    /// the size of the object, where it is told.
    pub(in crate::s3) fn gives(&self, first: u64, last: u64, total: Option<u64>) -> bool {
        let at_end =
            |wanted: u64| total.is_none_or(|total| last == wanted.min(total.saturating_sub(1)));
        match *self {
            ReadRange::Inclusive { first: from, last: to } => {
                first == from && last <= to && at_end(to)
            }
            ReadRange::From(from) => first == from && at_end(u64::MAX),
            ReadRange::Last(count) => {
                at_end(u64::MAX) && total.is_none_or(|total| first == total.saturating_sub(count))
            }
        }
    }
}

impl fmt::Display for ReadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadRange::Inclusive { first, last } => write!(f, "bytes={first}-{last}"),
            ReadRange::From(first) => write!(f, "bytes={first}-"),
            ReadRange::Last(count) => write!(f, "bytes=-{count}"),
        }
    }
}

/// Reads an object, or a range of it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetObject {
    /// The key.
    pub key: String,
    /// Another version than the newest.
    pub version_id: Option<String>,
    /// Only these bytes.
    pub range: Option<ReadRange>,
    /// Only this part, as it was uploaded; counted from 1.
    pub part_number: Option<u32>,
    /// Conditions.
    pub conditions: Conditions,
    /// Asks for the checksums that the server keeps.
    pub checksum_mode: bool,
    /// The key of SSE-C.
    pub customer_key: Option<CustomerKey>,
    /// What the answer's `Cache-Control` is to be.
    pub response_cache_control: Option<String>,
    /// What the answer's `Content-Disposition` is to be.
    pub response_content_disposition: Option<String>,
    /// What the answer's `Content-Encoding` is to be.
    pub response_content_encoding: Option<String>,
    /// What the answer's `Content-Language` is to be.
    pub response_content_language: Option<String>,
    /// What the answer's `Content-Type` is to be.
    pub response_content_type: Option<String>,
    /// What the answer's `Expires` is to be.
    pub response_expires: Option<String>,
    /// Who asks and who pays.
    pub access: Access,
}

impl GetObject {
    /// The whole object.
    pub fn new(key: impl Into<String>) -> GetObject {
        GetObject { key: key.into(), ..GetObject::default() }
    }

    /// Says all of it but what [`HeadObject`] says otherwise.
    fn encode_as(&self, method: Method, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(method, Target::Object(&self.key))?;
        request.query_opt("versionId", self.version_id.as_ref());
        request.query_opt("partNumber", self.part_number);
        let overrides = [
            ("response-cache-control", &self.response_cache_control),
            ("response-content-disposition", &self.response_content_disposition),
            ("response-content-encoding", &self.response_content_encoding),
            ("response-content-language", &self.response_content_language),
            ("response-content-type", &self.response_content_type),
            ("response-expires", &self.response_expires),
        ];
        for (name, value) in overrides {
            request.query_opt(name, value.as_ref());
        }
        check_range(self.range)?;
        request.header_opt("range", self.range);
        self.conditions.encode(request);
        if self.checksum_mode {
            request.header("x-amz-checksum-mode", "ENABLED");
        }
        encode_customer_key(self.customer_key.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }
}

/// `bytes=5-3` is no range (RFC 9110 section 14.1.1), and servers answer it with the whole object.
pub(super) fn check_range(range: Option<ReadRange>) -> Result<(), InvalidRequest> {
    match range {
        Some(ReadRange::Inclusive { first, last }) if first > last => Err(InvalidRequest::Field {
            field: "Range",
            problem: "its last byte is before its first",
        }),
        Some(ReadRange::Last(0)) => {
            Err(InvalidRequest::Field { field: "Range", problem: "there is no range of 0 bytes" })
        }
        _ => Ok(()),
    }
}

impl Operation for GetObject {
    type Output = ObjectInfo;
    const NAME: &'static str = "GetObject";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.encode_as(Method::Get, request)
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<ObjectInfo, DecodeError> {
        Ok(ObjectInfo::of_head(head)?)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

/// Asks what is known of an object. The fields are those of [`GetObject`].
#[derive(Debug, Clone, Default)]
pub struct HeadObject(pub GetObject);

impl HeadObject {
    /// Asks for the newest version.
    pub fn new(key: impl Into<String>) -> HeadObject {
        HeadObject(GetObject::new(key))
    }
}

impl Operation for HeadObject {
    type Output = ObjectInfo;
    const NAME: &'static str = "HeadObject";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.0.encode_as(Method::Head, request)
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<ObjectInfo, DecodeError> {
        let info = ObjectInfo::of_head(head)?;
        if info.content_length.is_none() {
            return Err(DecodeError::Missing("Content-Length"));
        }
        Ok(info)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.0.key)
    }
}

/// What the answer to GetObject or HeadObject tells of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Bytes of the body: of the object, or of the range.
    pub content_length: Option<u64>,
    /// Which bytes, where a range was asked for.
    pub content_range: Option<ContentRange>,
    /// The tag of this version, with its quotes.
    pub etag: Option<Etag>,
    /// When it was written, to the second.
    pub last_modified: Option<SystemTime>,
    /// Which version it is.
    pub version_id: Option<String>,
    /// Whether it is a delete marker.
    pub delete_marker: bool,
    /// `Accept-Ranges`
    pub accept_ranges: Option<String>,
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// `Content-Disposition`
    pub content_disposition: Option<String>,
    /// `Content-Encoding`
    pub content_encoding: Option<String>,
    /// `Content-Language`
    pub content_language: Option<String>,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Expires`, as sent.
    pub expires: Option<String>,
    /// When a rule of the bucket will delete it: `x-amz-expiration`.
    pub expiration: Option<String>,
    /// User metadata, names in lower case and without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// Metadata that no header can carry: how many were left out.
    pub missing_metadata: u64,
    /// `None` is `STANDARD`.
    pub storage_class: Option<String>,
    /// Whether an archived object is being restored, and until when it is: `x-amz-restore`.
    pub restore: Option<String>,
    /// `x-amz-archive-status`
    pub archive_status: Option<String>,
    /// `x-amz-replication-status`
    pub replication_status: Option<String>,
    /// How many parts it was uploaded in, where a part was asked for.
    pub parts: Option<u64>,
    /// How many tags it has.
    pub tags: Option<u64>,
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub lock_mode: Option<String>,
    /// Until when nobody may delete it, as sent.
    pub lock_until: Option<String>,
    /// `ON` or `OFF`.
    pub legal_hold: Option<String>,
    /// `x-amz-website-redirect-location`
    pub website_redirect_location: Option<String>,
    /// How it is encrypted.
    pub encrypted: Encrypted,
    /// Its checksums, where they were asked for.
    pub checksums: Checksums,
    /// Whether who asked pays.
    pub request_charged: bool,
}

impl ObjectInfo {
    /// Reads the head of an answer.
    ///
    /// # Errors
    /// What decides about the bytes (`Content-Range`, `ETag`) cannot be read; nothing else is
    /// worth failing for.
    pub fn of_head(head: &ResponseHead<'_>) -> Result<ObjectInfo, FieldError> {
        Ok(ObjectInfo {
            content_length: head.content_length(),
            content_range: head.content_range()?,
            etag: head.etag()?.and_then(Etag::new),
            last_modified: told_time(head, "last-modified"),
            version_id: told(head, "x-amz-version-id"),
            delete_marker: told_true(head, "x-amz-delete-marker"),
            accept_ranges: told(head, "accept-ranges"),
            cache_control: told(head, "cache-control"),
            content_disposition: told(head, "content-disposition"),
            content_encoding: told(head, "content-encoding"),
            content_language: told(head, "content-language"),
            content_type: told(head, "content-type"),
            expires: told(head, "expires"),
            expiration: told(head, "x-amz-expiration"),
            metadata: metadata(head),
            missing_metadata: told_number(head, "x-amz-missing-meta").unwrap_or(0),
            storage_class: told(head, "x-amz-storage-class"),
            restore: told(head, "x-amz-restore"),
            archive_status: told(head, "x-amz-archive-status"),
            replication_status: told(head, "x-amz-replication-status"),
            parts: told_number(head, "x-amz-mp-parts-count"),
            tags: told_number(head, "x-amz-tagging-count"),
            lock_mode: told(head, "x-amz-object-lock-mode"),
            lock_until: told(head, "x-amz-object-lock-retain-until-date"),
            legal_hold: told(head, "x-amz-object-lock-legal-hold"),
            website_redirect_location: told(head, "x-amz-website-redirect-location"),
            encrypted: Encrypted::of_head(head),
            checksums: Checksums::of_head(head),
            request_charged: request_charged(head),
        })
    }

    /// Size of the whole object, where the answer tells it.
    pub fn object_bytes(&self) -> Option<u64> {
        match &self.content_range {
            Some(range) => range.total(),
            None => self.content_length,
        }
    }
}

impl From<ObjectInfo> for ObjectMeta {
    fn from(info: ObjectInfo) -> ObjectMeta {
        ObjectMeta {
            etag: info.etag,
            modified: info.last_modified,
            size_bytes: info.object_bytes().unwrap_or(0),
            content_type: info.content_type,
            attributes: Attributes {
                cache_control: info.cache_control,
                content_disposition: info.content_disposition,
                content_encoding: info.content_encoding,
                content_language: info.content_language,
                // What is no date means nothing to a reader either (RFC 9111 section 5.3).
                expires: info
                    .expires
                    .and_then(|text| Timestamp::parse_http_date(&text).ok())
                    .map(SystemTime::from),
                metadata: info.metadata,
            }
            .told(),
            crc64nvme: None,
            seldom: None,
        }
        .kept_as(info.version_id, None)
    }
}

impl ObjectMeta {
    /// What tells versions apart; the size is not among it.
    pub(in crate::s3) fn version_of(head: &ResponseHead<'_>) -> Result<ObjectMeta, FieldError> {
        let modified = head.text("last-modified")?;
        let modified = modified.and_then(|text| Timestamp::parse_http_date(text).ok());
        Ok(ObjectMeta {
            etag: head.etag()?.and_then(Etag::new),
            modified: modified.map(SystemTime::from),
            ..ObjectMeta::of_size(0)
        })
    }

    /// With what the head says of the content besides: the fields of [`ObjectInfo`] that a store knows,
    /// without the others, which a read of a small object would pay for.
    pub(in crate::s3) fn described_by(self, head: &ResponseHead<'_>) -> ObjectMeta {
        let attributes = Attributes {
            cache_control: told(head, "cache-control"),
            content_disposition: told(head, "content-disposition"),
            content_encoding: told(head, "content-encoding"),
            content_language: told(head, "content-language"),
            expires: told_time(head, "expires"),
            metadata: metadata(head),
        };
        ObjectMeta {
            content_type: told(head, "content-type"),
            attributes: attributes.told(),
            ..self
        }
        .kept_as(told(head, "x-amz-version-id"), None)
    }
}

fn metadata(head: &ResponseHead<'_>) -> Vec<(String, String)> {
    const PREFIX: &str = "x-amz-meta-";
    let user = head.headers().filter_map(|(name, value)| {
        let (prefix, name) = name.split_at_checked(PREFIX.len())?;
        let ours = prefix.eq_ignore_ascii_case(PREFIX) && !name.is_empty();
        ours.then(|| (name.to_ascii_lowercase(), String::from_utf8_lossy(value).into_owned()))
    });
    user.collect()
}

/// Writes a whole object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PutObject {
    /// The key.
    pub key: String,
    /// The bytes.
    pub body: Bytes,
    /// What is said of it.
    pub object: NewObject,
    /// `if_match` and `if_none_match`: an object that is overwritten, or must not be.
    pub conditions: Conditions,
    /// The checksum of the bytes.
    pub checksum: Option<Checksum>,
    /// `Content-MD5` of the bytes, in base64.
    pub content_md5: Option<String>,
    /// Where to append, on S3 Express: `x-amz-write-offset-bytes`.
    pub write_offset_bytes: Option<u64>,
    /// Who asks and who pays.
    pub access: Access,
}

impl PutObject {
    /// Writes `body` under `key`.
    pub fn new(key: impl Into<String>, body: impl Into<Bytes>) -> PutObject {
        PutObject { key: key.into(), body: body.into(), ..PutObject::default() }
    }

    /// The same for another key.
    pub(in crate::s3) fn encode_for(
        &self,
        key: &str,
        request: &mut RequestParts,
    ) -> Result<(), InvalidRequest> {
        request.start(Method::Put, Target::Object(key))?;
        self.object.encode(request)?;
        self.conditions.encode(request);
        if let Some(checksum) = &self.checksum {
            checksum.encode(request);
        }
        request.header_opt("content-md5", self.content_md5.as_ref());
        request.header_opt("x-amz-write-offset-bytes", self.write_offset_bytes);
        self.access.encode(request);
        Ok(())
    }
}

impl Operation for PutObject {
    type Output = Stored;
    const NAME: &'static str = "PutObject";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.encode_for(&self.key, request)
    }

    fn payload(&self) -> Payload {
        Payload::Bytes(self.body.clone())
    }

    fn body_check(&self) -> BodyCheck {
        let locked = self.object.retention.is_some() || self.object.legal_hold.is_some();
        match self.checksum.is_some() || self.content_md5.is_some() {
            true => BodyCheck::Own,
            false if locked => BodyCheck::Required,
            false => BodyCheck::Supported,
        }
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Stored, DecodeError> {
        Ok(Stored::of_head(head)?)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }

    fn repeat(&self) -> Repeat {
        // An append that was carried out moves the end.
        let once = self.conditions.any() || self.write_offset_bytes.is_some();
        if once { Repeat::IfNotPerformed } else { Repeat::Freely }
    }
}

/// What the answer to a write tells of what is stored now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Its tag, with quotes.
    pub etag: Option<Etag>,
    /// Which version it is.
    pub version_id: Option<String>,
    /// When a rule of the bucket will delete it.
    pub expiration: Option<String>,
    /// How it is encrypted.
    pub encrypted: Encrypted,
    /// Its checksums.
    pub checksums: Checksums,
    /// Size of the object, where it was appended to.
    pub size_bytes: Option<u64>,
    /// Whether who asked pays.
    pub request_charged: bool,
}

impl Stored {
    pub(super) fn of_head(head: &ResponseHead<'_>) -> Result<Stored, FieldError> {
        Ok(Stored {
            etag: head.etag()?.and_then(Etag::new),
            version_id: told(head, "x-amz-version-id"),
            expiration: told(head, "x-amz-expiration"),
            encrypted: Encrypted::of_head(head),
            checksums: Checksums::of_head(head),
            size_bytes: told_number(head, "x-amz-object-size"),
            request_charged: request_charged(head),
        })
    }
}
