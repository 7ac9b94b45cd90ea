//! The program `hydrant`: copies, lists and serves objects, and measures itself.
//!
//! It adds a face and no capability: what a command does is one call of the crate `hydrant`, or of
//! `hydrant-server`. Payload goes to stdout and nothing else does while it goes; what people read
//! about the work goes to stderr, and its last line says what failed.
//!
//! - [`commands`] has a file for each command and says how they are dispatched.
//! - [`options`] are those of every command; [`place`] reads `SRC` and `DST`.
//! - [`help`] is what `--help` teaches beyond the options.
//! - [`exit`] is the promise about exit codes; [`signals`] ends a command early but cleanly.
//! - [`pipe`] is stdin and stdout, [`progress`] the bar; [`sizes`], [`times`], [`human`], [`table`]
//!   and [`json`] read and write numbers, times and lines.
//! - [`log`] tells what the engine says of itself, where that is asked for.
//! - [`took`] and [`usage`] measure; [`random`] makes bytes; [`helper`] is this program once more.

#![forbid(unsafe_code)]

mod commands;
mod exit;
mod help;
mod helper;
mod human;
mod json;
mod log;
mod options;
mod pipe;
mod place;
mod probe;
mod progress;
mod random;
mod s3_args;
mod signals;
mod sizes;
mod table;
mod tally;
mod times;
mod took;
mod usage;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use commands::Command;
use exit::USAGE;
use options::Options;

/// Moves objects between S3 stores, disks and pipes with io_uring, for little CPU and within a
/// fixed amount of memory.
#[derive(Debug, Parser)]
#[command(name = "hydrant", version, after_help = help::SHORT, after_long_help = help::LONG)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    cli.options.log.into_iter().for_each(log::to_stderr);
    let name = cli.command.name();
    match commands::run(cli.command, &cli.options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            exit::report(name, &failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Help and version are no errors; everything else that clap says is wrong usage.
fn explain(error: &clap::Error) -> ExitCode {
    // Where neither stdout nor stderr can be written there is nobody to tell.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(USAGE),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_stand_before_and_behind_the_command() {
        for line in ["hydrant --cores 2 ls s3://b", "hydrant ls s3://b --cores 2"] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            assert_eq!(cli.options.cores, Some(2));
        }
    }
}
