//! When credentials serve, when new ones are asked for, and what happens when that fails: a state
//! machine that is told the time (SANS-1).

use std::sync::Arc;

use super::{Credentials, CredentialsError, REFRESH_AHEAD_S, UNUSABLE_AHEAD_S};
use crate::s3::time::Timestamp;

/// After a failure the source is left alone for this long, in seconds; each failure more doubles it.
const BACKOFF_BASE_S: u64 = 1;
/// The longest of these times, in seconds.
const BACKOFF_MAX_S: u64 = 60;

/// Credentials that serve, and until when they need not be asked for again.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Held {
    pub(in crate::s3) credentials: Arc<Credentials>,
    /// Which source gave them.
    pub(in crate::s3) source: Arc<str>,
    pub(in crate::s3) fresh_until: Timestamp,
}

/// What is held, and what is being done about it.
#[derive(Debug, Default)]
pub(super) struct Cache {
    held: Option<Held>,
    /// A server has called them expired.
    refused: bool,
    refreshing: bool,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    error: CredentialsError,
    in_a_row: u32,
    until: Timestamp,
}

/// What whoever wants to sign does.
#[derive(Debug)]
pub(super) enum Turn {
    /// Sign.
    Use(Held),
    /// Sign, and have new ones fetched meanwhile.
    UseAndRefresh(Held),
    /// Have new ones fetched, and ask again.
    Refresh,
    /// Somebody is fetching them; ask again when that has ended.
    Wait,
    /// There are none, and the source was asked a moment ago.
    Failed(CredentialsError),
}

/// What whoever wants others than certain credentials does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// Others are held.
    Done,
    /// Have new ones fetched, and ask again.
    Begin,
    /// Somebody is fetching them; ask again when that has ended.
    Wait,
    /// There are no others.
    Failed,
}

impl Cache {
    /// What to do now. Whoever is told to refresh ends it with [`Cache::answered`].
    pub(super) fn ask(&mut self, now: Timestamp) -> Turn {
        let usable = self.held.as_ref().filter(|held| !self.refused && held.is_usable(now));
        match usable {
            Some(held) if now < held.fresh_until => return Turn::Use(held.clone()),
            Some(held) if self.refreshing => return Turn::Use(held.passing(now)),
            None if self.refreshing => return Turn::Wait,
            _ => {}
        }
        if let Some(failure) = self.failure.as_ref().filter(|failure| now < failure.until) {
            return match usable {
                Some(held) => Turn::Use(held.passing(now)),
                None => Turn::Failed(failure.error.clone()),
            };
        }
        self.refreshing = true;
        usable.map_or(Turn::Refresh, |held| Turn::UseAndRefresh(held.passing(now)))
    }

    /// The end of a refresh; `Err` tells for how many seconds the source is left alone.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        answer: Result<(Credentials, String), CredentialsError>,
    ) -> Result<Held, (CredentialsError, u64)> {
        self.refreshing = false;
        let held = answer.map(|(credentials, source)| Held::new(credentials, &source, now));
        let held = held.and_then(|held| match held.is_usable(now) {
            true => Ok(held),
            false => Err(CredentialsError::Source {
                source_name: held.source.to_string(),
                problem: "the credentials that it gives have ended already; is the clock right?"
                    .to_owned(),
            }),
        });
        match held {
            Ok(held) => {
                (self.refused, self.failure) = (false, None);
                self.held = Some(held.clone());
                Ok(held)
            }
            Err(error) => {
                let before = self.failure.as_ref().map_or(0, |failure| failure.in_a_row);
                let left_alone_s = (BACKOFF_BASE_S << before.min(16)).min(BACKOFF_MAX_S);
                self.failure = Some(Failure {
                    error: error.clone(),
                    in_a_row: before + 1,
                    until: now.shifted(left_alone_s as i64),
                });
                Err((error, left_alone_s))
            }
        }
    }

    /// A server refuses these credentials without a word, so others are to be had; these serve meanwhile.
    /// A source that has just failed, or one that `has_begun` this, is not asked.
    pub(super) fn renew(
        &mut self,
        now: Timestamp,
        which: &Arc<Credentials>,
        has_begun: bool,
    ) -> Renewal {
        if !self.held.as_ref().is_some_and(|held| Arc::ptr_eq(&held.credentials, which)) {
            return Renewal::Done;
        }
        if self.refreshing {
            return Renewal::Wait;
        }
        if has_begun || self.failure.as_ref().is_some_and(|failure| now < failure.until) {
            return Renewal::Failed;
        }
        self.refreshing = true;
        Renewal::Begin
    }

    /// A server has called these credentials expired. Others may be held by now; those serve.
    pub(super) fn expired(&mut self, which: &Arc<Credentials>) {
        if self.held.as_ref().is_some_and(|held| Arc::ptr_eq(&held.credentials, which)) {
            self.refused = true;
        }
    }
}

impl Held {
    /// New ones are asked for five minutes ahead of the end, of a short life in the middle of it.
    fn new(credentials: Credentials, source: &str, now: Timestamp) -> Held {
        let far = Timestamp::from_unix_seconds(u64::MAX);
        let fresh_until = credentials.expires_at().map_or(far, |end| {
            let left_s = end.unix_seconds().saturating_sub(now.unix_seconds());
            let ahead_s = REFRESH_AHEAD_S.min(left_s / 2);
            Timestamp::from_unix_seconds(end.unix_seconds() - ahead_s)
        });
        Held { credentials: Arc::new(credentials), source: source.into(), fresh_until }
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        let end = self.credentials.expires_at();
        end.is_none_or(|end| now.unix_seconds() + UNUSABLE_AHEAD_S < end.unix_seconds())
    }

