//! What can go wrong in the engine, with the likely cause and the way out.

use std::fmt;

use crate::net::TlsError;
use crate::pool::PoolError;

/// The result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call or ring operation failed.
    #[error(transparent)]
    Os(#[from] OsError),

    /// The kernel refuses io_uring itself.
    #[error(
        "io_uring is refused ({}): either a seccomp filter forbids it (the default profile of Docker \
         from 25 and containerd from 2.0 does; run with a profile that allows io_uring_setup, \
         io_uring_enter and io_uring_register), or the sysctl kernel.io_uring_disabled is 1 or 2 \
         (it reads {}; RHEL 9 sets it; `sysctl kernel.io_uring_disabled=0` allows it), or the kernel \
         is older than 6.1",
        errno_text(*errno), sysctl.as_deref().unwrap_or("nothing, the file is absent")
    )]
    RingRefused {
        /// What `io_uring_setup(2)` answered.
        errno: i32,
        /// The value of `kernel.io_uring_disabled`, where it can be read.
        sysctl: Option<String>,
    },

    /// No memory from the pool.
    #[error(transparent)]
    Pool(#[from] PoolError),

    /// The task was dropped before it ended, or the engine stopped.
    #[error("the work was cancelled before it ended")]
    Cancelled,

    /// The engine has been stopped.
    #[error("the engine has been stopped; start another one")]
    Stopped,

    /// The handle was made before `fork(2)` and is used in the child (FORK-1).
    #[error(
        "an engine does not survive fork(2): its memory and rings belong to the parent; start an \
         engine in the child, or fork before starting one"
    )]
    Forked,

    /// A queue of the engine is full.
    #[error("{queue} is full ({max} entries); submit less at a time or raise the limit")]
    Busy {
        /// Which queue, by the name of its limit in [`crate::Config`].
        queue: &'static str,
        /// Its limit.
        max: usize,
    },

    /// A blocking wait on a core, which would stop the very thread that has to do the work.
    #[error("a blocking wait was called on a core of the engine; use `.await` there")]
    WouldDeadlock,

    /// A task panicked.
    #[error("a task panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },

    /// A name could not be resolved.
    #[error("cannot resolve the host {host:?}: {detail}")]
    Resolve {
        /// The name asked for.
        host: String,
        /// What the resolver answered.
        detail: String,
    },

    /// The look-up of a name did not end in time.
    #[error(
        "looking up the host {host:?} took longer than {limit:?}: a nameserver does not answer (see \
         /etc/resolv.conf), or other look-ups hold up the control thread"
    )]
    ResolveTimedOut {
        /// The name asked for.
        host: String,
        /// The limit that was exceeded, `control.resolve` of [`crate::Config`].
        limit: std::time::Duration,
    },

    /// Every address of a host was tried, and none could be connected to.
    #[error("{}", connect_text(failures))]
    Connect {
        /// One for each address, at most [`crate::ConnectLimits::attempts_max`], in the order in
        /// which they failed.
        failures: Vec<OsError>,
    },

    /// The peer did nothing for the whole stall limit (TIME-1).
    #[error("{operation} {object}: no byte moved for {limit:?}; the peer or the network stalled")]
    Stalled {
        /// What was waited for.
        operation: &'static str,
        /// With whom.
        object: String,
        /// The limit that was exceeded.
        limit: std::time::Duration,
    },

    /// TLS with a peer failed.
    #[error(transparent)]
    Tls(#[from] TlsError),

    /// The caller asked for something that makes no sense.
    #[error("{0}")]
    InvalidInput(String),
}

/// A receive that ended in an error, with what had come before it.
#[derive(Debug, thiserror::Error)]
#[error("{error}, after {received} bytes")]
pub struct RecvError {
    /// Bytes in place from the start of the span; whoever can ask again asks for what is behind them.
    pub received: usize,
    /// What ended it.
    #[source]
    pub error: Error,
}

impl RecvError {
    /// The errno behind the error, if there is one.
    pub fn errno(&self) -> Option<i32> {
        self.error.errno()
    }
}

impl From<RecvError> for Error {
    fn from(failed: RecvError) -> Error {
        failed.error
    }
}

/// A system call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsError {
    /// The name of the call.
    pub operation: &'static str,
    /// The path, address or other object.
    pub object: Box<str>,
    /// The offset in a file, where there is one.
    pub offset: Option<u64>,
    /// The errno.
    pub errno: i32,
}

impl OsError {
    /// An error of `operation` on `object`.
    pub fn new(operation: &'static str, object: impl fmt::Display, errno: i32) -> OsError {
        OsError { operation, object: object.to_string().into(), offset: None, errno }
    }

    /// The same error at a file offset.
    pub fn at(mut self, offset: u64) -> OsError {
        self.offset = Some(offset);
        self
    }

    /// From the error of the standard library.
    pub fn from_io(
        operation: &'static str,
        object: impl fmt::Display,
        error: &std::io::Error,
    ) -> OsError {
        OsError::new(operation, object, error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.object)?;
        if let Some(offset) = self.offset {
            write!(f, " at offset {offset}")?;
        }
        write!(f, ": {}", errno_text(self.errno))?;
        match way_out(self.errno) {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for OsError {}

impl Error {
    /// The errno behind the error, if there is one; of several failures the one that they share.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Error::Os(error) => Some(error.errno),
            Error::Connect { failures } => shared_errno(failures),
            Error::RingRefused { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

fn shared_errno(failures: &[OsError]) -> Option<i32> {
    let first = failures.first()?.errno;
    failures.iter().all(|failure| failure.errno == first).then_some(first)
}

/// All failures in one line. The hint that fits them all comes once, at the end.
fn connect_text(failures: &[OsError]) -> String {
    let each = |failure: &OsError| {
        format!("{} {}: {}", failure.operation, failure.object, errno_text(failure.errno))
    };
    let mut text = failures.iter().map(each).collect::<Vec<_>>().join(", ");
    if let Some(hint) = shared_errno(failures).and_then(way_out) {
        text = text + "; " + hint;
    }
    text
}

pub(crate) fn errno_text(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno).to_string()
}

fn way_out(errno: i32) -> Option<&'static str> {
    Some(match errno {
        libc::ENOSPC => "the file system is full; free some space or choose another directory",
        libc::EDQUOT => "the disk quota is used up",
        libc::EMFILE => "this process has too many open files; raise `ulimit -n`",
        libc::ENFILE => "the system has too many open files",
        libc::EROFS => "the file system is mounted read-only",
        libc::EACCES | libc::EPERM => "check the owner and the permissions",
        libc::ECONNREFUSED => "nobody listens there; check host and port, and that the server runs",
        libc::ECONNRESET => "the peer closed the connection",
        libc::ENETUNREACH | libc::EHOSTUNREACH => "there is no route to that host",
        libc::EIO => "the device reports an I/O error; see the kernel's log",
        libc::ENOSYS => "the kernel lacks this call or a filter (seccomp) refuses it",
        libc::EXDEV | libc::ELOOP => "the path leaves its root or goes through a symbolic link",
        _ => return None,
    })
}
