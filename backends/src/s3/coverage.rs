//! Whether what came of an object is what its checksum says, in however many ranges it came.
//!
//! S3 tells the checksum of the whole object with an answer that brings all of it, and with others
//! none, or that of a part where the range is one as it was uploaded; other servers tell that of the
//! whole with every range. None says which it is. So a value that fits the bytes of a range vouches
//! for them; any other is taken for that of the whole, and compared once every byte of it has come,
//! or else the server is asked for it then. CRCs of ranges combine, so no byte is read or kept for
//! that.

use std::fmt;

use super::checksum::ToldSum;
use super::ops::ChecksumKind;
use crate::checksum::{ChecksumAlgorithm, Sum};

/// Stretches at most that lie apart. The ranges of a transfer come nearly in order, so there are as
/// many as are under way at once; somebody who reads here and there covers no object.
const STRETCHES_MAX: usize = 1024;

/// What has come of one object.
#[derive(Debug)]
pub(super) struct Coverage {
    /// With what ranges are summed of which nothing is told.
    usual: ChecksumAlgorithm,
    /// The checksum of the whole, once an answer told it.
    whole: Option<Sum>,
    /// What has come, by offset; neighbours are joined.
    stretches: Vec<Stretch>,
    /// Whether the first read began with the first byte.
    covering: Option<bool>,
    /// Too much lies apart, or came with another checksum, or something came twice and in other pieces:
    /// the whole will not be compared.
    given_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: u64,
    len: u64,
    sum: Sum,
}

/// What taking note of a range came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing speaks against it.
    Fits,
    /// With it every byte has come, and nothing was told of them: ask, [settle](Coverage::settle),
    /// and take it again.
    Ask,
}

/// A checksum that the bytes do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) told: Sum,
    pub(super) found: Sum,
    /// Of the whole object, whose bytes came in several answers.
    pub(super) of_ranges: bool,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, found, told) = (self.told.algorithm().name(), self.found, self.told);
        let what = if self.of_ranges { "the ranges of it together have" } else { "it has" };
        write!(f, "{what} the {name} {found}, and {told} was told")
    }
}

impl Coverage {
    /// Nothing yet. `usual` is what the server most likely keeps, and combines.
    pub(super) fn new(usual: ChecksumAlgorithm) -> Coverage {
        Coverage { usual, whole: None, stretches: Vec::new(), covering: None, given_up: false }
    }

    /// A read begins at this offset. Only a reader that starts with the first byte is taken for one
    /// who wants all of them.
    pub(super) fn begin(&mut self, offset: u64) {
        self.covering.get_or_insert(offset == 0);
    }

    /// With which checksum bytes are to be summed: `whole` where they are all of the object, and
    /// `told` what the answer told of them.
    pub(super) fn to_sum(&self, whole: bool, told: Option<ToldSum>) -> Option<ChecksumAlgorithm> {
        let told = told.map(|told| told.sum.algorithm());
        let of_object = self.whole.map(|sum| sum.algorithm());
        if whole {
            return told.or(of_object);
        }
        match self.covering == Some(true) && !self.given_up {
            true => of_object.or(told).or(Some(self.usual)),
            false => told,
        }
    }

    /// The server has told the checksum of the whole, or that it has none.
    pub(super) fn settle(&mut self, whole: Option<Sum>) {
        self.whole = whole;
        self.given_up |= whole.is_none();
    }

    /// Takes note of the range that begins at `start` and has `len` bytes with the sum `found`, of an
    /// object of `size` bytes. What does not fit is not taken, so that it may be read again.
    ///
    /// # Errors
    /// The bytes are not those that the checksum was made of.
    pub(super) fn take(
        &mut self,
        size: u64,
        start: u64,
        len: u64,
        found: Sum,
        told: Option<ToldSum>,
    ) -> Result<Taken, Mismatch> {
        let told = told.filter(|told| told.sum.algorithm() == found.algorithm());
        if start == 0 && len == size {
            return match told.map(|told| told.sum).or(self.whole) {
                Some(told) if told != found => Err(Mismatch { told, found, of_ranges: false }),
                _ => Ok(Taken::Fits),
            };
        }
        if let Some(told) = told.filter(|told| told.sum != found) {
            match self.whole {
                None if told.kind != Some(ChecksumKind::Composite) => self.whole = Some(told.sum),
                // Neither that of the range nor the one that the object had before.
                Some(whole) if whole != told.sum => {
                    return Err(Mismatch { told: told.sum, found, of_ranges: false });
                }
                _ => {}
            }
        }
        self.add(size, Stretch { start, len, sum: found })
    }

