use super::*;
use proptest::prelude::*;

const FIRST: Attempt = Attempt {
    number: 1,
    repeat: Repeat::Freely,
    remedies: Remedies {
        clock_corrected: false,
        credentials_refreshed: false,
        region_learnt: false,
        corrupt_reread: false,
    },
};

fn answer(status: u16, code: Option<&str>) -> Failure<'_> {
    Failure::Answer { status, code, retry_after: None }
}

fn decide_once(attempt: Attempt, failure: &Failure<'_>, random: u64) -> Decision {
    decide(&RetryPolicy::default(), &mut RetryBudget::default(), attempt, failure, random)
}

fn wait_of(decision: Decision) -> Duration {
    match decision {
        Decision::Retry { after, .. } => after,
        Decision::GiveUp(reason) => panic!("gave up: {reason}"),
    }
}

#[test]
fn a_region_is_learnt_once_and_without_a_wait() {
    let learn = decide_once(FIRST, &Failure::Misdirected, u64::MAX);
    let Decision::Retry { after, remedy, .. } = learn else { panic!("{learn:?}") };
    assert_eq!((after, remedy), (Duration::ZERO, Remedy::LearnRegion));
    let remedies = Remedies { region_learnt: true, ..Remedies::default() };
    let again = decide_once(Attempt { remedies, ..FIRST }, &Failure::Misdirected, 0);
    assert_eq!(again, Decision::GiveUp(GiveUp::Permanent));
    // It was refused, so even what must not be sent twice may be sent there.
    let once = Attempt { repeat: Repeat::IfNotPerformed, ..FIRST };
    assert!(matches!(decide_once(once, &Failure::Misdirected, 0), Decision::Retry { .. }));
}

#[test]
fn failures_are_sorted_by_code_and_then_by_status() {
    for (failure, class) in [
        (Failure::Connect, Class::Transient),
        (Failure::Broken { stale: false }, Class::Transient),
        (Failure::Broken { stale: true }, Class::Stale),
        (Failure::Late, Class::Stale),
        (Failure::Stalled, Class::Transient),
        (Failure::Malformed, Class::Transient),
        (Failure::Corrupt, Class::Corrupt),
        (answer(500, None), Class::Transient),
        (answer(502, None), Class::Transient),
        (answer(504, None), Class::Transient),
        (answer(503, None), Class::Throttled),
        (answer(429, None), Class::Throttled),
        (answer(503, Some("SlowDown")), Class::Throttled),
        (answer(500, Some("InternalError")), Class::Transient),
        (answer(200, Some("InternalError")), Class::Transient),
        (answer(200, Some("SlowDown")), Class::Throttled),
        (answer(400, Some("RequestTimeout")), Class::Transient),
        (answer(400, Some("ExpiredToken")), Class::CredentialsExpired),
        (answer(403, Some("RequestTimeTooSkewed")), Class::ClockSkewed),
        (answer(400, Some("BadDigest")), Class::Corrupt),
    ] {
        assert_eq!(failure.class(), class, "{failure:?}");
    }
}

#[test]
fn refusals_are_never_tried_again() {
    for (status, code) in [
        (301, Some("PermanentRedirect")),
        (400, None),
        (400, Some("InvalidArgument")),
        (400, Some("EntityTooSmall")),
        (401, None),
        (403, Some("AccessDenied")),
        (403, Some("SignatureDoesNotMatch")),
        (403, None),
        (404, Some("NoSuchKey")),
        (404, None),
        (405, None),
        (409, Some("BucketAlreadyExists")),
        (412, Some("PreconditionFailed")),
        (416, Some("InvalidRange")),
        (501, Some("NotImplemented")),
    ] {
        let decision = decide_once(FIRST, &answer(status, code), 0);
        assert_eq!(decision, Decision::GiveUp(GiveUp::Permanent), "{status} {code:?}");
    }
}

#[test]
fn waits_double_up_to_the_limit_and_are_jittered_from_nothing() {
    let failure = answer(500, None);
    let policy = RetryPolicy { tries_max: u32::MAX, ..RetryPolicy::default() };
    let longest = |number| {
        let attempt = Attempt { number, ..FIRST };
        let decision = decide(&policy, &mut RetryBudget::default(), attempt, &failure, u64::MAX);
        wait_of(decision).as_millis()
    };
    assert_eq!([1, 2, 3, 4].map(longest), [99, 199, 399, 799]);
    assert_eq!(longest(9), 19_999);
    assert_eq!(longest(u32::MAX - 1), 19_999);
    assert_eq!(wait_of(decide_once(FIRST, &failure, 0)), Duration::ZERO);
    assert_eq!(wait_of(decide_once(FIRST, &failure, 1 << 63)), Duration::from_millis(50));
    let slow_down = answer(503, Some("SlowDown"));
    assert_eq!(wait_of(decide_once(FIRST, &slow_down, 1 << 63)), Duration::from_millis(250));
}

