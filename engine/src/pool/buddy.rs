//! Which units of the arena are free: a buddy allocator that hands out runs.
//!
//! It is pure bookkeeping over unit numbers and touches no arena memory. A unit has 4 KiB. Free
//! blocks are powers of two at a multiple of their own size, up to 1 GiB. What is handed out is a
//! *run*: any number of units, starting at a multiple of the next power of two. So a run is aligned
//! for direct I/O, one that is no longer than a registered slab lies within one, and 5 MiB cost 5 MiB:
//! the rest of the 8 MiB block stays free.
//!
//! Free lists are last in, first out, so that memory still warm in the caches is used again. Their
//! links live in tables made once; the tables start as zeroed pages and cost what is touched.

/// Bytes of a unit, the smallest thing handed out: a page, and the alignment that direct I/O needs.
pub(super) const UNIT_BYTES: usize = 4096;

/// 2^18 units are 1 GiB.
const ORDER_MAX: u32 = 18;

/// Free blocks looked at for a run that no single free block can hold. It bounds the work under
/// the lock; an empty allocator has at most two candidates.
const PARTIAL_SCAN_MAX: usize = 64;

/// A run of units that is lent out. Deliberately neither `Copy` nor `Clone`: whoever has it may
/// use the memory, and giving it back consumes it (POOL-2).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    first: u32,
    units: u32,
}

impl Block {
    /// Bytes from the start of the arena.
    pub(super) fn offset(&self) -> usize {
        self.first as usize * UNIT_BYTES
    }

    pub(super) fn bytes(&self) -> usize {
        self.units as usize * UNIT_BYTES
    }

    pub(super) fn units(&self) -> u32 {
        self.units
    }

    /// Keeps the first `keep` units and returns the rest, which may be empty.
    pub(super) fn split_off(&mut self, keep: u32) -> Self {
        let keep = keep.min(self.units);
        let tail = Self { first: self.first + keep, units: self.units - keep };
        self.units = keep;
        tail
    }
}

/// Units that hold `bytes`, at least one. `None` beyond what a run can have.
pub(super) fn units_for(bytes: usize) -> Option<u32> {
    let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok()?.max(1);
    (units <= 1 << ORDER_MAX).then_some(units)
}

/// The units that an allocator manages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    first: u32,
    end: u32,
}

impl Extent {
    /// `first_byte` and `bytes` are multiples of the unit, below 8 TiB.
    pub(super) fn of_bytes(first_byte: usize, bytes: usize) -> Self {
        let unit = |byte: usize| {
            debug_assert!(byte.is_multiple_of(UNIT_BYTES));
            u32::try_from(byte / UNIT_BYTES).expect("a pool has at most 8 TiB")
        };
        Self { first: unit(first_byte), end: unit(first_byte + bytes) }
    }

    pub(super) fn bytes(self) -> usize {
        (self.end - self.first) as usize * UNIT_BYTES
    }

    /// How many runs of `units` an empty allocator holds: one for each multiple of the next power
    /// of two at which a run still fits.
    pub(super) fn capacity_for(self, units: u32) -> u32 {
        let step = units.next_power_of_two();
        let start = self.first.next_multiple_of(step);
        match self.end.checked_sub(start).and_then(|left| left.checked_sub(units)) {
            Some(spare) => spare / step + 1,
            None => 0,
        }
    }
}

pub(super) struct Buddy {
    extent: Extent,
    /// One entry a unit, for units that begin a free block: order + 1, else 0.
    order: Vec<u8>,
    /// One entry a unit: the neighbours in the free list, as `1 + unit - extent.first`, 0 for none.
    next: Vec<u32>,
    prev: Vec<u32>,
    /// One free list an order.
    heads: [u32; ORDER_MAX as usize + 1],
    /// Bit n is set if the list of order n has a block.
    non_empty: u32,
    free_units: u32,
    lent_units: u32,
}

