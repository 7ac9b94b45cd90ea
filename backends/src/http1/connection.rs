//! One connection: a request out, the answer's head in, the body straight to its place.
//!
//! Ownership: the connection holds two small leases for heads for its whole life. The body of a
//! request is lent to [`Connection::exchange`] and always comes back, because a retry needs it. The
//! destination of an answer is lent to [`Connection::receive_into`] and comes back too.

use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use hydrant_engine::{
    Buf, CopyReason, Core, Error as EngineError, Lease, RecvError, RecvMode, Stream, TlsProblem,
};

use super::body::{BodyEvent, BodyState};
use super::request::Method;
use super::response::{BodyFraming, HeadParser, HeadProgress, ResponseHead};
use super::{HttpError, HttpLimits};

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
    /// Bytes of the body that came together with the head.
    residue: Range<usize>,
    body: Option<BodyState>,
    /// The document of a refusal, received while the request was still going out.
    early: Option<Vec<u8>>,
    requests: u32,
    /// A request did not go out whole: the peer waits for the rest.
    broken: bool,
    idle_since: Instant,
}

/// A body to send: part of a buffer.
pub(crate) struct RequestBody {
    pub(crate) buf: Buf,
    pub(crate) span: Range<usize>,
}

/// The end of a request: what was read from the answer's head, and the request's body back.
pub(crate) struct Exchanged<T> {
    pub(crate) result: Result<T, HttpError>,
    pub(crate) body: Option<RequestBody>,
}

/// Bytes of the buffer for answers. A head of S3 has some 500 bytes; what comes behind it is moved
/// to its place, so this bounds the copy of a part to 0.05 % of 8 MiB.
const INCOMING_BYTES: usize = 4 << 10;

/// How long an early answer is waited for once sending has failed: a server that refuses a body
/// answers and closes.
const EARLY_ANSWER_WAIT: Duration = Duration::from_millis(500);

/// Longer than any transfer: the stall limit while something else watches.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Memory for the heads of a connection.
pub(crate) struct Heads {
    outgoing: Lease,
    incoming: Lease,
}