    /// Joins a stretch with its neighbours, and compares the whole once it is there.
    fn add(&mut self, size: u64, new: Stretch) -> Result<Taken, Mismatch> {
        let counts = self.covering == Some(true) && new.sum.algorithm().combines() && new.len > 0;
        if self.given_up || !counts {
            return Ok(Taken::Fits);
        }
        // What is read once more counts as it came then: who lost it had no use for what came before.
        let end = new.start + new.len;
        self.stretches.retain(|known| known.start < new.start || known.start + known.len > end);
        let at = self.stretches.partition_point(|known| known.start < new.start);
        let (before, after) = self.stretches.split_at(at);
        let overlaps = before.last().is_some_and(|known| known.start + known.len > new.start)
            || after.first().is_some_and(|known| end > known.start);
        let joins = |known: &Stretch| known.sum.algorithm() == new.sum.algorithm();
        let mixed = !self.stretches.first().is_none_or(joins);
        if overlaps || mixed || self.stretches.len() == STRETCHES_MAX {
            self.given_up = true;
            self.stretches = Vec::new();
            return Ok(Taken::Fits);
        }
        let (mut joined, mut range) = (new, at..at);
        if let Some(both) = before.last().and_then(|known| known.then(&joined)) {
            (joined, range.start) = (both, at - 1);
        }
        if let Some(both) = after.first().and_then(|next| joined.then(next)) {
            (joined, range.end) = (both, at + 1);
        }
        if joined.start == 0 && joined.len == size {
            match self.whole {
                None => return Ok(Taken::Ask),
                Some(told) if told != joined.sum => {
                    return Err(Mismatch { told, found: joined.sum, of_ranges: true });
                }
                Some(_) => {}
            }
        }
        self.stretches.splice(range, [joined]);
        Ok(Taken::Fits)
    }
}

