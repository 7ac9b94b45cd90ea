//! Models of what threads share: loom runs each with every order of their steps that the memory
//! model allows, within the bounds of `model`. `docs/decisions/0012-models.md` tells why.
//!
//! A lost wake-up shows as a deadlock. Each file also makes the mistake that its room must not make,
//! and expects to be told. `cargo xtask test --only models` runs them all.

mod engine;
mod inbox;
mod park;
mod pool;
mod service;
mod tasks;

use std::sync::Arc;

use loom::sync::{Condvar, Mutex};

/// All orders with at most three switches that a thread did not ask for: by experience that finds
/// nearly every mistake (loom's own advice), and each model ends within seconds.
fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 20_000;
    builder.check(body);
}

/// What an eventfd is to a sleeping core: a signal stays until somebody has waited for it.
#[derive(Default)]
struct Eventfd {
    signalled: Mutex<bool>,
    changed: Condvar,
}

impl Eventfd {
    fn new() -> Arc<Eventfd> {
        Arc::default()
    }

    fn signal(&self) {
        *self.signalled.lock().expect("no panic") = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut signalled = self.signalled.lock().expect("no panic");
        while !*signalled {
            signalled = self.changed.wait(signalled).expect("no panic");
        }
        *signalled = false;
    }

    /// A signal that is there already is taken.
    fn take(&self) {
        *self.signalled.lock().expect("no panic") = false;
    }
}
