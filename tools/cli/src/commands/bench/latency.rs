//! How long single operations took, as a histogram: its size does not grow with the run, and
//! nothing is allocated when an operation is counted.

use std::fmt::Write;
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

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From the shortest to the longest, in microseconds.
    pub fn figures(&self) -> Vec<Figure> {
        self.named([
            ("latency µs, shortest", "latency_min_us"),
            ("latency µs, 50 %", "latency_p50_us"),
            ("latency µs, 90 %", "latency_p90_us"),
            ("latency µs, 99 %", "latency_p99_us"),
            ("latency µs, 99.9 %", "latency_p999_us"),
            ("latency µs, longest", "latency_max_us"),
        ])
    }

    /// The same of times to the first byte.
    pub fn figures_to_first_byte(&self) -> Vec<Figure> {
        self.named([
            ("first byte µs, shortest", "first_byte_min_us"),
            ("first byte µs, 50 %", "first_byte_p50_us"),
            ("first byte µs, 90 %", "first_byte_p90_us"),
            ("first byte µs, 99 %", "first_byte_p99_us"),
            ("first byte µs, 99.9 %", "first_byte_p999_us"),
            ("first byte µs, longest", "first_byte_max_us"),
        ])
    }

    fn named(&self, names: [(&'static str, &'static str); 6]) -> Vec<Figure> {
        let at = |percentile: f64| self.0.value_at_percentile(percentile);
        let values = [self.0.min(), at(50.0), at(90.0), at(99.0), at(99.9), self.0.max()];
        let micros =
            |nanoseconds: u64| Value::Decimal(nanoseconds as f64 / NANOSECONDS_PER_MICROSECOND, 1);
        let figures = names.into_iter().zip(values);
        figures.map(|((name, field), value)| Figure::new(name, field, micros(value))).collect()
    }

    /// All that was counted, as one word: each span in nanoseconds and how often it came.
    pub fn to_text(&self) -> String {
        let mut text = String::from("-");
        for counted in self.0.iter_recorded() {
            let (span, count) = (counted.value_iterated_to(), counted.count_at_value());
            write!(text, "{span}:{count},").expect("a string takes all");
        }
        text
    }

    /// From such a word.
    pub fn of_text(text: &str) -> Option<Latency> {
        let mut latency = Latency::new();
        for counted in text.strip_prefix('-')?.split_terminator(',') {
            let (span, count) = counted.split_once(':')?;
            latency.0.record_n(span.parse().ok()?, count.parse().ok()?).ok()?;
        }
        Some(latency)
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
    fn what_is_told_as_text_is_told_whole() {
        let mut latency = Latency::new();
        (1..=5000).for_each(|micros| latency.record(Duration::from_nanos(micros * micros)));
        latency.record(Duration::MAX);
        let read = Latency::of_text(&latency.to_text()).expect("its own text");
        assert!(read.0 == latency.0);
        assert!(Latency::of_text(&Latency::new().to_text()).expect("nothing").is_empty());
        for text in ["", "1:1", "-x:1,", "-1,", "-99999999999999999999:1,"] {
            assert!(Latency::of_text(text).is_none(), "{text:?}");
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
