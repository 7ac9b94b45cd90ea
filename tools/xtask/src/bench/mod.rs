//! `cargo xtask bench`: measurements that anyone can rerun, decided by rules that are fixed
//! beforehand.
//!
//! Machines are shared and noisy, so nothing is decided by two numbers side by side: programs run
//! in turn, the ratio is taken pair by pair, and a bar is met or missed only when the whole 95 %
//! interval lies on one side of it.

mod compare;
mod contestant;
mod disk;
mod engine;
mod fio;
mod floor;
mod listing;
mod machine;
mod net;
mod pipelines;
mod programs;
mod scratch;
mod server;
mod stats;
mod table;
mod tls;
mod variant;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;

#[derive(Subcommand)]
pub enum Bench {
    /// Hydrant against the least work the kernel needs, over HTTP on loopback.
    Floor(floor::Args),
    /// The engine against fio on a file with O_DIRECT, and against raw sockets on loopback.
    Engine(engine::Args),
    /// The engine beside other runtimes.
    Compare(compare::Args),
    /// The pipelines beside other clients of S3.
    Pipelines(pipelines::Args),
    /// A listing of a million keys beside that of another client.
    Listing(listing::Args),
}

pub fn run(root: &Path, bench: Bench) -> Result<()> {
    match bench {
        Bench::Floor(args) => floor::run(root, &args),
        Bench::Engine(args) => engine::run(root, &args),
        Bench::Compare(args) => compare::run(root, &args),
        Bench::Pipelines(args) => pipelines::run(root, &args),
        Bench::Listing(args) => listing::run(root, &args),
    }
}
