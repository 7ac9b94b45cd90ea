//! Reading ranges of one object, all of the same version (DATA-2).
//!
//! The first answer tells size, ETag and date; every later request carries `If-Match`, so an object
//! that was replaced meanwhile is an error and never a mixture. A server without a strong ETag is
//! asked with `If-Unmodified-Since`, and its date is compared as well: that sees a change from one
//! second to the next. A body that breaks off is carried on at the byte where it broke.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hydrant_engine::{Buf, Core};

use super::attempts::{Attempts, Failed};
use super::call::send;
use super::checksum::{SentSum, ToldSum, bytes_of};
use super::coverage::{Coverage, Mismatch, Taken};
use super::ops::{
    ChecksumAlgorithm, ChecksumKind, DecodeError, GetObject, HeadObject, InvalidRequest,
    ObjectInfo, Operation, ReadRange, RequestParts,
};
use super::per_core::PerCore;
use super::refusal::Refusal;
use super::request::BodyInfo;
use super::store::Shared;
use super::time::{HttpDate, Timestamp};
use crate::checksum::Sum;
use crate::condition::{ReadIf, ReadOptions, broken};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::request::Method;
use crate::http1::response::{BodyFraming, ContentRange, ResponseHead};
use crate::http1::{Connection, HttpError};
use crate::object::{Etag, ObjectMeta};
use crate::store::{LocalFuture, PartRead, ReadInfo, Reader};

/// Reads one object.
#[derive(Debug)]
pub(crate) struct S3Reader {
    shared: Arc<Shared>,
    object: GetObject,
    read_if: Option<ReadIf>,
    /// What the first answer with bytes told.
    meta: OnceLock<ObjectMeta>,
    /// What the first answer without bytes told: a 416 names the size, and neither tag nor date.
    size_bytes: OnceLock<u64>,
    first_byte_at: OnceLock<Instant>,
    /// The server has answered with more than the range that was asked for.
    ignores_ranges: OnceLock<()>,
    /// What has come, compared with the checksum that the server keeps.
    coverage: Mutex<Coverage>,
}

/// A GET of a range of one object, without a copy of what all ranges have in common.
#[derive(Debug)]
struct RangedGet<'a> {
    object: &'a GetObject,
    range: ReadRange,
    /// What the first answer told.
    known: Option<&'a ObjectMeta>,
}

impl Operation for RangedGet<'_> {
    type Output = ObjectInfo;
    const NAME: &'static str = GetObject::NAME;

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.object.encode(request)?;
        request.header("range", self.range);
        let Some(known) = self.known else { return Ok(()) };
        match known.etag.as_ref().filter(|etag| etag.is_strong()) {
            // Said already, and of this very tag.
            Some(_) if self.object.conditions.if_match.is_some() => {}
            Some(etag) => request.header("if-match", etag),
            None => {
                let modified = known.modified.map(|at| HttpDate(Timestamp::from(at)));
                request.header_opt("if-unmodified-since", modified);
            }
        }
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<ObjectInfo, DecodeError> {
        self.object.decode(head, document)
    }

    fn key(&self) -> Option<&str> {
        self.object.key()
    }
}

/// What the head of an answer to a ranged GET told.
pub(super) struct Told {
    /// Which bytes come; empty where none do.
    pub(super) range: Range<u64>,
    pub(super) size_bytes: u64,
    /// A checksum of them, or of the whole object.
    sum: Option<ToldSum>,
    /// All of an object comes in chunks, and only their end will tell its size: what is known else.
    of_unknown_size: Option<Box<ObjectMeta>>,
}

/// How far a read reaches from its offset.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent {
    /// So many bytes, at least one.
    Bytes(usize),
    /// To the end of the object. A server that ignores ranges may send what lies before, too.
    Rest,
}

/// One attempt at a range: how many bytes came before it ended, and how it ended.
struct Attempted {
    placed: usize,
    result: Result<Told, Failed>,
    buf: Buf,
}

