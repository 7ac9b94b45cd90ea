//! One connection: a request out, the answer's head in, the body straight to its place.
//!
//! Ownership: the connection holds two small leases for heads for its whole life. The body of a
//! request is lent to [`Connection::exchange`] and always comes back, because a retry needs it. The
//! destination of an answer is lent to [`Connection::receive_into`] and comes back too.
//!
//! This file says what a connection is and when it may serve again; [`exchange`] sends a request
//! while the head of its answer is awaited, [`framed`] a body with something between its pieces,
//! [`patience`] says how long the answer is waited for then, [`receive`] receives what follows the head.

mod exchange;
mod framed;
mod patience;
mod receive;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use hydrant_engine::{Core, Lease, RecvError, SendList, Stream};

use super::body::BodyState;
use super::request::Method;
use super::response::{BodyFraming, ResponseHead};
use super::{HttpError, HttpLimits};
use exchange::{Exchanged, Received, mark_stale};
pub(crate) use exchange::{RequestBody, RequestHead, Waited};
pub(crate) use framed::{BodyFrames, FRAME_BYTES_MAX};

/// A connection that is not in use, or in use by one request.
#[derive(Debug)]
pub(crate) struct Connection {
    core: Core,
    stream: Stream,
    limits: HttpLimits,
    /// Where the request head is written; absent only while a send owns it.
    outgoing: Option<Lease>,
    /// Where answer heads and documents arrive; absent only while a receive owns it.
    incoming: Option<Lease>,
    /// Takes a head and a small body that go out together.
    together: RefCell<Option<SendList>>,
    /// Bytes of the body that came together with the head.
    residue: Range<usize>,
    body: Option<BodyState>,
    /// The document of a refusal, received while the request was still going out.
    early: Option<Vec<u8>>,
    requests: u32,
    /// A request did not go out whole: the peer waits for the rest.
    broken: bool,
    /// The last request waited in vain for `100 Continue`.
    unanswered_expectation: bool,
    idle_since: Instant,
}

/// Bytes of the buffer for answers. A head of S3 has some 500 bytes; what comes behind it is moved
/// to its place, so this bounds the copy of a part to 0.05 % of 8 MiB.
const INCOMING_BYTES: usize = 4 << 10;

/// Memory for the heads of a connection.
pub(crate) struct Heads {
    outgoing: Lease,
    incoming: Lease,
}

impl Heads {
    /// Waits in the line for small buffers; called before there is a connection (POOL-1).
    pub(crate) async fn take(core: &Core, limits: &HttpLimits) -> Result<Heads, HttpError> {
        let bytes = limits.request_head_bytes_max.max(FRAME_BYTES_MAX);
        let outgoing = core.head_lease(bytes, "request head").await.map_err(HttpError::Memory)?;
        let incoming = core.head_lease(INCOMING_BYTES, "answer head").await;
        Ok(Heads { outgoing, incoming: incoming.map_err(HttpError::Memory)? })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The last request's head may hold a session token (SEC-1).
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.as_mut_slice().fill(0);
        }
        // As may the answer of a service that gives credentials.
        if let Some(incoming) = &mut self.incoming {
            incoming.as_mut_slice().fill(0);
        }
    }
}

impl Connection {
    /// Puts a connection around a stream.
    pub(crate) fn new(
        core: &Core,
        stream: Stream,
        heads: Heads,
        limits: &HttpLimits,
    ) -> Connection {
        Connection {
            core: core.clone(),
            stream,
            limits: limits.clone(),
            outgoing: Some(heads.outgoing),
            incoming: Some(heads.incoming),
            together: RefCell::default(),
            residue: 0..0,
            body: None,
            early: None,
            requests: 0,
            broken: false,
            unanswered_expectation: false,
            idle_since: core.now(),
        }
    }

