//! A call: one operation with all its attempts.
//!
//! Each attempt is written and signed anew with the clock of that moment, goes over a connection of
//! this core, and is judged by [`retry::decide`]. The body of a request stays in its buffer until
//! the last attempt has ended, so a retry reads nothing a second time.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hydrant_engine::{Buf, Core, Error as EngineError};

use super::credentials::Credentials;
use super::error::{ErrorContext, S3Error};
use super::ops::{DecodeError, Operation, Payload};
use super::per_core::{PerCore, own_clock};
use super::request::BodyInfo;
use super::retry::{Attempt, Decision, Failure, GiveUp, Remedies, Remedy, Repeat, decide};
use super::store::Shared;
use super::time::Timestamp;
use super::xml::{XmlError, XmlLimits};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::response::{BodyFraming, KeptHead, ResponseHead};
use crate::http1::{Connection, HttpError, Lent, RequestBody};

/// How an attempt failed.
pub(super) enum Failed {
    Http(HttpError),
    Answer {
        error: Box<S3Error>,
        retry_after: Option<Duration>,
        /// The server's clock.
        date: Option<Timestamp>,
    },
    /// Not worth another try, whatever the policy says.
    Final(Error),
}

/// Decides after each failure; lives for one call.
pub(super) struct Attempts<'a> {
    shared: &'a Arc<Shared>,
    core: &'a Core,
    /// Where the next attempt goes; another one once the bucket's region has been learnt.
    pub(super) per_core: Rc<PerCore>,
    operation: &'static str,
    key: Option<&'a str>,
    repeat: Repeat,
    number: u32,
    remedies: Remedies,
    last_cost: Option<u32>,
    /// An attempt that failed may have been carried out.
    in_doubt: bool,
    pub(super) fresh_connection: bool,
    /// What the attempt under way is signed with, where a provider gave it.
    signed_with: Option<Arc<Credentials>>,
}

impl<'a> Attempts<'a> {
    /// # Errors
    /// `InvalidInput` for an operation that cannot be asked for.
    pub(super) fn new<O: Operation>(
        core: &'a Core,
        shared: &'a Arc<Shared>,
        operation: &'a O,
    ) -> Result<Attempts<'a>> {
        let per_core = PerCore::of(core, shared);
        let (key, repeat) = (operation.key(), operation.repeat());
        per_core.check(operation).map_err(|error| {
            let object = shared.uri_of(key.unwrap_or_default()).escape_debug().to_string();
            Error::from(ErrorKind::InvalidInput(format!("{} {object}: {error}", O::NAME)))
        })?;
        Ok(Attempts {
            shared,
            core,
            per_core,
            operation: O::NAME,
            key,
            repeat,
            number: 1,
            remedies: Remedies::default(),
            last_cost: None,
            in_doubt: false,
            // One that was closed while idle would leave open whether the request was carried out.
            fresh_connection: repeat != Repeat::Freely,
            signed_with: None,
        })
    }

    /// Credentials and a connection for the next attempt, in this order: nobody waits for credentials
    /// with a connection in hand.
    pub(super) async fn lend<'p>(&mut self, per_core: &'p PerCore) -> Result<Lent<'p>, Failed> {
        let signed_with = per_core.can_sign(self.core, self.shared).await;
        self.signed_with =
            signed_with.map_err(|error| Failed::Final(ErrorKind::Credentials(error).into()))?;
        let lent = per_core.connections.lend(self.core, self.fresh_connection).await;
        lent.map_err(Failed::Http)
    }

    /// The call has succeeded: the budget gets its refund.
    pub(super) fn succeeded(&self) {
        self.per_core.budget.borrow_mut().succeeded(self.last_cost);
    }

    /// An attempt that made progress starts the count of tries anew (TIME-1: a download that moves
    /// is never given up because it was cut often).
    pub(super) fn progressed(&mut self) {
        self.number = 1;
        self.remedies = Remedies::default();
    }

    /// Waits for the next attempt, or gives the error that ends the call.
    pub(super) async fn failed(&mut self, failed: Failed) -> Result<()> {
        let failure = match &failed {
            Failed::Final(error) => return Err(error.clone()),
            Failed::Http(error) if is_local(error) => return Err(self.give_up(failed, None)),
            Failed::Http(error) => failure_of(error),
            Failed::Answer { error, .. } if self.is_misdirected(error) => Failure::Misdirected,
            Failed::Answer { error, retry_after, .. } => Failure::Answer {
                status: error.http_status,
                code: Some(error.code.as_str()).filter(|code| !code.is_empty()),
                retry_after: *retry_after,
            },
        };
        self.in_doubt |= !failure.not_performed();
        let attempt = Attempt { number: self.number, repeat: self.repeat, remedies: self.remedies };
        let random = self.core.random_u64();
        let policy = &self.shared.config.retry;
        let decision =
            decide(policy, &mut self.per_core.budget.borrow_mut(), attempt, &failure, random);
        match decision {
            Decision::Retry { after, fresh_connection, remedy, cost } => {
                if !self.apply(remedy, &failed) {
                    return Err(self.give_up(failed, Some(GiveUp::Permanent)));
                }
                self.fresh_connection = fresh_connection || self.repeat != Repeat::Freely;
                self.last_cost = Some(cost);
                self.number += 1;
                if !after.is_zero() {
                    self.core.sleep(after).await;
                }
                Ok(())
            }
            Decision::GiveUp(why) => Err(self.give_up(failed, Some(why))),
        }
    }

    /// Whether the answer names another region than the one that was asked and signed for.
    fn is_misdirected(&self, error: &S3Error) -> bool {
        let elsewhere = error
            .region
            .as_deref()
            .is_some_and(|region| !region.is_empty() && region != self.per_core.endpoint.region());
        elsewhere && matches!(error.http_status, 301 | 307 | 400)
    }

    /// Does what the next attempt needs; tells whether that was possible.
    fn apply(&mut self, remedy: Remedy, failed: &Failed) -> bool {
        match (remedy, failed) {
            (Remedy::None, _) => {}
            (Remedy::Reread, _) => self.remedies.corrupt_reread = true,
            (Remedy::CorrectClock, Failed::Answer { date: Some(date), .. }) => {
                self.remedies.clock_corrected = true;
                self.per_core.learn_clock(self.core, *date);
            }
            (Remedy::LearnRegion, Failed::Answer { error, .. }) => {
                self.remedies.region_learnt = true;
                let region = error.region.as_deref().unwrap_or_default();
                match self.per_core.in_region(self.core, self.shared, region) {
                    Some(moved) => self.per_core = moved,
                    None => return false,
                }
            }
            (Remedy::RefreshCredentials, _) => {
                self.remedies.credentials_refreshed = true;
                let Some(expired) = self.signed_with.take() else { return false };
                return self.per_core.expired(self.shared, &expired);
            }
            // The clock cannot be learnt without a `Date`.
            (Remedy::CorrectClock | Remedy::LearnRegion, _) => return false,
        }
        true
    }

    fn give_up(&self, failed: Failed, why: Option<GiveUp>) -> Error {
        match failed {
            Failed::Final(error) => error,
            Failed::Answer { mut error, .. } => {
                error.attempts = self.number;
                error.gave_up = why;
                (*error).into()
            }
            Failed::Http(HttpError::Socket { error: EngineError::Cancelled, .. }) => {
                EngineError::Cancelled.into()
            }
            Failed::Http(source) => ErrorKind::Http {
                operation: self.operation,
                object: self.shared.uri_of(self.key.unwrap_or_default()),
                source,
                attempts: self.number,
            }
            .into(),
        }
    }
}

