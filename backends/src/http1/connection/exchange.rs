//! Sending a request while the head of its answer is awaited.

use std::cell::Cell;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use hydrant_engine::{Buf, Core, Error as EngineError, Lease, RecvMode, Stream, TlsProblem};

use super::framed::BodyFrames;
use super::patience::{Look, Patience};
use super::receive::feed_document;
use super::{Connection, INCOMING_BYTES, broken_receive, no_answer};
use crate::http1::body::BodyState;
use crate::http1::expect::{BodyGate, Heard};
use crate::http1::request::Method;
use crate::http1::response::{HeadFacts, HeadParser, HeadProgress};
use crate::http1::{HttpError, HttpLimits};

/// A body to send: part of a buffer.
pub(crate) struct RequestBody {
    pub(crate) buf: Buf,
    pub(crate) span: Range<usize>,
}

/// The head of a request, as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestHead {
    pub(crate) bytes: usize,
    pub(crate) method: Method,
    /// It has `Expect: 100-continue`.
    pub(crate) expects_continue: bool,
}

/// The end of a request: what was read from the answer's head, and the request's body back.
pub(crate) struct Exchanged<T> {
    pub(crate) result: Result<T, HttpError>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) waited: Waited,
}

/// How long an answer was waited for once all was out, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// It came after this.
    Answered(Duration),
    /// It was given up after this, before the stall limit.
    TooLong(Duration),
    /// All was not sent, or the connection broke or stalled.
    Otherwise,
}

/// Longer than any transfer: the stall limit while something else watches.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A head and a body that are shorter than this together go out as one submission, without TLS. A larger
/// body is sent for itself, from memory that is registered: without a copy where that is possible.
const TOGETHER_BYTES_MAX: usize = 16 << 10;

/// What became of sending a request.
pub(super) struct Sent {
    pub(super) head: Buf,
    pub(super) body: Option<RequestBody>,
    pub(super) error: Option<EngineError>,
    /// The connection was reset because a refusal came before all was sent.
    pub(super) reset: bool,
    /// The answer came instead of `100 Continue`, and the body was not sent.
    pub(super) withheld: bool,
    /// The body was sent after nothing had been heard.
    pub(super) waited_in_vain: bool,
}

impl Sent {
    /// An answer to a request whose body was withheld, or could not be sent to its end, is a refusal,
    /// or it is about nothing: a success would be that of an object without its bytes (DATA-2).
    pub(super) fn check(&self, received: Received) -> Result<Received, HttpError> {
        match (self.withheld || self.error.is_some()) && received.facts.status() < 300 {
            true => Err(HttpError::Unexpected("a success before the body was sent".into())),
            false => Ok(received),
        }
    }
}

/// Where a body waits until the server wants it, or has answered without it.
struct Gate {
    state: Cell<BodyGate>,
    waiting: Cell<Option<Waker>>,
}

impl Gate {
    fn new(head: RequestHead) -> Gate {
        let state = if head.expects_continue { BodyGate::Waiting } else { BodyGate::Open };
        Gate { state: Cell::new(state), waiting: Cell::default() }
    }

