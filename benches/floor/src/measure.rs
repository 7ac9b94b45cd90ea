//! Any program under the yardstick of the floor: run it, wait for it, report the CPU time of the
//! whole process from exec to exit, start and end included, and its peak of memory.

use std::fs;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::report::{Report, Stopwatch};

/// How often huge pages are counted: the kernel keeps a peak of resident memory without them.
const HUGE_EVERY: Duration = Duration::from_millis(20);

/// Runs `command` (program first) so many times, one after the other, with this process's own input
/// and output. The caller says how many `bytes` it moves in all.
///
/// # Errors
/// When the program cannot be started or leaves with a status other than 0.
pub fn run(command: &[String], bytes: u64, times: u32) -> Result<Report> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Failure::wrong("measure: no program was named"))?;
    let stopwatch = Stopwatch::new();
    let mut huge_bytes = 0;
    for _ in 0..times {
        let child = Command::new(program).args(arguments).spawn();
        let mut child = child
            .map_err(|cause| Failure::refused(format!("measure: starting {program}"), cause))?;
        let id = child.id();
        let (ended, ends) = mpsc::channel();
        let watch = thread::spawn(move || most_huge_bytes(id, &ends));
        let status = child.wait();
        // It is waited for and not asked: the watch may have ended with the program.
        let _ = ended.send(());
        huge_bytes = watch.join().map_or(huge_bytes, |most| huge_bytes.max(most));
        let status =
            status.map_err(|cause| Failure::refused(format!("measure: {program}"), cause))?;
        if !status.success() {
            return Err(Failure::wrong(format!("measure: {program} ended with {status}")));
        }
    }
    let mut report = stopwatch.report_children("measure", bytes);
    report.usage.peak_bytes += huge_bytes;
    Ok(report)
}

/// The most that the process held in huge pages, until it is over.
fn most_huge_bytes(process: u32, ends: &mpsc::Receiver<()>) -> u64 {
    let path = format!("/proc/{process}/status");
    let mut most = 0;
    while ends.recv_timeout(HUGE_EVERY) == Err(RecvTimeoutError::Timeout) {
        most = most.max(fs::read_to_string(&path).map_or(0, |status| huge_bytes(&status)));
    }
    most
}

/// `HugetlbPages:     2048 kB` of `/proc/PID/status`; a process that has ended has no such line.
fn huge_bytes(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("HugetlbPages:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_no_measurement() {
        assert!(run(&["false".into()], 1, 1).is_err());
        assert!(run(&[], 1, 1).is_err());
        assert_eq!(run(&["true".into()], 1, 2).expect("true succeeds").bytes, 1);
    }

    #[test]
    fn huge_pages_are_read_from_the_status() {
        assert_eq!(huge_bytes("VmRSS:\t 12 kB\nHugetlbPages:\t    2048 kB\n"), 2 << 20);
        assert_eq!(huge_bytes("State:\tZ (zombie)\n"), 0);
    }
}
