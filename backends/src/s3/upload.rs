//! A multipart upload.
//!
//! A part that was cut off on its way may still be stored after the upload was aborted, and be paid
//! for. So whoever aborts an upload with such parts asks afterwards whether it is gone, and aborts it
//! again until it is. Source: Amazon S3 API reference, AbortMultipartUpload.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use hydrant_engine::{Buf, Core};
use md5::{Digest, Md5};

use super::call::{send, send_from, send_in_doubt};
use super::checksum::bytes_of;
use super::copy::{changed, is_unknown, pinned};
use super::error::S3ErrorKind;
use super::ops::{
    AbortMultipartUpload, Checksum, ChecksumAlgorithm, ChecksumKind, CompleteMultipartUpload,
    Completed, CompletedPart, CreateMultipartUpload, DecodeError, HeadObject, InvalidRequest,
    ListParts, Operation, ReadRange, RequestParts, ServerSide, UploadPart, UploadPartCopy,
};
use super::store::{S3Store, Shared, access_of};
use crate::checksum::Sum;
use crate::error::{Error, ErrorKind, Result};
use crate::http1::response::ResponseHead;
use crate::object::{Etag, ObjectMeta, PutOptions};
use crate::pipeline::PartRequest;
use crate::store::{LocalFuture, ObjectAt, PartTag, Upload};

/// An upload that has begun and is neither completed nor aborted.
#[derive(Debug)]
pub(super) struct S3Upload {
    shared: Arc<Shared>,
    /// What all its parts have in common, key and upload among it.
    part: UploadPart,
    options: PutOptions,
    /// The checksum that was named when it began, and what it covers.
    named: Option<(ChecksumAlgorithm, ChecksumKind)>,
    /// Parts that were begun, less those of which the server has told the end.
    open_parts: AtomicU64,
}

/// How often an upload with parts on their way is aborted before that is given up.
const ABORTS_MAX: u32 = 6;

/// How long such a part is given to arrive, the first time; it doubles with every abort.
const ABORT_WAIT: Duration = Duration::from_millis(50);

/// Begins an upload.
pub(super) async fn begin(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    options: &PutOptions,
) -> Result<Arc<dyn Upload>> {
    Ok(Arc::new(create(core, shared, key, options).await?))
}

/// CreateMultipartUpload.
pub(super) async fn create(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    options: &PutOptions,
) -> Result<S3Upload> {
    let mut operation = CreateMultipartUpload::new(key);
    operation.object = options.into();
    operation.access = access_of(options);
    let named = shared.checks.of_upload();
    (operation.checksum_algorithm, operation.checksum_kind) = named.unzip();
    let (created, in_doubt) = send_in_doubt(core, shared, &operation).await;
    let created = created?;
    if in_doubt {
        // Uploads of others to the same key look just like it, so it is said and not aborted.
        core.report(format_args!(
            "{} was asked to begin an upload more than once, because an answer was lost: an upload \
             other than {} may have begun; list the uploads of the bucket",
            shared.uri_of(key),
            created.upload_id
        ));
    }
    Ok(S3Upload::new(shared, key, created.upload_id, options))
}

/// One part of an upload, without a copy of what it shares with the others.
#[derive(Debug)]
struct Numbered<'a> {
    part: &'a UploadPart,
    number: u32,
    /// Written twice it has the same tag twice.
    tag_repeats: bool,
}

impl Operation for Numbered<'_> {
    /// Of the answer the tag alone is kept.
    type Output = Option<Etag>;
    const NAME: &'static str = UploadPart::NAME;

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.part.encode_numbered(self.number, request)
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Option<Etag>, DecodeError> {
        Ok(head.etag()?.and_then(Etag::new))
    }

    fn key(&self) -> Option<&str> {
        self.part.key()
    }

    fn waits_as_learnt(&self) -> bool {
        self.tag_repeats
    }
}

impl S3Upload {
    /// An upload that a store like this one has begun.
    pub(super) fn new(
        shared: &Arc<Shared>,
        key: &str,
        upload_id: String,
        options: &PutOptions,
    ) -> S3Upload {
        let customer_key = options.s3.as_ref().and_then(|asked| asked.customer_key.clone());
        let access = access_of(options);
        let key = key.to_owned();
        let part = UploadPart { key, upload_id, customer_key, access, ..Default::default() };
        let (shared, options) = (Arc::clone(shared), options.clone());
        let named = shared.checks.of_upload();
        S3Upload { shared, part, options, named, open_parts: AtomicU64::new(0) }
    }

