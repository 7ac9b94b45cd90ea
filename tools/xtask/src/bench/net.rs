//! Rows of the engine on loopback: bytes into leases and out of them, beside the least that raw
//! sockets take for it. The peer is the same raw program for both, and its CPU time does not count.
//!
//! Each program measures itself, from when its buffers and connections stand: a gibibyte goes over
//! loopback in a fraction of a second, beside which the making of buffers would weigh.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::contestant::{Sample, Shown, middle, number, ratio, rotated};
use super::engine::Line;
use super::stats::Estimate;
use crate::failure::{Failure, Result};
use crate::shell;
use crate::sizes::{self, GIB};

/// CPU time at most, as a multiple of the floor's; and what is aimed for.
const BAR: f64 = 1.10;
const GOAL: f64 = 1.05;
/// How often each floor runs before the cheapest are chosen, and how many of them go on.
const CALIBRATION_ROUNDS: usize = 3;
const FINALISTS: usize = 2;
/// Bytes of one receive or send, of both: what stays in the caches, common blocks, and a part of the pipelines. What is
/// cheapest for so many connections goes on.
const BLOCKS: [u64; 4] = [256 << 10, 512 << 10, 1 << 20, 8 << 20];

const CPU: Shown = Shown { unit: "CPU s/GiB", value: cpu };

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_s / sample.bytes as f64 * GIB
}

/// A program, and how it is called.
struct Side {
    name: String,
    command: Vec<String>,
}

impl Side {
    fn new(name: String, program: &Path, words: Vec<String>) -> Side {
        let command = std::iter::once(program.display().to_string()).chain(words).collect();
        Side { name, command }
    }

    fn run(&self, bytes: u64) -> Result<Sample> {
        let printed = shell::read(Command::new(&self.command[0]).args(&self.command[1..]))?;
        read(&printed, bytes)
            .ok_or_else(|| Failure::new(format!("{} did not move all: {printed}", self.name)))
    }
}

/// The line of either program; they name the same figures differently.
fn read(line: &str, bytes: u64) -> Option<Sample> {
    let field = |floor: &str, ours: &str| number(line, floor).or_else(|| number(line, ours));
    let (user_s, sys_s) = (field("user_s", "cpu_user_s")?, field("sys_s", "cpu_system_s")?);
    let wall_s = field("wall_s", "time_s")?;
    let moved = number(line, "bytes")? as u64;
    (moved == bytes).then_some(Sample { cpu_s: user_s + sys_s, user_s, wall_s, bytes })
}

fn in_turn(sides: &[Side], rounds: usize, bytes: u64) -> Result<Vec<Vec<Sample>>> {
    let names: Vec<&str> = sides.iter().map(|side| side.name.as_str()).collect();
    rotated(&names, rounds, CPU, |at| sides[at].run(bytes))
}

/// Which way, over how many connections.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// The word for it, in the programs of both.
    word: &'static str,
    connections: u64,
}

impl Flow {
    pub const fn receive(connections: u64) -> Flow {
        Flow { word: "receive", connections }
    }

    pub const fn send(connections: u64) -> Flow {
        Flow { word: "send", connections }
    }

    pub fn name(&self) -> String {
        format!("{}-{}", self.word, self.connections)
    }

