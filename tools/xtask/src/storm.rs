//! `cargo xtask storm`: as many seeded runs of the engine as one likes, with every kind of fault.
//!
//! The runs are cut into ranges of seeds, each in a process of its own: a crash ends one range, and a
//! line for each range says how far a long storm has got. A range that fails is halved until the
//! seeds that fail are known.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};

#[derive(clap::Args)]
pub struct Args {
    /// How many seeds; each is one run.
    #[arg(long, default_value_t = Args::default().seeds)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = Args::default().from)]
    from: u64,
    /// Processes at a time.
    #[arg(long, default_value_t = Args::default().jobs)]
    jobs: usize,
}

/// What the CI runs.
impl Default for Args {
    fn default() -> Args {
        Args { seeds: 10_000, from: 0, jobs: 2 }
    }
}

/// Seeds of one process: a line every ten seconds or so.
const RANGE: u64 = 1000;
/// After so many seeds that fail no more are looked for.
const FAILING_MAX: usize = 10;
/// From so many runs on each kind of fault must have been met `MET_MIN` times.
const RUNS_TO_MEET_ALL: u64 = 10_000;
const MET_MIN: u64 = 100;

const TEST: &[&str] = &["test", "--quiet", "-p", "hydrant-engine", "--test", "suite"];

/// How often each kind of fault was met, by its name.
type Counts = BTreeMap<String, u64>;

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let suite = Suite::build(root)?;
    let storm = Mutex::new(Storm::new(args.from..args.from + args.seeds));
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| work(&suite, &storm));
        }
    });
    let storm = storm.into_inner().unwrap_or_else(PoisonError::into_inner);
    print!("{}", storm.summary());
    storm.verdict(args.seeds)
}

/// What is to be run, and what came of it.
struct Storm {
    waiting: VecDeque<Range<u64>>,
    passed: u64,
    failing: Vec<u64>,
    counts: Counts,
    start: Instant,
}

impl Storm {
    fn new(seeds: Range<u64>) -> Storm {
        Storm {
            waiting: ranges(seeds),
            passed: 0,
            failing: Vec::new(),
            counts: Counts::new(),
            start: Instant::now(),
        }
    }

    fn next(&mut self) -> Option<Range<u64>> {
        if self.failing.len() >= FAILING_MAX { None } else { self.waiting.pop_front() }
    }

    fn passed(&mut self, range: &Range<u64>, counts: Counts) {
        self.passed += range.end - range.start;
        counts.into_iter().for_each(|(name, met)| *self.counts.entry(name).or_default() += met);
        let seconds = self.start.elapsed().as_secs_f64();
        println!("    seeds {}..{} ok, {} in {seconds:.0} s", range.start, range.end, self.passed);
    }

    fn failed(&mut self, range: Range<u64>, said: &str) {
        if range.end - range.start == 1 {
            println!("{said}\n!!! {}", replay(range.start));
            return self.failing.push(range.start);
        }
        println!("    seeds {}..{} FAILED, and are halved", range.start, range.end);
        let middle = range.start + (range.end - range.start) / 2;
        self.waiting.push_front(middle..range.end);
        self.waiting.push_front(range.start..middle);
    }

    fn summary(&self) -> String {
        let mut text = format!("{} seeds passed; met were\n", self.passed);
        for (name, met) in &self.counts {
            let _ = writeln!(text, "{met:12} {name}");
        }
        for seed in &self.failing {
            let _ = writeln!(text, "!!! {}", replay(*seed));
        }
        text
    }

    fn verdict(&self, seeds: u64) -> Result<()> {
        if !self.failing.is_empty() {
            return Err(Failure::new(format!("seeds that fail: {:?}", self.failing)));
        }
        let rare = self.counts.iter().find(|(_, met)| **met < MET_MIN);
        match rare {
            _ if self.counts.is_empty() => Err(Failure::new("no fault was counted")),
            Some((name, met)) if seeds >= RUNS_TO_MEET_ALL => {
                Err(Failure::new(format!("{name} was met {met} times, and not {MET_MIN}")))
            }
            _ => Ok(()),
        }
    }
}