    /// With which its parts are sent.
    pub(super) fn checksum(&self) -> Option<ChecksumAlgorithm> {
        self.named.map(|(algorithm, _)| algorithm)
    }

    /// How the server calls it.
    pub(super) fn id(&self) -> &str {
        &self.part.upload_id
    }

    pub(super) async fn part(
        &self,
        core: &Core,
        part: PartRequest,
        mut buf: Buf,
        span: Range<usize>,
        known: Option<Sum>,
    ) -> (Result<PartTag>, Buf) {
        let operation = Numbered {
            part: &self.part,
            number: part.number() as u32,
            tag_repeats: self.tags_repeat(),
        };
        let bytes = bytes_of(&mut buf, span.clone());
        let sent = self.shared.checks.of_part(self.checksum(), bytes, known);
        self.open_parts.fetch_add(1, SeqCst);
        let (stored, in_doubt, buf, sum) =
            send_from(core, &self.shared, &operation, buf, span, sent).await;
        // A part whose answer never came, or that nobody waits for any more, stays open.
        if !in_doubt && stored.as_ref().map_or_else(is_answer, |_| true) {
            self.open_parts.fetch_sub(1, SeqCst);
        }
        (stored.map(|etag| PartTag { part, etag, sum }), buf)
    }

    /// Whether a part that is written twice has the same tag twice. With keys of its own the server makes
    /// another, and the upload could not be completed with the one that was told.
    fn tags_repeat(&self) -> bool {
        let asked = self.options.s3.as_ref().and_then(|asked| asked.server_side.as_ref());
        self.part.waits_as_learnt() && !matches!(asked, Some(ServerSide::Kms { .. }))
    }

    /// The server copies the part.
    async fn copied(
        &self,
        core: &Core,
        part: PartRequest,
        from: &ObjectAt,
        etag: &Etag,
    ) -> Result<PartTag> {
        let store: &dyn Any = &*from.store;
        let Some(store) = store.downcast_ref::<S3Store>() else {
            let text = format!("the server of {} cannot read {}", self.uri(), from.uri());
            return Err(ErrorKind::Unsupported(text).into());
        };
        let UploadPart { key, upload_id, .. } = &self.part;
        let source = pinned(store.shared(), &from.key, etag);
        let mut operation = UploadPartCopy::new(key, upload_id, part.number() as u32, source);
        let last = part.offset + part.len - 1;
        operation.range = Some(ReadRange::Inclusive { first: part.offset, last });
        operation.customer_key.clone_from(&self.part.customer_key);
        operation.access.clone_from(&self.part.access);
        self.open_parts.fetch_add(1, SeqCst);
        let copied = send(core, &self.shared, &operation).await;
        if copied.as_ref().map_or_else(is_answer, |_| true) {
            self.open_parts.fetch_sub(1, SeqCst);
        }
        match copied {
            Ok(copied) => Ok(PartTag { part, etag: copied.etag, sum: None }),
            Err(error) if is_unknown(&error) => {
                Err(ErrorKind::Unsupported(error.to_string()).into())
            }
            Err(error) => Err(changed(error, store.shared(), &from.key)),
        }
    }

    pub(super) fn uri(&self) -> String {
        self.shared.uri_of(&self.part.key)
    }

    pub(super) async fn finish(&self, core: &Core, tags: &[PartTag]) -> Result<ObjectMeta> {
        let (operation, whole) = self.completion(tags);
        let (completed, in_doubt) = send_in_doubt(core, &self.shared, &operation).await;
        match completed {
            Ok(completed) => {
                self.check_completed(&completed, whole)?;
                let meta = self.options.meta_of(tags.iter().map(|tag| tag.part.len).sum());
                let meta = ObjectMeta { etag: completed.etag, ..meta };
                Ok(meta.kept_as(completed.version_id, whole))
            }
            // An attempt before may have been carried out, and its answer was lost.
            Err(error) if in_doubt && is_no_such_upload(&error) => {
                self.completed_before(core, tags).await.ok_or(error)
            }
            Err(error) => {
                Err(self.shared.unless_absent(error, self.options.write_if, &self.part.key))
            }
        }
    }