    /// Whether a receive waits for a whole block.
    fn waits(&self) -> &'static [bool] {
        if self.word == "receive" { &[false, true] } else { &[false] }
    }

    /// All blocks, and receives with and without waiting for whole ones.
    fn ours(&self, program: &Path, sink: SocketAddr, bytes: u64) -> Vec<Side> {
        let mut sides = Vec::new();
        for block in BLOCKS {
            for &wait_all in self.waits() {
                let mut words = vec!["bench".to_owned(), "net".to_owned(), self.word.to_owned()];
                words.extend(["--json", "--quiet", "--cores=1"].map(str::to_owned));
                words.extend([
                    format!("--connections={}", self.connections),
                    format!("--block={block}"),
                    format!("--bytes={bytes}"),
                    sink.to_string(),
                ]);
                let in_pieces = self.word == "receive" && !wait_all;
                words.extend(in_pieces.then(|| "--pieces".to_owned()));
                sides.push(Side::new(named("hydrant", block, wait_all), program, words));
            }
        }
        sides
    }

    /// Blocking calls and io_uring, all blocks, and receives with and without `MSG_WAITALL`.
    fn floors(&self, program: &Path, sink: SocketAddr, bytes: u64) -> Vec<Side> {
        let mut floors = Vec::new();
        for engine in ["threads", "uring"] {
            for block in BLOCKS {
                for &wait_all in self.waits() {
                    let mut words = vec![
                        self.word.to_owned(),
                        format!("--engine={engine}"),
                        format!("--address={sink}"),
                        format!("--bytes={bytes}"),
                        format!("--block-bytes={block}"),
                        format!("--connections={}", self.connections),
                    ];
                    words.extend(wait_all.then(|| "--wait-all".to_owned()));
                    floors.push(Side::new(named(engine, block, wait_all), program, words));
                }
            }
        }
        floors
    }
}

fn named(program: &str, block: u64, wait_all: bool) -> String {
    let all = if wait_all { ", all" } else { "" };
    format!("{program} {}{all}", sizes::show(block))
}

/// Finds the cheapest blocks of both, runs the pairs, prints the table, and judges.
///
/// # Errors
/// When something does not run at all.
pub fn measure(
    flow: &Flow,
    ours: &Path,
    floor: &Path,
    bytes: u64,
    pairs: u16,
    seed: u64,
) -> Result<Vec<Line>> {
    let (name, size) = (flow.name(), sizes::show(bytes));
    println!("\n{name}: looking for the cheapest blocks, {CALIBRATION_ROUNDS} runs of {size} each");
    let sink = Sink::start(floor)?;
    let mut sides = flow.ours(ours, sink.address, bytes);
    let of_ours = sides.len();
    sides.extend(flow.floors(floor, sink.address, bytes));
    let mut samples = in_turn(&sides, CALIBRATION_ROUNDS, bytes)?;
    let floors = (sides.split_off(of_ours), samples.split_off(of_ours));
    let mut contestants = cheapest(sides, &samples, 1);
    contestants.extend(cheapest(floors.0, &floors.1, FINALISTS));
    println!("\n{name}: {pairs} runs of {size} each");
    let samples = in_turn(&contestants, pairs.into(), bytes)?;
    print!("\n{}", rows(&contestants, &samples));
    Ok(judge(&name, &contestants, &samples, seed))
}

fn rows(sides: &[Side], samples: &[Vec<Sample>]) -> String {
    let mut out = format!("{:<16} {:>10} {:>7}\n", "program", CPU.unit, "GB/s");
    for (side, samples) in sides.iter().zip(samples) {
        let rate = middle(samples, |sample| sample.bytes as f64 / sample.wall_s / 1e9);
        out += &format!("{:<16} {:>10.4} {rate:>7.2}\n", side.name, middle(samples, cpu));
    }
    out
}

fn cheapest(sides: Vec<Side>, samples: &[Vec<Sample>], count: usize) -> Vec<Side> {
    let costs = samples.iter().map(|samples| middle(samples, cpu));
    let mut ranked: Vec<(f64, Side)> = costs.zip(sides).collect();
    ranked.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    ranked.into_iter().map(|(_, side)| side).take(count).collect()
}

