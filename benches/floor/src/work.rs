//! The ranges of one object, handed to whichever connection is free.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cuts `0..bytes` into ranges of `range_bytes` (the last one shorter) and gives each out once, to
/// any thread.
#[derive(Debug)]
pub struct Ranges {
    next: AtomicU64,
    bytes: u64,
    range_bytes: u64,
}

impl Ranges {
    /// # Panics
    /// When `range_bytes` is 0.
    pub fn new(bytes: u64, range_bytes: u64) -> Self {
        assert!(range_bytes > 0, "a range of no bytes never ends");
        Self { next: AtomicU64::new(0), bytes, range_bytes }
    }

    /// The next range that nobody has, or `None` when all are given out.
    pub fn take(&self) -> Option<Range<u64>> {
        let start = self.next.fetch_add(self.range_bytes, Ordering::Relaxed);
        (start < self.bytes).then(|| start..self.bytes.min(start + self.range_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_object_once_and_the_last_is_shorter() {
        let ranges = Ranges::new(10, 4);
        let taken: Vec<_> = std::iter::from_fn(|| ranges.take()).collect();
        assert_eq!(taken, [0..4, 4..8, 8..10]);
        assert_eq!(ranges.take(), None);
    }
}
