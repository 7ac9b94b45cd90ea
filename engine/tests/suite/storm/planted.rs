//! Bugs that are planted on purpose are found by the storm.

use std::process::Command;

use hydrant_engine::PlantedBug;

use super::run;

/// A planted bug is found within so many.
const BUG_SEEDS_MAX: u64 = 1000;

/// Names the bug to a copy of this test in a process of its own: a bug may end in an abort.
const PLANTED: &str = "HYDRANT_TEST_PLANTED";

#[test]
#[expect(clippy::print_stdout, reason = "how a bug shows is to be seen")]
fn every_planted_bug_is_found() {
    if let Ok(name) = std::env::var(PLANTED) {
        return run_with_bug(&name);
    }
    for bug in PlantedBug::ALL {
        let mut copy = Command::new(std::env::current_exe().expect("this program"));
        copy.args(["--exact", "storm::planted::every_planted_bug_is_found", "--nocapture"]);
        let copy = copy.env(PLANTED, format!("{bug:?}")).env("RUST_BACKTRACE", "0");
        let output = copy.output().expect("started");
        let text = String::from_utf8_lossy(&output.stdout);
        let seed = text.lines().rev().find_map(|line| line.strip_prefix("planted, seed "));
        let seed = seed.expect("it ran");
        assert!(!output.status.success(), "{bug:?} is not found in {BUG_SEEDS_MAX} seeds");
        println!("{bug:?} is found by seed {seed}");
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn run_with_bug(name: &str) {
    let named = PlantedBug::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
    let bug = Some(named.expect("the name of a bug"));
    // Bugs that cause no error are found where the world causes none either: in even seeds.
    for seed in 0..BUG_SEEDS_MAX {
        println!("planted, seed {seed}");
        run(seed, bug);
    }
}
