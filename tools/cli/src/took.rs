//! What a piece of measured work took: time, CPU time, and what the engine counted meanwhile.

use std::time::{Duration, Instant};

use hydrant::engine::{Engine, MetricsSnapshot};

use crate::exit::Failure;
use crate::usage::CpuTime;

/// What some work took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// From its beginning to its end.
    pub time: Duration,
    /// CPU time of the whole process meanwhile.
    pub cpu: CpuTime,
    /// What the engine counted meanwhile.
    pub counted: MetricsSnapshot,
}

/// The beginning of some work.
#[derive(Debug)]
pub struct Stopwatch {
    started: Instant,
    cpu: CpuTime,
    counted: MetricsSnapshot,
}

impl Stopwatch {
    /// Begins now.
    pub fn start(engine: &Engine) -> Result<Stopwatch, Failure> {
        let (counted, cpu) = (engine.metrics(), CpuTime::now()?);
        Ok(Stopwatch { started: Instant::now(), cpu, counted })
    }

    /// Ends now.
    pub fn stop(self, engine: &Engine) -> Result<Took, Failure> {
        Ok(Took {
            time: self.started.elapsed(),
            cpu: CpuTime::now()?.since(self.cpu),
            counted: engine.metrics().since(&self.counted),
        })
    }
}

impl Took {
    /// Of a count, how many each second.
    pub fn per_second(&self, count: f64) -> f64 {
        count / self.time.as_secs_f64().max(1e-9)
    }

    /// The share of file bytes that went through registered buffers; 1 where there were none.
    pub fn registered_share(&self) -> f64 {
        let registered = self.counted.file_bytes_registered as f64;
        let all = registered + self.counted.file_bytes_unregistered as f64;
        if all > 0.0 { registered / all } else { 1.0 }
    }
}

/// An amount for each GiB of `bytes`.
pub fn per_gib(amount: f64, bytes: u64) -> f64 {
    amount * (1u64 << 30) as f64 / bytes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_of_nothing_are_numbers() {
        let counted = MetricsSnapshot::default();
        let mut took = Took { time: Duration::ZERO, cpu: CpuTime::default(), counted };
        assert_eq!(took.registered_share(), 1.0);
        assert!(took.per_second(1.0).is_finite() && per_gib(1.0, 0).is_finite());
        took.counted.file_bytes_registered = 3;
        took.counted.file_bytes_unregistered = 1;
        assert_eq!(took.registered_share(), 0.75);
        assert_eq!(per_gib(5.0, 1 << 29), 10.0);
    }
}
