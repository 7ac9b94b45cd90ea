//! A program in a bench: how it is called, and what one run of it cost.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::stats::{Estimate, median};
use crate::failure::{Failure, Result};
use crate::shell;
use crate::sizes::GIB;

/// The yardstick: `hydrant-floor measure`, which runs a program and reports the CPU time of its
/// whole process.
pub struct Yardstick {
    /// The program `hydrant-floor`.
    pub program: PathBuf,
    /// Payload of each run.
    pub bytes: u64,
}

/// A program and its arguments.
pub struct Contestant {
    pub name: &'static str,
    pub command: Vec<String>,
    /// How a run shows what it did. Without it, the run does not count.
    pub proof: Proof,
}

/// What a program prints of what it did.
pub enum Proof {
    /// This, when all bytes of the yardstick have moved.
    Says(String),
    /// It runs for a time and prints what it moved in that, which the function finds.
    Tells(fn(&str) -> Option<Moved>),
}

/// What a program moved, and in what time, by its own account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    pub bytes: u64,
    pub time_s: f64,
}

/// What one run cost, by the yardstick, and what it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// User and system time of the process.
    pub cpu_s: f64,
    pub user_s: f64,
    /// Of the whole process, or what the program told if it runs for a time.
    pub wall_s: f64,
    pub bytes: u64,
}

impl Contestant {
    /// A program of ours, which ends with one line of JSON.
    pub fn reporting(
        name: &'static str,
        program: &Path,
        arguments: Vec<String>,
        bytes: u64,
    ) -> Self {
        let command = std::iter::once(program.display().to_string()).chain(arguments).collect();
        Self { name, command, proof: Proof::Says(format!("\"bytes\":{bytes},")) }
    }

    /// Runs it once.
    ///
    /// # Errors
    /// When it fails, or does not prove that it moved all bytes.
    pub fn run(&self, yardstick: &Yardstick) -> Result<Sample> {
        let mut command = Command::new(&yardstick.program);
        command
            .args(["measure", "--bytes", &yardstick.bytes.to_string(), "--"])
            .args(&self.command);
        self.read(&shell::read(&mut command)?, yardstick.bytes)
    }

    /// `printed` is what the program printed, then the line of the yardstick.
    fn read(&self, printed: &str, bytes: u64) -> Result<Sample> {
        let printed = printed.trim_end();
        let (own, last) = printed.rsplit_once('\n').unwrap_or(("", printed));
        let field = |name: &str| {
            number(last, name)
                .ok_or_else(|| Failure::new(format!("the yardstick printed no {name}: {last}")))
        };
        let (user_s, sys_s) = (field("user_s")?, field("sys_s")?);
        let moved = self.moved(own, Moved { bytes, time_s: field("wall_s")? })?;
        Ok(Sample { cpu_s: user_s + sys_s, user_s, wall_s: moved.time_s, bytes: moved.bytes })
    }

    /// What the run moved: `all`, or what it told.
    fn moved(&self, own: &str, all: Moved) -> Result<Moved> {
        let (moved, proof) = match &self.proof {
            Proof::Says(proof) => (own.contains(proof).then_some(all), proof.as_str()),
            Proof::Tells(find) => (find(own).filter(|moved| moved.bytes > 0), "what it moved"),
        };
        moved.ok_or_else(|| Failure::new(format!("{} did not print {proof} but: {own}", self.name)))
    }
}

impl Yardstick {
    pub fn gib(&self) -> f64 {
        self.bytes as f64 / GIB
    }
}

/// Runs every contestant once a round, as [`rotated`] has it.
pub fn in_turn(
    contestants: &[Contestant],
    rounds: usize,
    yardstick: &Yardstick,
    shown: Shown,
) -> Result<Vec<Vec<Sample>>> {
    let names: Vec<&str> = contestants.iter().map(|contestant| contestant.name).collect();
    rotated(&names, rounds, shown, |at| contestants[at].run(yardstick))
}

/// What is printed of a sample while a bench runs: a figure and its unit.
#[derive(Clone, Copy)]
pub struct Shown {
    pub unit: &'static str,
    pub value: fn(&Sample) -> f64,
}

