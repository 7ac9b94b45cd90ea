//! Whether, when and how a failed request is tried again: a pure function of what failed, how
//! often, and a random number handed in (SANS-1).
//!
//! Waits grow exponentially with *full jitter*: uniform between nothing and the limit, so that
//! clients that failed together do not come back together. A [`RetryBudget`] shared by the requests
//! to one store stops a server in trouble from being asked five times as often as a healthy one.
//! Source: AWS Architecture Blog, "Exponential Backoff And Jitter"; the token bucket and its costs
//! are those of the AWS SDKs' standard mode (AWS SDKs and tools reference guide, "Retry behavior").

use std::time::Duration;

use super::time::Timestamp;

/// The limits of retrying. They bound the sum of all waits too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries of one request, the first among them.
    pub tries_max: u32,
    /// The limit of the first wait; it doubles with every try.
    pub base: Duration,
    /// The same where the server says it is overloaded.
    pub base_throttled: Duration,
    /// No wait drawn here is longer.
    pub wait_max: Duration,
    /// A `Retry-After` is honoured up to this. Until it ends no other request of the core goes to the
    /// origin either.
    pub retry_after_max: Duration,
    /// An answer to HEAD has no document that says why it refuses. A 403 is taken for that of a wrong
    /// clock where the answer's `Date` is farther off than this; S3 itself allows 15 minutes.
    pub clock_off_max: Duration,
    /// A 400 or 403 to HEAD may mean that the credentials have expired. A provider is asked for others
    /// then, by one core for one store at most once in this time: most such refusals mean what they say.
    pub renewal_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            tries_max: 5,
            base: Duration::from_millis(100),
            base_throttled: Duration::from_millis(500),
            wait_max: Duration::from_secs(20),
            retry_after_max: Duration::from_secs(60),
            clock_off_max: Duration::from_secs(300),
            renewal_wait: Duration::from_secs(60),
        }
    }
}

/// Retries that the requests to one store may still make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    tokens: u32,
    tokens_max: u32,
}

impl RetryBudget {
    /// Tokens in a full bucket.
    pub const TOKENS_MAX: u32 = 500;
    /// What a retry costs after an answer.
    pub const COST_ANSWERED: u32 = 5;
    /// What a retry costs where no answer came: such requests cost the server most.
    pub const COST_UNANSWERED: u32 = 10;
    /// What a success brings back.
    pub const REFUND_SUCCESS: u32 = 1;

    /// A full bucket of `tokens_max`.
    pub fn new(tokens_max: u32) -> RetryBudget {
        RetryBudget { tokens: tokens_max, tokens_max }
    }

    /// Tokens left.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// A request succeeded: what its last retry cost comes back, and [`Self::REFUND_SUCCESS`] where
    /// it had none.
    pub fn succeeded(&mut self, last_retry_cost: Option<u32>) {
        let refund = last_retry_cost.unwrap_or(Self::REFUND_SUCCESS);
        self.tokens = self.tokens.saturating_add(refund).min(self.tokens_max);
    }

    fn spend(&mut self, cost: u32) -> bool {
        let left = self.tokens.checked_sub(cost);
        self.tokens = left.unwrap_or(self.tokens);
        left.is_some()
    }
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget::new(Self::TOKENS_MAX)
    }
}

/// What went wrong with one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure<'a> {
    /// No connection: name not found, refused, unreachable, timed out. The request was not sent.
    Connect,
    /// The connection was reset or closed before the whole answer had come.
    Broken {
        /// It had served a request before and gave no byte of an answer now: most likely the server
        /// had closed it while it was idle.
        stale: bool,
    },
    /// The peer moved nothing for too long (TIME-1).
    Stalled,
    /// The answer to a part took longer than those before it: likely this one request is at fault, and
    /// another connection brings the answer sooner.
    Late,
    /// The answer was no HTTP, or not the answer to this request.
    Malformed,
    /// The body's checksum or length was wrong (DATA-2).
    Corrupt,
    /// The server names another region for the bucket than the one that was asked and signed for, or
    /// another endpoint of the same store.
    Misdirected,
    /// The server answered with an error, be it inside a 200.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The S3 error code, where the answer had one.
        code: Option<&'a str>,
        /// What `Retry-After` asks for, see [`parse_retry_after`].
        retry_after: Option<Duration>,
    },
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Trying again changes nothing: 403, 404, 412 and other refusals.
    Permanent,
    /// Likely gone on the next try.
    Transient,
    /// The server asks for fewer requests: slow the host down.
    Throttled,
    /// The connection had died while idle, or this one answer is late; nothing is wrong with the server.
    Stale,
    /// Good after learning the server's clock from its `Date`, once.
    ClockSkewed,
    /// Good after fetching new credentials, once.
    CredentialsExpired,
    /// Good in the region, or at the endpoint, that the server named, once.
    WrongRegion,
    /// Worth one more try, then an integrity error.
    Corrupt,
}

