//! `cargo xtask bench engine`: what the engine costs as a multiple of what others do for the same
//! work: on a disk fio ([`disk`]), on loopback raw sockets ([`net`]).

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::contestant::Yardstick;
use super::disk::{LOADS, Run};
use super::machine::Machine;
use super::net::{self, Flow};
use super::programs;
use super::scratch::Scratch;
use super::stats::{Estimate, Verdict};
use crate::debian;
use crate::failure::{Failure, Result};
use crate::sizes;

/// Shorter or fewer runs are shown and decide nothing.
const LEAST_PAIRS: u16 = 15;
const LEAST_SECONDS: u64 = 10;
const LEAST_BYTES: u64 = 4 << 30;

#[derive(clap::Args)]
pub struct Args {
    /// Runs of each program a row. Fewer than 15 decide nothing.
    #[arg(long, default_value_t = LEAST_PAIRS, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Seconds a run on the disk. Fewer than 10 decide nothing.
    #[arg(long, default_value_t = LEAST_SECONDS, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Payload a run on loopback, as 4GiB; less decides nothing.
    #[arg(long, default_value = "8GiB", value_parser = sizes::parse)]
    bytes: u64,
    /// Where to make the file: on the disk that is meant. [default: the folder of build results]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Bytes of the file, as 4GiB.
    #[arg(long, default_value = "4GiB", value_parser = sizes::parse)]
    size: u64,
    /// Only this row (may be given several times).
    #[arg(long, value_enum)]
    row: Vec<Row>,
    /// Of the file's bytes and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    Randread,
    Read,
    Write,
    /// Over 1 connection
    #[value(name = "receive-1")]
    Receive1,
    #[value(name = "receive-8")]
    Receive8,
    #[value(name = "receive-64")]
    Receive64,
    #[value(name = "send-1")]
    Send1,
    #[value(name = "send-8")]
    Send8,
    #[value(name = "send-64")]
    Send64,
}

/// Where a row is measured.
enum Place {
    /// By its place in [`LOADS`].
    Disk(usize),
    Loopback(Flow),
}

/// # Errors
/// When a bar is not met, or something does not run at all.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    let rows = if args.row.is_empty() { Row::value_variants() } else { &args.row };
    let places: Vec<Place> = rows.iter().map(|row| row.place()).collect();
    let on_disk = places.iter().any(|place| matches!(place, Place::Disk(_)));
    if on_disk {
        debian::need(debian::FOR_DISK_BENCHES)?;
    }
    let built = programs::build(root, "hydrant-cli")?;
    let ours = built.find("hydrant")?;
    let floor = programs::build(root, "hydrant-floor")?.find("hydrant-floor")?;
    println!("{}", Machine::here());
    let dir = args.dir.clone().unwrap_or_else(|| built.folder().to_owned());
    let file = on_disk.then(|| Scratch::make(&dir, args.size, args.seed)).transpose()?;
    if on_disk {
        println!("a file of {} in {}, O_DIRECT, one core", sizes::show(args.size), dir.display());
    }
    let mut lines = Vec::new();
    for place in &places {
        lines.extend(match (place, &file) {
            (Place::Disk(load), Some(file)) => {
                // Runs last a time: how much each moves, it tells itself.
                let yardstick = Yardstick { program: floor.clone(), bytes: 0 };
                LOADS[*load].measure(&yardstick, &ours, &file.path, &args.on_disk())?
            }
            (Place::Disk(_), None) => unreachable!("a row on the disk has a file"),
            (Place::Loopback(flow), _) => {
                net::measure(flow, &ours, &floor, args.bytes, args.pairs, args.seed)?
            }
        });
    }
    conclude(&lines, args.is_large_enough(&places))
}

impl Args {
    fn on_disk(&self) -> Run {
        let Args { pairs, seconds, size, seed, .. } = *self;
        Run { pairs, seconds, file_bytes: size, seed }
    }

    /// Whether a run of this size may say anything about a bar.
    fn is_large_enough(&self, places: &[Place]) -> bool {
        let long = |place: &Place| match place {
            Place::Disk(_) => self.seconds >= LEAST_SECONDS,
            Place::Loopback(_) => self.bytes >= LEAST_BYTES,
        };
        self.pairs >= LEAST_PAIRS && places.iter().all(long)
    }
}

impl Row {
    fn place(self) -> Place {
        match self {
            Self::Randread => Place::Disk(0),
            Self::Read => Place::Disk(1),
            Self::Write => Place::Disk(2),
            Self::Receive1 => Place::Loopback(Flow::receive(1)),
            Self::Receive8 => Place::Loopback(Flow::receive(8)),
            Self::Receive64 => Place::Loopback(Flow::receive(64)),
            Self::Send1 => Place::Loopback(Flow::send(1)),
            Self::Send8 => Place::Loopback(Flow::send(8)),
            Self::Send64 => Place::Loopback(Flow::send(64)),
        }
    }
}

/// One line of the verdicts.
pub struct Line {
    pub what: String,
    pub ratio: Estimate,
    pub bar: f64,
    pub verdict: Verdict,
}

fn conclude(lines: &[Line], decides: bool) -> Result<()> {
    println!("\n{:<46} {:>22} {:>5}  verdict", "ours / theirs", "ratio [95 %]", "bar");
    for Line { what, ratio, bar, verdict } in lines {
        println!("{what:<46} {:>22} {bar:>5}  {verdict}", ratio.to_string());
    }
    if !decides {
        return Err(Failure::new(format!(
            "too small to decide: it takes {LEAST_PAIRS} pairs of {LEAST_SECONDS} s on the disk, of {} on \
             loopback",
            sizes::show(LEAST_BYTES)
        )));
    }
    let open: Vec<&str> = lines
        .iter()
        .filter(|line| line.verdict != Verdict::Met)
        .map(|line| line.what.as_str())
        .collect();
    match open.as_slice() {
        [] => Ok(()),
        open => Err(Failure::new(format!("not met: {}", open.join("; ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_on_the_disk_are_named_after_their_load() {
        for row in Row::value_variants() {
            let name = row.to_possible_value().expect("none is skipped").get_name().to_owned();
            match row.place() {
                Place::Disk(load) => assert_eq!(LOADS[load].rw, name),
                Place::Loopback(flow) => assert_eq!(flow.name(), name),
            }
        }
    }

    #[test]
    fn a_short_run_decides_nothing() {
        let large = |pairs, seconds, bytes| {
            let (dir, row) = (None, Vec::new());
            let args = Args { pairs, seconds, bytes, dir, size: 1 << 30, row, seed: 1 };
            [Row::Read, Row::Send8].map(|row| args.is_large_enough(&[row.place()]))
        };
        assert_eq!(large(15, 10, 4 << 30), [true, true]);
        assert_eq!(large(14, 10, 4 << 30), [false, false]);
        assert_eq!(large(15, 9, 4 << 30), [false, true]);
        assert_eq!(large(15, 10, 1 << 30), [true, false]);
        assert!(conclude(&[], false).is_err() && conclude(&[], true).is_ok());
    }
}
