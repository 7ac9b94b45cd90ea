//! What a bench ran on. A figure without it cannot be checked.

use std::fmt;
use std::fs;

/// Kernel and processor, as `/proc` has them.
pub struct Machine {
    kernel: String,
    processor: String,
    processors: usize,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: model(&read("/proc/cpuinfo"))
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Linux {}, {} × {}", self.kernel, self.processors, self.processor)
    }
}

/// arm64 names no model.
fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_where_there_is_one() {
        assert_eq!(
            model("processor\t: 0\nmodel name\t: EPYC 9654P\n").as_deref(),
            Some("EPYC 9654P")
        );
        assert_eq!(model("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
    }
}