impl Failure<'_> {
    /// Sorts the failure, by the S3 code where there is one, else by the status.
    pub fn class(&self) -> Class {
        match *self {
            Failure::Connect | Failure::Stalled | Failure::Malformed => Class::Transient,
            Failure::Broken { stale: true } | Failure::Late => Class::Stale,
            Failure::Broken { stale: false } => Class::Transient,
            Failure::Corrupt => Class::Corrupt,
            Failure::Misdirected => Class::WrongRegion,
            Failure::Answer { status, code, .. } => {
                code.and_then(class_of_code).unwrap_or_else(|| class_of_status(status))
            }
        }
    }

    /// Whether the request is known not to have been carried out. A 500, 502 or 504 leaves that
    /// open, and so does a 503 without a code: it is not the store that says it, but whoever stands
    /// before it and had no answer of it.
    pub(super) fn not_performed(&self) -> bool {
        match self {
            Failure::Connect | Failure::Misdirected => true,
            Failure::Answer { status: 503, code: None, .. } => false,
            Failure::Answer { status, .. } => {
                self.class() != Class::Transient || matches!(status, 400..=499)
            }
            _ => false,
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Failure::Answer { .. } | Failure::Misdirected => RetryBudget::COST_ANSWERED,
            _ => RetryBudget::COST_UNANSWERED,
        }
    }
}

/// The try that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first try of the request.
    pub number: u32,
    /// Whether the request may be sent again.
    pub repeat: Repeat,
    /// A remedy was already applied to this request: its clock corrected, its credentials renewed,
    /// its region learnt, or a corrupt answer asked for again. Each is tried once.
    pub remedies: Remedies,
}

/// Whether sending a request twice does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Sending it twice ends as sending it once: GET, HEAD, PUT, UploadPart, DELETE, listings.
    Freely,
    /// Only where the first one was surely not carried out: conditional writes, whose second try
    /// would be refused because of the first one's success.
    IfNotPerformed,
    /// Never: what was to be sent is gone.
    Never,
}

/// Which remedies a request has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remedies {
    /// The clock's offset was learnt from the server's `Date`.
    pub clock_corrected: bool,
    /// New credentials were fetched.
    pub credentials_refreshed: bool,
    /// The bucket's region was learnt, or the endpoint that one of the others named was asked.
    pub region_learnt: bool,
    /// A corrupt answer was asked for again.
    pub corrupt_reread: bool,
}

/// What to do before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: sign again and send.
    None,
    /// Take the difference between the answer's `Date` and the own clock, and sign with it.
    CorrectClock,
    /// Ask the source of credentials for new ones.
    RefreshCredentials,
    /// Sign for the region that the server named, and ask there; or ask the endpoint that it named.
    LearnRegion,
    /// Throw away what came and ask for it again.
    Reread,
}

/// The answer of [`decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again.
    Retry {
        /// How long to wait before.
        after: Duration,
        /// Use another connection: S3's addresses differ in health. Not asked for where the server
        /// is healthy and only the signature was out of date.
        fresh_connection: bool,
        /// What to do before.
        remedy: Remedy,
        /// What was taken from the budget: hand it to [`RetryBudget::succeeded`] when the next try
        /// succeeds.
        cost: u32,
    },
    /// The failure is the request's result.
    GiveUp(GiveUp),
}

/// Why a request is not tried again; belongs in the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GiveUp {
    /// Another try would end the same.
    #[error("another try would end the same")]
    Permanent,
    /// [`RetryPolicy::tries_max`] is reached.
    #[error("all tries are used up")]
    TriesSpent,
    /// So many requests to the host fail that retries are held back.
    #[error("too many requests to this store fail, its retries are used up")]
    BudgetSpent,
    /// The request may have been carried out, and a second one could do harm.
    #[error("the request may have been carried out, so it was not sent again")]
    NotRepeatable,
}

