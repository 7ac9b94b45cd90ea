//! Reading and deleting objects.

use std::ops::Range as ByteRange;
use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use s3s::dto::*;
use s3s::{S3Error, S3Response, S3Result, s3_error};

use super::body::FileBody;
use super::conditions::{ReadConditions, whole_seconds};
use super::{Answer, Api, headers};
use crate::store::{Attributes, Object, StoreError};

/// What S3 calls an object whose type nobody told.
const CONTENT_TYPE_UNKNOWN: &str = "binary/octet-stream";

impl Api {
    pub(super) async fn get(&self, input: GetObjectInput) -> Answer<GetObjectOutput> {
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let with_checksum = asks_for_checksum(input.checksum_mode.as_ref());
        let (bucket, key, chunks) = (input.bucket, input.key, self.chunks.clone());
        // One visit to a thread for file work: open, decide, read the first chunk.
        let opened = self.blocking(move |store| {
            let object = store.open_object(&bucket, &key)?;
            let known = Known::of(&object);
            let span = match known.select(&conditions, input.range, input.part_number) {
                Ok(span) => span,
                Err(refused) => return Ok(Err(refused)),
            };
            Ok(Ok((known, span.clone(), FileBody::open(chunks, object.file, span.bytes)?)))
        });
        let (known, span, body) = opened.await??;
        let whole = span.bytes == (0..known.size);
        let Known { etag, modified, attributes, .. } = known;
        let checksum = match with_checksum && whole {
            true => headers::kept_checksum(&attributes),
            false => Checksum::default(),
        };
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body.into_blob()),
            content_length: Some(signed(span.bytes.end - span.bytes.start)),
            content_range: span.header,
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(ETag::Strong(etag)),
            last_modified: Some(modified.into()),
            expires: headers::expires(&attributes),
            metadata: headers::metadata(&attributes),
            content_type: Some(
                attributes.content_type.unwrap_or_else(|| CONTENT_TYPE_UNKNOWN.to_owned()),
            ),
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            content_disposition: attributes.content_disposition,
            cache_control: attributes.cache_control,
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            checksum_type: checksum.checksum_type,
            ..GetObjectOutput::default()
        }))
    }

    pub(super) async fn head(&self, input: HeadObjectInput) -> Answer<HeadObjectOutput> {
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let with_checksum = asks_for_checksum(input.checksum_mode.as_ref());
        let (bucket, key) = (input.bucket, input.key);
        let known = self
            .blocking(move |store| {
                store.open_object(&bucket, &key).map(|object| Known::of(&object))
            })
            .await?;
        let span = known.select(&conditions, input.range, input.part_number)?;
        let whole = span.bytes == (0..known.size);
        let Known { etag, modified, attributes, .. } = known;
        let checksum = match with_checksum && whole {
            true => headers::kept_checksum(&attributes),
            false => Checksum::default(),
        };
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(signed(span.bytes.end - span.bytes.start)),
            content_range: span.header,
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(ETag::Strong(etag)),
            last_modified: Some(modified.into()),
            expires: headers::expires(&attributes),
            metadata: headers::metadata(&attributes),
            content_type: Some(
                attributes.content_type.unwrap_or_else(|| CONTENT_TYPE_UNKNOWN.to_owned()),
            ),
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            content_disposition: attributes.content_disposition,
            cache_control: attributes.cache_control,
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            checksum_type: checksum.checksum_type,
            ..HeadObjectOutput::default()
        }))
    }

    pub(super) async fn delete(&self, input: DeleteObjectInput) -> Answer<DeleteObjectOutput> {
        if input.if_match.is_some() {
            return Err(s3_error!(NotImplemented, "a delete takes no If-Match here"));
        }
        self.blocking(move |store| store.delete_object(&input.bucket, &input.key)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(super) async fn delete_many(
        &self,
        input: DeleteObjectsInput,
    ) -> Answer<DeleteObjectsOutput> {
        let Delete { objects, quiet } = input.delete;
        let most = self.limits.list_keys_max;
        if objects.len() > most {
            return Err(s3_error!(
                MalformedXML,
                "{} objects in one request, at most {most}",
                objects.len()
            ));
        }
        let bucket = input.bucket;
        let outcomes = self.blocking(move |store| {
            store.open_bucket(&bucket)?;
            let delete = |object: ObjectIdentifier| {
                let outcome = store.delete_object(&bucket, &object.key);
                (object.key, outcome)
            };
            Ok(objects.into_iter().map(delete).collect::<Vec<_>>())
        });
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (key, outcome) in outcomes.await? {
            match outcome {
                Ok(()) => {
                    deleted.push(DeletedObject { key: Some(key), ..DeletedObject::default() })
                }
                Err(error) => errors.push(refusal(key, error)),
            }
        }
        if quiet == Some(true) {
            deleted.clear();
        }
        let output = DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            request_charged: None,
        };
        Ok(S3Response::new(output))
    }
}

/// Like S3, an answer with some of the bytes tells no checksum of all of them.
fn asks_for_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn refusal(key: String, error: StoreError) -> Error {
    let error = S3Error::from(error);
    Error {
        key: Some(key),
        code: Some(error.code().as_str().to_owned()),
        message: error.message().map(str::to_owned),
        version_id: None,
    }
}

/// What an answer says of an object.
struct Known {
    size: u64,
    etag: String,
    modified: SystemTime,
    attributes: Attributes,
}

/// The bytes to send, and `Content-Range` if they were asked for by a range.
#[derive(Clone)]
struct Span {
    bytes: ByteRange<u64>,
    header: Option<String>,
}

impl Known {
    fn of(object: &Object) -> Self {
        Self {
            size: object.size,
            etag: object.etag.clone(),
            modified: whole_seconds(object.modified),
            attributes: object.attributes.clone(),
        }
    }

    fn select(
        &self,
        conditions: &ReadConditions,
        range: Option<Range>,
        part: Option<i32>,
    ) -> S3Result<Span> {
        conditions.check(&self.etag, self.modified)?;
        // Where the parts were is not kept once they are joined; an object that never had parts is its first.
        if part.is_some_and(|number| number != 1 || self.etag.contains('-')) {
            return Err(s3_error!(
                NotImplemented,
                "reading by part number is not supported; use a range"
            ));
        }
        let size = self.size;
        let Some(range) = range else { return Ok(Span { bytes: 0..size, header: None }) };
        let bytes = range.check(size).map_err(|_| not_satisfiable(size))?;
        let header = Some(format!("bytes {}-{}/{size}", bytes.start, bytes.end.saturating_sub(1)));
        Ok(Span { bytes, header })
    }
}

/// RFC 9110 section 15.5.17: the answer tells the size.
fn not_satisfiable(size: u64) -> S3Error {
    let mut error =
        s3_error!(InvalidRange, "the range lies outside the object, which has {size} bytes");
    let mut headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/xml"))]);
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{size}")) {
        headers.insert(CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

/// S3's lengths are signed; no file is longer than that.
pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
