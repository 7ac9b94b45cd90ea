//! Running one test with many seeds.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs `test` with the seeds from 0 to `count`; one that fails is named in the panic.
///
/// `HYDRANT_SEED=n` runs that seed alone, and `HYDRANT_SEEDS=n` sets how many there are.
///
/// # Panics
/// When the test panics.
pub fn seeds(count: u64, test: impl Fn(u64)) {
    let range = match number("HYDRANT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HYDRANT_SEEDS").unwrap_or(count),
    };
    for seed in range {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) else { continue };
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        match message {
            Some(message) => panic!("seed {seed} (HYDRANT_SEED={seed} runs it alone): {message}"),
            None => resume_unwind(panic),
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}