    /// Sends a request and receives the head of its answer.
    ///
    /// `write` writes the head into the given memory and tells of it. `read` takes what the caller wants to know out of the final head; interim heads are skipped.
    pub(crate) async fn exchange<T>(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<RequestHead, HttpError>,
        body: Option<RequestBody>,
        read: impl FnOnce(&ResponseHead<'_>, BodyFraming) -> T,
    ) -> Exchanged<T> {
        self.exchange_framed(write, body, None, None, read).await
    }

    /// The same with a body that is framed on its way out; the length in the head is that of the
    /// framed one. With `patience` the answer is given up after that time, counted from when all was sent.
    pub(crate) async fn exchange_framed<T>(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<RequestHead, HttpError>,
        body: Option<RequestBody>,
        frames: Option<&mut dyn BodyFrames>,
        patience: Option<Duration>,
        read: impl FnOnce(&ResponseHead<'_>, BodyFraming) -> T,
    ) -> Exchanged<T> {
        let mut outgoing = self.outgoing.take().expect("a connection serves one request at a time");
        let head = match write(outgoing.as_mut_slice()) {
            Ok(written) => written,
            Err(error) => {
                self.outgoing = Some(outgoing);
                return Exchanged { result: Err(error), body, waited: Waited::Otherwise };
            }
        };
        let served_before = self.requests > 0;
        self.requests += 1;
        self.body = None;
        self.early = None;
        let incoming = self.incoming.take().expect("a connection serves one request at a time");
        let (sent, received, waited) =
            self.send_and_receive(outgoing, head, body, frames, incoming, patience).await;
        self.broken |= sent.error.is_some() || sent.reset || sent.withheld;
        self.unanswered_expectation = sent.waited_in_vain;
        let result = received
            .and_then(|received| sent.check(received))
            .map(|received| self.read_head(head.method, received, read))
            .map_err(|error| mark_stale(error, served_before));
        self.outgoing = sent.head.into_lease().ok();
        Exchanged { result, body: sent.body, waited }
    }

    /// The other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.stream.peer()
    }

    /// Whether the last request waited in vain for `100 Continue`.
    pub(crate) fn has_unanswered_expectation(&self) -> bool {
        self.unanswered_expectation
    }

    /// Whether another request may go over this connection now.
    pub(crate) fn reusable(&mut self) -> bool {
        if let (Some(body), Some(incoming)) = (&mut self.body, &mut self.incoming)
            && !self.residue.is_empty()
        {
            // Bytes behind the body are only seen when they are fed; they spoil the connection.
            let surplus = std::mem::replace(&mut self.residue, 0..0);
            let fed = body.feed(&incoming.as_mut_slice()[surplus]);
            if fed.is_err() {
                return false;
            }
        }
        let spent = self.limits.requests_per_connection_max.is_some_and(|max| self.requests >= max);
        let whole = self.outgoing.is_some() && self.incoming.is_some() && !self.broken;
        whole && !spent && self.body.as_ref().is_none_or(BodyState::reusable) && self.requests > 0
    }

    /// Whether nothing has come since the last answer. What comes without a request is not the answer to
    /// the next one (DATA-2).
    pub(crate) fn is_quiet(&self) -> bool {
        self.stream.unread_bytes().is_none_or(|bytes| bytes == 0)
    }

    /// Marks the start of an idle time.
    pub(crate) fn rest(&mut self) {
        self.idle_since = self.core.now();
    }

    /// Since when it rests.
    pub(crate) fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// How long it may rest yet; nothing when the server may be about to close it.
    pub(crate) fn idle_left(&self) -> Duration {
        self.limits.idle.saturating_sub(self.core.now().saturating_duration_since(self.idle_since))
    }

    /// The core that it belongs to.
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    fn read_head<T>(
        &mut self,
        method: Method,
        received: Received,
        read: impl FnOnce(&ResponseHead<'_>, BodyFraming) -> T,
    ) -> T {
        let Received { mut incoming, facts, head, filled, early } = received;
        self.early = early;
        let answer = facts.over(&incoming.as_mut_slice()[head.clone()]);
        let framing = answer.body_framing(method);
        self.body = Some(BodyState::new(framing, answer.keep_alive(), self.limits.chunk));
        let value = read(&answer, framing);
        self.residue = head.end..filled;
        self.incoming = Some(incoming);
        value
    }
}

fn broken_receive(failed: RecvError) -> HttpError {
    HttpError::Socket { error: failed.error, stale: false }
}

fn no_answer() -> HttpError {
    HttpError::Unexpected("there is no answer to read from".into())
}
