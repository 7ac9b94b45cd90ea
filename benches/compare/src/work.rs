//! What is asked of every runtime, and how it is measured.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

/// Why a run does not count.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of one read, and what its memory is aligned to.
pub const BLOCK_BYTES: usize = 4096;
/// Reads in flight.
pub const READS: usize = 64;

/// The clock of a run, and its CPU time.
pub struct Meter {
    time: Duration,
    over: AtomicBool,
    begun: OnceLock<(Instant, Usage)>,
}

impl Meter {
    pub fn new(time: Duration) -> Arc<Meter> {
        Arc::new(Meter { time, over: AtomicBool::new(false), begun: OnceLock::new() })
    }

    /// From here on it counts: the runtime stands, and its buffers are there.
    fn begin(self: &Arc<Meter>) {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("it cannot fail for oneself");
        assert!(self.begun.set((Instant::now(), usage)).is_ok(), "a run begins once");
    }

    /// Ends the run after its time, from a thread that sleeps: nobody else looks at a clock.
    fn begin_timed(self: &Arc<Meter>) {
        let meter = Arc::clone(self);
        thread::spawn(move || {
            thread::sleep(meter.time);
            meter.over.store(true, Relaxed);
        });
        self.begin();
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// What the run came to, up to now.
    pub fn line(&self, operations: u64) -> Result<String, Failure> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let (begun, before) = self.begun.get().ok_or("the run never began")?;
        let seconds = |now: nix::sys::time::TimeVal, then: nix::sys::time::TimeVal| {
            (now - then).num_microseconds() as f64 / 1e6
        };
        Ok(format!(
            "{{\"operations\":{operations},\"wall_s\":{:.6},\"user_s\":{:.6},\"sys_s\":{:.6}}}",
            begun.elapsed().as_secs_f64(),
            seconds(usage.user_time(), before.user_time()),
            seconds(usage.system_time(), before.system_time()),
        ))
    }
}

/// Blocks of a file at random.
#[derive(Clone)]
pub struct Reads(Arc<ReadsInner>);

struct ReadsInner {
    meter: Arc<Meter>,
    path: PathBuf,
    blocks: u64,
    operations: AtomicU64,
}

impl Reads {
    pub fn new(meter: &Arc<Meter>, path: PathBuf) -> Result<Reads, Failure> {
        let blocks = File::open(&path)?.metadata()?.len() / BLOCK_BYTES as u64;
        if blocks == 0 {
            return Err("the file is shorter than a block".into());
        }
        let meter = Arc::clone(meter);
        Ok(Reads(Arc::new(ReadsInner { meter, path, blocks, operations: AtomicU64::new(0) })))
    }

    pub fn path(&self) -> &PathBuf {
        &self.0.path
    }

    /// All lanes have their buffers.
    pub fn begin(&self) {
        self.0.meter.begin_timed();
    }

    /// The reads that are done one after the other; [`READS`] of them run side by side.
    pub fn lane(&self, number: usize) -> Lane {
        let random = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Lane { reads: self.clone(), random, operations: 0 }
    }

    pub fn operations(&self) -> u64 {
        self.0.operations.load(Relaxed)
    }
}

/// See [`Reads::lane`].
pub struct Lane {
    reads: Reads,
    random: u64,
    operations: u64,
}

impl Lane {
    /// Where to read next, if the time is not over.
    pub fn next(&mut self) -> Option<u64> {
        if self.reads.0.meter.is_over() {
            return None;
        }
        // Marsaglia's xorshift: a handful of instructions, and no two lanes read alike.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let block = (u128::from(self.random) * u128::from(self.reads.0.blocks)) >> 64;
        Some(block as u64 * BLOCK_BYTES as u64)
    }

    /// Takes in what a read came to.
    pub fn done<E: Into<Failure>>(&mut self, read: Result<usize, E>) -> Result<(), Failure> {
        match read.map_err(Into::into)? {
            BLOCK_BYTES => self.operations += 1,
            short => return Err(format!("a read of {short} bytes").into()),
        }
        Ok(())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.reads.0.operations.fetch_add(self.operations, Relaxed);
    }
}

