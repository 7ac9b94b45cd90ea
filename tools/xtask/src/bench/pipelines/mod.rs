//! `cargo xtask bench pipelines`: the pipelines of Hydrant beside every other client that installs
//! here, against one server, in the same run.
//!
//! All clients run once or twice first. Those that come near the best go on into the pairs, with
//! Hydrant and the floor; the others are shown with what they had.

mod floor;
pub mod install;
mod judge;
pub mod peers;
mod row;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use self::floor::Floor;
use self::install::{Home, Name};
use self::judge::{Runs, judge};
use self::peers::{Call, Evidence, Peer};
use self::row::{LARGE_BYTES, PART_BYTES, Place, Row, SETS};
use super::contestant::{Sample, Shown, number, rotated};
use super::machine::Machine;
use super::server::{OBJECT, Server};
use super::stats::Verdict;
use crate::failure::{Failure, Result};
use crate::shell;
use crate::sizes;

/// Fewer are shown and decide nothing.
const LEAST_PAIRS: u16 = 15;
/// How often everybody runs before it is decided who goes on.
const SEARCH_ROUNDS: usize = 2;
/// Who costs more than this multiple of the cheapest, and takes longer than that of the fastest,
/// does not go on.
const NEAR_CPU: f64 = 2.0;
const NEAR_WALL: f64 = 1.25;
/// Who takes longer than this for 1 GiB, or one time of a smaller row, hangs: the slowest here take a fifth of it.
const HANGS_AFTER_S: u32 = 120;

#[derive(clap::Args)]
pub struct Args {
    /// Only this row (may be given several times).
    #[arg(long, value_enum)]
    row: Vec<Row>,
    /// Only this peer beside Hydrant (may be given several times).
    #[arg(long, value_enum)]
    peer: Vec<Name>,
    /// Pairs a row. Fewer than 15 decide nothing.
    #[arg(long, default_value_t = LEAST_PAIRS, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Runs of the row in one side of a pair; fewer than the default, which makes them 4 GiB or
    /// 100,000 objects, decide nothing.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    times: Option<u32>,
    /// Requests under way at once.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Where to make the file of the rows that have one. [default: the folder of build results]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Of the objects' bytes and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// # Errors
/// When a bar is not met, or something that everything leans on does not run at all.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    let (home, built) = Home::set_up(root)?;
    let ours = home.hydrant()?;
    let asked = if args.peer.is_empty() { Name::value_variants() } else { &args.peer };
    let (peers, absent) = installed(&home, asked);
    println!("{}", Machine::here());
    println!("one nginx on loopback with its objects in memory; {} connections", args.connections);
    println!(
        "parts of {}, one core or thread where a client lets one choose",
        sizes::show(PART_BYTES)
    );
    for Peer { name, version, .. } in std::iter::once(&ours).chain(&peers) {
        println!("    {name} {version}");
    }
    for (name, why) in &absent {
        println!("    absent: {name}: {why}");
    }
    let bench = Bench::start(args, built.find("hydrant-floor")?, built.folder())?;
    let rows = if args.row.is_empty() { Row::value_variants() } else { &args.row };
    let mut open = Vec::new();
    for &row in rows {
        let verdict = bench.measure(row, &ours, &peers)?;
        if verdict != Some(Verdict::Met) {
            open.push(row.name());
        }
    }
    if args.rounds < LEAST_PAIRS || rows.iter().any(|row| args.times(*row) < row.times()) {
        return Err(Failure::new("too small to decide: fewer pairs or shorter runs than it takes"));
    }
    match open.as_slice() {
        [] => Ok(()),
        open => Err(Failure::new(format!("not met: {}", open.join("; ")))),
    }
}

/// Who is there, and who is not for what reason.
fn installed(home: &Home, asked: &[Name]) -> (Vec<Peer>, Vec<(String, String)>) {
    let (mut peers, mut absent) = (Vec::new(), Vec::new());
    for &name in asked {
        match home.peer(name) {
            Ok(peer) => peers.push(peer),
            Err(why) => {
                let name = name.to_possible_value().expect("none is skipped").get_name().to_owned();
                absent.push((name, why.to_string()));
            }
        }
    }
    (peers, absent)
}

