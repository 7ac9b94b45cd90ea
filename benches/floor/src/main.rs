//! `hydrant-floor`: runs one floor and prints one line of JSON. Leaves with status 1 when a call is
//! refused or an answer is not what it should be.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hydrant::{ChecksumAlgorithm, Crc64, Sum};
use hydrant_floor::ask::Ask;
use hydrant_floor::blocks::sink::Sink;
use hydrant_floor::blocks::{Blocks, Way};
use hydrant_floor::copy::{Copy, Half};
use hydrant_floor::failure::{Failure, Result};
use hydrant_floor::tls::{Interface, Tls};
use hydrant_floor::transfer::{Direction, Transfer};
use hydrant_floor::{Engine, measure, sum};

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
    /// Send blocks to a sink.
    Send(BlocksArgs),
    /// Receive blocks from a sink.
    Receive(BlocksArgs),
    /// Be a sink until killed. The first line on standard output is the address.
    Sink {
        /// Where to listen; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Print the CRC-64/NVME of a file, in base64.
    Sum {
        /// The file.
        file: PathBuf,
    },
    /// Be the load on a server that answers every message with itself.
    Ask(AskArgs),
    /// Run any program and report the CPU time and memory of its whole process in a last line.
    Measure {
        /// Payload that the program moves.
        #[arg(long)]
        bytes: u64,
        /// How often it is run, one after the other.
        #[arg(long, default_value_t = 1)]
        times: u32,
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
    /// Speak TLS and trust the certificates of this file (PEM). GET alone.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// By which calls of rustls.
    #[arg(long, value_enum, default_value_t = InterfaceArg::Unbuffered)]
    interface: InterfaceArg,
    /// Sum what arrives, and find this CRC-64/NVME of the whole, in base64. GET alone.
    #[arg(long, value_name = "BASE64", value_parser = crc64)]
    crc64nvme: Option<Crc64>,
}

fn crc64(text: &str) -> std::result::Result<Crc64, String> {
    let sum = Sum::parse(ChecksumAlgorithm::Crc64Nvme, text);
    sum.and_then(|sum| sum.crc64nvme()).ok_or_else(|| "not eight bytes in base64".to_owned())
}

#[derive(Clone, Copy, ValueEnum)]
enum InterfaceArg {
    Buffered,
    Unbuffered,
}

#[derive(Args)]
struct BlocksArgs {
    /// Which system calls.
    #[arg(long, value_enum)]
    engine: EngineArg,
    /// The sink, as 127.0.0.1:9000.
    #[arg(long)]
    address: SocketAddr,
    /// Payload in all, a multiple of a block.
    #[arg(long)]
    bytes: u64,
    /// A block, and the reused buffer of each connection.
    #[arg(long, default_value_t = 1 << 20)]
    block_bytes: usize,
    /// Connections, all of one thread.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Receive with MSG_WAITALL.
    #[arg(long)]
    wait_all: bool,
}

#[derive(Args)]
struct AskArgs {
    /// The server, as 127.0.0.1:9000.
    #[arg(long)]
    address: SocketAddr,
    /// Connections, each with one message under way.
    #[arg(long)]
    connections: usize,
    /// Bytes of a message.
    #[arg(long)]
    message_bytes: usize,
    /// Seconds in which messages are begun.
    #[arg(long)]
    seconds: f64,
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
    /// Leave one half of the work out; what is written is then whatever the memory holds.
    #[arg(long, value_enum)]
    only: Option<HalfArg>,
}

#[derive(Clone, Copy, ValueEnum)]
enum HalfArg {
    Read,
    Write,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed too; then the status alone speaks.
            let _ = writeln!(io::stderr(), "hydrant-floor: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn print(line: impl std::fmt::Display) -> Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|cause| Failure::refused("writing to standard output", cause))
}

fn sink(listen: SocketAddr) -> Result<()> {
    let sink = Sink::bind(listen)?;
    print(sink.address())?;
    sink.serve()
}

fn run(command: Command) -> Result<()> {
    let report = match command {
        Command::Sink { listen } => return sink(listen),
        Command::Sum { file } => return print(sum::of_file(&file)?),
        Command::Get(args) => args.transfer(Direction::Get).run(),
        Command::Put(args) => args.transfer(Direction::Put).run(),
        Command::Copy(args) => args.copy().run(),
        Command::Send(args) => args.blocks(Way::Send).run(),
        Command::Receive(args) => args.blocks(Way::Receive).run(),
        Command::Ask(args) => args.ask().run(),
        Command::Measure { bytes, times, command } => measure::run(&command, bytes, times),
    };
    print(report?.json())
}

impl TransferArgs {
    fn transfer(self, direction: Direction) -> Transfer {
        let interface = match self.interface {
            InterfaceArg::Buffered => Interface::Buffered,
            InterfaceArg::Unbuffered => Interface::Unbuffered,
        };
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
            tls: self.ca.map(|authority| Tls { interface, authority }),
            sum: self.crc64nvme,
        }
    }
}

impl BlocksArgs {
    fn blocks(self, way: Way) -> Blocks {
        Blocks {
            way,
            engine: self.engine.into(),
            address: self.address,
            bytes: self.bytes,
            block_bytes: self.block_bytes,
            connections: self.connections,
            wait_all: self.wait_all,
        }
    }
}

impl AskArgs {
    fn ask(self) -> Ask {
        Ask {
            address: self.address,
            connections: self.connections,
            message_bytes: self.message_bytes,
            time: Duration::from_secs_f64(self.seconds),
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
            only: self.only.map(|half| match half {
                HalfArg::Read => Half::Read,
                HalfArg::Write => Half::Write,
            }),
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
