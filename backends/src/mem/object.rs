//! What an object in memory consists of.

use std::ops::Range;
use std::sync::Arc;

use hydrant_engine::{Buf, CopyReason, Metrics};

use super::budget::{Budget, Charge};
use crate::error::{ErrorKind, Result};
use crate::object::ObjectMeta;

/// One version of an object. It never changes; readers hold on to it.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) meta: ObjectMeta,
    /// End to end, in order.
    pub(super) pieces: Vec<Piece>,
    /// For the key and the place in the map.
    pub(super) _charge: Charge,
}

/// Bytes of an object, as they came: whole, or one part of an upload.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) bytes: Box<[u8]>,
    _charge: Charge,
}

impl Object {
    /// Copies what lies at `offset` to `to`, which is no longer than that.
    pub(super) fn copy_out(&self, metrics: &Metrics, offset: u64, to: &mut [u8]) -> usize {
        let mut done = 0;
        let first = self.pieces.partition_point(|piece| piece.end() <= offset);
        for piece in &self.pieces[first..] {
            if done == to.len() {
                break;
            }
            let skipped = (offset + done as u64 - piece.offset) as usize;
            let count = (piece.bytes.len() - skipped).min(to.len() - done);
            let from = &piece.bytes[skipped..skipped + count];
            metrics.copy_payload(CopyReason::Bounce, from, &mut to[done..done + count]);
            done += count;
        }
        done
    }
}

impl Piece {
    /// Copies `span` of `buf`, which is `offset` bytes into the object `uri`.
    ///
    /// # Errors
    /// `Config` when the budget is used up or the system has no memory; `InvalidInput` for a span
    /// that leaves the buffer.
    pub(super) fn copy_in(
        uri: &str,
        budget: &Arc<Budget>,
        metrics: &Metrics,
        offset: u64,
        buf: &Buf,
        span: Range<usize>,
    ) -> Result<Piece> {
        let Some(from) = buf.as_slice().get(span.clone()) else {
            let text = format!("bytes {span:?} of a buffer that holds {}", buf.len());
            return Err(ErrorKind::InvalidInput(text).into());
        };
        let charge = charge(uri, budget, from.len() as u64)?;
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(from.len()).is_err() {
            let text = format!("{uri}: the system has no {} bytes of memory left", from.len());
            return Err(ErrorKind::Config(text).into());
        }
        bytes.resize(from.len(), 0);
        metrics.copy_payload(CopyReason::Bounce, from, &mut bytes);
        Ok(Piece { offset, bytes: bytes.into(), _charge: charge })
    }

    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// A piece of the budget, or what to do about it.
pub(super) fn charge(uri: &str, budget: &Arc<Budget>, bytes: u64) -> Result<Charge> {
    budget.charge(bytes).ok_or_else(|| {
        let (used, max) = (budget.used_bytes(), budget.bytes_max());
        let text = format!(
            "{uri} needs {bytes} bytes more, and objects in memory take {used} of \
             mem_bytes_max = {max}; raise it or delete some"
        );
        ErrorKind::Config(text).into()
    })
}
