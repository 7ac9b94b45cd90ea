//! A TCP stream on one core.

use std::cell::Cell;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use crate::cores::Core;
use crate::error::{Error, OsError, RecvError};
use crate::file::BufResult;
use crate::metrics::add;
use crate::op::{Handle, Op, Outcome, SendList};
use crate::pool::Buf;
use crate::ring::{
    LateOpcode, acknowledged_bytes, received_bytes, reset_connection, set_receive_low_water,
    set_tcp_nodelay, stays_here, unacknowledged_bytes, unread_bytes, was_reset,
};
use crate::trace::event;

/// A connected TCP socket of one core.
///
/// Receiving and sending may run at the same time, but only one of each. Dropping the stream closes
/// it; with a zero-copy send in flight it is reset instead, because a peer that stops reading would
/// hold the memory for ever (NET-1).
#[derive(Debug)]
pub struct TcpStream {
    core: Core,
    handle: Handle,
    peer: SocketAddr,
    choice: Cell<ZeroCopyChoice>,
    zero_copy: Cell<ZeroCopy>,
    zero_copy_bytes_min: usize,
    zero_copy_in_flight: Cell<u32>,
    low_water_bytes: Cell<usize>,
}

/// When a receive ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvMode {
    /// With whatever is there.
    Some,
    /// When the span is full, or the peer has closed (`MSG_WAITALL`).
    Fill,
}

/// Whether sends go without a copy; see [`TcpStream::set_zero_copy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZeroCopyChoice {
    /// From [`OpLimits::zero_copy_bytes_min`](crate::OpLimits) on, until the kernel has said once that it copied after all.
    /// To a peer on this machine never: loopback copies.
    #[default]
    Auto,
    /// Always, however small, and even where the kernel says that it copies after all. Where it
    /// refuses them, sends are with a copy (FALL-1).
    On,
    /// Never.
    Off,
}

/// What is known about zero-copy sends on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ZeroCopy {
    /// Not tried yet, or worked.
    Worthwhile,
    /// The kernel copied after all, or will, as it always does on loopback. To try costs more there than a copy:
    /// the receiver prunes its queue, and what it drops is sent again after 200 ms (`docs/performance.md`).
    Pointless,
    /// The kernel lacks the opcode, or would not carry one out.
    Refused,
}

/// A receive that fills a large span sleeps until so much is there. Waking for every segment cost a
/// quarter more CPU for the same bytes; 64 KiB and 256 KiB gained less (`docs/performance.md`).
const LOW_WATER_BYTES: usize = 128 << 10;

/// From here on the mark is set where the span has a tail, unless it is set already: that costs another receive
/// and two calls, which shorter spans do not earn back: blocks of 1 MiB took half as much CPU again (`docs/performance.md`).
const BULK_BYTES_MIN: usize = 1 << 20;

/// The same where a peer has announced the span: an object of 1 MiB, whose first bytes came with its head, takes a
/// fifth less CPU (`docs/performance.md`).
const ANNOUNCED_BULK_BYTES_MIN: usize = 512 << 10;

