//! The addresses of one origin: which of them a new connection goes to, and when the name is asked for
//! again.
//!
//! Each connection starts behind the address that the one before it started with, so that all of them
//! get their share; one that has just failed is left out for a while. A large service answers a name
//! with a few of its many addresses at a time, so older answers may be kept beside the last one. Pure:
//! it is told answers and failures, and the time (SANS-1).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the addresses of a name are good (LIMIT-1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressLimits {
    /// A name whose addresses are older than this is asked for again when a connection is made, which
    /// does not wait for the answer. Default 10 s: large services name other addresses within seconds.
    pub age_max: Duration,
    /// How long an address is used that the last answers no longer name. Default none for endpoints
    /// of one's own, where a machine that left the name is to be left alone; 5 minutes for AWS, which
    /// answers each time with eight addresses of many.
    pub kept: Option<Duration>,
    /// How long an address is left out that refused, or stalled, while there are others. Default 30 s.
    pub left_alone: Duration,
    /// Addresses known at a time. Default 256.
    pub most: usize,
}

impl Default for AddressLimits {
    fn default() -> AddressLimits {
        AddressLimits {
            age_max: Duration::from_secs(10),
            kept: None,
            left_alone: Duration::from_secs(30),
            most: 256,
        }
    }
}

/// What is known of a name.
#[derive(Debug)]
pub(super) struct Addresses {
    limits: AddressLimits,
    /// Those of the last answer come first, in its order.
    known: Vec<Known>,
    /// When somebody last set out to ask.
    asked: Option<Instant>,
    turn: usize,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    address: SocketAddr,
    named: Instant,
    failed: Option<Instant>,
}

