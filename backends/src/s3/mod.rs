//! S3: signing, XML, endpoints, credentials and retry decisions as pure functions, then the store.
//!
//! The pure files do no I/O, read no clock and draw no random number (SANS-1). [`S3Store`] puts
//! them on the connections of [`crate::http1`]: it writes and signs each attempt anew, sends it,
//! and decides with [`retry`] what a failure means. Secrets appear in no log and no error (SEC-1),
//! and no request follows a redirect to another origin (SEC-3).

mod call;
pub mod credentials;
pub mod encode;
pub mod endpoint;
mod error;
mod reader;
mod request;
pub mod retry;
pub mod sign;
mod store;
pub mod time;
#[cfg(feature = "tls")]
mod tls;
mod upload;
pub mod xml;

pub use error::{ErrorContext, S3Error, S3ErrorKind};
pub use store::{S3Config, S3Store};
