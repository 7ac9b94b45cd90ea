//! Downloads: the first part goes out before the size is known, the others are cut from what its
//! answer tells.

use std::ops::Range;

use super::stored::aligned_request_bytes;
use super::{InOrder, PART_BYTES_DEFAULT, PartRequest, PlanError, align_up};

/// How a download is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetPlanConfig {
    /// Size of a part; rounded up to a multiple of 4 KiB. Default 8 MiB.
    pub part_size_bytes: u64,
    /// Parts between the oldest one that is not done and the newest one planned, both counted:
    /// those on the wire and those held for order. Default 16.
    pub window_parts: usize,
}

impl Default for GetPlanConfig {
    fn default() -> Self {
        Self { part_size_bytes: PART_BYTES_DEFAULT, window_parts: 16 }
    }
}

/// The parts of one download, in order.
///
/// [`next_part`](Self::next_part) gives the first part at once. When its answer has told the size
/// ([`on_first`](Self::on_first)) it gives the others, never more than the window ahead of the
/// oldest part that is not [`on_done`](Self::on_done).
#[derive(Debug)]
pub struct GetPlan {
    part_bytes: u64,
    /// What was asked for; `None` is the whole object.
    asked: Option<Range<u64>>,
    start: u64,
    /// Byte after the last one, as far as is known: of the range until the first answer, of what
    /// exists afterwards.
    end: u64,
    size_bytes: Option<u64>,
    /// Every part but the first ends at a multiple of this, or with the last byte.
    aligned_bytes: Option<u64>,
    planned_parts: u64,
    done: InOrder<()>,
}

impl GetPlan {
    /// Plans a range of an object, or with `None` the whole of it. `start..u64::MAX` reads from
    /// `start` to the end; an empty range asks for nothing and sends nothing.
    pub fn new(config: GetPlanConfig, range: Option<Range<u64>>) -> Result<Self, PlanError> {
        if config.part_size_bytes == 0 {
            return Err(PlanError::ZeroSetting { setting: "part_size_bytes" });
        }
        let Range { start, end } = range.clone().unwrap_or(0..u64::MAX);
        if start > end {
            return Err(PlanError::BackwardRange { start, end });
        }
        Ok(Self {
            part_bytes: align_up(config.part_size_bytes),
            asked: range,
            start,
            end,
            size_bytes: None,
            aligned_bytes: None,
            planned_parts: 0,
            done: InOrder::new(config.window_parts)?,
        })
    }

    /// The next part to ask for; `None` while the window is full, while the first answer is
    /// awaited, or when all are planned.
    pub fn next_part(&mut self) -> Option<PartRequest> {
        let index = self.planned_parts;
        let awaits_size = self.size_bytes.is_none() && index > 0;
        if awaits_size || !self.done.has_room_for(index) {
            return None;
        }
        let part = self.part(index)?;
        self.planned_parts += 1;
        Some(part)
    }

    /// The first answer has told the size of the whole object. Gives the first part as it really
    /// is: cut where the object ends, so of length 0 for an empty one. What its lease has beyond
    /// that goes back.
    ///
    /// A 416 whose `Content-Range` says size 0 is told here as size 0. A 200 to a ranged request
    /// carries the whole object: it is the first part if that is as long as the object, and the
    /// caller's to refuse or to read whole if not.
    pub fn on_first(&mut self, total_size_bytes: u64) -> Result<PartRequest, PlanError> {
        if let Some(first_bytes) = self.size_bytes {
            if first_bytes != total_size_bytes {
                let now_bytes = total_size_bytes;
                return Err(PlanError::SizeChanged { first_bytes, now_bytes });
            }
        } else {
            if let Some(Range { start, end }) = self.asked.clone()
                && start < end
                && start >= total_size_bytes
            {
                let size_bytes = total_size_bytes;
                return Err(PlanError::RangeNotSatisfiable { start, end, size_bytes });
            }
            self.size_bytes = Some(total_size_bytes);
            self.end = self.end.min(total_size_bytes).max(self.start);
        }
        let nothing = PartRequest { index: 0, offset: self.start, len: 0 };
        Ok(self.part(0).unwrap_or(nothing))
    }

