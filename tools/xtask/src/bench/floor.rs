//! `cargo xtask bench floor`: the CPU time of Hydrant as a multiple of the least the kernel needs.
//!
//! The floor is the cheapest of its variants on this machine, found first. Then both run in turn,
//! with curl and, if given, a reference beside them: a floor that does not clearly beat curl is no
//! floor, and the run is void.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::contestant::{Contestant, Proof, Sample, Shown, Yardstick, in_turn, middle, ratio};
use super::machine::Machine;
use super::programs;
use super::server::{BUCKET, OBJECT, Server};
use super::stats::Verdict;
use super::table;
use super::variant::{Direction, Engine, Load, Variant};
use crate::debian;
use crate::failure::{Failure, Result};
use crate::sizes;

/// What Hydrant may cost, as a multiple of the floor.
const BAR: f64 = 1.25;
/// What the floor may cost, as a multiple of `curl -o /dev/null`.
const MOST_OF_CURL: f64 = 0.90;
/// What it may cost, as a multiple of the reference.
const MOST_OF_REFERENCE: f64 = 1.05;
/// A run of fewer or smaller pairs is shown and decides nothing.
const LEAST_PAIRS: u16 = 15;
const LEAST_BYTES: u64 = 4 << 30;
/// How many of the cheapest are measured again, and how often, before one is chosen.
const FINALISTS: usize = 4;
const FINAL_ROUNDS: usize = 7;
/// How often each variant runs in the search for the cheapest.
const CALIBRATION_ROUNDS: usize = 3;
/// Every run moves the same bytes.
const CPU_S: Shown = Shown { unit: "CPU s", value: |sample| sample.cpu_s };

#[derive(clap::Args)]
pub struct Args {
    /// Pairs of runs a direction. Fewer than 15 decide nothing.
    #[arg(long, default_value_t = LEAST_PAIRS, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Payload a run, as 4GiB; less decides nothing. The object lies in memory.
    #[arg(long, default_value = "4GiB", value_parser = sizes::parse)]
    bytes: u64,
    #[arg(long, value_enum, default_value_t = Directions::Both)]
    direction: Directions,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Cores of Hydrant, and rings of the floor.
    #[arg(long, default_value_t = 1)]
    cores: usize,
    /// Payload a request.
    #[arg(long, default_value = "8MiB", value_parser = sizes::parse)]
    range_bytes: u64,
    /// The pool of Hydrant; its default when not given.
    #[arg(long, value_parser = sizes::parse)]
    pool_bytes: Option<u64>,
    /// A second opinion on the floor: a program that takes the options of rawget (-m mode, -p port,
    /// -u path, -t threads, -c connections, -b buffer, -r range, -s bytes, -W).
    #[arg(long, value_name = "PATH")]
    reference: Option<PathBuf>,
    /// Of the object's bytes and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Directions {
    Get,
    Put,
    Both,
}

/// # Errors
/// When a bar is not met, a run is void, or something does not run at all.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    debian::need(debian::FOR_BENCHES)?;
    let programs = Programs::build(root)?;
    println!("{}", Machine::here());
    println!("an object of {} in memory, served by nginx on loopback", sizes::show(args.bytes));
    let server = Server::start(args.bytes, args.seed)?;
    let directions: &[Direction] = match args.direction {
        Directions::Get => &[Direction::Get],
        Directions::Put => &[Direction::Put],
        Directions::Both => &[Direction::Get, Direction::Put],
    };
    let mut open = Vec::new();
    for &direction in directions {
        let load = Load {
            direction,
            address: server.address,
            bytes: args.bytes,
            range_bytes: args.range_bytes,
            connections: args.connections,
            cores: args.cores,
        };
        let judgement = measure(args, &programs, &load)?;
        println!("{}: {judgement}", direction.word().to_uppercase());
        if judgement != Judgement::Decided(Verdict::Met) {
            open.push(format!("{} {judgement}", direction.word().to_uppercase()));
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("not met: {}", open.join("; "))))
    }
}

/// What a direction came to.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// The bar against the interval.
    Decided(Verdict),
    /// Nothing is said, because the floor is none.
    Void(String),
}

impl fmt::Display for Judgement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(verdict) => write!(out, "the bar of {BAR} is {verdict}"),
            Self::Void(reason) => write!(out, "void: {reason}"),
        }
    }
}

/// The two programs, built for release.
struct Programs {
    floor: PathBuf,
    client: PathBuf,
}

