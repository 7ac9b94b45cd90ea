//! A TLS stream: the records of a session over TCP.
//!
//! A large receive lets the records arrive in the very memory that is to be filled, some 16 KiB
//! behind the plaintext, so that they are decrypted where they lie and moved a little forward. What
//! is smaller, and the last record, goes through the small buffer of the connection.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;

use super::incoming::{Incoming, PLAIN_BYTES_MAX};
use super::reasons::{problem_of, server_name};
use super::session::{Session, State};
use super::{TlsConfig, TlsError, TlsLimits, TlsProblem, TlsServerConfig};
use crate::cores::Core;
use crate::error::{Error, OsError, RecvError, Result};
use crate::file::BufResult;
use crate::metrics::CopyReason;
use crate::net::{RecvMode, TcpStream, ZeroCopyChoice};
use crate::op::SendList;
use crate::pool::{Buf, Lease, TicketRequest};

/// TLS over a TCP connection of one core.
///
/// Receiving and sending may run at the same time, but only one of each. Dropping the stream ends
/// the connection without a word; [`TlsStream::close`] says it first. A receive or a send that is
/// dropped before it ends takes the connection's buffer with it: the stream is of no more use.
pub struct TlsStream {
    core: Core,
    tcp: TcpStream,
    session: RefCell<Session>,
    /// Absent only while a receive owns it.
    incoming: RefCell<Option<Incoming>>,
    /// Absent only while a send owns it.
    outgoing: RefCell<Option<Lease>>,
    /// Whom errors name.
    peer: Box<str>,
}

/// The buffers of one connection, from the share for heads. They are waited for before there is a
/// connection (POOL-1).
#[derive(Debug)]
pub struct TlsMemory {
    incoming: Lease,
    outgoing: Lease,
}

/// Records that arrive in the memory to be filled lie so far behind the plaintext that none ever
/// overlaps its own.
const GAP_BYTES: usize = PLAIN_BYTES_MAX;

/// A receive of at least so much lets records arrive in place.
const IN_PLACE_BYTES_MIN: usize = GAP_BYTES + (64 << 10);

/// What is received before it is decrypted: small enough to be in the cache still, and twice what a
/// receive sleeps for.
const PIECE_BYTES: usize = 256 << 10;

/// What a record adds at most (RFC 8446, section 5.2, allows 256; no cipher here needs more than 29),
/// and what the answers that wait may take.
const RECORD_OVERHEAD_BYTES: usize = 64;
const ANSWERS_BYTES: usize = 1024;

impl TlsMemory {
    /// Waits in the line for small buffers.
    ///
    /// # Errors
    /// [`Error::Pool`] when they cannot fit or the wait is over.
    pub async fn take(core: &Core, limits: &TlsLimits) -> Result<TlsMemory> {
        // Both at once: nobody waits for memory while holding some (POOL-1).
        let bytes_each = limits.receive_bytes.max(limits.send_bytes);
        let mut ticket =
            core.head_ticket(TicketRequest { bytes_each, count: 2, label: "TLS" }).await?;
        let mut take = || ticket.take().expect("a ticket of two grants two");
        Ok(TlsMemory { incoming: take(), outgoing: take() })
    }
}

impl TlsStream {
    /// Speaks TLS over `tcp` as a client that wants `host`: its name goes into SNI, and the
    /// certificate must be for it.
    ///
    /// # Errors
    /// [`Error::Tls`] says what is wrong with the peer; [`Error::Stalled`] when the handshake took
    /// longer than its limit; what receiving and sending say.
    pub async fn connect(
        core: &Core,
        tcp: TcpStream,
        host: &str,
        config: &TlsConfig,
        memory: TlsMemory,
    ) -> Result<TlsStream> {
        let peer = format!("{host} ({})", tcp.peer());
        let name = server_name(host).ok_or_else(|| {
            let text = format!("{host:?} is no name that a certificate could be for");
            Error::InvalidInput(text)
        })?;
        let connection = UnbufferedClientConnection::new(config.client.clone(), name);
        let connection = connection.map_err(|error| failed(&peer, problem_of(error)))?;
        let session = Session::client(connection);
        TlsStream::new(core, tcp, session, memory, peer).open(config.limits.handshake).await
    }

