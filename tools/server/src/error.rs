//! Why a server does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The directory cannot be made or opened.
    #[error("cannot use {} as the server's directory: {source}; name a directory that this user may write to", path.display())]
    Root {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server has the directory.
    #[error("{} is served by another process; stop that one or name another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The certificate or its key cannot be used.
    #[error(
        "the server's certificate or its key cannot be used: {detail}; both are PEM, and the key fits the first certificate"
    )]
    Identity {
        /// What is wrong.
        detail: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; port 0 takes a free port")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread, the runtime or a signal handler could not be set up.
    #[error("cannot {operation}: {source}")]
    Runtime {
        /// What was being set up.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