impl Buddy {
    pub(super) fn new(extent: Extent) -> Self {
        let units = (extent.end - extent.first) as usize;
        let mut buddy = Self {
            extent,
            order: vec![0; units],
            next: vec![0; units],
            prev: vec![0; units],
            heads: [0; ORDER_MAX as usize + 1],
            non_empty: 0,
            free_units: 0,
            lent_units: 0,
        };
        buddy.release(extent.first, extent.end);
        buddy
    }

    /// A run of `units`, which [`units_for`] made. `None` if no free place is long enough.
    pub(super) fn allocate(&mut self, units: u32) -> Option<Block> {
        let order = units.next_power_of_two().trailing_zeros();
        let first =
            self.take_from_block(order, units).or_else(|| self.take_from_pieces(order, units))?;
        self.lent_units += units;
        Some(Block { first, units })
    }

    pub(super) fn free(&mut self, block: Block) {
        self.lent_units =
            self.lent_units.checked_sub(block.units).expect("POOL-2: more returned than lent");
        self.release(block.first, block.first + block.units);
    }

    pub(super) fn free_units(&self) -> u32 {
        self.free_units
    }

    pub(super) fn lent_units(&self) -> u32 {
        self.lent_units
    }

    /// The length of the longest free block. A run may be longer where free blocks adjoin.
    pub(super) fn largest_free_units(&self) -> u32 {
        if self.non_empty == 0 { 0 } else { 1 << self.non_empty.ilog2() }
    }

    /// POOL-2. Both sums are kept separately: one by the free lists, one by what was lent.
    pub(super) fn assert_whole(&self) {
        assert_eq!(
            self.free_units + self.lent_units,
            self.extent.end - self.extent.first,
            "POOL-2: free + lent = total"
        );
    }

    /// The front of the smallest free block that is large enough.
    fn take_from_block(&mut self, order: u32, units: u32) -> Option<u32> {
        let large_enough = self.non_empty.checked_shr(order).filter(|orders| *orders != 0)?;
        let found = order + large_enough.trailing_zeros();
        let first = self.extent.first + self.heads[found as usize] - 1;
        self.unlink(first, found);
        self.release(first + units, first + (1 << found));
        Some(first)
    }

    /// A run pieced together from adjoining free blocks, for places that no power of two fills:
    /// the end of the extent, and holes beside other runs.
    fn take_from_pieces(&mut self, order: u32, units: u32) -> Option<u32> {
        // A whole power of two would have coalesced. Otherwise the run is longer than half of it,
        // so its first half is one free block of the order below.
        let half = order.checked_sub(1).filter(|_| !units.is_power_of_two())?;
        let mut link = self.heads[half as usize];
        for _ in 0..PARTIAL_SCAN_MAX {
            let first = self.extent.first + link.checked_sub(1)?;
            if first.is_multiple_of(1 << order) && self.is_run_free(first, units) {
                self.unlink_run(first, units);
                return Some(first);
            }
            link = self.next[self.at(first)];
        }
        None
    }

    fn is_run_free(&self, first: u32, units: u32) -> bool {
        let mut unit = first;
        while unit < first + units {
            match self.free_order(unit) {
                Some(order) => unit += 1 << order,
                None => return false,
            }
        }
        true
    }

    fn unlink_run(&mut self, first: u32, units: u32) {
        let end = first + units;
        let mut unit = first;
        while unit < end {
            let order = self.free_order(unit).expect("the run was seen to be free");
            self.unlink(unit, order);
            unit += 1 << order;
        }
        self.release(end, unit);
    }

    /// Makes the units `from..to` free, in pieces as large as their alignment admits.
    fn release(&mut self, from: u32, to: u32) {
        let mut unit = from;
        while unit < to {
            let order = unit.trailing_zeros().min((to - unit).ilog2()).min(ORDER_MAX);
            self.coalesce(unit, order);
            unit += 1 << order;
        }
    }

    /// Frees one block, joined with its buddy for as long as that is free too.
    fn coalesce(&mut self, mut unit: u32, mut order: u32) {
        while order < ORDER_MAX {
            let buddy = unit ^ (1 << order);
            if self.free_order(buddy) != Some(order) {
                break;
            }
            self.unlink(buddy, order);
            unit = unit.min(buddy);
            order += 1;
        }
        self.link(unit, order);
    }

