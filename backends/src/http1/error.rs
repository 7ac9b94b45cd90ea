//! What can break in a conversation with a server.

use super::body::BodyError;
use super::request::RequestError;
use super::response::{FieldError, HeadError};

/// A conversation that broke. The connection is closed after each of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No connection could be made; nothing was sent.
    #[error("no connection: {0}")]
    Connect(#[source] hydrant_engine::Error),

    /// A socket failed, stalled, or the engine is stopping.
    #[error("{error}")]
    Socket {
        /// What failed.
        #[source]
        error: hydrant_engine::Error,
        /// The connection had served before, and not a byte of an answer had come: the server had
        /// most likely closed it while it was idle.
        stale: bool,
    },

    /// The peer closed before an answer had come whole.
    #[error("the peer closed the connection before the answer")]
    Closed {
        /// As in [`HttpError::Socket`].
        stale: bool,
    },

    /// No memory for the heads of a connection.
    #[error(transparent)]
    Memory(hydrant_engine::Error),

    /// A request that cannot be written.
    #[error(transparent)]
    Request(#[from] RequestError),

    /// A request that cannot be put together, or not be signed.
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),

    /// An answer head that is refused.
    #[error("the answer's head is refused: {0}")]
    Head(#[from] HeadError),

    /// A header field that is refused.
    #[error("a field of the answer's head is refused: {0}")]
    Field(#[from] FieldError),

    /// A body that is refused, or that ended early (DATA-2).
    #[error("the answer's body is refused: {0}")]
    Body(#[from] BodyError),

    /// A body that is longer than what was asked for.
    #[error(
        "the answer's body has more than the {limit_bytes} bytes that were asked for or allowed"
    )]
    BodyTooLong {
        /// How many bytes were asked for or allowed.
        limit_bytes: u64,
    },

    /// An answer that is none to this request.
    #[error("the answer does not fit the request: {0}")]
    Unexpected(String),
}

impl HttpError {
    /// What is wrong with TLS, if that is it.
    pub(crate) fn tls(&self) -> Option<&hydrant_engine::TlsError> {
        match self {
            HttpError::Connect(hydrant_engine::Error::Tls(error))
            | HttpError::Socket { error: hydrant_engine::Error::Tls(error), .. } => Some(error),
            _ => None,
        }
    }
}
