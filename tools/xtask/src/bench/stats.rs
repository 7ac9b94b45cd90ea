//! The figures of a bench: medians of paired ratios, their 95 % interval, and what a bar makes of
//! them.

use std::fmt;

/// How often the pairs are drawn anew for an interval.
const RESAMPLES: usize = 10_000;
/// The interval leaves this share out on each side.
const TAIL: f64 = 0.025;

/// The middle of `values`, or the mean of the two in the middle.
///
/// # Panics
/// When there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// A median and where it lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// Of the ratios `ours / theirs`, pair by pair, by the bootstrap: the same seed gives the same
    /// interval.
    ///
    /// # Panics
    /// When there are no pairs, or not as many on both sides.
    pub fn of_ratios(ours: &[f64], theirs: &[f64], seed: u64) -> Self {
        assert_eq!(ours.len(), theirs.len(), "a pair has two sides");
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(one, other)| one / other).collect();
        let mut random = SplitMix64(seed);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let drawn: Vec<f64> =
                    (0..ratios.len()).map(|_| ratios[random.below(ratios.len())]).collect();
                median(&drawn)
            })
            .collect();
        medians.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| medians[((RESAMPLES - 1) as f64 * share).round() as usize];
        Self { median: median(&ratios), low: at(TAIL), high: at(1.0 - TAIL) }
    }

    /// Whether the ratio is at most `bar`.
    pub fn against(&self, bar: f64) -> Verdict {
        if self.high <= bar {
            Verdict::Met
        } else if self.low > bar {
            Verdict::Missed
        } else {
            Verdict::Undecided
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.3} [{:.3}, {:.3}]", self.median, self.low, self.high)
    }
}

/// What an interval says about a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The interval's upper end is at or under it.
    Met,
    /// Its lower end is above.
    Missed,
    /// Neither: more pairs are needed, and nothing is claimed.
    Undecided,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Undecided => "undecided",
        })
    }
}

/// The generator of Steele, Lea and Flood: small, and good enough to draw pairs and fill objects.
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number under `bound`, near enough to uniform for a bound this small.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn equal_ratios_leave_no_doubt() {
        let estimate = Estimate::of_ratios(&[2.4; 15], &[2.0; 15], 1);
        assert_eq!((estimate.median, estimate.low, estimate.high), (1.2, 1.2, 1.2));
        assert_eq!(estimate.against(1.25), Verdict::Met);
        assert_eq!(estimate.against(1.19), Verdict::Missed);
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        // The machine slows down threefold over the run; the ratio of each pair stays.
        let theirs: Vec<f64> = (0..15).map(|i| 1.0 + f64::from(i) / 7.0).collect();
        let ours: Vec<f64> = theirs.iter().map(|time| time * 1.1).collect();
        let estimate = Estimate::of_ratios(&ours, &theirs, 1);
        assert!((estimate.low - 1.1).abs() < 1e-9 && (estimate.high - 1.1).abs() < 1e-9);
    }

    #[test]
    fn one_seed_gives_one_interval_and_it_holds_the_median() {
        let ours: Vec<f64> = (0..15).map(|i| 1.0 + f64::from(i % 5) / 10.0).collect();
        let first = Estimate::of_ratios(&ours, &[1.0; 15], 7);
        assert_eq!(first, Estimate::of_ratios(&ours, &[1.0; 15], 7));
        assert!(first.low < first.median && first.median < first.high, "{first}");
        assert!(first.low >= 1.0 && first.high <= 1.4, "{first}");
    }

    #[test]
    fn the_interval_covers_the_true_median_about_as_often_as_it_says() {
        let mut random = SplitMix64(42);
        let mut uniform = || (random.next() >> 11) as f64 / (1u64 << 53) as f64;
        let covered = (0..100)
            .filter(|&seed| {
                let ours: Vec<f64> = (0..15).map(|_| 1.0 + uniform()).collect();
                let estimate = Estimate::of_ratios(&ours, &[1.0; 15], seed);
                estimate.low <= 1.5 && 1.5 <= estimate.high
            })
            .count();
        assert!((88..=100).contains(&covered), "{covered} of 100");
    }

    #[test]
    fn a_bar_inside_the_interval_is_undecided_and_its_edges_are_not() {
        let estimate = Estimate { median: 1.2, low: 1.1, high: 1.3 };
        assert_eq!(estimate.against(1.2), Verdict::Undecided);
        assert_eq!(estimate.against(1.3), Verdict::Met);
        assert_eq!(estimate.against(1.1), Verdict::Undecided);
        assert_eq!(estimate.against(1.09), Verdict::Missed);
    }
}
