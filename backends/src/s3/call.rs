//! A call: one request with all its attempts.
//!
//! Each attempt is written and signed anew with the clock of that moment, goes over a connection of
//! this core, and is judged by [`retry::decide`]. The body of a request stays in its buffer until
//! the last attempt has ended, so a retry reads nothing a second time.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hydrant_engine::{Buf, Core, Error as EngineError};

use super::error::{ErrorContext, S3Error};
use super::request::{Request, Scratch, write_head};
use super::retry::{
    Attempt, Decision, Failure, GiveUp, Remedies, Remedy, Repeat, RetryBudget, decide,
};
use super::store::Shared;
use super::time::Timestamp;
use super::xml::XmlLimits;
use crate::error::{Error, ErrorKind, Result};
use crate::http1::response::ResponseHead;
use crate::http1::{Connection, ConnectionPool, HttpError, Origin, RequestBody};

/// What one core keeps for one store.
pub(super) struct PerCore {
    pub(super) connections: ConnectionPool,
    scratch: RefCell<Scratch>,
    budget: RefCell<RetryBudget>,
}

/// The stores that one core has worked for; those that are gone are swept out on the next look-up.
#[derive(Default)]
struct Stores(RefCell<Vec<(std::sync::Weak<Shared>, Rc<PerCore>)>>);

/// How an attempt failed.
pub(super) enum Failed {
    Http(HttpError),
    Answer {
        error: Box<S3Error>,
        retry_after: Option<Duration>,
    },
    /// Not worth another try, whatever the policy says.
    Final(Error),
}

/// Decides after each failure; lives for one call.
pub(super) struct Attempts<'a> {
    shared: &'a Arc<Shared>,
    per_core: &'a PerCore,
    core: &'a Core,
    operation: &'static str,
    key: Option<&'a str>,
    repeat: Repeat,
    number: u32,
    remedies: Remedies,
    last_cost: Option<u32>,
    pub(super) fresh_connection: bool,
}

impl PerCore {
    pub(super) fn of(core: &Core, shared: &Arc<Shared>) -> Rc<PerCore> {
        let stores = core.local(Stores::default);
        let mut stores = stores.0.borrow_mut();
        stores.retain(|(store, _)| store.strong_count() > 0);
        let found = stores.iter().find(|(store, _)| std::ptr::eq(store.as_ptr(), &**shared));
        if let Some((_, per_core)) = found {
            return Rc::clone(per_core);
        }
        let origin = Origin {
            host: shared.endpoint.connect_host().to_owned(),
            port: shared.endpoint.port(),
            #[cfg(feature = "tls")]
            tls: shared.tls.as_ref().map(hydrant_engine::TlsConfig::with_own_sessions),
        };
        let per_core = Rc::new(PerCore {
            connections: ConnectionPool::new(origin, shared.config.http.clone()),
            scratch: RefCell::default(),
            budget: RefCell::default(),
        });
        stores.push((Arc::downgrade(shared), Rc::clone(&per_core)));
        per_core
    }

    /// Writes the head of an attempt as of now.
    pub(super) fn write(
        &self,
        core: &Core,
        shared: &Shared,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<usize, HttpError> {
        let mut scratch = self.scratch.borrow_mut();
        let (endpoint, host) = (&shared.endpoint, &shared.host);
        write_head(out, request, endpoint, host, &shared.identity, now(core), &mut scratch)
    }
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        core: &'a Core,
        shared: &'a Arc<Shared>,
        per_core: &'a PerCore,
        operation: &'static str,
        key: Option<&'a str>,
        repeat: Repeat,
    ) -> Attempts<'a> {
        Attempts {
            shared,
            per_core,
            core,
            operation,
            key,
            repeat,
            number: 1,
            remedies: Remedies::default(),
            last_cost: None,
            fresh_connection: false,
        }
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
            Failed::Answer { error, retry_after } => Failure::Answer {
                status: error.http_status,
                code: Some(error.code.as_str()).filter(|code| !code.is_empty()),
                retry_after: *retry_after,
            },
        };
        let attempt = Attempt { number: self.number, repeat: self.repeat, remedies: self.remedies };
        let random = self.core.random_u64();
        let policy = &self.shared.config.retry;
        let decision =
            decide(policy, &mut self.per_core.budget.borrow_mut(), attempt, &failure, random);
        match decision {
            Decision::Retry {
                after,
                fresh_connection,
                remedy: remedy @ (Remedy::None | Remedy::Reread),
                cost,
            } => {
                self.remedies.corrupt_reread |= remedy == Remedy::Reread;
                self.fresh_connection = fresh_connection;
                self.last_cost = Some(cost);
                self.number += 1;
                if !after.is_zero() {
                    self.core.sleep(after).await;
                }
                Ok(())
            }
            // A clock that is off and credentials that have ended have no remedy here yet.
            Decision::Retry { .. } => Err(self.give_up(failed, Some(GiveUp::Permanent))),
            Decision::GiveUp(why) => Err(self.give_up(failed, Some(why))),
        }
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

