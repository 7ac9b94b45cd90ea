//! Whether a core that has run out of work looks out for messages for a moment, before it sleeps.
//!
//! To put a thread to sleep and to wake it again costs tens of microseconds where the kernel has to
//! reach for another CPU, above all in a virtual machine. Threads that hand one small thing after the
//! other to a core are spared it on either side. Where messages come far apart, looks become rare.
//! It never looks for completions: with anything in flight a core does not come here.

use std::time::{Duration, Instant};

use super::Inbox;

/// What a core has learnt about looking out.
#[derive(Debug)]
pub(super) struct Spin {
    /// A look that pays ends in this time; zero never looks.
    window: Duration,
    state: State,
    /// Sleeps before the next try, and how many of them are left.
    rest: u32,
    left: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It sleeps at once, and tries now and then.
    Sleeps,
    /// A message came, but late. Its sender may have slept until then: the next one tells.
    Tries,
    /// Messages come within the window.
    Pays,
}

/// A try lasts so many windows: one who sleeps has to wake up first.
const TRY_WINDOWS: u32 = 5;
const REST_MIN: u32 = 16;
const REST_MAX: u32 = 4096;

impl Spin {
    pub(super) fn new(window: Duration) -> Spin {
        Spin { window, state: State::Sleeps, rest: REST_MIN, left: REST_MIN }
    }

    /// Looks out for a message, where that is worth it and nothing is due before; whether one came. To
    /// be called by a core that was given something by another thread, and has done it.
    pub(super) fn look_out(&mut self, inbox: &Inbox, due: Option<Duration>) -> Option<bool> {
        let limit = self.next()?;
        if due.is_some_and(|due| due < limit) {
            return None;
        }
        inbox.announce_look();
        let began = Instant::now();
        let came_after = loop {
            let passed = began.elapsed();
            if inbox.has_any() {
                break Some(passed);
            }
            if passed > limit {
                break None;
            }
            std::hint::spin_loop();
        };
        self.ended(came_after);
        Some(came_after.is_some())
    }

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.saturating_sub(1);
        match self.state {
            _ if self.window.is_zero() => None,
            State::Pays => Some(self.window),
            State::Sleeps if self.left > 0 => None,
            State::Tries | State::Sleeps => Some(self.window.saturating_mul(TRY_WINDOWS)),
        }
    }

    /// Takes in when a message came, counted from the start of the look, or that none did.
    fn ended(&mut self, came_after: Option<Duration>) {
        let before = self.state;
        self.state = match came_after {
            Some(after) if after <= self.window => State::Pays,
            Some(_) if before == State::Sleeps => State::Tries,
            _ => State::Sleeps,
        };
        self.rest = match (before, self.state) {
            (State::Pays, _) | (_, State::Pays) => REST_MIN,
            (_, State::Sleeps) => (self.rest * 2).min(REST_MAX),
            (_, State::Tries) => self.rest,
        };
        self.left = self.rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_micros(20);
    const SOON: Option<Duration> = Some(Duration::from_micros(2));
    const LATE: Option<Duration> = Some(Duration::from_micros(60));

    /// The first look of a core that has slept so far.
    fn tried() -> Spin {
        let mut spin = Spin::new(WINDOW);
        assert_eq!((1..REST_MIN).find_map(|_| spin.next()), None, "it sleeps first");
        assert_eq!(spin.next(), Some(WINDOW * TRY_WINDOWS));
        spin
    }

    #[test]
    fn a_sender_that_slept_gets_a_second_chance() {
        let mut spin = tried();
        spin.ended(LATE);
        assert_eq!(spin.next(), Some(WINDOW * TRY_WINDOWS));
        spin.ended(SOON);
        for _ in 0..1000 {
            assert_eq!(spin.next(), Some(WINDOW));
            spin.ended(SOON);
        }
        spin.ended(None);
        assert_eq!(spin.next(), None, "one that was in vain is enough");
    }

    #[test]
    fn late_messages_do_not_pay() {
        let mut spin = tried();
        spin.ended(LATE);
        spin.ended(LATE);
        assert_eq!(spin.next(), None);
    }

    #[test]
    fn looks_in_vain_become_rare() {
        let mut spin = Spin::new(WINDOW);
        let sleeps = 1 << 20;
        let mut looks = 0;
        for _ in 0..sleeps {
            if spin.next().is_some() {
                looks += 1;
                spin.ended(None);
            }
        }
        assert!(looks <= sleeps / REST_MAX + 10, "{looks} looks");
    }

    #[test]
    fn without_a_window_it_never_looks() {
        let mut spin = Spin::new(Duration::ZERO);
        assert_eq!((0..10_000).find_map(|_| spin.next()), None);
    }
}
