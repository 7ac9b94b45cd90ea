//! Functions of the caller that cores call while a call of the library runs.

use std::ffi::c_void;
use std::sync::{Arc, PoisonError, RwLock};

use hydrant::pipeline::Progress;

use crate::queue::HYD_SIZE_UNKNOWN;

/// What a `hyd_progress_fn` is when it is one.
pub type ProgressFn = unsafe extern "C" fn(user: *mut c_void, done_bytes: u64, total_bytes: u64);

/// What the caller's function is called with.
#[derive(Clone, Copy)]
pub struct User(pub *mut c_void);

// SAFETY: OWN-3. It is only handed back to the caller's function, which the header says runs on any
// thread.
unsafe impl Send for User {}
// SAFETY: As above; the header says that it runs on several at once.
unsafe impl Sync for User {}

impl User {
    /// What the caller gave.
    pub fn get(self) -> *mut c_void {
        self.0
    }
}

/// Lets the caller's function be called until this is dropped, and not after: a core that is in it is
/// waited for. What a call began may live a little longer than the call where that was cancelled.
pub struct Lent(Arc<RwLock<bool>>);

/// What cores ask before they call.
#[derive(Clone)]
pub struct Leave(Arc<RwLock<bool>>);

impl Lent {
    /// The time of a call.
    pub fn new() -> (Lent, Leave) {
        let open = Arc::new(RwLock::new(true));
        (Lent(Arc::clone(&open)), Leave(open))
    }
}

impl Leave {
    /// Calls while that is allowed.
    pub fn call(&self, call: impl FnOnce()) {
        if *self.0.read().unwrap_or_else(PoisonError::into_inner) {
            call();
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// Progress, told to C under `around`, which lends what has to be there meanwhile.
pub fn progress(
    (function, user): (ProgressFn, User),
    around: impl Fn(&dyn Fn()) + Send + Sync + 'static,
) -> Progress {
    Arc::new(move |done_bytes, total_bytes| {
        around(&|| {
            // SAFETY: OWN-3. The caller said that the function may be called as long as `around` lets
            // it be.
            unsafe { function(user.get(), done_bytes, total_bytes.unwrap_or(HYD_SIZE_UNKNOWN)) }
        });
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    unsafe extern "C" fn add(user: *mut c_void, done_bytes: u64, total_bytes: u64) {
        assert!([9, HYD_SIZE_UNKNOWN].contains(&total_bytes));
        // SAFETY: the test hands in a counter that outlives the calls.
        unsafe { &*user.cast::<AtomicU64>() }.fetch_add(done_bytes, Ordering::Relaxed);
    }

    #[test]
    fn nobody_is_called_after_the_call() {
        let sum = AtomicU64::new(0);
        let user = User((&raw const sum).cast_mut().cast());
        let (lent, leave) = Lent::new();
        let told = progress((add, user), move |call| leave.call(call));
        told(3, Some(9));
        told(4, None);
        drop(lent);
        told(100, Some(9));
        assert_eq!(sum.load(Ordering::Relaxed), 7);
    }
}
