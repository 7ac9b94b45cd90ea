//! A connected socket and the two blocking calls on it.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use crate::arena::Buffer;
use crate::failure::{Failure, Result};

/// One kept-alive connection with its buffer. The socket stays blocking: `io_uring` waits by
/// itself, and would hand back `EAGAIN` from a non-blocking one.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Its place among all connections of the run.
    pub(crate) number: usize,
    /// Its own part of the arena.
    pub(crate) buffer: Buffer,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, number: usize, buffer: Buffer) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|cause| Failure::refused(format!("connecting to {address}"), cause))?;
        Ok(Self { stream, number, buffer })
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Sends all of `bytes`.
    pub(crate) fn send_all(&self, mut bytes: &[u8], flags: libc::c_int) -> Result<()> {
        let flags = flags | libc::MSG_NOSIGNAL;
        while !bytes.is_empty() {
            // SAFETY: pointer and length are those of a live slice.
            let sent =
                unsafe { libc::send(self.descriptor(), bytes.as_ptr().cast(), bytes.len(), flags) };
            match usize::try_from(sent) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(_) => interrupted("send")?,
            }
        }
        Ok(())
    }

    /// Receives into `span` of the buffer: at least one byte, unless the peer closed.
    pub(crate) fn receive(
        &self,
        span: std::ops::Range<usize>,
        flags: libc::c_int,
    ) -> Result<usize> {
        loop {
            let start = self.buffer.at(span.start).cast();
            assert!(span.end <= self.buffer.len());
            // SAFETY: the span lies in this connection's own buffer, and the call returns before
            // anybody looks.
            let received = unsafe { libc::recv(self.descriptor(), start, span.len(), flags) };
            match usize::try_from(received) {
                Ok(received) => return Ok(received),
                Err(_) => interrupted("recv")?,
            }
        }
    }
}

/// Passes `EINTR` over; everything else is the end of the run.
fn interrupted(call: &str) -> Result<()> {
    let cause = std::io::Error::last_os_error();
    match cause.raw_os_error() {
        Some(libc::EINTR) => Ok(()),
        _ => Err(Failure::refused(call, cause)),
    }
}
