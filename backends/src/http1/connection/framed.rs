//! Sending a body in pieces with something between them, as signatures and trailers ask for it. What
//! that is, [`BodyFrames`] says: this file knows nothing of S3, and the pieces are never copied.

use std::ops::Range;

use bytes::Bytes;
use hydrant_engine::{Buf, Error as EngineError};

use super::Connection;

/// Frames a body on its way out: says how much of it goes out at once, and what goes before each such
/// piece and behind the last. The pieces themselves are sent from where they lie.
pub(crate) trait BodyFrames {
    /// Bytes of the next piece, of so many that are left.
    fn piece_bytes(&self, left: usize) -> usize;

    /// Writes what goes before a piece of the body, into at least [`FRAME_BYTES_MAX`] bytes; how many
    /// there are.
    fn before(&mut self, body: &mut Buf, piece: Range<usize>, out: &mut [u8]) -> usize;

    /// The same behind the last piece.
    fn behind(&mut self, out: &mut [u8]) -> usize;
}

/// The most that goes before a piece or behind the last.
pub(crate) const FRAME_BYTES_MAX: usize = 512;

impl Connection {
    /// Sends a body in pieces. What goes between them is written where the head was.
    pub(super) async fn send_framed(
        &self,
        head: &mut Buf,
        mut buf: Buf,
        span: Range<usize>,
        frames: &mut dyn BodyFrames,
    ) -> (Result<usize, EngineError>, Buf) {
        let (stream, stall) = (&self.stream, self.limits.stall);
        let mut at = span.start;
        while at < span.end {
            let piece = at..at + frames.piece_bytes(span.end - at);
            at = piece.end;
            let result =
                self.send_frame(head, true, |out| frames.before(&mut buf, piece.clone(), out));
            if let Err(error) = result.await {
                return (Err(error), buf);
            }
            let (result, back) = stream.send(buf, piece, true, stall).await;
            buf = back;
            if result.is_err() {
                return (result, buf);
            }
        }
        let result = self.send_frame(head, false, |out| frames.behind(out)).await;
        (result.map(|()| span.len()), buf)
    }

    async fn send_frame(
        &self,
        head: &mut Buf,
        more: bool,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<(), EngineError> {
        let mut memory = std::mem::replace(head, Bytes::new().into());
        let count = write(memory.as_mut_slice().expect("the head was written there"));
        let (result, back) = self.stream.send(memory, 0..count, more, self.limits.stall).await;
        *head = back;
        result.map(drop)
    }
}
