//! What many operations have in common: who pays, how a new object is described, how it is
//! encrypted, conditions, checksums.

use std::fmt::{self, Display};
use std::time::SystemTime;

use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::parts::{InvalidRequest, RequestParts};
pub use crate::checksum::ChecksumAlgorithm;
use crate::checksum::Sum;
use crate::condition::{ReadIf, WriteIf};
use crate::http1::response::ResponseHead;
use crate::object::PutOptions;
use crate::s3::encode::encode_query;
use crate::s3::time::{HttpDate, Iso8601, Timestamp};

/// Who asks and who pays; goes with every operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// `x-amz-expected-bucket-owner`: refused where the bucket belongs to another account.
    pub expected_bucket_owner: Option<String>,
    /// `x-amz-request-payer: requester`: who asks agrees to pay.
    pub requester_pays: bool,
}

impl Access {
    pub(super) fn encode(&self, request: &mut RequestParts) {
        let owner = self.expected_bucket_owner.as_ref();
        request.header_opt("x-amz-expected-bucket-owner", owner);
        if self.requester_pays {
            request.header("x-amz-request-payer", "requester");
        }
    }
}

/// What is said of a new object besides its bytes. Every `None` leaves the choice to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewObject {
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
    /// `Expires`, to the second.
    pub expires: Option<SystemTime>,
    /// User metadata: names without `x-amz-meta-`; S3 keeps them in lower case.
    pub metadata: Vec<(String, String)>,
    /// `STANDARD`, `STANDARD_IA`, `GLACIER`, ...
    pub storage_class: Option<String>,
    /// Tags of the object.
    pub tags: Vec<(String, String)>,
    /// A canned ACL: `private`, `public-read`, `bucket-owner-full-control`, ...
    pub acl: Option<String>,
    /// `x-amz-grant-full-control`
    pub grant_full_control: Option<String>,
    /// `x-amz-grant-read`
    pub grant_read: Option<String>,
    /// `x-amz-grant-read-acp`
    pub grant_read_acp: Option<String>,
    /// `x-amz-grant-write-acp`
    pub grant_write_acp: Option<String>,
    /// `x-amz-website-redirect-location`
    pub website_redirect_location: Option<String>,
    /// How long nobody may delete it.
    pub retention: Option<Retention>,
    /// Whether a legal hold lies on it.
    pub legal_hold: Option<bool>,
    /// How the server is to encrypt it.
    pub server_side: Option<ServerSide>,
    /// The key that the server encrypts it with, and forgets.
    pub customer_key: Option<CustomerKey>,
}

impl From<&PutOptions> for NewObject {
    fn from(options: &PutOptions) -> NewObject {
        let said = options.attributes.as_deref().cloned().unwrap_or_default();
        let mut object = NewObject {
            cache_control: said.cache_control,
            content_disposition: said.content_disposition,
            content_encoding: said.content_encoding,
            content_language: said.content_language,
            content_type: options.content_type.clone(),
            expires: said.expires,
            metadata: said.metadata,
            ..NewObject::default()
        };
        options.s3.iter().for_each(|asked| asked.describe(&mut object));
        object
    }
}

/// Object lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub mode: String,
    /// Until when.
    pub until: SystemTime,
}