impl S3Reader {
    pub(super) fn new(shared: &Arc<Shared>, key: &str, options: &ReadOptions) -> S3Reader {
        let mut object = GetObject::new(key);
        object.conditions = options.read_if.into();
        object.version_id = options.version_id.clone();
        object.checksum_mode = shared.checks.answers();
        S3Reader {
            shared: Arc::clone(shared),
            object,
            read_if: options.read_if,
            meta: OnceLock::new(),
            size_bytes: OnceLock::new(),
            first_byte_at: OnceLock::new(),
            ignores_ranges: OnceLock::new(),
            coverage: Mutex::new(Coverage::new(shared.checks.of_ranges())),
        }
    }

    async fn read_range(&self, core: &Core, offset: u64, buf: Buf, span: Range<usize>) -> PartRead {
        if span.is_empty() {
            // S3 has no empty range; what the object is can be asked with a HEAD.
            let text = format!("an empty read of {}", self.shared.uri_of(&self.object.key));
            return PartRead { buf, result: Err(ErrorKind::InvalidInput(text).into()) };
        }
        let first = self.ranged(offset, Extent::Bytes(span.len()));
        let mut attempts = match Attempts::new(core, &self.shared, &first) {
            Ok(attempts) => attempts,
            Err(error) => return PartRead { buf, result: Err(error) },
        };
        let (mut done, mut buf) = (0, buf);
        if self.shared.checks.answers() {
            self.coverage().begin(offset);
        }
        let result = attempts
            .run(async |per_core, connection| {
                let at = offset.saturating_add(done as u64);
                let lent = std::mem::replace(&mut buf, Bytes::new().into());
                let attempted = self
                    .attempt(core, per_core, connection, at, lent, span.start + done..span.end)
                    .await;
                buf = attempted.buf;
                done += attempted.placed;
                let told = attempted.result?;
                let came = bytes_of(&mut buf, span.start..span.start + done);
                let checked = self.check(offset, came, &told);
                // What is corrupt is read again, all of it.
                done = if checked.is_ok() { done } else { 0 };
                checked.map(|unsettled| (told.size_bytes, unsettled))
            })
            .await;
        let settled = match result {
            // The connection is back: who held one and waited for another could wait for ever.
            Ok((size_bytes, Some(found))) => {
                self.settle(core, size_bytes, offset, done as u64, found).await.map(|()| size_bytes)
            }
            result => result.map(|(size_bytes, _)| size_bytes),
        };
        let result = settled.map(|object_bytes| ReadInfo { len_bytes: done, object_bytes });
        PartRead { buf, result }
    }

