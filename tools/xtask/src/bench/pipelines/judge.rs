//! The table of a row, and what it says about the bar.

use super::super::contestant::{Sample, middle, ratio};
use super::super::stats::{Estimate, Verdict, median};
use super::Run;
use super::row::Row;
use crate::sizes::GIB;

/// A client's runs, in the order of the rounds.
pub struct Runs {
    pub name: &'static str,
    /// Shown, and compared with nobody.
    pub baseline: bool,
    samples: Vec<Sample>,
    peaks: Vec<f64>,
    /// Of the payload, what was copied in user space.
    copied: Vec<f64>,
}

impl Runs {
    pub fn new(name: &'static str, baseline: bool, runs: Vec<Run>) -> Runs {
        let samples = runs.iter().map(|run| run.sample).collect();
        let share = |run: &Run| Some(run.copied_bytes? as f64 / run.sample.bytes as f64);
        let copied = runs.iter().filter_map(share).collect();
        let peaks = runs.iter().map(|run| run.peak_bytes as f64).collect();
        Runs { name, baseline, samples, peaks, copied }
    }

    fn cpu(&self) -> f64 {
        middle(&self.samples, cpu)
    }

    fn wall(&self) -> f64 {
        middle(&self.samples, wall)
    }

    fn peak_bytes(&self) -> f64 {
        median(&self.peaks)
    }

    fn copied(&self) -> String {
        match self.copied.as_slice() {
            [] => "–".to_owned(),
            copied => format!("{:.3} %", 100.0 * median(copied)),
        }
    }
}

/// CPU seconds a byte.
fn cpu(sample: &Sample) -> f64 {
    sample.cpu_s / sample.bytes as f64
}

/// Seconds a byte.
fn wall(sample: &Sample) -> f64 {
    sample.wall_s / sample.bytes as f64
}

/// Who goes on: Hydrant, the baseline, and everybody who costs at most `near_cpu` times the cheapest
/// peer or takes at most `near_wall` times the fastest.
pub fn near(all: &[Runs], near_cpu: f64, near_wall: f64) -> Vec<bool> {
    let peers = || all.iter().skip(1).filter(|runs| !runs.baseline);
    let cheapest = peers().map(Runs::cpu).fold(f64::INFINITY, f64::min);
    let fastest = peers().map(Runs::wall).fold(f64::INFINITY, f64::min);
    let near = |(at, runs): (usize, &Runs)| {
        let cheap = runs.cpu() <= near_cpu * cheapest;
        at == 0 || runs.baseline || cheap || runs.wall() <= near_wall * fastest
    };
    all.iter().enumerate().map(near).collect()
}

/// Prints the table of a row. `runs` are Hydrant's, those of the peers that went on and the floor's;
/// `far` of the others. Gives the verdict on CPU time, if there is a peer: the worse one of a row that
/// has two bars.
pub fn judge(row: Row, runs: &[Runs], far: &[Runs], seed: u64) -> Option<Verdict> {
    println!(
        "\n| {} | CPU {} | wall s | GB/s | peak MiB | copied | ours / theirs, CPU [95 %] | wall |",
        row.name(),
        unit(row)
    );
    println!("|---|---|---|---|---|---|---|---|");
    let against = |one: &Runs, value| ratio(&runs[0].samples, &one.samples, value, seed);
    for (at, one) in runs.iter().enumerate() {
        let (of_cpu, of_wall) = match at {
            0 => Default::default(),
            _ => (against(one, cpu).to_string(), against(one, wall).to_string()),
        };
        println!("{} {of_cpu} | {of_wall} |", line(row, one));
    }
    for one in far {
        println!("{} far off | |", line(row, one));
    }
    let peers = || runs.iter().skip(1).filter(|one| !one.baseline);
    let least =
        |value: fn(&Runs) -> f64| peers().min_by(|one, other| value(one).total_cmp(&value(other)));
    let (cheapest, fastest) = (least(Runs::cpu)?, least(Runs::wall)?);
    let floor = runs.last().map_or(f64::NAN, Runs::cpu);
    let left = cheapest.cpu() / (row.multiple() * floor);
    let factor = asked(row, left);
    let verdict = against(cheapest, cpu).against(1.0 / factor);
    println!(
        "\nCPU: best peer {}; the floor leaves {left:.2}, asked is {factor:.2} x: {verdict}; of the floor {:.2}",
        cheapest.name,
        runs[0].cpu() / floor,
    );
    let pace = against(fastest, wall);
    println!("wall: fastest peer {}, {pace}: {}", fastest.name, behind(&pace));
    let all = || peers().chain(far.iter().filter(|one| !one.baseline));
    let smallest = all().min_by(|one, other| one.peak_bytes().total_cmp(&other.peak_bytes()))?;
    println!(
        "memory: smallest peer {}, {:.0} MiB beside {:.0}, the caller's own not counted",
        smallest.name,
        mib(row, smallest),
        mib(row, &runs[0]),
    );
    Some(match beside_both_floors(row, runs, seed) {
        Some(beside) if verdict == Verdict::Met => beside,
        _ => verdict,
    })
}