impl NewObject {
    pub(super) fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.header_opt("cache-control", self.cache_control.as_ref());
        request.header_opt("content-disposition", self.content_disposition.as_ref());
        request.header_opt("content-encoding", self.content_encoding.as_ref());
        request.header_opt("content-language", self.content_language.as_ref());
        request.header_opt("content-type", self.content_type.as_ref());
        request.header_opt("expires", self.expires.map(http_date));
        for (name, value) in &self.metadata {
            if name.is_empty() {
                return Err(InvalidRequest::Field { field: "Metadata", problem: "an empty name" });
            }
            request.header(format_args!("x-amz-meta-{name}"), value);
        }
        request.header_opt("x-amz-storage-class", self.storage_class.as_ref());
        if !self.tags.is_empty() {
            request.header("x-amz-tagging", TagHeader(&self.tags));
        }
        request.header_opt("x-amz-acl", self.acl.as_ref());
        request.header_opt("x-amz-grant-full-control", self.grant_full_control.as_ref());
        request.header_opt("x-amz-grant-read", self.grant_read.as_ref());
        request.header_opt("x-amz-grant-read-acp", self.grant_read_acp.as_ref());
        request.header_opt("x-amz-grant-write-acp", self.grant_write_acp.as_ref());
        let redirect = self.website_redirect_location.as_ref();
        request.header_opt("x-amz-website-redirect-location", redirect);
        if let Some(retention) = &self.retention {
            request.header("x-amz-object-lock-mode", &retention.mode);
            let until = Iso8601(Timestamp::from(retention.until));
            request.header("x-amz-object-lock-retain-until-date", until);
        }
        let hold = self.legal_hold.map(|on| if on { "ON" } else { "OFF" });
        request.header_opt("x-amz-object-lock-legal-hold", hold);
        if let Some(server_side) = &self.server_side {
            server_side.encode(request);
        }
        encode_customer_key(self.customer_key.as_ref(), request);
        Ok(())
    }
}

/// `name=value&name=value`, URL-encoded.
struct TagHeader<'a>(&'a [(String, String)]);

impl Display for TagHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        for (position, (name, value)) in self.0.iter().enumerate() {
            text.extend_from_slice(if position == 0 { b"" } else { b"&" });
            encode_query(name.as_bytes(), &mut text);
            text.push(b'=');
            encode_query(value.as_bytes(), &mut text);
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Encryption with keys that the server has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerSide {
    /// SSE-S3: a key of S3's own.
    S3,
    /// SSE-KMS: a key of AWS KMS.
    Kms {
        /// Its id, ARN or alias; `None` is the account's own key for S3.
        key_id: Option<String>,
        /// `x-amz-server-side-encryption-context`: base64 of a JSON object.
        context: Option<String>,
        /// Whether a bucket key saves requests to KMS; `None` as the bucket has it.
        bucket_key: Option<bool>,
        /// Two layers of encryption (DSSE-KMS).
        dual_layer: bool,
    },
}

impl ServerSide {
    fn encode(&self, request: &mut RequestParts) {
        const ALGORITHM: &str = "x-amz-server-side-encryption";
        match self {
            ServerSide::S3 => request.header(ALGORITHM, "AES256"),
            ServerSide::Kms { key_id, context, bucket_key, dual_layer } => {
                request.header(ALGORITHM, if *dual_layer { "aws:kms:dsse" } else { "aws:kms" });
                let key = "x-amz-server-side-encryption-aws-kms-key-id";
                request.header_opt(key, key_id.as_ref());
                request.header_opt("x-amz-server-side-encryption-context", context.as_ref());
                let name = "x-amz-server-side-encryption-bucket-key-enabled";
                request.header_opt(name, *bucket_key);
            }
        }
    }
}

/// SSE-C: a key of 256 bits that goes with every request and that the server forgets. Wiped when
/// dropped; its `Debug` shows nothing of it (SEC-1). It goes out over TLS only, or to a server on this
/// machine, as S3 itself has it (Amazon S3 user guide, "Using server-side encryption with
/// customer-provided keys").
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerKey(Zeroizing<[u8; 32]>);

impl CustomerKey {
    /// A key for AES-256.
    pub fn new(key: [u8; 32]) -> CustomerKey {
        CustomerKey(Zeroizing::new(key))
    }

    /// Tells keys apart, and is no way back to one.
    pub(in crate::s3) fn fingerprint(&self) -> [u8; 16] {
        Md5::digest(self.0.as_slice()).into()
    }

