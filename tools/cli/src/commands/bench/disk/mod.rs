//! `hydrant bench disk`: reads or writes of a file, as many at a time as asked for, past the page
//! cache where the file system allows it.

mod load;
mod target;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hydrant::engine::{Direct, Engine, File, OpenOptions};

use self::load::{Done, Load, Pattern};
use self::target::{Target, Wish};
use super::figures::{self, Figure, Value};
use super::length::{Length, Until};
use super::setup::{self, BLOCK_BYTES_MAX, Need};
use crate::exit::Failure;
use crate::human;
use crate::json::Line;
use crate::options::Options;
use crate::probe;
use crate::progress::Progress;
use crate::sizes;
use crate::table::Table;
use crate::took::{self, Stopwatch, Took};

/// The command on the command line.
pub const NAME: &str = "bench disk";

/// Operations in flight on each core at most: the engine's table of 1,024 has a few of its own.
const DEPTH_MAX: i64 = 1000;
/// No device has smaller sectors; O_DIRECT takes nothing smaller.
const SECTOR_BYTES: u64 = 512;
/// What is cut at its multiples is aligned for any device.
const PAGE_BYTES: u64 = 4096;

/// Measure a disk: reads or writes of a file, in order or at random
///
/// A file that is not there is made, filled with random bytes, and removed at the end. A file or
/// block device that is there is only read; --overwrite allows writing, which destroys what is in
/// it. Latency runs from handing an operation to the engine to its result.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench disk /mnt/nvme/file                              reads in order
  hydrant bench disk /mnt/nvme/file --rw randread --depth 128 --cores 4 --pin
  hydrant bench disk /mnt/nvme/file --rw write --block 8MiB --depth 8 --size 8GiB
  hydrant bench disk /dev/nvme1n1 --rw randread --time 30s --json
  hydrant bench disk ./file --buffered --bytes 1GiB              through the page cache")]
pub struct Args {
    /// The file or block device
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// What to do with it
    #[arg(long, value_enum, default_value_t)]
    rw: Pattern,

    /// Bytes of one operation
    #[arg(long, value_name = "SIZE", default_value = "4KiB", value_parser = sizes::parse)]
    block: u64,

    /// A larger operation goes to the kernel in pieces of this size
    #[arg(long, value_name = "SIZE", default_value = "512KiB", value_parser = sizes::parse)]
    submission: u64,

    /// Operations in flight on each core
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=DEPTH_MAX))]
    depth: u16,

    /// Bytes of the file to use [default: 1GiB for one that is made, else all of it]
    #[arg(long, value_name = "SIZE", value_parser = sizes::parse)]
    size: Option<u64>,

    #[command(flatten)]
    length: Length,

    /// Each core on a CPU of its own
    #[arg(long)]
    pin: bool,

    /// Past the page cache with O_DIRECT; this is the default
    #[arg(long, conflicts_with = "buffered")]
    direct: bool,

    /// Through the page cache
    #[arg(long)]
    buffered: bool,

    /// Allow writing to a file or block device that is there, which destroys what is in it
    #[arg(long)]
    overwrite: bool,

    /// One object of JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    options.refuse_client(NAME)?;
    check(&args)?;
    let cores = options.cores.unwrap_or(1) as u64;
    let until = args.length.until(args.block, cores)?;
    let blocks = cores * u64::from(args.depth);
    let need = Need { blocks, block_bytes: args.block, pin: args.pin };
    let client = need.start_with(options, |config| {
        config.op.submission_bytes_max = args.submission as usize;
    })?;
    let engine = client.engine();

    let (path, writes) = (args.path.as_path(), args.rw.writes());
    let wish = Wish { path, size: args.size, writes, overwrite: args.overwrite };
    let target = Target::prepare(wish, options).await?;
    let blocks_of_file = target.bytes / args.block;
    check_size(&args, blocks_of_file, cores)?;
    let file = open(engine, &args).await?;
    check_alignment(&args, file.direct())?;
    if file.direct() == Direct::Refused {
        options.say(&format!("O_DIRECT is {}", probe::spell(file.direct())));
    }

    let leases = need.leases(engine).await?;
    let load = Load {
        file: file.clone(),
        pattern: args.rw,
        block_bytes: args.block as usize,
        first_block: 0,
        blocks: blocks_of_file,
        until,
    };
    let (mut done, took) = measure(engine, load, leases, options).await?;
    let sync_time = if writes { Some(sync(engine, file.clone()).await?) } else { None };
    let result =
        Outcome { args: &args, engine, direct: file.direct(), done: &done, took, sync_time };
    result.print(&target)?;
    verdict(&mut done)
}

