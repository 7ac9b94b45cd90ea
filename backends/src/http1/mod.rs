//! HTTP/1.1 as S3 needs it: heads and bodies as state machines, then the connection and its pool.
//!
//! The state machines ([`request`], [`response`], [`body`], [`expect`]) do no I/O (SANS-1). The connection
//! receives a body straight into its place and counts the few bytes that came with the head
//! (DATA-1). This room knows nothing of S3, follows no redirect and never sends a request twice:
//! those are decisions of the room above.

pub mod body;
mod connection;
mod error;
pub mod expect;
mod limits;
mod pool;
pub mod request;
pub mod response;
pub mod url;

#[cfg(test)]
pub(crate) use connection::FRAME_BYTES_MAX;
pub(crate) use connection::{BodyFrames, Connection, RequestBody, RequestHead, Waited};
pub use error::HttpError;
pub use limits::HttpLimits;
pub use pool::AddressLimits;
pub(crate) use pool::{ConnectionPool, Origin, Place};
