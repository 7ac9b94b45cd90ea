//! `hydrant bench`: what the engine alone does on this machine, a disk and a network, and what it does
//! with any store.
//!
//! Figures come from one list for people and programs alike ([`figures`]). This room measures and
//! judges nothing: `cargo xtask bench` compares.

mod disk;
mod figures;
mod latency;
mod length;
mod net;
mod setup;
mod store;

use clap::Subcommand;

use crate::exit::Failure;
use crate::options::Options;
use crate::signals;

/// Measure a store, or the engine on this machine: a disk, a network
///
/// `get` and `put` move objects between memory and any store. `disk` and `net` have no store in them:
/// the bytes go between memory and the device, and the figures are those of the kernel, the device
/// and the engine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench disk /mnt/nvme/file --rw randread
  hydrant bench net loopback
  hydrant bench put s3://scratch/bench/ --sizes 1MiB --connections 32
  hydrant bench disk --help")]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    Disk(disk::Args),
    Net(net::Args),
    Get(store::GetArgs),
    Put(store::PutArgs),
}

impl Args {
    /// The name of the command on the command line.
    pub fn name(&self) -> &'static str {
        match &self.bench {
            Bench::Disk(_) => disk::NAME,
            Bench::Net(args) => args.name(),
            Bench::Get(_) => "bench get",
            Bench::Put(_) => "bench put",
        }
    }
}

/// Runs it.
pub fn run(args: Args, options: &Options) -> Result<(), Failure> {
    match args.bench {
        Bench::Disk(args) => signals::run(disk::run(args, options)),
        Bench::Net(args) => net::run(args, options),
        Bench::Get(args) => store::get(args, options),
        Bench::Put(args) => store::put(args, options),
    }
}
