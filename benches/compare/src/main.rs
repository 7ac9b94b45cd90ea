//! `hydrant-compare RUNTIME WORKLOAD`: runs one workload in one runtime and prints one line of JSON
//! with the operations and the CPU time of this process. `cargo xtask bench compare` runs all of
//! them in turn and takes the ratios.
//!
//! Each runtime has one file, written as its users would write it well. What is the same for all
//! lies in [`work`]: the offsets that are read, the load on an echo, the clock, the meter.

mod runtimes;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::runtimes::Runtime;
use crate::work::{Echo, Failure, HandOver, Meter, Processor, Reads, pin};

/// One workload in one runtime.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[arg(value_enum)]
    runtime: Name,
    #[arg(value_enum)]
    workload: Workload,
    /// How long operations are begun.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// The file of `reads`.
    #[arg(long, required_if_eq("workload", "reads"))]
    file: Option<PathBuf>,
    /// The program `hydrant-floor`, whose `ask` is the load of `echo` and `ping`.
    #[arg(long, required_if_eq_any([("workload", "echo"), ("workload", "ping")]))]
    load: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    Hydrant,
    Tokio,
    TokioUring,
    Compio,
    Monoio,
    Glommio,
}

#[derive(Clone, Copy, ValueEnum)]
enum Workload {
    /// 4 KiB at random past the page cache, 64 in flight
    Reads,
    /// A server that answers 64 connections with what they send, 1 KiB a message
    Echo,
    /// The same with one connection and one byte
    Ping,
    /// Work that does nothing, handed to a core by another thread and waited for
    HandOver,
}

#[expect(clippy::print_stdout, reason = "the result of the run")]
#[expect(clippy::print_stderr, reason = "a program tells its user there what went wrong")]
fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("hydrant-compare: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<String, Failure> {
    let runtime = cli.runtime.runtime();
    let meter = Meter::new(Duration::from_secs_f64(cli.seconds));
    let operations = match (cli.workload, cli.file, cli.load) {
        (Workload::Reads, Some(file), _) => {
            let reads = Reads::new(&meter, file)?;
            (runtime.reads)(reads.clone())?;
            reads.operations()
        }
        (Workload::Echo, _, Some(load)) => echo(&runtime, Echo::many(&meter, load))?,
        (Workload::Ping, _, Some(load)) => echo(&runtime, Echo::ping(&meter, load))?,
        (Workload::HandOver, ..) => {
            let hand_over = HandOver::new(&meter);
            pin(Processor::First)?;
            (runtime.hand_over)(hand_over.clone())?;
            hand_over.operations()
        }
        _ => unreachable!("clap has asked for the file and the load"),
    };
    meter.line(operations)
}

fn echo(runtime: &Runtime, echo: Echo) -> Result<u64, Failure> {
    pin(Processor::First)?;
    (runtime.echo)(echo.clone())?;
    echo.operations()
}

impl Name {
    fn runtime(self) -> Runtime {
        match self {
            Name::Hydrant => runtimes::hydrant::RUNTIME,
            Name::Tokio => runtimes::tokio::RUNTIME,
            Name::TokioUring => runtimes::tokio_uring::RUNTIME,
            Name::Compio => runtimes::compio::RUNTIME,
            Name::Monoio => runtimes::monoio::RUNTIME,
            Name::Glommio => runtimes::glommio::RUNTIME,
        }
    }
}
