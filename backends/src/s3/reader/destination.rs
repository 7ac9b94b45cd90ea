//! Where the bytes of a range go: into one place, or into pieces that are given away as they come.

use bytes::Bytes;
use hydrant_engine::Buf;

use super::summed::Summed;
use crate::checksum::{ChecksumAlgorithm, Sum};
use crate::http1::{Connection, HttpError};
use crate::pipeline::Fitted;
use crate::s3::attempts::Failed;
use crate::s3::checksum::bytes_of;
use crate::store::Pieces;

/// A range that is read in as many attempts as it takes.
pub(super) struct RangeRead<'a> {
    pub(super) offset: u64,
    /// Bytes that are wanted.
    pub(super) len: usize,
    /// So many from the start have come for good, unless they turn out to be corrupt.
    pub(super) placed: usize,
    summed: Summed,
    pub(super) into: Destination<'a>,
}

/// The buffer is absent from here only while a receive or a write owns it.
pub(super) enum Destination<'a> {
    /// All of it from `start` on.
    Place { memory: Fitted, start: usize },
    /// The piece that is being filled lies in `buf`.
    Pieces { pieces: &'a mut dyn Pieces, buf: Buf },
}

impl RangeRead<'_> {
    pub(super) fn new(offset: u64, len: usize, into: Destination<'_>) -> RangeRead<'_> {
        RangeRead { offset, len, placed: 0, summed: Summed::default(), into }
    }

    /// Receives what is announced behind what is there already, and sums it as it comes. Tells how much
    /// of it came.
    ///
    /// # Errors
    /// Who takes the pieces has failed.
    pub(super) async fn receive(
        &mut self,
        connection: &mut Connection,
        algorithm: Option<ChecksumAlgorithm>,
        announced: usize,
    ) -> Result<(Result<(), HttpError>, usize), Failed> {
        let RangeRead { placed, summed, into, .. } = self;
        let mut summing = summed.carry_on(*placed, algorithm);
        match into {
            Destination::Place { memory, start } => {
                let from = *start + *placed;
                let span = from..from + announced;
                memory.fit(&span);
                let (received, came, back) =
                    connection.receive_into(memory.take(), span, summing).await;
                memory.put_back(back);
                Ok((received, came))
            }
            Destination::Pieces { pieces, buf } => {
                let piece_bytes = pieces.piece_bytes();
                if *placed == 0 {
                    pieces.begin(algorithm).await.map_err(Failed::Final)?;
                }
                let mut came = 0;
                while came < announced {
                    let at = (*placed + came) % piece_bytes;
                    let rest = announced - came;
                    let want = rest.min(piece_bytes - at);
                    let receiving = connection.receive_next(
                        lent(buf),
                        at..at + want,
                        rest - want,
                        summing.as_deref_mut(),
                    );
                    let (mut received, count, back) = receiving.await;
                    *buf = back;
                    came += count;
                    if came == announced && received.is_ok() {
                        // Whether the body is at its end.
                        let (ended, _, back) = connection.receive_into(lent(buf), 0..0, None).await;
                        (received, *buf) = (ended.map_err(|error| of_all(error, announced)), back);
                    }
                    let is_last = came == announced && received.is_ok();
                    if is_last || came < announced && at + count == piece_bytes {
                        let before = *placed + came - (at + count);
                        let taken = pieces.take(before as u64, lent(buf), at + count).await;
                        *buf = taken.map_err(Failed::Final)?;
                    }
                    if received.is_err() || count < want {
                        return Ok((received, came));
                    }
                }
                Ok((Ok(()), came))
            }
        }
    }

    /// The checksum of what has come. It is another than the one asked for, or none, where an answer has told
    /// meanwhile what nobody thought of before and the bytes are gone.
    pub(super) fn sum(&mut self, algorithm: ChecksumAlgorithm) -> Option<Sum> {
        let found = self.taken_sum();
        match &mut self.into {
            Destination::Place { memory, start } => {
                let found = found.filter(|sum| sum.algorithm() == algorithm);
                let span = *start..*start + self.placed;
                Some(found.unwrap_or_else(|| Sum::of(algorithm, bytes_of(memory.as_mut(), span))))
            }
            Destination::Pieces { .. } => found,
        }
    }

    /// The one that was taken while it came.
    pub(super) fn taken_sum(&mut self) -> Option<Sum> {
        self.summed.finish(self.placed)
    }
}

impl Destination<'_> {
    /// The memory that goes back: with all that `came`, or as it was lent.
    pub(super) fn into_buf(self, came: bool) -> Buf {
        match self {
            Destination::Place { memory, .. } => memory.into_buf(came),
            Destination::Pieces { buf, .. } => buf,
        }
    }
}

/// A body that goes on behind its end is longer than all of it.
fn of_all(error: HttpError, announced: usize) -> HttpError {
    match error {
        HttpError::BodyTooLong { .. } => HttpError::BodyTooLong { limit_bytes: announced as u64 },
        error => error,
    }
}

fn lent(buf: &mut Buf) -> Buf {
    std::mem::replace(buf, Bytes::new().into())
}