#[test]
fn retry_after_is_the_least_wait_up_to_its_limit() {
    let asked = |seconds| Failure::Answer {
        status: 503,
        code: None,
        retry_after: Some(Duration::from_secs(seconds)),
    };
    assert_eq!(wait_of(decide_once(FIRST, &asked(7), u64::MAX)), Duration::from_secs(7));
    assert_eq!(wait_of(decide_once(FIRST, &asked(0), 1 << 63)), Duration::from_millis(250));
    assert_eq!(wait_of(decide_once(FIRST, &asked(9_999), 0)), Duration::from_secs(60));
}

#[test]
fn the_last_try_is_the_fifth() {
    let failure = Failure::Stalled;
    for number in 1..5 {
        let decision = decide_once(Attempt { number, ..FIRST }, &failure, 0);
        assert!(matches!(decision, Decision::Retry { .. }), "{number}");
    }
    let decision = decide_once(Attempt { number: 5, ..FIRST }, &failure, 0);
    assert_eq!(decision, Decision::GiveUp(GiveUp::TriesSpent));
}

#[test]
fn a_stale_connection_costs_nothing_once() {
    for stale in [Failure::Broken { stale: true }, Failure::Late] {
        let mut budget = RetryBudget::new(0);
        let policy = RetryPolicy::default();
        assert_eq!(
            decide(&policy, &mut budget, FIRST, &stale, u64::MAX),
            Decision::Retry {
                after: Duration::ZERO,
                fresh_connection: true,
                remedy: Remedy::None,
                cost: 0
            }
        );
        let second = Attempt { number: 2, ..FIRST };
        let spent = decide(&policy, &mut budget, second, &stale, u64::MAX);
        assert_eq!(spent == Decision::GiveUp(GiveUp::BudgetSpent), stale != Failure::Late);
    }
}

/// TIME-1: connections that could not be made come before it, and it is sent again all the same.
#[test]
fn no_call_ends_because_an_answer_was_late() {
    let last = Attempt { number: RetryPolicy::default().tries_max, ..FIRST };
    let decision = decide_once(last, &Failure::Late, 0);
    assert!(matches!(decision, Decision::Retry { cost: 0, .. }), "{decision:?}");
}

#[test]
fn what_may_have_been_carried_out_is_not_sent_again() {
    let careful = Attempt { repeat: Repeat::IfNotPerformed, ..FIRST };
    let unknown = Decision::GiveUp(GiveUp::NotRepeatable);
    for failure in [
        Failure::Broken { stale: false },
        Failure::Broken { stale: true },
        Failure::Late,
        Failure::Stalled,
        Failure::Malformed,
        answer(500, None),
        answer(504, None),
        // Of whoever stands before the store.
        answer(503, None),
        answer(200, Some("InternalError")),
    ] {
        assert_eq!(decide_once(careful, &failure, 0), unknown, "{failure:?}");
    }
    for failure in [
        Failure::Connect,
        answer(503, Some("SlowDown")),
        answer(429, None),
        answer(400, Some("RequestTimeout")),
        answer(400, Some("ExpiredToken")),
        answer(417, None),
    ] {
        assert!(matches!(decide_once(careful, &failure, 0), Decision::Retry { .. }));
    }
    let never = Attempt { repeat: Repeat::Never, ..FIRST };
    assert_eq!(decide_once(never, &Failure::Connect, 0), unknown);
}

#[test]
fn each_remedy_is_tried_once() {
    for (failure, remedy, remedies) in [
        (
            answer(403, Some("RequestTimeTooSkewed")),
            Remedy::CorrectClock,
            Remedies { clock_corrected: true, ..Remedies::default() },
        ),
        (
            answer(400, Some("ExpiredToken")),
            Remedy::RefreshCredentials,
            Remedies { credentials_refreshed: true, ..Remedies::default() },
        ),
        (
            Failure::Corrupt,
            Remedy::Reread,
            Remedies { corrupt_reread: true, ..Remedies::default() },
        ),
    ] {
        let decision = decide_once(FIRST, &failure, 0);
        let other = remedy == Remedy::Reread;
        assert!(matches!(
            decision,
            Decision::Retry { remedy: r, fresh_connection: f, .. } if r == remedy && f == other
        ));
        let again = Attempt { number: 2, remedies, ..FIRST };
        assert_eq!(decide_once(again, &failure, 0), Decision::GiveUp(GiveUp::Permanent));
    }
}

