//! Which endpoint of a store an attempt goes to, and which are left alone because they are in trouble.
//!
//! An endpoint that cannot be connected to, or that stalls, is left alone at once; one that breaks off
//! or answers with 500 and the like is after a few failures in a row. When its time is over it is
//! probed by a connection that no request waits for. One that connects serves again, and while others
//! are healthy it gets one request at a time, on trial, until one was answered; the next failure sends
//! it back for twice as long. Where all are left alone, the one whose time ends first is asked: a store
//! with one endpoint is asked whatever happens. Pure: it is told what came of each attempt, and the
//! time (SANS-1).

use std::time::{Duration, Instant};

use super::retry::Failure;

/// How the endpoints of one store share its requests (LIMIT-1). Each core counts for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointLimits {
    /// Which one the next attempt goes to.
    pub choice: EndpointChoice,
    /// Failures in a row after which an endpoint is left alone that can be connected to and answers.
    /// Default 3.
    pub failures_max: u32,
    /// How long it is left alone the first time; twice as long each time it fails again. Default 1 s.
    pub left_alone: Duration,
    /// It is never left alone for longer. Default 30 s.
    pub left_alone_max: Duration,
}

/// How one of several healthy endpoints is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndpointChoice {
    /// The one with the fewest requests of this core under way and waiting, in turn among equals: one
    /// that is slow gets less.
    #[default]
    LeastPending,
    /// One after the other.
    RoundRobin,
}

impl Default for EndpointLimits {
    fn default() -> EndpointLimits {
        EndpointLimits {
            choice: EndpointChoice::default(),
            failures_max: 3,
            left_alone: Duration::from_secs(1),
            left_alone_max: Duration::from_secs(30),
        }
    }
}

/// What a failure says of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers.
    Works,
    /// It may be in trouble.
    Suspect,
    /// It is not there.
    Gone,
    /// Nothing: the failure is of another making.
    Nothing,
}

impl Verdict {
    pub(super) fn of(failure: &Failure<'_>) -> Verdict {
        match *failure {
            Failure::Connect | Failure::Stalled => Verdict::Gone,
            Failure::Broken { stale: false } | Failure::Malformed | Failure::Corrupt => {
                Verdict::Suspect
            }
            // 503 without a code comes from what stands before a server that is away.
            Failure::Answer { status: 503, code: None, .. }
            | Failure::Answer { status: 500 | 502 | 504, .. } => Verdict::Suspect,
            Failure::Answer { .. } => Verdict::Works,
            Failure::Broken { stale: true } | Failure::Late | Failure::Misdirected => {
                Verdict::Nothing
            }
        }
    }
}

/// What a probe has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probed {
    Connected,
    Refused,
    /// It could not be made.
    Nothing,
}

/// The endpoints of one store, as one core sees them.
#[derive(Debug)]
pub(super) struct Choice {
    limits: EndpointLimits,
    endpoints: Vec<Health>,
    turn: usize,
}

#[derive(Debug, Clone, Default)]
struct Health {
    /// Attempts that wait there, or are under way.
    pending: usize,
    /// In a row.
    failures: u32,
    state: State,
    /// How often it was left alone since it last served a request.
    times_down: u32,
    /// How often it was left alone in all.
    downs: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Up,
    LeftAlone {
        until: Instant,
    },
    Probed,
}

/// An attempt at one endpoint, to be told of when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) endpoint: usize,
    downs: u32,
}

/// How good a choice is; the least is the best.
type Rank = (Option<Duration>, Duration, bool, bool, usize, usize);

impl Choice {
    pub(super) fn new(limits: EndpointLimits, endpoints: usize) -> Choice {
        Choice { limits, endpoints: vec![Health::default(); endpoints.max(1)], turn: 0 }
    }

    /// Chooses for one attempt. `held` tells how long an endpoint wants no request yet, `shunned` is
    /// where the last attempt failed.
    pub(super) fn choose(
        &mut self,
        now: Instant,
        held: impl Fn(usize) -> Duration,
        shunned: Option<usize>,
    ) -> Chosen {
        let count = self.endpoints.len();
        let endpoint = (0..count)
            .min_by_key(|&endpoint| self.rank(endpoint, now, held(endpoint), shunned))
            .expect("there is one at least");
        self.turn = (endpoint + 1) % count;
        self.take(endpoint)
    }

