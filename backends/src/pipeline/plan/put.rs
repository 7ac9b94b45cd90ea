//! Uploads: parts that keep to the store's limits, whether the size is known ahead or not.

use super::{
    OBJECT_BYTES_MAX, PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX, PartRequest, PlanError, align_up,
};

/// Parts of one size before parts of an upload of unknown size begin to grow.
const GROW_EVERY_PARTS: u64 = 500;

/// Where parts of an upload of unknown size stop growing, unless they began larger.
const GROWN_PART_BYTES_MAX: u64 = 1 << 30;

/// The parts of one upload, cut in order.
///
/// A **known size** gives parts of one size, as small as asked for while 10,000 of them suffice.
/// For an **unknown size** the parts double every 500 parts, up to 1 GiB: 8 MiB up to 4 GiB of
/// data, 16 MiB up to 12 GiB, 32 MiB up to 28 GiB and so on, so that 5 TiB fit even from the
/// smallest first part. Each step is a power of two of the first, which leases fit well; a store
/// that wants parts of equal size has to be told the size.
#[derive(Debug, Clone)]
pub struct PutPlan {
    first_part_bytes: u64,
    known_size_bytes: Option<u64>,
    /// Where parts of an upload of unknown size stop growing.
    grown_part_bytes_max: u64,
    cut_parts: u64,
    cut_bytes: u64,
    /// A part that is shorter than the plan's has been cut: nothing can follow it.
    ended: bool,
}

impl PutPlan {
    /// Plans an upload. `part_size_bytes` is what is wished for; it is rounded up to a multiple of
    /// 4 KiB, raised to 5 MiB, and raised further where a known size needs that.
    pub fn new(part_size_bytes: u64, known_size_bytes: Option<u64>) -> Result<Self, PlanError> {
        Self::with_least(part_size_bytes, known_size_bytes, PART_BYTES_MIN)
    }

    /// The same for a store that takes parts from `least_bytes` on.
    pub fn with_least(
        part_size_bytes: u64,
        known_size_bytes: Option<u64>,
        least_bytes: u64,
    ) -> Result<Self, PlanError> {
        if part_size_bytes == 0 {
            return Err(PlanError::ZeroSetting { setting: "part_size_bytes" });
        }
        if part_size_bytes > PART_BYTES_MAX {
            let (part_bytes, limit_bytes) = (part_size_bytes, PART_BYTES_MAX);
            return Err(PlanError::PartTooLarge { part_bytes, limit_bytes });
        }
        let size_bytes = known_size_bytes.unwrap_or(0);
        refuse_too_large(size_bytes)?;
        let needed = align_up(size_bytes.div_ceil(PARTS_MAX));
        let first_part_bytes = align_up(part_size_bytes).max(least_bytes).max(needed);
        Ok(Self {
            first_part_bytes,
            known_size_bytes,
            grown_part_bytes_max: GROWN_PART_BYTES_MAX.max(first_part_bytes),
            cut_parts: 0,
            cut_bytes: 0,
            ended: false,
        })
    }

    /// The same with parts that never grow beyond `part_bytes`, for whoever has no memory for larger
    /// ones; the object then ends at 10,000 of them.
    pub fn growing_to(self, part_bytes: u64) -> Self {
        let most = part_bytes.min(self.grown_part_bytes_max).max(self.first_part_bytes);
        Self { grown_part_bytes_max: most, ..self }
    }

    /// Size of part `number`, counted from 1, in bytes. The last part may be shorter.
    pub fn part_size_at(&self, number: u64) -> u64 {
        if self.known_size_bytes.is_some() {
            return self.first_part_bytes;
        }
        let doublings = number.saturating_sub(1).min(PARTS_MAX) / GROW_EVERY_PARTS;
        (self.first_part_bytes << doublings).min(self.grown_part_bytes_max)
    }

