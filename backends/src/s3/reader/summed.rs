//! The checksum of a range, taken while its bytes come: a pass over a part that has all arrived finds most
//! of it gone from the cache.

use crate::checksum::{ChecksumAlgorithm, Sum, Summing};

/// What has been summed of a range so far, over as many attempts as it takes.
#[derive(Debug, Default)]
pub(super) struct Summed(Option<Summing>);

impl Summed {
    /// What takes the bytes behind the first `placed`. With none of them it begins anew; where those and
    /// others were summed, or only some of them, there is no going on.
    pub(super) fn carry_on(
        &mut self,
        placed: usize,
        algorithm: Option<ChecksumAlgorithm>,
    ) -> Option<&mut Summing> {
        self.0 = match placed {
            0 => algorithm.map(Summing::new),
            _ => self.0.take().filter(|summing| summing.len_bytes() == placed),
        };
        self.0.as_mut()
    }

    /// The checksum of exactly `len_bytes` bytes, where these were summed.
    pub(super) fn finish(&mut self, len_bytes: usize) -> Option<Sum> {
        let summing = self.0.take().filter(|summing| summing.len_bytes() == len_bytes);
        summing.map(Summing::finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChecksumAlgorithm::*;

    #[test]
    fn a_range_that_broke_off_is_summed_on() {
        let mut summed = Summed::default();
        summed.carry_on(0, Some(Sha256)).expect("begun").update(b"one range ");
        summed.carry_on(10, Some(Crc32)).expect("carried on").update(b"in pieces");
        let sum = summed.finish(19);
        assert_eq!(sum, Some(Sum::of(Sha256, b"one range in pieces")));
    }

    #[test]
    fn what_came_and_was_given_up_is_in_no_sum() {
        let mut summed = Summed::default();
        summed.carry_on(0, Some(Crc32)).expect("begun").update(b"one more");
        // The last four were of an attempt that did not count.
        assert!(summed.carry_on(4, Some(Crc32)).is_none());
        assert_eq!(summed.finish(7), None);
        // All is read again.
        summed.carry_on(0, Some(Crc32)).expect("begun anew").update(b"two");
        assert_eq!(summed.finish(3), Some(Sum::of(Crc32, b"two")));
    }
}
