//! A chore as a table of steps: each is named, timed and printed, and the first that fails ends the
//! chore.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use clap::Args;

use crate::failure::{Failure, Result};
use crate::shell;

/// One row of a table.
#[derive(Clone, Copy)]
pub struct Step {
    /// What `--only` takes.
    pub name: &'static str,
    /// What it holds up, in a line.
    pub about: &'static str,
    /// Does it, in the root of the workspace.
    pub run: fn(&Path) -> Result<Outcome>,
}

/// How a step ended, other than by failing.
pub enum Outcome {
    Passed,
    /// It could not be done here; the reason is repeated at the end, loudly.
    NotDone(String),
}

/// Which steps of the table.
#[derive(Args)]
pub struct Selection {
    /// Run this step alone (may be given several times).
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// List the steps and run nothing.
    #[arg(long)]
    list: bool,
}

impl Selection {
    /// Whether it is all steps that are to run, none having been named.
    pub fn is_everything(&self) -> bool {
        self.only.is_empty() && !self.list
    }
}

/// Runs the selected steps in the order of the table.
///
/// # Errors
/// The first failure, or a name that no step has.
pub fn run(root: &Path, table: &[Step], selection: &Selection) -> Result<()> {
    run_noting(root, &shell::not_tested(root), table, selection)
}

/// `notes` is where tests leave what they could not test.
fn run_noting(root: &Path, notes: &Path, table: &[Step], selection: &Selection) -> Result<()> {
    if selection.list {
        for step in table {
            println!("{:<12} {}", step.name, step.about);
        }
        return Ok(());
    }
    let chosen = choose(table, &selection.only)?;
    let mut not_done = Vec::new();
    let ended = run_all(root, notes, &chosen, &mut not_done);
    for (name, reason) in not_done {
        println!("!!! NOT DONE: {name}: {reason}");
    }
    ended
}

fn run_all(
    root: &Path,
    notes: &Path,
    chosen: &[Step],
    not_done: &mut Vec<(&'static str, String)>,
) -> Result<()> {
    let start = Instant::now();
    for (index, step) in chosen.iter().enumerate() {
        println!("==> {}/{} {}: {}", index + 1, chosen.len(), step.name, step.about);
        let step_start = Instant::now();
        let _ = std::fs::remove_file(notes);
        let outcome = (step.run)(root);
        let told = std::fs::read_to_string(notes).unwrap_or_default();
        not_done.extend(each_once(&told).map(|line| (step.name, line.to_owned())));
        let outcome = outcome.map_err(|failure| {
            let seconds = step_start.elapsed().as_secs_f64();
            Failure::new(format!("step {} failed after {seconds:.1} s: {failure}", step.name))
        })?;
        let word = match outcome {
            Outcome::Passed => "ok",
            Outcome::NotDone(reason) => {
                not_done.push((step.name, reason));
                "NOT DONE"
            }
        };
        println!("    {word}, {:.1} s", step_start.elapsed().as_secs_f64());
    }
    println!("\nsteps: {}, {:.1} s", chosen.len(), start.elapsed().as_secs_f64());
    Ok(())
}

/// The lines, of which the same may come from many tests.
fn each_once(lines: &str) -> impl Iterator<Item = &str> {
    lines.lines().collect::<BTreeSet<_>>().into_iter()
}

fn choose(table: &[Step], only: &[String]) -> Result<Vec<Step>> {
    if let Some(unknown) =
        only.iter().find(|name| table.iter().all(|step| step.name != name.as_str()))
    {
        return Err(Failure::new(format!("there is no step {unknown}; --list names them")));
    }
    let wanted = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.name);
    Ok(table.iter().filter(wanted).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Step; 3] = [
        Step { name: "one", about: "passes", run: |_| Ok(Outcome::Passed) },
        Step { name: "two", about: "fails", run: |_| Err(Failure::new("it broke")) },
        Step { name: "three", about: "cannot be reached", run: |_| panic!("ran after a failure") },
    ];

    /// The tests of this program run in a step themselves, whose notes are no matter of theirs.
    fn run_here(table: &[Step], selection: &Selection) -> Result<()> {
        let notes = std::env::temp_dir().join(format!("hydrant-notes-{}", std::process::id()));
        run_noting(Path::new("."), &notes, table, selection)
    }

    fn only(names: &[&str]) -> Selection {
        Selection { only: names.iter().map(|&name| name.to_owned()).collect(), list: false }
    }

    #[test]
    fn the_first_failure_stops_and_is_named() {
        let failure = run_here(&TABLE, &only(&[])).expect_err("step two fails").to_string();
        assert!(failure.starts_with("step two failed after"), "{failure}");
        assert!(failure.ends_with("it broke"), "{failure}");
    }

    #[test]
    fn only_runs_what_was_named_and_refuses_what_is_not_there() {
        run_here(&TABLE, &only(&["one"])).expect("step one passes");
        assert!(run_here(&TABLE, &only(&["one", "four"])).is_err());
    }
}
