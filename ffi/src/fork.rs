//! Noticing that this process is a forked child (FORK-1): handles belong to the process that made
//! them.
//!
//! Children made by `vfork` or a raw `clone` run no handler; they are expected to `exec` without
//! calling in.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

static EPOCH: AtomicU8 = AtomicU8::new(0);

/// How many forks lie between the process that loaded the library and this one; it stays at 255.
pub fn epoch() -> u8 {
    EPOCH.load(Ordering::Relaxed)
}

/// Has the child's handler installed, once. Before there are handles there is nothing to notice.
pub fn watch() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // SAFETY: FORK-1. The handler works on one atomic, which a child may do, and the C library
        // forgets it when the shared object that it lies in is unloaded. It fails without memory
        // alone; the engine, which installs one of its own, refuses to start then.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

extern "C" fn in_child() {
    EPOCH.store(epoch().saturating_add(1), Ordering::Relaxed);
}
