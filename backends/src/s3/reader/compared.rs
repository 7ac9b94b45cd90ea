//! What has come, compared with the checksum that the server keeps of the whole object (DATA-2).

use std::ops::Range;
use std::sync::{MutexGuard, PoisonError};

use hydrant_engine::Core;

use super::{RangeRead, S3Reader, Told};
use crate::checksum::{ChecksumAlgorithm, Sum};
use crate::error::{Error, ErrorKind, Result};
use crate::object::Etag;
use crate::s3::attempts::Failed;
use crate::s3::call::send;
use crate::s3::checksum::ToldSum;
use crate::s3::coverage::{Coverage, Mismatch, Taken};
use crate::s3::ops::{ChecksumKind, HeadObject};

/// What came of comparing a range.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Checked {
    /// The checksum of what was read, where one was taken.
    pub(super) sum: Option<Sum>,
    /// It is still to be [settled](S3Reader::settle).
    pub(super) unsettled: bool,
}

impl S3Reader {
    /// Compares what was read from `offset` with what the server keeps a checksum of, as far as that
    /// has come (DATA-2).
    pub(super) fn check(
        &self,
        core: &Core,
        read: &mut RangeRead<'_>,
        told: &Told,
    ) -> Result<Checked, Failed> {
        let (offset, len) = (read.offset, read.placed as u64);
        let Some(algorithm) = self.to_sum(offset, len, told) else {
            return Ok(Checked { sum: read.taken_sum(), unsettled: false });
        };
        let found = read.sum(algorithm);
        let Some(found) = found.filter(|sum| sum.algorithm() == algorithm) else {
            self.coverage().settle(None);
            self.not_compared(core, format_args!("a {} was told too late", algorithm.name()));
            return Ok(Checked { sum: found, unsettled: false });
        };
        let (size, told) = (told.size_bytes, of_range(offset, told));
        match self.coverage().take(size, offset, len, found, told) {
            Ok(taken) => Ok(Checked { sum: Some(found), unsettled: taken == Taken::Ask }),
            Err(mismatch) => Err(Failed::Corrupt(self.mismatched(mismatch))),
        }
    }

    /// With which checksum the `len` bytes from `offset` on are to be summed.
    pub(super) fn to_sum(&self, offset: u64, len: u64, told: &Told) -> Option<ChecksumAlgorithm> {
        let whole = offset == 0 && len == told.size_bytes;
        self.coverage().to_sum(whole, of_range(offset, told))
    }

    /// Takes note of a range that is there from before, and compares the whole if it has come with that.
    pub(super) async fn skipped(
        &self,
        core: &Core,
        size_bytes: u64,
        range: Range<u64>,
        sum_in: &dyn Fn(ChecksumAlgorithm) -> Option<Sum>,
    ) -> Result<()> {
        let Some(algorithm) = self.coverage().to_sum(false, None) else { return Ok(()) };
        let Some(sum) = sum_in(algorithm) else {
            self.coverage().settle(None);
            let name = algorithm.name();
            self.not_compared(core, format_args!("what came before has no {name}"));
            return Ok(());
        };
        let (offset, len) = (range.start, range.end - range.start);
        let taken = self.coverage().take(size_bytes, offset, len, sum, None);
        match taken.map_err(|mismatch| self.mismatched(mismatch))? {
            Taken::Fits => Ok(()),
            Taken::Ask => self.settle(core, size_bytes, offset, len, sum).await,
        }
    }

    /// Every byte has come, and no answer told a checksum of all: asks for it, and compares. Which of
    /// the ranges is wrong nobody can tell then, so none is read again.
    pub(super) async fn settle(
        &self,
        core: &Core,
        size_bytes: u64,
        offset: u64,
        len: u64,
        found: Sum,
    ) -> Result<()> {
        let kept = self.kept_sum(core, found.algorithm()).await;
        let mut coverage = self.coverage();
        coverage.settle(kept);
        let taken = coverage.take(size_bytes, offset, len, found, None);
        taken.map(drop).map_err(|mismatch| self.mismatched(mismatch))
    }

    fn mismatched(&self, mismatch: Mismatch) -> Error {
        if !mismatch.of_ranges {
            return self.shared.unexpected(&self.object.key, mismatch);
        }
        let (object, detail) = (self.shared.uri_of(&self.object.key), mismatch.to_string());
        ErrorKind::IntegrityOfParts { object, detail }.into()
    }

    /// The checksum that the server keeps of the whole object. An answer without one, or none at all,
    /// is no failure: the bytes have come.
    async fn kept_sum(&self, core: &Core, algorithm: ChecksumAlgorithm) -> Option<Sum> {
        let mut head = HeadObject(self.object.clone());
        let etag = self.meta.get().and_then(|meta| meta.etag).filter(Etag::is_strong);
        // What was read met its condition; this asks for the checksum of that.
        head.0.conditions = Default::default();
        head.0.conditions.if_match = etag.map(|etag| etag.to_string());
        let name = algorithm.name();
        match send(core, &self.shared, &head).await {
            Ok(info) => {
                let composite = info.checksums.kind == Some(ChecksumKind::Composite);
                let text = info.checksums.get(algorithm).filter(|_| !composite);
                let kept = text.and_then(|text| Sum::parse(algorithm, text));
                if kept.is_none() && !info.checksums.values.is_empty() {
                    self.not_compared(
                        core,
                        format_args!("the server keeps no {name} of all of it"),
                    );
                }
                kept
            }
            Err(error) => {
                self.not_compared(core, format_args!("its {name} could not be asked for: {error}"));
                None
            }
        }
    }

    /// The object has a checksum, perhaps, that these ranges were not held against.
    fn not_compared(&self, core: &Core, why: std::fmt::Arguments<'_>) {
        let uri = self.shared.uri_of(&self.object.key);
        core.note(format_args!(
            "{uri} was read in ranges that were not compared as a whole: {why}"
        ));
    }

    pub(super) fn coverage(&self) -> MutexGuard<'_, Coverage> {
        self.coverage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an answer told of the range from `offset` on. That of one that carried on may be of its own bytes,
/// which are the end of these.
fn of_range(offset: u64, told: &Told) -> Option<ToldSum> {
    told.sum.filter(|_| told.range.start == offset)
}