impl Args {
    fn times(&self, row: Row) -> u32 {
        self.times.unwrap_or(row.times())
    }
}

/// The server, and what lies around it.
struct Bench<'a> {
    args: &'a Args,
    /// The program `hydrant-floor`.
    yardstick: PathBuf,
    server: Server,
    place: Place,
    aws_config: PathBuf,
}

/// What one run cost.
#[derive(Clone, Copy)]
struct Run {
    sample: Sample,
    peak_bytes: u64,
    /// Payload that the client has copied in user space, where it tells.
    copied_bytes: Option<u64>,
}

impl Bench<'_> {
    fn start<'a>(args: &'a Args, yardstick: PathBuf, built: &Path) -> Result<Bench<'a>> {
        let server = Server::start_with(LARGE_BYTES, &SETS, args.seed)?;
        let dir = args.dir.as_deref().unwrap_or(built);
        let place = Place {
            address: server.address,
            address_of_tls: server.tls.address,
            authority: server.tls.authority(),
            bucket: server.bucket(),
            downloads: server.beside("downloads"),
            file: dir.join(format!("hydrant-bench-{}", std::process::id())),
            connections: args.connections,
        };
        let aws_config = server.beside("aws-config");
        write(&aws_config, peers::aws_config(&place).as_bytes())?;
        Ok(Bench { args, yardstick, server, place, aws_config })
    }

    /// One row: the search, the pairs, the table. Gives the verdict, if there is a peer to have one
    /// about.
    fn measure(&self, row: Row, ours: &Peer, peers: &[Peer]) -> Result<Option<Verdict>> {
        println!("\n{}: {}", row.name(), row.about());
        self.make_ready(row)?;
        let floor = Floor::cheapest(self, row)?;
        self.show_agreed(row, "floor");
        let mut sides = vec![Side::of(ours, row, &self.place).expect("ours has every row")];
        sides.extend(peers.iter().filter_map(|peer| Side::of(peer, row, &self.place)));
        let mut early = self.search(row, &mut sides)?;
        let (near, far): (Vec<_>, Vec<_>) = {
            let near = judge::near(&early, NEAR_CPU, NEAR_WALL);
            early.drain(..).zip(near).partition(|(_, near)| *near)
        };
        let names: Vec<&'static str> = near.iter().map(|(runs, _)| runs.name).collect();
        sides.retain(|side| names.contains(&side.name));
        let runs = self.pairs(row, &sides, &floor)?;
        let far: Vec<Runs> = far.into_iter().map(|(runs, _)| runs).collect();
        let verdict = judge(row, &runs, &far, self.args.seed);
        self.clean_up();
        Ok(verdict)
    }

    /// Everybody in turn; who fails is told and leaves.
    fn search(&self, row: Row, sides: &mut Vec<Side>) -> Result<Vec<Runs>> {
        let mut all = Vec::new();
        let mut failed = Vec::new();
        for side in sides.iter() {
            let runs: Result<Vec<Run>> =
                (0..SEARCH_ROUNDS).map(|_| self.run(row, &side.call, 1)).collect();
            match runs {
                Ok(runs) => {
                    self.show_agreed(row, side.name);
                    all.push(Runs::new(side.name, side.baseline, runs));
                }
                Err(why) if all.is_empty() => return Err(why),
                Err(why) => {
                    println!("    {} fails here: {why}", side.name);
                    failed.push(side.name);
                }
            }
        }
        sides.retain(|side| !failed.contains(&side.name));
        Ok(all)
    }

    /// What a side agreed on with the server, if it speaks TLS.
    fn show_agreed(&self, row: Row, name: &str) {
        if row.is_tls() {
            let agreed = self.server.tls.agreed().unwrap_or_else(|why| why.to_string());
            println!("    {name}: {agreed}");
        }
    }

    /// The floor runs in every round too, the last of all.
    fn pairs(&self, row: Row, sides: &[Side], floor: &Floor) -> Result<Vec<Runs>> {
        let times = self.args.times(row);
        let mut names: Vec<&str> = sides.iter().map(|side| side.name).collect();
        names.push("floor");
        let mut all = vec![Vec::new(); names.len()];
        let shown = Shown { unit: "CPU s", value: |sample| sample.cpu_s };
        let samples = rotated(&names, self.args.rounds.into(), shown, |at| {
            let run = match sides.get(at) {
                Some(side) => self.run(row, &side.call, times)?,
                None => floor.run(self, row, times)?,
            };
            all[at].push(run);
            Ok(run.sample)
        })?;
        let together = samples.into_iter().zip(all).map(|(samples, all)| {
            let runs = samples.into_iter().zip(all);
            runs.map(|(sample, run)| Run { sample, ..run }).collect::<Vec<Run>>()
        });
        let sides = sides.iter().map(|side| (side.name, side.baseline)).chain([("floor", true)]);
        Ok(sides.zip(together).map(|((name, base), runs)| Runs::new(name, base, runs)).collect())
    }

    /// A source on the disk, and the server's object as large as the row has it.
    fn make_ready(&self, row: Row) -> Result<()> {
        if row.disk() == Some(row::Disk::Read) {
            super::server::write_object(&self.place.file, row.object_bytes(), self.args.seed)?;
            shell::read(Command::new("sync").arg(&self.place.file))?;
        }
        let object = self.place.bucket.join(OBJECT);
        let is_read = row.set().is_none() && row.disk() != Some(row::Disk::Read);
        if is_read && bytes_beneath(&object)? != row.object_bytes() {
            super::server::write_object(&object, row.object_bytes(), self.args.seed)?;
        }
        Ok(())
    }

    /// Runs a command so many times under the yardstick.
    fn run(&self, row: Row, call: &Call, times: u32) -> Result<Run> {
        self.clear(row)?;
        let bytes = row.total_bytes() * u64::from(times);
        // timeout: ends the process group, the client too.
        let mut command = Command::new("timeout");
        command
            .arg(format!(
                "{}s",
                u64::from(HANGS_AFTER_S) * bytes.div_ceil(LARGE_BYTES).max(times.into())
            ))
            .arg(&self.yardstick)
            .args(["measure", "--bytes", &bytes.to_string(), "--times", &times.to_string(), "--"])
            .args(&call.command)
            .envs(peers::environment(row, &self.place, &self.aws_config))
            // What is to be trusted is said in another, and rclone fails where this one is set.
            .env_remove("AWS_CA_BUNDLE");
        let printed = shell::read(&mut command)?;
        let printed = printed.trim_end();
        let (own, last) = printed.rsplit_once('\n').unwrap_or(("", printed));
        call.evidence.check(own, times)?;
        read(own, last, bytes)
            .ok_or_else(|| Failure::new(format!("the yardstick printed no figures: {last}")))
    }

    /// Before each run, what it writes is gone and what others wrote is on the disk.
    fn clear(&self, row: Row) -> Result<()> {
        let folders = [self.place.downloads.clone(), self.place.bucket.join(Row::Put4k.key())];
        for folder in folders {
            let gone = fs::remove_dir_all(&folder).or_else(|cause| match cause.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(cause),
            });
            gone.and_then(|()| fs::create_dir_all(&folder))
                .map_err(|cause| Failure::io(folder.display(), cause))?;
        }
        if row.disk() == Some(row::Disk::Write) {
            self.clean_up();
            shell::read(&mut Command::new("sync"))?;
        }
        Ok(())
    }

    /// The files may be there or not.
    fn clean_up(&self) {
        for file in [&self.place.file, &self.place.nothing()] {
            let _ = fs::remove_file(file);
        }
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        self.clean_up();
    }
}

