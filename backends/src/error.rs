//! What can go wrong between a caller and a store, with the likely cause and the way out.

use std::sync::Arc;

use hydrant_engine::TlsProblem;

use crate::http::RedirectError;
use crate::http1::HttpError;
use crate::pipeline::PlanError;
use crate::s3::S3Error;
use crate::s3::credentials::CredentialsError;
use crate::uri::UriError;

/// The result of a call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a store or a pipeline. Clones share it: a writer returns its first failure from
/// every later call.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<ErrorKind>);

/// The kinds of errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The engine: a system call, memory, a stop.
    #[error(transparent)]
    Engine(#[from] hydrant_engine::Error),

    /// A location that cannot be read.
    #[error("{text:?} is no location: {source}")]
    Location {
        /// What was given; without user info.
        text: String,
        /// What is wrong with it.
        source: UriError,
    },

    /// A setting, of the environment or of a builder.
    #[error("{0}")]
    Config(String),

    /// There are no credentials to sign with.
    #[error(transparent)]
    Credentials(CredentialsError),

    /// S3 answered with an error.
    #[error(transparent)]
    S3(#[from] S3Error),

    /// The conversation with a server broke.
    #[error("{operation} {object}: {source}{} (tried {attempts} times)", hint_of(source))]
    Http {
        /// The S3 operation; for URLs the method.
        operation: &'static str,
        /// The object or bucket, as a URI.
        object: String,
        /// What broke.
        source: HttpError,
        /// Tries made.
        attempts: u32,
    },

    /// The server of a URL answered with an error.
    #[error("{object}: the server answered {status}{}{}", tries(*attempts), advice_on(*status))]
    Refused {
        /// The URL, without its query.
        object: String,
        /// The HTTP status.
        status: u16,
        /// Tries made.
        attempts: u32,
    },

    /// A redirect that is not followed.
    #[error("{object}: {source}")]
    Redirect {
        /// The URL that was asked, without its query.
        object: String,
        /// Why.
        source: RedirectError,
    },

    /// A transfer that cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),

    /// There is no such object.
    #[error("{object} does not exist")]
    NotFound {
        /// The object, as a URI.
        object: String,
    },

    /// The object was replaced while it was read (DATA-2).
    #[error("{object} was replaced while it was read ({detail}); read it again")]
    Changed {
        /// The object, as a URI.
        object: String,
        /// How that was noticed.
        detail: String,
    },

    /// All parts of an object came, and together they are not the object (DATA-2). Which of them is wrong
    /// nobody can tell, so none may be kept.
    #[error("{object} did not come whole, in one of its parts: {detail}")]
    IntegrityOfParts {
        /// The object, as a URI.
        object: String,
        /// What differs.
        detail: String,
    },

    /// What arrived is not what was announced (DATA-2).
    #[error("{object} did not come whole: {detail}")]
    Integrity {
        /// The object, as a URI.
        object: String,
        /// What differs.
        detail: String,
    },

    /// A condition of the call does not hold, so nothing was read or written.
    #[error("the condition on {object} does not hold: {detail}")]
    Condition {
        /// The object, as a URI.
        object: String,
        /// What is there instead.
        detail: String,
    },

    /// A transfer failed, and what it had begun could not be cleaned up (DATA-3).
    #[error("{error}; what was begun could not be cleaned up: {left}")]
    LeftBehind {
        /// Why the transfer failed.
        error: Error,
        /// Why the clean-up failed.
        left: Error,
    },

    /// An upload in parts that is neither completed nor aborted: its parts are paid for until somebody
    /// aborts it.
    #[error("upload {upload_id} of {object} could not be aborted: {source}")]
    NotAborted {
        /// The object, as a URI.
        object: String,
        /// How the server calls the upload.
        upload_id: String,
        /// What the last try said.
        source: Error,
    },

    /// A file is whole and has its name, but its directory could not be made durable (DATA-3): the
    /// write counts as failed, and what is there is not taken away again.
    #[error(
        "{object} is whole and in its place, but that place is not durable: a loss of power may \
         bring back what was there before ({source}); write it again"
    )]
    NotDurable {
        /// The object, as a path.
        object: String,
        /// What the sync of the directory said.
        source: hydrant_engine::Error,
    },

    /// The sync of a file that was to be kept failed (DATA-3). It may lack bytes on disk that still
    /// read back from memory, so nothing of it is kept.
    #[error(
        "{object} could not be made durable: {source}; what had come may be lost though it still \
         reads back, so it is thrown away; copy it again once the disk is well"
    )]
    Lost {
        /// The file, as a path.
        object: String,
        /// What the sync said.
        source: hydrant_engine::Error,
    },

    /// A transfer failed or was given up, and what had come of it is kept to be carried on.
    #[error("{error}; what had come is kept in {left}, and the same copy carries on from there")]
    Kept {
        /// Why the transfer failed.
        error: Error,
        /// Where it lies.
        left: String,
    },

    /// The store cannot do this.
    #[error("{0}")]
    Unsupported(String),

    /// A call that makes no sense at this point.
    #[error("{0}")]
    InvalidInput(String),
}

/// What a caller may want to do about an error; the program's exit codes follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Wrong usage: a bad location or argument.
    Usage,
    /// Settings or credentials.
    Config,
    /// The object or bucket is not there.
    NotFound,
    /// Temporary trouble, and all tries are used up.
    Temporary,
    /// Length or checksum differ.
    Integrity,
    /// The local disk: full, broken, read-only.
    Disk,
    /// Cancelled, or the engine stopped.
    Cancelled,
    /// Anything else.
    Other,
}