/// The end of a small call: what its head told, the document, and the request's body back.
pub(super) struct Answer<T> {
    pub(super) head: T,
    pub(super) document: Vec<u8>,
}

/// Runs a call whose answer is a document or nothing. `read` takes what is wanted from the head.
pub(super) async fn run<T>(
    core: &Core,
    shared: &Arc<Shared>,
    request: &Request<'_>,
    repeat: Repeat,
    mut body: Option<(Buf, Range<usize>)>,
    read: impl Fn(&ResponseHead<'_>) -> Result<T, HttpError>,
) -> (Result<Answer<T>>, Option<Buf>) {
    let per_core = PerCore::of(core, shared);
    let operation = request.operation;
    let mut attempts = Attempts::new(core, shared, &per_core, operation, request.key, repeat);
    loop {
        let failed = match per_core.connections.lend(core, attempts.fresh_connection).await {
            Err(error) => Failed::Http(error),
            Ok(mut connection) => {
                let span = body.as_ref().map(|(_, span)| span.clone());
                let sent = body.take();
                let (result, back) =
                    attempt(core, shared, &per_core, &mut connection, request, sent, &read).await;
                body = back.zip(span);
                match result {
                    Ok(answer) => {
                        attempts.succeeded();
                        return (Ok(answer), body.map(|(buf, _)| buf));
                    }
                    Err(failed) => failed,
                }
            }
        };
        if let Err(error) = attempts.failed(failed).await {
            return (Err(error), body.map(|(buf, _)| buf));
        }
    }
}

async fn attempt<T>(
    core: &Core,
    shared: &Arc<Shared>,
    per_core: &PerCore,
    connection: &mut Connection,
    request: &Request<'_>,
    body: Option<(Buf, Range<usize>)>,
    read: &impl Fn(&ResponseHead<'_>) -> Result<T, HttpError>,
) -> (Result<Answer<T>, Failed>, Option<Buf>) {
    let body = body.map(|(buf, span)| RequestBody { buf, span });
    let write = |out: &mut [u8]| per_core.write(core, shared, request, out);
    let exchanged = connection
        .exchange(request.method, write, body, |head| {
            if head.is_success() { Ok(read(head)) } else { Err(Refusal::of(head, core)) }
        })
        .await;
    let back = exchanged.body.map(|body| body.buf);
    let result = match exchanged.result {
        Ok(Ok(Ok(head))) => match connection.receive_document().await {
            Ok(document) => Ok(Answer { head, document }),
            Err(error) => Err(Failed::Http(error)),
        },
        Ok(Ok(Err(error))) | Err(error) => Err(Failed::Http(error)),
        Ok(Err(refusal)) => {
            let document = connection.receive_document().await.unwrap_or_default();
            Err(refusal.into_failed(shared, request.operation, request.key, &document))
        }
    };
    (result, back)
}

/// The head of an answer that refuses.
pub(super) struct Refusal {
    pub(super) status: u16,
    request_id: Option<String>,
    host_id: Option<String>,
    bucket_region: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn of(head: &ResponseHead<'_>, core: &Core) -> Refusal {
        let text = |name| head.text(name).ok().flatten().map(str::to_owned);
        let retry_after = text("retry-after")
            .and_then(|value| super::retry::parse_retry_after(&value, now(core)));
        Refusal {
            status: head.status(),
            request_id: head.request_id().map(str::to_owned),
            host_id: head.host_id().map(str::to_owned),
            bucket_region: text("x-amz-bucket-region"),
            retry_after,
        }
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
            request_id: self.request_id.as_deref(),
            host_id: self.host_id.as_deref(),
            bucket_region: self.bucket_region.as_deref(),
        };
        let error = S3Error::from_answer(&context, document, &XmlLimits::default());
        Failed::Answer { error: Box::new(error), retry_after: self.retry_after }
    }
}

fn now(core: &Core) -> Timestamp {
    let since = core.wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_seconds(since.as_secs())
}

/// Failures that no other try would change: our own memory, a head that cannot be written, a stop, a
/// certificate that is refused.
fn is_local(error: &HttpError) -> bool {
    if error.tls().is_some_and(hydrant_engine::TlsError::is_permanent) {
        return true;
    }
    match error {
        HttpError::Memory(_) | HttpError::Request(_) => true,
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
