//! The load of one core: loops that keep one operation in flight each. A loop allocates nothing
//! while it runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hydrant::engine::{Buf, Core, Error, File, Lease, LocalTask};

use super::super::latency::Latency;
use super::super::length::Until;

/// Which blocks in which order, and which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Pattern {
    /// One block after the other
    #[default]
    Read,
    /// One block after the other
    Write,
    /// Blocks at random
    #[value(name = "randread")]
    RandomRead,
    /// Blocks at random
    #[value(name = "randwrite")]
    RandomWrite,
}

impl Pattern {
    pub fn writes(self) -> bool {
        matches!(self, Pattern::Write | Pattern::RandomWrite)
    }

    pub fn is_random(self) -> bool {
        matches!(self, Pattern::RandomRead | Pattern::RandomWrite)
    }
}

/// What one core does.
#[derive(Debug, Clone)]
pub struct Load {
    pub file: File,
    pub pattern: Pattern,
    pub block_bytes: usize,
    /// The first block of its part of the file, and how many there are.
    pub first_block: u64,
    pub blocks: u64,
    pub until: Until,
}

/// What one core did.
#[derive(Debug)]
pub struct Done {
    pub ops: u64,
    pub bytes: u64,
    /// Operations that moved less than a block.
    pub short: u64,
    pub errors: u64,
    pub first_error: Option<Error>,
    pub latency: Latency,
}

impl Load {
    /// Runs on `core` with one loop for each lease.
    pub async fn run(self, core: Core, leases: Vec<Lease>) -> Result<Done, Error> {
        let running = Rc::new(Running::begin(self, core.now()));
        let start =
            |lease| core.spawn(keep_one_in_flight(core.clone(), Rc::clone(&running), lease));
        let loops: Vec<LocalTask<()>> = leases.into_iter().map(start).collect::<Result<_, _>>()?;
        for task in loops {
            // None is a loop that panicked, which the hook has told.
            task.await.ok_or(Error::Cancelled)?;
        }
        Ok(running.done())
    }
}

impl Done {
    /// Of no core.
    pub fn nothing() -> Done {
        Done { ops: 0, bytes: 0, short: 0, errors: 0, first_error: None, latency: Latency::new() }
    }

    /// With what another core did.
    pub fn and(mut self, other: Done) -> Done {
        self.ops += other.ops;
        self.bytes += other.bytes;
        self.short += other.short;
        self.errors += other.errors;
        self.first_error = self.first_error.or(other.first_error);
        self.latency.merge(&other.latency);
        self
    }
}

/// What the loops of one core share.
struct Running {
    load: Load,
    deadline: Option<Instant>,
    /// Operations that may still begin.
    left: Cell<u64>,
    next_block: Cell<u64>,
    ops: Cell<u64>,
    bytes: Cell<u64>,
    short: Cell<u64>,
    errors: Cell<u64>,
    first_error: RefCell<Option<Error>>,
    latency: RefCell<Latency>,
}

impl Running {
    fn begin(load: Load, now: Instant) -> Running {
        let (deadline, left) = match load.until {
            Until::Time(time) => (now.checked_add(time), u64::MAX),
            Until::Blocks(blocks) => (None, blocks),
        };
        Running {
            load,
            deadline,
            left: left.into(),
            next_block: 0.into(),
            ops: 0.into(),
            bytes: 0.into(),
            short: 0.into(),
            errors: 0.into(),
            first_error: None.into(),
            latency: Latency::new().into(),
        }
    }

    /// Where the next operation goes; `None` when the run is over, as it is after an error.
    fn next_offset(&self, random: impl FnOnce() -> u64, now: Instant) -> Option<u64> {
        let late = self.deadline.is_some_and(|deadline| now >= deadline);
        if late || self.left.get() == 0 || self.errors.get() > 0 {
            return None;
        }
        self.left.set(self.left.get() - 1);
        let block = match self.load.pattern.is_random() {
            true => below(random(), self.load.blocks),
            false => {
                let block = self.next_block.get();
                self.next_block.set((block + 1) % self.load.blocks);
                block
            }
        };
        Some((self.load.first_block + block) * self.load.block_bytes as u64)
    }

    fn note(&self, result: Result<usize, Error>, took: Duration) {
        match result {
            Ok(bytes) => {
                self.ops.set(self.ops.get() + 1);
                self.bytes.set(self.bytes.get() + bytes as u64);
                self.short.set(self.short.get() + u64::from(bytes < self.load.block_bytes));
                self.latency.borrow_mut().record(took);
            }
            Err(error) => {
                self.errors.set(self.errors.get() + 1);
                self.first_error.borrow_mut().get_or_insert(error);
            }
        }
    }

    fn done(&self) -> Done {
        Done {
            ops: self.ops.get(),
            bytes: self.bytes.get(),
            short: self.short.get(),
            errors: self.errors.get(),
            first_error: self.first_error.take(),
            latency: self.latency.replace(Latency::new()),
        }
    }
}

async fn keep_one_in_flight(core: Core, running: Rc<Running>, lease: Lease) {
    let Load { file, pattern, block_bytes, .. } = &running.load;
    let span = 0..*block_bytes;
    let mut buf = Buf::from(lease);
    let mut begun = core.now();
    while let Some(offset) = running.next_offset(|| core.random_u64(), begun) {
        let (result, back) = match pattern.writes() {
            true => file.write_at(&core, buf, span.clone(), offset).await,
            false => file.read_at(&core, buf, span.clone(), offset).await,
        };
        buf = back;
        // The end of one operation is the beginning of the next: the clock is read once for each.
        let ended = core.now();
        running.note(result, ended.saturating_duration_since(begun));
        begun = ended;
    }
}

/// A number under `bound`, from 64 random bits (Lemire's multiplication, near enough to uniform).
fn below(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_blocks_reach_both_ends() {
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(u64::MAX, 10), 9);
        assert_eq!(below(u64::MAX / 2, 10), 4);
        assert_eq!(below(u64::MAX, 1), 0);
    }

    #[test]
    fn what_cores_did_adds_up() {
        let done = |ops| Done { ops, bytes: ops * 4096, short: 1, errors: 0, ..Done::nothing() };
        let both = done(3).and(Done { first_error: Some(Error::Stopped), errors: 2, ..done(4) });
        assert_eq!((both.ops, both.bytes, both.short, both.errors), (7, 7 * 4096, 2, 2));
        assert!(both.first_error.is_some());
    }
}