    /// How many bytes to gather for the next part; fewer where a known size ends sooner.
    pub fn next_part_bytes(&self) -> u64 {
        let size = self.part_size_at(self.cut_parts + 1);
        match self.known_size_bytes {
            Some(total) => size.min(total - self.cut_bytes),
            None => size,
        }
    }

    /// Cuts the next part from `staged_bytes` that wait behind the parts cut so far; `source_ended`
    /// says that no more will come.
    ///
    /// `None` means: gather more, or with `source_ended` that all is cut. One call cuts one part,
    /// so call again until `None`: much may be staged at once.
    pub fn cut(
        &mut self,
        staged_bytes: u64,
        source_ended: bool,
    ) -> Result<Option<PartRequest>, PlanError> {
        let given_bytes = self.cut_bytes.saturating_add(staged_bytes);
        self.check_given(given_bytes, source_ended)?;
        let wanted = self.next_part_bytes();
        let len = wanted.min(staged_bytes);
        if len == 0 || (len < wanted && !source_ended) {
            return Ok(None);
        }
        if self.ended {
            return Err(PlanError::AfterLast);
        }
        if self.cut_parts == PARTS_MAX {
            return Err(PlanError::TooManyParts { parts_max: PARTS_MAX, part_bytes: wanted });
        }
        let part = PartRequest { index: self.cut_parts, offset: self.cut_bytes, len };
        self.ended = len < self.part_size_at(part.number());
        self.cut_parts += 1;
        self.cut_bytes += len;
        Ok(Some(part))
    }

    /// The next part of a source whose size is known, without waiting for its bytes; `None` when
    /// all are cut.
    pub fn next_part(&mut self) -> Result<Option<PartRequest>, PlanError> {
        let total = self.known_size_bytes.ok_or(PlanError::SizeUnknown)?;
        self.cut(total - self.cut_bytes, true)
    }

    /// Checks at the end that the parts are the whole source, before the upload is completed
    /// (DATA-2).
    pub fn finish(&self) -> Result<(), PlanError> {
        self.check_given(self.cut_bytes, true)
    }

    /// Parts cut so far.
    pub fn cut_parts(&self) -> u64 {
        self.cut_parts
    }

    /// Bytes in the parts cut so far; at the end the size of the object.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    fn check_given(&self, given_bytes: u64, source_ended: bool) -> Result<(), PlanError> {
        refuse_too_large(given_bytes)?;
        match self.known_size_bytes {
            Some(announced_bytes)
                if given_bytes > announced_bytes
                    || (source_ended && given_bytes < announced_bytes) =>
            {
                Err(PlanError::SizeMismatch { announced_bytes, given_bytes })
            }
            _ => Ok(()),
        }
    }
}

