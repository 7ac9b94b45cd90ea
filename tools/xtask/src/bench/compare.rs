//! `cargo xtask bench compare`: the engine beside other runtimes, by operations per CPU second.
//!
//! `benches/compare` runs one workload in one runtime and measures itself; here they run in turn,
//! and the CPU time of an operation is compared pair by pair.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use super::contestant::{Sample, Shown, middle, number, ratio, rotated};
use super::machine::Machine;
use super::programs;
use super::scratch::Scratch;
use super::stats::{Estimate, Verdict};
use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};
use crate::sizes;

/// Shorter or fewer runs are shown and decide nothing.
const LEAST_PAIRS: u16 = 15;
const LEAST_SECONDS: u64 = 10;
/// CPU time of an operation at most, as a multiple of each other's: ahead of all of them.
const BAR: f64 = 1.0;

#[derive(clap::Args)]
pub struct Args {
    /// Runs of each runtime a workload. Fewer than 15 decide nothing.
    #[arg(long, default_value_t = LEAST_PAIRS, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Seconds a run. Fewer than 10 decide nothing.
    #[arg(long, default_value_t = LEAST_SECONDS, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Only this workload (may be given several times).
    #[arg(long, value_enum)]
    workload: Vec<Workload>,
    /// Only this runtime beside Hydrant (may be given several times).
    #[arg(long, value_enum)]
    runtime: Vec<Peer>,
    /// Where to make the file that is read. [default: the folder of build results]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Bytes of that file, as 4GiB.
    #[arg(long, default_value = "4GiB", value_parser = sizes::parse)]
    size: u64,
    /// Of the file's bytes and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    Reads,
    Echo,
    Ping,
    HandOver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    Tokio,
    TokioUring,
    Compio,
    Monoio,
    Glommio,
}

/// # Errors
/// When Hydrant is not ahead, or something does not run at all.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    let bench = Bench::build(root, args)?;
    let workloads = chosen(&args.workload, Workload::value_variants());
    println!("{}", Machine::here());
    let mut open = Vec::new();
    for workload in workloads {
        println!("\n{}: {} runs of {} s each", workload.about(), args.pairs, args.seconds);
        let names = names(&args.runtime);
        let samples =
            rotated(&names, args.pairs.into(), CPU_US, |at| bench.run(names[at], workload))?;
        let rows = rows(&names, &samples, args.seed);
        print!("\n{}", table(&rows));
        let behind = rows.iter().filter(|row| row.against.is_some_and(|(_, v)| v != Verdict::Met));
        open.extend(behind.map(|row| format!("{} / {}", workload.name(), row.name)));
    }
    if args.pairs < LEAST_PAIRS || args.seconds < LEAST_SECONDS {
        return Err(Failure::new(format!(
            "too small to decide: it takes {LEAST_PAIRS} pairs of {LEAST_SECONDS} s"
        )));
    }
    match open.as_slice() {
        [] => Ok(()),
        open => Err(Failure::new(format!("not met: {}", open.join("; ")))),
    }
}

/// CPU time of an operation.
const CPU_US: Shown = Shown { unit: "CPU µs/op", value: cpu_us };

fn cpu_us(sample: &Sample) -> f64 {
    sample.cpu_s / sample.bytes as f64 * 1e6
}

fn chosen<T: Copy>(asked: &[T], all: &[T]) -> Vec<T> {
    if asked.is_empty() { all.to_vec() } else { asked.to_vec() }
}

/// As the program takes them, Hydrant first.
fn names(asked: &[Peer]) -> Vec<&'static str> {
    let peer = |peer| match peer {
        Peer::Tokio => "tokio",
        Peer::TokioUring => "tokio-uring",
        Peer::Compio => "compio",
        Peer::Monoio => "monoio",
        Peer::Glommio => "glommio",
    };
    let peers = chosen(asked, Peer::value_variants()).into_iter().map(peer);
    std::iter::once("hydrant").chain(peers).collect()
}

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Echo => "echo",
            Self::Ping => "ping",
            Self::HandOver => "hand-over",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Reads => "reads of 4 KiB at random, O_DIRECT, 64 in flight",
            Self::Echo => "an echo of 1 KiB over 64 connections, CPU of the server",
            Self::Ping => "an echo of one byte over one connection, CPU of the server",
            Self::HandOver => "a no-op handed to a core by another thread and waited for",
        }
    }
}

/// The programs and the file.
struct Bench {
    program: PathBuf,
    load: PathBuf,
    file: Option<Scratch>,
    seconds: u64,
}