impl Heads {
    /// Waits in the line for small buffers; called before there is a connection (POOL-1).
    pub(crate) async fn take(core: &Core, limits: &HttpLimits) -> Result<Heads, HttpError> {
        let bytes = limits.request_head_bytes_max;
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
            residue: 0..0,
            body: None,
            early: None,
            requests: 0,
            broken: false,
            idle_since: core.now(),
        }
    }

    /// Sends a request and receives the head of its answer.
    ///
    /// `write` writes the head into the given memory and tells its length and method. `read` takes
    /// what the caller wants to know out of the final head; interim heads are skipped.
    pub(crate) async fn exchange<T>(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<(usize, Method), HttpError>,
        body: Option<RequestBody>,
        read: impl FnOnce(&ResponseHead<'_>, BodyFraming) -> T,
    ) -> Exchanged<T> {
        let mut outgoing = self.outgoing.take().expect("a connection serves one request at a time");
        let (head_bytes, method) = match write(outgoing.as_mut_slice()) {
            Ok(written) => written,
            Err(error) => {
                self.outgoing = Some(outgoing);
                return Exchanged { result: Err(error), body };
            }
        };
        let served_before = self.requests > 0;
        self.requests += 1;
        self.body = None;
        self.early = None;
        let incoming = self.incoming.take().expect("a connection serves one request at a time");
        let (sent, received) = self.send_and_receive(outgoing, head_bytes, body, incoming).await;
        self.outgoing = sent.head.into_lease().ok();
        self.broken |= sent.error.is_some() || sent.reset;
        let result = received
            .and_then(|received| self.read_head(method, received, read))
            .map_err(|error| mark_stale(error, served_before));
        Exchanged { result, body: sent.body }
    }

    /// Receives the rest of the body into `span` of `buf`, straight but for what came with the
    /// head. Tells how many bytes are in place, also when the body broke off.
    pub(crate) async fn receive_into(
        &mut self,
        mut buf: Buf,
        span: Range<usize>,
    ) -> (Result<(), HttpError>, usize, Buf) {
        let limit_bytes = span.len() as u64;
        let mut at = span.start;
        let placed = self.place_residue(&mut buf, &span, limit_bytes);
        let result = match placed {
            Ok(placed) => {
                at += placed;
                self.receive_rest(&mut buf, &mut at, span.end, limit_bytes).await
            }
            Err(error) => Err(error),
        };
        (result, at - span.start, buf)
    }

    async fn receive_rest(
        &mut self,
        buf: &mut Buf,
        at: &mut usize,
        end: usize,
        limit_bytes: u64,
    ) -> Result<(), HttpError> {
        loop {
            let body = self.body.as_ref().ok_or_else(no_answer)?;
            if body.is_done() {
                return Ok(());
            }
            let (direct, room) = (body.direct_bytes(), end - *at);
            if direct == 0 {
                // Chunk framing: a few bytes through the head buffer, then straight again.
                *at += self.feed_framing(buf, *at, room, limit_bytes).await?;
            } else if room == 0 && direct == u64::MAX {
                return self.expect_close(limit_bytes).await;
            } else if room == 0 {
                return Err(HttpError::BodyTooLong { limit_bytes });
            } else {
                let want = room.min(usize::try_from(direct).unwrap_or(usize::MAX));
                self.receive_straight(buf, at, want).await?;
            }
        }
    }

    async fn receive_straight(
        &mut self,
        buf: &mut Buf,
        at: &mut usize,
        want: usize,
    ) -> Result<(), HttpError> {
        let lent = std::mem::replace(buf, bytes::Bytes::new().into());
        let (span, stall) = (*at..*at + want, self.limits.stall);
        let (result, back) = self.stream.recv(lent, span, RecvMode::Fill, stall).await;
        *buf = back;
        // What came before the end is in place: the next try carries on behind it.
        *at += result.as_ref().map_or_else(|failed| failed.received, |count| *count);
        let count = result.map_err(broken_receive)?;
        self.body.as_mut().ok_or_else(no_answer)?.advance(count as u64)?;
        if count < want { self.ended().await } else { Ok(()) }
    }

    /// Receives the rest of the body as a document: a listing, an error. Not for payload.
    pub(crate) async fn receive_document(&mut self) -> Result<Vec<u8>, HttpError> {
        if let Some(document) = self.early.take() {
            return Ok(document);
        }
        let limit_bytes = self.limits.document_bytes_max as u64;
        let mut document = Vec::new();
        loop {
            let pending = std::mem::replace(&mut self.residue, 0..0);
            let incoming = self.incoming.as_mut().ok_or_else(no_answer)?;
            let body = self.body.as_mut().ok_or_else(no_answer)?;
            feed_document(body, &incoming.as_mut_slice()[pending], &mut document)?;
            if document.len() as u64 > limit_bytes {
                return Err(HttpError::BodyTooLong { limit_bytes });
            }
            if body.is_done() {
                return Ok(document);
            }
            if self.receive_some().await? == 0 {
                let body = self.body.as_mut().ok_or_else(no_answer)?;
                body.on_close()?;
                return Ok(document);
            }
        }
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

    /// Marks the start of an idle time.
    pub(crate) fn rest(&mut self) {
        self.idle_since = self.core.now();
    }

    /// Whether it has been idle for so long that the server may be about to close it.
    pub(crate) fn is_too_old(&self) -> bool {
        self.core.now().saturating_duration_since(self.idle_since) >= self.limits.idle
    }

    /// Sends head and body while the answer is already awaited: the receive is queued together with
    /// the send, and an early refusal is seen while the body is still going out.
    async fn send_and_receive(
        &mut self,
        outgoing: Lease,
        head_bytes: usize,
        body: Option<RequestBody>,
        incoming: Lease,
    ) -> (Sent, Result<Received, HttpError>) {
        let stall = self.limits.stall;
        let stream = &self.stream;
        let mut send = pin!(send_request(stream, outgoing, head_bytes, body, stall));
        let mut receive = pin!(receive_head(&self.core, stream, incoming, &self.limits));
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
                let refused = received.as_ref().map_or(true, |received| received.status >= 300);
                answer = Some(received);
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
                let _ = self.core.timeout(EARLY_ANSWER_WAIT.min(stall), rest).await;
            }
            // Ends the send, which gives the body back. A reset also throws away what has come and
            // was not received, hence the document first.
            stream.reset();
            let mut sent = send.await;
            sent.reset = true;
            return (sent, answer);
        };
        if let Some(answer) = answer {
            return (sent, answer);
        }
        let wait = if sent.error.is_some() { EARLY_ANSWER_WAIT.min(stall) } else { stall };
        let answer = match (self.core.timeout(wait, receive).await, sent.error.take()) {
            (Ok(Ok(received)), error) => {
                sent.error = error;
                Ok(received)
            }
            (Ok(Err(_)) | Err(_), Some(error)) => Err(HttpError::Socket { error, stale: false }),
            (Ok(Err(error)), None) => Err(error),
            (Err(_), None) => Err(self.no_answer_in_time(stall)),
        };
        (sent, answer)
    }

    fn no_answer_in_time(&self, limit: Duration) -> HttpError {
        let object = self.stream.peer().to_string();
        let error = EngineError::Stalled { operation: "answer from", object, limit };
        HttpError::Socket { error, stale: false }
    }

    fn read_head<T>(
        &mut self,
        method: Method,
        received: Received,
        read: impl FnOnce(&ResponseHead<'_>, BodyFraming) -> T,
    ) -> Result<T, HttpError> {
        let Received { mut incoming, head, filled, early, .. } = received;
        self.early = early;
        let parsed = super::response::parse_head(
            &incoming.as_mut_slice()[head.start..filled],
            &self.limits.head,
        )?;
        let HeadProgress::Complete { head: answer, head_len } = parsed else {
            return Err(no_answer());
        };
        let framing = answer.body_framing(method);
        self.body = Some(BodyState::new(framing, answer.keep_alive(), self.limits.chunk));
        let value = read(&answer, framing);
        self.residue = head.start + head_len..filled;
        self.incoming = Some(incoming);
        Ok(value)
    }

    /// Moves body bytes that came with the head to their place: the only copy of a part (DATA-1).
    fn place_residue(
        &mut self,
        buf: &mut Buf,
        span: &Range<usize>,
        limit_bytes: u64,
    ) -> Result<usize, HttpError> {
        let pending = std::mem::replace(&mut self.residue, 0..0);
        let incoming = self.incoming.as_mut().ok_or_else(no_answer)?;
        let body = self.body.as_mut().ok_or_else(no_answer)?;
        let mut input = &incoming.as_mut_slice()[pending];
        let mut placed = 0;
        while !input.is_empty() {
            match body.feed(input)? {
                BodyEvent::Data(data) => {
                    let data_end = data.end;
                    let from = &input[data];
                    let to = span.start + placed;
                    if from.len() > span.end - to {
                        return Err(HttpError::BodyTooLong { limit_bytes });
                    }
                    let memory = buf.as_mut_slice().ok_or_else(not_writable)?;
                    let to = &mut memory[to..to + from.len()];
                    self.core.metrics().copy_payload(CopyReason::Residue, from, to);
                    placed += from.len();
                    input = &input[data_end..];
                }
                BodyEvent::NeedMore => break,
                BodyEvent::End { .. } => break,
            }
        }
        Ok(placed)
    }

    /// Receives some framing bytes, and places what payload comes with them.
    async fn feed_framing(
        &mut self,
        buf: &mut Buf,
        at: usize,
        room: usize,
        limit_bytes: u64,
    ) -> Result<usize, HttpError> {
        if self.receive_some().await? == 0 {
            self.body.as_mut().ok_or_else(no_answer)?.on_close()?;
            return Ok(0);
        }
        self.place_residue(buf, &(at..at + room), limit_bytes)
    }

    /// A body that ends with the connection has filled its place: nothing more may come.
    async fn expect_close(&mut self, limit_bytes: u64) -> Result<(), HttpError> {
        match self.receive_some().await? {
            0 => Ok(self.body.as_mut().ok_or_else(no_answer)?.on_close()?),
            _ => Err(HttpError::BodyTooLong { limit_bytes }),
        }
    }

    /// The peer sends no more. Where that is the body's end, the stream must have ended in order.
    async fn ended(&mut self) -> Result<(), HttpError> {
        let body = self.body.as_ref().ok_or_else(no_answer)?;
        if body.is_done() {
            return Ok(());
        }
        if body.direct_bytes() == u64::MAX && self.receive_some().await? > 0 {
            return Err(HttpError::Unexpected("bytes behind the end of the connection".into()));
        }
        Ok(self.body.as_mut().ok_or_else(no_answer)?.on_close()?)
    }

    /// Receives whatever is there into the head buffer, as new residue; 0 when the peer closed.
    async fn receive_some(&mut self) -> Result<usize, HttpError> {
        let incoming = self.incoming.take().ok_or_else(no_answer)?;
        let span = 0..incoming.capacity();
        let stall = self.limits.stall;
        let (result, back) = self.stream.recv(incoming, span, RecvMode::Some, stall).await;
        self.incoming = back.into_lease().ok();
        let count = result.map_err(broken_receive)?;
        self.residue = 0..count;
        Ok(count)
    }
}

