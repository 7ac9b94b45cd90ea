//! What every entry goes through: no panic crosses into C (FFI-1).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ErrorOut, Failure};
use crate::status::{self, hyd_status};

#[cfg(panic = "abort")]
compile_error!("the C interface needs panic=unwind: a panic must not end the host program (FFI-1)");

/// Set once a panic has left an engine in an unknown state.
#[derive(Debug, Clone, Default)]
pub struct Poison(Arc<AtomicBool>);

impl Poison {
    /// Refuses work for a poisoned engine.
    pub fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::Acquire) {
            let message = "an earlier call panicked, so the state of the engine is unknown; destroy it \
                           and create another one";
            return Err(Failure::new(status::HYD_E_PANIC, message));
        }
        Ok(())
    }

    /// Marks the engine as one whose state is unknown.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What a running entry has taken hold of.
#[derive(Default)]
pub struct Entry {
    poison: Option<Poison>,
}

impl Entry {
    /// From here on a panic poisons this engine.
    pub fn uses(&mut self, poison: &Poison) -> Result<(), Failure> {
        poison.check()?;
        self.poison = Some(poison.clone());
        Ok(())
    }
}

/// Runs the body of an entry: a failure, or a panic, goes to `error`, and its status is returned.
pub fn entry(error: ErrorOut, body: impl FnOnce(&mut Entry) -> Result<(), Failure>) -> hyd_status {
    let mut entry = Entry::default();
    // What the body leaves in a broken state is the engine's, which is poisoned below.
    let outcome = catch_unwind(AssertUnwindSafe(|| body(&mut entry)));
    let Err(failure) = outcome.unwrap_or_else(|panic| Err(caught(panic))) else {
        return status::HYD_OK;
    };
    // A task that panicked on a core arrives here as a failure.
    if let Some(poison) = entry.poison.filter(|_| failure.status() == status::HYD_E_PANIC) {
        poison.set();
    }
    let status = failure.status();
    error.write(failure);
    status
}

fn caught(panic: Box<dyn Any + Send>) -> Failure {
    let failure = Failure::of_panic(&*panic);
    // Dropping what a panic carries may panic again, with nobody left to catch it.
    std::mem::forget(panic);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_and_poisons_the_engine_in_use() {
        let poison = Poison::default();
        let panicking = entry(ErrorOut::NONE, |entry| {
            entry.uses(&poison)?;
            panic!("on purpose");
        });
        assert_eq!(panicking, status::HYD_E_PANIC);
        let later = entry(ErrorOut::NONE, |entry| entry.uses(&poison));
        assert_eq!(later, status::HYD_E_PANIC);
    }

    #[test]
    fn a_task_that_panicked_on_a_core_poisons_too() {
        let poison = Poison::default();
        let failing = entry(ErrorOut::NONE, |entry| {
            entry.uses(&poison)?;
            let error = hydrant::engine::Error::Panicked { message: "on purpose".into() };
            Err(hydrant::Error::from(error).into())
        });
        assert_eq!(failing, status::HYD_E_PANIC);
        assert!(poison.check().is_err());
    }

    #[test]
    fn an_ordinary_failure_poisons_nothing() {
        let poison = Poison::default();
        let failing = entry(ErrorOut::NONE, |entry| {
            entry.uses(&poison)?;
            Err(Failure::invalid("nonsense"))
        });
        assert_eq!(failing, status::HYD_E_INVALID);
        assert!(poison.check().is_ok());
    }

    #[test]
    fn a_panic_that_panics_when_dropped_is_caught_too() {
        struct Again;
        impl Drop for Again {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let status = entry(ErrorOut::NONE, |_| std::panic::panic_any(Again));
        assert_eq!(status, status::HYD_E_PANIC);
    }
}
