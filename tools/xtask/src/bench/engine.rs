//! `cargo xtask bench engine`: what the engine costs on a disk as a multiple of what fio costs.
//!
//! Both run for the same time on the same file. fio is set up in several ways that have the same
//! bytes in flight, and the cheapest counts for CPU time, the fastest for the rate.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::contestant::{
    Contestant, Moved, Proof, Sample, Yardstick, in_turn, middle, number, ratio,
};
use super::fio::Setup;
use super::machine::Machine;
use super::programs;
use super::server::write_object;
use super::stats::{Estimate, Verdict};
use crate::debian;
use crate::failure::{Failure, Result};
use crate::sizes::{self, GIB};

/// Shorter or fewer runs are shown and decide nothing.
const LEAST_PAIRS: u16 = 15;
const LEAST_SECONDS: u64 = 10;

#[derive(clap::Args)]
pub struct Args {
    /// Runs of each program a load. Fewer than 15 decide nothing.
    #[arg(long, default_value_t = LEAST_PAIRS, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Seconds a run. Fewer than 10 decide nothing.
    #[arg(long, default_value_t = LEAST_SECONDS, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Where to make the file: on the disk that is meant. [default: the folder of build results]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Bytes of the file, as 4GiB.
    #[arg(long, default_value = "4GiB", value_parser = sizes::parse)]
    size: u64,
    /// Only this load.
    #[arg(long, value_enum)]
    load: Option<Kind>,
    /// Of the file's bytes and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Randread,
    Read,
    Write,
}

/// What is asked of both.
struct Load {
    kind: Kind,
    /// For `--rw` of both programs.
    rw: &'static str,
    block: &'static str,
    block_bytes: u64,
    depth: u64,
    /// CPU time at most, as a multiple of the peer's.
    bar: f64,
    /// What CPU time is counted by, and how many bytes that has.
    unit: &'static str,
    unit_bytes: f64,
    peers: &'static [Setup],
}

const LOADS: [Load; 3] = [
    Load {
        kind: Kind::Randread,
        rw: "randread",
        block: "4KiB",
        block_bytes: 4 << 10,
        depth: 64,
        bar: 1.10,
        unit: "µs/op",
        unit_bytes: 4096.0 * 1e6,
        peers: &SMALL,
    },
    Load { kind: Kind::Read, rw: "read", ..LARGE },
    Load { kind: Kind::Write, rw: "write", ..LARGE },
];

const LARGE: Load = Load {
    kind: Kind::Read,
    rw: "read",
    block: "8MiB",
    block_bytes: 8 << 20,
    depth: 4,
    bar: 1.05,
    unit: "s/GiB",
    unit_bytes: GIB,
    peers: &LARGE_PEERS,
};

const SMALL: [Setup; 2] = [
    Setup { name: "fio", block_bytes: 4 << 10, depth: 64, batch: 1 },
    Setup { name: "fio batch", block_bytes: 4 << 10, depth: 64, batch: 16 },
];

const LARGE_PEERS: [Setup; 4] = [
    Setup { name: "fio 512k", block_bytes: 512 << 10, depth: 64, batch: 1 },
    Setup { name: "512k batch", block_bytes: 512 << 10, depth: 64, batch: 16 },
    Setup { name: "fio 1m", block_bytes: 1 << 20, depth: 32, batch: 1 },
    Setup { name: "fio 8m", block_bytes: 8 << 20, depth: 4, batch: 1 },
];

/// # Errors
/// When a bar is not met, or something does not run at all.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    debian::need(debian::FOR_DISK_BENCHES)?;
    let built = programs::build(root, "hydrant-cli")?;
    let ours = built.find("hydrant")?;
    let floor = programs::build(root, "hydrant-floor")?.find("hydrant-floor")?;
    // Runs last a time: how much each moves, it tells itself.
    let yardstick = Yardstick { program: floor, bytes: 0 };
    let dir = args.dir.clone().unwrap_or_else(|| built.folder().to_owned());
    println!("{}", Machine::here());
    println!("a file of {} in {}, O_DIRECT, one core", sizes::show(args.size), dir.display());
    let file = Scratch::make(&dir, args.size, args.seed)?;

    let mut verdicts = Vec::new();
    for load in LOADS.iter().filter(|load| args.load.is_none_or(|kind| kind == load.kind)) {
        let contestants = load.contestants(&ours, &file.path, args);
        let samples = in_turn(&contestants, args.pairs.into(), &yardstick)?;
        println!("\n{}: {} runs of {} s each\n", load.title(), args.pairs, args.seconds);
        print!("{}", load.rows(&contestants, &samples));
        verdicts.extend(load.judge(&contestants, &samples, args.seed));
    }
    conclude(&verdicts, is_large_enough(args.pairs, args.seconds))
}

