//! Any program under the yardstick of the floor: run it, wait for it, report the CPU time of the
//! whole process from exec to exit, start and end included.

use std::process::Command;

use crate::failure::{Failure, Result};
use crate::report::{Report, Stopwatch};

/// Runs `command` (program first) with this process's own input and output. The caller says how
/// many `bytes` it moves.
///
/// # Errors
/// When the program cannot be started or leaves with a status other than 0.
pub fn run(command: &[String], bytes: u64) -> Result<Report> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Failure::wrong("measure: no program was named"))?;
    let stopwatch = Stopwatch::new();
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|cause| Failure::refused(format!("measure: starting {program}"), cause))?;
    if !status.success() {
        return Err(Failure::wrong(format!("measure: {program} ended with {status}")));
    }
    Ok(stopwatch.report_children("measure", bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_no_measurement() {
        assert!(run(&["false".into()], 1).is_err());
        assert!(run(&[], 1).is_err());
        assert_eq!(run(&["true".into()], 1).expect("true succeeds").bytes, 1);
    }
}
