//! The floor of a row: the cheapest of the raw transfers of the same bytes in the same requests, and
//! for the rows with a file the cheapest of its raw reads or writes beside it.

use super::super::contestant::{Sample, middle};
use super::super::server::OBJECT;
use super::super::variant::{Load, Variant};
use super::peers::{Call, Evidence};
use super::row::{Disk, PART_BYTES, Row};
use super::{Bench, Run};
use crate::failure::Result;

/// How often each way runs before the cheapest is taken.
const ROUNDS: usize = 2;
/// Bytes and number of the raw reads and writes of a file.
const BLOCKS: [(u64, u32); 2] = [(512 << 10, 16), (1 << 20, 8)];

/// What is run one after the other.
pub struct Floor(Vec<Call>);

impl Floor {
    /// # Errors
    /// When one of them does not run.
    pub fn cheapest(bench: &Bench<'_>, row: Row) -> Result<Floor> {
        let tls = &bench.server.tls;
        let load = Load {
            direction: row.direction(),
            address: if row.is_tls() { tls.address } else { bench.server.address },
            bytes: row.total_bytes(),
            range_bytes: row.object_bytes().min(PART_BYTES),
            connections: bench.place.connections,
            cores: 1,
            authority: row.is_tls().then(|| tls.authority()),
            sum: None,
        };
        let variants = Variant::all(&load);
        let network = variants.iter().map(|variant| call(bench, row, variant.arguments(&load)));
        let mut parts = vec![pick(bench, row, network.collect())?];
        if let Some(disk) = row.disk() {
            let file = ["threads", "uring"].into_iter().flat_map(|engine| {
                BLOCKS.map(|block| call(bench, row, on_disk(bench, disk, engine, block)))
            });
            let file: Vec<Call> = file.collect();
            parts.push(pick(bench, row, file)?);
        }
        for part in &parts {
            println!("    floor: {}", part.command[1..].join(" "));
        }
        Ok(Floor(parts))
    }

    /// All parts, their costs together.
    ///
    /// # Errors
    /// As any run.
    pub fn run(&self, bench: &Bench<'_>, row: Row, times: u32) -> Result<Run> {
        let mut all: Option<Run> = None;
        for part in &self.0 {
            let run = bench.run(row, part, times)?;
            all = Some(match all {
                None => run,
                Some(before) => Run {
                    sample: Sample {
                        cpu_s: before.sample.cpu_s + run.sample.cpu_s,
                        user_s: before.sample.user_s + run.sample.user_s,
                        // They would run at the same time.
                        wall_s: before.sample.wall_s.max(run.sample.wall_s),
                        bytes: run.sample.bytes,
                    },
                    peak_bytes: before.peak_bytes + run.peak_bytes,
                    copied_bytes: None,
                },
            });
        }
        Ok(all.expect("there is a part over the network"))
    }
}

fn call(bench: &Bench<'_>, row: Row, arguments: Vec<String>) -> Call {
    let program = bench.yardstick.display().to_string();
    Call {
        command: std::iter::once(program).chain(arguments).collect(),
        evidence: Evidence::Says(format!("\"bytes\":{},", row.total_bytes())),
    }
}

fn on_disk(bench: &Bench<'_>, disk: Disk, engine: &str, block: (u64, u32)) -> Vec<String> {
    let (block_bytes, queue_depth) = block;
    let file = bench.place.file.display().to_string();
    let (only, source, destination) = match disk {
        Disk::Read => ("read", file, bench.place.nothing().display().to_string()),
        // Its size is what is written.
        Disk::Write => ("write", bench.place.bucket.join(OBJECT).display().to_string(), file),
    };
    vec![
        "copy".to_owned(),
        format!("--engine={engine}"),
        format!("--only={only}"),
        format!("--block-bytes={block_bytes}"),
        format!("--queue-depth={queue_depth}"),
        source,
        destination,
    ]
}

fn pick(bench: &Bench<'_>, row: Row, ways: Vec<Call>) -> Result<Call> {
    let mut best: Option<(f64, Call)> = None;
    for way in ways {
        let runs: Result<Vec<Sample>> =
            (0..ROUNDS).map(|_| Ok(bench.run(row, &way, 1)?.sample)).collect();
        let cost = middle(&runs?, |sample| sample.cpu_s);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, way));
        }
    }
    Ok(best.expect("there is more than one way").1)
}
