//! `hydrant bench get` and `hydrant bench put`: whole objects between memory and any store.
//!
//! Each of so many workers moves one object at a time over one connection, so that latency is that of
//! an object and the load is what was asked for. Payload is random, made in memory before the run, and
//! what comes is not looked at. Several processes measure at the same moment, and one merges what they
//! have counted.

mod objects;
mod outcome;
mod processes;
mod report;
mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use hydrant::{Hydrant, Location};

use self::objects::{Objects, Sizes};
use self::outcome::Outcome;
use self::work::{Goal, Way, Work};
use super::setup::Need;
use crate::exit::Failure;
use crate::options::{Options, Weight};
use crate::place::location;
use crate::signals;
use crate::sizes;
use crate::times;
use crate::took::Stopwatch;

/// Workers at most; each has a connection, and the pool's share for heads has to hold theirs.
const CONNECTIONS_MAX: i64 = 256;
const PROCESSES_MAX: i64 = 256;
const TIME_DEFAULT: Duration = Duration::from_secs(10);

/// Measure a store: read the objects beneath a place
///
/// What is there is listed first, without being counted, and then read again and again in that order.
/// The time to the first byte is that to the head of the answer; stores that are no servers have none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench put s3://scratch/bench/ --sizes 4KiB --count 10000 --keep
  hydrant bench get s3://scratch/bench/ --connections 64 --cores 2 --time 30s --warm-up 5s
  hydrant bench get s3://scratch/bench/ --processes 4 --json
  hydrant bench get file:///srv/data/ --connections 32

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct GetArgs {
    /// A place for objects: a bucket, a prefix, a directory
    #[arg(value_name = "URI")]
    uri: String,

    #[command(flatten)]
    load: Load,
}

/// Measure a store: write generated objects beneath a place
///
/// The objects are named bench-PROCESS-NUMBER and removed at the end; what else is there stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench put s3://scratch/bench/ --sizes 8MiB --connections 32
  hydrant bench put s3://scratch/bench/ --sizes 4KiB,64KiB,1MiB --count 10000 --keep
  hydrant bench put direct:///srv/scratch/ --sizes 1MiB --processes 2 --json

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct PutArgs {
    /// A place for objects: a bucket, a prefix, a directory
    #[arg(value_name = "URI")]
    uri: String,

    /// Bytes of the objects in turn, such as 1MiB or 4KiB,4KiB,1MiB
    #[arg(long, value_name = "SIZE,...", default_value = "1MiB", value_delimiter = ',',
          value_parser = sizes::parse, conflicts_with = "sizes_from")]
    sizes: Vec<u64>,

    /// A file with such a size on each line
    #[arg(long, value_name = "FILE")]
    sizes_from: Option<std::path::PathBuf>,

    /// Leave the objects there, for `bench get`
    #[arg(long)]
    keep: bool,

    #[command(flatten)]
    load: Load,
}

/// How much of it, and for how long.
#[derive(Debug, Clone, clap::Args)]
struct Load {
    /// Objects on their way at the same time in each process, each over a connection
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=CONNECTIONS_MAX))]
    connections: u16,

    /// Run for so long [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = times::parse, conflicts_with = "count")]
    time: Option<Duration>,

    /// Run until each process has moved so many objects, instead of for a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Run for so long before anything is counted
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    warm_up: Option<Duration>,

    /// Different objects of each process; they are used again when there are no more
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    objects: u32,

    /// Bytes of one request at most; larger objects go in parts, one after the other
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = parse_part)]
    part_size: u64,

    /// Processes that measure at the same moment, each with these cores and connections
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=PROCESSES_MAX))]
    processes: u16,

    /// Which of several processes this is; it tells its counts to the one that started it
    #[arg(long, value_name = "INDEX", hide = true)]
    process: Option<u16>,

    /// Each core on a CPU of its own
    #[arg(long)]
    pin: bool,

    /// One object of JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// What is asked for, whichever way the bytes go.
struct Bench {
    way: Way,
    uri: String,
    sizes: Sizes,
    keep: bool,
    load: Load,
}

