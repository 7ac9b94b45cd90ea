//! TLS of one connection. Records arrive in the buffer of the connection, as many as fit; what they
//! carry is read out to a small buffer, each piece over the one before. A part of a record at the
//! end of a receive goes to the front of the buffer and waits there for the rest.

use std::ops::Range;

use super::answer::Answer;
use crate::connection::Connection;
use crate::failure::{Failure, Result};
use crate::tls::Session;

/// What one record carries at most: so much is read out at a time.
const PLAIN_BYTES: usize = 16 << 10;

/// The least buffer for records: the largest, and room for more.
pub(super) const RECORDS_BYTES_MIN: usize = 32 << 10;

pub(super) struct Sealed {
    session: Box<dyn Session>,
    /// The start of a record, at the start of the connection's buffer.
    held_bytes: usize,
    plain: Box<[u8]>,
}

impl Sealed {
    /// Shakes hands by blocking calls.
    pub(super) fn open(session: Box<dyn Session>, connection: &Connection) -> Result<Sealed> {
        let plain = vec![0; PLAIN_BYTES].into_boxed_slice();
        let mut sealed = Sealed { session, held_bytes: 0, plain };
        loop {
            // SAFETY: the arena lives as long as its connections, and blocking calls are all that was
            // ever in flight.
            let records = unsafe { connection.buffer.filled_mut(sealed.held_bytes) };
            sealed.take(records, &mut |_| {
                Err(Failure::wrong("the server sent an answer before it was asked"))
            })?;
            connection.send_all(&sealed.session.answers()?, 0)?;
            if !sealed.session.is_handshaking() {
                return Ok(sealed);
            }
            let count = connection.receive(sealed.held_bytes..connection.buffer.len(), 0)?;
            if count == 0 {
                return Err(Failure::wrong("the server closed the connection in the handshake"));
            }
            sealed.held_bytes += count;
        }
    }

    pub(super) fn seal(&mut self, head: &str) -> Result<Vec<u8>> {
        self.session.encrypt(head.as_bytes())
    }

    /// A record is longer than what it carries: of what is missing and is not held, at least as many
    /// bytes come.
    pub(super) fn next_span(&self, answer: &Answer, buffer_bytes: usize) -> (Range<usize>, bool) {
        let held = self.held_bytes;
        let sure = answer.body_left().unwrap_or(0).saturating_sub(held as u64);
        match usize::try_from(sure).unwrap_or(usize::MAX) {
            0 => (held..buffer_bytes, false),
            sure => (held..buffer_bytes.min(held.saturating_add(sure)), true),
        }
    }

    pub(super) fn received(
        &mut self,
        answer: &mut Answer,
        buffer: &mut [u8],
        count: usize,
    ) -> Result<bool> {
        if count == 0 {
            return Err(Failure::wrong(
                "the server closed the connection in the middle of an answer",
            ));
        }
        let records = &mut buffer[..self.held_bytes + count];
        let mut plain = std::mem::take(&mut self.plain);
        let mut complete = false;
        self.take(records, &mut |payload| {
            complete |= read_out(payload, answer, &mut plain)?;
            Ok(())
        })?;
        self.plain = plain;
        Ok(complete)
    }

    /// Takes all whole records and moves the rest to the front.
    fn take(
        &mut self,
        records: &mut [u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let taken = self.session.take(records, sink)?;
        records.copy_within(taken.., 0);
        self.held_bytes = records.len() - taken;
        Ok(())
    }
}

/// Copies `payload` to where its parts go. True when the answer is complete.
fn read_out(mut payload: &[u8], answer: &mut Answer, plain: &mut [u8]) -> Result<bool> {
    let mut complete = false;
    while !payload.is_empty() {
        let span = answer.next_span(plain.len());
        let count = payload.len().min(span.len());
        if count == 0 {
            return Err(Failure::wrong("more bytes arrived than Content-Length names"));
        }
        let now;
        (now, payload) = payload.split_at(count);
        plain[span.start..span.start + count].copy_from_slice(now);
        complete = answer.received(plain, count)?;
    }
    Ok(complete)
}
