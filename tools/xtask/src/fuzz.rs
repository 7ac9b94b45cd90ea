//! The fuzz targets of `tests/fuzz`: built with the coverage that libFuzzer follows and with
//! AddressSanitizer, and run for a time, some of them side by side.
//!
//! What a run finds is kept as a file in the folder of the build, and told with the command that plays
//! it again. Inputs that reach new code grow a corpus there; that of the tree is only read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::asan;
use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};
use crate::steps::Outcome;

/// Each with a folder of inputs in `tests/fuzz/corpus`; the slow one first.
const TARGETS: &[&str] =
    &["abi", "head", "body", "xml", "uri", "sigv4", "presign", "profile", "answer"];

/// The instrumentation that libFuzzer reads.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// An input is at most 4 KiB. One that takes 25 s hangs: the engine's own patience with a pool that is
/// held is longer, and a target never holds all of it.
const LIMITS: &[&str] = &["-max_len=4096", "-rss_limit_mb=2048", "-timeout=25"];

/// Of each target within `cargo xtask test`, which begins with the same choices every time: what a
/// change broke is to be told from what was there before.
const SECONDS_IN_TEST: u32 = 30;
const SEED_IN_TEST: u32 = 1;

#[derive(clap::Args)]
pub struct Args {
    /// This target alone; all of them otherwise.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    target: Option<String>,
    /// Seconds for each target; 0 only plays the inputs that are there.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Targets at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// What the choices of a run begin with; by default another one each time, which is printed.
    #[arg(long)]
    seed: Option<u32>,
    /// Plays this input alone, such as one that was found.
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
}

/// Builds the targets, and runs those that are wanted.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    let wanted = |name: &&&str| args.target.as_deref().is_none_or(|target| target == **name);
    let targets: Vec<&str> = TARGETS.iter().filter(wanted).copied().collect();
    let fuzzer = Fuzzer::build(root)?;
    match &args.input {
        Some(input) => fuzzer.play(targets[0], input),
        None => fuzzer.run(&targets, args.seconds, args.jobs, args.seed.unwrap_or_else(any_seed)),
    }
}

/// All targets for a moment: the inputs of the tree, and a little beyond.
pub fn short(root: &Path) -> Result<Outcome> {
    Fuzzer::build(root)?.run(TARGETS, SECONDS_IN_TEST, 2, SEED_IN_TEST)?;
    Ok(Outcome::Passed)
}

/// From 1: libFuzzer takes 0 for none.
fn any_seed() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| now.subsec_nanos().max(1))
}

/// The program with all targets, and where its runs put what they make.
struct Fuzzer {
    program: PathBuf,
    folder: PathBuf,
    corpora: PathBuf,
}

impl Fuzzer {
    fn build(root: &Path) -> Result<Fuzzer> {
        let (folder, host) = (shell::target_folder(root).join("fuzz"), shell::host_triple()?);
        // A target is named, although it is the host's own, so that build scripts and macros stay
        // without the instrumentation.
        let mut build = cargo(root, &["build", "--quiet", "--release", "--locked"]);
        build.args(["--manifest-path", "tests/fuzz/Cargo.toml", "--target", &host]);
        build.arg("--target-dir").arg(&folder).env(asan::BOOTSTRAP.0, asan::BOOTSTRAP.1);
        build.env("RUSTFLAGS", format!("--cfg fuzzing {} {COVERAGE}", asan::SANITIZE));
        shell::run(&mut build)?;
        let program = folder.join(host).join("release/hydrant-fuzz");
        Ok(Fuzzer { program, folder, corpora: root.join("tests/fuzz/corpus") })
    }

