//! Reading ranges of one object, all of the same version (DATA-2).
//!
//! The first answer tells size, ETag and date; every later request carries `If-Match`, so an object
//! that was replaced meanwhile is an error and never a mixture. A server without a strong ETag is
//! asked with `If-Unmodified-Since`, and its date is compared as well: that sees a change from one
//! second to the next. A body that breaks off is carried on at the byte where it broke.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use hydrant_engine::{Buf, Core, Lease};

use super::attempts::{Attempts, Failed};
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
use crate::pipeline::{Back, Fitted, PartRequest};
use crate::store::{LocalFuture, PartRead, Pieces, ReadInfo, Reader};

mod compared;
mod destination;
mod summed;
mod told;

use compared::Checked;
use destination::{Destination, RangeRead};
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

    pub(crate) async fn read_range(
        &self,
        core: &Core,
        offset: u64,
        memory: Fitted,
        span: Range<usize>,
    ) -> PartRead {
        // S3 has no empty range; what the object is can be asked with a HEAD.
        if span.is_empty() || span.end > memory.capacity() {
            let (uri, room) = (self.shared.uri_of(&self.object.key), memory.capacity());
            let text = format!("a read of {uri} into bytes {span:?} of a buffer with {room}");
            let buf = memory.into_buf(false);
            return PartRead { buf, result: Err(ErrorKind::InvalidInput(text).into()) };
        }
        let into = Destination::Place { memory, start: span.start };
        let mut read = RangeRead::new(offset, span.len(), into);
        let result = self.fetch(core, &mut read).await;
        PartRead { buf: read.into.into_buf(result.is_ok()), result }
    }

    async fn pieces_of(
        &self,
        core: &Core,
        part: PartRequest,
        buf: Buf,
        pieces: &mut dyn Pieces,
    ) -> Result<ReadInfo> {
        let into = Destination::Pieces { pieces, buf };
        self.fetch(core, &mut RangeRead::new(part.offset, part.len as usize, into)).await
    }

    async fn fetch(&self, core: &Core, read: &mut RangeRead<'_>) -> Result<ReadInfo> {
        let offset = read.offset;
        let first = self.ranged(offset, Extent::Bytes(read.len));
        let mut attempts = Attempts::new(core, &self.shared, &first)?;
        if self.shared.checks.answers() {
            self.coverage().begin(offset);
        }
        let (size_bytes, checked) = attempts
            .run(async |per_core, connection| {
                let told = self.attempt(core, per_core, connection, read).await?;
                let checked = self.check(core, read, &told);
                // What is corrupt is read again, all of it.
                read.placed = if checked.is_ok() { read.placed } else { 0 };
                checked.map(|checked| (told.size_bytes, checked))
            })
            .await?;
        if let Checked { sum: Some(found), unsettled: true } = checked {
            // The connection is back: who held one and waited for another could wait for ever.
            self.settle(core, size_bytes, offset, read.placed as u64, found).await?;
        }
        Ok(ReadInfo { len_bytes: read.placed, object_bytes: size_bytes, sum: checked.sum })
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
        read: &mut RangeRead<'_>,
    ) -> Result<Told, Failed> {
        let offset = read.offset.saturating_add(read.placed as u64);
        let extent = Extent::Bytes(read.len - read.placed);
        let told = self.ask(core, per_core, connection, offset, extent).await?;
        let announced = (told.range.end - told.range.start) as usize;
        if told.of_unknown_size.is_some() && matches!(read.into, Destination::Pieces { .. }) {
            // Nobody would know which piece is the last.
            return Err(Failed::Final(self.shared.tells_no_size(&self.object.key, announced)));
        }
        let algorithm = self.to_sum(read.offset, (read.placed + announced) as u64, &told);
        let (received, came) = read.receive(connection, algorithm, announced).await?;
        if told.of_unknown_size.is_some() {
            let told = match received {
                Ok(()) => self.sized(told, came)?,
                Err(HttpError::BodyTooLong { .. }) => {
                    let key = &self.object.key;
                    return Err(Failed::Final(self.shared.tells_no_size(key, announced)));
                }
                Err(error) => return Err(Failed::Http(error)),
            };
            read.placed += came;
            return Ok(told);
        }
        let broken = match received {
            Ok(()) if came == announced => {
                read.placed += came;
                return Ok(told);
            }
            Ok(()) => HttpError::Closed { stale: false },
            Err(error) => error,
        };
        // What broke behind the last byte leaves nothing to carry on with: all is read again.
        read.placed = if came < announced { read.placed + came } else { 0 };
        Err(if came > 0 && came < announced {
            Failed::CutOff(broken)
        } else {
            Failed::Http(broken)
        })
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
        core.boxed(self.read_range(core, offset, Fitted::new(buf, Back::Lent), span))
    }

    fn read_to_keep<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        lease: Lease,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        core.boxed(self.read_range(core, offset, Fitted::new(lease.into(), Back::Fitting), span))
    }

    fn read_pieces<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        pieces: &'a mut dyn Pieces,
    ) -> LocalFuture<'a, Result<ReadInfo>> {
        core.boxed(self.pieces_of(core, part, buf, pieces))
    }

    fn gives_pieces(&self) -> bool {
        true
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