/// Decides about the failure of one try. `random` is uniform over all `u64`.
pub fn decide(
    policy: &RetryPolicy,
    budget: &mut RetryBudget,
    attempt: Attempt,
    failure: &Failure<'_>,
    random: u64,
) -> Decision {
    let class = failure.class();
    let Some(remedy) = remedy(class, attempt.remedies) else {
        return Decision::GiveUp(GiveUp::Permanent);
    };
    let repeatable = match attempt.repeat {
        Repeat::Freely => true,
        Repeat::IfNotPerformed => failure.not_performed(),
        Repeat::Never => false,
    };
    if !repeatable {
        return Decision::GiveUp(GiveUp::NotRepeatable);
    }
    // An answer that is late is waited for longer the next time, so this comes once, and no call ends by it.
    let late = matches!(failure, Failure::Late);
    if attempt.number >= policy.tries_max && !late {
        return Decision::GiveUp(GiveUp::TriesSpent);
    }
    let stale = late || class == Class::Stale && attempt.number == 1;
    let cost = if stale { 0 } else { failure.cost() };
    if !budget.spend(cost) {
        return Decision::GiveUp(GiveUp::BudgetSpent);
    }
    let healthy =
        matches!(class, Class::ClockSkewed | Class::CredentialsExpired | Class::WrongRegion);
    let after = if stale || healthy {
        Duration::ZERO
    } else {
        wait(policy, class, attempt, failure, random)
    };
    Decision::Retry { after, fresh_connection: !healthy, remedy, cost }
}

/// An answer to HEAD that refuses: it has a status and no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unexplained {
    pub(super) status: u16,
    /// How far its `Date` is off the clock that the request was signed by.
    pub(super) clock_off: Option<Duration>,
    /// Other credentials can be asked for.
    pub(super) is_renewable: bool,
}

impl Unexplained {
    /// The code that a document would likely have had, if that can be mended: each mend is tried once.
    pub(super) fn likely_code(self, policy: &RetryPolicy, had: Remedies) -> Option<&'static str> {
        let is_off = self.clock_off.is_some_and(|off| off > policy.clock_off_max);
        match self.status {
            403 if is_off && !had.clock_corrected => Some(CLOCK_SKEWED),
            400 | 403 if self.is_renewable && !had.credentials_refreshed => Some(EXPIRED),
            _ => None,
        }
    }
}

/// Reads `Retry-After`: whole seconds, or an HTTP date compared with `now` (RFC 9110 section
/// 10.2.3).
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = Timestamp::parse_http_date(value).ok()?;
    Some(Duration::from_secs(until.unix_seconds().saturating_sub(now.unix_seconds())))
}

/// Nothing where the failure stays the request's result.
fn remedy(class: Class, had: Remedies) -> Option<Remedy> {
    match class {
        Class::Permanent => None,
        Class::Transient | Class::Throttled | Class::Stale => Some(Remedy::None),
        Class::ClockSkewed => (!had.clock_corrected).then_some(Remedy::CorrectClock),
        Class::CredentialsExpired => {
            (!had.credentials_refreshed).then_some(Remedy::RefreshCredentials)
        }
        Class::WrongRegion => (!had.region_learnt).then_some(Remedy::LearnRegion),
        Class::Corrupt => (!had.corrupt_reread).then_some(Remedy::Reread),
    }
}

fn wait(
    policy: &RetryPolicy,
    class: Class,
    attempt: Attempt,
    failure: &Failure<'_>,
    random: u64,
) -> Duration {
    let base = if class == Class::Throttled { policy.base_throttled } else { policy.base };
    let doublings = attempt.number.saturating_sub(1).min(31);
    let limit = base.saturating_mul(1 << doublings).min(policy.wait_max);
    let drawn = fraction(limit, random);
    match failure {
        Failure::Answer { retry_after: Some(asked), .. } => {
            drawn.max((*asked).min(policy.retry_after_max))
        }
        _ => drawn,
    }
}

/// `limit` times `random` / 2^64.
fn fraction(limit: Duration, random: u64) -> Duration {
    let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(((u128::from(limit_ns) * u128::from(random)) >> 64) as u64)
}

const CLOCK_SKEWED: &str = "RequestTimeTooSkewed";
const EXPIRED: &str = "ExpiredToken";

/// Codes whose status alone would mislead, and those that come inside a 200.
fn class_of_code(code: &str) -> Option<Class> {
    Some(match code {
        "InternalError" | "RequestTimeout" => Class::Transient,
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "ServiceUnavailable"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "TooManyRequests" => Class::Throttled,
        CLOCK_SKEWED => Class::ClockSkewed,
        EXPIRED => Class::CredentialsExpired,
        // The body did not arrive as it was sent; the next try sends it again from the same lease.
        "BadDigest"
        | "IncompleteBody"
        | "XAmzContentChecksumMismatch"
        | "XAmzContentSHA256Mismatch" => Class::Corrupt,
        _ => return None,
    })
}

fn class_of_status(status: u16) -> Class {
    match status {
        429 | 503 => Class::Throttled,
        // 417: the next try goes without the expectation (RFC 9110, section 15.5.18).
        408 | 417 | 500 | 502 | 504 => Class::Transient,
        _ => Class::Permanent,
    }
}

#[cfg(test)]
mod tests;