fn check(args: &Args) -> Result<(), Failure> {
    let refuse = |text: String| Err(Failure::Usage(text));
    if args.block > BLOCK_BYTES_MAX {
        return refuse(format!("--block is at most {}", human::size(BLOCK_BYTES_MAX)));
    }
    if !(PAGE_BYTES..=BLOCK_BYTES_MAX).contains(&args.submission)
        || !args.submission.is_multiple_of(PAGE_BYTES)
    {
        let most = human::size(BLOCK_BYTES_MAX);
        return refuse(format!("--submission is a multiple of 4 KiB, at most {most}"));
    }
    if !args.buffered && !args.block.is_multiple_of(SECTOR_BYTES) {
        return refuse(format!(
            "O_DIRECT takes blocks of a multiple of {SECTOR_BYTES} bytes, and --block {} is none; \
             --buffered takes any",
            args.block
        ));
    }
    if args.overwrite && !args.rw.writes() {
        return refuse("--overwrite means nothing where nothing is written; see --rw".to_owned());
    }
    Ok(())
}

/// In order, each core has a part of the file to itself.
fn check_size(args: &Args, blocks: u64, cores: u64) -> Result<(), Failure> {
    let least = if args.rw.is_random() { 1 } else { cores };
    match blocks >= least {
        true => Ok(()),
        false => Err(Failure::Usage(format!(
            "{} holds {blocks} blocks of {}, and {least} are needed; see --size and --block",
            args.path.display(),
            human::size(args.block)
        ))),
    }
}

fn check_alignment(args: &Args, direct: Direct) -> Result<(), Failure> {
    match direct {
        Direct::Yes { offset_align, .. } if !args.block.is_multiple_of(offset_align.into()) => {
            Err(Failure::Usage(format!(
                "O_DIRECT on {} takes multiples of {offset_align} bytes, and --block {} is none; \
                 --buffered takes any",
                args.path.display(),
                args.block
            )))
        }
        _ => Ok(()),
    }
}

async fn open(engine: &Engine, args: &Args) -> Result<File, Failure> {
    let (path, direct) = (args.path.clone(), !args.buffered);
    let how = if args.rw.writes() { OpenOptions::new().write() } else { OpenOptions::new().read() };
    let how = how.direct(direct);
    let opened =
        engine.on_core(0, move |core| async move { File::open(&core, &path, &how).await })?;
    Ok(opened.await??)
}

/// Runs the load on all cores.
async fn measure(
    engine: &Engine,
    whole: Load,
    mut leases: Vec<hydrant::engine::Lease>,
    options: &Options,
) -> Result<(Done, Took), Failure> {
    let cores = engine.cores();
    let depth = leases.len() / cores;
    let parts: Vec<_> = (0..cores)
        .map(|index| (index, part(&whole, index, cores), setup::split(&mut leases, depth)))
        .collect();
    let progress = Progress::new("running", options.quiet);
    if let Until::Blocks(blocks) = whole.until {
        progress.expect(blocks * whole.block_bytes as u64);
    }
    let stopwatch = Stopwatch::start(engine)?;
    let before = engine.metrics();
    let start = |(index, load, leases): (usize, Load, _)| {
        engine.on_core(index, move |core| load.run(core, leases))
    };
    let tasks = parts.into_iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let running = async {
        let mut done = Done::nothing();
        for task in tasks {
            done = done.and(task.await??);
        }
        Ok::<_, Failure>(done)
    };
    let moved = || {
        let now = engine.metrics().since(&before);
        now.file_bytes_registered + now.file_bytes_unregistered
    };
    let done = progress.during_counted(running, moved).await?;
    Ok((done, stopwatch.stop(engine)?))
}

