//! What has arrived or was sent, and the checksum of the whole, put together from those of the ranges.

use std::ops::Range;

use hydrant::{Crc64, compose};

use super::answer::Answer;

/// Of one thread, or of all.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) bytes: u64,
    /// Start, sum and length of each range that was summed.
    sums: Vec<(u64, Crc64, u64)>,
}

impl Moved {
    /// The answer for `range` is complete.
    pub(super) fn note(&mut self, range: &Range<u64>, answer: &Answer) {
        let len = range.end - range.start;
        self.bytes += len;
        self.sums.extend(answer.sum().map(|sum| (range.start, sum, len)));
    }

    pub(super) fn join(mut self, other: Moved) -> Moved {
        self.bytes += other.bytes;
        self.sums.extend(other.sums);
        self
    }

    /// Of all ranges, which others may have taken in any order.
    pub(super) fn sum(mut self) -> Crc64 {
        self.sums.sort_unstable_by_key(|&(start, ..)| start);
        compose(self.sums.into_iter().map(|(_, sum, len)| (sum, len)))
    }
}