/// Runs all of `names` once a round; each round starts with the next, so that nobody always comes
/// first. The figures of a round are printed when it is over: a bench that is cut short has shown
/// what it had.
pub fn rotated(
    names: &[&str],
    rounds: usize,
    shown: Shown,
    mut run: impl FnMut(usize) -> Result<Sample>,
) -> Result<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::with_capacity(rounds); names.len()];
    for round in 0..rounds {
        for turn in 0..names.len() {
            let at = (round + turn) % names.len();
            samples[at].push(run(at)?);
        }
        let figure = |(name, samples): (&&str, &Vec<Sample>)| {
            format!("{name} {:.4}", (shown.value)(&samples[round]))
        };
        let figures: Vec<String> = names.iter().zip(&samples).map(figure).collect();
        println!("    {:>2}. {}: {}", round + 1, shown.unit, figures.join(", "));
    }
    Ok(samples)
}

/// The ratio of one contestant's `value` to another's, pair by pair.
pub fn ratio(one: &[Sample], other: &[Sample], value: fn(&Sample) -> f64, seed: u64) -> Estimate {
    let column = |samples: &[Sample]| samples.iter().map(value).collect::<Vec<_>>();
    Estimate::of_ratios(&column(one), &column(other), seed)
}

/// The middle of one `value` over all runs.
pub fn middle(samples: &[Sample], value: fn(&Sample) -> f64) -> f64 {
    median(&samples.iter().map(value).collect::<Vec<_>>())
}

/// The value of `"name":` in a line of flat JSON.
pub fn number(line: &str, name: &str) -> Option<f64> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    rest.split([',', '}']).next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{\"mode\":\"measure\",\"bytes\":10,\"wall_s\":2.5,\"user_s\":0.25,\"sys_s\":0.5,\"gb_per_s\":1}";

    fn ours() -> Contestant {
        Contestant::reporting("ours", Path::new("x"), Vec::new(), 10)
    }

    #[test]
    fn a_run_is_read_from_the_yardstick_not_from_the_program() {
        let own = "{\"mode\":\"get\",\"bytes\":10,\"wall_s\":0.1,\"user_s\":0.0,\"sys_s\":0.0}";
        let sample = ours().read(&format!("{own}\n{LINE}\n"), 10).expect("both lines");
        assert_eq!(sample, Sample { cpu_s: 0.75, user_s: 0.25, wall_s: 2.5, bytes: 10 });
    }

    #[test]
    fn a_run_for_a_time_tells_what_it_moved() {
        let told = |text: &str| {
            let count = text.strip_prefix("moved ")?.parse().ok()?;
            Some(Moved { bytes: count, time_s: 2.0 })
        };
        let timed = Contestant { proof: Proof::Tells(told), ..ours() };
        let sample = timed.read(&format!("moved 4096\n{LINE}"), 0).expect("told");
        assert_eq!((sample.bytes, sample.wall_s, sample.cpu_s), (4096, 2.0, 0.75));
        assert!(timed.read(&format!("moved 0\n{LINE}"), 0).is_err());
        assert!(timed.read(&format!("nothing\n{LINE}"), 0).is_err());
    }

    #[test]
    fn everybody_runs_once_a_round_and_nobody_always_first() {
        let mut order = Vec::new();
        let shown = Shown { unit: "CPU s", value: |sample| sample.cpu_s };
        let samples = rotated(&["a", "b", "c"], 3, shown, |at| {
            order.push(at);
            Ok(Sample { cpu_s: at as f64, user_s: 0.0, wall_s: 1.0, bytes: 1 })
        });
        assert_eq!(order, [0, 1, 2, 1, 2, 0, 2, 0, 1]);
        let samples = samples.expect("nobody failed");
        assert!((0..3).all(|at| samples[at].iter().all(|sample| sample.cpu_s == at as f64)));
    }

    #[test]
    fn a_run_that_moved_less_or_says_nothing_does_not_count() {
        assert!(
            ours()
                .read(&format!("{{\"mode\":\"get\",\"bytes\":100,\"wall_s\":1}}\n{LINE}"), 10)
                .is_err()
        );
        assert!(ours().read(LINE, 10).is_err());
        assert!(ours().read("{\"bytes\":10,}\nnothing", 10).is_err());
    }
}
