//! A file for each command, and the way to them.
//!
//! Commands read their arguments, call the library, and write results. They run as one future on
//! the main thread, so that a signal ends them by dropping what they hold. `serve` alone runs on
//! its own: it has a runtime, and signals end it well.

mod bench;
mod cat;
mod cp;
mod demo;
mod doctor;
mod ls;
mod rm;
mod serve;
mod stat;
mod uploads;
mod verify;

use clap::Subcommand;

use crate::exit::Failure;
use crate::options::Options;
use crate::signals;

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(demo::Args),
    Bench(bench::Args),
    Serve(serve::Args),
    Cp(cp::Args),
    Ls(ls::Args),
    Stat(stat::Args),
    Cat(cat::Args),
    Rm(rm::Args),
    Uploads(uploads::Args),
    Verify(verify::Args),
    Doctor(doctor::Args),
}

impl Command {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Demo(_) => "demo",
            Command::Bench(args) => args.name(),
            Command::Serve(_) => "serve",
            Command::Cp(_) => "cp",
            Command::Ls(_) => "ls",
            Command::Stat(_) => "stat",
            Command::Cat(_) => "cat",
            Command::Rm(_) => "rm",
            Command::Uploads(args) => args.name(),
            Command::Verify(_) => "verify",
            Command::Doctor(_) => "doctor",
        }
    }
}

/// Runs a command to its end.
pub fn run(command: Command, options: &Options) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => signals::run(demo::run(args, options)),
        Command::Bench(args) => bench::run(args, options),
        Command::Serve(args) => serve::run(args, options),
        Command::Cp(args) => signals::run(cp::run(args, options)),
        Command::Ls(args) => signals::run(ls::run(args, options)),
        Command::Stat(args) => signals::run(stat::run(args, options)),
        Command::Cat(args) => signals::run(cat::run(args, options)),
        Command::Rm(args) => signals::run(rm::run(args, options)),
        Command::Uploads(args) => signals::run(uploads::run(args, options)),
        Command::Verify(args) => signals::run(verify::run(args, options)),
        Command::Doctor(args) => signals::run(doctor::run(args, options)),
    }
}
