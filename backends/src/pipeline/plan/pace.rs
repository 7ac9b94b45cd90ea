//! How many deletes are under way at once.

use std::time::Duration;

/// Deletes at once, at most (LIMIT-1).
pub const DELETES_MAX: usize = 1_000;

/// The limit of the first wait of keys that met trouble; it doubles while trouble goes on.
const PAUSE_BASE: Duration = Duration::from_millis(50);

/// No such wait is longer.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The pace of a delete: by how much there is to do, and slower while the store is in trouble.
#[derive(Debug, Clone, Copy)]
pub struct DeletePace {
    /// What the store can take; falls by half with each sign of trouble, rises by one with each
    /// success.
    allowed: usize,
    /// Signs of trouble since the last success.
    troubles: u32,
}

impl DeletePace {
    /// At full speed.
    pub fn new() -> DeletePace {
        DeletePace { allowed: DELETES_MAX, troubles: 0 }
    }

    /// Requests at once for so many: one by one below 10, ten at once below 100, then a tenth of
    /// them, and 1,000 at most.
    pub fn wanted(requests: u64) -> usize {
        match requests {
            0..10 => 1,
            10..100 => 10,
            more => usize::try_from(more / 10).unwrap_or(usize::MAX).min(DELETES_MAX),
        }
    }

    /// How many requests the store may get at once now.
    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// The store said that it is too much, while `running` requests were under way.
    pub fn on_trouble(&mut self, running: usize) {
        self.allowed = (self.allowed.min(running) / 2).max(1);
        self.troubles = self.troubles.saturating_add(1);
    }

    /// A request succeeded.
    pub fn on_success(&mut self) {
        self.allowed = (self.allowed + 1).min(DELETES_MAX);
        self.troubles = 0;
    }

    /// How long keys that met trouble wait before they are tried again: any time up to a limit that
    /// grows while no request succeeds, so that they do not come back together.
    pub fn pause(&self, random: u64) -> Duration {
        let doubled = PAUSE_BASE.saturating_mul(1 << self.troubles.saturating_sub(1).min(16));
        doubled.min(PAUSE_MAX).mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
    }
}

impl Default for DeletePace {
    fn default() -> DeletePace {
        DeletePace::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_at_once_as_the_work_is_worth() {
        let wanted =
            [(0, 1), (9, 1), (10, 10), (99, 10), (100, 10), (5_000, 500), (u64::MAX, 1000)];
        for (requests, at_once) in wanted {
            assert_eq!(DeletePace::wanted(requests), at_once, "{requests}");
        }
    }

    #[test]
    fn trouble_halves_and_success_recovers_one_by_one() {
        let mut pace = DeletePace::new();
        pace.on_trouble(100);
        assert_eq!(pace.allowed(), 50);
        (0..10).for_each(|_| pace.on_trouble(50));
        assert_eq!(pace.allowed(), 1);
        (0..3).for_each(|_| pace.on_success());
        assert_eq!(pace.allowed(), 4);
        (0..2000).for_each(|_| pace.on_success());
        assert_eq!(pace.allowed(), DELETES_MAX);
    }

    #[test]
    fn the_pause_grows_while_trouble_goes_on() {
        let mut pace = DeletePace::new();
        let longest = |pace: &DeletePace| pace.pause(u64::MAX).as_millis();
        pace.on_trouble(4);
        assert_eq!((longest(&pace), pace.pause(0)), (50, Duration::ZERO));
        pace.on_trouble(4);
        assert_eq!(longest(&pace), 100);
        (0..100).for_each(|_| pace.on_trouble(4));
        assert_eq!(longest(&pace), 5_000);
        pace.on_success();
        pace.on_trouble(4);
        assert_eq!(longest(&pace), 50);
    }
}
