//! An upload in parts to memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hydrant_engine::{Buf, Core};

use super::object::Piece;
use super::store::Shared;
use crate::checksum::Sum;
use crate::error::{ErrorKind, Result};
use crate::object::{ObjectMeta, PutOptions};
use crate::pipeline::PartRequest;
use crate::store::{LocalFuture, PartTag, Upload};
use crate::upload::{Life, size_of_parts};

/// Parts that wait to become an object.
#[derive(Debug)]
pub(super) struct MemUpload {
    shared: Arc<Shared>,
    key: String,
    size_bytes: Option<u64>,
    options: PutOptions,
    /// By their offset.
    pieces: Mutex<BTreeMap<u64, Piece>>,
    life: Life,
}

impl MemUpload {
    pub(super) fn new(
        shared: Arc<Shared>,
        key: &str,
        size_bytes: Option<u64>,
        options: &PutOptions,
    ) -> MemUpload {
        MemUpload {
            shared,
            key: key.to_owned(),
            size_bytes,
            options: options.clone(),
            pieces: Mutex::default(),
            life: Life::default(),
        }
    }

    fn keep(
        &self,
        core: &Core,
        part: PartRequest,
        buf: &Buf,
        span: Range<usize>,
    ) -> Result<PartTag> {
        let uri = self.shared.uri_of(&self.key);
        self.life.check_open(&uri)?;
        if span.len() as u64 != part.len {
            let text =
                format!("part {} of {uri} has {} bytes, not {}", part.index, part.len, span.len());
            return Err(ErrorKind::InvalidInput(text).into());
        }
        // A part that comes again replaces what came before, which must not count twice.
        drop(self.pieces().remove(&part.offset));
        let budget = self.shared.budget();
        let piece = Piece::copy_in(&uri, budget, core.metrics(), part.offset, buf, span)?;
        self.pieces().insert(part.offset, piece);
        Ok(PartTag { part, etag: None, sum: None })
    }

    fn finish(&self, core: &Core, tags: &[PartTag]) -> Result<ObjectMeta> {
        let uri = self.shared.uri_of(&self.key);
        self.life.begin_completing(&uri)?;
        let pieces = std::mem::take(&mut *self.pieces());
        let made = self.put_together(core, &uri, tags, pieces);
        match made {
            Ok(_) => self.life.set_visible(),
            Err(_) => self.life.set_gone(),
        }
        made
    }

    fn put_together(
        &self,
        core: &Core,
        uri: &str,
        tags: &[PartTag],
        mut pieces: BTreeMap<u64, Piece>,
    ) -> Result<ObjectMeta> {
        size_of_parts(uri, tags, self.size_bytes)?;
        let mut whole = Vec::with_capacity(tags.len());
        for tag in tags.iter().filter(|tag| tag.part.len > 0) {
            let piece = pieces.remove(&tag.part.offset);
            let piece = piece.filter(|piece| piece.bytes.len() as u64 == tag.part.len);
            whole.push(piece.ok_or_else(|| {
                let detail = format!("part {} never came", tag.part.index);
                ErrorKind::Integrity { object: uri.to_owned(), detail }
            })?);
        }
        self.shared.insert(core, &self.key, whole, &self.options)
    }

    fn pieces(&self) -> MutexGuard<'_, BTreeMap<u64, Piece>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload for MemUpload {
    fn put_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
        _sum: Option<Sum>,
    ) -> LocalFuture<'a, (Result<PartTag>, Buf)> {
        core.boxed(async move { (self.keep(core, part, &buf, span), buf) })
    }

    fn complete<'a>(
        &'a self,
        core: &'a Core,
        tags: &'a [PartTag],
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(async move { self.finish(core, tags) })
    }

    fn abort<'a>(&'a self, core: &'a Core) -> LocalFuture<'a, Result<()>> {
        core.boxed(async move {
            if self.life.begin_aborting(&self.shared.uri_of(&self.key))? {
                self.pieces().clear();
                self.life.set_gone();
            }
            Ok(())
        })
    }
}
