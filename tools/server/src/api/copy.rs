//! Copies from object to object or part.

use std::ops::Range as ByteRange;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use s3s::dto::*;
use s3s::{S3Error, S3Response, S3Result, s3_error};

use super::conditions::ReadConditions;
use super::headers::attributes;
use super::{Answer, Api};
use crate::store::{Attributes, Digests, Object, Sink, Store, StoreError, Stored, hex};

/// The conditions on the source.
macro_rules! copy_conditions {
    ($input:expr) => {
        ReadConditions {
            if_match: $input.copy_source_if_match.clone(),
            if_none_match: $input.copy_source_if_none_match.clone(),
            if_modified_since: $input.copy_source_if_modified_since.clone(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.clone(),
        }
    };
}

impl Api {
    pub(super) async fn copy(&self, mut input: CopyObjectInput) -> Answer<CopyObjectOutput> {
        let source = Source::of(&input.copy_source)?;
        let conditions = copy_conditions!(input);
        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        let given = attributes!(input, self.limits)?;
        let (bucket, key, pieces) = (input.bucket, input.key, self.pieces());
        let copied = self.blocking(move |store| {
            store.check_target(&bucket, &key)?;
            let object = store.open_object(&source.bucket, &source.key)?;
            if let Err(refused) = conditions.check(&object.etag, object.modified) {
                return Ok(Err(unchanged_is_refused(refused)));
            }
            let stored = copy_range(store, &object, 0..object.size, pieces)?;
            let kept = object.attributes;
            let attributes = match replace {
                true => Attributes { checksum: kept.checksum, ..given },
                false => kept,
            };
            let etag = hex(&stored.md5());
            store.commit(&bucket, &key, stored, etag, attributes, None).map(Ok)
        });
        let record = copied.await??;
        let result = CopyObjectResult {
            last_modified: Some(record.modified().into()),
            e_tag: Some(ETag::Strong(record.etag)),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            ..CopyObjectOutput::default()
        }))
    }

    pub(super) async fn copy_part(
        &self,
        input: UploadPartCopyInput,
    ) -> Answer<UploadPartCopyOutput> {
        let number = self.part_number(input.part_number)?;
        let source = Source::of(&input.copy_source)?;
        let conditions = copy_conditions!(input);
        let range = input.copy_source_range.as_deref().map(Range::parse).transpose();
        let range = range.map_err(|error| {
            s3_error!(error, InvalidArgument, "x-amz-copy-source-range is no range")
        })?;
        let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
        let pieces = self.pieces();
        let copied = self.blocking(move |store| {
            store.find_upload(&id, &bucket, &key)?;
            let object = store.open_object(&source.bucket, &source.key)?;
            if let Err(refused) = conditions.check(&object.etag, object.modified) {
                return Ok(Err(unchanged_is_refused(refused)));
            }
            let span = match range.map_or(Ok(0..object.size), |range| range.check(object.size)) {
                Ok(span) => span,
                Err(error) => return Ok(Err(s3_error!(error, InvalidRange))),
            };
            let stored = copy_range(store, &object, span, pieces)?;
            store.put_part(&id, number, stored).map(Ok)
        });
        let part = copied.await??;
        let result = CopyPartResult {
            last_modified: Some(part.modified.into()),
            e_tag: Some(ETag::Strong(hex(&part.md5))),
            ..CopyPartResult::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..UploadPartCopyOutput::default()
        }))
    }
}

/// How bytes are copied.
#[derive(Clone, Copy)]
struct Pieces {
    bytes: usize,
    bytes_per_second: Option<u64>,
}

impl Api {
    fn pieces(&self) -> Pieces {
        let bytes = self.limits.body_chunk_bytes;
        Pieces { bytes, bytes_per_second: self.copied_bytes_per_second }
    }
}

/// `x-amz-copy-source`.
struct Source {
    bucket: String,
    key: String,
}

impl Source {
    fn of(source: &CopySource) -> S3Result<Self> {
        match source {
            CopySource::Bucket { bucket, key, version_id: None } => {
                Ok(Self { bucket: bucket.to_string(), key: key.to_string() })
            }
            CopySource::Bucket { .. } => {
                Err(s3_error!(NotImplemented, "objects have no versions here"))
            }
            _ => Err(s3_error!(NotImplemented, "x-amz-copy-source must name a bucket and a key")),
        }
    }
}

/// A copy has no 304: a source that is not wanted is a condition that failed.
fn unchanged_is_refused(error: S3Error) -> S3Error {
    match error.code() {
        s3s::S3ErrorCode::NotModified => s3_error!(PreconditionFailed, "the source is unchanged"),
        _ => error,
    }
}

/// Through memory, because the copy's ETag is the MD5 of these bytes, whatever the source's ETag is made of.
fn copy_range(
    store: &Store,
    object: &Object,
    range: ByteRange<u64>,
    pieces: Pieces,
) -> Result<Stored, StoreError> {
    let mut sink: Sink = store.sink(Digests::default())?;
    let mut chunk = vec![0; pieces.bytes];
    let mut offset = range.start;
    while offset < range.end {
        let wanted = chunk.len().min(usize::try_from(range.end - offset).unwrap_or(usize::MAX));
        object
            .file
            .read_exact_at(&mut chunk[..wanted], offset)
            .map_err(|source| StoreError::io("read", "the source of a copy", source))?;
        sink.write(&chunk[..wanted])?;
        offset += wanted as u64;
        if let Some(bytes_per_second) = pieces.bytes_per_second {
            let seconds = wanted as f64 / bytes_per_second.max(1) as f64;
            std::thread::sleep(Duration::from_secs_f64(seconds));
        }
    }
    sink.finish().map(|(stored, _)| stored)
}
