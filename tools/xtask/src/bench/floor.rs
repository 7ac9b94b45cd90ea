//! `cargo xtask bench floor`: the CPU time of Hydrant as a multiple of the least the kernel needs.
//!
//! The floor is the cheapest of its variants on this machine, found first. Then both run in turn,
//! with curl and, if given, a reference beside them: a floor that does not clearly beat curl is no
//! floor, and the run is void.
//!
//! `--tls` does the same by HTTPS: the floor is then a bare receive loop of `rustls`, and the server
//! tells on what both agreed with it.
//!
//! `--sum` does it for a GET whose checksum is compared.

mod agreed;
mod sides;
mod summed;

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use self::agreed::Agreed;
use super::contestant::{Contestant, Sample, Shown, Yardstick, in_turn, middle, ratio, rotated};
use super::machine::Machine;
use super::programs;
use super::server::Server;
use super::stats::Verdict;
use super::table;
use super::tls::Tls;
use super::variant::{Direction, Load, Variant};
use crate::debian;
use crate::failure::{Failure, Result};
use crate::sizes;

/// What Hydrant may cost, as a multiple of the floor.
const BAR: f64 = 1.25;
const BAR_WITH_TLS: f64 = 1.15;
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
    /// By HTTPS; GET alone.
    #[arg(long, conflicts_with = "reference")]
    tls: bool,
    /// Compare the checksum of the object; GET alone.
    #[arg(long, conflicts_with_all = ["reference", "tls"])]
    sum: bool,
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
    let directions = args.directions()?;
    debian::need(debian::FOR_BENCHES)?;
    let programs = Programs::build(root)?;
    println!("{}", Machine::here());
    println!("an object of {} in memory, served by nginx on loopback", sizes::show(args.bytes));
    let server = match args.sum {
        true => Server::start_telling(args.bytes, args.seed, &programs.floor)?,
        false => Server::start(args.bytes, args.seed)?,
    };
    let tls = args.tls.then_some(&server.tls);
    let mut open = Vec::new();
    for &direction in directions {
        let load = Load {
            direction,
            address: tls.map_or(server.address, |tls| tls.address),
            authority: tls.map(Tls::authority),
            bytes: args.bytes,
            range_bytes: args.range_bytes,
            connections: args.connections,
            cores: args.cores,
            sum: server.told.as_ref().map(|told| told.0.clone()),
        };
        let judgement = measure(args, &programs, &load, tls)?;
        println!("{}: {judgement}", direction.word().to_uppercase());
        if !matches!(judgement, Judgement::Decided(_, Verdict::Met)) {
            open.push(format!("{} {judgement}", direction.word().to_uppercase()));
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("not met: {}", open.join("; "))))
    }
}

impl Args {
    fn directions(&self) -> Result<&'static [Direction]> {
        match (self.direction, self.tls || self.sum) {
            (Directions::Get, _) | (Directions::Both, true) => Ok(&[Direction::Get]),
            (Directions::Put, true) => {
                Err(Failure::new("there is no floor of a PUT by HTTPS, or with a checksum"))
            }
            (Directions::Put, false) => Ok(&[Direction::Put]),
            (Directions::Both, false) => Ok(&[Direction::Get, Direction::Put]),
        }
    }
}

/// What a direction came to.
#[derive(Debug, PartialEq)]
enum Judgement {
    /// The bar against the interval.
    Decided(f64, Verdict),
    /// Nothing is said, because the floor is none or did other work.
    Void(String),
}

