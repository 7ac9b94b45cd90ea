//! How long single operations took, as a histogram: its size does not grow with the run, and
//! nothing is allocated when an operation is counted.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::figures::{Figure, Value};

/// The longest that is told apart; what takes longer counts as this.
const NANOSECONDS_MAX: u64 = 60_000_000_000;
/// Three digits of a number hold.
const DIGITS: u8 = 3;
const NANOSECONDS_PER_MICROSECOND: f64 = 1000.0;

/// A histogram of spans of time.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Latency {
    /// An empty one, which takes about 220 KiB.
    pub fn new() -> Latency {
        let histogram = Histogram::new_with_bounds(1, NANOSECONDS_MAX, DIGITS);
        Latency(histogram.expect("the bounds are constants that fit"))
    }

    /// Counts one operation.
    pub fn record(&mut self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(NANOSECONDS_MAX);
        self.0.saturating_record(nanoseconds);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Latency) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// From the shortest to the longest, in microseconds.
    pub fn figures(&self) -> Vec<Figure> {
        let micros =
            |nanoseconds: u64| Value::Decimal(nanoseconds as f64 / NANOSECONDS_PER_MICROSECOND, 1);
        let at = |percentile: f64| micros(self.0.value_at_percentile(percentile));
        vec![
            Figure::new("latency µs, shortest", "latency_min_us", micros(self.0.min())),
            Figure::new("latency µs, 50 %", "latency_p50_us", at(50.0)),
            Figure::new("latency µs, 90 %", "latency_p90_us", at(90.0)),
            Figure::new("latency µs, 99 %", "latency_p99_us", at(99.0)),
            Figure::new("latency µs, 99.9 %", "latency_p999_us", at(99.9)),
            Figure::new("latency µs, longest", "latency_max_us", micros(self.0.max())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(latency: &Latency) -> Vec<f64> {
        let figures = latency.figures();
        let number = |figure: &Figure| match figure.value {
            Value::Decimal(number, _) => number,
            _ => f64::NAN,
        };
        figures.iter().map(number).collect()
    }

    #[test]
    fn percentiles_of_two_cores_are_those_of_all_operations() {
        let (mut one, mut other) = (Latency::new(), Latency::new());
        (1..=900).for_each(|micros| one.record(Duration::from_micros(micros)));
        (901..=1000).for_each(|micros| other.record(Duration::from_micros(micros)));
        one.merge(&other);
        for (told, is) in told(&one).into_iter().zip([1.0, 500.0, 900.0, 990.0, 999.0, 1000.0]) {
            assert!((told / is - 1.0).abs() < 0.002, "{told} for {is}");
        }
    }

    #[test]
    fn nothing_and_for_ever_are_numbers() {
        assert_eq!(told(&Latency::new()), [0.0; 6]);
        let mut latency = Latency::new();
        latency.record(Duration::MAX);
        assert!((told(&latency)[5] / 60e6 - 1.0).abs() < 0.002);
    }
}
