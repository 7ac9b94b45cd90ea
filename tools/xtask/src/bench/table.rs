//! How the samples of a bench are shown.

use super::contestant::{Contestant, Sample, Yardstick, middle};

/// User time is counted in ticks of 4 ms on many kernels: below this much payload it says nothing.
const USER_CLAIM_GIB: f64 = 16.0;

/// A row for each contestant: medians, but user time over the whole run.
pub fn rows(contestants: &[Contestant], samples: &[Vec<Sample>], yardstick: &Yardstick) -> String {
    let mut out = format!(
        "{:<10} {:>10} {:>11} {:>9} {:>7}\n",
        "program", "CPU s/GiB", "user s/GiB", "wall s", "GB/s"
    );
    for (contestant, samples) in contestants.iter().zip(samples) {
        let wall_s = middle(samples, |sample| sample.wall_s);
        out += &format!(
            "{:<10} {:>10.4} {:>11} {wall_s:>9.3} {:>7.2}\n",
            contestant.name,
            middle(samples, |sample| sample.cpu_s) / yardstick.gib(),
            user(samples, yardstick),
            yardstick.bytes as f64 / wall_s / 1e9,
        );
    }
    out
}

fn user(samples: &[Sample], yardstick: &Yardstick) -> String {
    let total_gib = yardstick.gib() * samples.len() as f64;
    if total_gib < USER_CLAIM_GIB {
        return "< 16 GiB".to_owned();
    }
    let user_s: f64 = samples.iter().map(|sample| sample.user_s).sum();
    format!("{:.4}", user_s / total_gib)
}

#[cfg(test)]
mod tests {
    use super::super::contestant::Proof;
    use super::*;

    fn shown(runs: usize) -> String {
        let contestant =
            Contestant { name: "ours", command: Vec::new(), proof: Proof::Says(String::new()) };
        let sample = Sample { cpu_s: 1.0, user_s: 0.1, wall_s: 2.0, bytes: 4 << 30 };
        let yardstick = Yardstick { program: "x".into(), bytes: 4 << 30 };
        rows(&[contestant], &[vec![sample; runs]], &yardstick)
    }

    #[test]
    fn user_time_is_claimed_from_16_gib_on() {
        assert!(shown(3).contains("< 16 GiB"));
        let row = shown(4).lines().nth(1).expect("a row").to_owned();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["ours", "0.2500", "0.0250", "2.000", "2.15"]
        );
    }
}