impl Programs {
    fn build(root: &Path) -> Result<Self> {
        let built = programs::build(root, "hydrant-floor")?;
        Ok(Self { floor: built.find("hydrant-floor")?, client: built.find("hydrant-client")? })
    }
}

/// One direction: calibrates, runs the pairs, prints the table.
fn measure(args: &Args, programs: &Programs, load: &Load) -> Result<Judgement> {
    let yardstick = Yardstick { program: programs.floor.clone(), bytes: load.bytes };
    let variant = cheapest(programs, load, &yardstick)?;
    let mut contestants = vec![
        ours(args, programs, load),
        Contestant::reporting("floor", &programs.floor, variant.arguments(load), load.bytes),
    ];
    if load.direction == Direction::Get {
        contestants.push(curl(load));
    }
    if let Some(program) = &args.reference {
        contestants.push(reference(program, load, &variant));
    }
    let samples = in_turn(&contestants, usize::from(args.pairs), &yardstick, CPU_S)?;
    println!(
        "\n{}: {} pairs of {}, {} connections, {} core(s), ranges of {}\nfloor: {variant}\n",
        load.direction.word().to_uppercase(),
        args.pairs,
        sizes::show(load.bytes),
        load.connections,
        load.cores,
        sizes::show(load.range_bytes),
    );
    print!("{}", table::rows(&contestants, &samples, &yardstick));
    let judgement = judge(&contestants, &samples, args.seed);
    Ok(if is_large_enough(args.pairs, args.bytes) {
        judgement
    } else {
        let least = sizes::show(LEAST_BYTES);
        Judgement::Void(format!("too small to decide: it takes {LEAST_PAIRS} pairs of {least}"))
    })
}

/// Whether a run of this size may say anything about a bar. Smaller ones are for trying things out.
fn is_large_enough(pairs: u16, bytes: u64) -> bool {
    pairs >= LEAST_PAIRS && bytes >= LEAST_BYTES
}

/// Tries all variants in turn and takes the one of the least CPU time.
fn cheapest(programs: &Programs, load: &Load, yardstick: &Yardstick) -> Result<Variant> {
    let variants = Variant::all(load);
    println!(
        "\n{}: looking for the cheapest of {} floors",
        load.direction.word().to_uppercase(),
        variants.len()
    );
    let mut costs = costs(programs, load, yardstick, variants, CALIBRATION_ROUNDS)?;
    for (cpu_s, variant) in &costs {
        println!("    {:.4} CPU s/GiB  {variant}", cpu_s / yardstick.gib());
    }
    // So few rounds find the cheapest few, not the cheapest: on a noisy machine it is luck.
    costs.truncate(FINALISTS);
    let finalists = costs.into_iter().map(|(_, variant)| variant).collect();
    let finals = self::costs(programs, load, yardstick, finalists, FINAL_ROUNDS)?;
    Ok(finals[0].1)
}

/// The median CPU time of each variant, the cheapest first.
fn costs(
    programs: &Programs,
    load: &Load,
    yardstick: &Yardstick,
    variants: Vec<Variant>,
    rounds: usize,
) -> Result<Vec<(f64, Variant)>> {
    let contestants: Vec<Contestant> = variants
        .iter()
        .map(|variant| {
            Contestant::reporting("floor", &programs.floor, variant.arguments(load), load.bytes)
        })
        .collect();
    let samples = in_turn(&contestants, rounds, yardstick, CPU_S)?;
    let mut costs: Vec<(f64, Variant)> = samples
        .iter()
        .zip(variants)
        .map(|(runs, variant)| (middle(runs, |run| run.cpu_s), variant))
        .collect();
    costs.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    Ok(costs)
}

/// The contestants by their place: Hydrant, the floor, then those that bound the floor.
fn judge(contestants: &[Contestant], samples: &[Vec<Sample>], seed: u64) -> Judgement {
    let ratio = |one: usize, other: usize, value: fn(&Sample) -> f64| {
        ratio(&samples[one], &samples[other], value, seed)
    };
    let cpu = |sample: &Sample| sample.cpu_s;
    for (at, contestant) in contestants.iter().enumerate().skip(2) {
        let most = if contestant.name == "curl" { MOST_OF_CURL } else { MOST_OF_REFERENCE };
        let of_other = ratio(1, at, cpu);
        println!("floor / {} CPU: {of_other}, at most {most}", contestant.name);
        if of_other.median > most {
            let reason =
                format!("the floor costs {of_other} of {}, at most {most}", contestant.name);
            return Judgement::Void(reason);
        }
    }
    if contestants.len() == 2 {
        println!("the floor is bounded by nobody here; --reference names a second opinion");
    }
    let wall = ratio(0, 1, |sample| sample.wall_s);
    println!(
        "hydrant / floor wall: {wall}: {}",
        if wall.low > 1.0 { "behind" } else { "not behind" }
    );
    let of_floor = ratio(0, 1, cpu);
    println!("hydrant / floor CPU: {of_floor}, bar {BAR}");
    Judgement::Decided(of_floor.against(BAR))
}