    /// The object was stored in parts of so many bytes, where that is known: all parts behind the
    /// first are cut so that none lies across one of those and another, if that leaves them half as
    /// long at least. Does nothing once a second part is planned.
    pub fn align_to(&mut self, stored_part_bytes: Option<u64>) {
        if self.planned_parts <= 1 {
            self.aligned_bytes = stored_part_bytes
                .filter(|bytes| *bytes > 0)
                .and_then(|bytes| aligned_request_bytes(self.part_bytes, bytes));
        }
    }

    /// A part has been handed on and its memory is free: the window moves past it when all before
    /// it are done too.
    pub fn on_done(&mut self, index: u64) -> Result<(), PlanError> {
        if index >= self.planned_parts {
            let (first, end) = (self.done.next_index(), self.planned_parts);
            return Err(PlanError::UnexpectedPart { index, first, end });
        }
        self.done.push(index, ())?;
        while self.done.pop_next().is_some() {}
        Ok(())
    }

    /// Every part has been planned: nothing is left to take, however long one waits.
    pub fn all_planned(&self) -> bool {
        let nothing_asked = self.asked.as_ref().is_some_and(Range::is_empty);
        nothing_asked || self.parts().is_some_and(|parts| self.planned_parts >= parts)
    }

    /// Everything asked for has been planned and is done.
    pub fn is_done(&self) -> bool {
        let nothing_asked = self.asked.as_ref().is_some_and(Range::is_empty);
        match self.parts() {
            // The one part of an empty object has gone out to learn just that.
            Some(0) => nothing_asked || self.done.next_index() == self.planned_parts,
            Some(parts) => self.done.next_index() == parts,
            None => nothing_asked,
        }
    }

    /// How many parts carry bytes; known after the first answer.
    pub fn parts(&self) -> Option<u64> {
        self.size_bytes.map(|_| match self.behind_first() {
            Some((from, aligned)) => 1 + (self.end.div_ceil(aligned) - from / aligned),
            None => (self.end - self.start).div_ceil(self.part_bytes),
        })
    }

    /// The bytes that will be delivered; known after the first answer.
    pub fn range(&self) -> Option<Range<u64>> {
        self.size_bytes.map(|_| self.start..self.end)
    }

    /// Size of the whole object; known after the first answer.
    pub fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// Size of every part but the last, or what none exceeds once they are aligned.
    pub fn part_size_bytes(&self) -> u64 {
        self.part_bytes
    }

    fn part(&self, index: u64) -> Option<PartRequest> {
        let (offset, end) = match self.behind_first() {
            Some((from, aligned)) if index > 0 => {
                let block = (from / aligned).checked_add(index)?;
                let end = block.checked_mul(aligned)?;
                ((end - aligned).max(from), end)
            }
            _ => {
                let offset = index.checked_mul(self.part_bytes)?.checked_add(self.start)?;
                (offset, offset.saturating_add(self.part_bytes))
            }
        };
        let len = end.min(self.end).checked_sub(offset).filter(|&len| len > 0)?;
        Some(PartRequest { index, offset, len })
    }