#[test]
fn a_refusal_without_a_word_is_put_down_to_what_can_be_mended_once() {
    let policy = RetryPolicy::default();
    let off = |seconds| Some(Duration::from_secs(seconds));
    let none = Remedies::default();
    let clock = Remedies { clock_corrected: true, ..none };
    let keys = Remedies { credentials_refreshed: true, ..none };
    let both = Remedies { credentials_refreshed: true, ..clock };
    let (skewed, expired) = (Some("RequestTimeTooSkewed"), Some("ExpiredToken"));
    for (status, clock_off, is_renewable, had, code) in [
        (403, off(301), false, none, skewed),
        (403, off(300), false, none, None),
        (403, None, false, none, None),
        (400, off(301), false, none, None),
        (404, off(9000), true, none, None),
        (403, off(301), false, clock, None),
        (403, off(301), true, none, skewed),
        (403, off(301), true, clock, expired),
        (403, off(301), true, keys, skewed),
        (403, off(301), true, both, None),
        (403, off(0), true, none, expired),
        (400, None, true, none, expired),
        (400, None, true, keys, None),
        (401, None, true, none, None),
        (412, None, true, none, None),
    ] {
        let unexplained = Unexplained { status, clock_off, is_renewable };
        let likely = unexplained.likely_code(&policy, had);
        assert_eq!(likely, code, "{unexplained:?} {had:?}");
        // What is likely can be mended.
        let decision = decide_once(Attempt { remedies: had, ..FIRST }, &answer(status, likely), 0);
        assert_eq!(matches!(decision, Decision::Retry { .. }), code.is_some(), "{unexplained:?}");
    }
}

#[test]
fn the_budget_ends_retries_and_successes_refill_it() {
    let policy = RetryPolicy::default();
    let mut budget = RetryBudget::default();
    let failure = answer(500, None);
    for _ in 0..100 {
        let decision = decide(&policy, &mut budget, FIRST, &failure, 0);
        assert!(matches!(decision, Decision::Retry { cost: 5, .. }));
    }
    assert_eq!(budget.tokens(), 0);
    let spent = Decision::GiveUp(GiveUp::BudgetSpent);
    assert_eq!(decide(&policy, &mut budget, FIRST, &failure, 0), spent);
    for _ in 0..4 {
        budget.succeeded(None);
    }
    assert_eq!(decide(&policy, &mut budget, FIRST, &failure, 0), spent);
    budget.succeeded(Some(5));
    assert_eq!(budget.tokens(), 9);
    assert_eq!(decide(&policy, &mut budget, FIRST, &Failure::Connect, 0), spent);
    assert!(matches!(decide(&policy, &mut budget, FIRST, &failure, 0), Decision::Retry { .. }));
    budget.succeeded(Some(u32::MAX));
    assert_eq!(budget.tokens(), RetryBudget::TOKENS_MAX);
}

#[test]
fn retry_after_is_read_as_seconds_or_date() {
    let now = Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    let read = |text| parse_retry_after(text, now);
    assert_eq!(read("120"), Some(Duration::from_secs(120)));
    assert_eq!(read(" 0 "), Some(Duration::ZERO));
    assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
    assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
    assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(read(""), None);
    assert_eq!(read("-1"), None);
    assert_eq!(read("soon"), None);
}

proptest! {
    #[test]
    fn no_wait_is_longer_than_the_policy_allows(
        number in 1..5u32, status in 100..600u16, asked in any::<Option<u64>>(), random: u64,
    ) {
        let failure = Failure::Answer {
            status, code: None, retry_after: asked.map(Duration::from_secs),
        };
        let decision = decide_once(Attempt { number, ..FIRST }, &failure, random);
        if let Decision::Retry { after, .. } = decision {
            prop_assert!(after <= RetryPolicy::default().retry_after_max);
            prop_assert!(matches!(status, 408 | 417 | 429 | 500 | 502 | 503 | 504));
        }
    }
}