/// Whether a run of this size may say anything about a bar.
fn is_large_enough(pairs: u16, seconds: u64) -> bool {
    pairs >= LEAST_PAIRS && seconds >= LEAST_SECONDS
}

/// One line of the verdicts.
struct Line {
    what: String,
    ratio: Estimate,
    bar: f64,
    verdict: Verdict,
}

fn conclude(lines: &[Line], decides: bool) -> Result<()> {
    println!("\n{:<46} {:>22} {:>5}  verdict", "ours / theirs", "ratio [95 %]", "bar");
    for Line { what, ratio, bar, verdict } in lines {
        println!("{what:<46} {:>22} {bar:>5}  {verdict}", ratio.to_string());
    }
    if !decides {
        return Err(Failure::new(format!(
            "too small to decide: it takes {LEAST_PAIRS} pairs of {LEAST_SECONDS} s"
        )));
    }
    let open: Vec<&str> = lines
        .iter()
        .filter(|line| line.verdict != Verdict::Met)
        .map(|line| line.what.as_str())
        .collect();
    match open.as_slice() {
        [] => Ok(()),
        open => Err(Failure::new(format!("not met: {}", open.join("; ")))),
    }
}

impl Load {
    fn title(&self) -> String {
        format!("{} of {}, {} in flight", self.rw, self.block, self.depth)
    }

    /// Hydrant first, then every way to set the peer up.
    fn contestants(&self, ours: &Path, file: &Path, args: &Args) -> Vec<Contestant> {
        let seconds = args.seconds;
        let peers = self.peers.iter();
        let peers = peers.map(|setup| setup.contestant(file, self.rw, args.size, seconds));
        std::iter::once(self.hydrant(ours, file, seconds)).chain(peers).collect()
    }

    fn hydrant(&self, program: &Path, file: &Path, seconds: u64) -> Contestant {
        let program = program.display().to_string();
        let words = ["bench", "disk", "--json", "--quiet", "--direct", "--cores=1"];
        let mut command: Vec<String> =
            std::iter::once(program.as_str()).chain(words).map(str::to_owned).collect();
        command.extend([
            format!("--rw={}", self.rw),
            format!("--block={}", self.block),
            format!("--depth={}", self.depth),
            format!("--time={seconds}s"),
        ]);
        command.extend((self.kind == Kind::Write).then(|| "--overwrite".to_owned()));
        command.push(file.display().to_string());
        Contestant { name: "hydrant", command, proof: Proof::Tells(told_by_hydrant) }
    }

    fn rows(&self, contestants: &[Contestant], samples: &[Vec<Sample>]) -> String {
        let unit = format!("CPU {}", self.unit);
        let mut out = format!("{:<11} {unit:>10} {:>10} {:>7}\n", "program", "op/s", "GB/s");
        for (at, (contestant, samples)) in contestants.iter().zip(samples).enumerate() {
            let rate = 1.0 / middle(samples, time);
            let block = match at.checked_sub(1) {
                None => self.block_bytes,
                Some(peer) => self.peers[peer].block_bytes,
            };
            out += &format!(
                "{:<11} {:>10.4} {:>10.0} {:>7.2}\n",
                contestant.name,
                middle(samples, cpu) * self.unit_bytes,
                rate / block as f64,
                rate / 1e9,
            );
        }
        out
    }