impl Bench {
    fn build(root: &Path, args: &Args) -> Result<Bench> {
        let built = programs::build(root, "hydrant-floor")?;
        let load = built.find("hydrant-floor")?;
        // A workspace of its own, and so a folder of its own.
        let folder = built.folder().join("compare");
        let manifest = root.join("benches/compare/Cargo.toml");
        let words = ["build", "--quiet", "--release", "--locked", "--manifest-path"];
        let mut command = cargo(root, &words);
        shell::run(command.arg(manifest).env("CARGO_TARGET_DIR", &folder))?;
        let program = folder.join("release/hydrant-compare");
        let reads = chosen(&args.workload, Workload::value_variants()).contains(&Workload::Reads);
        let dir = args.dir.as_deref().unwrap_or(built.folder());
        let file = reads.then(|| Scratch::make(dir, args.size, args.seed)).transpose()?;
        Ok(Bench { program, load, file, seconds: args.seconds })
    }

    fn run(&self, runtime: &str, workload: Workload) -> Result<Sample> {
        let mut command = Command::new(&self.program);
        command.args([runtime, workload.name(), "--seconds", &self.seconds.to_string()]);
        match (workload, &self.file) {
            (Workload::Reads, Some(file)) => command.arg("--file").arg(&file.path),
            (Workload::Echo | Workload::Ping, _) => command.arg("--load").arg(&self.load),
            _ => &mut command,
        };
        read(&shell::read(&mut command)?)
            .ok_or_else(|| Failure::new(format!("{runtime} {}: no figures", workload.name())))
    }
}

/// A sample whose bytes are operations.
fn read(line: &str) -> Option<Sample> {
    let operations = number(line, "operations").filter(|&operations| operations > 0.0)?;
    let (user_s, sys_s) = (number(line, "user_s")?, number(line, "sys_s")?);
    let wall_s = number(line, "wall_s")?;
    Some(Sample { cpu_s: user_s + sys_s, user_s, wall_s, bytes: operations as u64 })
}

/// One runtime in one workload.
struct Row {
    name: &'static str,
    per_cpu_s: f64,
    cpu_us: f64,
    per_s: f64,
    /// Hydrant's CPU time of an operation as a multiple of this one's.
    against: Option<(Estimate, Verdict)>,
}

fn rows(names: &[&'static str], samples: &[Vec<Sample>], seed: u64) -> Vec<Row> {
    let row = |(at, &name): (usize, &&'static str)| {
        let against = (at > 0).then(|| {
            let estimate = ratio(&samples[0], &samples[at], cpu_us, seed);
            (estimate, estimate.against(BAR))
        });
        Row {
            name,
            per_cpu_s: middle(&samples[at], |sample| sample.bytes as f64 / sample.cpu_s),
            cpu_us: middle(&samples[at], cpu_us),
            per_s: middle(&samples[at], |sample| sample.bytes as f64 / sample.wall_s),
            against,
        }
    };
    names.iter().enumerate().map(row).collect()
}

fn table(rows: &[Row]) -> String {
    let mut out =
        "| runtime | op per CPU s | CPU µs/op | op/s | ours / theirs, CPU [95 %] | ahead |\n\
                   |---|---|---|---|---|---|\n"
            .to_owned();
    for Row { name, per_cpu_s, cpu_us, per_s, against } in rows {
        let (ratio, verdict) = match against {
            Some((estimate, verdict)) => (estimate.to_string(), verdict.to_string()),
            None => Default::default(),
        };
        out += &format!(
            "| {name} | {per_cpu_s:.0} | {cpu_us:.3} | {per_s:.0} | {ratio} | {verdict} |\n"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu_s: f64, operations: u64) -> Sample {
        Sample { cpu_s, user_s: 0.0, wall_s: 2.0, bytes: operations }
    }

    #[test]
    fn a_run_without_operations_does_not_count() {
        let line = "{\"operations\":1000,\"wall_s\":2.0,\"user_s\":0.25,\"sys_s\":0.5}";
        assert_eq!(read(line), Some(Sample { user_s: 0.25, ..sample(0.75, 1000) }));
        assert_eq!(read(&line.replace("1000", "0")), None);
        assert_eq!(read("hydrant-compare: it failed"), None);
    }

    #[test]
    fn ahead_is_less_cpu_an_operation() {
        let samples = [[sample(1.0, 1000); 15], [sample(1.0, 900); 15], [sample(0.5, 900); 15]];
        let rows = rows(&["hydrant", "slow", "quick"], &samples.map(Vec::from), 1);
        let verdicts: Vec<_> = rows.iter().map(|row| row.against.map(|(_, v)| v)).collect();
        assert_eq!(verdicts, [None, Some(Verdict::Met), Some(Verdict::Missed)]);
        let table = table(&rows);
        assert!(table.contains("| hydrant | 1000 | 1000.000 | 500 |  |  |"), "{table}");
        assert!(table.contains("| slow | 900 | 1111.111 | 450 | 0.900 [0.900, 0.900] | met |"));
    }

    #[test]
    fn hydrant_runs_beside_whoever_is_asked_for() {
        assert_eq!(names(&[Peer::Monoio]), ["hydrant", "monoio"]);
        assert_eq!(names(&[]).len(), 6);
    }
}
