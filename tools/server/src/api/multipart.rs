//! Multipart uploads.

use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use super::buckets::owner;
use super::conditions::write_condition;
use super::headers::{attributes, checksum_to_keep, kept_checksum};
use super::listing::Encoding;
use super::objects::signed;
use super::{Answer, Api};
use crate::store::{self, ClaimedPart, hex};

impl Api {
    pub(super) async fn begin_upload(
        &self,
        mut input: CreateMultipartUploadInput,
    ) -> Answer<CreateMultipartUploadOutput> {
        let attributes = attributes!(input, self.limits)?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let id = self.blocking(move |store| store.begin(&bucket, &key, &attributes)).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    /// Everything that can be refused is refused with its status. What then takes long is answered like S3 does: 200
    /// first, white space while it lasts, and the outcome in the body.
    pub(super) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let condition = write_condition(input.if_match, input.if_none_match)?;
        let claimed = self.claimed(input.multipart_upload)?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let (id, size_expected) = (input.upload_id, input.mpu_object_size);
        let mut joining = self
            .blocking(move |store| {
                let upload = store.find_upload(&id, &bucket, &key)?;
                store.check_parts(upload, &claimed)
            })
            .await?;
        let size = joining.size();
        if size_expected.is_some_and(|expected| expected != signed(size)) {
            return Err(s3_error!(
                InvalidRequest,
                "the parts have {size} bytes, not x-amz-mp-object-size"
            ));
        }
        let computed = joining.crc64nvme();
        if let (Some(claimed), Some(computed)) = (&input.checksum_crc64nvme, &computed)
            && claimed != computed
        {
            return Err(s3_error!(
                BadDigest,
                "the CRC64NVME of the parts together is {computed}, not {claimed}"
            ));
        }
        let checksum = Checksum { checksum_crc64nvme: computed, ..Checksum::default() };
        joining.keep(checksum_to_keep(&checksum));
        let api = self.clone();
        let join = async move {
            let record = api.blocking(move |store| store.join(joining, condition.as_ref())).await?;
            Ok(CompleteMultipartUploadOutput {
                location: Some(format!("/{}/{}", input.bucket, input.key)),
                bucket: Some(input.bucket),
                key: Some(input.key),
                e_tag: Some(ETag::Strong(record.etag)),
                checksum_crc64nvme: kept_checksum(&record.attributes).checksum_crc64nvme,
                checksum_type: kept_checksum(&record.attributes).checksum_type,
                ..CompleteMultipartUploadOutput::default()
            })
        };
        if size <= self.limits.complete_silent_bytes_max {
            return Ok(S3Response::new(join.await?));
        }
        let future: futures::future::BoxFuture<'static, _> = Box::pin(join);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            future: Some(future),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn abort_upload(
        &self,
        input: AbortMultipartUploadInput,
    ) -> Answer<AbortMultipartUploadOutput> {
        self.blocking(move |store| store.abort(&input.upload_id, &input.bucket, &input.key))
            .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) async fn parts(&self, input: ListPartsInput) -> Answer<ListPartsOutput> {
        let page = self.keys_max(input.max_parts)?;
        let marker = u32::try_from(input.part_number_marker.unwrap_or(0)).unwrap_or(0);
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let mut parts = self
            .blocking(move |store| {
                store.find_upload(&id, &bucket, &key)?;
                store.list_parts(&id)
            })
            .await?;
        parts.retain(|part| part.number > marker);
        let truncated = parts.len() > page;
        parts.truncate(page);
        let next =
            parts.last().filter(|_| truncated).and_then(|part| i32::try_from(part.number).ok());
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            max_parts: i32::try_from(page).ok(),
            is_truncated: Some(truncated),
            part_number_marker: i32::try_from(marker).ok(),
            next_part_number_marker: next,
            parts: Some(parts.into_iter().map(part_line).collect()),
            owner: Some(owner()),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..ListPartsOutput::default()
        }))
    }

    pub(super) async fn uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> Answer<ListMultipartUploadsOutput> {
        if input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(s3_error!(NotImplemented, "uploads are listed without a delimiter"));
        }
        let page = self.keys_max(input.max_uploads)?;
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let bucket = input.bucket.clone();
        let mut uploads = self.blocking(move |store| store.list_uploads(&bucket)).await?;
        let prefix = input.prefix.clone().unwrap_or_default();
        uploads.retain(|upload| upload.key.starts_with(&prefix));
        drop_until(&mut uploads, input.key_marker.as_deref(), input.upload_id_marker.as_deref());
        let truncated = uploads.len() > page;
        uploads.truncate(page);
        let last = uploads.last().filter(|_| truncated);
        let (next_key, next_id) = last.map(|last| (last.key.clone(), last.id.clone())).unzip();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(encoding.apply(prefix)),
            key_marker: input.key_marker.map(|text| encoding.apply(text)),
            upload_id_marker: input.upload_id_marker,
            next_key_marker: next_key.map(|text| encoding.apply(text)),
            next_upload_id_marker: next_id,
            max_uploads: i32::try_from(page).ok(),
            is_truncated: Some(truncated),
            uploads: Some(
                uploads.into_iter().map(|upload| upload_line(upload, encoding)).collect(),
            ),
            encoding_type: input.encoding_type,
            ..ListMultipartUploadsOutput::default()
        }))
    }

    fn claimed(&self, upload: Option<CompletedMultipartUpload>) -> S3Result<Vec<ClaimedPart>> {
        let parts = upload.and_then(|upload| upload.parts).unwrap_or_default();
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML, "a completion names at least one part"));
        }
        let claim = |part: CompletedPart| {
            let number = self.part_number(part.part_number.unwrap_or(0))?;
            let etag =
                part.e_tag.ok_or_else(|| s3_error!(MalformedXML, "part {number} has no ETag"))?;
            Ok(ClaimedPart { number, etag: etag.into_value() })
        };
        parts.into_iter().map(claim).collect()
    }
}

/// Drops the uploads of earlier pages. Those of one key are in the order of their beginning, so the id only marks
/// where in this order the page before ended.
fn drop_until(uploads: &mut Vec<store::Upload>, key_marker: Option<&str>, id_marker: Option<&str>) {
    let Some(key_marker) = key_marker else { return };
    let marked = id_marker.and_then(|id| {
        uploads.iter().position(|upload| upload.id == id && upload.key == key_marker)
    });
    let first = match marked {
        Some(marked) => marked + 1,
        None => uploads.partition_point(|upload| upload.key.as_str() <= key_marker),
    };
    uploads.drain(..first);
}

fn part_line(part: store::Part) -> Part {
    Part {
        part_number: i32::try_from(part.number).ok(),
        size: Some(signed(part.size)),
        e_tag: Some(ETag::Strong(hex(&part.md5))),
        last_modified: Some(part.modified.into()),
        ..Part::default()
    }
}

fn upload_line(upload: store::Upload, encoding: Encoding) -> MultipartUpload {
    MultipartUpload {
        key: Some(encoding.apply(upload.key)),
        upload_id: Some(upload.id),
        initiated: Some(upload.begun.into()),
        owner: Some(owner()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..MultipartUpload::default()
    }
}
