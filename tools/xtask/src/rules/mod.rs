//! The rules of the house that a compiler does not know. Each is a function of text, so that its
//! tests can break it; reading files and running cargo happens in its `check` alone.

pub mod arrows;
mod code;
pub mod sans_io;
mod sources;
pub mod tree;
pub mod unsafety;

use crate::failure::{Failure, Result};
use crate::steps::Outcome;

/// A step passes when nobody broke its rule; else all that did are listed.
fn judge(violations: &[String]) -> Result<Outcome> {
    if violations.is_empty() {
        return Ok(Outcome::Passed);
    }
    Err(Failure::new(format!("{} broken:\n    {}", violations.len(), violations.join("\n    "))))
}