    fn encode(&self, prefix: &str, request: &mut RequestParts) {
        let md5 = self.fingerprint();
        request.header(format_args!("{prefix}-algorithm"), "AES256");
        let key = Base64Display::new(&self.0[..], &BASE64);
        request.secret_header(format_args!("{prefix}-key"), key);
        request.header(format_args!("{prefix}-key-md5"), Base64Display::new(&md5, &BASE64));
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey(<redacted>)")
    }
}

pub(super) fn encode_customer_key(key: Option<&CustomerKey>, request: &mut RequestParts) {
    if let Some(key) = key {
        key.encode("x-amz-server-side-encryption-customer", request);
    }
}

/// The key of the source of a copy.
pub(super) fn encode_source_key(key: Option<&CustomerKey>, request: &mut RequestParts) {
    if let Some(key) = key {
        key.encode("x-amz-copy-source-server-side-encryption-customer", request);
    }
}

/// The value of `Content-MD5`.
pub(in crate::s3) fn content_md5(document: &[u8]) -> String {
    BASE64.encode(Md5::digest(document))
}

/// Conditions of a request: it is refused where one of them does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// The ETag that it must have, with its quotes; `*` for any.
    pub if_match: Option<String>,
    /// The ETag that it must not have; `*` for none at all.
    pub if_none_match: Option<String>,
    /// It must be newer; reads only.
    pub if_modified_since: Option<SystemTime>,
    /// It must not be newer; reads only.
    pub if_unmodified_since: Option<SystemTime>,
}

impl From<Option<WriteIf>> for Conditions {
    fn from(condition: Option<WriteIf>) -> Conditions {
        let mut conditions = Conditions::default();
        match condition {
            Some(WriteIf::Absent) => conditions.if_none_match = Some("*".to_owned()),
            Some(WriteIf::Is(etag)) => conditions.if_match = Some(etag.to_string()),
            None => {}
        }
        conditions
    }
}

impl From<Option<ReadIf>> for Conditions {
    fn from(condition: Option<ReadIf>) -> Conditions {
        let mut conditions = Conditions::default();
        match condition {
            Some(ReadIf::Is(etag)) => conditions.if_match = Some(etag.to_string()),
            Some(ReadIf::IsNot(etag)) => conditions.if_none_match = Some(etag.to_string()),
            None => {}
        }
        conditions
    }
}

impl Conditions {
    /// Whether there is one: a write with one is not sent twice where the first may have been
    /// carried out, as that would fail because of it.
    pub(in crate::s3) fn any(&self) -> bool {
        *self != Conditions::default()
    }

    pub(super) fn encode(&self, request: &mut RequestParts) {
        self.encode_as("", request);
    }

    /// The conditions of the source of a copy.
    pub(super) fn encode_source(&self, request: &mut RequestParts) {
        self.encode_as("x-amz-copy-source-", request);
    }

    fn encode_as(&self, prefix: &str, request: &mut RequestParts) {
        let mut header = |name: &str, value: Option<&dyn Display>| {
            if let Some(value) = value {
                request.header(format_args!("{prefix}{name}"), value);
            }
        };
        let (since, unless) =
            (self.if_modified_since.map(http_date), self.if_unmodified_since.map(http_date));
        header("if-match", self.if_match.as_ref().map(|it| it as &dyn Display));
        header("if-none-match", self.if_none_match.as_ref().map(|it| it as &dyn Display));
        header("if-modified-since", since.as_ref().map(|it| it as &dyn Display));
        header("if-unmodified-since", unless.as_ref().map(|it| it as &dyn Display));
    }
}

impl ChecksumAlgorithm {
    /// The ones to be preferred first: the cheaper, and the longer of those.
    pub(in crate::s3) const ALL: [ChecksumAlgorithm; 5] =
        [Self::Crc64Nvme, Self::Crc32c, Self::Crc32, Self::Sha1, Self::Sha256];

    /// As `x-amz-checksum-algorithm` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries a value.
    pub(in crate::s3) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The XML element that carries a value.
    pub(super) fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }
}

/// What a checksum of an object in parts covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumKind {
    /// All bytes of the object.
    FullObject,
    /// The checksums of its parts.
    Composite,
}

impl ChecksumKind {
    /// As `x-amz-checksum-type` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    pub(in crate::s3) fn parse(text: &str) -> Option<ChecksumKind> {
        [Self::FullObject, Self::Composite].into_iter().find(|kind| kind.name() == text)
    }
}

/// A checksum that goes with a body; the server refuses a body that it does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// Which kind.
    pub algorithm: ChecksumAlgorithm,
    /// The value, in base64.
    pub value: String,
}

