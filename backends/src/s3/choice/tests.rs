use proptest::prelude::*;

use super::*;

fn of(endpoints: usize) -> Choice {
    Choice::new(EndpointLimits::default(), endpoints)
}

fn free(_: usize) -> Duration {
    Duration::ZERO
}

/// Chooses and ends at once.
fn next(choice: &mut Choice, now: Instant) -> Chosen {
    let chosen = choice.choose(now, free, None);
    choice.ended(chosen);
    chosen
}

#[test]
fn equals_are_chosen_in_turn() {
    let (mut choice, now) = (of(3), Instant::now());
    let order: Vec<_> = (0..6).map(|_| next(&mut choice, now).endpoint).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn who_has_fewer_under_way_gets_more() {
    let (mut choice, now) = (of(2), Instant::now());
    let slow = choice.choose(now, free, None);
    assert_eq!(slow.endpoint, 0);
    for _ in 0..5 {
        assert_eq!(next(&mut choice, now).endpoint, 1);
    }
    choice.ended(slow);
    let both = [next(&mut choice, now).endpoint, next(&mut choice, now).endpoint];
    assert_eq!(both, [0, 1]);
    let limits = EndpointLimits { choice: EndpointChoice::RoundRobin, ..EndpointLimits::default() };
    let mut choice = Choice::new(limits, 2);
    let held: Vec<_> = (0..4).map(|_| choice.choose(now, free, None).endpoint).collect();
    let _slow = choice.choose(now, free, None);
    assert_eq!((held, next(&mut choice, now).endpoint), (vec![0, 1, 0, 1], 1));
}

#[test]
fn who_is_gone_is_left_alone_probed_and_back() {
    let (mut choice, now) = (of(2), Instant::now());
    let limits = EndpointLimits::default();
    let gone = next(&mut choice, now);
    choice.told(now, gone, Verdict::Gone);
    assert!(choice.has_another(0) && !choice.has_another(1));
    assert!((0..4).all(|_| next(&mut choice, now).endpoint == 1));
    // What began before tells nothing new.
    choice.told(now, gone, Verdict::Gone);
    choice.told(now, gone, Verdict::Works);
    assert_eq!(choice.due_probe(now), None);
    let mut clock = now + limits.left_alone;
    assert_eq!(choice.due_probe(clock), Some(0));
    assert_eq!(choice.due_probe(clock), None, "one probe at a time");
    choice.probed(clock, 0, Probed::Refused);
    assert_eq!(choice.due_probe(clock + limits.left_alone), None, "twice as long");
    clock += 2 * limits.left_alone;
    assert_eq!(choice.due_probe(clock), Some(0));
    assert!((0..4).all(|_| next(&mut choice, clock).endpoint == 1), "not yet");
    choice.probed(clock, 0, Probed::Connected);
    let back = next(&mut choice, clock);
    assert_eq!(back.endpoint, 0);
    // It connects and does not serve: no second chance.
    choice.told(clock, back, Verdict::Suspect);
    assert_eq!(choice.due_probe(clock + 2 * limits.left_alone), None);
    clock += 4 * limits.left_alone;
    assert_eq!(choice.due_probe(clock), Some(0));
    choice.probed(clock, 0, Probed::Connected);
    let back = choice.choose(clock, |at| Duration::from_secs(at as u64), None);
    choice.told(clock, back, Verdict::Works);
    choice.told(clock, back, Verdict::Gone);
    assert_eq!(choice.due_probe(clock + limits.left_alone), Some(0), "forgiven");
}

#[test]
fn a_few_failures_in_a_row_are_enough() {
    let (mut choice, now) = (of(2), Instant::now());
    let at = choice.choose(now, free, None);
    for verdict in [Verdict::Suspect, Verdict::Suspect, Verdict::Works, Verdict::Nothing] {
        choice.told(now, at, verdict);
    }
    for _ in 0..2 {
        choice.told(now, at, Verdict::Suspect);
        assert!(choice.has_another(1));
    }
    choice.told(now, at, Verdict::Suspect);
    assert!(!choice.has_another(1));
}

#[test]
fn where_all_are_left_alone_the_first_to_end_is_asked() {
    let (mut choice, now) = (of(3), Instant::now());
    for _ in 0..3 {
        let gone = next(&mut choice, now);
        choice.told(now + Duration::from_millis(3 - gone.endpoint as u64), gone, Verdict::Gone);
    }
    let asked = next(&mut choice, now);
    assert_eq!(asked.endpoint, 2);
    choice.told(now, asked, Verdict::Works);
    assert!((0..3).all(|_| next(&mut choice, now).endpoint == 2));
}

#[test]
fn who_wants_no_request_and_who_has_just_failed_come_last() {
    let (mut choice, now) = (of(3), Instant::now());
    let hold = |at: usize| Duration::from_secs([5, 0, 0][at]);
    for _ in 0..4 {
        let chosen = choice.choose(now, hold, Some(1));
        assert_eq!(chosen.endpoint, 2);
    }
    let all_held = |at: usize| Duration::from_secs([5, 9, 7][at]);
    assert_eq!(choice.choose(now, all_held, Some(0)).endpoint, 0);
}

#[test]
fn a_store_with_one_endpoint_is_always_asked_there() {
    let (mut choice, now) = (of(1), Instant::now());
    for _ in 0..4 {
        let chosen = choice.choose(now, |_| Duration::from_secs(1), Some(0));
        choice.told(now, chosen, Verdict::Gone);
        assert!(!choice.has_another(0));
    }
}

proptest! {
    #[test]
    fn a_healthy_one_is_never_passed_over_and_the_count_is_right(
        steps in prop::collection::vec((0..6u8, 0..8usize, 0..2000u64), 0..200),
        endpoints in 1..6usize,
        round_robin in any::<bool>(),
    ) {
        let choice = if round_robin { EndpointChoice::RoundRobin } else { Default::default() };
        let mut choice = Choice::new(EndpointLimits { choice, ..Default::default() }, endpoints);
        let (mut now, mut under_way) = (Instant::now(), Vec::new());
        for (step, which, ms) in steps {
            now += Duration::from_millis(ms);
            match step {
                0 | 1 => {
                    let up: Vec<_> = (0..endpoints)
                        .filter(|at| choice.endpoints[*at].state == State::Up)
                        .collect();
                    let shunned = Some(which);
                    let chosen = choice.choose(now, free, shunned);
                    prop_assert!(up.is_empty() || up.contains(&chosen.endpoint));
                    prop_assert!(up.len() < 2 || shunned != Some(chosen.endpoint));
                    under_way.push(chosen);
                }
                2 | 3 if !under_way.is_empty() => {
                    let chosen = under_way.swap_remove(which % under_way.len());
                    let verdict = match step {
                        2 => Verdict::Works,
                        _ => [Verdict::Gone, Verdict::Suspect][which % 2],
                    };
                    choice.told(now, chosen, verdict);
                    choice.ended(chosen);
                }
                4 => {
                    if let Some(at) = choice.due_probe(now) {
                        let found = [Probed::Connected, Probed::Refused, Probed::Nothing][which % 3];
                        choice.probed(now, at, found);
                    }
                }
                _ => {}
            }
            let pending: usize = choice.endpoints.iter().map(|it| it.pending).sum();
            prop_assert_eq!(pending, under_way.len());
        }
        // What is left alone is probed in the end, however bad it was.
        let later = now + EndpointLimits::default().left_alone_max;
        while let Some(at) = choice.due_probe(later) {
            choice.probed(later, at, Probed::Connected);
        }
        prop_assert!(choice.endpoints.iter().all(|it| it.state == State::Up));
    }
}
