//! Receiving what follows the head of an answer.

use std::ops::Range;

use hydrant_engine::{Buf, CopyReason, RecvMode, RegionOwner, Stream};

use super::{Connection, broken_receive, no_answer};
use crate::checksum::Summing;
use crate::http1::HttpError;
use crate::http1::body::{BodyEvent, BodyState};

/// So much of a body is received before it is summed, while it is in the cache still. Half as much cost more CPU,
/// and so did twice as much (`docs/performance.md`).
const SUMMED_BYTES: usize = 1 << 20;

/// So much of a document is received at a time to begin with: most pages of a listing in two.
const DOCUMENT_STEP_BYTES: u64 = 256 << 10;

/// What receiving a piece of a body came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    End,
}

impl Connection {
    /// Receives the rest of the body into `span` of `buf`, straight but for what came with the
    /// head. Tells how many bytes are in place, also when the body broke off; `summing` has taken these
    /// then, soon after they came.
    pub(crate) async fn receive_into(
        &mut self,
        mut buf: Buf,
        span: Range<usize>,
        mut summing: Option<&mut Summing>,
    ) -> (Result<(), HttpError>, usize, Buf) {
        let limit_bytes = span.len() as u64;
        let piece_bytes = match (&summing, &self.stream) {
            (Some(_), Stream::Tcp(_)) => SUMMED_BYTES,
            // Over TLS each cut costs a copy of the record that lies across it, and gains as much.
            _ => usize::MAX,
        };
        let (mut at, mut summed) = (span.start, span.start);
        let placed = self.place_residue(&mut buf, &span, limit_bytes);
        let mut step = placed.map(|placed| {
            at += placed;
            Step::More
        });
        loop {
            if let Some(summing) = &mut summing
                && let Some(came) = buf.as_mut_slice().and_then(|memory| memory.get(summed..at))
            {
                summing.update(came);
                summed = at;
            }
            if !matches!(step, Ok(Step::More)) {
                return (step.map(drop), at - span.start, buf);
            }
            step = self.receive_step(&mut buf, &mut at, span.end, piece_bytes, limit_bytes).await;
        }
    }

    /// Receives the next bytes of a body into `span` of `buf`, as many as fit, and leaves the rest to the
    /// next call; `following` more are received next. Tells how many bytes are in place, also
    /// when the body broke off; `summing` has taken these then.
    pub(crate) async fn receive_next(
        &mut self,
        mut buf: Buf,
        span: Range<usize>,
        following: usize,
        summing: Option<&mut Summing>,
    ) -> (Result<(), HttpError>, usize, Buf) {
        let mut at = span.start;
        let result = self.receive_span(&mut buf, &mut at, span.end, following).await;
        let came = buf.as_mut_slice().and_then(|memory| memory.get(span.start..at));
        if let (Some(summing), Some(came)) = (summing, came) {
            summing.update(came);
        }
        (result, at - span.start, buf)
    }

    async fn receive_span(
        &mut self,
        buf: &mut Buf,
        at: &mut usize,
        end: usize,
        following: usize,
    ) -> Result<(), HttpError> {
        loop {
            // What came with a head, or with framing, may reach beyond the span.
            let cut = self.residue.end.min(self.residue.start + (end - *at));
            let behind = cut..std::mem::replace(&mut self.residue.end, cut);
            *at += self.place_residue(buf, &(*at..end), (end - *at) as u64)?;
            self.residue = behind;
            let body = self.body.as_ref().ok_or_else(no_answer)?;
            if *at == end || body.is_done() {
                return Ok(());
            }
            let direct = body.direct_bytes();
            let want = (end - *at).min(usize::try_from(direct).unwrap_or(usize::MAX));
            if !self.residue.is_empty() {
                continue;
            } else if want > 0 {
                // Behind a chunk, or with the connection, the body may end.
                let announced = if direct == u64::MAX { 0 } else { direct - want as u64 };
                let following =
                    usize::try_from(announced).map_or(following, |it| it.min(following));
                self.receive_straight(buf, at, want, following).await?;
            } else if self.receive_some().await? == 0 {
                self.body.as_mut().ok_or_else(no_answer)?.on_close()?;
                return Ok(());
            }
        }
    }