/// A row with a file has a bar beside the floor of the network and that of the disk together, too.
fn beside_both_floors(row: Row, runs: &[Runs], seed: u64) -> Option<Verdict> {
    row.disk()?;
    let estimate = ratio(&runs[0].samples, &runs.last()?.samples, cpu, seed);
    let verdict = estimate.against(row.multiple());
    println!("CPU beside both floors, at most {:.2}: {estimate}: {verdict}", row.multiple());
    Some(verdict)
}

/// Hydrant costs at most the best peer's CPU time divided by the factor of the row, or by what the
/// floor leaves of that; it is first in any case.
fn asked(row: Row, left: f64) -> f64 {
    row.factor().min(left).max(1.0)
}

fn behind(pace: &Estimate) -> &'static str {
    if pace.low > 1.0 { "behind" } else { "not behind" }
}

/// CPU time is told by the object where there are many.
fn unit(row: Row) -> &'static str {
    if row.set().is_some() { "µs/object" } else { "s/GiB" }
}

fn line(row: Row, runs: &Runs) -> String {
    let object_bytes = row.object_bytes() as f64;
    let cost = match row.set() {
        Some(_) => format!("{:.1}", runs.cpu() * object_bytes * 1e6),
        None => format!("{:.3}", runs.cpu() * GIB),
    };
    let wall_s = runs.wall() * row.total_bytes() as f64;
    let rate = 1.0 / runs.wall() / 1e9;
    let (name, peak, copied) = (runs.name, mib(row, runs), runs.copied());
    format!("| {name} | {cost} | {wall_s:.2} | {rate:.2} | {peak:.0} | {copied} |")
}

fn mib(row: Row, runs: &Runs) -> f64 {
    // The floor and the programs of the shell have no buffer of a caller.
    let own = runs.peak_bytes() - row.caller_bytes() as f64;
    (if own > 0.0 { own } else { runs.peak_bytes() }) / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(name: &'static str, baseline: bool, cpu_s: f64, wall_s: f64) -> Runs {
        let sample = Sample { cpu_s, user_s: 0.0, wall_s, bytes: 1 << 30 };
        Runs::new(name, baseline, vec![Run { sample, peak_bytes: 1 << 20, copied_bytes: None }; 15])
    }

    #[test]
    fn what_was_copied_is_a_share_of_the_payload() {
        let sample = Sample { cpu_s: 1.0, user_s: 0.0, wall_s: 1.0, bytes: 1 << 30 };
        let copied = |copied_bytes| {
            let run = Run { sample, peak_bytes: 1 << 20, copied_bytes };
            Runs::new("one", false, vec![run; 3]).copied()
        };
        assert_eq!((copied(Some(1 << 20)), copied(None)), ("0.098 %".to_owned(), "–".to_owned()));
    }

    #[test]
    fn who_is_cheap_or_fast_goes_on() {
        let all = [
            runs("hydrant", false, 9.0, 9.0),
            runs("cheap", false, 1.0, 9.0),
            runs("fast", false, 9.0, 1.0),
            runs("neither", false, 2.1, 1.3),
            runs("curl", true, 0.1, 9.0),
        ];
        assert_eq!(near(&all, 2.0, 1.25), [true, true, true, false, true]);
    }

    #[test]
    fn the_bar_is_twice_the_best_peer_or_what_the_floor_leaves() {
        let verdict_of = |row, ours, floor| {
            let all = [
                runs("hydrant", false, ours, 1.0),
                runs("dear", false, 3.0, 1.0),
                runs("best", false, 1.0, 1.0),
                runs("floor", true, floor, 1.0),
            ];
            judge(row, &all, &[], 1)
        };
        let verdict = |ours, floor| verdict_of(Row::GetStream, ours, floor);
        assert_eq!(verdict(0.5, 0.1), Some(Verdict::Met));
        assert_eq!(verdict(0.51, 0.1), Some(Verdict::Missed));
        // 1.25 times the floor is all that a peer leaves that is at 1.25 times of that.
        assert_eq!(verdict(0.79, 0.64), Some(Verdict::Met));
        // Behind the best peer is a miss, however near the floor.
        assert_eq!(verdict(1.01, 1.0), Some(Verdict::Missed));
        // With TLS it is enough to be first.
        assert_eq!(verdict_of(Row::GetStreamTls, 0.99, 0.1), Some(Verdict::Met));
        assert_eq!(judge(Row::GetStream, &[runs("hydrant", false, 1.0, 1.0)], &[], 1), None);
        // With a file 1.10 times the floor is a bar of its own.
        assert_eq!(verdict_of(Row::GetFile, 0.50, 0.46), Some(Verdict::Met));
        assert_eq!(verdict_of(Row::GetFile, 0.50, 0.45), Some(Verdict::Missed));
    }
}