impl From<&Sum> for Checksum {
    fn from(sum: &Sum) -> Checksum {
        Checksum { algorithm: sum.algorithm(), value: sum.to_string() }
    }
}

impl Checksum {
    pub(super) fn encode(&self, request: &mut RequestParts) {
        request.header(self.algorithm.header(), &self.value);
    }
}

/// The checksums that a server told of an object or a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checksums {
    /// The values, in base64; composite ones end in `-N`.
    pub values: Vec<Checksum>,
    /// What they cover.
    pub kind: Option<ChecksumKind>,
}

impl Checksums {
    /// The value of one kind.
    pub fn get(&self, algorithm: ChecksumAlgorithm) -> Option<&str> {
        let found = self.values.iter().find(|checksum| checksum.algorithm == algorithm);
        found.map(|checksum| checksum.value.as_str())
    }

    pub(super) fn of_head(head: &ResponseHead<'_>) -> Checksums {
        let values = ChecksumAlgorithm::ALL.into_iter().filter_map(|algorithm| {
            let value = told(head, algorithm.header())?;
            Some(Checksum { algorithm, value })
        });
        let kind = told(head, "x-amz-checksum-type");
        let kind = kind.and_then(|text| ChecksumKind::parse(&text));
        Checksums { values: values.collect(), kind }
    }

    /// Takes an XML element if it is one of a checksum.
    pub(super) fn take(&mut self, element: &str, text: &str) {
        if element == "ChecksumType" {
            self.kind = ChecksumKind::parse(text.trim());
        }
        let algorithm = ChecksumAlgorithm::ALL.into_iter().find(|it| it.element() == element);
        if let Some(algorithm) = algorithm.filter(|_| !text.trim().is_empty()) {
            self.values.push(Checksum { algorithm, value: text.trim().to_owned() });
        }
    }
}

/// How a server says that something is encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encrypted {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`.
    pub algorithm: Option<String>,
    /// The key of KMS.
    pub kms_key_id: Option<String>,
    /// The context of KMS, in base64.
    pub kms_context: Option<String>,
    /// Whether a bucket key is used.
    pub bucket_key: bool,
    /// The algorithm used with a key of the customer.
    pub customer_algorithm: Option<String>,
    /// The MD5 of the customer's key, in base64.
    pub customer_key_md5: Option<String>,
}

impl Encrypted {
    pub(super) fn of_head(head: &ResponseHead<'_>) -> Encrypted {
        let bucket_key = told(head, "x-amz-server-side-encryption-bucket-key-enabled");
        Encrypted {
            algorithm: told(head, "x-amz-server-side-encryption"),
            kms_key_id: told(head, "x-amz-server-side-encryption-aws-kms-key-id"),
            kms_context: told(head, "x-amz-server-side-encryption-context"),
            bucket_key: bucket_key.is_some_and(|text| text.eq_ignore_ascii_case("true")),
            customer_algorithm: told(head, "x-amz-server-side-encryption-customer-algorithm"),
            customer_key_md5: told(head, "x-amz-server-side-encryption-customer-key-md5"),
        }
    }
}

/// A header that is nice to know; one that is not UTF-8 is told as well as it can be.
pub(super) fn told(head: &ResponseHead<'_>, name: &str) -> Option<String> {
    let value = head.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
    value.filter(|text| !text.is_empty())
}

pub(super) fn told_number(head: &ResponseHead<'_>, name: &str) -> Option<u64> {
    told(head, name)?.parse().ok()
}

pub(super) fn told_time(head: &ResponseHead<'_>, name: &str) -> Option<SystemTime> {
    Some(Timestamp::parse_http_date(&told(head, name)?).ok()?.into())
}

pub(super) fn told_true(head: &ResponseHead<'_>, name: &str) -> bool {
    told(head, name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub(super) fn request_charged(head: &ResponseHead<'_>) -> bool {
    head.get("x-amz-request-charged").is_some()
}

pub(super) fn http_date(at: SystemTime) -> HttpDate {
    HttpDate(Timestamp::from(at))
}