/// Runs `bench get`.
pub fn get(args: GetArgs, options: &Options) -> Result<(), Failure> {
    let (sizes, keep) = (Sizes::default(), true);
    let bench = Bench { way: Way::Get, uri: args.uri, sizes, keep, load: args.load };
    signals::run(bench.run(options))
}

/// Runs `bench put`.
pub fn put(args: PutArgs, options: &Options) -> Result<(), Failure> {
    let sizes = match &args.sizes_from {
        Some(path) => Sizes::from_file(path)?,
        None => Sizes::new(args.sizes)?,
    };
    let bench = Bench { way: Way::Put, uri: args.uri, sizes, keep: args.keep, load: args.load };
    signals::run(bench.run(options))
}

impl Bench {
    async fn run(self, options: &Options) -> Result<(), Failure> {
        let uri = location("URI", &self.uri)?;
        let own = self.load.process;
        if own.is_none() && self.load.processes > 1 {
            let outcome = processes::run(self.load.processes).await?;
            return report::print(&self, &outcome, options);
        }
        let client = self.client(options)?;
        let place = client.open(uri)?;
        let objects = Arc::new(self.objects(&place).await?);
        if own.is_some() {
            processes::wait_for_the_others().await?;
        }
        let measured = self.measure(&client, &place, &objects).await;
        // What was written goes, whatever came of the run.
        let removed = if self.keep { Ok(()) } else { objects.remove(&place).await };
        let outcome = measured?;
        removed?;
        match own {
            Some(_) => processes::tell(&outcome),
            None => report::print(&self, &outcome, options),
        }
    }

    /// Memory for the payload.
    fn need(&self) -> Need {
        let blocks = match self.way {
            Way::Get => self.load.connections.into(),
            // All workers send from one block.
            Way::Put => 1,
        };
        Need { blocks, block_bytes: self.load.part_size, pin: self.load.pin }
    }

    /// A client with that memory, and a connection for each worker.
    fn client(&self, options: &Options) -> Result<Hydrant, Failure> {
        let (need, connections) = (self.need(), self.load.connections.into());
        let pool_bytes = usize::try_from(need.pool_bytes()).unwrap_or(usize::MAX);
        let client = options.client(Weight::Bench { pool_bytes, connections, pin: need.pin })?;
        need.check(&client)?;
        Ok(client)
    }

    async fn objects(&self, place: &Location) -> Result<Objects, Failure> {
        let (process, count) = (self.load.process.unwrap_or(0), self.load.objects as usize);
        match self.way {
            Way::Get => Objects::listed(place, process, self.load.processes, count).await,
            Way::Put => Ok(Objects::named(place, process, count, &self.sizes)),
        }
    }

    async fn measure(
        &self,
        client: &Hydrant,
        place: &Location,
        objects: &Arc<Objects>,
    ) -> Result<Outcome, Failure> {
        let engine = client.engine();
        let leases = self.need().leases(engine).await?;
        let warm_up = self.load.warm_up.unwrap_or_default();
        let counted_from = Instant::now() + warm_up;
        let goal = match self.load.count {
            Some(count) => Goal::Objects(count),
            None => Goal::At(counted_from + self.load.time.unwrap_or(TIME_DEFAULT)),
        };
        let work = Work {
            way: self.way,
            store: place.store.clone(),
            objects: Arc::clone(objects),
            part_bytes: self.load.part_size as usize,
            counted_from,
            goal,
            turn: AtomicU64::default(),
            counted: AtomicU64::default(),
        };
        let tasks = work.start(engine, leases, self.load.connections.into())?;
        if !warm_up.is_zero() {
            tokio::time::sleep_until(counted_from.into()).await;
        }
        let stopwatch = Stopwatch::start(engine)?;
        let mut outcome = Outcome::nothing();
        for task in tasks {
            outcome.add(task.await?);
        }
        Ok(outcome.taking(stopwatch.stop(engine)?))
    }
}

fn parse_part(text: &str) -> Result<u64, String> {
    use super::setup::BLOCK_BYTES_MAX;
    let bytes = sizes::parse(text)?;
    match (5 << 20..=BLOCK_BYTES_MAX).contains(&bytes) {
        true => Ok(bytes),
        false => Err("a part has 5MiB to 64MiB: S3 takes none that are smaller".to_owned()),
    }
}