/// A client in a row.
struct Side {
    name: &'static str,
    baseline: bool,
    call: Call,
}

impl Side {
    fn of(peer: &Peer, row: Row, place: &Place) -> Option<Side> {
        let call = peer.call(row, place)?;
        Some(Side { name: peer.name, baseline: peer.is_baseline(), call })
    }
}

/// `own` is what the program printed in all its runs, `last` the line of the yardstick. What a
/// program of Python took to load its modules, and what any took to touch the caller's buffer, it tells, and it
/// is not counted.
fn read(own: &str, last: &str, bytes: u64) -> Option<Run> {
    let each = |name| own.lines().filter_map(move |line| number(line, name));
    let told = |name| each(name).sum::<f64>();
    let user_s = number(last, "user_s")?;
    let cpu_s = user_s + number(last, "sys_s")? - told("loading_cpu_s");
    let wall_s = number(last, "wall_s")? - told("loading_wall_s");
    let sample = Sample { cpu_s, user_s, wall_s, bytes };
    let copied_bytes = each("copied_bytes").map(|bytes| bytes as u64).reduce(|sum, one| sum + one);
    Some(Run { sample, peak_bytes: number(last, "peak_bytes")? as u64, copied_bytes })
}

impl Evidence {
    fn check(&self, printed: &str, times: u32) -> Result<()> {
        match self {
            Self::Status => Ok(()),
            Self::Says(proof) if printed.matches(proof.as_str()).count() == times as usize => {
                Ok(())
            }
            Self::Says(proof) => Err(Failure::new(format!("it did not print {proof}: {printed}"))),
            Self::Files(path, bytes) => match bytes_beneath(path)? {
                found if found == *bytes => Ok(()),
                found => {
                    let path = path.display();
                    Err(Failure::new(format!("{found} of {bytes} bytes are in {path}")))
                }
            },
        }
    }
}

