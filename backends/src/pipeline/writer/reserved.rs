//! Memory of a writer, filled in place.

use hydrant_engine::block_on;

use super::Writer;
use crate::error::{ErrorKind, Result};

/// Memory of a part that is being filled, to be filled in place. Dropping it appends nothing.
#[derive(Debug)]
pub struct Reserved<'a> {
    writer: &'a mut Writer,
    len: usize,
}

impl<'a> Reserved<'a> {
    pub(super) fn new(writer: &'a mut Writer, len: usize) -> Reserved<'a> {
        Reserved { writer, len }
    }

    /// The memory. It holds whatever its last owner left.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let at = self.writer.staged_bytes;
        let lease = self.writer.staged.as_mut().expect("staged when it was reserved");
        &mut lease.as_mut_slice()[at..at + self.len]
    }

    /// Bytes that can be filled.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Appends the first `len_bytes` of it to the stream.
    ///
    /// # Errors
    /// As [`Writer::write`]; more bytes than were reserved, which appends nothing.
    pub async fn commit(self, len_bytes: usize) -> Result<()> {
        if len_bytes > self.len {
            let text = format!("{len_bytes} bytes are committed of {} reserved ones", self.len);
            return Err(ErrorKind::InvalidInput(text).into());
        }
        self.writer.begin_change()?;
        let result = self.writer.appended(len_bytes).await;
        self.writer.end_change(result)
    }

    /// [`Reserved::commit`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn commit_wait(self, len_bytes: usize) -> Result<()> {
        block_on(self.commit(len_bytes))?
    }
}
