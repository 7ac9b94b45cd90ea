//! The runtimes, one small file each. They share nothing but the workloads.

pub mod compio;
pub mod glommio;
pub mod hydrant;
pub mod monoio;
pub mod tokio;
pub mod tokio_uring;

use crate::work::{Echo, Failure, HandOver, Reads};

/// What each runtime can do. Each function begins the meter when all is set up, and returns when the
/// work is over.
pub struct Runtime {
    pub reads: fn(Reads) -> Result<(), Failure>,
    pub echo: fn(Echo) -> Result<(), Failure>,
    pub hand_over: fn(HandOver) -> Result<(), Failure>,
}
