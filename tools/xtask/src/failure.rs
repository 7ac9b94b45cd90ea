//! Why a chore ended: one message that says what was tried and, where there is one, the way out.

use std::fmt;
use std::io;

/// The message.
#[derive(Debug)]
pub struct Failure(String);

/// The result of a chore or a part of it.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub fn io(what: impl fmt::Display, cause: io::Error) -> Self {
        Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
