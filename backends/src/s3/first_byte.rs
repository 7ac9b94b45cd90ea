//! How long the answer to a part is waited for once the part has been sent: learnt from the answers
//! before.
//!
//! Some 0.1 % of the answers of S3 to UploadPart take seconds where the others take a fraction of one,
//! and the same part over another connection is stored at once. The limit is taken from the first
//! answers, comes down to a little above their mean, and goes up when too many are late; a server whose
//! answers take long is waited for as any other peer is. What was under way together and is late
//! together is one sign of one hiccup, and raises the limit once. Pure: it is told how long each answer
//! took (SANS-1). Source of the method and its numbers: aws-c-s3, `aws_s3_client_update_upload_part_timeout`.
//!
//! Other than there, the limit is never less than the mean and a margin: a percentile alone would give
//! up every tenth answer of a server that is slow and steady.

use std::time::Duration;

/// The limits of the wait (LIMIT-1). Only the first try of a part is waited for by it: what is asked
/// again is waited for until it stalls, so no part fails because of what was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirstByteLimits {
    /// Answers that come before there is a limit; as many as a core may have connections to the origin,
    /// where those are more, up to 1,024. Default 10.
    pub learnt_from: usize,
    /// The share of them that the first limit holds for, in percent. Default 90.
    pub learnt_percent: u8,
    /// It is never less. Default 1 s.
    pub least: Duration,
    /// It is never less than so much above the mean, and comes down to that. Default 700 ms.
    pub above_mean: Duration,
    /// Each answer takes away this part of what is above that. Default 64.
    pub lowered_by_part: u32,
    /// Answers that mean and shares go back to, more or less. Default 2,000.
    pub counted: u32,
    /// More late answers than this in 10,000 raise it a little. Default 10.
    pub late_in_10_000: u32,
    /// By how much. Default 100 ms.
    pub raised_by: Duration,
    /// More late answers than this in 10,000 raise it a lot. Default 100.
    pub many_late_in_10_000: u32,
    /// By how much. Default 1 s.
    pub many_raised_by: Duration,
    /// Where it would be more, there is none any more; `ZERO` learns nothing. Default 5 s.
    pub most: Duration,
}

impl Default for FirstByteLimits {
    fn default() -> FirstByteLimits {
        FirstByteLimits {
            learnt_from: 10,
            learnt_percent: 90,
            least: Duration::from_secs(1),
            above_mean: Duration::from_millis(700),
            lowered_by_part: 64,
            counted: 2000,
            late_in_10_000: 10,
            raised_by: Duration::from_millis(100),
            many_late_in_10_000: 100,
            many_raised_by: Duration::from_secs(1),
            most: Duration::from_secs(5),
        }
    }
}

/// More answers than this are not remembered, however many connections there may be.
const LEARNT_FROM_MAX: usize = 1024;

/// What one core has learnt of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct FirstByte {
    limits: FirstByteLimits,
    /// How many answers are learnt from.
    wanted: usize,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Learning(Vec<Duration>),
    Known(Known),
    Off,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    limit: Duration,
    mean: Duration,
    /// Of late, in time and not.
    answered: u32,
    late: u32,
}

impl FirstByte {
    /// `connections` is how many the core may have to the endpoint.
    pub(super) fn new(limits: FirstByteLimits, connections: usize) -> FirstByte {
        let wanted = limits.learnt_from.max(connections).clamp(1, LEARNT_FROM_MAX);
        let is_on = limits.most > Duration::ZERO;
        let state = if is_on { State::Learning(Vec::new()) } else { State::Off };
        FirstByte { limits, wanted, state }
    }

    /// How long an answer is waited for; `None` as long as any peer is.
    pub(super) fn limit(&self) -> Option<Duration> {
        match &self.state {
            State::Known(known) => Some(known.limit),
            State::Learning(_) | State::Off => None,
        }
    }

    /// An answer came so long after its part was sent.
    pub(super) fn answered(&mut self, took: Duration) {
        let known = match &mut self.state {
            State::Off => return,
            State::Learning(samples) => {
                samples.push(took);
                if samples.len() < self.wanted {
                    return;
                }
                learnt(samples, &self.limits)
            }
            State::Known(known) => known.answered(took, &self.limits),
        };
        self.settle(known);
    }