    fn run(&self, targets: &[&str], seconds: u32, jobs: usize, seed: u32) -> Result<()> {
        println!("    seed {seed}, {seconds} s for each target");
        let (next, failures) = (Mutex::new(targets.iter()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(target) = locked(&next).next() {
                        match self.fuzz(target, seconds, seed) {
                            Ok(said) => println!("    {target}: {said}"),
                            Err(failure) => locked(&failures).push(failure.to_string()),
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
    }

    /// Runs one target; what it came to in a line.
    fn fuzz(&self, target: &str, seconds: u32, seed: u32) -> Result<String> {
        let found = self.folder.join("found");
        let mut command = self.command(target)?;
        // New inputs go into the first folder, away from the tree.
        command.arg(made(self.folder.join("corpus").join(target))?);
        command.arg(self.corpora.join(target)).args(LIMITS).arg(format!("-seed={seed}"));
        command.arg(format!("-artifact_prefix={}/{target}-", made(found)?.display()));
        command.arg("-print_final_stats=1").arg(match seconds {
            0 => "-runs=0".to_owned(),
            _ => format!("-max_total_time={seconds}"),
        });
        let output = shell::attempt(&mut command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(summary(&said)) } else { Err(finding(target, seed, &said)) }
    }

    /// Plays one input, with its output on the terminal.
    fn play(&self, target: &str, input: &Path) -> Result<()> {
        let input = std::path::absolute(input).map_err(|it| Failure::io(input.display(), it))?;
        shell::run(self.command(target)?.args(LIMITS).arg(input))
    }

    /// In a folder where the target may leave files.
    fn command(&self, target: &str) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.current_dir(made(self.folder.join("scratch").join(target))?);
        command.env("HYDRANT_FUZZ", target);
        // Quick rather than thorough: what was freed is held for less long, and stacks are the stacks.
        let quick = "quarantine_size_mb=16:detect_stack_use_after_return=0";
        command.env(asan::OPTIONS.0, format!("{}:{quick}", asan::OPTIONS.1));
        Ok(command)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&folder).map_err(|it| Failure::io(folder.display(), it))?;
    Ok(folder)
}

/// The counters of libFuzzer in a line.
fn summary(said: &str) -> String {
    let mut text = String::new();
    for (name, what) in [
        ("number_of_executed_units", "inputs"),
        ("average_exec_per_sec", "a second"),
        ("new_units_added", "of them new"),
        ("peak_rss_mb", "MB at most"),
    ] {
        let counted = said.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
        let counted = counted.map_or("?", |it| it.trim_start_matches(':').trim());
        let _ = write!(text, "{}{counted} {what}", if text.is_empty() { "" } else { ", " });
    }
    text
}

/// The end of what a run said, where its input is, and how to play it again.
fn finding(target: &str, seed: u32, said: &str) -> Failure {
    let lines: Vec<&str> = said.lines().collect();
    let said = lines[lines.len().saturating_sub(60)..].join("\n");
    let input = lines.iter().find_map(|line| line.split_once("Test unit written to "));
    let replay = match input {
        Some((_, input)) => format!(
            "kept as {input}; `cargo xtask fuzz {target} --input {input}` plays it again. Once \
             mended it belongs into tests/fuzz/corpus/{target}, and a test next to the code"
        ),
        None => "it left no input".to_owned(),
    };
    Failure::new(format!("{said}\n!!! fuzz target {target}, seed {seed}: {replay}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_inputs_in_the_tree() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
        let mut found: Vec<String> = std::fs::read_dir(&corpus)
            .expect("the corpus")
            .map(|folder| folder.expect("a folder").path())
            .filter(|folder| std::fs::read_dir(folder).is_ok_and(|it| it.count() > 0))
            .map(|folder| folder.file_name().expect("a name").to_string_lossy().into_owned())
            .collect();
        found.sort_unstable();
        let mut expected = TARGETS.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_libfuzzer_counted_becomes_a_line() {
        let said = "Done 9 runs in 2 second(s)\nstat::number_of_executed_units: 9\n\
                    stat::average_exec_per_sec:     4\nstat::new_units_added:          1\n";
        assert_eq!(summary(said), "9 inputs, 4 a second, 1 of them new, ? MB at most");
    }

    #[test]
    fn a_finding_is_told_with_its_seed_its_file_and_its_command() {
        let said = "it broke\nartifact_prefix='x'; Test unit written to /t/found/head-crash-1\n";
        let told = finding("head", 7, said).to_string();
        for part in ["it broke", "seed 7", "xtask fuzz head --input /t/found/head-crash-1"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