    /// Drops the next bytes of a body of known length.
    pub(crate) async fn skip(&mut self, bytes: u64) -> Result<(), HttpError> {
        let mut left_bytes = bytes;
        while left_bytes > 0 {
            if self.residue.is_empty() && self.receive_some().await? == 0 {
                self.body.as_mut().ok_or_else(no_answer)?.on_close()?;
                return Err(HttpError::Closed { stale: false });
            }
            let incoming = self.incoming.as_mut().ok_or_else(no_answer)?;
            let body = self.body.as_mut().ok_or_else(no_answer)?;
            let most = usize::try_from(left_bytes).unwrap_or(usize::MAX);
            let end = self.residue.end.min(self.residue.start.saturating_add(most));
            match body.feed(&incoming.as_mut_slice()[self.residue.start..end])? {
                BodyEvent::Data(data) => {
                    left_bytes -= data.len() as u64;
                    self.residue.start += data.end;
                }
                BodyEvent::NeedMore | BodyEvent::End { .. } => {
                    return Err(HttpError::Unexpected(
                        "the body ends before what was asked for".into(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Receives up to `piece_bytes` more of the rest of the body, or framing, or finds its end.
    async fn receive_step(
        &mut self,
        buf: &mut Buf,
        at: &mut usize,
        end: usize,
        piece_bytes: usize,
        limit_bytes: u64,
    ) -> Result<Step, HttpError> {
        let body = self.body.as_ref().ok_or_else(no_answer)?;
        if body.is_done() {
            return Ok(Step::End);
        }
        let (direct, room) = (body.direct_bytes(), end - *at);
        if direct == 0 {
            // Chunk framing: a few bytes through the head buffer, then straight again.
            *at += self.feed_framing(buf, *at, room, limit_bytes).await?;
        } else if room == 0 && direct == u64::MAX {
            self.expect_close(limit_bytes).await?;
            return Ok(Step::End);
        } else if room == 0 {
            return Err(HttpError::BodyTooLong { limit_bytes });
        } else {
            let rest = room.min(usize::try_from(direct).unwrap_or(usize::MAX));
            let want = rest.min(piece_bytes);
            // What ends with the connection may end before.
            let following = if direct == u64::MAX { 0 } else { rest - want };
            self.receive_straight(buf, at, want, following).await?;
        }
        Ok(Step::More)
    }

    /// Receives `want` bytes of payload; `following` more are received next, and sure to come.
    async fn receive_straight(
        &mut self,
        buf: &mut Buf,
        at: &mut usize,
        want: usize,
        following: usize,
    ) -> Result<(), HttpError> {
        let lent = std::mem::replace(buf, bytes::Bytes::new().into());
        let (span, stall) = (*at..*at + want, self.limits.stall);
        let (result, back) =
            self.stream.recv_before(lent, span, RecvMode::Fill, following, stall).await;
        *buf = back;
        // What came before the end is in place: the next try carries on behind it.
        *at += result.as_ref().map_or_else(|failed| failed.received, |count| *count);
        let count = result.map_err(broken_receive)?;
        self.body.as_mut().ok_or_else(no_answer)?.advance(count as u64)?;
        if count < want { self.ended().await } else { Ok(()) }
    }

    /// Receives the rest of the body as a document: a listing, an error. Not for payload. `document` is memory for it, and may
    /// hold one before it.
    pub(crate) async fn receive_document(
        &mut self,
        mut document: Vec<u8>,
    ) -> Result<Vec<u8>, HttpError> {
        if let Some(document) = self.early.take() {
            return Ok(document);
        }
        let limit_bytes = self.limits.document_bytes_max as u64;
        document.clear();
        loop {
            let pending = std::mem::replace(&mut self.residue, 0..0);
            let incoming = self.incoming.as_mut().ok_or_else(no_answer)?;
            let body = self.body.as_mut().ok_or_else(no_answer)?;
            feed_document(body, &incoming.as_mut_slice()[pending], &mut document)?;
            if document.len() as u64 > limit_bytes {
                return Err(HttpError::BodyTooLong { limit_bytes });
            }
            if body.is_done() {
                return Ok(document);
            }
            let (direct, room) = (body.direct_bytes(), incoming.capacity() as u64);
            if direct > room && direct <= limit_bytes - document.len() as u64 {
                // Memory for what was only announced is no more than for what has come.
                let bytes = direct.min(DOCUMENT_STEP_BYTES.max(document.len() as u64));
                document = self.receive_document_straight(document, bytes as usize).await?;
            } else if self.receive_some().await? == 0 {
                let body = self.body.as_mut().ok_or_else(no_answer)?;
                body.on_close()?;
                return Ok(document);
            }
        }
    }

    /// Appends so many bytes of the body, past the small buffer for heads.
    async fn receive_document_straight(
        &mut self,
        mut document: Vec<u8>,
        bytes: usize,
    ) -> Result<Vec<u8>, HttpError> {
        let have = document.len();
        document.resize(have + bytes, 0);
        let (owner, mut region) = RegionOwner::new(document);
        drop(region.split_to(have));
        let (mut rest, mut at) = (Buf::from(region), 0);
        let received = self.receive_straight(&mut rest, &mut at, bytes, 0).await;
        drop(rest);
        let mut document = owner.returned().await;
        received?;
        document.truncate(have + at);
        Ok(document)
    }

    /// Moves body bytes that came with the head to their place: the only copy of a part (DATA-1).
    fn place_residue(
        &mut self,
        buf: &mut Buf,
        span: &Range<usize>,
        limit_bytes: u64,
    ) -> Result<usize, HttpError> {
        let pending = std::mem::replace(&mut self.residue, 0..0);
        let incoming = self.incoming.as_mut().ok_or_else(no_answer)?;
        let body = self.body.as_mut().ok_or_else(no_answer)?;
        let mut input = &incoming.as_mut_slice()[pending];
        let mut placed = 0;
        while !input.is_empty() {
            match body.feed(input)? {
                BodyEvent::Data(data) => {
                    let data_end = data.end;
                    let from = &input[data];
                    let to = span.start + placed;
                    if from.len() > span.end - to {
                        return Err(HttpError::BodyTooLong { limit_bytes });
                    }
                    let memory = buf.as_mut_slice().ok_or_else(not_writable)?;
                    let to = &mut memory[to..to + from.len()];
                    self.core.metrics().copy_payload(CopyReason::Residue, from, to);
                    placed += from.len();
                    input = &input[data_end..];
                }
                BodyEvent::NeedMore => break,
                BodyEvent::End { .. } => break,
            }
        }
        Ok(placed)
    }

    /// Receives some framing bytes, and places what payload comes with them.
    async fn feed_framing(
        &mut self,
        buf: &mut Buf,
        at: usize,
        room: usize,
        limit_bytes: u64,
    ) -> Result<usize, HttpError> {
        if self.receive_some().await? == 0 {
            self.body.as_mut().ok_or_else(no_answer)?.on_close()?;
            return Ok(0);
        }
        self.place_residue(buf, &(at..at + room), limit_bytes)
    }

    /// A body that ends with the connection has filled its place: nothing more may come.
    async fn expect_close(&mut self, limit_bytes: u64) -> Result<(), HttpError> {
        match self.receive_some().await? {
            0 => Ok(self.body.as_mut().ok_or_else(no_answer)?.on_close()?),
            _ => Err(HttpError::BodyTooLong { limit_bytes }),
        }
    }

    /// The peer sends no more. Where that is the body's end, the stream must have ended in order.
    async fn ended(&mut self) -> Result<(), HttpError> {
        let body = self.body.as_ref().ok_or_else(no_answer)?;
        if body.is_done() {
            return Ok(());
        }
        if body.direct_bytes() == u64::MAX && self.receive_some().await? > 0 {
            return Err(HttpError::Unexpected("bytes behind the end of the connection".into()));
        }
        Ok(self.body.as_mut().ok_or_else(no_answer)?.on_close()?)
    }

    /// Receives whatever is there into the head buffer, as new residue; 0 when the peer closed.
    async fn receive_some(&mut self) -> Result<usize, HttpError> {
        let incoming = self.incoming.take().ok_or_else(no_answer)?;
        let span = 0..incoming.capacity();
        let stall = self.limits.stall;
        let (result, back) = self.stream.recv(incoming, span, RecvMode::Some, stall).await;
        self.incoming = back.into_lease().ok();
        let count = result.map_err(broken_receive)?;
        self.residue = 0..count;
        Ok(count)
    }
}

/// Appends what of `input` belongs to the body.
pub(super) fn feed_document(
    body: &mut BodyState,
    mut input: &[u8],
    document: &mut Vec<u8>,
) -> Result<(), HttpError> {
    while !input.is_empty() {
        match body.feed(input)? {
            BodyEvent::Data(data) => {
                document.extend_from_slice(&input[data.clone()]);
                input = &input[data.end..];
            }
            BodyEvent::NeedMore | BodyEvent::End { .. } => break,
        }
    }
    Ok(())
}

fn not_writable() -> HttpError {
    HttpError::Unexpected("the destination cannot be written to".into())
}
