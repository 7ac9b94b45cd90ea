//! What can be asked of the kernel, as plain data.
//!
//! An [`Op`] names handles and owned buffers, never a raw descriptor or a pointer. It moves into the
//! [`Table`] of what is in flight and stays there until its *last* completion (OWN-1); the future
//! that waits for it only looks in. The table knows nothing of rings: a [`crate::ring::Driver`]
//! carries submissions out and hands completions back. The memory of the futures above all this, a request
//! each, is kept here too.
//!
//! This room never frees a buffer early, never blocks, and never retries a failed `fsync`.

mod future;
mod handle;
mod local_future;
mod planted;
mod send_list;
mod table;
mod transfer;
mod watch;

use std::ffi::CString;
use std::ops::Range;

pub(crate) use future::OpFuture;
pub(crate) use handle::{Descriptor, Handle};
pub(crate) use local_future::Kept;
pub use local_future::LocalFuture;
#[cfg(any(test, feature = "testing"))]
pub use planted::PlantedBug;
#[cfg(not(any(test, feature = "testing")))]
pub(crate) use planted::PlantedBug;
pub use send_list::SendList;
pub(crate) use table::{
    Completion, Notification, Outcome, Place, SlotKey, Started, Table, UserData,
};
pub(crate) use transfer::Span;

use crate::pool::Buf;

/// One request to the kernel with everything the kernel will touch while it is in flight.
///
/// Every pointer that a driver derives from an op leads to memory that does not move when the op
/// itself is moved: the arena, a region, a `Bytes`, a heap allocation.
#[derive(Debug)]
pub(crate) enum Op {
    /// Opens a path with `openat2(2)`; the outcome carries the handle.
    Open { dir: Option<Handle>, path: CString, how: Box<OpenHow>, direct_align: u32 },
    /// `statx(2)` of a path beneath `dir`, or of `dir` itself when the path is empty.
    Statx { dir: Option<Handle>, path: CString, follow: bool, out: Box<StatxBuf> },
    /// Fills `span` of `buf` from the file at `offset`, in submissions of limited size.
    Read { file: Handle, buf: Buf, span: Range<usize>, offset: u64 },
    /// Writes `span` of `buf` to the file at `offset`, in submissions of limited size.
    Write { file: Handle, buf: Buf, span: Range<usize>, offset: u64 },
    /// `fsync(2)`, or `fdatasync(2)` when `data_only`.
    Sync { file: Handle, data_only: bool },
    /// `fallocate(2)` with mode 0.
    Allocate { file: Handle, offset: u64, len: u64 },
    /// `ftruncate(2)`; Linux 6.9.
    Truncate { file: Handle, len: u64 },
    /// `posix_fadvise(2)`; a length of 0 is up to the end.
    Advise { file: Handle, offset: u64, len: u64, advice: i32 },
    /// `renameat2(2)`; `no_replace` is `RENAME_NOREPLACE`.
    Rename {
        from_dir: Option<Handle>,
        from: CString,
        to_dir: Option<Handle>,
        to: CString,
        no_replace: bool,
    },
    /// Gives an open file a name, by `linkat(2)` of `from`, which leads to it through procfs.
    Link {
        /// Keeps the descriptor open that `from` names.
        #[cfg_attr(
            not(any(test, feature = "testing")),
            expect(dead_code, reason = "the kernel reads it, by the name in `from` (OWN-1)")
        )]
        file: Handle,
        from: CString,
        dir: Option<Handle>,
        to: CString,
    },
    /// `unlinkat(2)`; `directory` is `AT_REMOVEDIR`.
    Unlink { dir: Option<Handle>, path: CString, directory: bool },
    /// `mkdirat(2)`.
    Mkdir { dir: Option<Handle>, path: CString, mode: u32 },
    /// A TCP socket of the address's family; the outcome carries the handle.
    Socket { ipv6: bool },
    /// Connects a socket.
    Connect { socket: Handle, address: Box<SocketAddress> },
    /// Accepts one connection; the outcome carries the handle.
    Accept { listener: Handle },
    /// Receives into `span` of `buf`: whatever is there, or until the span is full.
    Recv { socket: Handle, buf: Buf, span: Range<usize>, fill: bool },
    /// Sends all of `span` of `buf`; `more` is `MSG_MORE`.
    Send { socket: Handle, buf: Buf, span: Range<usize>, more: bool },
    /// Sends all of `span` of `buf` without copying it; the last completion is the notification.
    SendZc { socket: Handle, buf: Buf, span: Range<usize> },
    /// Sends `span` of all that a list holds; without a copy the last completion is the notification.
    SendList { socket: Handle, list: SendList, span: Range<usize>, zero_copy: bool },
    /// Reads the eight bytes of a timerfd once it has expired.
    Expiry { timerfd: Handle, buf: Box<u64> },
    /// What is left of an op whose buffers a test freed too early on purpose.
    #[cfg(any(test, feature = "testing"))]
    FreedEarly,
}

/// `struct open_how` of `openat2(2)`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct OpenHow {
    pub(crate) flags: u64,
    pub(crate) mode: u64,
    pub(crate) resolve: u64,
}

/// Where `statx(2)` writes.
pub(crate) struct StatxBuf(pub(crate) libc::statx);

impl std::fmt::Debug for StatxBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatxBuf").field("size", &self.0.stx_size).finish()
    }
}

/// A socket address in the form that the kernel reads.
#[derive(Clone, Copy)]
pub(crate) struct SocketAddress {
    pub(crate) storage: libc::sockaddr_storage,
    pub(crate) len: libc::socklen_t,
    pub(crate) plain: std::net::SocketAddr,
}

impl std::fmt::Debug for SocketAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.plain.fmt(f)
    }
}

impl Op {
    /// The name of the system call that this op stands for, for errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Op::Open { .. } => "open",
            Op::Statx { .. } => "statx",
            Op::Read { .. } => "read",
            Op::Write { .. } => "write",
            Op::Sync { .. } => "fsync",
            Op::Allocate { .. } => "fallocate",
            Op::Truncate { .. } => "ftruncate",
            Op::Advise { .. } => "posix_fadvise",
            Op::Rename { .. } => "rename",
            Op::Link { .. } => "link",
            Op::Unlink { .. } => "unlink",
            Op::Mkdir { .. } => "mkdir",
            Op::Socket { .. } => "socket",
            Op::Connect { .. } => "connect",
            Op::Accept { .. } => "accept",
            Op::Recv { .. } => "recv",
            Op::Send { .. } => "send",
            Op::SendZc { .. } => "send (zero-copy)",
            Op::SendList { .. } => "sendmsg",
            Op::Expiry { .. } => "timerfd",
            #[cfg(any(test, feature = "testing"))]
            Op::FreedEarly => "freed early",
        }
    }

    /// The buffer that comes back with the outcome, if the op carries one.
    pub(crate) fn into_buf(self) -> Option<Buf> {
        match self {
            Op::Read { buf, .. }
            | Op::Write { buf, .. }
            | Op::Recv { buf, .. }
            | Op::Send { buf, .. }
            | Op::SendZc { buf, .. } => Some(buf),
            _ => None,
        }
    }

    /// The list that comes back with the outcome, if the op carries one.
    pub(crate) fn into_send_list(self) -> Option<SendList> {
        if let Op::SendList { list, .. } = self { Some(list) } else { None }
    }

    /// Whether a result that is not negative is a new descriptor, which must become a handle at once
    /// or it leaks when nobody waits any more.
    pub(crate) fn makes_handle(&self) -> bool {
        matches!(self, Op::Open { .. } | Op::Socket { .. } | Op::Accept { .. })
    }
}
