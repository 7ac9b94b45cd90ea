//! A thread for rings that the caller's thread must not have had.
//!
//! The kernel notes for each ring which threads have set it up or used it. Some milliseconds after the ring is closed, a worker
//! of the kernel makes each of them forget it (`io_ring_exit_work`), by task work that wakes them as a signal would: a call
//! that is never restarted, such as `epoll_wait`, answers `EINTR` though no signal was sent. A thread that has ended has nothing
//! to forget. A ring that carries operations is never made here: it is its core's.

use std::thread::Builder;

/// Does `work` on a thread that ends with it, and waits for that. Where none can be started, it is done here: an interrupted
/// call is better than no ring.
pub(super) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Clone + Send + 'static) -> T {
    match Builder::new().name("hydrant-ring".into()).spawn(work.clone()) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => work(),
    }
}