impl TcpStream {
    pub(super) fn new(core: &Core, handle: Handle, peer: SocketAddr) -> TcpStream {
        set_tcp_nodelay(&handle);
        let zero_copy = if !core.supports(LateOpcode::SendZeroCopy) {
            ZeroCopy::Refused
        } else if stays_here(&handle, peer) {
            ZeroCopy::Pointless
        } else {
            ZeroCopy::Worthwhile
        };
        TcpStream {
            core: core.clone(),
            handle,
            peer,
            choice: Cell::default(),
            zero_copy: zero_copy.into(),
            zero_copy_bytes_min: core.engine().config().op.zero_copy_bytes_min,
            zero_copy_in_flight: 0.into(),
            low_water_bytes: 1.into(),
        }
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Bytes that were sent and that the peer has not acknowledged: they are on their way, or lie here until
    /// there is room at its end. A send with a copy ends before they are gone. `None` where the kernel does
    /// not tell.
    pub fn unacknowledged_bytes(&self) -> Option<u64> {
        unacknowledged_bytes(&self.handle)
    }

    /// Bytes that have come and that nobody has received. `None` where the kernel does not tell.
    pub fn unread_bytes(&self) -> Option<u64> {
        unread_bytes(&self.handle)
    }

    /// Chooses whether later sends go without a copy. A stream starts with
    /// [`ZeroCopyChoice::Auto`]; the others are for measuring.
    pub fn set_zero_copy(&self, choice: ZeroCopyChoice) {
        self.choice.set(choice);
    }

    /// Resets the connection at once; sends and receives in flight end, and give their buffers back.
    pub fn reset(&self) {
        event!(DEBUG, "{} is reset", self.peer);
        reset_connection(&self.handle);
    }

    /// Receives into `span` of `buf`; 0 means that the peer has closed. With [`RecvMode::Fill`] a
    /// count below the span's length means the same.
    ///
    /// `stall` bounds the time in which no byte moves (TIME-1): a receive that is slow but moving
    /// lives.
    ///
    /// # Errors
    /// The errno of `recv(2)` with the peer, or [`Error::Stalled`], and how many bytes had come.
    pub async fn recv(
        &self,
        buf: impl Into<Buf>,
        span: Range<usize>,
        mode: RecvMode,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        self.receive(buf.into(), span, mode, 0, BULK_BYTES_MIN, stall).await
    }

    /// The same for a span that the peer has announced, where `following` more bytes are sure to arrive behind it:
    /// then all of it may be waited for in large pieces. Where they do not come, it lasts until the watch
    /// over `stall` cuts in.
    pub(super) async fn recv_before(
        &self,
        buf: Buf,
        span: Range<usize>,
        mode: RecvMode,
        following: usize,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        self.receive(buf, span, mode, following, ANNOUNCED_BULK_BYTES_MIN, stall).await
    }

    async fn receive(
        &self,
        mut buf: Buf,
        span: Range<usize>,
        mode: RecvMode,
        following: usize,
        bulk_bytes_min: usize,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        let mut done = 0;
        if span.is_empty() {
            // The kernel would wait for a byte before it answers that it received none.
            return (Ok(0), buf);
        }
        let fill = mode == RecvMode::Fill;
        let mut in_bulk = fill;
        loop {
            // The tail is received apart: less than the mark behind it would wake nobody.
            let tail_bytes = LOW_WATER_BYTES.saturating_sub(following);
            let bulk_bytes = (span.len() - done).saturating_sub(tail_bytes);
            let is_cheap = tail_bytes == 0 || self.low_water_bytes.get() == LOW_WATER_BYTES;
            in_bulk &= bulk_bytes >= if is_cheap { LOW_WATER_BYTES } else { bulk_bytes_min };
            let from = span.start + done;
            let rest = from..if in_bulk { from + bulk_bytes } else { span.end };
            self.set_low_water(if in_bulk { LOW_WATER_BYTES } else { 1 });
            let arrived = if in_bulk { received_bytes(&self.handle) } else { None };
            let op = Op::Recv { socket: self.handle.clone(), buf, span: rest, fill };
            let (outcome, stalled) = self.watched(op, stall, || false).await;
            done += outcome.transferred;
            let moved = outcome.transferred > 0
                || (stalled && in_bulk && received_bytes(&self.handle) != arrived);
            let bulk_done = in_bulk && outcome.transferred == bulk_bytes;
            let error = outcome.error;
            buf = outcome.op.into_buf().expect("a receive has a buffer");
            match (stalled, error) {
                // The watch cut in while bytes were moving: carry on from there. A peer that takes
                // so long for so little gets no patience for large pieces.
                (true, None | Some(libc::ECANCELED)) if moved && done < span.len() && fill => {
                    in_bulk = false;
                }
                (true, Some(libc::ECANCELED)) if !moved => {
                    let error = self.stalled("recv", stall);
                    return (Err(RecvError { received: done, error }), buf);
                }
                (false, None) if bulk_done && done < span.len() => {}
                (_, None) => return (self.unless_reset(done, done < span.len() && fill), buf),
                (_, Some(errno)) => {
                    let error = self.error("recv", errno);
                    return (Err(RecvError { received: done, error }), buf);
                }
            }
        }
    }

    /// What came, unless a reset is to be told in place of the orderly end that it looks like.
    fn unless_reset(&self, received: usize, is_short: bool) -> Result<usize, RecvError> {
        if (received == 0 || is_short) && was_reset(&self.handle) {
            let error = self.error("recv", libc::ECONNRESET);
            return Err(RecvError { received, error });
        }
        Ok(received)
    }

    fn set_low_water(&self, bytes: usize) {
        if self.low_water_bytes.replace(bytes) != bytes {
            set_receive_low_water(&self.handle, bytes as u32);
        }
    }

    /// Sends all of `span` of `buf`; `more` tells the kernel that more follows at once.
    ///
    /// `stall` bounds the time in which the peer acknowledges nothing (TIME-1). The end is told after
    /// one to two times that, and the connection is reset: part of the bytes may have been sent.
    ///
    /// # Errors
    /// The errno of `send(2)` with the peer; [`Error::Stalled`].
    pub async fn send(
        &self,
        buf: impl Into<Buf>,
        span: Range<usize>,
        more: bool,
        stall: Duration,
    ) -> BufResult<usize> {
        let make = |socket, buf, span, zero_copy| match zero_copy {
            true => Op::SendZc { socket, buf, span },
            false => Op::Send { socket, buf, span, more },
        };
        self.send_all(buf.into(), span, stall, make, Op::into_buf).await
    }

    /// Sends all that a list holds, piece by piece in order and as one submission: a head and a body
    /// that lie apart go out together, without a copy from as many bytes on as elsewhere. The kernel
    /// pins their pages for each such send; a large buffer of the pool, which is registered, is better
    /// sent alone.
    ///
    /// # Errors
    /// As [`TcpStream::send`]; how much of the list was sent then is not known.
    pub async fn send_list(
        &self,
        list: SendList,
        stall: Duration,
    ) -> (crate::Result<usize>, SendList) {
        let span = 0..list.bytes();
        let make = |socket, list, span, zero_copy| Op::SendList { socket, list, span, zero_copy };
        self.send_all(list, span, stall, make, Op::into_send_list).await
    }

    /// Sends `span` of what an op is made with and gives back; with a copy where it turns out that it
    /// cannot be without (FALL-1).
    async fn send_all<T>(
        &self,
        mut memory: T,
        span: Range<usize>,
        stall: Duration,
        make: impl Fn(Handle, T, Range<usize>, bool) -> Op,
        give_back: fn(Op) -> Option<T>,
    ) -> (crate::Result<usize>, T) {
        let mut sent = 0;
        loop {
            let rest = span.start + sent..span.end;
            let zero_copy = self.sends_without_copy(rest.len());
            let op = make(self.handle.clone(), memory, rest, zero_copy);
            let (outcome, stalled) = self.send_op(op, zero_copy, stall).await;
            sent += outcome.transferred;
            memory = give_back(outcome.op).expect("a send has its memory");
            if zero_copy && outcome.error.is_some_and(refuses_zero_copy) {
                self.zero_copy.set(ZeroCopy::Refused);
                add(&self.core.counters().fallbacks_copied_send, 1);
                event!(INFO, "{}: zero-copy sends are refused, and copied from here on", self.peer);
                continue;
            }
            let result = match outcome.error {
                _ if stalled && sent < span.len() => Err(self.stalled("send", stall)),
                None => Ok(sent),
                Some(errno) => Err(self.error("send", errno)),
            };
            return (result, memory);
        }
    }

    /// Runs one op that sends, and resets the connection where the peer stalls.
    async fn send_op(&self, op: Op, zero_copy: bool, stall: Duration) -> (Outcome, bool) {
        let guard = zero_copy.then(|| InFlight::new(&self.zero_copy_in_flight));
        let mut acknowledged = None;
        let moves = || {
            let before = acknowledged.replace(acknowledged_bytes(&self.handle));
            let moves = before != acknowledged;
            if !moves {
                // Without it the notification of a zero-copy send would never come (NET-1).
                reset_connection(&self.handle);
            }
            moves
        };
        let (outcome, stalled) = self.watched(op, stall, moves).await;
        if let Some(guard) = guard {
            guard.ended();
        }
        if outcome.copied && self.zero_copy.get() == ZeroCopy::Worthwhile {
            self.zero_copy.set(ZeroCopy::Pointless);
        }
        (outcome, stalled)
    }

    fn sends_without_copy(&self, bytes: usize) -> bool {
        match (self.choice.get(), self.zero_copy.get()) {
            (ZeroCopyChoice::Off, _) | (_, ZeroCopy::Refused) => false,
            (ZeroCopyChoice::On, _) => bytes > 0,
            (ZeroCopyChoice::Auto, state) => {
                state == ZeroCopy::Worthwhile && bytes >= self.zero_copy_bytes_min
            }
        }
    }

    /// Runs an op and asks every `stall` whether the peer `moves`; if it does not, the op is
    /// cancelled and still awaited, because it gives the buffer back with what had moved by then.
    async fn watched(
        &self,
        op: Op,
        stall: Duration,
        mut moves: impl FnMut() -> bool,
    ) -> (Outcome, bool) {
        let mut op = pin!(self.core.watched_op(op, stall));
        let mut stalled = false;
        let outcome = std::future::poll_fn(|cx| {
            let poll = op.as_mut().poll(cx);
            if poll.is_pending() && op.is_overdue() {
                if moves() {
                    op.watch_again();
                } else {
                    stalled = true;
                    op.as_mut().get_mut().cancel();
                }
            }
            poll
        })
        .await;
        (outcome, stalled)
    }

    fn error(&self, operation: &'static str, errno: i32) -> Error {
        match errno {
            libc::ECANCELED => Error::Cancelled,
            _ => OsError::new(operation, self.peer, errno).into(),
        }
    }

    fn stalled(&self, operation: &'static str, limit: Duration) -> Error {
        event!(WARN, "{operation}: {} moved nothing for {limit:?}", self.peer);
        Error::Stalled { operation, object: self.peer.to_string(), limit }
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        if self.zero_copy_in_flight.get() > 0 {
            reset_connection(&self.handle);
        }
    }
}

/// Memory that is not registered is charged to RLIMIT_MEMLOCK for the time of a zero-copy send, and
/// not every device can do it.
fn refuses_zero_copy(errno: i32) -> bool {
    matches!(errno, libc::ENOMEM | libc::ENOBUFS | libc::EOPNOTSUPP)
}

/// Counts a zero-copy send for as long as its future has not seen its end: a future that is dropped
/// leaves the count up, and the stream is reset when it goes.
struct InFlight<'a>(&'a Cell<u32>);

impl<'a> InFlight<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        InFlight(count)
    }

    fn ended(self) {
        self.0.set(self.0.get() - 1);
    }
}