    /// What completes the upload: its parts with their checksums and, where those combine, that of
    /// the whole object, which the server compares before the object is visible.
    fn completion(&self, tags: &[PartTag]) -> (CompleteMultipartUpload, Option<Sum>) {
        let parts = tags.iter().map(|tag| {
            let etag = tag.etag.as_ref().map_or("", Etag::as_str);
            let checksum = tag.sum.map(|sum| Checksum::from(&sum));
            CompletedPart { checksum, ..CompletedPart::new(tag.part.number() as u32, etag) }
        });
        let UploadPart { key, upload_id, .. } = &self.part;
        let mut operation = CompleteMultipartUpload::new(key, upload_id, parts.collect());
        operation.conditions = self.options.write_if.into();
        operation.customer_key.clone_from(&self.part.customer_key);
        operation.access.clone_from(&self.part.access);
        let Some((_, kind)) = self.named else { return (operation, None) };
        let whole = sum_of_parts(tags);
        operation.checksum = whole.map(|sum| Checksum::from(&sum));
        operation.checksum_kind = Some(kind);
        operation.object_bytes = Some(tags.iter().map(|tag| tag.part.len).sum());
        (operation, whole)
    }

    /// A server that takes no notice of the checksum it is told may still tell its own.
    fn check_completed(&self, completed: &Completed, whole: Option<Sum>) -> Result<()> {
        let Some(whole) = whole else { return Ok(()) };
        let told = completed.checksums.get(whole.algorithm());
        match told.and_then(|text| Sum::parse(whole.algorithm(), text)) {
            Some(told) if told != whole => {
                let name = whole.algorithm().name();
                let text = format!("its {name} is {told} there, and {whole} here; write it again");
                Err(self.shared.unexpected(&self.part.key, text))
            }
            _ => Ok(()),
        }
    }

    /// Aborts it, and says which one it was where that fails.
    pub(super) async fn give_up(&self, core: &Core) -> Result<()> {
        self.abort_all(core).await.map_err(|source| {
            let upload_id = self.part.upload_id.clone();
            ErrorKind::NotAborted { object: self.uri(), upload_id, source }.into()
        })
    }

