//! A connection slowed down to a steady rate, so that a test has time to interfere with a transfer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Moves at most [`PIECE_BYTES`] at a time, so that even slow rates flow instead of jumping.
const PIECE_BYTES: usize = 16 << 10;

/// A timer wakes late by up to a millisecond; so much lateness is made up for, which keeps the rate true.
const CATCH_UP: Duration = Duration::from_millis(20);

/// A stream that passes at most `bytes_per_second` each way.
pub(crate) struct Throttled<S> {
    inner: S,
    receive: Pace,
    send: Pace,
    piece: Box<[u8]>,
}

impl<S> Throttled<S> {
    pub(crate) fn new(inner: S, bytes_per_second: u64) -> Self {
        Self {
            inner,
            receive: Pace::new(bytes_per_second),
            send: Pace::new(bytes_per_second),
            piece: vec![0; PIECE_BYTES].into_boxed_slice(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Throttled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.receive.poll_turn(cx));
        let room = out.remaining().min(PIECE_BYTES);
        let mut piece = ReadBuf::new(&mut this.piece[..room]);
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut piece))?;
        out.put_slice(piece.filled());
        this.receive.spent(piece.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Throttled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.send.poll_turn(cx));
        let piece = &data[..data.len().min(PIECE_BYTES)];
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, piece))?;
        self.send.spent(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// When the next piece may pass: the time of the last one plus what its bytes cost.
struct Pace {
    bytes_per_second: u64,
    timer: Pin<Box<Sleep>>,
    next: Instant,
}

impl Pace {
    fn new(bytes_per_second: u64) -> Self {
        let now = Instant::now();
        Self {
            bytes_per_second: bytes_per_second.max(1),
            timer: Box::pin(sleep_until(now)),
            next: now,
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.next <= Instant::now() {
            return Poll::Ready(());
        }
        if self.timer.deadline() != self.next {
            self.timer.as_mut().reset(self.next);
        }
        self.timer.as_mut().poll(cx)
    }

    fn spent(&mut self, bytes: usize) {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let now = Instant::now();
        self.next = self.next.max(now.checked_sub(CATCH_UP).unwrap_or(now)) + cost;
    }
}
