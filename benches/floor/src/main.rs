//! `hydrant-floor`: runs one floor and prints one line of JSON. Leaves with status 1 when a call is
//! refused or an answer is not what it should be.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hydrant_floor::copy::Copy;
use hydrant_floor::failure::{Failure, Result};
use hydrant_floor::report::Report;
use hydrant_floor::transfer::{Direction, Transfer};
use hydrant_floor::{Engine, measure};

/// The least work the kernel needs. All sizes are bytes.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Receive an object by ranged GETs and discard it.
    Get(TransferArgs),
    /// Send by PUTs to PATH.0, PATH.1 and so on, one URL a connection.
    Put(TransferArgs),
    /// Copy a file with O_DIRECT.
    Copy(CopyArgs),
    /// Run any program and report the CPU time of its whole process in a last line.
    Measure {
        /// Payload that the program moves.
        #[arg(long)]
        bytes: u64,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum EngineArg {
    Threads,
    Uring,
}

#[derive(Args)]
struct TransferArgs {
    /// Which system calls.
    #[arg(long, value_enum)]
    engine: EngineArg,
    /// The server, as 127.0.0.1:9000.
    #[arg(long)]
    address: SocketAddr,
    /// The path of the object, as /bucket/key.
    #[arg(long)]
    path: String,
    /// Payload in all.
    #[arg(long)]
    bytes: u64,
    /// Payload a request.
    #[arg(long, default_value_t = 8 << 20)]
    range_bytes: u64,
    /// The reused buffer of each connection.
    #[arg(long, default_value_t = 1 << 20)]
    buffer_bytes: usize,
    /// Connections in all.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Threads (or rings) they are dealt to.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Receive with MSG_WAITALL.
    #[arg(long)]
    wait_all: bool,
}

#[derive(Args)]
struct CopyArgs {
    /// Which system calls.
    #[arg(long, value_enum)]
    engine: EngineArg,
    /// The file to read.
    source: PathBuf,
    /// The file to write; it is overwritten.
    destination: PathBuf,
    /// Bytes a read and a write, a multiple of 4096. Above 512 KiB the kernel hands O_DIRECT to
    /// worker threads.
    #[arg(long, default_value_t = 512 << 10)]
    block_bytes: usize,
    /// Blocks in flight.
    #[arg(long, default_value_t = 32)]
    queue_depth: usize,
    /// Finish with fsync.
    #[arg(long)]
    fsync: bool,
}

fn main() -> ExitCode {
    let printed = run(Cli::parse().command).and_then(|report| {
        report.print().map_err(|cause| Failure::refused("printing the report", cause))
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed too; then the status alone speaks.
            let _ = writeln!(io::stderr(), "hydrant-floor: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<Report> {
    match command {
        Command::Get(args) => args.transfer(Direction::Get).run(),
        Command::Put(args) => args.transfer(Direction::Put).run(),
        Command::Copy(args) => args.copy().run(),
        Command::Measure { bytes, command } => measure::run(&command, bytes),
    }
}

impl TransferArgs {
    fn transfer(self, direction: Direction) -> Transfer {
        Transfer {
            direction,
            engine: self.engine.into(),
            address: self.address,
            path: self.path,
            bytes: self.bytes,
            range_bytes: self.range_bytes,
            buffer_bytes: self.buffer_bytes,
            connections: self.connections,
            threads: self.threads,
            wait_all: self.wait_all,
        }
    }
}

impl CopyArgs {
    fn copy(self) -> Copy {
        Copy {
            engine: self.engine.into(),
            source: self.source,
            destination: self.destination,
            block_bytes: self.block_bytes,
            queue_depth: self.queue_depth,
            fsync: self.fsync,
        }
    }
}

impl From<EngineArg> for Engine {
    fn from(engine: EngineArg) -> Self {
        match engine {
            EngineArg::Threads => Self::Threads,
            EngineArg::Uring => Self::Uring,
        }
    }
}
