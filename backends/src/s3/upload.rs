//! A multipart upload.

use std::ops::Range;
use std::sync::Arc;

use hydrant_engine::{Buf, Core};

use super::call::run;
use super::error::{ErrorContext, S3Error, S3ErrorKind};
use super::request::Request;
use super::retry::Repeat;
use super::sign::PayloadHash;
use super::store::{Shared, etag_of, meta_of};
use super::xml::{
    CompleteOutcome, CompletedPart, XmlLimits, parse_complete_multipart, parse_initiate_multipart,
    write_complete_multipart,
};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::request::Method;
use crate::object::{Etag, ObjectMeta, PutOptions};
use crate::pipeline::PartRequest;
use crate::store::{LocalFuture, PartTag, Upload};

/// An upload that has begun and is neither completed nor aborted.
#[derive(Debug)]
struct S3Upload {
    shared: Arc<Shared>,
    key: String,
    upload_id: String,
    content_type: Option<String>,
}

/// CreateMultipartUpload.
pub(super) async fn begin(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    options: &PutOptions,
) -> Result<Arc<dyn Upload>> {
    let content_type = options.content_type.as_deref().map(|kind| ("content-type", kind));
    let headers: Vec<_> = content_type.into_iter().collect();
    let query = [("uploads", "")];
    let mut request =
        Request::plain("CreateMultipartUpload", Method::Post, Some(key), &query, &headers);
    request.body_bytes = Some(0);
    let (answer, _) = run(core, shared, &request, Repeat::Freely, None, |_| Ok(())).await;
    let upload_id = parse_initiate_multipart(&answer?.document, &XmlLimits::default())
        .map_err(|error| shared.unexpected(key, error))?;
    Ok(Arc::new(S3Upload {
        shared: Arc::clone(shared),
        key: key.to_owned(),
        upload_id,
        content_type: options.content_type.clone(),
    }))
}

impl S3Upload {
    async fn part(
        &self,
        core: &Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
    ) -> (Result<PartTag>, Buf) {
        let mut digits = [0; 20];
        let number = decimal(part.number(), &mut digits);
        let query = [("partNumber", number), ("uploadId", &*self.upload_id)];
        let mut request = Request::plain("UploadPart", Method::Put, Some(&self.key), &query, &[]);
        request.payload = PayloadHash::Unsigned;
        request.body_bytes = Some(span.len() as u64);
        let body = Some((buf, span));
        let (answer, back) = run(core, &self.shared, &request, Repeat::Freely, body, etag_of).await;
        let result = answer.and_then(|answer| match answer.head {
            Some(etag) => Ok(PartTag { part, etag: Some(etag) }),
            None => Err(self.shared.unexpected(&self.key, "a part was answered without ETag")),
        });
        (result, back.unwrap_or_else(|| bytes::Bytes::new().into()))
    }

    async fn finish(&self, core: &Core, tags: &[PartTag]) -> Result<ObjectMeta> {
        let mut document = Vec::new();
        let parts = tags.iter().map(|tag| CompletedPart {
            number: tag.part.number() as u32,
            etag: tag.etag.as_ref().map_or("", Etag::as_str),
        });
        write_complete_multipart(parts, &mut document);
        let query = [("uploadId", &*self.upload_id)];
        let headers = [("content-type", "application/xml")];
        let operation = "CompleteMultipartUpload";
        let mut request =
            Request::plain(operation, Method::Post, Some(&self.key), &query, &headers);
        request.payload = PayloadHash::of(&document);
        request.body_bytes = Some(document.len() as u64);
        let span = 0..document.len();
        let body = Some((Buf::from(bytes::Bytes::from(document)), span));
        let (answer, _) = run(core, &self.shared, &request, Repeat::Freely, body, |head| {
            Ok(head.request_id().map(str::to_owned))
        })
        .await;
        let answer = match answer {
            Err(error) if may_have_succeeded(&error) => {
                return self.completed_before(core, tags).await.ok_or(error);
            }
            answer => answer?,
        };
        let outcome = parse_complete_multipart(&answer.document, &XmlLimits::default())
            .map_err(|error| self.shared.unexpected(&self.key, error))?;
        match outcome {
            CompleteOutcome::Done { etag } => Ok(ObjectMeta {
                etag: Etag::new(&etag),
                content_type: self.content_type.clone(),
                ..ObjectMeta::of_size(tags.iter().map(|tag| tag.part.len).sum())
            }),
            // A 200 can carry an error: the head was sent before the outcome was known.
            CompleteOutcome::Failed(error) => {
                let context = ErrorContext {
                    operation,
                    bucket: self.shared.endpoint.bucket(),
                    key: Some(&self.key),
                    http_status: 200,
                    request_id: answer.head.as_deref(),
                    host_id: None,
                    bucket_region: None,
                };
                Err(S3Error::from_document(&context, error).into())
            }
        }
    }

    async fn give_up(&self, core: &Core) -> Result<()> {
        let query = [("uploadId", &*self.upload_id)];
        let operation = "AbortMultipartUpload";
        let request = Request::plain(operation, Method::Delete, Some(&self.key), &query, &[]);
        let (answer, _) = run(core, &self.shared, &request, Repeat::Freely, None, |_| Ok(())).await;
        match answer {
            // Gone already: the answer to an earlier attempt was lost, or it was never there.
            Err(error) if is_no_such_upload(&error) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// CompleteMultipartUpload was answered with NoSuchUpload. When the answer to an earlier attempt
    /// was lost, the object is there, with the size and the count of parts that it must have.
    async fn completed_before(&self, core: &Core, tags: &[PartTag]) -> Option<ObjectMeta> {
        let request = Request::plain("HeadObject", Method::Head, Some(&self.key), &[], &[]);
        let (answer, _) = run(core, &self.shared, &request, Repeat::Freely, None, meta_of).await;
        let meta = answer.ok()?.head;
        let size_bytes: u64 = tags.iter().map(|tag| tag.part.len).sum();
        let ending = format!("-{}\"", tags.len());
        let ours = meta.etag.is_some_and(|etag| etag.as_str().ends_with(&ending));
        (ours && meta.size_bytes == size_bytes).then_some(meta)
    }
}

fn is_no_such_upload(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::S3(error) if error.kind() == S3ErrorKind::NoSuchUpload)
}

/// Refused after more than one attempt: an earlier one may have been carried out.
fn may_have_succeeded(error: &Error) -> bool {
    is_no_such_upload(error) && matches!(error.kind(), ErrorKind::S3(error) if error.attempts > 1)
}

impl Upload for S3Upload {
    fn put_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, (Result<PartTag>, Buf)> {
        Box::pin(self.part(core, part, buf, span))
    }

    fn complete<'a>(
        &'a self,
        core: &'a Core,
        tags: &'a [PartTag],
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        Box::pin(self.finish(core, tags))
    }

    fn abort<'a>(&'a self, core: &'a Core) -> LocalFuture<'a, Result<()>> {
        Box::pin(self.give_up(core))
    }
}

/// A number as text, in memory of the caller.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[at..]).expect("digits are text")
}
