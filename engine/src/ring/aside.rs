//! A thread for rings that the caller's thread must not have had.
//!
//! The kernel notes for each ring which threads have set it up or used it. After the ring is closed a worker of the kernel
//! makes each of them forget it (`io_ring_exit_work`), by task work that wakes them as a signal would: milliseconds later,
//! a call that is never restarted, such as `epoll_wait`, answers `EINTR` though no signal was sent. A thread that has ended
//! has nothing to forget.

use std::thread::{Builder, scope};

/// Does `work` on a thread that ends with it, and waits for that.
///
/// # Errors
/// Those of starting a thread.
pub(super) fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    scope(|scope| {
        let thread = Builder::new().name("hydrant-probe".into()).spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