fn ours(args: &Args, programs: &Programs, load: &Load) -> Contestant {
    let mut arguments = vec![
        load.direction.word().to_owned(),
        format!("--endpoint=http://{}", load.address),
        format!("--bucket={BUCKET}"),
        format!("--key={}", load.direction.key()),
        format!("--bytes={}", load.bytes),
        format!("--connections={}", load.connections),
        format!("--cores={}", load.cores),
        format!("--range-bytes={}", load.range_bytes),
    ];
    arguments.extend(args.pool_bytes.map(|bytes| format!("--pool-bytes={bytes}")));
    Contestant::reporting("hydrant", &programs.client, arguments, load.bytes)
}

fn curl(load: &Load) -> Contestant {
    let url = format!("http://{}/{BUCKET}/{OBJECT}", load.address);
    let words = ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "size %{size_download}\n", &url];
    Contestant {
        name: "curl",
        command: words.map(str::to_owned).to_vec(),
        proof: Proof::Says(format!("size {}", load.bytes)),
    }
}

/// The reference, set up like the floor that won: it knows blocking threads of one connection each,
/// and one ring.
fn reference(program: &Path, load: &Load, variant: &Variant) -> Contestant {
    let thread_each = variant.engine == Engine::Threads && variant.threads == load.connections;
    let (mode, layout) = match load.direction {
        Direction::Get if thread_each => ("recv", "-t"),
        Direction::Get => ("uring", "-c"),
        Direction::Put => ("putmem", "-t"),
    };
    let path = format!("/{BUCKET}/{}", load.direction.key());
    let mut command = vec![program.display().to_string(), "-m".to_owned(), mode.to_owned()];
    let options = [
        ("-p", u64::from(load.address.port())),
        (layout, load.connections as u64),
        ("-b", variant.buffer_bytes),
        ("-r", load.range_bytes),
        ("-s", load.bytes),
    ];
    command.extend(
        options.into_iter().flat_map(|(option, value)| [option.to_owned(), value.to_string()]),
    );
    command.extend(["-u".to_owned(), path]);
    if variant.wait_all {
        command.push("-W".to_owned());
    }
    let proof = Proof::Says(format!(" bytes {} ", load.bytes));
    Contestant { name: "reference", command, proof }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: &'static str, cpu_s: f64, wall_s: f64) -> (Contestant, Vec<Sample>) {
        let proof = Proof::Says(String::new());
        let contestant = Contestant { name, command: Vec::new(), proof };
        (contestant, vec![Sample { cpu_s, user_s: 0.0, wall_s, bytes: 1 }; 15])
    }

    fn judged(sides: Vec<(Contestant, Vec<Sample>)>) -> Judgement {
        let (contestants, samples): (Vec<_>, Vec<_>) = sides.into_iter().unzip();
        judge(&contestants, &samples, 1)
    }

    #[test]
    fn the_bar_decides_by_cpu_alone() {
        let with = |cpu_s| judged(vec![side("hydrant", cpu_s, 9.0), side("floor", 1.0, 1.0)]);
        assert_eq!(with(1.25), Judgement::Decided(Verdict::Met));
        assert_eq!(with(1.26), Judgement::Decided(Verdict::Missed));
    }

    #[test]
    fn a_short_run_decides_nothing() {
        assert!(is_large_enough(15, 4 << 30));
        assert!(!is_large_enough(14, 4 << 30));
        assert!(!is_large_enough(15, 1 << 30));
    }

    #[test]
    fn a_floor_near_curl_or_over_the_reference_is_void() {
        let is_void = |other| {
            let sides = vec![side("hydrant", 1.0, 1.0), side("floor", 1.0, 1.0), other];
            matches!(judged(sides), Judgement::Void(_))
        };
        assert!(is_void(side("curl", 1.05, 1.0)));
        assert!(!is_void(side("curl", 1.2, 1.0)));
        assert!(is_void(side("reference", 0.9, 1.0)));
        assert!(!is_void(side("reference", 0.97, 1.0)));
    }
}
