//! An S3 server on a directory.
//!
//! The directory is the data: a bucket is a directory right under the root, an object with an ordinary key
//! is the file of that name inside it, so `s3://photos/2024/a.jpg` is `DIR/photos/2024/a.jpg`. What S3 keeps
//! beside the bytes (ETag, content type, user metadata), uploads in progress and temporary files live in the
//! hidden directory `DIR/.hydrant`. A file put there by other means is served too; its ETag is computed once.
//!
//! ```no_run
//! use hydrant_server::{Config, Server};
//!
//! let server = Server::start(Config::new("/srv/objects"))?;
//! println!("{}", server.url());
//! server.stop();
//! # Ok::<(), hydrant_server::ServerError>(())
//! ```
//!
//! The public interface is:
//!
//! - [`Config`], [`Limits`], [`Credentials`]: what to serve, to whom, within which limits
//! - [`Server::start`] and [`ServerHandle`]: a server on threads of its own
//! - [`run_until_signal`]: the same for a program that does nothing else
//! - [`ServerStats`]: what it has been asked
//! - [`ServerError`]: why it did not start
//!
//! The rooms: `store` keeps objects in files and has never heard of HTTP; `api` turns S3 requests into calls
//! of the store and streams bodies; `connection`, `linger`, `throttle` and `host` are the way in.

#![forbid(unsafe_code)]

mod api;
mod config;
mod connection;
mod error;
mod host;
mod linger;
mod server;
mod stats;
mod store;
mod throttle;
mod tls;

pub use config::{Config, Credentials, Limits, TlsIdentity};
pub use error::ServerError;
pub use server::{Server, ServerHandle, run_until_signal};
pub use stats::ServerStats;