    /// None came within `waited`.
    pub(super) fn late(&mut self, waited: Duration) {
        if let State::Known(known) = &self.state {
            self.settle(known.late(waited, &self.limits));
        }
    }

    fn settle(&mut self, known: Known) {
        let is_on = known.limit <= self.limits.most;
        self.state = if is_on { State::Known(known) } else { State::Off };
    }
}

/// The first limit; there is at least one answer.
fn learnt(samples: &mut [Duration], limits: &FirstByteLimits) -> Known {
    samples.sort_unstable();
    let percent = usize::from(limits.learnt_percent.min(100));
    let held = (samples.len() * percent).div_ceil(100).max(1);
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let mean = samples.iter().fold(Duration::ZERO, |sum, one| sum.saturating_add(*one)) / count;
    let limit = samples[held - 1].max(floor(mean, limits));
    Known { limit, mean, answered: count, late: 0 }
}

/// The limit is never less.
fn floor(mean: Duration, limits: &FirstByteLimits) -> Duration {
    mean.saturating_add(limits.above_mean).max(limits.least)
}

impl Known {
    fn answered(&self, took: Duration, limits: &FirstByteLimits) -> Known {
        let mut known = *self;
        known.answered += 1;
        known.forget(limits);
        let weight = known.answered.max(1);
        known.mean = match took.checked_sub(self.mean) {
            Some(more) => self.mean.saturating_add(more / weight),
            None => self.mean - (self.mean - took) / weight,
        };
        let floor = floor(known.mean, limits);
        let above = known.limit.saturating_sub(floor);
        known.limit = floor + (above - above / limits.lowered_by_part.max(1));
        known
    }

    fn late(&self, waited: Duration, limits: &FirstByteLimits) -> Known {
        let mut known = *self;
        known.late += 1;
        let all = u64::from(known.answered) + u64::from(known.late);
        let are_over = |share: u32| u64::from(known.late) * 10_000 > u64::from(share) * all;
        let raise = match () {
            // It was raised while this one waited.
            () if waited < known.limit => Duration::ZERO,
            () if are_over(limits.many_late_in_10_000) => limits.many_raised_by,
            () if are_over(limits.late_in_10_000) => limits.raised_by,
            () => Duration::ZERO,
        };
        known.limit = known.limit.saturating_add(raise);
        known.forget(limits);
        known
    }

