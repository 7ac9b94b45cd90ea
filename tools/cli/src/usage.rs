//! CPU time and memory of this process, as the kernel counts them.

use std::fs;
use std::io;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::exit::Failure;

/// CPU time of all threads together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In the program.
    pub user: Duration,
    /// In the kernel on its behalf, io_uring's workers included.
    pub system: Duration,
}

/// The most memory that the process ever had, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeakMemory {
    /// Resident memory, transparent huge pages included (`VmHWM`).
    pub resident: u64,
    /// Huge pages set aside, which the kernel counts apart (`HugetlbPages`, now).
    pub huge: u64,
}

impl CpuTime {
    /// Since the process began.
    pub fn now() -> Result<CpuTime, Failure> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(io::Error::from);
        let usage = usage.map_err(Failure::local("read the CPU time of this process"))?;
        Ok(CpuTime { user: duration(usage.user_time()), system: duration(usage.system_time()) })
    }

    /// Since `earlier`.
    pub fn since(self, earlier: CpuTime) -> CpuTime {
        CpuTime {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// From /proc/self/status, where that tells.
pub fn peak_memory() -> Option<PeakMemory> {
    peak_memory_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn peak_memory_in(status: &str) -> Option<PeakMemory> {
    let kib = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    // A kernel without huge pages has no such line.
    let huge = kib("HugetlbPages:").unwrap_or(0) << 10;
    Some(PeakMemory { resident: kib("VmHWM:")? << 10, huge })
}

fn duration(time: TimeVal) -> Duration {
    let microseconds = time.tv_sec().saturating_mul(1_000_000).saturating_add(time.tv_usec());
    Duration::from_micros(microseconds.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        let memory = peak_memory().expect("Linux has /proc/self/status");
        assert!(memory.resident > 100 << 10, "{memory:?}");
        let cpu = CpuTime::now().expect("getrusage");
        assert!(cpu.user + cpu.system > Duration::ZERO);
        assert_eq!(cpu.since(cpu), CpuTime::default());
    }

    #[test]
    fn status_is_read_by_name() {
        let text = "VmPeak:\t  9 kB\nVmHWM:\t    12 kB\nHugetlbPages:\t  2048 kB\n";
        let memory = PeakMemory { resident: 12 << 10, huge: 2 << 20 };
        assert_eq!(peak_memory_in(text), Some(memory));
        assert_eq!(peak_memory_in("VmHWM: 12 kB"), Some(PeakMemory { huge: 0, ..memory }));
        assert_eq!(peak_memory_in("VmHWM: x"), None);
    }
}
