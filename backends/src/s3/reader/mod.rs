//! Reading ranges of one object, all of the same version (DATA-2).
//!
//! The first answer tells size, ETag and date; every later request carries `If-Match`, so an object
//! that was replaced meanwhile is an error and never a mixture. A server without a strong ETag is
//! asked with `If-Unmodified-Since`, and its date is compared as well: that sees a change from one
//! second to the next. A body that breaks off is carried on at the byte where it broke.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use hydrant_engine::{Buf, Core};

use super::attempts::{Attempts, Failed};
use super::checksum::bytes_of;
use super::coverage::Coverage;
use super::ops::{
    DecodeError, GetObject, InvalidRequest, ObjectInfo, Operation, ReadRange, RequestParts,
};
use super::per_core::PerCore;
use super::refusal::Refusal;
use super::request::BodyInfo;
use super::store::Shared;
use super::time::{HttpDate, Timestamp};
use crate::checksum::{ChecksumAlgorithm, Sum};
use crate::condition::{ReadIf, ReadOptions};
use crate::error::{ErrorKind, Result};
use crate::http1::response::ResponseHead;
use crate::http1::{Connection, HttpError};
use crate::object::ObjectMeta;
use crate::pipeline::plan::stored_part_bytes;
use crate::store::{LocalFuture, PartRead, ReadInfo, Reader};

mod compared;
mod told;

use compared::Checked;
pub(super) use told::Told;
use told::empty_object;

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
        options.s3.iter().for_each(|asked| asked.describe(&mut object));
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
                checked.map(|checked| (told.size_bytes, checked))
            })
            .await;
        let settled = match result {
            // The connection is back: who held one and waited for another could wait for ever.
            Ok((size_bytes, Checked { sum: Some(found), unsettled: true })) => {
                let settled = self.settle(core, size_bytes, offset, done as u64, found).await;
                settled.map(|()| (size_bytes, Some(found)))
            }
            result => result.map(|(size_bytes, checked)| (size_bytes, checked.sum)),
        };
        let info = |(object_bytes, sum)| ReadInfo { len_bytes: done, object_bytes, sum };
        let result = settled.map(info);
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
        let body = BodyInfo::none();
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
                let document = connection.receive_document(Vec::new()).await.unwrap_or_default();
                self.refused(*refusal, size, offset, &document)
            }
            Err(error) => Err(Failed::Http(error)),
        }
    }

    /// Whether the server has answered with more than the range that was asked for.
    pub(crate) fn ignores_ranges(&self) -> bool {
        self.ignores_ranges.get().is_some()
    }

    pub(super) fn uri(&self) -> String {
        self.shared.uri_of(&self.object.key)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The operation that [`S3Reader::ask`] asks with, for its attempts.
    pub(super) fn rest_from(&self, offset: u64) -> impl Operation + '_ {
        self.ranged(offset, Extent::Rest)
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
        core.boxed(self.read_range(core, offset, buf, span))
    }

    fn skip<'a>(
        &'a self,
        core: &'a Core,
        object_bytes: u64,
        offset: u64,
        len: u64,
        sum_in: &'a dyn Fn(ChecksumAlgorithm) -> Option<Sum>,
    ) -> LocalFuture<'a, Result<()>> {
        core.boxed(self.skipped(core, object_bytes, offset..offset + len, sum_in))
    }

    fn meta(&self) -> Option<ObjectMeta> {
        let of_size = || self.size_bytes.get().map(|size| ObjectMeta::of_size(*size));
        self.meta.get().cloned().or_else(of_size)
    }

    fn stored_part_bytes(&self) -> Option<u64> {
        let meta = self.meta.get()?;
        stored_part_bytes(meta.size_bytes, meta.etag.as_ref()?.stored_parts()?)
    }

    fn first_byte_at(&self) -> Option<Instant> {
        self.first_byte_at.get().copied()
    }
}