/// What became of sending a request.
struct Sent {
    head: Buf,
    body: Option<RequestBody>,
    error: Option<EngineError>,
    /// The connection was reset because a refusal came before all was sent.
    reset: bool,
}

/// A final head, whole, somewhere in the buffer.
struct Received {
    incoming: Lease,
    status: u16,
    head: Range<usize>,
    filled: usize,
    /// What has come of the document of a refusal that came before all was sent.
    early: Option<Vec<u8>>,
}

async fn send_request(
    stream: &Stream,
    outgoing: Lease,
    head_bytes: usize,
    body: Option<RequestBody>,
    stall: Duration,
) -> Sent {
    let more = body.as_ref().is_some_and(|body| !body.span.is_empty());
    let (result, head) = stream.send(outgoing, 0..head_bytes, more, stall).await;
    let mut sent = Sent { head, body, error: result.err(), reset: false };
    if sent.error.is_none()
        && more
        && let Some(RequestBody { buf, span }) = sent.body.take()
    {
        let (result, buf) = stream.send(buf, span.clone(), false, stall).await;
        sent.error = result.err();
        sent.body = Some(RequestBody { buf, span });
    }
    sent
}

/// Receives until a final head is whole. Whoever sends watches the time: a body that takes long to
/// send is no stall of the answer.
async fn receive_head(
    core: &Core,
    stream: &Stream,
    mut incoming: Lease,
    limits: &HttpLimits,
) -> Result<Received, HttpError> {
    let mut parser = HeadParser::new(limits.head);
    let (mut start, mut filled) = (0, 0);
    loop {
        if filled > start {
            match parser.parse(&incoming.as_mut_slice()[start..filled])? {
                HeadProgress::Complete { head, head_len } if head.is_interim() => {
                    start += head_len;
                    parser.skip_interim()?;
                    continue;
                }
                HeadProgress::Complete { head, head_len } => {
                    let status = head.status();
                    let head = start..start + head_len;
                    return Ok(Received { incoming, status, head, filled, early: None });
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
    let head = &received.incoming.as_mut_slice()[received.head.clone()];
    let parsed = super::response::parse_head(head, &limits.head)?;
    let HeadProgress::Complete { head, .. } = parsed else { return Err(no_answer()) };
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

/// Appends what of `input` belongs to the body.
fn feed_document(
    body: &mut BodyState,
    mut input: &[u8],
    document: &mut Vec<u8>,
) -> Result<(), HttpError> {
    while !input.is_empty() {
        match body.feed(input)? {
            BodyEvent::Data(data) => {
                document.extend_from_slice(&input[data.clone()]);
                input = &input[data.end..];
            }
            BodyEvent::NeedMore | BodyEvent::End { .. } => break,
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

fn broken_receive(failed: RecvError) -> HttpError {
    HttpError::Socket { error: failed.error, stale: false }
}

fn mark_stale(error: HttpError, served_before: bool) -> HttpError {
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

fn no_answer() -> HttpError {
    HttpError::Unexpected("there is no answer to read from".into())
}

fn not_writable() -> HttpError {
    HttpError::Unexpected("the destination cannot be written to".into())
}
