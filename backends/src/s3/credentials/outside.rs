//! What sources of credentials need of the world, so that they themselves do no I/O (SANS-1).

use std::fmt;
use std::future::Future;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::http1::request::Method;
use crate::http1::url::HttpUrl;
use crate::s3::time::Timestamp;

/// Files, commands, HTTP and the clock.
pub(super) trait Outside {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// A random number, for pauses.
    fn random(&self) -> u64;

    /// The content of a file.
    fn read(&self, path: &str) -> impl Future<Output = Result<Secret, Unread>>;

    /// Puts a content in the place of a file, at once, for the eyes of its owner alone; the text of an
    /// error is for people.
    fn replace(&self, path: &str, content: Secret) -> impl Future<Output = Result<(), String>>;

    /// What a command writes to its standard output; the text of an error is for people.
    fn run(&self, command: &str) -> impl Future<Output = Result<Secret, String>>;

    /// The answer to one request; the text of an error is for people.
    fn ask(&self, ask: Ask) -> impl Future<Output = Result<Answer, String>>;

    /// Whether every address of a name is one of this machine.
    fn is_loopback(&self, host: &str) -> impl Future<Output = bool>;

    /// Waits.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()>;
}

/// Bytes that may hold secrets: wiped when dropped.
pub(super) type Secret = Zeroizing<Vec<u8>>;

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not there.
    Missing,
    /// The text is for people.
    Failed(String),
}

/// One request.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: HttpUrl,
    pub(super) headers: Vec<(&'static str, Zeroizing<String>)>,
    pub(super) body: Secret,
    /// From the look-up of the name to the last byte of the answer.
    pub(super) time_limit: Duration,
}

/// The answer to one request.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Secret,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::Missing => f.write_str("it is not there"),
            Unread::Failed(problem) => f.write_str(problem),
        }
    }
}

impl Ask {
    /// A GET without headers.
    pub(super) fn get(url: HttpUrl, time_limit: Duration) -> Ask {
        Ask { method: Method::Get, url, headers: Vec::new(), body: Secret::default(), time_limit }
    }

    /// The same with a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Ask {
        self.headers.push((name, Zeroizing::new(value.into())));
        self
    }
}

/// First pause before a request is sent again; each is twice the last, with full jitter.
const PAUSE_BASE: Duration = Duration::from_millis(100);

/// Sends a request, again where it broke or the server is in trouble.
pub(super) async fn ask_again(
    outside: &impl Outside,
    tries_max: u32,
    make: impl Fn() -> Ask,
) -> Result<Answer, String> {
    let mut number = 1;
    loop {
        let answer = outside.ask(make()).await;
        let may_help = answer.as_ref().map_or(true, |it| it.status == 429 || it.status >= 500);
        if !may_help || number >= tries_max {
            return answer;
        }
        let longest = PAUSE_BASE * 2_u32.saturating_pow(number - 1);
        let share = outside.random() as f64 / u64::MAX as f64;
        outside.pause(longest.mul_f64(share)).await;
        number += 1;
    }
}
