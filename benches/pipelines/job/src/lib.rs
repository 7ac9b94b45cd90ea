//! What is asked of every client of the bench of pipelines: one job, which all programs take by the
//! same options and prove in the same line. `cargo xtask bench pipelines` runs them in turn.
//!
//! The clients in Rust that answer requests by futures share one driver too ([`drive`]): what is
//! measured is the client, not how cleverly each was driven.

mod direct;
mod drive;
mod job;
mod touched;

// The public interface is:
pub use direct::DirectFile;
pub use drive::{Client, Source, run};
pub use job::{Failure, Job, Moved, Row, Work, main};
