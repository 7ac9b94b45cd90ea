//! Rows of the engine on a disk: Hydrant beside fio, which is set up in several ways that have the
//! same bytes in flight. The cheapest of them counts for CPU time, the fastest for the rate.

use std::path::Path;

use super::contestant::{
    Contestant, Moved, Proof, Sample, Shown, Yardstick, in_turn, middle, number, ratio,
};
use super::engine::Line;
use super::fio::Setup;
use super::stats::Verdict;
use crate::failure::Result;
use crate::sizes::GIB;

/// How often, how long, on what.
pub struct Run {
    pub pairs: u16,
    pub seconds: u64,
    pub file_bytes: u64,
    pub seed: u64,
}

/// What is asked of both.
pub struct Load {
    /// For `--rw` of both programs, and the name of the row.
    pub rw: &'static str,
    block: &'static str,
    block_bytes: u64,
    depth: u64,
    /// CPU time at most, as a multiple of the peer's.
    bar: f64,
    /// What CPU time is shown in.
    shown: Shown,
    peers: &'static [Setup],
}

pub const LOADS: [Load; 3] = [
    Load {
        rw: "randread",
        block: "4KiB",
        block_bytes: 4 << 10,
        depth: 64,
        bar: 1.10,
        shown: Shown { unit: "CPU µs/op", value: |sample| cpu(sample) * 4096.0 * 1e6 },
        peers: &SMALL,
    },
    LARGE,
    Load { rw: "write", ..LARGE },
];

const LARGE: Load = Load {
    rw: "read",
    block: "8MiB",
    block_bytes: 8 << 20,
    depth: 4,
    bar: 1.05,
    shown: Shown { unit: "CPU s/GiB", value: |sample| cpu(sample) * GIB },
    peers: &LARGE_PEERS,
};

const SMALL: [Setup; 2] = [
    Setup { name: "fio", block_bytes: 4 << 10, depth: 64, batch: 1 },
    Setup { name: "fio batch", block_bytes: 4 << 10, depth: 64, batch: 16 },
];

const LARGE_PEERS: [Setup; 4] = [
    Setup { name: "fio 512k", block_bytes: 512 << 10, depth: 64, batch: 1 },
    Setup { name: "512k batch", block_bytes: 512 << 10, depth: 64, batch: 16 },
    Setup { name: "fio 1m", block_bytes: 1 << 20, depth: 32, batch: 1 },
    Setup { name: "fio 8m", block_bytes: 8 << 20, depth: 4, batch: 1 },
];

impl Load {
    /// Runs all in turn, prints the table, and judges.
    ///
    /// # Errors
    /// When something does not run at all.
    pub fn measure(
        &self,
        yardstick: &Yardstick,
        ours: &Path,
        file: &Path,
        run: &Run,
    ) -> Result<Vec<Line>> {
        println!("\n{}: {} runs of {} s each", self.title(), run.pairs, run.seconds);
        let contestants = self.contestants(ours, file, run);
        let samples = in_turn(&contestants, run.pairs.into(), yardstick, self.shown)?;
        print!("\n{}", self.rows(&contestants, &samples));
        Ok(self.judge(&contestants, &samples, run.seed).into())
    }

    fn title(&self) -> String {
        format!("{} of {}, {} in flight", self.rw, self.block, self.depth)
    }

    /// Hydrant first, then every way to set the peer up.
    fn contestants(&self, ours: &Path, file: &Path, run: &Run) -> Vec<Contestant> {
        let seconds = run.seconds;
        let peers = self.peers.iter();
        let peers = peers.map(|setup| setup.contestant(file, self.rw, run.file_bytes, seconds));
        std::iter::once(self.hydrant(ours, file, seconds)).chain(peers).collect()
    }

    fn hydrant(&self, program: &Path, file: &Path, seconds: u64) -> Contestant {
        let program = program.display().to_string();
        let words = ["bench", "disk", "--json", "--quiet", "--direct", "--cores=1"];
        let mut command: Vec<String> =
            std::iter::once(program.as_str()).chain(words).map(str::to_owned).collect();
        command.extend([
            format!("--rw={}", self.rw),
            format!("--block={}", self.block),
            format!("--depth={}", self.depth),
            format!("--time={seconds}s"),
        ]);
        command.extend((self.rw == "write").then(|| "--overwrite".to_owned()));
        command.push(file.display().to_string());
        Contestant { name: "hydrant", command, proof: Proof::Tells(told_by_hydrant) }
    }