    /// The order of the free block that begins at `unit`, if one does.
    fn free_order(&self, unit: u32) -> Option<u32> {
        let at = unit.checked_sub(self.extent.first)? as usize;
        u32::from(*self.order.get(at)?).checked_sub(1)
    }

    fn link(&mut self, unit: u32, order: u32) {
        let at = self.at(unit);
        let link = at as u32 + 1;
        let old_head = self.heads[order as usize];
        self.order[at] = order as u8 + 1;
        self.next[at] = old_head;
        self.prev[at] = 0;
        if old_head != 0 {
            self.prev[old_head as usize - 1] = link;
        }
        self.heads[order as usize] = link;
        self.non_empty |= 1 << order;
        self.free_units += 1 << order;
    }

    fn unlink(&mut self, unit: u32, order: u32) {
        let at = self.at(unit);
        let (next, prev) = (self.next[at], self.prev[at]);
        self.order[at] = 0;
        if next != 0 {
            self.prev[next as usize - 1] = prev;
        }
        if prev != 0 {
            self.next[prev as usize - 1] = next;
        } else {
            self.heads[order as usize] = next;
            if next == 0 {
                self.non_empty &= !(1 << order);
            }
        }
        self.free_units -= 1 << order;
    }

    fn at(&self, unit: u32) -> usize {
        (unit - self.extent.first) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: usize = 1 << 30;
    const MIB: usize = 1 << 20;

    fn buddy(first_byte: usize, bytes: usize) -> Buddy {
        Buddy::new(Extent::of_bytes(first_byte, bytes))
    }

    fn units(bytes: usize) -> u32 {
        units_for(bytes).expect("at most 1 GiB")
    }

    #[test]
    fn a_run_takes_no_more_than_it_asked_for() {
        let mut buddy = buddy(0, 16 * MIB);
        let run = buddy.allocate(units(5 * MIB)).expect("fits");
        assert_eq!(run.bytes(), 5 * MIB);
        assert_eq!(buddy.free_units(), units(11 * MIB));
        buddy.free(run);
        assert_eq!(buddy.largest_free_units(), units(16 * MIB));
    }

    #[test]
    fn the_last_freed_block_is_the_next_lent() {
        let mut buddy = buddy(0, 16 * MIB);
        let mut held: Vec<Block> =
            (0..4).map(|_| buddy.allocate(units(MIB)).expect("fits")).collect();
        let warm = held.remove(1);
        let offset = warm.offset();
        buddy.free(warm);
        assert_eq!(buddy.allocate(units(MIB)).expect("fits").offset(), offset);
    }

    #[test]
    fn the_odd_end_of_a_pool_is_used() {
        // 15 MiB is what a share of 1 MiB for heads leaves of 16 MiB.
        let mut buddy = buddy(0, 15 * MIB);
        assert_eq!(buddy.extent.capacity_for(units(7 * MIB)), 2);
        let held = [7, 7].map(|n| buddy.allocate(units(n * MIB)).expect("fits"));
        assert_eq!(held[1].offset(), 8 * MIB);
        assert!(buddy.allocate(units(7 * MIB)).is_none());
        assert_eq!(buddy.free_units(), units(MIB));
    }

    #[test]
    fn a_block_may_be_longer_than_every_free_power_of_two() {
        let mut buddy = buddy(0, 14 * MIB);
        assert_eq!(buddy.allocate(units(13 * MIB)).expect("8 + 4 + 1 MiB").bytes(), 13 * MIB);
    }

    #[test]
    fn runs_no_longer_than_a_slab_lie_within_one() {
        // Neither end is a multiple of 1 GiB, as in the head share of a large pool.
        let mut buddy = buddy(GIB - 10 * MIB, 2 * GIB);
        let mut held = Vec::new();
        for bytes in [3 * MIB, 700 * MIB, 5 * MIB, 8 * MIB, MIB, 511 * MIB, 12 * MIB].repeat(3) {
            held.extend(buddy.allocate(units(bytes)));
        }
        assert!(held.len() > 10);
        for run in &held {
            for slab in [8 * MIB, GIB].into_iter().filter(|slab| run.bytes() <= *slab) {
                assert_eq!(run.offset() / slab, (run.offset() + run.bytes() - 1) / slab);
            }
        }
        buddy.assert_whole();
    }

    #[test]
    fn lengths_beyond_1_gib_are_no_runs() {
        assert_eq!(units_for(0), Some(1));
        assert_eq!(units_for(UNIT_BYTES + 1), Some(2));
        assert_eq!(units_for(GIB), Some(1 << ORDER_MAX));
        assert_eq!(units_for(GIB + 1), None);
        assert_eq!(units_for(usize::MAX), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Allocate(u32),
        Free(prop::sample::Index),
        Shrink(prop::sample::Index, u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..80u32).prop_map(Step::Allocate),
            3 => any::<prop::sample::Index>().prop_map(Step::Free),
            1 => (any::<prop::sample::Index>(), 0..40u32).prop_map(|(i, n)| Step::Shrink(i, n)),
        ]
    }

    /// The naive model: a map of the lent units.
    struct Map {
        extent: Extent,
        lent: Vec<bool>,
    }

    impl Map {
        fn mark(&mut self, run: &Block, lent: bool) {
            for unit in run.first..run.first + run.units {
                let cell = &mut self.lent[(unit - self.extent.first) as usize];
                assert_ne!(*cell, lent, "unit {unit} is lent twice or freed twice");
                *cell = lent;
            }
        }

        fn has_place_for(&self, units: u32) -> bool {
            let step = units.next_power_of_two();
            let mut first = self.extent.first.next_multiple_of(step);
            while first + units <= self.extent.end {
                let at = (first - self.extent.first) as usize;
                if !self.lent[at..at + units as usize].contains(&true) {
                    return true;
                }
                first += step;
            }
            false
        }

        fn free_units(&self) -> u32 {
            self.lent.iter().filter(|lent| !**lent).count() as u32
        }
    }

    proptest! {
        #[test]
        fn the_allocator_agrees_with_a_map_of_units(
            first in 0..70u32,
            length in 1..256u32,
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let extent = Extent { first, end: first + length };
            let mut buddy = Buddy::new(extent);
            let empty_order = buddy.order.clone();
            let mut map = Map { extent, lent: vec![false; length as usize] };
            let mut held: Vec<Block> = Vec::new();
            for step in steps {
                match step {
                    Step::Allocate(units) => {
                        let expected = map.has_place_for(units);
                        let run = buddy.allocate(units);
                        prop_assert_eq!(run.is_some(), expected);
                        if let Some(run) = run {
                            prop_assert_eq!(run.units, units);
                            prop_assert!(run.first.is_multiple_of(units.next_power_of_two()));
                            map.mark(&run, true);
                            held.push(run);
                        }
                    }
                    Step::Free(index) if !held.is_empty() => {
                        let run = held.swap_remove(index.index(held.len()));
                        map.mark(&run, false);
                        buddy.free(run);
                    }
                    Step::Shrink(index, keep) if !held.is_empty() => {
                        let at = index.index(held.len());
                        let tail = held[at].split_off(keep.max(1));
                        map.mark(&tail, false);
                        buddy.free(tail);
                    }
                    Step::Free(_) | Step::Shrink(..) => {}
                }
                buddy.assert_whole();
                prop_assert_eq!(buddy.free_units(), map.free_units());
                prop_assert!(buddy.largest_free_units() <= buddy.free_units());
            }
            for run in held.drain(..) {
                buddy.free(run);
            }
            prop_assert_eq!(&buddy.order, &empty_order, "everything freed coalesces again");
            prop_assert_eq!(buddy.lent_units(), 0);
        }

        #[test]
        fn an_empty_allocator_holds_exactly_its_capacity(
            first in 0..70u32,
            length in 1..600u32,
            units in 1..300u32,
        ) {
            let extent = Extent { first, end: first + length };
            let mut buddy = Buddy::new(extent);
            let mut count = 0;
            while buddy.allocate(units).is_some() {
                count += 1;
            }
            prop_assert_eq!(count, extent.capacity_for(units));
        }
    }
}