impl fmt::Display for Judgement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(bar, verdict) => write!(out, "the bar of {bar} is {verdict}"),
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
fn measure(args: &Args, programs: &Programs, load: &Load, tls: Option<&Tls>) -> Result<Judgement> {
    let yardstick = Yardstick { program: programs.floor.clone(), bytes: load.bytes };
    let ours = sides::ours(&programs.client, args.pool_bytes, load);
    if load.sum.is_some() {
        summed::notices(&ours, &yardstick)?;
    }
    let variant = cheapest(programs, load, &yardstick)?;
    let mut contestants = vec![
        ours,
        Contestant::reporting("floor", &programs.floor, variant.arguments(load), load.bytes),
    ];
    if load.direction == Direction::Get {
        contestants.push(sides::curl(load));
    }
    if load.sum.is_some() {
        let variant = cheapest(programs, &summed::unsummed(load), &yardstick)?;
        contestants.push(summed::floor(&programs.floor, &variant, load));
    }
    if let Some(program) = &args.reference {
        contestants.push(sides::reference(program, load, &variant));
    }
    // What came before were floors.
    let mut agreed = Agreed::new(tls, contestants.len());
    agreed.note(1)?;
    let names: Vec<&str> = contestants.iter().map(|contestant| contestant.name).collect();
    let samples = rotated(&names, usize::from(args.pairs), CPU_S, |at| {
        let sample = contestants[at].run(&yardstick)?;
        agreed.note(at).map(|()| sample)
    })?;
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
    let judgement = judge(&contestants, &samples, load.authority.is_some(), args.seed);
    let judgement = agreed.difference(&names).map_or(judgement, Judgement::Void);
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
fn judge(
    contestants: &[Contestant],
    samples: &[Vec<Sample>],
    is_tls: bool,
    seed: u64,
) -> Judgement {
    let ratio = |one: usize, other: usize, value: fn(&Sample) -> f64| {
        ratio(&samples[one], &samples[other], value, seed)
    };
    let cpu = |sample: &Sample| sample.cpu_s;
    let unsummed = contestants.iter().position(|contestant| contestant.name == summed::UNSUMMED);
    // Others sum nothing.
    let bounded = unsummed.unwrap_or(1);
    for (at, contestant) in contestants.iter().enumerate().skip(2) {
        if at == bounded {
            continue;
        }
        let of_other = ratio(bounded, at, cpu);
        let most = match contestant.name {
            // Its cryptography is another's, and most of what either costs.
            "curl" if is_tls => {
                println!("floor / curl CPU: {of_other}");
                continue;
            }
            "curl" => MOST_OF_CURL,
            _ => MOST_OF_REFERENCE,
        };
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
    if let Some(at) = unsummed {
        println!("hydrant / floor CPU: {of_floor}; floor / no sum CPU: {}", ratio(1, at, cpu));
        let of_allowed = summed::of_allowed(&samples[0], &samples[1], &samples[at], seed);
        let most = summed::MOST_OF_UNSUMMED;
        println!("hydrant / ({most} x no sum + one pass) CPU: {of_allowed}, bar 1");
        return Judgement::Decided(1.0, of_allowed.against(1.0));
    }
    let bar = if is_tls { BAR_WITH_TLS } else { BAR };
    println!("hydrant / floor CPU: {of_floor}, bar {bar}");
    Judgement::Decided(bar, of_floor.against(bar))
}

#[cfg(test)]
mod tests {
    use super::super::contestant::Proof;
    use super::*;

    fn side(name: &'static str, cpu_s: f64, wall_s: f64) -> (Contestant, Vec<Sample>) {
        let proof = Proof::Says(String::new());
        let contestant = Contestant { name, command: Vec::new(), proof };
        (contestant, vec![Sample { cpu_s, user_s: 0.0, wall_s, bytes: 1 }; 15])
    }

    fn judged(sides: Vec<(Contestant, Vec<Sample>)>) -> Judgement {
        let (contestants, samples): (Vec<_>, Vec<_>) = sides.into_iter().unzip();
        judge(&contestants, &samples, false, 1)
    }

    #[test]
    fn the_bar_decides_by_cpu_alone() {
        let with = |cpu_s| judged(vec![side("hydrant", cpu_s, 9.0), side("floor", 1.0, 1.0)]);
        assert_eq!(with(1.25), Judgement::Decided(BAR, Verdict::Met));
        assert_eq!(with(1.26), Judgement::Decided(BAR, Verdict::Missed));
    }

    #[test]
    fn with_tls_curl_bounds_nobody() {
        let sides =
            vec![side("hydrant", 1.15, 1.0), side("floor", 1.0, 1.0), side("curl", 0.5, 1.0)];
        let (contestants, samples): (Vec<_>, Vec<_>) = sides.into_iter().unzip();
        let judgement = judge(&contestants, &samples, true, 1);
        assert_eq!(judgement, Judgement::Decided(BAR_WITH_TLS, Verdict::Met));
    }

    #[test]
    fn with_a_checksum_a_pass_of_it_is_allowed_and_curl_bounds_the_floor_without() {
        let with = |hydrant, unsummed| {
            judged(vec![
                side("hydrant", hydrant, 1.0),
                side("floor", 1.2, 1.0),
                side("curl", 1.2, 1.0),
                side(summed::UNSUMMED, unsummed, 1.0),
            ])
        };
        assert_eq!(with(1.29, 1.0), Judgement::Decided(1.0, Verdict::Met));
        assert_eq!(with(1.31, 1.0), Judgement::Decided(1.0, Verdict::Missed));
        assert!(matches!(with(1.0, 1.1), Judgement::Void(_)));
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