    /// The same, to be asked for again with the next request.
    fn passing(&self, now: Timestamp) -> Held {
        Held { fresh_until: now, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn keys(id: &str, end: Option<u64>) -> Result<(Credentials, String), CredentialsError> {
        Ok((Credentials::new(id, "s", None, end.map(at)).unwrap(), "test".into()))
    }

    fn failure() -> Result<(Credentials, String), CredentialsError> {
        Err(CredentialsError::provider("down"))
    }

    fn used(turn: &Turn) -> &str {
        match turn {
            Turn::Use(held) | Turn::UseAndRefresh(held) => held.credentials.access_key_id(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_refresh_at_a_time_ahead_of_the_end_and_the_old_serve_meanwhile() {
        let mut cache = Cache::default();
        assert!(matches!(cache.ask(at(0)), Turn::Refresh));
        assert!(matches!(cache.ask(at(0)), Turn::Wait));
        let held = cache.answered(at(0), keys("A", Some(3600))).unwrap();
        assert_eq!(held.fresh_until, at(3300));
        assert!(matches!(cache.ask(at(3299)), Turn::Use(_)));
        let turn = cache.ask(at(3300));
        assert!(matches!(turn, Turn::UseAndRefresh(_)));
        let meanwhile = cache.ask(at(3594));
        assert!(matches!(&meanwhile, Turn::Use(held) if held.fresh_until == at(3594)));
        assert_eq!(used(&meanwhile), "A");
        assert!(matches!(cache.ask(at(3595)), Turn::Wait), "5 s before the end");
        cache.answered(at(3595), keys("B", Some(7200))).unwrap();
        assert_eq!(used(&cache.ask(at(3596))), "B");
    }

    #[test]
    fn what_is_doubted_serves_until_there_are_others() {
        let mut cache = Cache::default();
        let old = cache.answered(at(0), keys("A", None)).unwrap().credentials;
        assert_eq!(cache.renew(at(1), &old, false), Renewal::Begin);
        assert_eq!(cache.renew(at(1), &old, false), Renewal::Wait);
        assert_eq!(used(&cache.ask(at(1))), "A");
        cache.answered(at(1), failure()).unwrap_err();
        // Neither who has asked nor who has waited asks a source that has just failed.
        assert_eq!(cache.renew(at(1), &old, false), Renewal::Failed);
        assert_eq!(cache.renew(at(9), &old, true), Renewal::Failed);
        assert_eq!(used(&cache.ask(at(9))), "A");
        assert_eq!(cache.renew(at(9), &old, false), Renewal::Begin);
        cache.answered(at(9), keys("B", None)).unwrap();
        assert_eq!(cache.renew(at(9), &old, true), Renewal::Done);
        assert_eq!(used(&cache.ask(at(9))), "B");
    }

    #[test]
    fn a_short_life_is_renewed_in_its_middle() {
        let mut cache = Cache::default();
        let held = cache.answered(at(100), keys("A", Some(160))).unwrap();
        assert_eq!(held.fresh_until, at(130));
        assert!(cache.answered(at(100), keys("A", Some(105))).is_err(), "over at once");
    }

    #[test]
    fn failures_back_off_and_the_old_serve_as_long_as_they_can() {
        let mut cache = Cache::default();
        cache.answered(at(0), keys("A", Some(1000))).unwrap();
        for (now, left_alone_s) in [(700, 1), (701, 2), (703, 4), (707, 8)] {
            assert!(matches!(cache.ask(at(now)), Turn::UseAndRefresh(_)), "{now}");
            assert_eq!(cache.answered(at(now), failure()).unwrap_err().1, left_alone_s);
            assert!(matches!(cache.ask(at(now)), Turn::Use(_)), "left alone at {now}");
        }
        assert!(matches!(cache.ask(at(996)), Turn::Refresh), "too late for the old ones");
        cache.answered(at(996), failure()).unwrap_err();
        assert!(matches!(cache.ask(at(997)), Turn::Failed(_)));
        assert!(matches!(cache.ask(at(996 + 16)), Turn::Refresh));
        cache.answered(at(1100), keys("B", None)).unwrap();
        assert_eq!(used(&cache.ask(at(u64::MAX))), "B");
    }

    #[test]
    fn a_long_row_of_failures_is_asked_about_once_a_minute() {
        let mut cache = Cache::default();
        let longest = (0..100).map(|_| cache.answered(at(0), failure()).unwrap_err().1).max();
        assert_eq!(longest, Some(BACKOFF_MAX_S));
    }

    #[test]
    fn what_a_server_calls_expired_is_fetched_anew_but_not_what_came_after() {
        let mut cache = Cache::default();
        let first = cache.answered(at(0), keys("A", None)).unwrap();
        cache.expired(&first.credentials);
        assert!(matches!(cache.ask(at(1)), Turn::Refresh));
        cache.answered(at(1), keys("B", None)).unwrap();
        cache.expired(&first.credentials);
        assert_eq!(used(&cache.ask(at(2))), "B");
    }
}
