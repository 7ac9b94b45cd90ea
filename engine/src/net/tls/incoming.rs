//! The small buffer of a connection for what arrives: records, and plaintext that had no place yet.

use std::ops::Range;

use super::TlsProblem;
use super::reasons::problem_of;
use super::session::{Session, State};
use crate::metrics::{CopyReason, Metrics};
use crate::pool::Lease;

/// The most that one record carries (RFC 8446, section 5.1).
pub(super) const PLAIN_BYTES_MAX: usize = 16 << 10;

/// The largest record that is taken (RFC 5246, section 6.2.3), with its header.
const RECORD_BYTES_MAX: usize = PLAIN_BYTES_MAX + 2048 + 5;

/// The front of the lease holds plaintext, the rest records. Positions count from the lease's start.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Absent only while a receive owns it.
    lease: Option<Lease>,
    plain: Range<usize>,
    records: Range<usize>,
}

impl Incoming {
    pub(super) fn new(lease: Lease) -> Incoming {
        Incoming { lease: Some(lease), plain: 0..0, records: PLAIN_BYTES_MAX..PLAIN_BYTES_MAX }
    }

    /// Whether plaintext waits for a place.
    pub(super) fn has_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Fills `place` with what is there, decrypting as much as that needs; tells how much it was.
    pub(super) fn drain(
        &mut self,
        session: &mut Session,
        metrics: &Metrics,
        place: &mut [u8],
    ) -> Result<usize, TlsProblem> {
        let mut placed = self.place_plain(metrics, place);
        while placed < place.len() {
            let (count, state) = self.step(session, metrics, &mut place[placed..])?;
            placed += count;
            if state != State::Progress {
                break;
            }
        }
        Ok(placed)
    }

    /// One step of the session; plaintext for which `place` has no room waits here.
    pub(super) fn step(
        &mut self,
        session: &mut Session,
        metrics: &Metrics,
        place: &mut [u8],
    ) -> Result<(usize, State), TlsProblem> {
        let lease = self.lease.as_mut().ok_or_else(gone)?;
        let (waiting, records) =
            lease.as_mut_slice()[..self.records.end].split_at_mut(PLAIN_BYTES_MAX);
        let records = &mut records[self.records.start - PLAIN_BYTES_MAX..];
        let (plain, mut placed) = (&mut self.plain, 0);
        let step = session.step(records, &mut |bytes| {
            let (now, later) = bytes.split_at(bytes.len().min(place.len() - placed));
            metrics.copy_payload(CopyReason::Tls, now, &mut place[placed..placed + now.len()]);
            placed += now.len();
            let end = plain.end + later.len();
            metrics.copy_payload(CopyReason::Tls, later, &mut waiting[plain.end..end]);
            plain.end = end;
        });
        let step = step.map_err(problem_of)?;
        self.records.start += step.consumed;
        Ok((placed, step.state))
    }

    fn place_plain(&mut self, metrics: &Metrics, place: &mut [u8]) -> usize {
        let count = self.plain.len().min(place.len());
        let from = self.plain.start..self.plain.start + count;
        let waiting = &self.memory()[from];
        metrics.copy_payload(CopyReason::Tls, waiting, &mut place[..count]);
        self.plain.start += count;
        if self.plain.is_empty() {
            self.plain = 0..0;
        }
        count
    }

    /// Lends the lease out to be received into, and tells where; it comes back with
    /// [`Incoming::received`].
    pub(super) fn lend(&mut self, metrics: &Metrics) -> Result<(Lease, Range<usize>), TlsProblem> {
        let lease = self.lease.as_mut().ok_or_else(gone)?;
        let behind = lease.capacity() - self.records.end;
        if self.records.is_empty() {
            self.records = PLAIN_BYTES_MAX..PLAIN_BYTES_MAX;
        } else if self.records.start > PLAIN_BYTES_MAX && behind < RECORD_BYTES_MAX {
            let from = self.records.clone();
            metrics.move_payload(CopyReason::Tls, lease.as_mut_slice(), from, PLAIN_BYTES_MAX);
            self.records = PLAIN_BYTES_MAX..PLAIN_BYTES_MAX + self.records.len();
        }
        let room = self.records.end..lease.capacity();
        if room.is_empty() {
            return Err(TlsProblem::TooLarge { limit_bytes: lease.capacity() - PLAIN_BYTES_MAX });
        }
        Ok((self.lease.take().expect("looked at above"), room))
    }

    /// Takes the lease back, with so many bytes received into it.
    pub(super) fn received(&mut self, lease: Option<Lease>, count: usize) {
        self.lease = lease;
        self.records.end += count;
    }

    /// How many bytes of records wait to be decrypted.
    pub(super) fn records_bytes(&self) -> usize {
        self.records.len()
    }

    /// Bytes of records and of plaintext that wait.
    pub(super) fn held_bytes(&self) -> usize {
        self.records.len() + self.plain.len()
    }

    /// Moves the records to the front of `place`; tells how many bytes they are.
    pub(super) fn move_records_to(&mut self, metrics: &Metrics, place: &mut [u8]) -> usize {
        let (from, count) = (self.records.clone(), self.records.len());
        let records = &self.memory()[from];
        metrics.copy_payload(CopyReason::Tls, records, &mut place[..count]);
        self.records = PLAIN_BYTES_MAX..PLAIN_BYTES_MAX;
        count
    }

    /// Takes records in again that did not come whole elsewhere.
    pub(super) fn keep_records(
        &mut self,
        metrics: &Metrics,
        records: &[u8],
    ) -> Result<(), TlsProblem> {
        let end = PLAIN_BYTES_MAX + records.len();
        let lease = self.lease.as_mut().ok_or_else(gone)?;
        let limit_bytes = lease.capacity() - PLAIN_BYTES_MAX;
        let Some(place) = lease.as_mut_slice().get_mut(PLAIN_BYTES_MAX..end) else {
            return Err(TlsProblem::TooLarge { limit_bytes });
        };
        metrics.copy_payload(CopyReason::Tls, records, place);
        self.records = PLAIN_BYTES_MAX..end;
        Ok(())
    }

    fn memory(&mut self) -> &mut [u8] {
        self.lease.as_mut().map_or(&mut [], Lease::as_mut_slice)
    }
}

/// A receive that was given up took the buffer with it.
fn gone() -> TlsProblem {
    TlsProblem::Protocol("a receive was given up before it ended".to_owned())
}
