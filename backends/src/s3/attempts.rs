//! The attempts of one call: when the next one is made, and what has to be done before.
//!
//! Each attempt is written and signed anew with the clock of that moment, goes over a connection of
//! this core to one of the store's endpoints, and is judged by [`retry::decide`](super::retry::decide).

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hydrant_engine::{Core, Error as EngineError};

use super::choice::Verdict;
use super::clock::ClockGuess;
use super::credentials::{Credentials, Identity};
use super::elsewhere::Elsewhere;
use super::error::S3Error;
use super::hosts::{Hosts, Turn};
use super::ops::Operation;
use super::pace::{Begun, Pace};
use super::per_core::{PerCore, own_clock};
use super::retry::{
    Attempt, Class, Decision, Failure, GiveUp, Remedies, Remedy, Repeat, Unexplained, decide,
};
use super::store::Shared;
use super::time::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::http1::request::Method;
use crate::http1::{Connection, HttpError, Place};

/// How an attempt failed.
pub(super) enum Failed {
    Http(HttpError),
    /// The body broke off behind bytes that are in their place.
    CutOff(HttpError),
    /// The answer took longer than what was learnt of those before it.
    Late(HttpError),
    Answer {
        error: Box<S3Error>,
        retry_after: Option<Duration>,
        /// The server's clock.
        date: Option<Timestamp>,
    },
    /// What came is not what its checksum says: worth one more try.
    Corrupt(Error),
    /// Not worth another try, whatever the policy says.
    Final(Error),
}

/// Decides after each failure; lives for one call.
pub(super) struct Attempts<'a> {
    shared: &'a Arc<Shared>,
    core: &'a Core,
    /// Where attempts go; others once the bucket's region has been learnt.
    hosts: Rc<Hosts>,
    /// Where the last attempt went, and which of them that was.
    per_core: Rc<PerCore>,
    failed_at: Option<usize>,
    /// The endpoint that the last one has named instead of itself.
    sent_to: Option<usize>,
    operation: &'static str,
    method: Method,
    key: Option<&'a str>,
    repeat: Repeat,
    number: u32,
    remedies: Remedies,
    last_cost: Option<u32>,
    /// When the last attempt began.
    begun: Begun,
    /// An attempt that failed may have been carried out.
    pub(super) in_doubt: bool,
    fresh_connection: bool,
    /// What the attempt under way is signed with, where a provider gave it.
    signed_with: Option<Arc<Credentials>>,
    /// What the clock that it is signed by is ahead of ours, in seconds.
    clock_ahead_s: i64,
    /// A clock that was taken for the right one without a word that it is, until that has helped.
    clock_guess: Option<ClockGuess>,
}

