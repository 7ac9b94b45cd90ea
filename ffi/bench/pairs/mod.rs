//! What pairs of runs say.

/// The one in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// The bootstrap interval of the median, 95 %, of 10,000 samples.
pub fn interval(values: &[f64]) -> (f64, f64) {
    let mut state = 1_u64;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values[(state >> 33) as usize % values.len()]
    };
    let sample = |_| median(&(0..values.len()).map(|_| draw()).collect::<Vec<_>>());
    let mut medians: Vec<f64> = (0..10_000).map(sample).collect();
    medians.sort_by(f64::total_cmp);
    (medians[250], medians[9_749])
}
