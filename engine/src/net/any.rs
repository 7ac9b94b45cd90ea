//! A stream of bytes, plain or over TLS, so that a protocol above is written once.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

#[cfg(feature = "tls")]
use super::TlsStream;
use super::{RecvMode, TcpStream};
use crate::error::{RecvError, Result};
use crate::file::BufResult;
use crate::op::SendList;
use crate::pool::Buf;

/// A connected stream of one core. Receiving and sending may run at the same time, but only one of
/// each.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// TCP in the clear.
    Tcp(TcpStream),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl Stream {
    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        match self {
            Stream::Tcp(stream) => stream.peer(),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.peer(),
        }
    }

    /// As [`TcpStream::unacknowledged_bytes`]; of TLS, records are counted.
    pub fn unacknowledged_bytes(&self) -> Option<u64> {
        match self {
            Stream::Tcp(stream) => stream.unacknowledged_bytes(),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.unacknowledged_bytes(),
        }
    }

    /// As [`TcpStream::unread_bytes`]; of TLS, records are counted, whatever they carry.
    pub fn unread_bytes(&self) -> Option<u64> {
        match self {
            Stream::Tcp(stream) => stream.unread_bytes(),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.unread_bytes(),
        }
    }

    /// Receives as [`TcpStream::recv`] does.
    ///
    /// # Errors
    /// As there; over TLS also [`crate::Error::Tls`].
    pub async fn recv(
        &self,
        buf: impl Into<Buf>,
        span: Range<usize>,
        mode: RecvMode,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        match self {
            Stream::Tcp(stream) => stream.recv(buf, span, mode, stall).await,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.recv(buf, span, mode, stall).await,
        }
    }

    /// Receives as [`Stream::recv`] does a span that the peer has announced, where `following` more bytes are sure to
    /// arrive behind it, and will be received next: then all of it is waited for in large pieces. Where they do not come, it lasts
    /// until the watch over `stall` cuts in. Over TLS it makes no difference, for records are waited for one by one.
    ///
    /// # Errors
    /// As [`Stream::recv`].
    pub async fn recv_before(
        &self,
        buf: Buf,
        span: Range<usize>,
        mode: RecvMode,
        following: usize,
        stall: Duration,
    ) -> BufResult<usize, RecvError> {
        match self {
            Stream::Tcp(stream) => stream.recv_before(buf, span, mode, following, stall).await,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.recv(buf, span, mode, stall).await,
        }
    }

    /// Sends as [`TcpStream::send`] does.
    ///
    /// # Errors
    /// As there; over TLS also [`crate::Error::Tls`].
    pub async fn send(
        &self,
        buf: impl Into<Buf>,
        span: Range<usize>,
        more: bool,
        stall: Duration,
    ) -> BufResult<usize> {
        match self {
            Stream::Tcp(stream) => stream.send(buf, span, more, stall).await,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.send(buf, span, more, stall).await,
        }
    }

    /// Sends as [`TcpStream::send_list`] does; over TLS one piece after the other.
    ///
    /// # Errors
    /// As there; over TLS also [`crate::Error::Tls`].
    pub async fn send_list(&self, list: SendList, stall: Duration) -> (Result<usize>, SendList) {
        match self {
            Stream::Tcp(stream) => stream.send_list(list, stall).await,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.send_list(list, stall).await,
        }
    }

    /// Tells the peer that nothing more comes, where the protocol has a word for it; the connection
    /// ends when the stream is dropped.
    ///
    /// # Errors
    /// As [`Stream::send`].
    pub async fn close(&self, stall: Duration) -> Result<()> {
        match self {
            Stream::Tcp(_) => {
                let _ = stall;
                Ok(())
            }
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.close(stall).await,
        }
    }

    /// Resets the connection at once; see [`TcpStream::reset`].
    pub fn reset(&self) {
        match self {
            Stream::Tcp(stream) => stream.reset(),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.reset(),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream::Tcp(stream)
    }
}

#[cfg(feature = "tls")]
impl From<TlsStream> for Stream {
    fn from(stream: TlsStream) -> Stream {
        Stream::Tls(Box::new(stream))
    }
}