fn bytes_beneath(path: &Path) -> Result<u64> {
    let failed = |cause| Failure::io(path.display(), cause);
    let found = fs::metadata(path).map_err(failed)?;
    if found.is_file() {
        return Ok(found.len());
    }
    let entries = fs::read_dir(path).map_err(failed)?;
    entries.map(|entry| bytes_beneath(&entry.map_err(failed)?.path())).sum()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|cause| Failure::io(path.display(), cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{\"wall_s\":2.5,\"user_s\":0.5,\"sys_s\":0.5,\"peak_bytes\":4096,\"x\":1}";

    #[test]
    fn what_loading_took_is_not_counted() {
        let own = "{\"bytes\":5,\"loading_cpu_s\":0.25,\"loading_wall_s\":0.5}";
        let run = read(&format!("{own}\n{own}"), LINE, 10).expect("all figures");
        assert_eq!((run.sample.cpu_s, run.sample.wall_s, run.peak_bytes), (0.5, 1.5, 4096));
        assert_eq!(run.copied_bytes, None);
        assert!(read("", "killed", 10).is_none());
    }

    #[test]
    fn what_was_copied_is_that_of_all_times() {
        let own = "{\"bytes\":5,\"copied_bytes\":3}";
        let run = read(&format!("{own}\n{own}"), LINE, 10).expect("all figures");
        assert_eq!(run.copied_bytes, Some(6));
    }

    #[test]
    fn every_time_is_proved() {
        let says = Evidence::Says("\"bytes\":5,".to_owned());
        assert!(says.check("{\"bytes\":5,}\n{\"bytes\":5,}", 2).is_ok());
        assert!(says.check("{\"bytes\":5,}\n{\"bytes\":50}", 2).is_err());
        let folder = std::env::temp_dir().join(format!("hydrant-evidence-{}", std::process::id()));
        fs::create_dir_all(folder.join("in")).expect("a folder for the test");
        fs::write(folder.join("in/one"), "12345").expect("room");
        assert!(Evidence::Files(folder.clone(), 5).check("", 1).is_ok());
        assert!(Evidence::Files(folder.clone(), 6).check("", 1).is_err());
        fs::remove_dir_all(folder).expect("nobody else is in there");
    }
}
