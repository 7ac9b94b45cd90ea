//! `Lease`: an exclusive piece of the arena.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::Pool;
use super::buddy::{Block, units_for};
use super::handle::ShareName;
use super::label::Label;

/// An exclusive piece of the arena, aligned to 4 KiB.
///
/// [`len`](Self::len) bytes at its start are valid, as its owner says; all of
/// [`capacity`](Self::capacity) can be written. The memory is always initialised, but beyond what
/// was written it holds whatever its last owner left. Dropping the lease returns the memory, from
/// any thread. In a forked child the slices are empty and dropping does nothing (FORK-1).
#[must_use]
pub struct Lease {
    pool: Pool,
    block: Block,
    len: usize,
    share: ShareName,
    label: Label,
}

impl Lease {
    pub(super) fn new(pool: Pool, share: ShareName, label: Label, block: Block) -> Self {
        Self { pool, block, len: 0, share, label }
    }

    /// Valid bytes at the start; 0 for a new lease.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte is valid.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that can be written: what was asked for, rounded up to 4 KiB.
    pub fn capacity(&self) -> usize {
        self.block.bytes()
    }

    /// Says that the first `len` bytes are valid.
    ///
    /// # Panics
    /// If `len` exceeds the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity(), "{len} bytes in a lease of {}", self.capacity());
        self.len = len;
    }

    /// What the memory is for, as its request said.
    pub fn label(&self) -> &'static str {
        self.pool.labels().name(self.label)
    }

    /// The valid bytes.
    pub fn as_slice(&self) -> &[u8] {
        if self.pool.forked() {
            return &[];
        }
        // SAFETY: POOL-2. The block is lent to this lease alone and lies in the arena, which the
        // pool keeps mapped; `&self` keeps it from being written; mmap initialised it.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    /// All bytes, valid or not, for writing.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        if self.pool.forked() {
            return &mut [];
        }
        // SAFETY: POOL-2. As in `as_slice`, and `&mut self` is the only way to the block.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.capacity()) }
    }

    /// Keeps the front, `bytes` rounded up to 4 KiB, and returns the rest to the pool.
    pub fn shrink_to(&mut self, bytes: usize) {
        let Some(keep) = units_for(bytes).filter(|keep| *keep < self.block.units()) else { return };
        let surplus = self.block.split_off(keep);
        self.len = self.len.min(self.capacity());
        self.pool.give_back(self.share, self.label, [surplus]);
    }

    /// A lease of at least `bytes`, which are at most half of this one, if there is one. It passes those who wait, and
    /// so is for one use: in place of this one, which goes back soon.
    pub fn try_smaller(&self, bytes: usize) -> Option<Lease> {
        let units = units_for(bytes).filter(|units| *units <= self.block.units() / 2)?;
        self.pool.take_past_the_line(self.share, units, self.label)
    }

    /// The valid bytes as `Bytes`, without a copy; one small allocation keeps the owner. What lies
    /// beyond them returns at once, they themselves when the last clone or slice is dropped, from
    /// whatever thread. Such `Bytes` must not be read in a forked child; made there, they are empty.
    pub fn freeze(self) -> Bytes {
        let len = self.len;
        self.freeze_range(0..len)
    }

    /// The valid bytes in `range` as `Bytes`, as [`freeze`](Self::freeze) does it.
    ///
    /// # Panics
    /// If the range does not lie within the valid bytes.
    pub fn freeze_range(mut self, range: Range<usize>) -> Bytes {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "{range:?} of {} valid bytes",
            self.len
        );
        if range.is_empty() || self.pool.forked() {
            return Bytes::new();
        }
        self.shrink_to(range.end);
        Bytes::from_owner(Frozen(self)).slice(range)
    }

    /// Whether this process is a child that was forked after the arena was mapped.
    pub(super) fn is_of_a_parent(&self) -> bool {
        self.pool.forked()
    }

    /// Where the block lies; `None` in a forked child.
    pub(super) fn raw(&mut self) -> Option<*mut u8> {
        (!self.pool.forked()).then(|| self.start())
    }

    /// The slabs of the arena in which these bytes of the lease lie; `None` in a forked child, and
    /// where it has not so many.
    pub(crate) fn slabs_of(&self, span: &Range<usize>) -> Option<Range<usize>> {
        if self.pool.forked() || span.start > span.end || span.end > self.capacity() {
            return None;
        }
        let first = self.block.offset();
        Some(self.pool.arena().slabs_of(&(first + span.start..first + span.end)))
    }

    fn start(&self) -> *mut u8 {
        self.pool.arena().at(self.block.offset())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.give_back(self.share, self.label, [std::mem::take(&mut self.block)]);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("offset", &self.block.offset())
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

struct Frozen(Lease);

impl AsRef<[u8]> for Frozen {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::tests::{KIB, MIB, lease, pool};

    #[test]
    fn it_starts_empty_zeroed_and_aligned() {
        let pool = pool();
        let mut lease = lease(&pool, 10_000);
        assert_eq!((lease.len(), lease.capacity(), lease.label()), (0, 12 * KIB, "part"));
        assert!(lease.as_slice().is_empty());
        assert!(lease.as_mut_slice().iter().all(|byte| *byte == 0));
        assert_eq!(lease.as_mut_slice().as_ptr() as usize % 4096, 0);
        lease.as_mut_slice()[..5].copy_from_slice(b"hello");
        lease.set_len(5);
        assert_eq!(lease.as_slice(), b"hello");
    }

    #[test]
    #[should_panic(expected = "4097 bytes in a lease of 4096")]
    fn its_length_has_a_bound() {
        lease(&pool(), 4096).set_len(4097);
    }

    #[test]
    fn shrinking_keeps_the_front() {
        let pool = pool();
        let mut lease = lease(&pool, MIB);
        lease.as_mut_slice().fill(9);
        lease.set_len(MIB);
        lease.shrink_to(5000);
        assert_eq!((lease.len(), lease.capacity()), (8 * KIB, 8 * KIB));
        assert!(lease.as_slice().iter().all(|byte| *byte == 9));
        assert_eq!(pool.stats().lent_bytes, 8 * KIB);
        lease.shrink_to(usize::MAX);
        assert_eq!(lease.capacity(), 8 * KIB);
    }

    #[test]
    fn one_of_half_its_size_takes_its_place() {
        let pool = pool();
        let lease = lease(&pool, 64 * KIB);
        let smaller = lease.try_smaller(5_000).expect("there is room");
        assert_eq!((smaller.capacity(), smaller.label()), (8 * KIB, "part"));
        assert_eq!(lease.try_smaller(32 * KIB).expect("half of it").capacity(), 32 * KIB);
        assert!(lease.try_smaller(32 * KIB + 1).is_none());
    }

    #[test]
    fn frozen_bytes_are_the_same_memory_and_return_it_from_any_thread() {
        let pool = pool();
        let mut lease = lease(&pool, MIB);
        lease.as_mut_slice()[..9].copy_from_slice(b"head:body");
        lease.set_len(9);
        let address = lease.as_slice().as_ptr();
        let body = lease.freeze_range(5..9);
        assert_eq!(body, "body");
        assert_eq!(body.as_ptr(), address.wrapping_add(5));
        assert_eq!(pool.stats().lent_bytes, 4 * KIB, "the unused rest is back at once");
        let clone = body.clone();
        drop(body);
        assert_eq!(pool.stats().lent_bytes, 4 * KIB);
        thread::spawn(move || drop(clone)).join().expect("no panic");
        assert_eq!(pool.stats().lent_bytes, 0);
    }

    #[test]
    fn freezing_nothing_holds_nothing() {
        let pool = pool();
        assert!(lease(&pool, MIB).freeze().is_empty());
        assert_eq!(pool.stats().lent_bytes, 0);
    }

    #[test]
    fn memory_outlives_the_handles_of_the_pool() {
        let pool = pool();
        let mut lease = lease(&pool, 4096);
        drop(pool);
        lease.as_mut_slice().fill(3);
        lease.set_len(4096);
        assert_eq!(lease.freeze(), vec![3; 4096]);
    }

    #[test]
    fn it_shows_no_content() {
        let pool = pool();
        // The smallest free block that fits is the last of 4 + 2 + 1 MiB.
        let mut lease = lease(&pool, 4096);
        lease.as_mut_slice()[..6].copy_from_slice(b"secret");
        lease.set_len(6);
        assert_eq!(format!("{lease:?}"), "Lease { offset: 6291456, len: 6, .. }");
    }
}
