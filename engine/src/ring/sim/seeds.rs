//! Running one test with many seeds.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs `test` with the seeds from 0 to `count`; one that fails is named in the panic.
///
/// `HYDRANT_SEED=n` runs that seed alone, `HYDRANT_SEEDS=n` sets how many there are, and
/// `HYDRANT_SEEDS=from..to` runs those from `from` to below `to`.
///
/// # Panics
/// When the test panics.
pub fn seeds(count: u64, test: impl Fn(u64)) {
    for seed in wanted(count, |variable| std::env::var(variable).ok()) {
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

fn wanted(count: u64, variable: impl Fn(&str) -> Option<String>) -> Range<u64> {
    if let Some(seed) = variable("HYDRANT_SEED") {
        let seed = number("HYDRANT_SEED", &seed);
        return seed..seed + 1;
    }
    match variable("HYDRANT_SEEDS") {
        None => 0..count,
        Some(text) => match text.split_once("..") {
            None => 0..number("HYDRANT_SEEDS", &text),
            Some((from, to)) => number("HYDRANT_SEEDS", from)..number("HYDRANT_SEEDS", to),
        },
    }
}

fn number(variable: &str, text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{variable} is made of numbers, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given<'a>(name: &'a str, value: &'a str) -> impl Fn(&str) -> Option<String> + 'a {
        move |variable| (variable == name).then(|| value.to_owned())
    }

    #[test]
    fn one_seed_a_number_of_them_or_a_range() {
        assert_eq!(wanted(7, |_| None), 0..7);
        assert_eq!(wanted(7, given("HYDRANT_SEED", "12")), 12..13);
        assert_eq!(wanted(7, given("HYDRANT_SEEDS", "12")), 0..12);
        assert_eq!(wanted(7, given("HYDRANT_SEEDS", "5..12")), 5..12);
    }

    #[test]
    #[should_panic(expected = "HYDRANT_SEEDS is made of numbers, not \"many\"")]
    fn what_is_no_number_is_refused() {
        wanted(7, given("HYDRANT_SEEDS", "many"));
    }
}