impl Addresses {
    pub(super) fn new(limits: AddressLimits) -> Addresses {
        Addresses { limits, known: Vec::new(), asked: None, turn: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Nothing is known any more, so the next connection waits for an answer.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// The name was answered with these.
    pub(super) fn learn(&mut self, now: Instant, found: &[SocketAddr]) {
        let mut old = std::mem::take(&mut self.known);
        for address in found {
            if self.known.iter().all(|known| known.address != *address) {
                let failed = old.iter().find(|known| known.address == *address);
                let failed = failed.and_then(|known| known.failed);
                self.known.push(Known { address: *address, named: now, failed });
            }
        }
        old.retain(|known| {
            let age = now.saturating_duration_since(known.named);
            self.limits.kept.is_some_and(|kept| age < kept)
                && self.known.iter().all(|newer| newer.address != known.address)
        });
        self.known.extend(old);
        self.known.truncate(self.limits.most.max(1));
        self.asked = Some(now);
    }

    /// Whether it is time to ask for the name again; whoever is told so does.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due =
            self.asked.is_none_or(|at| now.saturating_duration_since(at) >= self.limits.age_max);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// Refused, or stalled.
    pub(super) fn failed(&mut self, now: Instant, address: SocketAddr) {
        if let Some(known) = self.known.iter_mut().find(|known| known.address == address) {
            known.failed = Some(now);
        }
    }

    /// The addresses for one more connection, in the order in which they are to be tried: IPv6 before
    /// IPv4, as whoever tries them takes a family in turn. One that has just failed is left out as long
    /// as there is any other, for the turn of its family would come before another's last.
    pub(super) fn next(&mut self, now: Instant) -> Vec<SocketAddr> {
        let turn = self.turn;
        self.turn = turn.wrapping_add(1);
        let any_good = self.known.iter().any(|known| !self.is_shunned(known, now));
        let mut order = Vec::with_capacity(self.known.len());
        for is_ipv6 in [true, false] {
            let good = self.known.iter().filter(|known| {
                known.address.is_ipv6() == is_ipv6 && !(any_good && self.is_shunned(known, now))
            });
            let begin = order.len();
            order.extend(good.map(|known| known.address));
            let family = &mut order[begin..];
            let by = turn % family.len().max(1);
            family.rotate_left(by);
        }
        order
    }

    fn is_shunned(&self, known: &Known, now: Instant) -> bool {
        known.failed.is_some_and(|at| now.saturating_duration_since(at) < self.limits.left_alone)
    }
}

/// What was tried in vain before `won`: its family in the order given, and the other one in turn with
/// it, IPv6 first (RFC 8305 section 4).
pub(super) fn tried_before(order: &[SocketAddr], won: SocketAddr) -> Vec<SocketAddr> {
    let family = |is_ipv6| order.iter().copied().filter(move |it| it.is_ipv6() == is_ipv6);
    let Some(place) = family(won.is_ipv6()).position(|it| it == won) else { return Vec::new() };
    let of_other = if won.is_ipv6() { place } else { place + 1 };
    let others = family(!won.is_ipv6()).take(of_other);
    family(won.is_ipv6()).take(place).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    fn addresses(given: &[&str]) -> Vec<SocketAddr> {
        given.iter().map(|it| it.parse().expect("an address")).collect()
    }

    fn knowing(limits: AddressLimits, now: Instant, given: &[SocketAddr]) -> Addresses {
        let mut known = Addresses::new(limits);
        known.learn(now, given);
        known
    }

    #[test]
    fn each_address_of_a_family_gets_its_turn_at_the_front() {
        let given =
            addresses(&["192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.2:80", "192.0.2.3:80"]);
        let now = Instant::now();
        let mut known = knowing(AddressLimits::default(), now, &given);
        let mut fronts = HashMap::new();
        for _ in 0..12 {
            let turned = known.next(now);
            assert!(given.iter().all(|it| turned.contains(it)) && turned.len() == given.len());
            let front = turned.into_iter().find(SocketAddr::is_ipv4).expect("three of them");
            *fronts.entry(front).or_insert(0) += 1;
        }
        assert_eq!(fronts.into_values().collect::<Vec<_>>(), [4, 4, 4]);
    }

    #[test]
    fn what_failed_is_left_out_for_a_while() {
        let (given, now) = (addresses(&["192.0.2.1:80", "192.0.2.2:80"]), Instant::now());
        let mut known = knowing(AddressLimits::default(), now, &given);
        known.failed(now, given[0]);
        for _ in 0..4 {
            assert_eq!(known.next(now), [given[1]]);
        }
        // An answer that names it again forgives nothing.
        known.learn(now, &given);
        assert_eq!(known.next(now), [given[1]]);
        let later = now + AddressLimits::default().left_alone;
        let fronts: HashSet<_> = (0..2).map(|_| known.next(later)[0]).collect();
        assert_eq!(fronts.len(), 2);
    }

    #[test]
    fn a_name_is_asked_for_again_once_it_is_old() {
        let (given, now) = (addresses(&["192.0.2.1:80"]), Instant::now());
        let mut known = Addresses::new(AddressLimits::default());
        assert!(known.is_due(now) && !known.is_due(now), "one asks for all");
        known.learn(now, &given);
        let old = now + AddressLimits::default().age_max;
        assert!(!known.is_due(old - Duration::from_nanos(1)));
        assert!(known.is_due(old) && !known.is_due(old));
    }

    #[test]
    fn older_answers_are_kept_where_that_is_asked_for() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let (first, second) = (addresses(&["192.0.2.1:80"]), addresses(&["192.0.2.2:80"]));
        let mut known = knowing(AddressLimits::default(), now, &first);
        known.learn(now, &second);
        assert_eq!(known.next(now), second);
        let limits = AddressLimits { kept: Some(minute), most: 2, ..AddressLimits::default() };
        let mut known = knowing(limits, now, &first);
        known.learn(now + minute / 2, &second);
        assert_eq!(known.next(now).len(), 2);
        known.learn(now + minute, &second);
        assert_eq!(known.next(now), second);
        let many = addresses(&["192.0.2.3:80", "192.0.2.4:80", "192.0.2.5:80"]);
        known.learn(now + minute, &many);
        assert_eq!(known.next(now).len(), 2, "the limit");
    }

    #[test]
    fn the_winner_tells_who_was_tried_before_it() {
        let order = addresses(&["[2001:db8::1]:80", "[2001:db8::2]:80", "192.0.2.1:80"]);
        assert!(tried_before(&order, order[0]).is_empty());
        assert_eq!(tried_before(&order, order[2]), order[..1]);
        assert_eq!(tried_before(&order, order[1]), [order[0], order[2]]);
        assert!(tried_before(&order, addresses(&["192.0.2.9:80"])[0]).is_empty());
    }

    proptest! {
        #[test]
        fn every_address_known_is_tried_once(
            steps in prop::collection::vec((0..3u8, 1..40u8, 0..100u64), 0..60),
            kept in prop::option::of(0..50u64),
        ) {
            let start = Instant::now();
            let limits = AddressLimits {
                kept: kept.map(Duration::from_secs), most: 16, ..AddressLimits::default()
            };
            let mut known = Addresses::new(limits);
            let at = |host: u8| SocketAddr::from(([192, 0, 2, host], 80));
            let mut clock = start;
            for (step, host, seconds) in steps {
                clock += Duration::from_secs(seconds);
                match step {
                    0 => known.learn(clock, &(host..host + 20).map(at).collect::<Vec<_>>()),
                    1 => known.failed(clock, at(host)),
                    _ => drop(known.is_due(clock)),
                }
                let order = known.next(clock);
                let unique: HashSet<_> = order.iter().collect();
                prop_assert!(unique.len() == order.len() && order.len() <= 16);
                prop_assert_eq!(order.is_empty(), known.is_empty());
            }
        }
    }
}