    /// Speaks TLS over an accepted connection.
    ///
    /// # Errors
    /// As [`TlsStream::connect`].
    pub async fn accept(
        core: &Core,
        tcp: TcpStream,
        config: &TlsServerConfig,
        memory: TlsMemory,
    ) -> Result<TlsStream> {
        let peer = tcp.peer().to_string();
        let connection = UnbufferedServerConnection::new(config.server.clone());
        let connection = connection.map_err(|error| failed(&peer, problem_of(error)))?;
        let session = Session::server(connection);
        TlsStream::new(core, tcp, session, memory, peer).open(config.limits.handshake).await
    }

    fn new(
        core: &Core,
        tcp: TcpStream,
        session: Session,
        memory: TlsMemory,
        peer: String,
    ) -> TlsStream {
        // The buffer for what goes out is filled anew at once: it cannot wait for a notification.
        tcp.set_zero_copy(ZeroCopyChoice::Off);
        TlsStream {
            core: core.clone(),
            tcp,
            session: RefCell::new(session),
            incoming: RefCell::new(Some(Incoming::new(memory.incoming))),
            outgoing: RefCell::new(Some(memory.outgoing)),
            peer: peer.into(),
        }
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.tcp.peer()
    }

    /// As [`TcpStream::unacknowledged_bytes`].
    pub(crate) fn unacknowledged_bytes(&self) -> Option<u64> {
        self.tcp.unacknowledged_bytes()
    }

    /// As [`TcpStream::unread_bytes`], with what was received and not decrypted or not taken yet.
    pub(crate) fn unread_bytes(&self) -> Option<u64> {
        let held = self.incoming.borrow().as_ref().map_or(0, Incoming::held_bytes);
        Some(self.tcp.unread_bytes()? + held as u64)
    }

    /// Whether the handshake went the short way, by a session of an earlier connection.
    pub fn is_resumed(&self) -> bool {
        self.session.borrow().is_resumed()
    }

