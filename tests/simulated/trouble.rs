//! What a simulated server can do to an answer.

use std::time::{Duration, SystemTime};

use hydrant::s3::time::Timestamp;

use super::bucket::Request;

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// 503 SlowDown, and nothing is carried out.
    Throttles,
    /// 429 with `Retry-After`, and nothing is carried out.
    AsksToWait,
    /// 500, and nothing is carried out.
    Fails,
    /// 503 before the body was read, and the connection ends.
    RefusesEarly,
    /// Carried out; the answer is lost with the connection.
    LosesAnswer,
    /// Carried out; the answer breaks off.
    CutsAnswer,
    /// Carried out and answered; the connection ends without a word.
    Leaves,
    /// Carried out and answered, with bytes behind the answer that belong to nothing.
    SaysMore,
    /// An answer that is no HTTP.
    Babbles,
    /// Nothing for longer than any client waits.
    Dawdles,
    /// A 200 with an error in it, where S3 is known to do that.
    FailsInside,
    /// Some of many keys are refused, and the others deleted.
    FailsSome,
    /// A bit of what was sent is another one when it has come.
    FlipsRequest,
    /// A redirect that names another region than the one that was signed for.
    NamesRegion,
    /// The request was signed at another time than the server's clock has.
    DoubtsClock,
    /// The session token has ended.
    EndsToken,
    /// The answer is about another range than was asked for.
    Misreads,
}

/// Regions that a bucket is said to be in.
pub(super) const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// S3 allows 15 minutes.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(900);

impl Trouble {
    pub(super) const ALL: [Trouble; 17] = [
        Trouble::Throttles,
        Trouble::AsksToWait,
        Trouble::Fails,
        Trouble::RefusesEarly,
        Trouble::LosesAnswer,
        Trouble::CutsAnswer,
        Trouble::Leaves,
        Trouble::SaysMore,
        Trouble::Babbles,
        Trouble::Dawdles,
        Trouble::FailsInside,
        Trouble::FailsSome,
        Trouble::FlipsRequest,
        Trouble::NamesRegion,
        Trouble::DoubtsClock,
        Trouble::EndsToken,
        Trouble::Misreads,
    ];

    /// Whether a client can go on as if nothing had been, where it does not come too often.
    pub(super) fn can_be_mended(self) -> bool {
        self != Trouble::Misreads
    }

    /// Whether a client believes it once, and not again for the same request.
    pub(super) fn is_mended_once(self) -> bool {
        matches!(self, Trouble::NamesRegion | Trouble::DoubtsClock | Trouble::EndsToken)
    }

    /// What can happen to few requests happens to those more often.
    pub(super) fn weight(self) -> usize {
        match self {
            Trouble::FailsInside | Trouble::FailsSome | Trouble::DoubtsClock => 5,
            Trouble::FlipsRequest => 3,
            Trouble::Misreads => 2,
            _ => 1,
        }
    }

    /// Whether it can happen to this request, by the server's clock.
    pub(super) fn concerns(self, request: &Request, clock: SystemTime) -> bool {
        match self {
            Trouble::FailsInside => request.method == "POST" && request.query("uploadId").is_some(),
            Trouble::FailsSome => request.query("delete").is_some(),
            // Without a checksum nobody would ever know.
            Trouble::FlipsRequest => {
                request.method == "PUT"
                    && request.sum().is_some()
                    && request.header("content-length").is_some_and(|length| length != "0")
            }
            Trouble::Misreads => request.method == "GET" && request.header("range").is_some(),
            Trouble::DoubtsClock => request.clock_off(clock) > CLOCK_OFF_MAX,
            // The answer to a HEAD has no word for it, and a client asks for others seldom then.
            Trouble::EndsToken => request.method != "HEAD",
            _ => true,
        }
    }
}

impl Request {
    /// How far the time that it was signed at is off.
    fn clock_off(&self, clock: SystemTime) -> Duration {
        // `20130524T000000Z`
        let text = self.header("x-amz-date").expect("signed");
        let (day, time) = text.split_once('T').expect("a time");
        let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
        let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
        let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}");
        let signed = Timestamp::parse_iso8601(&text).expect("a time").unix_seconds();
        Duration::from_secs(Timestamp::from(clock).unix_seconds().abs_diff(signed))
    }

    /// One that it was not signed for.
    pub(super) fn other_region(&self) -> &'static str {
        let signed = self.header("authorization").expect("signed");
        let is_first = signed.contains(&format!("/{}/s3/", REGIONS[0]));
        REGIONS[usize::from(is_first)]
    }
}
