//! What a core takes the clock of a store's servers for, once one has complained: ours is wrong then.
//!
//! A complaint is `RequestTimeTooSkewed`. A HEAD is refused without a word, and the time of that answer
//! may be that of a proxy, which has a clock of its own: what is learnt from it is a guess. It serves
//! until the requests that made it are over, and stays where it has helped one.

use std::cell::Cell;
use std::rc::Rc;

/// The clock of a store's servers, for one core.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// What it is ahead of ours, in seconds.
    ahead_s: Cell<i64>,
    guess_s: Cell<Option<i64>>,
    /// Guesses that are neither kept nor over.
    guesses: Cell<usize>,
}

/// One guess: forgotten when it is dropped.
#[derive(Debug)]
pub(super) struct ClockGuess {
    clock: Rc<Clock>,
}

impl Clock {
    /// What requests are signed by is ahead of our clock, in seconds.
    pub(super) fn ahead_s(&self) -> i64 {
        self.guess_s.get().unwrap_or(self.ahead_s.get())
    }

    /// A server has said that our clock is wrong, and what its own is.
    pub(super) fn learn(&self, ahead_s: i64) {
        self.ahead_s.set(ahead_s);
        self.guess_s.set(None);
    }

    /// The server may have meant that.
    pub(super) fn guess(self: &Rc<Self>, ahead_s: i64) -> ClockGuess {
        self.guess_s.set(Some(ahead_s));
        self.guesses.set(self.guesses.get() + 1);
        ClockGuess { clock: Rc::clone(self) }
    }
}

impl ClockGuess {
    /// A request that was signed by so much has helped: the clock may be another's guess.
    pub(super) fn keep(self, signed_ahead_s: i64) {
        self.clock.learn(signed_ahead_s);
    }
}

impl Drop for ClockGuess {
    fn drop(&mut self) {
        let left = self.clock.guesses.get() - 1;
        self.clock.guesses.set(left);
        if left == 0 {
            self.clock.guess_s.set(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_serves_until_it_is_over_and_stays_where_it_helped() {
        let clock = Rc::<Clock>::default();
        clock.learn(3);
        let (one, two) = (clock.guess(100), clock.guess(101));
        assert_eq!(clock.ahead_s(), 101);
        drop(one);
        assert_eq!(clock.ahead_s(), 101, "another request still goes by it");
        drop(two);
        assert_eq!(clock.ahead_s(), 3);
        let (one, two) = (clock.guess(100), clock.guess(101));
        one.keep(clock.ahead_s());
        assert_eq!(clock.ahead_s(), 101, "what helped it was the other's");
        drop(two);
        assert_eq!(clock.ahead_s(), 101);
    }

    #[test]
    fn what_a_server_says_is_better_than_a_guess() {
        let clock = Rc::<Clock>::default();
        let guess = clock.guess(100);
        clock.learn(7);
        assert_eq!(clock.ahead_s(), 7);
        drop(guess);
        assert_eq!(clock.ahead_s(), 7);
    }
}
