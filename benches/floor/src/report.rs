//! What a measured program prints when it is done: one line of JSON.

use std::io::{self, Write};
use std::time::{Duration, Instant};

const GIB: f64 = (1u64 << 30) as f64;

/// CPU time and switches of a process, from `getrusage(2)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Seconds in user space. On kernels that sample, this is a count of ticks: trust it from some
    /// 16 GiB on.
    pub user_s: f64,
    /// Seconds in the kernel.
    pub sys_s: f64,
    /// How often the process gave the CPU up to wait.
    pub voluntary_switches: u64,
    /// The most memory that was resident at once; of children, that of the largest. Huge pages are
    /// not in it.
    pub peak_bytes: u64,
}

impl Usage {
    /// Of this process since it started.
    pub fn of_self() -> Self {
        Self::read(libc::RUSAGE_SELF)
    }

    /// Of all children that have been waited for.
    pub fn of_children() -> Self {
        Self::read(libc::RUSAGE_CHILDREN)
    }

    /// What came after `before`; the peak of memory has no before.
    pub fn since(self, before: Self) -> Self {
        Self {
            user_s: self.user_s - before.user_s,
            sys_s: self.sys_s - before.sys_s,
            voluntary_switches: self.voluntary_switches.saturating_sub(before.voluntary_switches),
            peak_bytes: self.peak_bytes,
        }
    }

    fn read(who: libc::c_int) -> Self {
        // SAFETY: `rusage` is plain integers, for which all zeros is a value.
        let mut raw: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `raw` is exclusively borrowed for the call, and `who` is one of the two constants
        // above, so the call cannot fail.
        unsafe { libc::getrusage(who, &mut raw) };
        Self {
            user_s: seconds(raw.ru_utime),
            sys_s: seconds(raw.ru_stime),
            voluntary_switches: u64::try_from(raw.ru_nvcsw).unwrap_or(0),
            peak_bytes: u64::try_from(raw.ru_maxrss).unwrap_or(0) << 10,
        }
    }
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

/// The wall clock of a run, started before the first system call that counts.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[expect(
        clippy::new_without_default,
        reason = "a default value that reads the clock would surprise"
    )]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// The line of a program that reports on itself, `mode` being what it did (plain ASCII).
    pub fn report(self, mode: impl Into<String>, bytes: u64) -> Report {
        Report { mode: mode.into(), bytes, wall: self.0.elapsed(), usage: Usage::of_self() }
    }

    /// The line of a program that ran a child and waited for it.
    pub fn report_children(self, mode: impl Into<String>, bytes: u64) -> Report {
        Report { mode: mode.into(), bytes, wall: self.0.elapsed(), usage: Usage::of_children() }
    }
}

/// One finished run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was done, for instance `get-uring`.
    pub mode: String,
    /// Payload bytes that arrived and were checked.
    pub bytes: u64,
    /// From the first system call to the last answer.
    pub wall: Duration,
    /// CPU of the whole process.
    pub usage: Usage,
}

impl Report {
    /// The line, without its line feed.
    pub fn json(&self) -> String {
        let wall_s = self.wall.as_secs_f64();
        let Usage { user_s, sys_s, voluntary_switches, peak_bytes } = self.usage;
        format!(
            "{{\"mode\":\"{}\",\"bytes\":{},\"wall_s\":{wall_s:.6},\"user_s\":{user_s:.6},\"sys_s\":{sys_s:.6},\
             \"voluntary_switches\":{voluntary_switches},\"peak_bytes\":{peak_bytes},\"gb_per_s\":{:.3},\"cpu_s_per_gib\":{:.6}}}",
            self.mode,
            self.bytes,
            self.bytes as f64 / wall_s.max(1e-9) / 1e9,
            (user_s + sys_s) / (self.bytes.max(1) as f64 / GIB),
        )
    }

    /// Prints the line on standard output.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print(&self) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", self.json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_every_field_and_both_rates() {
        let usage = Usage { user_s: 0.25, sys_s: 0.75, voluntary_switches: 7, peak_bytes: 4096 };
        let report = Report {
            mode: "get-uring".into(),
            bytes: 2 << 30,
            wall: Duration::from_secs(2),
            usage,
        };
        assert_eq!(
            report.json(),
            "{\"mode\":\"get-uring\",\"bytes\":2147483648,\"wall_s\":2.000000,\"user_s\":0.250000,\"sys_s\":0.750000,\
             \"voluntary_switches\":7,\"peak_bytes\":4096,\"gb_per_s\":1.074,\"cpu_s_per_gib\":0.500000}"
        );
    }

    #[test]
    fn work_done_here_shows_up_in_the_usage() {
        let before = Usage::of_self();
        let start = Instant::now();
        let mut sum = 0u64;
        while start.elapsed() < Duration::from_millis(50) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let after = Usage::of_self();
        assert!(after.user_s + after.sys_s > before.user_s + before.sys_s);
    }
}