/// What falls to one core: its share of the blocks in order, all of them at random.
fn part(whole: &Load, index: usize, cores: usize) -> Load {
    let (index, cores) = (index as u64, cores as u64);
    let until = whole.until.share(index, cores);
    if whole.pattern.is_random() {
        return Load { until, ..whole.clone() };
    }
    let first_block = whole.blocks * index / cores;
    let blocks = whole.blocks * (index + 1) / cores - first_block;
    Load { first_block, blocks, until, ..whole.clone() }
}

/// Makes what was written durable; how long that took.
async fn sync(engine: &Engine, file: File) -> Result<Duration, Failure> {
    let started = Instant::now();
    let synced = engine.on_core(0, move |core| async move { file.sync_data(&core).await })?;
    synced.await??;
    Ok(started.elapsed())
}

/// A run with an error or a short transfer has figures, and fails.
fn verdict(done: &mut Done) -> Result<(), Failure> {
    match (done.first_error.take(), done.short) {
        (Some(error), _) => Err(error.into()),
        (None, 0) => Ok(()),
        (None, short) => {
            Err(Failure::Short(format!("{short} transfers were short: the file has shrunk")))
        }
    }
}

/// A run and what it came to.
struct Outcome<'a> {
    args: &'a Args,
    engine: &'a Engine,
    direct: Direct,
    done: &'a Done,
    took: Took,
    sync_time: Option<Duration>,
}

