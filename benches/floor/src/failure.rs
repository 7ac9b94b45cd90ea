//! Why a run of the floor does not count. The program prints it and leaves with status 1.

use std::fmt;
use std::io;

/// A run that failed: what was attempted, and what the kernel said where it was the kernel.
#[derive(Debug)]
pub struct Failure {
    what: String,
    cause: Option<io::Error>,
}

/// The result of every step of a run.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A check that did not hold.
    pub fn wrong(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None }
    }

    /// A system call that was refused.
    pub fn refused(what: impl Into<String>, cause: io::Error) -> Self {
        Self { what: what.into(), cause: Some(cause) }
    }

    /// The last system call of this thread was refused.
    pub fn last_errno(what: impl Into<String>) -> Self {
        Self::refused(what, io::Error::last_os_error())
    }

    /// An entry of a completion queue carries `-errno`.
    pub fn completion(what: impl Into<String>, result: i32) -> Self {
        Self::refused(what, io::Error::from_raw_os_error(-result))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(out, "{}: {cause}", self.what),
            None => out.write_str(&self.what),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
