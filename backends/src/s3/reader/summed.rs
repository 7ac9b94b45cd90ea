//! The checksum of a range, taken while its bytes come: a pass over a part that has all arrived finds most
//! of it gone from the cache.

use crate::checksum::{ChecksumAlgorithm, Sum, Summing};

/// What has been summed of a range so far, over as many attempts as it takes.
#[derive(Debug, Default)]
pub(super) struct Summed {
    summing: Option<Summing>,
    len_bytes: usize,
}

impl Summed {
    /// Goes on behind the first `placed` bytes, where those and no others were summed; with none of them it
    /// begins anew. Tells whether it wants to see what comes.
    pub(super) fn carry_on(&mut self, placed: usize, algorithm: Option<ChecksumAlgorithm>) -> bool {
        if placed == 0 {
            *self = Summed { summing: algorithm.map(Summing::new), len_bytes: 0 };
        } else if placed != self.len_bytes {
            self.summing = None;
        }
        self.summing.is_some()
    }

    /// Takes what came next.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.len_bytes += bytes.len();
        if let Some(summing) = &mut self.summing {
            summing.update(bytes);
        }
    }

    /// The checksum of exactly `len_bytes` bytes, if this is the one that was taken of them. What another answer
    /// told meanwhile may ask for one that nobody thought of when they came.
    pub(super) fn finish(&mut self, algorithm: ChecksumAlgorithm, len_bytes: usize) -> Option<Sum> {
        let summing = self.summing.take().filter(|_| self.len_bytes == len_bytes)?;
        (summing.algorithm() == algorithm).then(|| summing.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChecksumAlgorithm::*;

    fn of(summed: &mut Summed, pieces: &[&str]) {
        pieces.iter().for_each(|piece| summed.update(piece.as_bytes()));
    }

    #[test]
    fn a_range_that_broke_off_is_summed_on() {
        let mut summed = Summed::default();
        assert!(summed.carry_on(0, Some(Sha256)));
        of(&mut summed, &["one ", "range "]);
        assert!(summed.carry_on(10, Some(Crc32)));
        of(&mut summed, &["in pieces"]);
        let sum = summed.finish(Sha256, 19);
        assert_eq!(sum, Some(Sum::of(Sha256, b"one range in pieces")));
    }

    #[test]
    fn what_came_and_was_given_up_is_in_no_sum() {
        // Bytes of an attempt that did not count lie behind the four that do.
        let mut summed = Summed::default();
        summed.carry_on(0, Some(Crc32));
        of(&mut summed, &["one ", "more"]);
        assert!(!summed.carry_on(4, Some(Crc32)));
        of(&mut summed, &["two"]);
        assert_eq!(summed.finish(Crc32, 7), None);
        // All is read again.
        summed.carry_on(0, Some(Crc32));
        of(&mut summed, &["two"]);
        assert_eq!(summed.finish(Crc32, 3), Some(Sum::of(Crc32, b"two")));
    }

    #[test]
    fn another_checksum_or_other_bytes_are_not_told() {
        for (algorithm, len_bytes) in [(Crc32, 2), (Crc32c, 3)] {
            let mut summed = Summed::default();
            summed.carry_on(0, Some(Crc32));
            of(&mut summed, &["two"]);
            assert_eq!(summed.finish(algorithm, len_bytes), None);
        }
    }
}