/// Against the cheapest floor: the bar, the goal, and the wall time, which is behind only when its
/// whole interval is.
fn judge(name: &str, contestants: &[Side], samples: &[Vec<Sample>], seed: u64) -> Vec<Line> {
    let order = |one: &usize, other: &usize| {
        middle(&samples[*one], cpu).total_cmp(&middle(&samples[*other], cpu))
    };
    let best = (1..samples.len()).min_by(order).expect("there are floors");
    let wall = ratio(&samples[0], &samples[best], |sample| sample.wall_s, seed);
    println!("wall: {wall}: {}", if wall.low > 1.0 { "behind" } else { "not behind" });
    let of_floor: Estimate = ratio(&samples[0], &samples[best], cpu, seed);
    println!("the goal of {GOAL} is {}", of_floor.against(GOAL));
    let what = format!("{name}, CPU / {}", contestants[best].name);
    vec![Line { what, ratio: of_floor, bar: BAR, verdict: of_floor.against(BAR) }]
}

/// The peer of both: it takes what is sent to it, and sends when asked.
struct Sink {
    child: Child,
    address: SocketAddr,
}

impl Sink {
    fn start(floor: &Path) -> Result<Sink> {
        let failed = |cause| Failure::io("starting the sink", cause);
        // setpriv: the kernel ends it when this process dies, however it dies.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(floor)
            .arg("sink")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).map_err(failed)?;
        match line.trim().parse() {
            Ok(address) => Ok(Sink { child, address }),
            Err(_) => Err(Failure::new(format!("the sink told {line:?}, which is no address"))),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It keeps nothing, and if it is gone already, so much the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::Verdict;
    use super::*;

    fn floors(flow: Flow) -> Vec<Side> {
        flow.floors(Path::new("floor"), SocketAddr::from(([127, 0, 0, 1], 1)), 1 << 30)
    }

    #[test]
    fn every_floor_is_another_one() {
        let (receive, send) = (floors(Flow::receive(8)), floors(Flow::send(8)));
        assert_eq!((receive.len(), send.len()), (16, 8));
        for all in [&receive, &send] {
            for (at, floor) in all.iter().enumerate() {
                let again =
                    |other: &Side| other.name == floor.name || other.command == floor.command;
                assert!(!all[..at].iter().any(again), "{}", floor.name);
            }
        }
    }

    #[test]
    fn both_programs_tell_what_they_took() {
        let floor = "{\"mode\":\"send-uring\",\"bytes\":10,\"wall_s\":2.0,\"user_s\":0.25,\"sys_s\":0.5,\"x\":1}";
        let ours = "{\"pool_bytes\":7,\"send\":{\"bytes\":10,\"time_s\":2.0,\"cpu_user_s\":0.25,\"cpu_system_s\":0.5}}";
        let sample = Sample { cpu_s: 0.75, user_s: 0.25, wall_s: 2.0, bytes: 10 };
        assert_eq!((read(floor, 10), read(ours, 10)), (Some(sample), Some(sample)));
        assert_eq!((read(floor, 11), read("nothing", 10)), (None, None));
    }

    #[test]
    fn the_cheapest_floor_is_the_bar() {
        let runs = |cpu_s| vec![Sample { cpu_s, user_s: 0.0, wall_s: 1.0, bytes: 1 }; 15];
        let costs = [3.0, 7.0, 2.0, 4.0, 1.0, 8.0, 5.0, 6.0].map(runs);
        let finalists = cheapest(floors(Flow::send(1)), &costs, FINALISTS);
        let names: Vec<&str> = finalists.iter().map(|floor| floor.name.as_str()).collect();
        assert_eq!(names, ["uring 256 KiB", "threads 1 MiB"]);
        let mut contestants = finalists;
        let sink = SocketAddr::from(([127, 0, 0, 1], 1));
        contestants.insert(0, Flow::send(1).ours(Path::new("hydrant"), sink, 1 << 30).remove(0));
        let lines = judge("send-1", &contestants, &[1.08, 1.0, 2.0].map(runs), 1);
        assert_eq!(
            (lines[0].verdict, lines[0].what.as_str()),
            (Verdict::Met, "send-1, CPU / uring 256 KiB")
        );
    }
}
