//! A program in a bench: how it is called, and what one run of it cost.

use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// What it prints when all bytes arrived. Without it, a run does not count.
    pub proof: String,
}

/// What one run cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// User and system time of the process.
    pub cpu_s: f64,
    pub user_s: f64,
    pub wall_s: f64,
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
        Self { name, command, proof: format!("\"bytes\":{bytes},") }
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
        self.read(&shell::read(&mut command)?)
    }

    /// `printed` is what the program printed, then the line of the yardstick.
    fn read(&self, printed: &str) -> Result<Sample> {
        let printed = printed.trim_end();
        let (own, last) = printed.rsplit_once('\n').unwrap_or(("", printed));
        if !own.contains(&self.proof) {
            return Err(Failure::new(format!(
                "{} did not print {} but: {own}",
                self.name, self.proof
            )));
        }
        let field = |name: &str| {
            number(last, name)
                .ok_or_else(|| Failure::new(format!("the yardstick printed no {name}: {last}")))
        };
        let (user_s, sys_s) = (field("user_s")?, field("sys_s")?);
        Ok(Sample { cpu_s: user_s + sys_s, user_s, wall_s: field("wall_s")? })
    }
}

impl Yardstick {
    pub fn gib(&self) -> f64 {
        self.bytes as f64 / GIB
    }
}

/// The value of `"name":` in a line of flat JSON.
fn number(line: &str, name: &str) -> Option<f64> {
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
        let sample = ours().read(&format!("{own}\n{LINE}\n")).expect("both lines");
        assert_eq!(sample, Sample { cpu_s: 0.75, user_s: 0.25, wall_s: 2.5 });
    }

    #[test]
    fn a_run_that_moved_less_or_says_nothing_does_not_count() {
        assert!(
            ours()
                .read(&format!("{{\"mode\":\"get\",\"bytes\":100,\"wall_s\":1}}\n{LINE}"))
                .is_err()
        );
        assert!(ours().read(LINE).is_err());
        assert!(ours().read("{\"bytes\":10,}\nnothing").is_err());
    }
}