    fn hear(&self, heard: Heard) {
        self.state.set(self.state.get().after(heard));
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Waits for what is said of the body; whether something was.
    async fn pass(&self, core: &Core, limit: Duration) -> bool {
        let decided = std::future::poll_fn(|cx| {
            if self.state.get() != BodyGate::Waiting {
                return Poll::Ready(());
            }
            self.waiting.set(Some(cx.waker().clone()));
            Poll::Pending
        });
        let heard = core.timeout(limit, decided).await.is_ok();
        if !heard {
            self.hear(Heard::Silence);
        }
        heard
    }
}

/// A final head, whole, somewhere in the buffer.
pub(super) struct Received {
    pub(super) incoming: Lease,
    pub(super) facts: HeadFacts,
    pub(super) head: Range<usize>,
    pub(super) filled: usize,
    /// What has come of the document of a refusal that came before all was sent.
    pub(super) early: Option<Vec<u8>>,
}

impl Connection {
    /// Sends head and body while the answer is already awaited: the receive is queued together with
    /// the send, and an early refusal is seen while the body is still going out. Once all is out the
    /// answer is waited for as long as `patience` allows, where that is less than the stall limit.
    pub(super) async fn send_and_receive(
        &self,
        outgoing: Lease,
        head: RequestHead,
        body: Option<RequestBody>,
        frames: Option<&mut dyn BodyFrames>,
        incoming: Lease,
        patience: Option<Duration>,
    ) -> (Sent, Result<Received, HttpError>, Waited) {
        let stall = self.limits.stall;
        let early_wait = self.limits.early_answer_wait.min(stall);
        let stream = &self.stream;
        let gate = Gate::new(head);
        let mut send = pin!(self.send_request(outgoing, head.bytes, body, frames, &gate));
        let mut receive = pin!(receive_head(&self.core, stream, incoming, &self.limits, &gate));
        let mut answer = None;
        // The send runs to its end, unless a refusal comes before. A success may well be seen
        // before the last notification of a zero-copy send.
        let sent = std::future::poll_fn(|cx| {
            if let Poll::Ready(sent) = send.as_mut().poll(cx) {
                return Poll::Ready(Some(sent));
            }
            if answer.is_none()
                && let Poll::Ready(received) = receive.as_mut().poll(cx)
            {
                let refused = received.as_ref().map_or(true, |it| it.facts.status() >= 300);
                answer = Some(received);
                gate.hear(Heard::Answer);
                if gate.state.get() == BodyGate::Withheld {
                    // The send ends by itself.
                    return send.as_mut().poll(cx).map(Some);
                }
                if refused {
                    return Poll::Ready(None);
                }
            }
            Poll::Pending
        })
        .await;
        let Some(mut sent) = sent else {
            let mut answer = answer.expect("a refusal has come");
            if let Ok(received) = &mut answer {
                let rest = receive_early(&self.core, stream, received, &self.limits);
                // What is being sent meanwhile does no harm, and its end is awaited below.
                let _ = self.core.timeout(early_wait, rest).await;
            }
            // Ends the send, which gives the body back. A reset also throws away what has come and
            // was not received, hence the document first.
            stream.reset();
            let mut sent = send.await;
            sent.reset = true;
            return (sent, answer, Waited::Otherwise);
        };
        if let Some(answer) = answer {
            let waited = match answer {
                Ok(_) => Waited::Answered(Duration::ZERO),
                Err(_) => Waited::Otherwise,
            };
            return (sent, answer, waited);
        }
        let until_late = patience.unwrap_or(stall).min(stall);
        let mut patience = match sent.error {
            // Nothing more goes out, and the answer to what did is there or on its way.
            Some(_) => Patience::all_out(self.core.now(), early_wait),
            None => Patience::new(self.core.now(), until_late, stall),
        };
        let answer = loop {
            let step = patience.step(self.core.now());
            if let Ok(answer) = self.core.timeout(step, receive.as_mut()).await {
                break Some(answer);
            }
            let left = || stream.unacknowledged_bytes();
            match patience.look(self.core.now(), left) {
                Look::Wait => {}
                Look::GiveUp => break None,
            }
        };
        match (answer, sent.error.take()) {
            (Some(Ok(received)), error) => {
                let waited = match error {
                    None => Waited::Answered(patience.waited(self.core.now())),
                    Some(_) => Waited::Otherwise,
                };
                sent.error = error;
                (sent, Ok(received), waited)
            }
            (_, Some(error)) => {
                (sent, Err(HttpError::Socket { error, stale: false }), Waited::Otherwise)
            }
            (Some(Err(error)), None) => (sent, Err(error), Waited::Otherwise),
            (None, None) => {
                let (limit, waited) = match patience.is_late() && until_late < stall {
                    true => (until_late, Waited::TooLong(until_late)),
                    false => (stall, Waited::Otherwise),
                };
                (sent, Err(self.no_answer_in_time(limit)), waited)
            }
        }
    }

    fn no_answer_in_time(&self, limit: Duration) -> HttpError {
        let object = self.stream.peer().to_string();
        let error = EngineError::Stalled { operation: "answer from", object, limit };
        HttpError::Socket { error, stale: false }
    }

    async fn send_request(
        &self,
        outgoing: Lease,
        head_bytes: usize,
        body: Option<RequestBody>,
        frames: Option<&mut dyn BodyFrames>,
        gate: &Gate,
    ) -> Sent {
        let (stream, stall) = (&self.stream, self.limits.stall);
        let waits = gate.state.get() == BodyGate::Waiting;
        let follows = body.as_ref().is_some_and(|body| !body.span.is_empty());
        let body = match body {
            Some(body) if follows && !waits && frames.is_none() && body.fits(head_bytes) => {
                return self.send_together(outgoing, head_bytes, body).await;
            }
            body => body,
        };
        let (result, head) = stream.send(outgoing, 0..head_bytes, follows && !waits, stall).await;
        let error = result.err();
        let mut sent =
            Sent { head, body, error, reset: false, withheld: false, waited_in_vain: false };
        if waits && sent.error.is_none() {
            sent.waited_in_vain = !gate.pass(&self.core, self.limits.expect_continue_wait).await;
            sent.withheld = gate.state.get() == BodyGate::Withheld;
        }
        if sent.error.is_none()
            && !sent.withheld
            && follows
            && let Some(RequestBody { buf, span }) = sent.body.take()
        {
            let (result, buf) = match frames {
                None => stream.send(buf, span.clone(), false, stall).await,
                Some(frames) => self.send_framed(&mut sent.head, buf, span.clone(), frames).await,
            };
            sent.error = result.err();
            sent.body = Some(RequestBody { buf, span });
        }
        sent
    }