    /// Where the parts begin that are aligned, and to what; `None` where none is.
    fn behind_first(&self) -> Option<(u64, u64)> {
        let from = self.start.checked_add(self.part_bytes).filter(|from| *from < self.end)?;
        Some((from, self.aligned_bytes?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PART_ALIGN_BYTES, stored_part_bytes};
    use super::*;
    use proptest::prelude::*;

    const PART: u64 = 8 << 20;

    /// Runs a plan to its end, in order, and gives its parts.
    fn parts_of(range: Option<Range<u64>>, size: u64) -> Result<Vec<PartRequest>, PlanError> {
        let mut plan = GetPlan::new(GetPlanConfig::default(), range)?;
        let mut parts = Vec::new();
        while let Some(part) = plan.next_part() {
            assert!(!plan.is_done());
            parts.push(if part.index == 0 { plan.on_first(size)? } else { part });
            plan.on_done(part.index)?;
        }
        assert!(plan.is_done());
        Ok(parts)
    }

    fn lens(range: Option<Range<u64>>, size: u64) -> Vec<u64> {
        parts_of(range, size).unwrap().iter().map(|part| part.len).collect()
    }

    #[test]
    fn whole_objects() {
        assert_eq!(lens(None, 0), [0]);
        assert_eq!(lens(None, 1), [1]);
        assert_eq!(lens(None, PART - 1), [PART - 1]);
        assert_eq!(lens(None, PART), [PART]);
        assert_eq!(lens(None, PART + 1), [PART, 1]);
        assert_eq!(lens(None, 3 * PART), [PART, PART, PART]);
    }

    #[test]
    fn ranges_are_clipped_to_the_object() {
        assert_eq!(lens(Some(0..10), 4), [4]);
        assert_eq!(lens(Some(3..4), 4), [1]);
        assert_eq!(lens(Some(2..u64::MAX), 4), [2]);
        assert_eq!(lens(Some(1..PART + 2), 2 * PART), [PART, 1]);
        assert_eq!(lens(Some(7..7), 4), [0; 0]);
        assert_eq!(lens(Some(u64::MAX..u64::MAX), 4), [0; 0]);
    }

    #[test]
    fn an_empty_range_beyond_the_object_asks_for_nothing() {
        let mut plan = GetPlan::new(GetPlanConfig::default(), Some(7..7)).unwrap();
        assert_eq!((plan.next_part(), plan.is_done()), (None, true));
        assert_eq!(plan.on_first(4), Ok(PartRequest { index: 0, offset: 7, len: 0 }));
        assert_eq!((plan.parts(), plan.range(), plan.is_done()), (Some(0), Some(7..7), true));
    }

    #[test]
    fn ranges_that_cannot_be_read() {
        for (start, size_bytes) in [(4, 4), (5, 4), (0, 0), (u64::MAX - 1, 4)] {
            let end = u64::MAX;
            let refused = PlanError::RangeNotSatisfiable { start, end, size_bytes };
            assert_eq!(parts_of(Some(start..end), size_bytes), Err(refused));
        }
        #[expect(clippy::reversed_empty_ranges, reason = "the error is what is tested")]
        let backward = parts_of(Some(5..4), 9);
        assert_eq!(backward, Err(PlanError::BackwardRange { start: 5, end: 4 }));
    }

    #[test]
    fn settings_of_zero_are_refused() {
        let plan = |part_size_bytes, window_parts| {
            GetPlan::new(GetPlanConfig { part_size_bytes, window_parts }, None).map(|_| ())
        };
        assert_eq!(plan(0, 1), Err(PlanError::ZeroSetting { setting: "part_size_bytes" }));
        assert_eq!(plan(1, 0), Err(PlanError::ZeroSetting { setting: "window_parts" }));
        assert_eq!(plan(1, 1), Ok(()));
    }

    #[test]
    fn the_first_part_waits_for_its_answer() {
        let mut plan = GetPlan::new(GetPlanConfig::default(), None).unwrap();
        assert_eq!(plan.next_part(), Some(PartRequest { index: 0, offset: 0, len: PART }));
        assert_eq!((plan.next_part(), plan.parts(), plan.range()), (None, None, None));
        plan.on_first(PART + 5).unwrap();
        assert_eq!((plan.parts(), plan.range()), (Some(2), Some(0..PART + 5)));
        assert_eq!(plan.next_part(), Some(PartRequest { index: 1, offset: PART, len: 5 }));
        assert_eq!(plan.on_first(PART + 5).map(|part| part.len), Ok(PART));
        let changed = PlanError::SizeChanged { first_bytes: PART + 5, now_bytes: PART };
        assert_eq!(plan.on_first(PART), Err(changed));
    }

    #[test]
    fn parts_behind_the_first_keep_to_stored_ones() {
        const MIB: u64 = 1 << 20;
        let lens = |start, size, stored| {
            let mut plan = GetPlan::new(GetPlanConfig::default(), Some(start..u64::MAX)).unwrap();
            plan.next_part().unwrap();
            let first = plan.on_first(size).unwrap();
            plan.align_to(Some(stored));
            let rest = std::iter::from_fn(|| plan.next_part()).map(|part| part.len);
            let lens: Vec<_> = std::iter::once(first.len).chain(rest).collect();
            assert_eq!(plan.parts(), Some(lens.len() as u64));
            lens
        };
        assert_eq!(lens(0, 23 * MIB, 5 * MIB), [8, 2, 5, 5, 3].map(|mib| mib * MIB));
        assert_eq!(lens(0, 33 * MIB, 16 * MIB), [8, 8, 8, 8, 1].map(|mib| mib * MIB));
        assert_eq!(lens(3 * MIB, 33 * MIB, 16 * MIB), [8, 5, 8, 8, 1].map(|mib| mib * MIB));
        assert_eq!(lens(0, 8 * MIB, 5 * MIB), [8 * MIB], "no part is behind the first");
        assert_eq!(lens(0, 20 * MIB, 5_000_000), [8, 8, 4].map(|mib| mib * MIB), "no page fits");
    }

    #[test]
    fn the_window_holds_parts_back() {
        let config = GetPlanConfig { part_size_bytes: 4096, window_parts: 3 };
        let mut plan = GetPlan::new(config, None).unwrap();
        plan.next_part().unwrap();
        plan.on_first(4096 * 9).unwrap();
        let planned = |plan: &mut GetPlan| {
            std::iter::from_fn(|| plan.next_part()).map(|part| part.index).collect::<Vec<_>>()
        };
        assert_eq!(planned(&mut plan), [1, 2]);
        plan.on_done(1).unwrap();
        assert_eq!(planned(&mut plan), [0; 0]);
        plan.on_done(0).unwrap();
        assert_eq!(planned(&mut plan), [3, 4]);
        for index in [0, 1, 5] {
            let refused = plan.on_done(index);
            assert!(matches!(refused, Err(PlanError::UnexpectedPart { .. })), "{index}");
        }
    }

    proptest! {
        #[test]
        fn parts_tile_the_range_whatever_order_they_finish_in(
            size in 0u64..200_000,
            asked in prop::option::of((0u64..250_000, 0u64..250_000)),
            part_size_bytes in 1u64..20_000,
            window_parts in 1usize..7,
            stored_pages in prop::option::of(1u64..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 64),
        ) {
            let range = asked.map(|(a, b)| a.min(b)..a.max(b));
            let config = GetPlanConfig { part_size_bytes, window_parts };
            let mut plan = GetPlan::new(config, range.clone()).unwrap();
            let wanted = range.clone().unwrap_or(0..u64::MAX);
            let Some(first) = plan.next_part() else {
                prop_assert!(wanted.is_empty() && plan.is_done());
                return Ok(());
            };
            let clipped = match plan.on_first(size) {
                Ok(first) => first,
                Err(PlanError::RangeNotSatisfiable { .. }) => {
                    prop_assert!(range.is_some() && wanted.start >= size);
                    return Ok(());
                }
                Err(other) => panic!("{other}"),
            };
            prop_assert_eq!((clipped.index, clipped.offset), (first.index, first.offset));
            let stored_bytes = stored_pages.map(|pages| pages * PART_ALIGN_BYTES);
            plan.align_to(stored_bytes);
            let aligned_bytes = stored_bytes
                .and_then(|stored| aligned_request_bytes(plan.part_size_bytes(), stored));
            let (mut on_wire, mut at) = (vec![clipped.index], clipped.range().end);
            let mut turns = order.iter().cycle();
            let mut planned = 1;
            loop {
                while let Some(part) = plan.next_part() {
                    prop_assert_eq!((part.index, part.offset), (planned, at));
                    prop_assert!(part.len > 0 && part.len <= plan.part_size_bytes());
                    if let Some(aligned) = aligned_bytes {
                        let last = part.offset + part.len - 1;
                        prop_assert_eq!(part.offset / aligned, last / aligned);
                    }
                    at = part.range().end;
                    planned += 1;
                    on_wire.push(part.index);
                }
                if on_wire.is_empty() {
                    break;
                }
                prop_assert!(on_wire.len() <= window_parts);
                prop_assert!(!plan.is_done());
                let index = on_wire.swap_remove(turns.next().unwrap().index(on_wire.len()));
                plan.on_done(index).unwrap();
            }
            prop_assert!(plan.is_done());
            prop_assert_eq!(at, wanted.end.min(size));
            prop_assert_eq!(plan.range(), Some(wanted.start..at));
        }

        #[test]
        fn huge_numbers_do_not_overflow(
            start in any::<u64>(),
            size in any::<u64>(),
            part_size_bytes in 1u64..,
            window_parts in 1usize..4,
            stored_parts in 0u64..20_000,
        ) {
            let config = GetPlanConfig { part_size_bytes, window_parts };
            let mut plan = GetPlan::new(config, Some(start..u64::MAX)).unwrap();
            if plan.next_part().is_some() && plan.on_first(size).is_ok() {
                plan.align_to(stored_part_bytes(size, stored_parts));
                while let Some(part) = plan.next_part() {
                    prop_assert!(part.range().end <= size);
                }
            }
        }
    }
}