    fn ranged(&self, offset: u64, extent: Extent) -> RangedGet<'_> {
        let range = match extent {
            // No object reaches so far, so a last byte that is cut to 2^64 - 1 asks for the same.
            Extent::Bytes(len) => {
                ReadRange::Inclusive { first: offset, last: offset.saturating_add(len as u64 - 1) }
            }
            Extent::Rest => ReadRange::From(offset),
        };
        RangedGet { object: &self.object, range, known: self.meta.get() }
    }

    async fn attempt(
        &self,
        core: &Core,
        per_core: &PerCore,
        connection: &mut Connection,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> Attempted {
        let extent = Extent::Bytes(span.len());
        let told = match self.ask(core, per_core, connection, offset, extent).await {
            Ok(told) => told,
            Err(failed) => return Attempted { placed: 0, result: Err(failed), buf },
        };
        let announced = (told.range.end - told.range.start) as usize;
        let into = span.start..span.start + announced;
        let (received, placed, buf) = connection.receive_into(buf, into).await;
        if told.of_unknown_size.is_some() {
            let result = match received {
                Ok(()) => self.sized(told, placed),
                Err(HttpError::BodyTooLong { .. }) => {
                    Err(Failed::Final(self.shared.tells_no_size(&self.object.key, announced)))
                }
                Err(error) => Err(Failed::Http(error)),
            };
            return Attempted { placed: if result.is_ok() { placed } else { 0 }, result, buf };
        }
        let broken = match received {
            Ok(()) if placed == announced => {
                return Attempted { placed, result: Ok(told), buf };
            }
            Ok(()) => HttpError::Closed { stale: false },
            Err(error) => error,
        };
        // What broke behind the last byte leaves nothing to carry on with: all is read again.
        let placed = if placed < announced { placed } else { 0 };
        let failed = if placed > 0 { Failed::CutOff(broken) } else { Failed::Http(broken) };
        Attempted { placed, result: Err(failed), buf }
    }

    /// Asks for bytes from `offset` on, and checks the head of the answer.
    pub(super) async fn ask(
        &self,
        core: &Core,
        per_core: &PerCore,
        connection: &mut Connection,
        offset: u64,
        extent: Extent,
    ) -> Result<Told, Failed> {
        let operation = self.ranged(offset, extent);
        let body = BodyInfo::of_bytes(0, SentSum::default());
        let write = |out: &mut [u8]| per_core.write(core, &self.shared, &operation, &body, out);
        let exchanged = connection
            .exchange(write, None, |head, _| {
                if head.is_success() {
                    Ok(self.told(head, offset, extent))
                } else {
                    Err((Refusal::of(head, core), empty_object(head)))
                }
            })
            .await;
        if exchanged.result.is_ok() {
            self.first_byte_at.get_or_init(|| core.now());
        }
        match exchanged.result {
            Ok(Ok(told)) => told,
            Ok(Err((refusal, size))) => {
                let document = connection.receive_document().await.unwrap_or_default();
                self.refused(*refusal, size, offset, &document)
            }
            Err(error) => Err(Failed::Http(error)),
        }
    }

    /// Checks that an answer is the one to our range (DATA-2).
    fn told(&self, head: &ResponseHead<'_>, offset: u64, extent: Extent) -> Result<Told, Failed> {
        let wanted = match extent {
            Extent::Bytes(len) => len as u64,
            Extent::Rest => u64::MAX,
        };
        let misfit = |text: String| Failed::Http(HttpError::Unexpected(text));
        let (range, size_bytes) = match (head.status(), head.content_range().map_err(field)?) {
            (206, Some(ContentRange::Satisfied { first, last, total: Some(total) })) => {
                let end = offset.saturating_add(wanted).min(total);
                if first != offset || last + 1 != end {
                    return Err(misfit(format!(
                        "asked for bytes {offset}..{end}, got {first}..{}",
                        last + 1
                    )));
                }
                (first..end, total)
            }
            (200, None) => {
                // The server ignores ranges, or the object is empty.
                let Some(size) = head.content_length() else {
                    return self.told_no_size(head, offset, extent);
                };
                let is_asked_for = matches!(extent, Extent::Rest);
                if !is_asked_for && (offset > 0 || size > wanted) {
                    self.check_version(head, size)?;
                    self.ignores_ranges.get_or_init(|| ());
                    return Err(Failed::Final(self.shared.ignores_ranges(&self.object.key)));
                }
                (0..size, size)
            }
            (status, range) => {
                return Err(misfit(format!("status {status} with Content-Range {range:?}")));
            }
        };
        if head.content_length().is_some_and(|length| length != range.end - range.start) {
            return Err(misfit("Content-Length and Content-Range differ".into()));
        }
        self.check_version(head, size_bytes)?;
        let sum = self.shared.checks.answers().then(|| ToldSum::of_head(head)).flatten();
        if let Some(told) = sum
            && range == (0..size_bytes)
        {
            // Kept, for the rest of a body that breaks off may come without.
            self.coverage().settle(Some(told.sum));
        }
        Ok(Told { range, size_bytes, sum, of_unknown_size: None })
    }

    /// All of an object whose size is not told. Its last chunk ends it for certain; a closed connection
    /// does not (DATA-2).
    fn told_no_size(
        &self,
        head: &ResponseHead<'_>,
        offset: u64,
        extent: Extent,
    ) -> Result<Told, Failed> {
        let misfit = |text: &str| Failed::Http(HttpError::Unexpected(text.into()));
        let Extent::Bytes(wanted) = extent else {
            return Err(misfit("no length told"));
        };
        if head.body_framing(Method::Get) != BodyFraming::Chunked {
            return Err(misfit(
                "no length told, nor anything else that tells a whole body from a cut one",
            ));
        }
        if offset > 0 {
            return Err(Failed::Final(self.shared.ignores_ranges(&self.object.key)));
        }
        let info = ObjectInfo::of_head(head).map_err(field)?;
        self.meets_condition(&info)?;
        Ok(Told {
            range: 0..wanted as u64,
            size_bytes: wanted as u64,
            sum: self.shared.checks.answers().then(|| ToldSum::of_head(head)).flatten(),
            of_unknown_size: Some(Box::new(info.into())),
        })
    }

    /// What was told, now that all has come.
    fn sized(&self, told: Told, placed: usize) -> Result<Told, Failed> {
        let size_bytes = placed as u64;
        self.has_size(size_bytes)?;
        let seen = told.of_unknown_size.map_or(ObjectMeta::of_size(0), |seen| *seen);
        let seen = ObjectMeta { size_bytes, ..seen };
        let known = self.meta.get_or_init(|| seen.clone());
        self.is_still(known, &seen)?;
        Ok(Told { range: 0..size_bytes, size_bytes, sum: told.sum, of_unknown_size: None })
    }

    /// Compares what was read from `offset` with what the server keeps a checksum of, as far as that
    /// has come (DATA-2). Gives the sum of what was read where it is still to be [settled](Self::settle).
    fn check(&self, offset: u64, bytes: &[u8], told: &Told) -> Result<Option<Sum>, Failed> {
        let (size, len) = (told.size_bytes, bytes.len() as u64);
        let whole = offset == 0 && len == size;
        // What an answer that carried on tells may be that of its own bytes, which are the end of these.
        let told = told.sum.filter(|_| told.range.start == offset);
        let Some(algorithm) = self.coverage().to_sum(whole, told) else { return Ok(None) };
        let found = Sum::of(algorithm, bytes);
        match self.coverage().take(size, offset, len, found, told) {
            Ok(Taken::Ask) => Ok(Some(found)),
            Ok(Taken::Fits) => Ok(None),
            Err(mismatch) => Err(Failed::Corrupt(self.mismatched(mismatch))),
        }
    }

    /// Every byte has come, and no answer told a checksum of all: asks for it, and compares. Which of
    /// the ranges is wrong nobody can tell then, so none is read again.
    async fn settle(
        &self,
        core: &Core,
        size_bytes: u64,
        offset: u64,
        len: u64,
        found: Sum,
    ) -> Result<()> {
        let kept = self.kept_sum(core, found.algorithm()).await;
        let mut coverage = self.coverage();
        coverage.settle(kept);
        let taken = coverage.take(size_bytes, offset, len, found, None);
        taken.map(drop).map_err(|mismatch| self.mismatched(mismatch))
    }

    fn mismatched(&self, mismatch: Mismatch) -> Error {
        self.shared.unexpected(&self.object.key, mismatch)
    }

    /// The checksum that the server keeps of the whole object. An answer without one, or none at all,
    /// is no failure: the bytes have come.
    async fn kept_sum(&self, core: &Core, algorithm: ChecksumAlgorithm) -> Option<Sum> {
        let mut head = HeadObject(self.object.clone());
        let etag = self.meta.get().and_then(|meta| meta.etag).filter(Etag::is_strong);
        // What was read met its condition; this asks for the checksum of that.
        head.0.conditions = Default::default();
        head.0.conditions.if_match = etag.map(|etag| etag.to_string());
        let name = algorithm.name();
        match send(core, &self.shared, &head).await {
            Ok(info) => {
                let composite = info.checksums.kind == Some(ChecksumKind::Composite);
                let text = info.checksums.get(algorithm).filter(|_| !composite);
                let kept = text.and_then(|text| Sum::parse(algorithm, text));
                if kept.is_none() && !info.checksums.values.is_empty() {
                    self.not_compared(
                        core,
                        format_args!("the server keeps no {name} of all of it"),
                    );
                }
                kept
            }
            Err(error) => {
                self.not_compared(core, format_args!("its {name} could not be asked for: {error}"));
                None
            }
        }
    }

    /// The object has a checksum, perhaps, that these ranges were not held against.
    fn not_compared(&self, core: &Core, why: std::fmt::Arguments<'_>) {
        let uri = self.shared.uri_of(&self.object.key);
        core.note(format_args!(
            "{uri} was read in ranges that were not compared as a whole: {why}"
        ));
    }

    fn coverage(&self) -> MutexGuard<'_, Coverage> {
        self.coverage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first head fixes the version: what carries on a body that broke off has to be of it, too.
    fn check_version(&self, head: &ResponseHead<'_>, size_bytes: u64) -> Result<(), Failed> {
        self.has_size(size_bytes)?;
        let known = match self.meta.get() {
            Some(known) => known,
            None => {
                let info = ObjectInfo::of_head(head).map_err(field)?;
                self.meets_condition(&info)?;
                // Another core may be first.
                self.meta.get_or_init(|| ObjectMeta { size_bytes, ..info.into() })
            }
        };
        let seen = ObjectMeta { size_bytes, ..ObjectMeta::version_of(head).map_err(field)? };
        self.is_still(known, &seen)
    }

    fn has_size(&self, size_bytes: u64) -> Result<(), Failed> {
        match self.size_bytes.get() {
            Some(&told) if told != size_bytes => {
                let detail = format!("first {told} bytes, now {size_bytes}");
                Err(Failed::Final(self.changed(detail)))
            }
            _ => Ok(()),
        }
    }

    /// A server may not know conditions.
    fn meets_condition(&self, info: &ObjectInfo) -> Result<(), Failed> {
        let Some(read_if) = &self.read_if else { return Ok(()) };
        let uri = self.shared.uri_of(&self.object.key);
        read_if.check(&uri, info.etag.as_ref()).map_err(Failed::Final)
    }

    fn is_still(&self, known: &ObjectMeta, seen: &ObjectMeta) -> Result<(), Failed> {
        if is_same_version(known, seen) {
            return Ok(());
        }
        Err(Failed::Final(self.changed(format!(
            "first {:?} with {} bytes, now {:?} with {} bytes",
            known.etag, known.size_bytes, seen.etag, seen.size_bytes
        ))))
    }

    /// A refusal. 416 means that nothing is at the offset: an empty object, or the end of one.
    fn refused(
        &self,
        refusal: Refusal,
        size: Option<u64>,
        offset: u64,
        document: &[u8],
    ) -> Result<Told, Failed> {
        if refusal.status == 416
            && let Some(size) = size
            && offset >= size
            && self.ends_at(size)
        {
            return Ok(Told { range: 0..0, size_bytes: size, sum: None, of_unknown_size: None });
        }
        // A later answer is about the version of the first one, for which the condition held.
        let is_condition = self.object.conditions.any() && self.meta.get().is_none();
        if is_condition && matches!(refusal.status, 304 | 412) {
            let detail = format!("the server answered {}", refusal.status);
            return Err(Failed::Final(broken(&self.shared.uri_of(&self.object.key), detail)));
        }
        if refusal.status == 412 {
            return Err(Failed::Final(self.changed("the server answered 412".into())));
        }
        Err(refusal.into_failed(&self.shared, "GetObject", Some(&self.object.key), document))
    }

    /// Notes the size that a 416 told; whether it is the one that is known. It fixes no version: the
    /// answers with bytes have a tag to fix it by.
    fn ends_at(&self, size_bytes: u64) -> bool {
        let known = self.meta.get().map_or(size_bytes, |known| known.size_bytes);
        known == size_bytes && *self.size_bytes.get_or_init(|| size_bytes) == size_bytes
    }

    /// Whether the server has answered with more than the range that was asked for.
    pub(crate) fn ignores_ranges(&self) -> bool {
        self.ignores_ranges.get().is_some()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The operation that [`S3Reader::ask`] asks with, for its attempts.
    pub(super) fn rest_from(&self, offset: u64) -> impl Operation + '_ {
        self.ranged(offset, Extent::Rest)
    }

    fn changed(&self, detail: String) -> Error {
        ErrorKind::Changed { object: self.shared.uri_of(&self.object.key), detail }.into()
    }
}