/// Runs an operation with the body that it brings itself.
pub(super) async fn send<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
) -> Result<O::Output> {
    send_in_doubt(core, shared, operation).await.0
}

/// The same, and whether an attempt that failed may have been carried out.
pub(super) async fn send_in_doubt<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
) -> (Result<O::Output>, bool) {
    let payload = operation.payload();
    let body = BodyInfo::of(&payload);
    let bytes = match payload {
        Payload::None => None,
        Payload::Bytes(bytes) => Some(bytes),
        Payload::Document { xml, .. } => Some(Bytes::from(xml)),
    };
    let lent = bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| {
        let span = 0..bytes.len();
        (Buf::from(bytes), span)
    });
    let (result, in_doubt, _) = run(core, shared, operation, &body, lent).await;
    (result, in_doubt)
}

/// Runs an operation with a part of a buffer as its body; the buffer comes back.
pub(super) async fn send_from<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
    buf: Buf,
    span: Range<usize>,
) -> (Result<O::Output>, Buf) {
    let body = BodyInfo::of_bytes(span.len());
    let (result, _, back) = run(core, shared, operation, &body, Some((buf, span))).await;
    (result, back.unwrap_or_else(|| Bytes::new().into()))
}

async fn run<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
    body: &BodyInfo,
    mut lent: Option<(Buf, Range<usize>)>,
) -> (Result<O::Output>, bool, Option<Buf>) {
    let mut attempts = match Attempts::new(core, shared, operation) {
        Ok(attempts) => attempts,
        Err(error) => return (Err(error), false, lent.map(|(buf, _)| buf)),
    };
    loop {
        let per_core = Rc::clone(&attempts.per_core);
        let failed = match attempts.lend(&per_core).await {
            Err(failed) => failed,
            Ok(mut connection) => {
                let span = lent.as_ref().map(|(_, span)| span.clone());
                let exchange = Exchange { core, shared, per_core: &per_core, operation, body };
                let (result, back) = exchange.run(&mut connection, lent.take()).await;
                lent = back.zip(span);
                match result {
                    Ok(output) => {
                        attempts.succeeded();
                        return (Ok(output), attempts.in_doubt, lent.map(|(buf, _)| buf));
                    }
                    Err(failed) => failed,
                }
            }
        };
        if let Err(error) = attempts.failed(failed).await {
            return (Err(error), attempts.in_doubt, lent.map(|(buf, _)| buf));
        }
    }
}

