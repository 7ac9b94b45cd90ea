//! Locks, atomics and threads, of the standard library or of loom.
//!
//! What several threads share takes them from here, so that the models in `models` can try every
//! order of their steps. They are loom's only where the compiler is given `--cfg hydrant_model`.
//! `Arc` and `OnceLock` are the standard library's in both: wakers are made of its `Arc`, and what is
//! set once is set before it is shared.

#[cfg(not(hydrant_model))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, atomic},
    thread,
};

#[cfg(hydrant_model)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

#[cfg(hydrant_model)]
pub(crate) mod thread {
    pub(crate) use loom::thread::{Builder, JoinHandle, Thread, current, park};

    /// Time does not pass in a model.
    pub(crate) fn park_timeout(_limit: std::time::Duration) {
        park();
    }
}

/// A value of each thread; loom's threads are none to the standard library.
macro_rules! of_each_thread {
    ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;) => {
        #[cfg(not(hydrant_model))]
        std::thread_local! { $(#[$doc])* static $name: $type = const { $value }; }
        #[cfg(hydrant_model)]
        loom::thread_local! { $(#[$doc])* static $name: $type = $value; }
    };
}

pub(crate) use of_each_thread;