impl Outcome<'_> {
    fn print(&self, target: &Target) -> Result<(), Failure> {
        let figures = self.figures();
        let text = match self.args.json {
            true => {
                let line =
                    figures::fields(Line::new("hydrant.bench.disk/1"), &self.setting(target));
                figures::fields(line, &figures).finish() + "\n"
            }
            false => {
                let mut table = Table::default();
                figures::rows(&mut table, &[&figures]);
                table.about(&self.about(target));
                table.finish()
            }
        };
        io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)
    }

    fn figures(&self) -> Vec<Figure> {
        let (done, took) = (self.done, &self.took);
        let cpu = took.cpu;
        let seconds = |time: Duration| time.as_secs_f64();
        let per_gib = |time| Value::Decimal(took::per_gib(seconds(time), done.bytes), 3);
        let per_op = |time| Value::Decimal(seconds(time) * 1e6 / done.ops.max(1) as f64, 2);
        let mut figures = vec![
            Figure::new("operations", "ops", Value::Count(done.ops)),
            Figure::new("bytes", "bytes", Value::Count(done.bytes)),
            Figure::new("seconds", "time_s", Value::Decimal(seconds(took.time), 3)),
            Figure::new("operations/s", "iops", {
                Value::Decimal(took.per_second(done.ops as f64), 0)
            }),
            Figure::new("GB/s", "gb_per_s", {
                Value::Decimal(took.per_second(done.bytes as f64) / 1e9, 3)
            }),
        ];
        figures.extend(done.latency.figures());
        figures.extend([
            Figure::field("cpu_user_s", Value::Decimal(seconds(cpu.user), 6)),
            Figure::field("cpu_system_s", Value::Decimal(seconds(cpu.system), 6)),
            Figure::new("CPU s per GiB, user", "cpu_user_s_per_gib", per_gib(cpu.user)),
            Figure::new("CPU s per GiB, system", "cpu_system_s_per_gib", per_gib(cpu.system)),
            Figure::new("CPU µs per operation, user", "cpu_user_us_per_op", per_op(cpu.user)),
            Figure::new("CPU µs per operation, system", "cpu_system_us_per_op", {
                per_op(cpu.system)
            }),
            Figure::new("in registered buffers", "registered_share", {
                Value::Share(took.registered_share())
            }),
            Figure::new("submissions", "submissions", Value::Count(took.counted.submissions)),
            Figure::new("enters of the kernel", "enters", Value::Count(took.counted.enters)),
            Figure::new("short transfers", "short_transfers", Value::Count(done.short)),
            Figure::new("errors", "errors", Value::Count(done.errors)),
        ]);
        if let Some(time) = self.sync_time {
            let time = Value::Decimal(seconds(time), 3);
            figures.push(Figure::new("seconds until durable, after that", "sync_s", time));
        }
        figures
    }

    fn setting(&self, target: &Target) -> Vec<Figure> {
        let (args, found) = (self.args, self.engine.capabilities());
        let rw = clap::ValueEnum::to_possible_value(&args.rw).expect("no pattern is skipped");
        let direct = match self.direct {
            Direct::Yes { .. } => "granted",
            Direct::Refused => "refused",
            Direct::Buffered => "not asked for",
        };
        let text = |text: &str| Value::Text(text.to_owned());
        vec![
            Figure::field("path", Value::Text(args.path.display().to_string())),
            Figure::field("made", Value::Flag(target.is_made())),
            Figure::field("file_bytes", Value::Count(target.bytes)),
            Figure::field("rw", text(rw.get_name())),
            Figure::field("block_bytes", Value::Count(args.block)),
            Figure::field("submission_bytes", Value::Count(args.submission)),
            Figure::field("depth_per_core", Value::Count(args.depth.into())),
            Figure::field("cores", Value::Count(self.engine.cores() as u64)),
            Figure::field("pinned", Value::Flag(args.pin)),
            Figure::field("direct", text(direct)),
            Figure::field("driver", text(found.driver)),
            Figure::field("registered_buffers", Value::Flag(found.buffers_registered())),
            Figure::field("pool_bytes", {
                Value::Count(self.engine.pool().stats().total_bytes as u64)
            }),
            Figure::field("kernel", text(&found.kernel)),
        ]
    }

    fn about(&self, target: &Target) -> Vec<(&'static str, String)> {
        let (args, found) = (self.args, self.engine.capabilities());
        let registered = if found.buffers_registered() { "granted" } else { "refused" };
        let (cores, pool) = (self.engine.cores(), self.engine.pool().stats().total_bytes);
        let pinned = if args.pin { ", each on a CPU of its own" } else { "" };
        let file = format!(
            "{}, {} of it used, {}",
            human::name(&args.path.display().to_string()),
            human::size(target.bytes),
            target.told(args.rw.writes())
        );
        vec![
            ("file", file),
            (
                "load",
                format!("{} in flight on each core, {} each", args.depth, human::size(args.block)),
            ),
            ("driver", format!("{}, cores: {cores}{pinned}, Linux {}", found.driver, found.kernel)),
            ("pool", human::size(pool as u64)),
            ("registered buffers", registered.to_owned()),
            ("O_DIRECT", probe::spell(self.direct)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Line::try_parse_from(std::iter::once("disk").chain(line.split(' '))).expect(line).args
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = ["f --block 1000", "f --block 65MiB", "f --overwrite --rw randread"];
        for line in refused {
            assert!(check(&args(line)).is_err(), "{line}");
        }
        for line in ["f", "f --block 1000 --buffered", "f --overwrite --rw write --block 512"] {
            assert!(check(&args(line)).is_ok(), "{line}");
        }
        for line in ["f --direct --buffered", "f --time 1s --bytes 4KiB", "f --depth 0", "f --rw x"]
        {
            let words = std::iter::once("disk").chain(line.split(' '));
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn a_block_fits_the_device_and_the_file() {
        let wide = Direct::Yes { memory_align: 512, offset_align: 4096 };
        assert!(check_alignment(&args("f --block 512"), wide).is_err());
        assert!(check_alignment(&args("f --block 8KiB"), wide).is_ok());
        assert!(check_alignment(&args("f --block 512"), Direct::Refused).is_ok());
        assert!(check_size(&args("f"), 0, 1).is_err());
        assert!(check_size(&args("f"), 3, 4).is_err());
        assert!(check_size(&args("f --rw randread"), 1, 4).is_ok());
    }
}
