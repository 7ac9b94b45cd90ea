//! How many requests to one origin are under way at once: fewer when it says that it is too many, and
//! more again while it does not.
//!
//! A refusal halves the number, once for all requests that were under way together: they are one
//! sign of one overload. Each time as many requests as are allowed have succeeded, one more is
//! (additive increase, multiplicative decrease, as TCP does: RFC 5681 section 3.1).
//!
//! What a refused request waits before its next try, `Retry-After` among it, holds all requests to the
//! origin: it is the origin that wants to be left alone, not that one request. Pure: it is told what
//! came of each request, and the time (SANS-1).

use std::time::{Duration, Instant};

/// The limits of the number (LIMIT-1). The most is [`crate::http1::HttpLimits::connections_per_core_max`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PaceLimits {
    /// Requests of one core to one origin that are under way at once however often it refuses.
    /// Default 1.
    pub least: usize,
    /// What a refusal leaves of the number, in percent; from 1 to 99. Default 50.
    pub lowered_to_percent: u8,
    /// What is added after as many successes as the number is. Default 1.
    pub raised_by: usize,
}

impl Default for PaceLimits {
    fn default() -> PaceLimits {
        PaceLimits { least: 1, lowered_to_percent: 50, raised_by: 1 }
    }
}

/// The number for one core and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pace {
    limits: PaceLimits,
    most: usize,
    allowed: usize,
    /// Successes since the number changed.
    successes: usize,
    /// How often it was lowered.
    lowered: u32,
    /// No request begins before.
    held_until: Option<Instant>,
}

/// When a request began, as its refusal is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    lowered: u32,
}

impl Pace {
    pub(super) fn new(limits: PaceLimits, most: usize) -> Pace {
        let most = most.max(1);
        Pace { limits, most, allowed: most, successes: 0, lowered: 0, held_until: None }
    }

    /// Requests that may be under way now.
    pub(super) fn allowed(&self) -> usize {
        self.allowed
    }

    /// A request begins.
    pub(super) fn begin(&self) -> Begun {
        Begun { lowered: self.lowered }
    }

    /// The origin is to be left alone for a time; a longer hold stays.
    pub(super) fn hold(&mut self, now: Instant, time: Duration) {
        self.held_until = self.held_until.max(now.checked_add(time));
    }

    /// How long no request may begin yet.
    pub(super) fn held(&self, now: Instant) -> Option<Duration> {
        let left = self.held_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// It succeeded.
    pub(super) fn succeeded(&mut self) {
        self.successes += 1;
        if self.successes >= self.allowed {
            self.successes = 0;
            self.allowed = self.allowed.saturating_add(self.limits.raised_by).min(self.most);
        }
    }

    /// The origin asked for fewer requests.
    pub(super) fn refused(&mut self, begun: Begun) {
        if begun.lowered != self.lowered {
            return;
        }
        let percent = usize::from(self.limits.lowered_to_percent.clamp(1, 99));
        let least = self.limits.least.clamp(1, self.most);
        self.allowed = (self.allowed.saturating_mul(percent) / 100).max(least);
        self.successes = 0;
        self.lowered = self.lowered.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_under_way_together_lowers_once() {
        let mut pace = Pace::new(PaceLimits::default(), 32);
        let begun: Vec<_> = (0..32).map(|_| pace.begin()).collect();
        begun.into_iter().for_each(|begun| pace.refused(begun));
        assert_eq!(pace.allowed(), 16);
        for left in [8, 4, 2, 1, 1] {
            pace.refused(pace.begin());
            assert_eq!(pace.allowed(), left);
        }
    }

    #[test]
    fn it_rises_by_one_a_round_and_ends_at_the_most() {
        let mut pace = Pace::new(PaceLimits::default(), 8);
        pace.refused(pace.begin());
        for allowed in 4..8 {
            assert_eq!(pace.allowed(), allowed);
            (0..allowed).for_each(|_| pace.succeeded());
        }
        (0..100).for_each(|_| pace.succeeded());
        assert_eq!(pace.allowed(), 8);
    }

    #[test]
    fn a_hold_ends_and_the_longest_counts() {
        let (mut pace, now) = (Pace::new(PaceLimits::default(), 8), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(pace.held(now), None);
        pace.hold(now, Duration::from_secs(3));
        pace.hold(after(1), Duration::from_secs(1));
        assert_eq!(pace.held(after(1)), Some(Duration::from_secs(2)));
        pace.hold(after(2), Duration::from_secs(2));
        assert_eq!(pace.held(after(3)), Some(Duration::from_secs(1)));
        assert_eq!(pace.held(after(4)), None);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_limits(
            steps in prop::collection::vec(any::<bool>(), 0..500),
            (least, most) in (0usize..20, 0usize..20),
            (lowered_to_percent, raised_by) in (any::<u8>(), 0usize..5),
        ) {
            let limits = PaceLimits { least, lowered_to_percent, raised_by };
            let mut pace = Pace::new(limits, most);
            for succeeds in steps {
                let begun = pace.begin();
                if succeeds { pace.succeeded() } else { pace.refused(begun) }
                prop_assert!((1..=most.max(1)).contains(&pace.allowed()));
                prop_assert!(pace.allowed() >= least.min(most));
            }
        }
    }
}