    async fn send_together(&self, outgoing: Lease, head_bytes: usize, body: RequestBody) -> Sent {
        const BOTH_FIT: &str = "a list takes a head and a body, within their buffers";
        let mut list = self.together.take().unwrap_or_default();
        list.push(outgoing, 0..head_bytes).expect(BOTH_FIT);
        list.push(body.buf, body.span).expect(BOTH_FIT);
        let (result, mut list) = self.stream.send_list(list, self.limits.stall).await;
        let body = list.pop().map(|(buf, span)| RequestBody { buf, span });
        let (head, _) = list.pop().expect("a list comes back with what it held");
        self.together.replace(Some(list));
        let error = result.err();
        Sent { head, body, error, reset: false, withheld: false, waited_in_vain: false }
    }
}

impl RequestBody {
    fn fits(&self, head_bytes: usize) -> bool {
        let bytes = head_bytes + self.span.len();
        bytes < TOGETHER_BYTES_MAX && self.span.end <= self.buf.capacity()
    }
}

/// Receives until a final head is whole. Whoever sends watches the time: a body that takes long to
/// send is no stall of the answer.
async fn receive_head(
    core: &Core,
    stream: &Stream,
    mut incoming: Lease,
    limits: &HttpLimits,
    gate: &Gate,
) -> Result<Received, HttpError> {
    let mut parser = HeadParser::new(limits.head);
    let (mut start, mut filled) = (0, 0);
    loop {
        if filled > start {
            match parser.parse(&incoming.as_mut_slice()[start..filled])? {
                HeadProgress::Complete { head, head_len } if head.is_interim() => {
                    gate.hear(Heard::Interim(head.status()));
                    start += head_len;
                    parser.skip_interim()?;
                    continue;
                }
                HeadProgress::Complete { head, head_len } => {
                    let (facts, head) = (head.facts(), start..start + head_len);
                    return Ok(Received { incoming, facts, head, filled, early: None });
                }
                HeadProgress::Partial => {}
            }
        }
        if filled == incoming.capacity() {
            incoming = grown(core, incoming, limits).await?;
        }
        let span = filled..incoming.capacity();
        let (result, back) = stream.recv(incoming, span, RecvMode::Some, NO_LIMIT).await;
        incoming = back.into_lease().map_err(|_| no_answer())?;
        match result {
            Ok(0) => return Err(HttpError::Closed { stale: false }),
            Ok(count) => filled += count,
            Err(failed) => return Err(broken_receive(failed)),
        }
    }
}

/// Receives the document behind a refusal while the request's body is still going out. What has come
/// is kept also where this is given up.
async fn receive_early(
    core: &Core,
    stream: &Stream,
    received: &mut Received,
    limits: &HttpLimits,
) -> Result<(), HttpError> {
    let document = received.early.insert(Vec::new());
    let head = received.facts.over(&received.incoming.as_mut_slice()[received.head.clone()]);
    // Only a request that has a body is refused early, so it was no HEAD.
    let mut body = BodyState::new(head.body_framing(Method::Put), false, limits.chunk);
    let with_head = received.head.end..received.filled;
    feed_document(&mut body, &received.incoming.as_mut_slice()[with_head], document)?;
    let mut lease =
        core.head_lease(INCOMING_BYTES, "early answer").await.map_err(HttpError::Memory)?;
    while !body.is_done() && document.len() <= limits.document_bytes_max {
        let span = 0..INCOMING_BYTES;
        let (result, back) = stream.recv(lease, span, RecvMode::Some, limits.stall).await;
        lease = back.into_lease().map_err(|_| no_answer())?;
        match result.map_err(broken_receive)? {
            0 => return Ok(body.on_close()?),
            count => feed_document(&mut body, &lease.as_mut_slice()[..count], document)?,
        }
    }
    Ok(())
}

/// A head that outgrows the small buffer moves to one of the size that a head may have.
async fn grown(core: &Core, mut small: Lease, limits: &HttpLimits) -> Result<Lease, HttpError> {
    let bytes = limits.head.head_bytes_max + INCOMING_BYTES;
    if small.capacity() >= bytes {
        return Err(HttpError::Unexpected("heads without end".into()));
    }
    let mut large = core.head_lease(bytes, "answer head").await.map_err(HttpError::Memory)?;
    let used = small.capacity();
    large.as_mut_slice()[..used].copy_from_slice(small.as_mut_slice());
    Ok(large)
}

pub(super) fn mark_stale(error: HttpError, served_before: bool) -> HttpError {
    match error {
        HttpError::Closed { .. } => HttpError::Closed { stale: served_before },
        HttpError::Socket { error: EngineError::Os(error), .. }
            if served_before && is_reset(error.errno) =>
        {
            HttpError::Socket { error: EngineError::Os(error), stale: true }
        }
        // A server that closes what is idle seldom says so first.
        HttpError::Socket { error: EngineError::Tls(error), .. }
            if served_before && error.problem == TlsProblem::CutOff =>
        {
            HttpError::Socket { error: EngineError::Tls(error), stale: true }
        }
        other => other,
    }
}

/// ECONNRESET and EPIPE, as the numbers that Linux gives them on every architecture it runs on.
fn is_reset(errno: i32) -> bool {
    matches!(errno, libc::ECONNRESET | libc::EPIPE)
}
