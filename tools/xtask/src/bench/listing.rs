//! `cargo xtask bench listing`: all keys beneath a prefix, as a client hands them on, beside
//! `object_store`. The pages lie ready in nginx: what is measured is the client.

use std::path::Path;

use super::contestant::{Contestant, Sample, Shown, Yardstick, in_turn, middle, ratio};
use super::machine::Machine;
use super::pipelines::install::{Home, Name};
use super::pipelines::peers::{self, Face, Peer};
use super::server::{BUCKET, KEYS, Server};
use super::stats::Verdict;
use crate::failure::{Failure, Result};

/// Fewer are shown and decide nothing.
const LEAST_PAIRS: u16 = 15;
const LEAST_KEYS: u64 = 1_000_000;
/// Hydrant costs at most the peer's CPU time divided by this.
const BAR: f64 = 5.0;

#[derive(clap::Args)]
pub struct Args {
    /// Runs of each client. Fewer than 15 decide nothing.
    #[arg(long, default_value_t = LEAST_PAIRS, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Keys that are listed. Fewer than a million decide nothing.
    #[arg(long, default_value_t = LEAST_KEYS, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// # Errors
/// When the bar is not met, or something does not run at all.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    let (home, built) = Home::set_up(root)?;
    let clients = [home.hydrant()?, home.peer(Name::ObjectStore)?];
    println!("{}", Machine::here());
    for Peer { name, version, .. } in &clients {
        println!("    {name} {version}");
    }
    let server = Server::start_with_keys(args.keys)?;
    let contestants = clients.map(|client| contestant(&client, &server, args.keys));
    let yardstick = Yardstick { program: built.find("hydrant-floor")?, bytes: args.keys };
    println!("\na listing of {} keys, a thousand a page", args.keys);
    let shown = Shown { unit: "CPU s", value: |sample| sample.cpu_s };
    let samples = in_turn(&contestants, args.pairs.into(), &yardstick, shown)?;
    let verdict = table(&contestants, &samples, args);
    if args.pairs < LEAST_PAIRS || args.keys < LEAST_KEYS {
        return Err(Failure::new("too small to decide: it takes 15 pairs of a million keys"));
    }
    match verdict {
        Verdict::Met => Ok(()),
        verdict => Err(Failure::new(format!("the bar is {verdict}"))),
    }
}

/// Keys stand in for bytes: it is they that a run proves.
fn contestant(client: &Peer, server: &Server, keys: u64) -> Contestant {
    let Face::Job(program) = &client.face else { unreachable!("both are programs of ours") };
    let environment = peers::KEYS.map(|(name, value)| format!("{name}={value}"));
    let job = [
        "list".to_owned(),
        format!("--endpoint=http://{}", server.address),
        format!("--bucket={BUCKET}"),
        format!("--key={KEYS}"),
        format!("--objects={keys}"),
        "--bytes=1".to_owned(),
        "--part-bytes=1".to_owned(),
        "--connections=1".to_owned(),
    ];
    let arguments = environment.into_iter().chain(program.clone()).chain(job).collect();
    Contestant::reporting(client.name, Path::new("env"), arguments, keys)
}

/// Prints the figures and gives the verdict.
fn table(contestants: &[Contestant], samples: &[Vec<Sample>], args: &Args) -> Verdict {
    let cpu: fn(&Sample) -> f64 = |sample| sample.cpu_s;
    println!("\n| listing | keys per CPU s | CPU µs/key | wall s | ours / theirs, CPU [95 %] |");
    println!("|---|---|---|---|---|");
    let against = ratio(&samples[0], &samples[1], cpu, args.seed);
    for (at, one) in contestants.iter().enumerate() {
        let (cpu_s, wall_s) =
            (middle(&samples[at], cpu), middle(&samples[at], |sample| sample.wall_s));
        let keys = args.keys as f64;
        let ratio = if at == 0 { String::new() } else { against.to_string() };
        let (per_s, each_us) = (keys / cpu_s, cpu_s / keys * 1e6);
        println!("| {} | {per_s:.0} | {each_us:.3} | {wall_s:.2} | {ratio} |", one.name);
    }
    let verdict = against.against(1.0 / BAR);
    println!("\nasked is {BAR} x: {verdict}");
    verdict
}
