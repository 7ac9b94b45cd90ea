//! `hydrant bench net`: bytes between memory and a socket, to and from a sink of our own.
//!
//! Payload is made in memory before the run and received into leases; nothing looks at it but for a
//! mark at the start of each block ([`wire`]). The sink is a process of its own, so that the figures
//! are those of one side.

mod blocks;
mod client;
mod report;
pub mod sink;
mod wire;

use std::net::SocketAddr;

use clap::Subcommand;
use hydrant::Hydrant;
use hydrant::engine::RecvMode;

use self::client::Work;
use self::report::Run;
use self::wire::{BLOCK_BYTES_MIN, Greeting, Way, ZeroCopy};
use super::length::Length;
use super::setup::{BLOCK_BYTES_MAX, Need};
use crate::exit::Failure;
use crate::helper::Helper;
use crate::human;
use crate::options::{Driver, Options};
use crate::signals;
use crate::sizes;

/// Connections of a client at most: as many as one core of a sink takes.
const CONNECTIONS_MAX: i64 = 1024;

/// Measure a network: bytes between memory here and memory there
///
/// A sink runs on the other machine, `send` and `receive` on this one. `loopback` does both here,
/// which measures the kernel and the engine but no network card.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench net loopback
  hydrant bench net sink --listen 192.0.2.7:9500                on one machine
  hydrant bench net send 192.0.2.7:9500 --connections 16        on the other
  hydrant bench net receive 192.0.2.7:9500 --block 8MiB --json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sink(sink::Args),
    Send(SendArgs),
    Receive(ReceiveArgs),
    Loopback(LoopbackArgs),
}

/// Send to a sink, and measure
///
/// Sent is what the sink has confirmed. A zero-copy send ends when the other end has acknowledged
/// it, so its latency is that of the network; a send with a copy ends when the kernel has the bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench net send 192.0.2.7:9500
  hydrant bench net send 192.0.2.7:9500 --connections 16 --zero-copy off --time 30s")]
struct SendArgs {
    /// Where the sink listens
    #[arg(value_name = "ADDRESS:PORT")]
    address: SocketAddr,

    #[command(flatten)]
    load: Load,

    /// Whether sends go without a copy
    #[arg(long, value_enum, default_value_t)]
    zero_copy: ZeroCopy,
}

/// Receive from a sink, and measure
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench net receive 192.0.2.7:9500
  hydrant bench net receive 192.0.2.7:9500 --connections 16 --cores 2 --bytes 64GiB --json")]
struct ReceiveArgs {
    /// Where the sink listens
    #[arg(value_name = "ADDRESS:PORT")]
    address: SocketAddr,

    #[command(flatten)]
    load: Load,

    /// Take what has come, up to a block, and do not wait for whole blocks
    #[arg(long)]
    pieces: bool,
}

/// Measure both directions on this machine: starts a sink of its own
///
/// The sink is another process with the same cores, pool and driver. The kernel always copies on
/// loopback, zero-copy sends too: they cost more here and gain nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench net loopback
  hydrant bench net loopback --direction send --connections 1 --block 256KiB
  hydrant bench net loopback --driver poll --json")]
struct LoopbackArgs {
    /// Which way; both is one after the other
    #[arg(long, value_enum, default_value_t)]
    direction: Direction,

    #[command(flatten)]
    load: Load,

    /// Whether sends go without a copy
    #[arg(long, value_enum, default_value_t)]
    zero_copy: ZeroCopy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Direction {
    Send,
    Receive,
    #[default]
    Both,
}

/// What goes over how many connections.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Load {
    /// Connections, shared out over the cores
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=CONNECTIONS_MAX))]
    connections: u16,

    /// Bytes of one send or receive
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = sizes::parse)]
    block: u64,

    #[command(flatten)]
    length: Length,

    /// Each core on a CPU of its own
    #[arg(long)]
    pin: bool,

    /// One object of JSON instead of the table
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The name of the command on the command line.
    pub fn name(&self) -> &'static str {
        match &self.command {
            Command::Sink(_) => sink::NAME,
            Command::Send(_) => "bench net send",
            Command::Receive(_) => "bench net receive",
            Command::Loopback(_) => "bench net loopback",
        }
    }
}

/// Runs it.
pub fn run(args: Args, options: &Options) -> Result<(), Failure> {
    let name = args.name();
    options.refuse_client(name)?;
    match args.command {
        Command::Sink(args) => sink::run(args, options),
        Command::Send(args) => {
            let ways = [(Way::Send, args.zero_copy)];
            signals::run(measure(args.address, args.load, &ways, RecvMode::Fill, options))
        }
        Command::Receive(args) => {
            let ways = [(Way::Receive, ZeroCopy::Auto)];
            let mode = if args.pieces { RecvMode::Some } else { RecvMode::Fill };
            signals::run(measure(args.address, args.load, &ways, mode, options))
        }
        Command::Loopback(args) => signals::run(loopback(args, options)),
    }
}

async fn loopback(args: LoopbackArgs, options: &Options) -> Result<(), Failure> {
    let need = args.load.check()?;
    let (_sink, line) = Helper::start("the sink", |command| {
        command
            .args(["bench", "net", "sink", "--listen", "127.0.0.1:0", "--stop-on-stdin-eof"])
            .args(["--print-address", "--quiet", "--driver", driver(options.driver)])
            .args(["--cores", &options.cores.unwrap_or(1).to_string()])
            .args(["--pool", &options.pool.map_or(need.pool_bytes(), |b| b as u64).to_string()]);
    })?;
    let address = line
        .parse()
        .map_err(|_| Failure::Short(format!("the sink told {line:?}, which is no address")))?;
    let both = [(Way::Send, args.zero_copy), (Way::Receive, args.zero_copy)];
    let ways = match args.direction {
        Direction::Send => &both[..1],
        Direction::Receive => &both[1..],
        Direction::Both => &both[..],
    };
    measure(address, args.load, ways, RecvMode::Fill, options).await
}

/// One direction after the other, with the same engine.
async fn measure(
    address: SocketAddr,
    load: Load,
    ways: &[(Way, ZeroCopy)],
    mode: RecvMode,
    options: &Options,
) -> Result<(), Failure> {
    let need = load.check()?;
    let client: Hydrant = need.start(options)?;
    let engine = client.engine();
    let until = load.length.until(load.block, load.connections.into())?;
    let mut runs = Vec::with_capacity(ways.len());
    let mut done = None;
    for &(way, zero_copy) in ways {
        let greeting = Greeting { way, zero_copy, block_bytes: load.block, until };
        let work = Work { address, connections: load.connections.into(), greeting, mode };
        let leases = need.leases(engine).await?;
        let (moved, took) = work.run(engine, leases, options).await?;
        runs.push(Run { way, moved, took });
        done = Some(work);
    }
    match done {
        Some(work) => report::print(engine, &work, &runs, load.json),
        None => Ok(()),
    }
}

impl Load {
    fn check(&self) -> Result<Need, Failure> {
        if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&self.block) {
            return Err(Failure::Usage(format!(
                "--block is at least {BLOCK_BYTES_MIN} B and at most {}",
                human::size(BLOCK_BYTES_MAX)
            )));
        }
        self.length.until(self.block, self.connections.into())?;
        Ok(Need { blocks: self.connections.into(), block_bytes: self.block, pin: self.pin })
    }
}

fn driver(driver: Driver) -> &'static str {
    match driver {
        Driver::Auto => "auto",
        Driver::Uring => "uring",
        Driver::Poll => "poll",
    }
}
