//! The parts that an object was stored in, as far as its size and its tag tell.
//!
//! S3 reads a range fastest that lies within one stored part ("Performance guidelines for Amazon
//! S3", byte-range fetches). How many parts there are ends the tag of an object that came in parts;
//! how long they are nobody says without being asked, but where there are many it follows: all but
//! the last are as long as each other, and hardly anybody cuts anything but whole MiB.

use super::{OBJECT_BYTES_MAX, PART_ALIGN_BYTES, PART_BYTES_MAX};

const MIB: u64 = 1 << 20;

/// Bytes of each of the `parts` stored parts but the last; `None` where that does not follow.
pub fn stored_part_bytes(size_bytes: u64, parts: u64) -> Option<u64> {
    if parts < 2 || !(parts..=OBJECT_BYTES_MAX).contains(&size_bytes) {
        return None;
    }
    let length = size_bytes.div_ceil(parts).next_multiple_of(MIB);
    // With parts of this length or more there would be one fewer.
    let end = size_bytes.div_ceil(parts - 1);
    let is_only_one = length < end && length + MIB >= end;
    (is_only_one && length <= PART_BYTES_MAX).then_some(length)
}

/// The most that a request can ask for, up to `request_bytes`, if it is to lie within one stored
/// part or cover whole ones; `None` where that is less than half of it, which costs more than it
/// gains.
pub(super) fn aligned_request_bytes(request_bytes: u64, stored_bytes: u64) -> Option<u64> {
    let aligned = if stored_bytes <= request_bytes {
        request_bytes - request_bytes % stored_bytes
    } else {
        let least = stored_bytes.div_ceil(request_bytes);
        let pieces = (least..=2 * least).find(|pieces| stored_bytes.is_multiple_of(*pieces))?;
        stored_bytes / pieces
    };
    (aligned.is_multiple_of(PART_ALIGN_BYTES) && aligned >= request_bytes / 2).then_some(aligned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_of_parts_that_clients_choose() {
        for mib in [5, 8, 10, 15, 16, 50, 64, 100, 128, 500] {
            for parts in [501, 999, 10_000] {
                let size = (parts - 1) * mib * MIB + 77;
                assert_eq!(stored_part_bytes(size, parts), Some(mib * MIB), "{parts} of {mib} MiB");
            }
        }
    }

    #[test]
    fn what_does_not_follow_is_not_guessed() {
        assert_eq!(stored_part_bytes(5 << 30, 1), None, "all in one");
        assert_eq!(stored_part_bytes(0, 7), None);
        assert_eq!(stored_part_bytes(1000, 7), None, "no length of whole MiB");
        assert_eq!(stored_part_bytes(100 * 5_000_000, 100), None, "nor here");
        assert_eq!(stored_part_bytes(20 * MIB, 2), None, "10 to 19");
        assert_eq!(stored_part_bytes(OBJECT_BYTES_MAX + 1, 10_000), None, "no store has it");
        assert_eq!(stored_part_bytes(u64::MAX, 3), None);
        assert_eq!(stored_part_bytes(15 << 30, 2), None, "nor such parts");
    }

    #[test]
    fn requests_within_stored_parts() {
        let mib = |request, stored| {
            aligned_request_bytes(request * MIB, stored * MIB).map(|it| it as f64 / MIB as f64)
        };
        assert_eq!(mib(8, 8), Some(8.0));
        assert_eq!(mib(8, 64), Some(8.0));
        assert_eq!(mib(8, 5), Some(5.0));
        assert_eq!(mib(16, 5), Some(15.0));
        assert_eq!(mib(8, 50), Some(6.25));
        assert_eq!(mib(8, 9), Some(4.5));
        assert_eq!(mib(8, 13), Some(6.5));
        assert_eq!(aligned_request_bytes(8 * MIB, 8 * MIB + 4096), None);
    }

    proptest! {
        /// What is told is right, and of many parts it is always told.
        #[test]
        fn the_count_of_parts_is_kept(mib in 5u64..600, parts in 2u64..10_000, last in 1u64..5 * MIB) {
            let size = (parts - 1) * mib * MIB + last.min(mib * MIB);
            prop_assume!(size <= OBJECT_BYTES_MAX);
            let told = stored_part_bytes(size, parts);
            prop_assert!(told.is_none_or(|told| told == mib * MIB));
            prop_assert!(told.is_some() || parts <= 2 * mib + 1);
        }

        #[test]
        fn requests_never_lie_across(request in 1u64..4096, stored in 1u64..(600 << 8)) {
            let (request, stored) = (request * PART_ALIGN_BYTES, stored * PART_ALIGN_BYTES);
            if let Some(aligned) = aligned_request_bytes(request, stored) {
                prop_assert!(aligned <= request && aligned >= request / 2);
                prop_assert!(aligned % stored == 0 || stored % aligned == 0);
            }
        }
    }
}
