//! How many threads of an engine run, for who waits for their end no longer than they want to.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Threads that were started and have not ended.
#[derive(Debug, Default)]
pub(super) struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

/// One of them, until this is dropped, if only because its thread could not be started.
pub(super) struct Runs(Arc<Running>);

impl Running {
    /// Waits until none runs, or so long: how many run then.
    pub(super) fn wait(&self, limit: Duration) -> usize {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(count, limit, |count| *count > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn change(&self, change: impl FnOnce(&mut usize)) {
        change(&mut self.count.lock().unwrap_or_else(PoisonError::into_inner));
        self.ended.notify_all();
    }
}

impl Runs {
    pub(super) fn new(running: &Arc<Running>) -> Runs {
        running.change(|count| *count += 1);
        Runs(Arc::clone(running))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.change(|count| *count -= 1);
    }
}