    fn rows(&self, contestants: &[Contestant], samples: &[Vec<Sample>]) -> String {
        let mut out =
            format!("{:<11} {:>10} {:>10} {:>7}\n", "program", self.shown.unit, "op/s", "GB/s");
        for (at, (contestant, samples)) in contestants.iter().zip(samples).enumerate() {
            let rate = 1.0 / middle(samples, time);
            let block = match at.checked_sub(1) {
                None => self.block_bytes,
                Some(peer) => self.peers[peer].block_bytes,
            };
            out += &format!(
                "{:<11} {:>10.4} {:>10.0} {:>7.2}\n",
                contestant.name,
                middle(samples, self.shown.value),
                rate / block as f64,
                rate / 1e9,
            );
        }
        out
    }

    /// CPU time against the cheapest peer, and the rate against the fastest: only an interval that
    /// lies wholly behind counts as behind.
    fn judge(&self, contestants: &[Contestant], samples: &[Vec<Sample>], seed: u64) -> [Line; 2] {
        let best = |value: fn(&Sample) -> f64| {
            let order = |one: &usize, other: &usize| {
                middle(&samples[*one], value).total_cmp(&middle(&samples[*other], value))
            };
            (1..samples.len()).min_by(order).expect("a load has peers")
        };
        let line = |what: &str, value: fn(&Sample) -> f64, bar: f64| {
            let peer = best(value);
            let ratio = ratio(&samples[0], &samples[peer], value, seed);
            let what = format!("{} {}, {what} / {}", self.rw, self.block, contestants[peer].name);
            Line { what, ratio, bar, verdict: ratio.against(bar) }
        };
        let cost = line("CPU", cpu, self.bar);
        let mut pace = line("time", time, 1.0);
        pace.verdict = if pace.ratio.low > 1.0 { Verdict::Missed } else { Verdict::Met };
        [cost, pace]
    }
}

/// CPU seconds a byte.
fn cpu(sample: &Sample) -> f64 {
    sample.cpu_s / sample.bytes as f64
}

/// Seconds a byte.
fn time(sample: &Sample) -> f64 {
    sample.wall_s / sample.bytes as f64
}

fn told_by_hydrant(printed: &str) -> Option<Moved> {
    let (bytes, time_s) = (number(printed, "bytes")?, number(printed, "time_s")?);
    let fair =
        printed.contains("\"direct\":\"granted\"") && number(printed, "registered_share")? == 1.0;
    fair.then_some(Moved { bytes: bytes as u64, time_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ours: Sample, peers: [Sample; 2]) -> [Line; 2] {
        let load = &LOADS[0];
        let run = Run { pairs: 15, seconds: 10, file_bytes: 1 << 30, seed: 1 };
        let contestants = load.contestants(Path::new("hydrant"), Path::new("file"), &run);
        let samples: Vec<Vec<Sample>> =
            [ours].into_iter().chain(peers).map(|sample| vec![sample; 15]).collect();
        load.judge(&contestants, &samples, 1)
    }

    fn sample(cpu_s: f64, bytes: u64) -> Sample {
        Sample { cpu_s, user_s: 0.0, wall_s: 10.0, bytes }
    }

    #[test]
    fn the_cheapest_peer_sets_the_cost_and_the_fastest_the_pace() {
        let [cost, pace] = judged(sample(1.1, 1000), [sample(1.0, 1000), sample(3.0, 1200)]);
        assert!(cost.what.ends_with("CPU / fio") && pace.what.ends_with("time / fio batch"));
        assert_eq!((cost.verdict, pace.verdict), (Verdict::Met, Verdict::Missed));
        let [cost, pace] = judged(sample(1.2, 1200), [sample(1.0, 1100), sample(3.0, 1200)]);
        assert_eq!((cost.verdict, pace.verdict), (Verdict::Met, Verdict::Met));
    }

    #[test]
    fn a_run_of_another_kind_does_not_count() {
        let line = |direct: &str, share: &str| {
            let text = format!(
                "{{\"direct\":\"{direct}\",\"bytes\":4096,\"time_s\":2.5,\"registered_share\":{share},}}"
            );
            told_by_hydrant(&text)
        };
        assert_eq!(line("granted", "1"), Some(Moved { bytes: 4096, time_s: 2.5 }));
        assert_eq!(line("refused", "1"), None);
        assert_eq!(line("granted", "0.5"), None);
    }

    #[test]
    fn the_same_bytes_are_in_flight() {
        for load in &LOADS {
            for peer in load.peers {
                let theirs = peer.block_bytes * peer.depth;
                assert_eq!(theirs, load.block_bytes * load.depth, "{}", peer.name);
            }
        }
    }
}
