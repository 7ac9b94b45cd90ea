//! Headers that stay with an object, from requests into the store and back.

use std::collections::{BTreeMap, HashMap};

use s3s::dto::{Checksum, ChecksumType, Timestamp, TimestampFormat};
use s3s::{S3Result, s3_error};

use crate::store::{Attributes, KeptChecksum};

/// The fields of that name in `PutObjectInput`, `CreateMultipartUploadInput` and `CopyObjectInput`.
macro_rules! attributes {
    ($input:expr, $limits:expr) => {
        $crate::api::headers::Given {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            content_disposition: $input.content_disposition.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take(),
            metadata: $input.metadata.take(),
        }
        .into_attributes($limits.metadata_bytes_max)
    };
}
pub(crate) use attributes;

/// What a request says of an object besides its bytes.
pub(crate) struct Given {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub content_disposition: Option<String>,
    pub cache_control: Option<String>,
    pub expires: Option<Timestamp>,
    pub metadata: Option<HashMap<String, String>>,
}

impl Given {
    pub(crate) fn into_attributes(self, metadata_bytes_max: usize) -> S3Result<Attributes> {
        let user: BTreeMap<String, String> =
            self.metadata.unwrap_or_default().into_iter().collect();
        let bytes: usize = user.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > metadata_bytes_max {
            return Err(s3_error!(
                MetadataTooLarge,
                "user metadata has {bytes} bytes, at most {metadata_bytes_max}"
            ));
        }
        Ok(Attributes {
            content_type: self.content_type,
            content_encoding: self
                .content_encoding
                .and_then(|encoding| without_aws_chunked(&encoding)),
            content_language: self.content_language,
            content_disposition: self.content_disposition,
            cache_control: self.cache_control,
            expires: self.expires.as_ref().map(http_date).transpose()?,
            checksum: None,
            user,
        })
    }
}

/// `Expires` as it was kept. A date that is none is left out rather than failing the read.
pub(crate) fn expires(attributes: &Attributes) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, attributes.expires.as_deref()?).ok()
}

/// User metadata in the form of an answer.
pub(crate) fn metadata(attributes: &Attributes) -> Option<HashMap<String, String>> {
    let user = &attributes.user;
    (!user.is_empty())
        .then(|| user.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// One checksum of the several that may have come with an object, to be kept with it.
pub(crate) fn checksum_to_keep(computed: &Checksum) -> Option<KeptChecksum> {
    let values = [
        ("x-amz-checksum-crc64nvme", &computed.checksum_crc64nvme),
        ("x-amz-checksum-crc32c", &computed.checksum_crc32c),
        ("x-amz-checksum-crc32", &computed.checksum_crc32),
        ("x-amz-checksum-sha1", &computed.checksum_sha1),
        ("x-amz-checksum-sha256", &computed.checksum_sha256),
    ];
    let kept = values.into_iter().find_map(|(header, value)| Some((header, value.clone()?)));
    kept.map(|(header, value)| KeptChecksum { header: header.to_owned(), value })
}

/// The checksum that is kept, in the form of an answer.
pub(crate) fn kept_checksum(attributes: &Attributes) -> Checksum {
    let mut checksum = Checksum::default();
    let Some(KeptChecksum { header, value }) = &attributes.checksum else { return checksum };
    let value = Some(value.clone());
    match header.as_str() {
        "x-amz-checksum-crc64nvme" => checksum.checksum_crc64nvme = value,
        "x-amz-checksum-crc32c" => checksum.checksum_crc32c = value,
        "x-amz-checksum-crc32" => checksum.checksum_crc32 = value,
        "x-amz-checksum-sha1" => checksum.checksum_sha1 = value,
        "x-amz-checksum-sha256" => checksum.checksum_sha256 = value,
        _ => return checksum,
    }
    checksum.checksum_type = Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT));
    checksum
}

/// `aws-chunked` is how the body travelled, not what the object is.
fn without_aws_chunked(encoding: &str) -> Option<String> {
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty() && *token != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

fn http_date(time: &Timestamp) -> S3Result<String> {
    let mut text = Vec::new();
    time.format(TimestampFormat::HttpDate, &mut text)
        .map_err(|error| s3_error!(error, InvalidArgument, "Expires is not a date"))?;
    String::from_utf8(text)
        .map_err(|error| s3_error!(error, InvalidArgument, "Expires is not a date"))
}
