//! A part on its way from a reader to an upload, piece by piece: one comes while the one before is
//! written. So a part under way holds two pieces of memory, whatever its size, and they stay in the cache.
//!
//! Ownership: of the two buffers the reader has one. The other lies here, or is lent to a write; that future
//! is dropped with this, and the op keeps the buffer until the kernel is done with it (OWN-1).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use hydrant_engine::{Buf, Core};

use super::plan::PartRequest;
use crate::checksum::{ChecksumAlgorithm, Crc64};
use crate::error::Result;
use crate::store::{LocalFuture, Pieces, Upload};

/// How the parts of a transfer go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage<'a> {
    pub(super) upload: &'a dyn Upload,
    /// Bytes of every piece but the last of a part.
    pub(super) piece_bytes: usize,
    /// A CRC-64/NVME of each part is wanted.
    pub(super) wants_crc: bool,
}

/// The pieces of one part.
pub(super) struct Relay<'a> {
    core: &'a Core,
    passage: Passage<'a>,
    part: PartRequest,
    spare: Option<Buf>,
    /// Absent when nothing is being written.
    writing: Option<LocalFuture<'a, (Result<()>, Buf)>>,
    /// Of what has come, where it is wanted and the reader takes another or none.
    crc: Option<Crc64>,
}

impl<'a> Relay<'a> {
    pub(super) fn new(
        core: &'a Core,
        passage: Passage<'a>,
        part: PartRequest,
        spare: Buf,
    ) -> Relay<'a> {
        Relay { core, passage, part, spare: Some(spare), writing: None, crc: None }
    }

    /// Waits until everything is written. Gives the checksum of it, where one was taken here.
    pub(super) async fn finish(mut self) -> Result<Option<Crc64>> {
        self.written().await?;
        Ok(self.crc)
    }

    /// Waits until nothing is being written.
    async fn written(&mut self) -> Result<()> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let (result, buf) = writing.await;
        (self.writing, self.spare) = (None, Some(buf));
        result
    }

    async fn take_piece(&mut self, at: u64, mut buf: Buf, len: usize) -> Result<Buf> {
        if let Some(crc) = &mut self.crc {
            let piece = &buf.as_mut_slice().expect("it was just written to")[..len];
            *crc = crc.then(Crc64::of(piece), len as u64);
        }
        self.written().await?;
        let mut writing = self.passage.upload.put_piece(self.core, self.part, at, buf, len);
        // Handed over now; it is looked after when its memory is wanted.
        let begun = poll_fn(|cx| Poll::Ready(Pin::new(&mut writing).poll(cx))).await;
        let spare = self.spare.take();
        match begun {
            Poll::Pending => self.writing = Some(writing),
            Poll::Ready((result, buf)) => {
                result?;
                self.spare = Some(buf);
            }
        }
        Ok(spare.expect("the other buffer is back when nothing is being written"))
    }
}

impl Pieces for Relay<'_> {
    fn piece_bytes(&self) -> usize {
        self.passage.piece_bytes
    }

    fn begin(&mut self, summed: Option<ChecksumAlgorithm>) -> LocalFuture<'_, Result<()>> {
        let sums = self.passage.wants_crc && summed != Some(ChecksumAlgorithm::Crc64Nvme);
        self.crc = sums.then_some(Crc64::OF_NOTHING);
        // What is written anew must not be overtaken by what was written before.
        self.core.boxed(self.written())
    }

    fn take(&mut self, at: u64, buf: Buf, len: usize) -> LocalFuture<'_, Result<Buf>> {
        self.core.boxed(self.take_piece(at, buf, len))
    }
}
