//! How long each op in flight may stand still (TIME-1): one entry a slot, and one time at which to look
//! at them again.
//!
//! Nearly every op ends long before. So an op that is watched costs a store when it starts and another
//! when it ends: the clock is read once for all that a turn has started, nothing is sorted, and the
//! time of the next look is only ever too early.

use std::time::{Duration, Instant};

/// The watches of one table.
pub(super) struct Watches {
    states: Vec<Watch>,
    /// Slots whose time has not begun to run.
    begun: Vec<usize>,
    /// Those that a look may find to be over.
    running: usize,
    /// Nothing is over before; of no meaning when none runs.
    next_look: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    Off,
    /// It runs from when the clock is read next.
    Begun(Duration),
    /// It ended before that, and is still listed.
    EndedSoon,
    Until(Instant),
    /// The time has passed, perhaps while this core was away: what has come meanwhile is taken in by the
    /// end of the turn, and only the look of the next turn decides.
    Due,
    Over,
}

impl Watches {
    pub(super) fn new(slots: usize) -> Watches {
        let begun = Vec::with_capacity(slots);
        Watches { states: vec![Watch::Off; slots], begun, running: 0, next_look: None }
    }

    /// Watches a slot for so long from now on, whatever its watch was before.
    pub(super) fn begin(&mut self, slot: usize, limit: Duration) {
        self.end(slot);
        if self.states[slot] == Watch::Off {
            self.begun.push(slot);
        }
        self.states[slot] = Watch::Begun(limit);
    }

    /// Watches a slot no longer.
    pub(super) fn end(&mut self, slot: usize) {
        let ended = match self.states[slot] {
            Watch::Off => return,
            Watch::Begun(_) | Watch::EndedSoon => Watch::EndedSoon,
            Watch::Until(_) | Watch::Due => {
                self.running -= 1;
                Watch::Off
            }
            Watch::Over => Watch::Off,
        };
        self.states[slot] = ended;
    }

    /// Whether a slot stood still for its time.
    pub(super) fn is_over(&self, slot: usize) -> bool {
        self.states[slot] == Watch::Over
    }

    /// Whether a look can find anything, now or later.
    pub(super) fn any(&self) -> bool {
        self.running > 0 || !self.begun.is_empty()
    }

    /// When to look; `None` when nothing is watched.
    pub(super) fn next_look(&mut self, now: Instant) -> Option<Instant> {
        self.run_begun(now);
        self.next_look.filter(|_| self.running > 0)
    }

    /// To be called once a turn; `over` is told each slot whose time is over with this look.
    pub(super) fn look(&mut self, now: Instant, mut over: impl FnMut(usize)) {
        if self.next_look(now).is_none_or(|at| now < at) {
            return;
        }
        self.running = 0;
        for slot in 0..self.states.len() {
            match self.states[slot] {
                Watch::Until(until) if until <= now => self.run(slot, Watch::Due, now),
                Watch::Until(until) => self.run(slot, Watch::Until(until), until),
                Watch::Due => {
                    self.states[slot] = Watch::Over;
                    over(slot);
                }
                Watch::Off | Watch::Begun(_) | Watch::EndedSoon | Watch::Over => {}
            }
        }
    }

    fn run_begun(&mut self, now: Instant) {
        while let Some(slot) = self.begun.pop() {
            match self.states[slot] {
                Watch::Begun(limit) => match now.checked_add(limit) {
                    Some(until) => self.run(slot, Watch::Until(until), until),
                    // "No limit" is a time that no process lives to see.
                    None => self.states[slot] = Watch::Off,
                },
                _ => self.states[slot] = Watch::Off,
            }
        }
    }

    fn run(&mut self, slot: usize, watch: Watch, look_at: Instant) {
        self.states[slot] = watch;
        let earlier = self.next_look.filter(|next| self.running > 0 && *next <= look_at);
        self.next_look = Some(earlier.unwrap_or(look_at));
        self.running += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn look(watches: &mut Watches, now: Instant) -> Vec<usize> {
        let mut over = Vec::new();
        watches.look(now, |slot| over.push(slot));
        over
    }

    #[test]
    fn a_watch_is_over_with_the_second_look_after_its_time() {
        let (mut watches, start) = (Watches::new(4), Instant::now());
        watches.begin(1, ms(20));
        watches.begin(2, ms(10));
        assert_eq!(watches.next_look(start), Some(start + ms(10)));
        assert_eq!(look(&mut watches, start + ms(9)), []);
        assert_eq!(look(&mut watches, start + ms(11)), []);
        assert_eq!(watches.next_look(start), Some(start + ms(11)), "the next turn looks");
        assert_eq!(look(&mut watches, start + ms(11)), [2]);
        assert!(watches.is_over(2) && !watches.is_over(1));
        assert_eq!(watches.next_look(start), Some(start + ms(20)));
        watches.begin(2, ms(10));
        assert!(!watches.is_over(2));
        watches.end(1);
        assert_eq!(watches.next_look(start + ms(20)), Some(start + ms(30)));
    }

    #[test]
    fn what_has_ended_is_not_looked_at() {
        let (mut watches, start) = (Watches::new(2), Instant::now());
        watches.begin(0, ms(10));
        watches.end(0);
        watches.begin(0, ms(10));
        watches.begin(1, ms(30));
        assert_eq!(watches.next_look(start), Some(start + ms(10)));
        watches.end(0);
        assert_eq!(look(&mut watches, start + ms(10)), []);
        assert_eq!(watches.next_look(start), Some(start + ms(30)));
        watches.begin(1, Duration::MAX);
        assert_eq!(watches.next_look(start), None);
        watches.begin(1, ms(10));
        watches.end(1);
        assert!(watches.any());
        assert_eq!(look(&mut watches, start + ms(50)), []);
        assert!(!watches.any());
    }
}