impl Stretch {
    /// Both as one, if the other begins where this one ends.
    fn then(&self, next: &Stretch) -> Option<Stretch> {
        let sum = self.sum.then(next.sum, next.len).filter(|_| self.start + self.len == next.start);
        sum.map(|sum| Stretch { start: self.start, len: self.len + next.len, sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::ChecksumAlgorithm::*;
    use proptest::prelude::*;

    const OBJECT: &[u8] = b"the bytes of an object";
    const SIZE: u64 = OBJECT.len() as u64;

    fn told(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Option<ToldSum> {
        Some(ToldSum { sum: Sum::of(algorithm, bytes), kind: Some(ChecksumKind::FullObject) })
    }

    fn take(
        coverage: &mut Coverage,
        start: usize,
        bytes: &[u8],
        told: Option<ToldSum>,
    ) -> Result<Taken, Mismatch> {
        coverage.begin(0);
        let whole = bytes.len() == OBJECT.len();
        let Some(algorithm) = coverage.to_sum(whole, told) else { return Ok(Taken::Fits) };
        let found = Sum::of(algorithm, bytes);
        coverage.take(SIZE, start as u64, bytes.len() as u64, found, told)
    }

    #[test]
    fn a_whole_object_is_compared_at_once() {
        for algorithm in [Crc64Nvme, Crc32c, Crc32, Sha1, Sha256] {
            let mut coverage = Coverage::new(Crc64Nvme);
            let wrong = told(algorithm, b"other bytes");
            assert_eq!(take(&mut coverage, 0, OBJECT, told(algorithm, OBJECT)), Ok(Taken::Fits));
            let mismatch = take(&mut coverage, 0, OBJECT, wrong).unwrap_err();
            assert!(!mismatch.of_ranges);
        }
        assert_eq!(
            take(&mut Coverage::new(Crc64Nvme), 0, OBJECT, None),
            Ok(Taken::Fits),
            "none told"
        );
    }

    proptest! {
        #[test]
        fn ranges_in_any_order_make_the_whole(
            cuts in prop::collection::btree_set(1..OBJECT.len(), 1..8),
            order in any::<u64>(),
            broken in any::<prop::sample::Index>(),
        ) {
            let cuts: Vec<_> = [0].into_iter().chain(cuts).chain([OBJECT.len()]).collect();
            let mut ranges: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
            let count = ranges.len();
            (0..count).for_each(|at| ranges.swap(at, (order >> at) as usize % count));
            let whole = told(Crc32c, OBJECT);
            let mut coverage = Coverage::new(Crc64Nvme);
            for range in &ranges {
                prop_assert_eq!(take(&mut coverage, range.start, &OBJECT[range.clone()], whole), Ok(Taken::Fits));
            }
            prop_assert_eq!(coverage.stretches.len(), 1);

            // One wrong bit anywhere: the range that completes the whole is refused, and taken again
            // once it or what was wrong comes right.
            let mut bytes = OBJECT.to_vec();
            bytes[broken.index(OBJECT.len())] ^= 1;
            let mut coverage = Coverage::new(Crc64Nvme);
            let results: Vec<_> = ranges
                .iter()
                .map(|range| take(&mut coverage, range.start, &bytes[range.clone()], whole))
                .collect();
            prop_assert!(results[..count - 1].iter().all(Result::is_ok));
            prop_assert!(results[count - 1].is_err_and(|mismatch| mismatch.of_ranges));
            let last = ranges[count - 1].clone();
            let again = take(&mut coverage, last.start, &OBJECT[last.clone()], whole);
            prop_assert_eq!(again.is_ok(), bytes[last.clone()] != OBJECT[last]);
        }
    }

    #[test]
    fn the_sum_of_a_part_vouches_for_the_part() {
        let mut coverage = Coverage::new(Crc64Nvme);
        for range in [0..10, 10..OBJECT.len()] {
            let part = &OBJECT[range.clone()];
            assert_eq!(take(&mut coverage, range.start, part, told(Sha256, part)), Ok(Taken::Fits));
        }
        assert_eq!(coverage.whole, None);
    }

    #[test]
    fn a_second_checksum_of_the_whole_is_a_mismatch() {
        let mut coverage = Coverage::new(Crc64Nvme);
        assert_eq!(take(&mut coverage, 0, &OBJECT[..5], told(Crc32, OBJECT)), Ok(Taken::Fits));
        let other = told(Crc32, b"another object");
        assert!(take(&mut coverage, 5, &OBJECT[5..], other).is_err());
        assert_eq!(take(&mut coverage, 5, &OBJECT[5..], told(Crc32, OBJECT)), Ok(Taken::Fits));
    }

    #[test]
    fn what_is_read_once_more_counts_as_it_came_then() {
        let (whole, wrong) = (told(Crc32, OBJECT), b"wrong bytes");
        // The same range, and a larger one.
        for again in [5, 11] {
            let mut coverage = Coverage::new(Crc64Nvme);
            assert_eq!(take(&mut coverage, 0, &wrong[..5], whole), Ok(Taken::Fits));
            assert_eq!(take(&mut coverage, 0, &OBJECT[..again], whole), Ok(Taken::Fits));
            assert_eq!(take(&mut coverage, again, &OBJECT[again..], whole), Ok(Taken::Fits));
            assert!(!coverage.given_up && coverage.stretches.len() == 1);
            let mut coverage = Coverage::new(Crc64Nvme);
            assert_eq!(take(&mut coverage, 0, &OBJECT[..5], whole), Ok(Taken::Fits));
            assert_eq!(take(&mut coverage, 0, &wrong[..again], whole), Ok(Taken::Fits));
            assert!(take(&mut coverage, again, &OBJECT[again..], whole).is_err());
        }
    }

    #[test]
    fn what_comes_twice_in_other_pieces_or_here_and_there_is_not_compared() {
        let whole = told(Crc32, b"not these bytes");
        let mut coverage = Coverage::new(Crc64Nvme);
        for range in [0..5, 3..8] {
            let taken = take(&mut coverage, range.start, &OBJECT[range], whole);
            assert_eq!(taken, Ok(Taken::Fits));
        }
        assert!(coverage.given_up);
        let mut coverage = Coverage::new(Crc64Nvme);
        let sum = Sum::of(Crc32, b"x");
        for at in 0..2 * STRETCHES_MAX as u64 {
            coverage.begin(0);
            assert_eq!(coverage.take(1 << 40, 1 + 2 * at, 1, sum, whole), Ok(Taken::Fits));
            assert!(coverage.stretches.len() <= STRETCHES_MAX);
        }
        assert!(coverage.given_up);
    }

    #[test]
    fn a_server_that_tells_nothing_is_asked_at_the_end() {
        for (told, fits) in [(OBJECT, true), (b"other bytes", false)] {
            let mut coverage = Coverage::new(Crc64Nvme);
            assert_eq!(take(&mut coverage, 5, &OBJECT[5..], None), Ok(Taken::Fits));
            assert_eq!(take(&mut coverage, 0, &OBJECT[..5], None), Ok(Taken::Ask));
            coverage.settle(Some(Sum::of(Crc64Nvme, told)));
            // Read again, it is no better.
            for _ in 0..2 {
                let taken = take(&mut coverage, 0, &OBJECT[..5], None);
                assert_eq!(taken.is_ok(), fits);
            }
        }
        let mut coverage = Coverage::new(Crc64Nvme);
        assert_eq!(take(&mut coverage, 0, &OBJECT[..5], None), Ok(Taken::Fits));
        assert_eq!(take(&mut coverage, 5, &OBJECT[5..], None), Ok(Taken::Ask));
        coverage.settle(None);
        assert_eq!(take(&mut coverage, 5, &OBJECT[5..], None), Ok(Taken::Fits));
    }

    #[test]
    fn ranges_with_different_checksums_make_no_whole() {
        let mut coverage = Coverage::new(Crc64Nvme);
        assert_eq!(take(&mut coverage, 0, &OBJECT[..5], None), Ok(Taken::Fits));
        let part = &OBJECT[5..];
        assert!(take(&mut coverage, 5, part, told(Crc32, b"another part")).is_ok());
        assert!(coverage.given_up && coverage.stretches.is_empty());
        // What is told of a range still vouches for it, and nothing is summed in vain.
        assert_eq!(coverage.to_sum(false, None), None);
        assert_eq!(coverage.to_sum(false, told(Crc32, part)), Some(Crc32));
    }

    #[test]
    fn who_begins_elsewhere_does_not_sum_in_vain() {
        let mut coverage = Coverage::new(Crc64Nvme);
        coverage.begin(5);
        assert_eq!(coverage.to_sum(false, None), None);
        coverage.begin(0);
        assert_eq!(coverage.to_sum(false, None), None);
    }
}