fn work(suite: &Suite, storm: &Mutex<Storm>) {
    let lock = || -> MutexGuard<'_, Storm> { storm.lock().unwrap_or_else(PoisonError::into_inner) };
    loop {
        let Some(range) = lock().next() else { return };
        match suite.run(&range) {
            Ok(said) => lock().passed(&range, counts(&said)),
            Err(failure) => lock().failed(range, &failure.to_string()),
        }
    }
}

/// The program of the tests. It is a copy, so that a storm of hours outlives the next build.
struct Suite {
    program: PathBuf,
    folder: PathBuf,
}

impl Suite {
    fn build(root: &Path) -> Result<Suite> {
        let built =
            shell::executable(&mut cargo(root, &[TEST, &["--no-run", shell::JSON]].concat()))?;
        let program = built.with_file_name(format!("storm-{}", std::process::id()));
        std::fs::copy(&built, &program).map_err(|cause| Failure::io(program.display(), cause))?;
        Ok(Suite { program, folder: root.join("engine") })
    }

    /// What it printed.
    fn run(&self, seeds: &Range<u64>) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).args(["storm::in_", "--nocapture", "--test-threads=1"]);
        command.env("HYDRANT_SEEDS", format!("{}..{}", seeds.start, seeds.end));
        command.env("RUST_BACKTRACE", "0");
        shell::read(&mut command)
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        // Left behind at worst, in the folder of the build.
        let _ = std::fs::remove_file(&self.program);
    }
}

fn ranges(seeds: Range<u64>) -> VecDeque<Range<u64>> {
    let starts = seeds.clone().step_by(RANGE as usize);
    starts.map(|start| start..(start + RANGE).min(seeds.end)).collect()
}

/// The lines that are a number and the name of a fault.
fn counts(said: &str) -> Counts {
    let words = said.lines().filter_map(|line| line.trim().split_once(' '));
    let counted = words.filter_map(|(met, name)| Some((name.to_owned(), met.parse().ok()?)));
    counted.filter(|(name, _)| name.chars().all(char::is_alphabetic)).collect()
}

fn replay(seed: u64) -> String {
    format!("seed {seed} fails: HYDRANT_SEED={seed} cargo {} -- storm::in_", TEST.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_cut_into_ranges() {
        assert_eq!(ranges(5..2100), [5..1005, 1005..2005, 2005..2100]);
        assert!(ranges(5..5).is_empty());
    }

    #[test]
    fn counts_are_read_and_other_lines_are_not() {
        let said = "running 1 test\n500 runs in a storm met:\n   12 Overflow\n 3 ShortRead\nok";
        let expected = [("Overflow".to_owned(), 12), ("ShortRead".to_owned(), 3)];
        assert_eq!(counts(said), Counts::from(expected));
    }

    #[test]
    fn a_range_that_fails_is_halved_down_to_its_seed() {
        let mut storm = Storm::new(0..4);
        while let Some(range) = storm.next() {
            if range.contains(&2) {
                storm.failed(range, "it broke");
            } else {
                storm.passed(&range, Counts::from([("Reset".to_owned(), 7)]));
            }
        }
        assert_eq!((storm.passed, &storm.failing[..]), (3, &[2][..]));
        assert_eq!(storm.counts["Reset"], 14, "once for each range that passed");
        assert!(storm.summary().contains("HYDRANT_SEED=2 cargo test"));
        assert!(storm.verdict(4).is_err());
    }

    #[test]
    fn a_fault_that_is_hardly_met_fails_a_long_storm() {
        let mut storm = Storm::new(0..1);
        assert!(storm.verdict(1).is_err(), "nothing was counted");
        storm.passed(&(0..1), Counts::from([("Reset".to_owned(), 99)]));
        assert!(storm.verdict(1).is_ok());
        assert!(storm.verdict(RUNS_TO_MEET_ALL).is_err());
    }
}
