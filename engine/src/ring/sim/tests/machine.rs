//! A core of the least kind: a driver, a table, and futures that are polled round after round.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::slice::from_ref;
use std::task::{Context, Poll, Waker};

use crate::config::OpLimits;
use crate::op::{Completion, Op, Outcome, SlotKey, Started, Table};
use crate::pool::{Lease, Pool, PoolConfig};
use crate::ring::sim::{SimDriver, World};
use crate::ring::{Driver, DriverCounts, Wait};

/// One core. Clones are the same core.
#[derive(Clone)]
pub(super) struct Machine(Rc<RefCell<Inner>>);

struct Inner {
    driver: SimDriver,
    table: Table,
    completions: Vec<Completion>,
}

/// Waits for an op, and detaches it when it is dropped.
pub(super) struct OpWait {
    machine: Machine,
    key: Option<SlotKey>,
}

/// What a test does on its cores.
pub(super) type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl Machine {
    pub(super) fn new(world: &World, core: usize) -> Machine {
        Machine::with_completion_entries(world, core, 64)
    }

    pub(super) fn with_completion_entries(world: &World, core: usize, entries: usize) -> Machine {
        // Small submissions, so that small files have several lanes.
        let limits = OpLimits { submission_bytes_max: 4096, ..OpLimits::default() };
        Machine(Rc::new(RefCell::new(Inner {
            driver: world.driver(core),
            table: Table::new(limits),
            completions: Vec::with_capacity(entries),
        })))
    }

    /// Starts an op now.
    pub(super) fn op(&self, op: Op) -> OpWait {
        let Inner { driver, table, .. } = &mut *self.0.borrow_mut();
        let Started::InFlight(key) = table.start(op, None, None, driver, Waker::noop()) else {
            panic!("the table has room");
        };
        OpWait { machine: self.clone(), key: Some(key) }
    }

    /// One enter; says how many completions came.
    pub(super) fn turn(&self, wait: Wait) -> usize {
        let mut ended = Vec::new();
        let mut inner = self.0.borrow_mut();
        let Inner { driver, table, completions } = &mut *inner;
        driver.enter(wait).expect("the simulated ring does not break");
        driver.completions(completions);
        let count = completions.len();
        for completion in completions.drain(..) {
            ended.extend(table.complete(completion, driver));
        }
        drop(inner);
        count
    }

    pub(super) fn counts(&self) -> DriverCounts {
        self.0.borrow().driver.counts()
    }

    pub(super) fn free_early(&self) {
        self.0.borrow_mut().table.plant(Some(crate::op::PlantedBug::FreeEarly));
    }

    /// Cancels everything; [`run`] then drains it (OWN-2).
    pub(super) fn stop(&self) {
        let Inner { driver, table, .. } = &mut *self.0.borrow_mut();
        table.stop(driver);
    }

    fn owns_any(&self) -> bool {
        self.0.borrow().table.kernel_owns_any()
    }
}

impl OpWait {
    pub(super) fn cancel(&self) {
        let Inner { driver, table, .. } = &mut *self.machine.0.borrow_mut();
        table.cancel(self.key.expect("still in flight"), driver);
    }

    /// The outcome, if the op has ended.
    pub(super) fn try_take(&mut self) -> Option<Outcome> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(self).poll(&mut cx) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }
}

impl Future for OpWait {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let key = self.key.expect("polled until it ended");
        let poll = self.machine.0.borrow_mut().table.poll(key, cx.waker());
        if poll.is_ready() {
            self.key = None;
        }
        poll
    }
}

impl Drop for OpWait {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let Inner { driver, table, .. } = &mut *self.machine.0.borrow_mut();
        let ended = table.detach(key, driver);
        drop(ended);
    }
}

/// Steps all machines until the work is done and the kernel has given everything back, as the room's
/// documentation tells a harness to.
///
/// # Panics
/// When nothing will ever happen again.
pub(super) fn run(world: &World, machines: &[Machine], mut work: Vec<Work<'_>>) {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        work.retain_mut(|work| work.as_mut().poll(&mut cx).is_pending());
        let first = world.random_u64() as usize;
        let turns =
            (0..machines.len()).map(|i| &machines[(first.wrapping_add(i)) % machines.len()]);
        if turns.map(|machine| machine.turn(Wait::No)).sum::<usize>() > 0 {
            continue;
        }
        if work.is_empty() && !machines.iter().any(Machine::owns_any) {
            return;
        }
        let next = world.next_event().expect("a hang: work is left and nothing will happen");
        world.advance(next - world.now());
    }
}

/// [`run`] with one core and one piece of work.
pub(super) fn run_alone(world: &World, machine: &Machine, work: impl Future<Output = ()>) {
    run(world, from_ref(machine), vec![Box::pin(work)]);
}

/// A pool that notices what is written after its return.
pub(super) fn pool() -> Pool {
    let config = PoolConfig { pool_bytes: 4 << 20, quarantine: true, ..PoolConfig::default() };
    Pool::new(config).expect("4 MiB can be mapped")
}

/// A lease of `bytes`; empties the quarantine where there is no other memory left.
pub(super) fn lease(pool: &Pool, bytes: usize) -> Lease {
    pool.try_lease(bytes, "test").unwrap_or_else(|| {
        assert_eq!(pool.quarantine_release(), [], "written after its return (OWN-1)");
        pool.try_lease(bytes, "test").expect("the test holds less than the pool has")
    })
}
