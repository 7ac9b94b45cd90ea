//! TLS over a stream: what comes is decrypted where it lies and copied once to its place, what goes
//! out is encrypted into a small buffer of the connection.
//!
//! `session` speaks the protocol and does no I/O (SANS-1); `stream` moves its records. Certificates
//! are always checked: there is no switch that turns that off. This room knows nothing of HTTP.

#[cfg(feature = "tls")]
mod config;
mod error;
#[cfg(feature = "tls")]
mod incoming;
#[cfg(feature = "tls")]
mod reasons;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod stream;

#[cfg(feature = "tls")]
pub use config::{TlsConfig, TlsConfigBuilder, TlsLimits, TlsVersion};
pub use error::{TlsError, TlsProblem};
#[cfg(feature = "tls")]
pub use server::TlsServerConfig;
#[cfg(feature = "tls")]
pub use stream::{TlsMemory, TlsStream};
