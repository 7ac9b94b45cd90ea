//! How long an answer is waited for once its request was sent.
//!
//! A send with a copy ends when the last byte has found room in the socket, which may hold megabytes:
//! on a slow line most of a part is still here then, and the server cannot answer yet. So the wait is
//! counted from when the peer had acknowledged all, as far as that is looked at: not at first, since
//! most answers come at once, and then some times within the wait. Until then it is the stall limit that
//! ends it, where nothing is acknowledged for so long (TIME-1). Pure: it is told the time and what is left.

use std::time::{Duration, Instant};

/// Looks within one wait while the request is on its way: the wait is exact to an eighth.
const LOOKS: u32 = 8;

/// Looks are no closer than this, however short the wait.
const STEP_MIN: Duration = Duration::from_millis(1);

/// The wait for one answer.
#[derive(Debug)]
pub(super) struct Patience {
    wait: Duration,
    stall: Duration,
    /// The last time that something was still on its way; at first, that all was sent.
    since: Instant,
    /// The last time that something was acknowledged.
    moved: Instant,
    left: Left,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Unknown,
    Bytes(u64),
    Nothing,
}

/// What is to be done when a step has passed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Wait,
    GiveUp,
}

impl Patience {
    /// All was sent now; the answer may take `wait` from when it is out.
    pub(super) fn new(now: Instant, wait: Duration, stall: Duration) -> Patience {
        Patience { wait, stall, since: now, moved: now, left: Left::Unknown }
    }

    /// The same where what is not out by now never will be.
    pub(super) fn all_out(now: Instant, wait: Duration) -> Patience {
        Patience { left: Left::Nothing, ..Patience::new(now, wait, wait) }
    }

    /// How long the answer is waited for until the next look.
    pub(super) fn step(&self, now: Instant) -> Duration {
        match self.left {
            Left::Nothing => self.wait.saturating_sub(self.waited(now)),
            Left::Unknown | Left::Bytes(_) => (self.wait / LOOKS).max(STEP_MIN),
        }
    }

    /// A step has passed; `left` tells how many bytes are not acknowledged, where that is known.
    pub(super) fn look(&mut self, now: Instant, left: impl FnOnce() -> Option<u64>) -> Look {
        if self.left == Left::Nothing {
            return if self.waited(now) < self.wait { Look::Wait } else { Look::GiveUp };
        }
        let left = match left() {
            None | Some(0) => Left::Nothing,
            Some(bytes) => Left::Bytes(bytes),
        };
        if left == Left::Nothing {
            self.left = left;
            return Look::Wait;
        }
        if left != self.left {
            self.moved = now;
        }
        (self.left, self.since) = (left, now);
        let still = now.saturating_duration_since(self.moved);
        if still < self.stall { Look::Wait } else { Look::GiveUp }
    }

    /// How long the answer was waited for.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Whether it was given up because of the answer, and not of the way there.
    pub(super) fn is_late(&self) -> bool {
        self.left == Left::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(800);
    const STALL: Duration = Duration::from_secs(30);

    /// Runs until it is given up; `left` tells what is left after so much time. When, and because of what.
    fn given_up(
        patience: &mut Patience,
        left: impl Fn(Duration) -> Option<u64>,
    ) -> (Duration, bool) {
        let (start, mut now) = (patience.since, patience.since);
        loop {
            now += patience.step(now);
            if patience.look(now, || left(now - start)) == Look::GiveUp {
                return (now - start, patience.is_late());
            }
        }
    }

    fn new() -> Patience {
        Patience::new(Instant::now(), WAIT, STALL)
    }

    #[test]
    fn what_is_out_at_once_is_waited_for_no_longer() {
        assert_eq!(given_up(&mut new(), |_| Some(0)), (WAIT, true));
        assert_eq!(given_up(&mut new(), |_| None), (WAIT, true), "nobody tells");
        let mut refused = Patience::all_out(Instant::now(), WAIT);
        assert_eq!(given_up(&mut refused, |_| panic!("nobody looks")), (WAIT, true));
    }

    #[test]
    fn the_wait_begins_when_all_is_out() {
        // 100 bytes a millisecond, of 420,000.
        let left = |time: Duration| Some(420_000_u64.saturating_sub(time.as_millis() as u64 * 100));
        let mut patience = new();
        let (time, is_late) = given_up(&mut patience, left);
        let out = Duration::from_millis(4200);
        assert!(is_late && time <= out + WAIT && time >= out + WAIT * 7 / 8, "{time:?}");
        // What is told of an answer is counted from the same time.
        assert_eq!(patience.waited(patience.since + WAIT), WAIT);
        assert!(patience.since <= patience.moved + WAIT / 8);
    }

    #[test]
    fn what_nobody_acknowledges_is_a_stall() {
        let (time, is_late) = given_up(&mut new(), |_| Some(7));
        assert!(!is_late && time >= STALL && time <= STALL + WAIT, "{time:?}");
        // Slow, and moving: far beyond the stall limit.
        let (time, is_late) =
            given_up(&mut new(), |time| Some(100 - (time.as_secs() / 20).min(100)));
        assert!(is_late && time > Duration::from_secs(2000), "{time:?}");
    }
}