fn refuse_too_large(size_bytes: u64) -> Result<(), PlanError> {
    if size_bytes > OBJECT_BYTES_MAX {
        return Err(PlanError::ObjectTooLarge { size_bytes, limit_bytes: OBJECT_BYTES_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::plan::{PART_ALIGN_BYTES, PART_BYTES_DEFAULT};
    use proptest::prelude::*;

    const PART: u64 = PART_BYTES_DEFAULT;

    fn known(part_size_bytes: u64, size: u64) -> Vec<PartRequest> {
        let mut plan = PutPlan::new(part_size_bytes, Some(size)).unwrap();
        let parts: Vec<_> = std::iter::from_fn(|| plan.next_part().unwrap()).collect();
        plan.finish().unwrap();
        assert_eq!((plan.cut_parts(), plan.cut_bytes()), (parts.len() as u64, size));
        parts
    }

    fn lens(size: u64) -> Vec<u64> {
        known(PART, size).iter().map(|part| part.len).collect()
    }

    #[test]
    fn known_sizes() {
        assert_eq!(lens(0), [0; 0]);
        assert_eq!(lens(1), [1]);
        assert_eq!(lens(PART), [PART]);
        assert_eq!(lens(PART + 1), [PART, 1]);
        assert_eq!(lens(2 * PART), [PART, PART]);
        assert_eq!(known(PART, 1)[0].number(), 1);
    }

    #[test]
    fn the_part_size_grows_with_a_known_size() {
        assert_eq!(known(PART, PARTS_MAX * PART).len() as u64, PARTS_MAX);
        let beyond = known(PART, PARTS_MAX * PART + 1);
        assert_eq!(beyond[0].len, PART + PART_ALIGN_BYTES);
        let largest = known(1, OBJECT_BYTES_MAX);
        assert!(largest.len() as u64 <= PARTS_MAX && largest[0].len < 600 << 20);
    }

    #[test]
    fn parts_that_may_not_grow_end_at_the_last_one() {
        let mut plan = PutPlan::new(PART, None).unwrap().growing_to(3 * PART);
        assert_eq!(plan.part_size_at(501), 2 * PART);
        assert_eq!(plan.part_size_at(PARTS_MAX), 3 * PART);
        for _ in 0..PARTS_MAX {
            plan.cut(3 * PART, false).unwrap().unwrap();
        }
        let refused = PlanError::TooManyParts { parts_max: PARTS_MAX, part_bytes: 3 * PART };
        assert_eq!(plan.cut(3 * PART, false), Err(refused));
        let kept = PutPlan::new(PART, None).unwrap().growing_to(1);
        assert_eq!(kept.part_size_at(PARTS_MAX), PART);
    }

    #[test]
    fn sizes_that_are_rounded_raised_or_refused() {
        let first = |part| PutPlan::new(part, None).map(|plan| plan.part_size_at(1));
        assert_eq!(first(1), Ok(PART_BYTES_MIN));
        assert_eq!(first(10_000_000), Ok(10_002_432));
        assert_eq!(first(PART_BYTES_MAX), Ok(PART_BYTES_MAX));
        assert_eq!(first(0), Err(PlanError::ZeroSetting { setting: "part_size_bytes" }));
        let part_bytes = PART_BYTES_MAX + 1;
        let limit_bytes = PART_BYTES_MAX;
        assert_eq!(first(part_bytes), Err(PlanError::PartTooLarge { part_bytes, limit_bytes }));
        for size_bytes in [OBJECT_BYTES_MAX + 1, u64::MAX] {
            let limit_bytes = OBJECT_BYTES_MAX;
            let refused = PutPlan::new(PART, Some(size_bytes)).map(|_| ());
            assert_eq!(refused, Err(PlanError::ObjectTooLarge { size_bytes, limit_bytes }));
        }
    }

    #[test]
    fn an_unknown_size_grows_in_steps_and_reaches_the_largest_object() {
        let plan = PutPlan::new(PART, None).unwrap();
        let table = [(1, PART), (500, PART), (501, 2 * PART), (1001, 4 * PART), (10_000, 1 << 30)];
        for (number, size) in table {
            assert_eq!(plan.part_size_at(number), size, "{number}");
        }
        assert_eq!(plan.part_size_at(u64::MAX), 1 << 30);
        for part in [1, PART_BYTES_MIN, PART, 100 << 20, 1 << 30, PART_BYTES_MAX] {
            let mut plan = PutPlan::new(part, None).unwrap();
            let (mut left, mut parts) = (OBJECT_BYTES_MAX, 0);
            while let Some(part) =
                plan.cut(left.min(PART_BYTES_MAX), left <= PART_BYTES_MAX).unwrap()
            {
                left -= part.len;
                parts += 1;
            }
            assert!(left == 0 && parts <= PARTS_MAX, "{part}: {left} left after {parts}");
        }
    }

    #[test]
    fn an_unknown_size_beyond_the_largest_object_is_refused() {
        let mut plan = PutPlan::new(PART_BYTES_MAX, None).unwrap();
        while plan.cut_bytes() < OBJECT_BYTES_MAX {
            plan.cut(PART_BYTES_MAX, false).unwrap();
        }
        let (size_bytes, limit_bytes) = (OBJECT_BYTES_MAX + 1, OBJECT_BYTES_MAX);
        assert_eq!(plan.cut(1, true), Err(PlanError::ObjectTooLarge { size_bytes, limit_bytes }));
    }

    #[test]
    fn a_source_that_does_not_keep_its_word() {
        let mismatch = |given_bytes| PlanError::SizeMismatch { announced_bytes: 100, given_bytes };
        let mut plan = PutPlan::new(PART, Some(100)).unwrap();
        assert_eq!(plan.cut(99, false), Ok(None));
        assert_eq!(plan.cut(99, true), Err(mismatch(99)));
        assert_eq!(plan.cut(101, false), Err(mismatch(101)));
        assert_eq!(plan.finish(), Err(mismatch(0)));
        let whole = PartRequest { index: 0, offset: 0, len: 100 };
        assert_eq!(plan.cut(100, false), Ok(Some(whole)));
        assert_eq!(plan.cut(1, false), Err(mismatch(101)));
        assert_eq!(plan.cut(0, true), Ok(None));
        assert_eq!(plan.finish(), Ok(()));
    }

    #[test]
    fn nothing_follows_a_short_part() {
        let mut plan = PutPlan::new(PART, None).unwrap();
        assert_eq!(plan.next_part(), Err(PlanError::SizeUnknown));
        assert_eq!(plan.cut(0, false), Ok(None));
        assert_eq!(plan.cut(PART - 1, false), Ok(None));
        assert_eq!(plan.cut(PART - 1, true).unwrap().map(|part| part.len), Some(PART - 1));
        assert_eq!(plan.cut(0, true), Ok(None));
        assert_eq!(plan.cut(PART, false), Err(PlanError::AfterLast));
    }

    fn check_tiling(parts: &[PartRequest], size: u64) -> Result<(), TestCaseError> {
        let mut at = 0;
        for (index, part) in parts.iter().enumerate() {
            prop_assert_eq!((part.index, part.offset), (index as u64, at));
            let last = index + 1 == parts.len();
            prop_assert!(last || part.len >= PART_BYTES_MIN);
            prop_assert!(last || part.len.is_multiple_of(PART_ALIGN_BYTES));
            prop_assert!(part.len > 0 && part.len <= PART_BYTES_MAX);
            at = part.range().end;
        }
        prop_assert_eq!(at, size);
        prop_assert!(parts.len() as u64 <= PARTS_MAX);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn known_sizes_are_tiled(
            size in prop_oneof![0u64..1 << 30, 0..=OBJECT_BYTES_MAX],
            part_size_bytes in prop_oneof![1u64..64 << 20, 1..=PART_BYTES_MAX],
        ) {
            check_tiling(&known(part_size_bytes, size), size)?;
        }

        #[test]
        fn unknown_sizes_are_tiled_however_they_come(
            size in prop_oneof![0u64..1 << 30, 0..=OBJECT_BYTES_MAX],
            part_size_bytes in prop_oneof![1u64..64 << 20, 1..=PART_BYTES_MAX],
            pieces in prop::collection::vec(1u64..20 << 30, 1..5),
        ) {
            let mut plan = PutPlan::new(part_size_bytes, None).unwrap();
            let (mut parts, mut staged, mut left) = (Vec::new(), 0, size);
            for piece in pieces.iter().map(|&piece| piece.max(size / 1000)).cycle() {
                let came = piece.min(left);
                (staged, left) = (staged + came, left - came);
                while let Some(part) = plan.cut(staged, left == 0).unwrap() {
                    staged -= part.len;
                    parts.push(part);
                }
                if left == 0 {
                    break;
                }
            }
            plan.finish().unwrap();
            prop_assert_eq!(staged, 0);
            check_tiling(&parts, size)?;
        }
    }
}