    /// CPU time against the cheapest peer, and the rate against the fastest: only an interval that
    /// lies wholly behind counts as behind.
    fn judge(&self, contestants: &[Contestant], samples: &[Vec<Sample>], seed: u64) -> [Line; 2] {
        let best = |value: fn(&Sample) -> f64| {
            let order = |one: &usize, other: &usize| {
                middle(&samples[*one], value).total_cmp(&middle(&samples[*other], value))
            };
            (1..samples.len()).min_by(order).expect("a load has peers")
        };
        let line = |what: &str, value: fn(&Sample) -> f64, bar: f64| {
            let peer = best(value);
            let ratio = ratio(&samples[0], &samples[peer], value, seed);
            let what = format!("{} {}, {what} / {}", self.rw, self.block, contestants[peer].name);
            Line { what, ratio, bar, verdict: ratio.against(bar) }
        };
        let cost = line("CPU", cpu, self.bar);
        let mut pace = line("time", time, 1.0);
        pace.verdict = if pace.ratio.low > 1.0 { Verdict::Missed } else { Verdict::Met };
        [cost, pace]
    }
}

/// CPU seconds a byte.
fn cpu(sample: &Sample) -> f64 {
    sample.cpu_s / sample.bytes as f64
}

/// Seconds a byte.
fn time(sample: &Sample) -> f64 {
    sample.wall_s / sample.bytes as f64
}

fn told_by_hydrant(printed: &str) -> Option<Moved> {
    let (bytes, time_s) = (number(printed, "bytes")?, number(printed, "time_s")?);
    let fair =
        printed.contains("\"direct\":\"granted\"") && number(printed, "registered_share")? == 1.0;
    fair.then_some(Moved { bytes: bytes as u64, time_s })
}

/// The file of a bench, which goes with it.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn make(dir: &Path, bytes: u64, seed: u64) -> Result<Scratch> {
        let path = dir.join(format!("hydrant-bench-engine-{}", std::process::id()));
        let scratch = Scratch { path };
        write_object(&scratch.path, bytes, seed)?;
        // What is still on its way to the disk would be charged to the first run.
        let synced = File::open(&scratch.path).and_then(|file| file.sync_all());
        synced.map_err(|cause| Failure::io(scratch.path.display(), cause))?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(cause) = fs::remove_file(&self.path) {
            eprintln!("remove {} by hand: {cause}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ours: Sample, peers: [Sample; 2]) -> [Line; 2] {
        let load = &LOADS[0];
        let args = Args { pairs: 15, seconds: 10, dir: None, size: 1 << 30, load: None, seed: 1 };
        let contestants = load.contestants(Path::new("hydrant"), Path::new("file"), &args);
        let samples: Vec<Vec<Sample>> =
            [ours].into_iter().chain(peers).map(|sample| vec![sample; 15]).collect();
        load.judge(&contestants, &samples, 1)
    }

    fn sample(cpu_s: f64, bytes: u64) -> Sample {
        Sample { cpu_s, user_s: 0.0, wall_s: 10.0, bytes }
    }

    #[test]
    fn the_cheapest_peer_sets_the_cost_and_the_fastest_the_pace() {
        let [cost, pace] = judged(sample(1.1, 1000), [sample(1.0, 1000), sample(3.0, 1200)]);
        assert!(cost.what.ends_with("CPU / fio") && pace.what.ends_with("time / fio batch"));
        assert_eq!((cost.verdict, pace.verdict), (Verdict::Met, Verdict::Missed));
        let [cost, pace] = judged(sample(1.2, 1200), [sample(1.0, 1100), sample(3.0, 1200)]);
        assert_eq!((cost.verdict, pace.verdict), (Verdict::Met, Verdict::Met));
    }

    #[test]
    fn a_run_of_another_kind_does_not_count() {
        let line = |direct: &str, share: &str| {
            let text = format!(
                "{{\"direct\":\"{direct}\",\"bytes\":4096,\"time_s\":2.5,\"registered_share\":{share},}}"
            );
            told_by_hydrant(&text)
        };
        assert_eq!(line("granted", "1"), Some(Moved { bytes: 4096, time_s: 2.5 }));
        assert_eq!(line("refused", "1"), None);
        assert_eq!(line("granted", "0.5"), None);
    }

    #[test]
    fn the_same_bytes_are_in_flight() {
        for load in &LOADS {
            for peer in load.peers {
                let theirs = peer.block_bytes * peer.depth;
                assert_eq!(theirs, load.block_bytes * load.depth, "{}", peer.name);
            }
        }
    }

    #[test]
    fn a_short_run_decides_nothing() {
        assert!(is_large_enough(15, 10));
        assert!(!is_large_enough(14, 10) && !is_large_enough(15, 9));
        assert!(conclude(&[], false).is_err() && conclude(&[], true).is_ok());
    }
}
