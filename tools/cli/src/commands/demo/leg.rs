//! One copy of the demo, and what it took.

use std::time::{Duration, Instant};

use hydrant::engine::MetricsSnapshot;
use hydrant::{CopyOptions, Hydrant};

use super::usage::CpuTime;
use crate::exit::Failure;
use crate::options::Options;
use crate::progress::Progress;

/// What one copy took.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Payload.
    pub bytes: u64,
    /// Parts it went in.
    pub parts: u64,
    /// From the call to its result.
    pub time: Duration,
    /// CPU time of the whole process meanwhile.
    pub cpu: CpuTime,
    /// What the engine counted meanwhile.
    pub counted: MetricsSnapshot,
}

impl Leg {
    /// The share of file bytes that went through registered buffers; 1 where there were none.
    pub fn registered_share(&self) -> f64 {
        let registered = self.counted.file_bytes_registered as f64;
        let all = registered + self.counted.file_bytes_unregistered as f64;
        if all > 0.0 { registered / all } else { 1.0 }
    }

    /// A count for each GiB of payload.
    pub fn per_gib(&self, count: f64) -> f64 {
        count * (1u64 << 30) as f64 / self.bytes.max(1) as f64
    }
}

/// Copies an object and measures it.
pub async fn copy(
    client: &Hydrant,
    from: &str,
    to: &str,
    label: &str,
    options: &Options,
) -> Result<Leg, Failure> {
    let (from, to) = (client.locate(from)?, client.locate(to)?);
    let progress = Progress::new(label, options.quiet);
    let how = CopyOptions { progress: Some(progress.listener()), ..CopyOptions::default() };
    let (counted, cpu, started) = (client.engine().metrics(), CpuTime::now()?, Instant::now());
    let report = progress.during(hydrant::copy(&from, &to, how)).await?;
    Ok(Leg {
        bytes: report.bytes,
        parts: report.parts,
        time: started.elapsed(),
        cpu: CpuTime::now()?.since(cpu),
        counted: client.engine().metrics().since(&counted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_of_nothing_are_numbers() {
        let counted = MetricsSnapshot::default();
        let mut leg =
            Leg { bytes: 0, parts: 0, time: Duration::ZERO, cpu: CpuTime::default(), counted };
        assert_eq!(leg.registered_share(), 1.0);
        assert!(leg.per_gib(1.0).is_finite());
        leg.bytes = 1 << 29;
        leg.counted.file_bytes_registered = 3;
        leg.counted.file_bytes_unregistered = 1;
        assert_eq!(leg.registered_share(), 0.75);
        assert_eq!(leg.per_gib(5.0), 10.0);
    }
}
