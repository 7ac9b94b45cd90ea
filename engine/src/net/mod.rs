//! Sockets: names to addresses, connecting to the first of several that answers, accepting, a
//! stream of bytes.
//!
//! A stream belongs to one core, and is TCP alone or TLS over it. Receives go into a lease at an offset; sends come from a lease or
//! `Bytes`. This room knows nothing of HTTP, and never resolves a name on a core (CORE-1).

mod any;
mod connect;
mod listener;
mod order;
mod resolve;
mod stream;
mod tls;

pub use any::Stream;
pub use listener::TcpListener;
pub use resolve::resolve;
pub use stream::{RecvMode, TcpStream, ZeroCopyChoice};
#[cfg(feature = "tls")]
pub use tls::{
    TlsConfig, TlsConfigBuilder, TlsLimits, TlsMemory, TlsServerConfig, TlsStream, TlsVersion,
};
pub use tls::{TlsError, TlsProblem};