    /// The protocol that both ends agreed on (ALPN, RFC 7301).
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.session.borrow().common().alpn_protocol().map(<[u8]>::to_vec)
    }

    /// Version and cipher, for people.
    pub fn describe(&self) -> String {
        let session = self.session.borrow();
        let common = session.common();
        let cipher = common.negotiated_cipher_suite().map(|suite| suite.suite());
        format!("{:?} {:?}", common.protocol_version(), cipher)
    }

    /// Resets the connection at once; see [`TcpStream::reset`].
    pub fn reset(&self) {
        self.tcp.reset();
    }

    /// Receives into `span` of `buf`, as [`TcpStream::recv`] does. A count of 0 means that the peer has
    /// *said* that nothing more comes. One below the span's length with [`RecvMode::Fill`] means that
    /// the stream has ended: the next receive tells whether by that word or by a cut.
    ///
    /// # Errors
    /// [`Error::Tls`], also where the connection ended without that word
    /// ([`TlsProblem::CutOff`]); those of [`TcpStream::recv`].
    pub async fn recv(
        &self,
        buf: impl Into<Buf>,
        span: Range<usize>,
        mode: RecvMode,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        let buf = buf.into();
        if span.is_empty() {
            return (Ok(0), buf);
        }
        let Some(mut incoming) = self.incoming.take() else {
            return (Err(RecvError { received: 0, error: Error::Cancelled }), buf);
        };
        let outcome = self.receive(&mut incoming, buf, span, mode, stall).await;
        self.incoming.replace(Some(incoming));
        outcome
    }

    async fn receive(
        &self,
        incoming: &mut Incoming,
        mut buf: Buf,
        span: Range<usize>,
        mode: RecvMode,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        let mut done = 0;
        loop {
            match self.drain(incoming, &mut buf, span.start + done..span.end) {
                Ok(placed) => done += placed,
                Err(error) => return (Err(RecvError { received: done, error }), buf),
            }
            let missing = span.len() - done;
            let enough = missing == 0 || (done > 0 && mode == RecvMode::Some);
            if enough || self.session.borrow().is_peer_closed() {
                return (Ok(done), buf);
            }
            // Records that wait must leave room in place for more.
            let in_place =
                missing >= IN_PLACE_BYTES_MIN && incoming.records_bytes() < missing - GAP_BYTES;
            let received = if mode == RecvMode::Fill && in_place {
                let rest = span.start + done..span.end;
                let (received, back) = self.receive_in_place(incoming, buf, rest, stall).await;
                buf = back;
                received
            } else {
                let received = self.receive_some(incoming, stall).await;
                received.map(|()| 0).map_err(|error| RecvError { received: 0, error })
            };
            match received {
                Ok(placed) => done += placed,
                Err(RecvError { received, error }) => {
                    done += received;
                    // What came before the cut is given first; the next receive tells of it.
                    let given_first = done > 0 && is_cut(&error);
                    let failed = RecvError { received: done, error };
                    return (if given_first { Ok(done) } else { Err(failed) }, buf);
                }
            }
        }
    }

    /// Fills from what has arrived.
    fn drain(&self, incoming: &mut Incoming, buf: &mut Buf, span: Range<usize>) -> Result<usize> {
        let place = buf.as_mut_slice().and_then(|memory| memory.get_mut(span));
        let place = place.ok_or_else(|| OsError::new("recv", &self.peer, libc::EFAULT))?;
        let drained = incoming.drain(&mut self.session.borrow_mut(), self.core.metrics(), place);
        drained.map_err(|problem| self.failed(problem))
    }

    /// Receives what is there into the small buffer.
    async fn receive_some(&self, incoming: &mut Incoming, stall: Duration) -> Result<()> {
        let lent = incoming.lend(self.core.metrics());
        let (lease, room) = lent.map_err(|problem| self.failed(problem))?;
        let (result, back) = self.tcp.recv(lease, room, RecvMode::Some, stall).await;
        let count = result.as_ref().map_or(0, |count| *count);
        incoming.received(back.into_lease().ok(), count);
        if result? == 0 {
            return Err(self.failed(TlsProblem::CutOff));
        }
        Ok(())
    }

    /// Lets records arrive in `span` itself for as long as more is sure to come, and leaves what is
    /// not whole in the small buffer. Tells how much plaintext is in place.
    async fn receive_in_place(
        &self,
        incoming: &mut Incoming,
        mut buf: Buf,
        span: Range<usize>,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        let metrics = self.core.metrics();
        let Some(memory) = buf.as_mut_slice() else { return (Ok(0), buf) };
        let mut plain_end = span.start;
        let first = span.start + GAP_BYTES;
        let mut records = first..first;
        records.end += incoming.move_records_to(metrics, &mut memory[first..span.end]);
        let (mut closed, mut broken) = (false, None);
        while !closed && records.end < span.end {
            let piece = records.end..span.end.min(records.end + PIECE_BYTES);
            // A record carries less than its own length: what is missing in plaintext arrives at
            // least, of which the records at hand are a part.
            let following = (span.end - plain_end) - records.len() - piece.len();
            let wanted = piece.len();
            let received = self.tcp.recv_before(buf, piece, RecvMode::Fill, following, stall).await;
            buf = received.1;
            let count = match received.0 {
                Ok(0) if plain_end == span.start => {
                    let error = self.failed(TlsProblem::CutOff);
                    return (Err(RecvError { received: 0, error }), buf);
                }
                Ok(count) => count,
                // What came before it is good: it is decrypted, and the rest kept.
                Err(failed) => {
                    broken = Some(failed.error);
                    failed.received
                }
            };
            records.end += count;
            closed = count < wanted;
            let Some(memory) = buf.as_mut_slice() else { return (Ok(0), buf) };
            match self.decrypt_in_place(memory, &mut plain_end, &mut records) {
                Ok(()) => closed |= self.session.borrow().is_peer_closed(),
                Err(error) => {
                    let received = plain_end - span.start;
                    return (Err(RecvError { received, error }), buf);
                }
            }
        }
        let received = plain_end - span.start;
        // What follows close_notify is ignored (RFC 8446, section 6.1).
        if !self.session.borrow().is_peer_closed() {
            let rest = &buf.as_mut_slice().unwrap_or_default()[records];
            if let Err(problem) = incoming.keep_records(metrics, rest) {
                return (Err(RecvError { received, error: self.failed(problem) }), buf);
            }
        }
        let result = broken.map_or(Ok(received), |error| Err(RecvError { received, error }));
        (result, buf)
    }

    /// Decrypts all whole records and moves their plaintext to `plain_end` and on.
    fn decrypt_in_place(
        &self,
        memory: &mut [u8],
        plain_end: &mut usize,
        records: &mut Range<usize>,
    ) -> Result<()> {
        let (mut session, metrics) = (self.session.borrow_mut(), self.core.metrics());
        loop {
            let (before, rest) = memory.split_at_mut(records.start);
            let step = session.step(&mut rest[..records.len()], &mut |plain| {
                let place = &mut before[*plain_end..*plain_end + plain.len()];
                metrics.copy_payload(CopyReason::Tls, plain, place);
                *plain_end += plain.len();
            });
            let step = step.map_err(|error| self.failed(problem_of(error)))?;
            records.start += step.consumed;
            if step.state != State::Progress {
                return Ok(());
            }
        }
    }

    /// Sends all of `span` of `buf`, as [`TcpStream::send`] does, in records of 16 KiB.
    ///
    /// # Errors
    /// [`Error::Tls`]; those of [`TcpStream::send`]. Part of the bytes may have been sent.
    pub async fn send(
        &self,
        buf: impl Into<Buf>,
        span: Range<usize>,
        more: bool,
        stall: Duration,
    ) -> BufResult<usize> {
        let mut buf = buf.into();
        let (mut at, length) = (span.start, span.len());
        while at < span.end {
            let Some(mut out) = self.outgoing.take() else { return (Err(Error::Cancelled), buf) };
            let end = span.end.min(at + plain_bytes_of(out.capacity()));
            let encrypted = self.encrypt(&mut buf, at..end, out.as_mut_slice());
            let sent = match encrypted {
                Ok(count) => {
                    let (sent, back) =
                        self.tcp.send(out, 0..count, more || end < span.end, stall).await;
                    self.outgoing.replace(back.into_lease().ok());
                    sent
                }
                Err(error) => {
                    self.outgoing.replace(Some(out));
                    Err(error)
                }
            };
            if let Err(error) = sent {
                return (Err(error), buf);
            }
            at = end;
        }
        (Ok(length), buf)
    }

    /// Sends all that a list holds, one piece after the other.
    ///
    /// # Errors
    /// As [`TlsStream::send`].
    pub async fn send_list(
        &self,
        mut list: SendList,
        stall: Duration,
    ) -> (Result<usize>, SendList) {
        let mut sent = 0;
        for at in 0..list.len() {
            let (buf, span) = list.take(at);
            let more = at + 1 < list.len();
            let (result, buf) = self.send(buf, span.clone(), more, stall).await;
            list.put(at, buf, span);
            match result {
                Ok(count) => sent += count,
                Err(error) => return (Err(error), list),
            }
        }
        (Ok(sent), list)
    }

    fn encrypt(&self, buf: &mut Buf, span: Range<usize>, out: &mut [u8]) -> Result<usize> {
        let all = if buf.is_writable() {
            buf.as_mut_slice().map(|memory| &*memory)
        } else {
            Some(buf.as_slice())
        };
        let plain = all.and_then(|memory| memory.get(span));
        let plain = plain.ok_or_else(|| OsError::new("send", &self.peer, libc::EFAULT))?;
        let encrypted = self.session.borrow_mut().encrypt(plain, out);
        encrypted.map_err(|error| self.failed(problem_of(error)))
    }

    /// Tells the peer that nothing more comes (close_notify). Receiving goes on; nothing may be sent
    /// any more.
    ///
    /// # Errors
    /// As [`TlsStream::send`].
    pub async fn close(&self, stall: Duration) -> Result<()> {
        let mut out = self.outgoing.take().ok_or(Error::Cancelled)?;
        let closed = self.session.borrow_mut().close(out.as_mut_slice());
        let count = match closed {
            Ok(count) => count,
            Err(error) => {
                self.outgoing.replace(Some(out));
                return Err(self.failed(problem_of(error)));
            }
        };
        let (sent, back) = self.tcp.send(out, 0..count, false, stall).await;
        self.outgoing.replace(back.into_lease().ok());
        sent.map(drop)
    }

    /// The handshake, within its limit.
    async fn open(mut self, limit: Duration) -> Result<TlsStream> {
        let core = self.core.clone();
        match core.timeout(limit, self.handshake(limit)).await {
            Ok(done) => done.map(|()| self),
            Err(_) => {
                let object = self.peer.to_string();
                Err(Error::Stalled { operation: "TLS handshake with", object, limit })
            }
        }
    }

    async fn handshake(&mut self, limit: Duration) -> Result<()> {
        let mut incoming = self.incoming.take().ok_or(Error::Cancelled)?;
        loop {
            let metrics = self.core.metrics();
            let step = incoming.step(self.session.get_mut(), metrics, &mut []);
            let open = !self.session.get_mut().is_handshaking();
            let done = match &step {
                Ok((_, State::Progress)) => open && incoming.has_plain(),
                Ok((_, state)) => open && *state == State::NeedsMore,
                Err(_) => false,
            };
            if done || !matches!(step, Ok((_, State::Progress))) {
                let told = self.send_control(limit).await;
                // What is wrong matters more than whether the peer could be told.
                if step.is_ok() {
                    told?;
                }
            }
            if done {
                break;
            }
            match step.map_err(|problem| self.failed(problem))?.1 {
                State::Progress => {}
                State::NeedsMore => self.receive_handshake(&mut incoming, limit).await?,
                State::PeerClosed => return Err(self.failed(TlsProblem::ClosedInHandshake)),
            }
        }
        self.incoming.replace(Some(incoming));
        Ok(())
    }

    async fn receive_handshake(&self, incoming: &mut Incoming, limit: Duration) -> Result<()> {
        match self.receive_some(incoming, limit).await {
            Err(error) if is_cut(&error) => Err(self.failed(TlsProblem::ClosedInHandshake)),
            other => other,
        }
    }

    async fn send_control(&mut self, limit: Duration) -> Result<()> {
        let control = Bytes::from(self.session.get_mut().take_control());
        if control.is_empty() {
            return Ok(());
        }
        let span = 0..control.len();
        self.tcp.send(control, span, false, limit).await.0.map(drop)
    }

    fn failed(&self, problem: TlsProblem) -> Error {
        failed(&self.peer, problem)
    }
}

fn is_cut(error: &Error) -> bool {
    matches!(error, Error::Tls(TlsError { problem: TlsProblem::CutOff, .. }))
}

fn failed(peer: &str, problem: TlsProblem) -> Error {
    Error::Tls(TlsError { peer: peer.to_owned(), problem })
}

/// How much plaintext goes into a buffer for records: whole records where there is room for one.
fn plain_bytes_of(out_bytes: usize) -> usize {
    let records = out_bytes / PLAIN_BYTES_MAX + 1;
    let plain = out_bytes.saturating_sub(ANSWERS_BYTES + records * RECORD_OVERHEAD_BYTES);
    if plain >= PLAIN_BYTES_MAX { plain - plain % PLAIN_BYTES_MAX } else { plain }
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("peer", &self.peer).finish_non_exhaustive()
    }
}