impl<'a> Attempts<'a> {
    /// # Errors
    /// `InvalidInput` for an operation that cannot be asked for.
    pub(super) fn new<O: Operation>(
        core: &'a Core,
        shared: &'a Arc<Shared>,
        operation: &'a O,
    ) -> Result<Attempts<'a>> {
        let hosts = Hosts::of(core, shared);
        let per_core = Rc::clone(hosts.first());
        let (key, repeat) = (operation.key(), operation.repeat());
        let begun = per_core.pace.borrow().begin();
        let method = per_core.check(operation).map_err(|error| {
            let object = shared.uri_of(key.unwrap_or_default()).escape_debug().to_string();
            Error::from(ErrorKind::InvalidInput(format!("{} {object}: {error}", O::NAME)))
        })?;
        Ok(Attempts {
            shared,
            core,
            hosts,
            per_core,
            failed_at: None,
            sent_to: None,
            operation: shared.name_of(O::NAME),
            method,
            key,
            repeat,
            number: 1,
            remedies: Remedies::default(),
            last_cost: None,
            begun,
            in_doubt: false,
            // One that was closed while idle would leave open whether the request was carried out.
            fresh_connection: repeat != Repeat::Freely,
            signed_with: None,
            clock_ahead_s: 0,
            clock_guess: None,
        })
    }

    /// Makes attempts until one succeeds or another is not worth it.
    ///
    /// # Errors
    /// The failure of the last one.
    pub(super) async fn run<T>(
        &mut self,
        mut attempt: impl AsyncFnMut(&PerCore, &mut Connection) -> Result<T, Failed>,
    ) -> Result<T> {
        loop {
            let turn = match self.sent_to {
                Some(endpoint) => self.hosts.turn_at(endpoint),
                None => self.hosts.choose(self.core, self.failed_at),
            };
            let per_core = Rc::clone(turn.per_core());
            self.per_core = Rc::clone(&per_core);
            self.begun = per_core.pace.borrow().begin();
            let failed = match self.place(&per_core, &turn).await {
                // Another endpoint may be free, or this one later.
                Ok(None) => continue,
                Ok(Some(place)) => match self.try_once(&per_core, place, &mut attempt).await {
                    Ok(value) => {
                        self.clock_is_right();
                        // What the last retry cost comes back.
                        per_core.budget().succeeded(self.last_cost);
                        per_core.paced(Pace::succeeded);
                        turn.told(self.core, Verdict::Works);
                        return Ok(value);
                    }
                    Err(failed) => failed,
                },
                Err(failed) => failed,
            };
            self.failed(failed, turn).await?;
        }
    }

    /// Credentials and a place for the next attempt, in this order: nobody waits for credentials or for
    /// the end of a hold with a place in hand. Nothing where the endpoint wants to be left alone by
    /// then, or is in trouble: other requests may have found out while this one stood in the line.
    async fn place<'p>(
        &mut self,
        per_core: &'p PerCore,
        turn: &Turn,
    ) -> Result<Option<Place<'p>>, Failed> {
        while let Some(time) = per_core.held(self.core) {
            self.core.sleep(time).await;
        }
        let signed_with = per_core.can_sign(self.core, self.shared).await;
        self.signed_with =
            signed_with.map_err(|error| Failed::Final(ErrorKind::Credentials(error).into()))?;
        let place = per_core.connections.place().await;
        let is_wanted = per_core.held(self.core).is_none() && !turn.is_overtaken();
        Ok(is_wanted.then_some(place))
    }

    async fn try_once<'p, T>(
        &mut self,
        per_core: &'p PerCore,
        place: Place<'p>,
        attempt: &mut impl AsyncFnMut(&PerCore, &mut Connection) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let lent = per_core.connections.lend(self.core, place, self.fresh_connection).await;
        let mut connection = lent.map_err(Failed::Http)?;
        self.begun = per_core.pace.borrow().begin();
        self.clock_ahead_s = per_core.clock().ahead_s();
        let result = attempt(per_core, &mut connection).await;
        if let Err(Failed::Http(error) | Failed::CutOff(error)) = &result
            && !is_local(error)
            && Verdict::of(&failure_of(error)) != Verdict::Nothing
        {
            per_core.connections.suspect(self.core, connection.peer());
        }
        result
    }

    /// An attempt that made progress starts the count of tries anew (TIME-1: a download that moves
    /// is never given up because it was cut often).
    fn progressed(&mut self) {
        self.number = 1;
        // What is corrupt is read again once, however often it is cut off meanwhile.
        let corrupt_reread = self.remedies.corrupt_reread;
        self.remedies = Remedies { corrupt_reread, ..Remedies::default() };
    }

    /// Waits for the next attempt after one that failed, or gives the error that ends the call.
    async fn failed(&mut self, failed: Failed, turn: Turn) -> Result<()> {
        match &failed {
            Failed::CutOff(_) => {
                self.clock_is_right();
                self.progressed();
            }
            // These are about the object, which nobody is told of whose signature is not good.
            Failed::Answer { error, .. } if matches!(error.http_status, 304 | 404 | 412 | 416) => {
                self.clock_is_right();
            }
            _ => {}
        }
        self.sent_to = None;
        let elsewhere = match &failed {
            Failed::Answer { error, .. } => {
                let (asked, named) = (&self.per_core.endpoint, &self.shared.named_region);
                let is_head = self.method == Method::Head;
                Elsewhere::of(error, asked, &self.hosts).or_else(|| {
                    is_head.then(|| Elsewhere::without_a_word(error, asked, named)).flatten()
                })
            }
            _ => None,
        };
        let failure = match &failed {
            Failed::Final(error) => return Err(error.clone()),
            Failed::Http(error) | Failed::CutOff(error) if is_local(error) => {
                return Err(self.give_up(failed, None));
            }
            Failed::Http(error) | Failed::CutOff(error) => failure_of(error),
            Failed::Late(_) => Failure::Late,
            Failed::Corrupt(_) => Failure::Corrupt,
            Failed::Answer { .. } if elsewhere.is_some() => Failure::Misdirected,
            Failed::Answer { error, retry_after, date } => Failure::Answer {
                status: error.http_status,
                code: match error.code.as_str() {
                    "" => self.likely_code(error.http_status, *date),
                    code => Some(code),
                },
                retry_after: *retry_after,
            },
        };
        turn.told(self.core, Verdict::of(&failure));
        self.failed_at = Some(turn.endpoint());
        let is_throttled = failure.class() == Class::Throttled;
        if is_throttled {
            self.per_core.paced(|pace| pace.refused(self.begun));
        }
        self.in_doubt |= !failure.not_performed();
        let attempt = Attempt { number: self.number, repeat: self.repeat, remedies: self.remedies };
        let random = self.core.random_u64();
        let policy = &self.shared.config.retry;
        let decision = decide(policy, &mut self.per_core.budget(), attempt, &failure, random);
        match decision {
            Decision::Retry { after, fresh_connection, remedy, cost } => {
                if !self.apply(remedy, &failed, elsewhere).await {
                    return Err(self.give_up(failed, Some(GiveUp::Permanent)));
                }
                self.fresh_connection = fresh_connection || self.repeat != Repeat::Freely;
                self.last_cost = Some(cost);
                // Each that is away is left alone from here on, so this ends.
                if !(matches!(failure, Failure::Connect) && turn.has_another()) {
                    self.number += 1;
                }
                // The first try elsewhere need not wait for an endpoint to recover. Later ones do: what
                // fails everywhere may lie with the network, or with us.
                let is_elsewhere = attempt.number == 1 && turn.has_another();
                drop(turn);
                if is_throttled {
                    self.per_core.paced(|pace| pace.hold(self.core.now(), after));
                } else if !after.is_zero() && !is_elsewhere {
                    self.core.sleep(after).await;
                }
                Ok(())
            }
            Decision::GiveUp(why) => {
                if let (true, Failed::Answer { retry_after: Some(asked), .. }) =
                    (is_throttled, &failed)
                {
                    let time = (*asked).min(policy.retry_after_max);
                    self.per_core.paced(|pace| pace.hold(self.core.now(), time));
                }
                Err(self.give_up(failed, Some(why)))
            }
        }
    }

    /// What was guessed of the server's clock has helped.
    fn clock_is_right(&mut self) {
        let signed_ahead_s = self.clock_ahead_s;
        self.clock_guess.take().into_iter().for_each(|guess| guess.keep(signed_ahead_s));
    }

    /// What a refusal without a code may be about, of a HEAD: its answer has no document (RFC 9110
    /// section 9.3.2).
    fn likely_code(&self, status: u16, date: Option<Timestamp>) -> Option<&'static str> {
        if self.method != Method::Head || matches!(self.shared.identity, Identity::Anonymous) {
            return None;
        }
        let policy = &self.shared.config.retry;
        let signed_at = own_clock(self.core).shifted(self.clock_ahead_s).unix_seconds();
        let off = |date: Timestamp| Duration::from_secs(date.unix_seconds().abs_diff(signed_at));
        let is_renewable = self
            .signed_with
            .as_ref()
            .is_some_and(|which| self.per_core.may_renew(self.core, which, policy.renewal_wait));
        Unexplained { status, clock_off: date.map(off), is_renewable }
            .likely_code(policy, self.remedies)
    }

    /// Does what the next attempt needs; tells whether that was possible.
    async fn apply(
        &mut self,
        remedy: Remedy,
        failed: &Failed,
        elsewhere: Option<Elsewhere>,
    ) -> bool {
        match (remedy, failed) {
            (Remedy::None, _) => {}
            (Remedy::Reread, _) => self.remedies.corrupt_reread = true,
            (Remedy::CorrectClock, Failed::Answer { date: Some(date), .. }) => {
                self.remedies.clock_corrected = true;
                let ahead_s =
                    date.unix_seconds() as i64 - own_clock(self.core).unix_seconds() as i64;
                match failed {
                    // A proxy may have said it, whose clock is its own.
                    Failed::Answer { error, .. } if error.code.is_empty() => {
                        self.clock_guess = Some(self.per_core.clock().guess(ahead_s));
                    }
                    _ => self.per_core.clock().learn(ahead_s),
                }
            }
            (Remedy::LearnRegion, _) => {
                self.remedies.region_learnt = true;
                match elsewhere {
                    Some(Elsewhere::Region(region)) => {
                        let moved = self.hosts.in_region(self.core, self.shared, &region);
                        let Some(moved) = moved else { return false };
                        self.hosts = moved;
                    }
                    Some(Elsewhere::Endpoint(endpoint)) => self.sent_to = Some(endpoint),
                    None => return false,
                }
            }
            (Remedy::RefreshCredentials, _) => {
                self.remedies.credentials_refreshed = true;
                let Some(expired) = self.signed_with.take() else { return false };
                if matches!(failed, Failed::Answer { error, .. } if error.code.is_empty()) {
                    return self.per_core.renew(self.core, self.shared, &expired).await;
                }
                return self.per_core.expired(self.shared, &expired);
            }
            // The clock cannot be learnt without a `Date`.
            (Remedy::CorrectClock, _) => return false,
        }
        true
    }

    fn give_up(&self, failed: Failed, why: Option<GiveUp>) -> Error {
        match failed {
            Failed::Final(error) | Failed::Corrupt(error) => error,
            Failed::Answer { mut error, .. } => {
                error.attempts = self.number;
                error.gave_up = why;
                (*error).into()
            }
            Failed::Http(HttpError::Socket { error: EngineError::Cancelled, .. })
            | Failed::CutOff(HttpError::Socket { error: EngineError::Cancelled, .. }) => {
                EngineError::Cancelled.into()
            }
            Failed::Http(source) | Failed::CutOff(source) | Failed::Late(source) => {
                ErrorKind::Http {
                    operation: self.operation,
                    object: self.shared.uri_of(self.key.unwrap_or_default()),
                    source,
                    attempts: self.number,
                }
                .into()
            }
        }
    }
}

/// Failures that no other try would change: our own memory, a head that cannot be written, a stop, a
/// certificate that is refused.
fn is_local(error: &HttpError) -> bool {
    if error.tls().is_some_and(hydrant_engine::TlsError::is_permanent) {
        return true;
    }
    match error {
        HttpError::Memory(_) | HttpError::Request(_) | HttpError::Unsendable(_) => true,
        HttpError::Connect(error) | HttpError::Socket { error, .. } => {
            matches!(error, EngineError::Cancelled | EngineError::Stopped | EngineError::Forked)
        }
        _ => false,
    }
}

fn failure_of(error: &HttpError) -> Failure<'static> {
    match error {
        HttpError::Connect(_) => Failure::Connect,
        HttpError::Socket { error: EngineError::Stalled { .. }, .. } => Failure::Stalled,
        HttpError::Socket { stale, .. } | HttpError::Closed { stale } => {
            Failure::Broken { stale: *stale }
        }
        HttpError::Body(_) => Failure::Broken { stale: false },
        _ => Failure::Malformed,
    }
}
