//! `hydrant bench`: what the engine alone does on this machine, without any store: a disk, a
//! network.
//!
//! Figures come from one list for people and programs alike ([`figures`]). This room measures and
//! judges nothing: `cargo xtask bench` compares.

mod disk;
mod figures;
mod latency;
mod length;
mod net;
mod setup;

use clap::Subcommand;

use crate::exit::Failure;
use crate::options::Options;
use crate::signals;

/// Measure the engine on this machine: a disk, a network
///
/// Unlike `demo` there is no S3 in it: the bytes go between memory and the device, and the figures
/// are those of the kernel, the device and the engine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench disk /mnt/nvme/file --rw randread
  hydrant bench net loopback
  hydrant bench disk --help")]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    Disk(disk::Args),
    Net(net::Args),
}

impl Args {
    /// The name of the command on the command line.
    pub fn name(&self) -> &'static str {
        match &self.bench {
            Bench::Disk(_) => disk::NAME,
            Bench::Net(args) => args.name(),
        }
    }
}

/// Runs it.
pub fn run(args: Args, options: &Options) -> Result<(), Failure> {
    match args.bench {
        Bench::Disk(args) => signals::run(disk::run(args, options)),
        Bench::Net(args) => net::run(args, options),
    }
}
