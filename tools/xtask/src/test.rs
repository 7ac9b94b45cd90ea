//! `cargo xtask test`: sets up and runs everything a change has to pass, on a bare machine too.

use std::path::Path;
use std::process::Command;

use crate::failure::Result;
use crate::shell::{self, cargo};
use crate::steps::{self, Outcome, Selection, Step};
use crate::{asan, check, debian, footprint, fuzz, storm};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
}

/// Ahead of the steps of `check`.
const SETUP: &[Step] = &[
    Step { name: "packages", about: "the Debian packages the tests need", run: packages },
    check::INSTALL,
];

/// After them. The tests of the crates run in the dev profile, which builds fast and asserts
/// (`POOL-2`); the tests of the whole system move gigabytes and run in release.
const TESTS: &[Step] = &[
    Step {
        name: "crates",
        about: "the tests of each crate, and of the documentation",
        run: crates,
    },
    Step { name: "storm", about: "10,000 seeded runs of the engine, with every fault", run: storm },
    Step {
        name: "models",
        about: "every order of the steps of what threads share (loom)",
        run: models,
    },
    Step { name: "fuzz", about: "the fuzz targets, some seconds each", run: fuzz::short },
    Step { name: "programs", about: "the program and the C library, as released", run: programs },
    Step {
        name: "system",
        about: "whole-system tests: real servers, faults, crashes",
        run: system,
    },
    Step {
        name: "asan-canary",
        about: "AddressSanitizer finds a planted use after free",
        run: asan::canary,
    },
    Step {
        name: "asan",
        about: "the tests of the engine under AddressSanitizer",
        run: asan::engine,
    },
    Step {
        name: "asan-c",
        about: "C programs and the library under AddressSanitizer",
        run: asan::c_programs,
    },
];

pub fn run(root: &Path, args: &Args) -> Result<()> {
    steps::run(root, &[SETUP, check::STEPS, TESTS].concat(), &args.selection)
}

fn packages(_root: &Path) -> Result<Outcome> {
    debian::need(debian::FOR_TESTS)?;
    Ok(Outcome::Passed)
}

fn crates(root: &Path) -> Result<Outcome> {
    shell::run(&mut cargo(
        root,
        &["test", "--quiet", "--workspace", "--exclude", "hydrant-tests"],
    ))?;
    // The program turns this feature on, and whoever builds the library alone does not.
    let told = ["test", "--quiet", "-p", "hydrant-engine", "--features", "tracing"];
    shell::run(&mut cargo(root, &[&told[..], &["--test", "tracing"]].concat()))?;
    Ok(Outcome::Passed)
}

fn storm(root: &Path) -> Result<Outcome> {
    storm::run(root, &storm::Args::default())?;
    Ok(Outcome::Passed)
}

/// The flag is given to the tests of the engine alone, so that all else is there already.
fn models(root: &Path) -> Result<Outcome> {
    let mut build = cargo(root, &["rustc", "--quiet", "-p", "hydrant-engine", "--lib"]);
    build.args(["--profile", "test", shell::JSON, "--", "--cfg", "hydrant_model"]);
    let program = shell::executable(&mut build)?;
    shell::run(Command::new(program).current_dir(root.join("engine")).arg("models::"))?;
    Ok(Outcome::Passed)
}

fn programs(root: &Path) -> Result<Outcome> {
    // Together, so that what both need is built once. The library gets what the program turns on, and
    // is larger by that than it is alone.
    shell::run(&mut cargo(
        root,
        &["build", "--quiet", "--release", "-p", "hydrant-cli", "-p", "hydrant-ffi"],
    ))?;
    footprint::check(root, &shell::target_folder(root).join("release/libhydrant.a"))?;
    Ok(Outcome::Passed)
}

fn system(root: &Path) -> Result<Outcome> {
    shell::run(&mut cargo(root, &["test", "--quiet", "--release", "-p", "hydrant-tests"]))?;
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let table = [SETUP, check::STEPS, TESTS].concat();
        let mut names: Vec<_> = table.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), table.len());
    }
}
