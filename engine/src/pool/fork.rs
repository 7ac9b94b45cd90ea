//! Noticing that this process is a forked child (FORK-1).
//!
//! The arena is not mapped in a child (`MADV_DONTFORK`), and a lock may have been held by a thread
//! that does not exist there. So whatever touches either asks first, at the price of one load.
//! Children made by `posix_spawn`, `vfork` or a raw `clone` run no handler; they are expected to
//! `exec` without touching the pool.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// How many forks lie between the first process that asked and this one.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has the child handler installed, once a process.
pub(super) fn watch() -> io::Result<()> {
    static INSTALLED: OnceLock<i32> = OnceLock::new();
    let errno = *INSTALLED.get_or_init(|| {
        // SAFETY: FORK-1. The handler does one atomic add, which a child may do, and the C library
        // forgets it when the shared object that it lies in is unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) }
    });
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