impl Reader for S3Reader {
    fn read<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        Box::pin(self.read_range(core, offset, buf, span))
    }

    fn meta(&self) -> Option<ObjectMeta> {
        let of_size = || self.size_bytes.get().map(|size| ObjectMeta::of_size(*size));
        self.meta.get().cloned().or_else(of_size)
    }

    fn first_byte_at(&self) -> Option<Instant> {
        self.first_byte_at.get().copied()
    }
}

/// Whether two answers are about one version. What an answer does not tell is no difference.
fn is_same_version(known: &ObjectMeta, seen: &ObjectMeta) -> bool {
    if known.size_bytes != seen.size_bytes {
        return false;
    }
    match (&known.etag, &seen.etag) {
        (known_tag, Some(tag)) if known_tag.as_ref() != Some(tag) => false,
        (_, Some(tag)) if tag.is_strong() => true,
        // Some servers round or leave out the date of a range: only two that differ tell something.
        _ => match (known.modified, seen.modified) {
            (Some(known), Some(seen)) => known == seen,
            _ => true,
        },
    }
}

fn empty_object(head: &ResponseHead<'_>) -> Option<u64> {
    match head.content_range() {
        Ok(Some(ContentRange::Unsatisfied { total })) => Some(total),
        _ => None,
    }
}