    async fn abort_all(&self, core: &Core) -> Result<()> {
        let UploadPart { key, upload_id, .. } = &self.part;
        let mut wait = ABORT_WAIT;
        for _ in 0..ABORTS_MAX {
            let mut abort = AbortMultipartUpload::new(key, upload_id);
            abort.access.clone_from(&self.part.access);
            match send(core, &self.shared, &abort).await {
                Ok(()) if self.open_parts.load(SeqCst) == 0 => return Ok(()),
                Ok(()) => {}
                // Gone already: the answer to an earlier attempt was lost, or it was never there.
                Err(error) if is_no_such_upload(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
            core.sleep(wait).await;
            wait *= 2;
            match send(core, &self.shared, &self.list()).await {
                Err(error) if is_no_such_upload(&error) => return Ok(()),
                Ok(page) if page.parts.is_empty() => return Ok(()),
                // Somebody who may abort need not be allowed to list; once more does no harm.
                Ok(_) | Err(_) => {}
            }
        }
        let text = format!("it has parts still, after {ABORTS_MAX} aborts");
        Err(self.shared.unexpected(key, text))
    }

    /// What asks for its parts.
    pub(super) fn list(&self) -> ListParts {
        let mut list = ListParts::new(&self.part.key, &self.part.upload_id);
        list.customer_key.clone_from(&self.part.customer_key);
        list.access.clone_from(&self.part.access);
        list
    }

    /// CompleteMultipartUpload was answered with NoSuchUpload. When the answer to an earlier attempt
    /// was lost, the object is there, with the size and the tag that it must have.
    async fn completed_before(&self, core: &Core, tags: &[PartTag]) -> Option<ObjectMeta> {
        let mut head = HeadObject::new(&self.part.key);
        head.0.customer_key.clone_from(&self.part.customer_key);
        head.0.access.clone_from(&self.part.access);
        let info = send(core, &self.shared, &head).await.ok()?;
        let meta = ObjectMeta::from(info);
        let size_bytes: u64 = tags.iter().map(|tag| tag.part.len).sum();
        let ours = meta.etag.is_some_and(|etag| is_tag_of(etag.as_str(), tags));
        (ours && meta.size_bytes == size_bytes).then_some(meta)
    }
}

/// The checksum of the whole, where those of all parts are known and combine.
fn sum_of_parts(tags: &[PartTag]) -> Option<Sum> {
    let (first, rest) = tags.split_first()?;
    let first = first.sum.filter(|sum| sum.algorithm().combines())?;
    rest.iter().try_fold(first, |all, tag| all.then(tag.sum?, tag.part.len))
}

/// The server has said how it ended, and is done with it.
fn is_answer(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::S3(error) if error.attempts == 1)
}

/// The document that says what a 404 means may have broken off; of what is asked here only the upload
/// can be absent.
pub(super) fn is_no_such_upload(error: &Error) -> bool {
    let ErrorKind::S3(error) = error.kind() else { return false };
    let is_unexplained = error.http_status == 404 && error.code.is_empty();
    is_unexplained || error.kind() == S3ErrorKind::NoSuchUpload
}

/// Whether an object made of these parts has this tag. Where the tags of parts are MD5 it is the MD5
/// of those, with their count behind it; of other tags only the count is known. Source: Amazon S3
/// user guide, "Checking object integrity".
fn is_tag_of(etag: &str, tags: &[PartTag]) -> bool {
    let sums: Option<Vec<_>> = tags.iter().map(|tag| md5_of(tag.etag.as_ref()?)).collect();
    let ending = format!("-{}\"", tags.len());
    let Some(sums) = sums else { return etag.ends_with(&ending) };
    let composed = Md5::digest(sums.concat());
    let digits: String = composed.iter().map(|byte| format!("{byte:02x}")).collect();
    etag.eq_ignore_ascii_case(&format!("\"{digits}{ending}"))
}

/// The MD5 that a tag is.
fn md5_of(etag: &Etag) -> Option<[u8; 16]> {
    let digits = etag.as_str().trim_matches('"');
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

impl Upload for S3Upload {
    fn put_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
        sum: Option<Sum>,
    ) -> LocalFuture<'a, (Result<PartTag>, Buf)> {
        core.boxed(self.part(core, part, buf, span, sum))
    }

    fn copy_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        from: &'a ObjectAt,
        etag: &'a Etag,
    ) -> LocalFuture<'a, Result<PartTag>> {
        core.boxed(self.copied(core, part, from, etag))
    }

    fn complete<'a>(
        &'a self,
        core: &'a Core,
        tags: &'a [PartTag],
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(self.finish(core, tags))
    }

    fn abort<'a>(&'a self, core: &'a Core) -> LocalFuture<'a, Result<()>> {
        core.boxed(self.give_up(core))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(texts: &[&str]) -> Vec<PartTag> {
        let tag = |(index, text): (usize, &&str)| {
            let part = PartRequest { index: index as u64, offset: 0, len: 1 };
            PartTag { part, etag: Etag::new(text), sum: None }
        };
        texts.iter().enumerate().map(tag).collect()
    }

    /// Computed with `printf a | md5sum`, and `md5sum` of the binary sums of `a` and `b`.
    #[test]
    fn the_object_of_somebody_else_is_not_taken_for_ours() {
        let (a, b) =
            ("\"0cc175b9c0f1b6a831c399e269772661\"", "\"92eb5ffee6ae2fec3ad71c777531578f\"");
        let ours = "\"96e024ba2074fe77e8e965ba43a704be-2\"";
        assert!(is_tag_of(ours, &tags(&[a, b])));
        assert!(!is_tag_of(ours, &tags(&[b, a])), "other bytes in as many parts");
        assert!(!is_tag_of(ours, &tags(&[a, b, b])));
        // Of tags that are no MD5 only the count is known.
        assert!(is_tag_of("\"x-2\"", &tags(&["\"one\"", "\"two\""])));
        assert!(!is_tag_of("\"x-3\"", &tags(&["\"one\"", "\"two\""])));
    }
}
