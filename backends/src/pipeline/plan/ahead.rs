//! How far a download reads ahead of whoever takes its pieces.

/// The fewest parts ahead: one that is taken while the next one comes.
const AHEAD_PARTS_MIN: usize = 2;

/// The number of parts that may be on the wire or lie ready at once. It follows the consumer: one
/// that is slow holds little of the pool, one that waits gets all that it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAhead {
    parts: usize,
    parts_max: usize,
    /// The consumer came, found nothing, and that has been counted.
    missed: bool,
}

impl ReadAhead {
    /// Begins with `parts`, and never goes beyond `parts_max`.
    pub fn new(parts: usize, parts_max: usize) -> ReadAhead {
        let parts_max = parts_max.max(1);
        ReadAhead { parts: parts.clamp(1, parts_max), parts_max, missed: false }
    }

    /// Parts that may be ahead now.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// The consumer came and nothing was ready: it is faster than the store, so twice as many.
    pub fn on_missed(&mut self) {
        if !std::mem::replace(&mut self.missed, true) {
            self.parts = (2 * self.parts).min(self.parts_max);
        }
    }

    /// The consumer took a piece; `all_ready` says that every part ahead lay ready by then, so that
    /// the store waited for the consumer: one less.
    pub fn on_taken(&mut self, all_ready: bool) {
        self.missed = false;
        if all_ready {
            self.parts = (self.parts - 1).max(AHEAD_PARTS_MIN.min(self.parts_max));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_consumer_within_its_bounds() {
        let mut ahead = ReadAhead::new(8, 17);
        for _ in 0..3 {
            ahead.on_missed();
        }
        assert_eq!(ahead.parts(), 16, "one wait counts once");
        for _ in 0..40 {
            ahead.on_taken(true);
        }
        assert_eq!(ahead.parts(), 2);
        ahead.on_taken(false);
        assert_eq!(ahead.parts(), 2);
        for _ in 0..9 {
            ahead.on_missed();
            ahead.on_taken(false);
        }
        assert_eq!(ahead.parts(), 17);
    }

    #[test]
    fn one_part_is_always_allowed() {
        let mut ahead = ReadAhead::new(0, 0);
        assert_eq!(ahead.parts(), 1);
        ahead.on_taken(true);
        ahead.on_missed();
        assert_eq!(ahead.parts(), 1);
    }
}