fn field(error: crate::http1::response::FieldError) -> Failed {
    Failed::Http(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::response::{HeadLimits, HeadProgress, parse_head};
    use crate::s3::{S3Config, S3Store};

    const HEAD: &str = "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n";

    fn reader() -> S3Reader {
        let mut config = S3Config::default();
        config.endpoint.url = Some("http://127.0.0.1:1".into());
        let store = S3Store::open("bucket", config, &|_| None).expect("a store");
        S3Reader::new(store.shared(), "key", &ReadOptions::default())
    }

    /// What an answer with 4 bytes from the start comes to: the size it told.
    fn told(reader: &S3Reader, range: &str, etag: &str) -> Option<u64> {
        let head = format!("{HEAD}Content-Range: bytes {range}\r\nETag: {etag}\r\n\r\n");
        let parsed = parse_head(head.as_bytes(), &HeadLimits::default()).expect("a head");
        let HeadProgress::Complete { head, .. } = parsed else { panic!("{head}") };
        reader.told(&head, 0, Extent::Bytes(4)).ok().map(|told| told.size_bytes)
    }

    #[test]
    fn an_answer_from_beyond_the_end_fixes_the_size_and_no_version() {
        let reader = reader();
        assert!(reader.ends_at(10));
        assert_eq!(reader.meta().map(|meta| (meta.size_bytes, meta.etag)), Some((10, None)));
        assert_eq!(told(&reader, "0-3/10", "\"one\""), Some(10), "the first with a tag");
        assert!(reader.meta().is_some_and(|meta| meta.etag.is_some()));
        assert_eq!(told(&reader, "0-3/10", "\"two\""), None, "another version");
        assert!(reader.ends_at(10) && !reader.ends_at(11), "the size is known");
    }

    #[test]
    fn a_size_that_changes_after_an_answer_from_beyond_the_end_is_a_change() {
        let reader = reader();
        assert!(reader.ends_at(10));
        assert_eq!(told(&reader, "0-3/11", "\"one\""), None);
    }
}
