//! `cargo xtask`: the chores of this workspace, one file a command.
//!
//! - `check` reads: the rules of the house, format, lints, documentation, dependencies;
//! - `test` sets up and runs everything;
//! - `storm` runs the engine with as many seeds as one likes;
//! - `fuzz` runs what reads foreign bytes with inputs of its own making;
//! - `garage` tests against a server of another make that takes long to build;
//! - `dist` lays the C library out for installing;
//! - `bench` measures, and says met, missed or undecided.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of chores speaks on its terminal"
)]

mod asan;
mod bench;
mod check;
mod debian;
mod deny;
mod dist;
mod failure;
mod footprint;
mod fuzz;
mod garage;
mod rules;
mod shell;
mod sizes;
mod steps;
mod storm;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use failure::{Failure, Result};

/// The chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The rules of the house, format, lints, documentation and dependencies.
    Check(check::Args),
    /// Set up and run everything: packages, checks, tests, the sanitizer.
    Test(test::Args),
    /// Seeded runs of the engine in simulated worlds where everything goes wrong.
    Storm(storm::Args),
    /// Run the fuzz targets: what reads bytes that others wrote.
    Fuzz(fuzz::Args),
    /// Install Garage, an S3 server of another make, and run the tests against it.
    ///
    /// `HYDRANT_GARAGE` names one that is there already.
    Garage,
    /// Lay the C library out for installing: a tree, a tarball, Debian packages.
    Dist(dist::Args),
    /// Measure. Prints what was run on what, and a verdict.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let done = workspace_root().and_then(|root| match Cli::parse().command {
        Command::Check(args) => check::run(&root, &args),
        Command::Test(args) => test::run(&root, &args),
        Command::Storm(args) => storm::run(&root, &args),
        Command::Fuzz(args) => fuzz::run(&root, &args),
        Command::Garage => garage::run(&root),
        Command::Dist(args) => dist::run(&root, &args),
        Command::Bench(bench) => bench::run(&root, bench),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The nearest folder, from here upwards, whose manifest names a workspace.
fn workspace_root() -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(|cause| Failure::io("the current folder", cause))?;
    here.ancestors()
        .find(|folder| {
            std::fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|text| text.contains("[workspace]"))
        })
        .map(PathBuf::from)
        .ok_or_else(|| Failure::new(format!("{} lies in no cargo workspace", here.display())))
}