    /// Takes a certain one for an attempt.
    pub(super) fn take(&mut self, endpoint: usize) -> Chosen {
        let taken = &mut self.endpoints[endpoint];
        taken.pending += 1;
        Chosen { endpoint, downs: taken.downs }
    }

    fn rank(&self, at: usize, now: Instant, held: Duration, shunned: Option<usize>) -> Rank {
        let health = &self.endpoints[at];
        let left_alone = match health.state {
            State::Up => None,
            State::LeftAlone { until } => Some(until.saturating_duration_since(now)),
            State::Probed => Some(Duration::ZERO),
        };
        let pending = match self.limits.choice {
            EndpointChoice::LeastPending => health.pending,
            EndpointChoice::RoundRobin => 0,
        };
        let count = self.endpoints.len();
        let in_turn = (at + count - self.turn) % count;
        // It connects again. Whether it serves, too, one request finds out.
        let on_trial = health.times_down > 0 && health.pending > 0;
        (left_alone, held, shunned == Some(at), on_trial, pending, in_turn)
    }

    /// Whether an attempt that failed there could go to another one that is healthy.
    pub(super) fn has_another(&self, than: usize) -> bool {
        let mut others = self.endpoints.iter().enumerate().filter(|(at, _)| *at != than);
        others.any(|(_, health)| health.state == State::Up)
    }

    /// Whether the endpoint was left alone since it was chosen, and another one is healthy.
    pub(super) fn is_overtaken(&self, chosen: Chosen) -> bool {
        let health = &self.endpoints[chosen.endpoint];
        health.downs != chosen.downs && self.has_another(chosen.endpoint)
    }

    /// The attempt has ended, in whatever way.
    pub(super) fn ended(&mut self, chosen: Chosen) {
        self.endpoints[chosen.endpoint].pending -= 1;
    }

    /// What came of an attempt. One that began before the endpoint was last left alone tells nothing
    /// new.
    pub(super) fn told(&mut self, now: Instant, chosen: Chosen, verdict: Verdict) {
        let failures_max = self.limits.failures_max.max(1);
        let health = &mut self.endpoints[chosen.endpoint];
        if health.downs != chosen.downs {
            return;
        }
        match verdict {
            Verdict::Nothing => {}
            Verdict::Works => {
                (health.state, health.failures, health.times_down) = (State::Up, 0, 0);
            }
            Verdict::Suspect if health.failures.saturating_add(1) < failures_max => {
                health.failures += 1;
            }
            Verdict::Suspect | Verdict::Gone => self.leave_alone(now, chosen.endpoint),
        }
    }

    /// An endpoint that is to be probed now, if there is one. It is not named again before
    /// [`Choice::probed`].
    pub(super) fn due_probe(&mut self, now: Instant) -> Option<usize> {
        let due = |health: &Health| match health.state {
            State::LeftAlone { until } => until <= now,
            State::Up | State::Probed => false,
        };
        let at = self.endpoints.iter().position(due)?;
        self.endpoints[at].state = State::Probed;
        Some(at)
    }

    /// What came of a probe.
    pub(super) fn probed(&mut self, now: Instant, endpoint: usize, found: Probed) {
        let (last_chance, time) = (self.limits.failures_max.max(1) - 1, self.limits.left_alone);
        let health = &mut self.endpoints[endpoint];
        match (health.state, found) {
            // A request has found out meanwhile.
            (State::Up | State::LeftAlone { .. }, _) => {}
            (State::Probed, Probed::Connected) => {
                (health.state, health.failures) = (State::Up, last_chance);
            }
            (State::Probed, Probed::Refused) => self.leave_alone(now, endpoint),
            (State::Probed, Probed::Nothing) => health.state = left_alone_for(now, time),
        }
    }

    fn leave_alone(&mut self, now: Instant, endpoint: usize) {
        let limits = self.limits;
        let health = &mut self.endpoints[endpoint];
        let times = 1u32 << health.times_down.min(31);
        let time = limits.left_alone.saturating_mul(times).min(limits.left_alone_max);
        health.state = left_alone_for(now, time);
        health.failures = 0;
        health.times_down = health.times_down.saturating_add(1);
        health.downs = health.downs.wrapping_add(1);
    }
}

/// A time that the clock cannot hold is none.
fn left_alone_for(now: Instant, time: Duration) -> State {
    now.checked_add(time).map_or(State::Up, |until| State::LeftAlone { until })
}

#[cfg(test)]
mod tests;