    /// What is long past weighs less and less.
    fn forget(&mut self, limits: &FirstByteLimits) {
        if self.answered.saturating_add(self.late) >= limits.counted.max(2) {
            (self.answered, self.late) = (self.answered / 2, self.late / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn after(answers: impl IntoIterator<Item = u64>) -> FirstByte {
        let mut first_byte = FirstByte::new(FirstByteLimits::default(), 1);
        answers.into_iter().for_each(|took| first_byte.answered(ms(took)));
        first_byte
    }

    #[test]
    fn the_first_limit_comes_from_the_first_answers() {
        assert_eq!(after([10; 9]).limit(), None, "too few");
        assert_eq!(after([10; 10]).limit(), Some(ms(1000)), "never less");
        // Nine of ten took no longer than this.
        let slow = [100, 100, 100, 100, 100, 100, 100, 100, 1900, 4000];
        assert_eq!(after(slow).limit(), Some(ms(1900)));
        assert_eq!(after([1500; 10]).limit(), Some(ms(2200)), "the mean and a margin");
        assert_eq!(after([6000; 10]).limit(), None, "slow");
        let connections = |count| {
            let mut first_byte = FirstByte::new(FirstByteLimits::default(), count);
            let answers = (1..).find(|_| {
                first_byte.answered(ms(10));
                first_byte.limit().is_some()
            });
            answers.expect("in the end")
        };
        assert_eq!([0, 1, 10, 32].map(connections), [10, 10, 10, 32]);
    }

    #[test]
    fn it_comes_down_to_the_mean_and_a_margin() {
        let slow = [100, 100, 100, 100, 100, 100, 100, 100, 3900, 4000];
        let mut first_byte = after(slow);
        let mut before = first_byte.limit().expect("known");
        assert_eq!(before, ms(3900));
        for _ in 0..2000 {
            first_byte.answered(ms(600));
            let limit = first_byte.limit().expect("known");
            assert!(limit <= before, "{limit:?} after {before:?}");
            before = limit;
        }
        assert!(before < ms(1400) && before >= ms(1300), "{before:?}");
    }

    #[test]
    fn late_answers_raise_it_by_their_share_and_end_it() {
        let mut first_byte = after([10; 10]);
        first_byte.late(ms(1000));
        assert_eq!(first_byte.limit(), Some(ms(2000)), "one of eleven");
        // Those that were under way with it say nothing new.
        (0..30).for_each(|_| first_byte.late(ms(1000)));
        assert_eq!(first_byte.limit(), Some(ms(2000)));
        for limit in [Some(ms(3000)), Some(ms(4000)), Some(ms(5000)), None] {
            first_byte.late(first_byte.limit().expect("known"));
            assert_eq!(first_byte.limit(), limit);
        }
        // For good.
        (0..5000).for_each(|_| first_byte.answered(ms(10)));
        assert_eq!(first_byte.limit(), None);

        // Of how many it is one.
        for (answers, raised) in [(98, 1000), (99, 100), (998, 100), (1000, 0)] {
            let mut first_byte = after((0..answers).map(|_| 10));
            first_byte.late(ms(1000));
            assert_eq!(first_byte.limit(), Some(ms(1000 + raised)), "{answers}");
        }
    }

    #[test]
    fn what_is_switched_off_learns_nothing() {
        let limits = FirstByteLimits { most: Duration::ZERO, ..FirstByteLimits::default() };
        let mut first_byte = FirstByte::new(limits, 1);
        (0..100).for_each(|_| first_byte.answered(Duration::ZERO));
        assert_eq!(first_byte.limit(), None);
    }

    fn limits() -> impl Strategy<Value = FirstByteLimits> {
        let durations = (0..3000u64, 0..3000u64, 0..9000u64, 0..2000u64, 0..2000u64);
        let numbers = (0..20usize, any::<u8>(), 0..100u32, 0..3000u32, 0..2000u32, 0..2000u32);
        (durations, numbers).prop_map(|((least, above, most, raised, many), numbers)| {
            let (learnt_from, learnt_percent, lowered_by_part, counted, late, many_late) = numbers;
            FirstByteLimits {
                learnt_from,
                learnt_percent,
                least: ms(least),
                above_mean: ms(above),
                lowered_by_part,
                counted,
                late_in_10_000: late,
                raised_by: ms(raised),
                many_late_in_10_000: many_late,
                many_raised_by: ms(many),
                most: ms(most),
            }
        })
    }

    proptest! {
        #[test]
        fn it_stays_within_its_limits_and_is_off_for_good(
            limits in limits(),
            connections in 0..20usize,
            steps in prop::collection::vec(prop::option::of(any::<u32>()), 0..300),
        ) {
            let mut first_byte = FirstByte::new(limits, connections);
            let mut was_known = false;
            for step in steps {
                match step {
                    Some(took) => first_byte.answered(Duration::from_micros(took.into())),
                    None => first_byte.late(first_byte.limit().unwrap_or(ms(1))),
                }
                match first_byte.limit() {
                    Some(limit) => {
                        prop_assert!(limit >= limits.least && limit <= limits.most);
                        prop_assert!(limit >= limits.above_mean);
                        was_known = true;
                    }
                    None if was_known => prop_assert!(matches!(first_byte.state, State::Off)),
                    None => {}
                }
            }
        }

        /// However slow it is: what varies by less than the margin is never late.
        #[test]
        fn a_steady_server_is_never_given_up(
            base in 0..8_000_000u64,
            jitter in prop::collection::vec(0..700_000u64, 1..500),
        ) {
            let mut first_byte = FirstByte::new(FirstByteLimits::default(), 1);
            for jitter in jitter {
                let took = Duration::from_micros(base + jitter);
                prop_assert!(first_byte.limit().is_none_or(|limit| took <= limit), "{took:?}");
                first_byte.answered(took);
            }
        }
    }
}
