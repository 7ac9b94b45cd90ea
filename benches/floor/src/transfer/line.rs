//! One connection of a transfer: HTTP on the socket itself, or with TLS between.

use std::ops::Range;

use super::Transfer;
use super::answer::Answer;
use super::sealed::Sealed;
use crate::arena::Arena;
use crate::connection::Connection;
use crate::failure::Result;
use crate::tls::Sessions;

pub(super) struct Line {
    pub(super) connection: Connection,
    tls: Option<Sealed>,
}

impl Line {
    /// Opens the connections `numbers`, each with a buffer of the arena, and shakes hands where TLS
    /// is spoken.
    pub(super) fn open_all(
        transfer: &Transfer,
        sessions: Option<&Sessions>,
        numbers: &[usize],
        arena: &Arena,
    ) -> Result<Vec<Line>> {
        let open = |(slot, &number): (usize, &usize)| {
            let connection = Connection::open(transfer.address, number, arena.buffer(slot))?;
            let address = transfer.address.ip();
            let tls = sessions.map(|sessions| Sealed::open(sessions.begin(address)?, &connection));
            Ok(Line { connection, tls: tls.transpose()? })
        };
        numbers.iter().enumerate().map(open).collect()
    }

    /// The bytes on the wire that say `head`.
    pub(super) fn seal(&mut self, head: String) -> Result<Vec<u8>> {
        match &mut self.tls {
            None => Ok(head.into_bytes()),
            Some(tls) => tls.seal(&head),
        }
    }

    /// Where in the buffer the next bytes of the answer go, and whether all of them are sure to come,
    /// so that the kernel may wait for the last.
    pub(super) fn next_span(&self, answer: &Answer) -> (Range<usize>, bool) {
        let buffer_bytes = self.connection.buffer.len();
        match &self.tls {
            None => (answer.next_span(buffer_bytes), answer.body_left().is_some()),
            Some(tls) => tls.next_span(answer, buffer_bytes),
        }
    }

    /// `count` bytes arrived in the span. True when the answer is complete.
    ///
    /// # Safety
    /// The arena is alive, and nothing of this line is in flight (OWN-1).
    pub(super) unsafe fn received(&mut self, answer: &mut Answer, count: usize) -> Result<bool> {
        let buffer = self.connection.buffer;
        match &mut self.tls {
            // SAFETY: the caller vouches for it.
            None => answer.received(unsafe { buffer.filled(buffer.len()) }, count),
            // SAFETY: as above, and the slice is the only one of this buffer.
            Some(tls) => tls.received(answer, unsafe { buffer.filled_mut(buffer.len()) }, count),
        }
    }
}