/// Memory for one read where a runtime has none of its own, and where in it the aligned block
/// starts.
pub fn aligned_block() -> (Vec<u8>, usize) {
    let memory = vec![1; 2 * BLOCK_BYTES];
    let start = memory.as_ptr().align_offset(BLOCK_BYTES);
    (memory, start)
}

/// A server that answers with what it receives.
#[derive(Clone)]
pub struct Echo {
    meter: Arc<Meter>,
    load: PathBuf,
    asker: Arc<Mutex<Option<Child>>>,
    pub connections: usize,
    pub message_bytes: usize,
}

impl Echo {
    pub fn many(meter: &Arc<Meter>, load: PathBuf) -> Echo {
        Echo { connections: 64, message_bytes: 1024, ..Echo::ping(meter, load) }
    }

    pub fn ping(meter: &Arc<Meter>, load: PathBuf) -> Echo {
        let meter = Arc::clone(meter);
        Echo { meter, load, asker: Arc::default(), connections: 1, message_bytes: 1 }
    }

    /// The server listens: the load starts on the last processor, and the meter.
    pub fn begin(&self, address: SocketAddr) -> Result<(), Failure> {
        let here = sched_getaffinity(Pid::from_raw(0))?;
        pin(Processor::Last)?;
        let asker = Command::new(&self.load)
            .arg("ask")
            .arg(format!("--address={address}"))
            .arg(format!("--connections={}", self.connections))
            .arg(format!("--message-bytes={}", self.message_bytes))
            .arg(format!("--seconds={}", self.meter.time.as_secs_f64()))
            .stdout(Stdio::piped())
            .spawn();
        sched_setaffinity(Pid::from_raw(0), &here)?;
        *self.asker.lock().unwrap_or_else(PoisonError::into_inner) = Some(asker?);
        self.meter.begin();
        Ok(())
    }

    /// Messages that came back whole, as the load counts them. The connections are closed by now.
    pub fn operations(&self) -> Result<u64, Failure> {
        let asker = self.asker.lock().unwrap_or_else(PoisonError::into_inner).take();
        let output = asker.ok_or("the load never started")?.wait_with_output()?;
        let printed = String::from_utf8(output.stdout)?;
        let bytes = printed.split_once("\"bytes\":").and_then(|(_, rest)| rest.split(',').next());
        match bytes.and_then(|bytes| bytes.parse::<u64>().ok()) {
            Some(bytes) if output.status.success() => Ok(bytes / self.message_bytes as u64),
            _ => Err(format!("the load ended with {}: {printed}", output.status).into()),
        }
    }
}

/// Two sides of a workload get a processor each, so that neither depends on where the scheduler
/// happens to put them.
#[derive(Clone, Copy)]
pub enum Processor {
    /// Of the runtime.
    First,
    /// Of whoever gives it work.
    Last,
}

/// Pins this thread. Threads and processes that it starts later inherit that.
pub fn pin(to: Processor) -> Result<(), Failure> {
    static AT_START: OnceLock<Vec<usize>> = OnceLock::new();
    let set = sched_getaffinity(Pid::from_raw(0))?;
    let allowed = || (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false));
    let all = AT_START.get_or_init(|| allowed().collect());
    let processor = match to {
        Processor::First => all.first(),
        Processor::Last => all.last(),
    };
    let mut one = CpuSet::new();
    one.set(*processor.ok_or("this process may run nowhere")?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
}

/// No-ops from another thread.
#[derive(Clone)]
pub struct HandOver(Arc<HandOverInner>);

struct HandOverInner {
    meter: Arc<Meter>,
    operations: AtomicU64,
}

impl HandOver {
    pub fn new(meter: &Arc<Meter>) -> HandOver {
        HandOver(Arc::new(HandOverInner { meter: Arc::clone(meter), operations: 0.into() }))
    }

    /// The core waits for work, which this thread hands over from another processor.
    pub fn begin(&self) -> Result<(), Failure> {
        pin(Processor::Last)?;
        self.0.meter.begin_timed();
        Ok(())
    }

    /// Whether to hand another one over; the one before is back.
    pub fn next(&self) -> bool {
        let more = !self.0.meter.is_over();
        self.0.operations.fetch_add(more.into(), Relaxed);
        more
    }

    pub fn operations(&self) -> u64 {
        self.0.operations.load(Relaxed)
    }
}
