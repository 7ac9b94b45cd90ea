//! The floor: the least work the kernel needs to receive, send or copy bytes.
//!
//! Everything here is raw system calls around one reused buffer for each connection. There is no
//! signing, no pool, no retry, and no checksum but where that is what is measured: what is left is what
//! every client must pay, so its CPU time is the unit in which Hydrant's own is quoted. The lengths and
//! status codes are checked all the same, because a floor that may lose bytes proves nothing.
//!
//! - [`transfer`]: ranged GETs and PUTs over kept-alive HTTP/1.1 connections, by blocking threads
//!   or by `io_uring`;
//! - [`tls`]: the records between, when such a GET comes over TLS;
//! - [`copy`]: a file to a file with `O_DIRECT`, by blocking threads or by `io_uring`;
//! - [`blocks`]: bytes over bare connections, and the peer that takes or sends them;
//! - [`ask`]: the load on a server that answers with what it receives, for comparing such servers;
//! - [`sum`]: the checksum of a file;
//! - [`report`]: the one line of JSON that every measured program prints;
//! - [`measure`]: any other program under the same yardstick.

pub mod arena;
pub mod ask;
pub mod blocks;
mod connection;
pub mod copy;
pub mod failure;
pub mod measure;
pub mod report;
pub mod ring;
pub mod sum;
pub mod tls;
pub mod transfer;
pub mod work;

use std::fmt;

/// Who carries the system calls out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Blocking calls on plain threads.
    Threads,
    /// One `io_uring` a thread.
    Uring,
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Threads => "threads",
            Self::Uring => "uring",
        })
    }
}