impl Error {
    /// What kind of error it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Whether all parts of an object came, and together they are not the object: to read it once
    /// more may help.
    pub(crate) fn is_of_parts(&self) -> bool {
        matches!(self.kind(), ErrorKind::IntegrityOfParts { .. })
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        use crate::s3::S3ErrorKind as S3;
        match self.kind() {
            ErrorKind::Engine(error) => class_of_engine(error),
            ErrorKind::Location { .. } | ErrorKind::InvalidInput(_) | ErrorKind::Unsupported(_) => {
                Class::Usage
            }
            ErrorKind::Config(_) | ErrorKind::Credentials(_) => Class::Config,
            ErrorKind::NotFound { .. } => Class::NotFound,
            ErrorKind::Changed { .. }
            | ErrorKind::Integrity { .. }
            | ErrorKind::IntegrityOfParts { .. } => Class::Integrity,
            ErrorKind::Http { source, .. } => match source.tls() {
                Some(error) if error.is_permanent() => Class::Config,
                _ => Class::Temporary,
            },
            ErrorKind::LeftBehind { error, .. }
            | ErrorKind::Kept { error, .. }
            | ErrorKind::NotAborted { source: error, .. } => error.class(),
            ErrorKind::NotDurable { source, .. } | ErrorKind::Lost { source, .. } => {
                class_of_engine(source)
            }
            ErrorKind::Plan(_) | ErrorKind::Condition { .. } | ErrorKind::Redirect { .. } => {
                Class::Other
            }
            ErrorKind::Refused { status, .. } => match status {
                401 | 403 | 407 => Class::Config,
                408 | 429 | 500..=599 => Class::Temporary,
                _ => Class::Other,
            },
            ErrorKind::S3(error) => match error.kind() {
                S3::NotFound | S3::NoSuchBucket | S3::NoSuchUpload => Class::NotFound,
                S3::AccessDenied | S3::Authentication | S3::ExpiredCredentials => Class::Config,
                S3::WrongRegion | S3::ClockSkew => Class::Config,
                S3::Throttled | S3::Server => Class::Temporary,
                _ => Class::Other,
            },
        }
    }

    /// Whether a condition of the call did not hold ([`crate::WriteIf`], [`crate::ReadIf`], or the
    /// conditions of an operation of S3).
    pub fn is_condition(&self) -> bool {
        use crate::s3::S3ErrorKind as S3;
        match self.kind() {
            ErrorKind::Condition { .. } => true,
            ErrorKind::S3(error) => {
                matches!(error.kind(), S3::PreconditionFailed | S3::NotModified)
            }
            ErrorKind::LeftBehind { error, .. } | ErrorKind::Kept { error, .. } => {
                error.is_condition()
            }
            _ => false,
        }
    }

    /// Whether the object was not there.
    pub fn is_not_found(&self) -> bool {
        self.class() == Class::NotFound
    }
}

fn class_of_engine(error: &hydrant_engine::Error) -> Class {
    use hydrant_engine::Error as Engine;
    match error {
        Engine::Cancelled | Engine::Stopped => Class::Cancelled,
        Engine::RingRefused { .. } | Engine::Pool(_) | Engine::Resolve { .. } => Class::Config,
        Engine::Tls(error) if error.is_permanent() => Class::Config,
        Engine::Tls(_)
        | Engine::Stalled { .. }
        | Engine::Connect { .. }
        | Engine::ResolveTimedOut { .. }
        | Engine::Busy { .. } => Class::Temporary,
        Engine::InvalidInput(_) | Engine::WouldDeadlock | Engine::Forked => Class::Usage,
        Engine::Os(error) => match error.errno {
            libc::ENOENT | libc::ENOTDIR => Class::NotFound,
            libc::ENOSPC | libc::EIO | libc::EDQUOT | libc::EROFS => Class::Disk,
            libc::ECONNREFUSED | libc::ECONNRESET | libc::ETIMEDOUT => Class::Temporary,
            _ => Class::Other,
        },
        _ => Class::Other,
    }
}

fn tries(attempts: u32) -> String {
    if attempts == 1 { String::new() } else { format!(" (tried {attempts} times)") }
}

fn advice_on(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => {
            "; nothing is signed for URLs: one that carries a signature may have ended, and what S3 \
             keeps for itself is read as s3://"
        }
        429 | 503 => "; the server is overloaded: try later, or with fewer connections",
        _ => "",
    }
}

/// The way out that only this crate can name.
fn hint_of(source: &HttpError) -> &'static str {
    match source.tls().map(|error| &error.problem) {
        Some(TlsProblem::UnknownIssuer) => " (AWS_CA_BUNDLE names a file with such certificates)",
        Some(TlsProblem::NotTls | TlsProblem::ClosedInHandshake) => {
            " (an http:// endpoint speaks without TLS)"
        }
        _ => "",
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Error {
        Error(Arc::new(kind))
    }
}

impl From<hydrant_engine::Error> for Error {
    fn from(error: hydrant_engine::Error) -> Error {
        ErrorKind::Engine(error).into()
    }
}

impl From<hydrant_engine::PoolError> for Error {
    fn from(error: hydrant_engine::PoolError) -> Error {
        hydrant_engine::Error::from(error).into()
    }
}

impl From<S3Error> for Error {
    fn from(error: S3Error) -> Error {
        ErrorKind::S3(error).into()
    }
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Error {
        ErrorKind::Plan(error).into()
    }
}