/// One attempt.
struct Exchange<'a, O> {
    core: &'a Core,
    shared: &'a Arc<Shared>,
    per_core: &'a PerCore,
    operation: &'a O,
    body: &'a BodyInfo,
}

/// What the head of an answer came to.
enum Told<T> {
    /// There is no body, so this is all.
    Whole(Result<T, DecodeError>, Ids),
    /// A document follows.
    Document(KeptHead),
    /// It refuses.
    Refused(Box<Refusal>),
}

impl<O: Operation> Exchange<'_, O> {
    async fn run(
        &self,
        connection: &mut Connection,
        lent: Option<(Buf, Range<usize>)>,
    ) -> (Result<O::Output, Failed>, Option<Buf>) {
        let lent = lent.map(|(buf, span)| RequestBody { buf, span });
        let write = |out: &mut [u8]| {
            self.per_core.write(self.core, self.shared, self.operation, self.body, out)
        };
        let exchanged = connection.exchange(write, lent, |head, framing| self.look(head, framing));
        let exchanged = exchanged.await;
        let back = exchanged.body.map(|body| body.buf);
        let result = match exchanged.result {
            Err(error) => Err(Failed::Http(error)),
            Ok(Told::Whole(output, ids)) => output.map_err(|error| self.undecodable(error, ids)),
            Ok(Told::Document(head)) => match connection.receive_document().await {
                Ok(document) => {
                    let head = head.borrow();
                    let output = self.operation.decode(&head, &document);
                    output.map_err(|error| self.undecodable(error, Ids::of(&head)))
                }
                Err(error) => Err(Failed::Http(error)),
            },
            Ok(Told::Refused(refusal)) => {
                let document = connection.receive_document().await.unwrap_or_default();
                let (name, key) = (O::NAME, self.operation.key());
                Err(refusal.into_failed(self.shared, name, key, &document))
            }
        };
        (result, back)
    }

    fn look(&self, head: &ResponseHead<'_>, framing: BodyFraming) -> Told<O::Output> {
        if !head.is_success() {
            return Told::Refused(Refusal::of(head, self.core));
        }
        match framing {
            BodyFraming::None | BodyFraming::Length(0) => {
                Told::Whole(self.operation.decode(head, &[]), Ids::of(head))
            }
            BodyFraming::Length(_) | BodyFraming::Chunked | BodyFraming::UntilClose => {
                Told::Document(head.keep())
            }
        }
    }

    /// A success that is none, or that cannot be read.
    fn undecodable(&self, error: DecodeError, ids: Ids) -> Failed {
        match error {
            DecodeError::Refused(document) => {
                let context = ErrorContext {
                    operation: O::NAME,
                    bucket: self.shared.endpoint.bucket(),
                    key: self.operation.key(),
                    http_status: 200,
                    request_id: ids.request_id.as_deref(),
                    host_id: ids.host_id.as_deref(),
                    bucket_region: None,
                };
                let error = Box::new(S3Error::from_document(&context, *document));
                Failed::Answer { error, retry_after: None, date: None }
            }
            // Cut short on its way: the next try may bring it whole.
            DecodeError::Xml(XmlError::Truncated) => {
                Failed::Http(HttpError::Unexpected(error.to_string()))
            }
            DecodeError::Field(error) => Failed::Http(error.into()),
            error => {
                let key = self.operation.key().unwrap_or_default();
                Failed::Final(self.shared.unexpected(key, format!("{}: {error}", O::NAME)))
            }
        }
    }
}

/// What support asks for.
struct Ids {
    request_id: Option<String>,
    host_id: Option<String>,
}

impl Ids {
    fn of(head: &ResponseHead<'_>) -> Ids {
        Ids {
            request_id: head.request_id().map(str::to_owned),
            host_id: head.host_id().map(str::to_owned),
        }
    }
}

/// The head of an answer that refuses.
pub(super) struct Refusal {
    pub(super) status: u16,
    ids: Ids,
    bucket_region: Option<String>,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
}

impl Refusal {
    pub(super) fn of(head: &ResponseHead<'_>, core: &Core) -> Box<Refusal> {
        let text = |name| head.text(name).ok().flatten().map(str::to_owned);
        let retry_after = text("retry-after")
            .and_then(|value| super::retry::parse_retry_after(&value, own_clock(core)));
        Box::new(Refusal {
            status: head.status(),
            ids: Ids::of(head),
            bucket_region: text("x-amz-bucket-region"),
            retry_after,
            date: text("date").and_then(|text| Timestamp::parse_http_date(&text).ok()),
        })
    }

    pub(super) fn into_failed(
        self,
        shared: &Shared,
        operation: &'static str,
        key: Option<&str>,
        document: &[u8],
    ) -> Failed {
        let context = ErrorContext {
            operation,
            bucket: shared.endpoint.bucket(),
            key,
            http_status: self.status,
            request_id: self.ids.request_id.as_deref(),
            host_id: self.ids.host_id.as_deref(),
            bucket_region: self.bucket_region.as_deref(),
        };
        let error = S3Error::from_answer(&context, document, &XmlLimits::default());
        Failed::Answer { error: Box::new(error), retry_after: self.retry_after, date: self.date }
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
