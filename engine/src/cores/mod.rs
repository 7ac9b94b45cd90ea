//! A core: its tasks, its inbox, its timers, its ring.
//!
//! A core is a value that is stepped by `Runtime::turn`; a thread merely steps it, and the simulator
//! steps several on one thread. [`Core`] is the handle that tasks hold. A core never blocks
//! (CORE-1): no lock is held across a wait, and whatever may block runs on the control thread.
//! Cores share little that changes, foremost the pool's allocator and their inboxes (CORE-2).

mod clock;
mod control;
mod driven;
mod inbox;
mod join;
mod local;
mod runtime;
mod seat;
mod service;
#[cfg(any(test, feature = "testing"))]
mod simulation;
mod spin;
mod tasks;
mod timers;
mod waiting;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

pub(crate) use clock::Clock;
pub(crate) use control::Control;
pub use driven::{Driven, Pace};
pub(crate) use inbox::{Inbox, Message, RemoteTask};
pub(crate) use join::Join;
pub use join::{Task, block_on};
pub use local::LocalTask;
pub(crate) use runtime::{Runtime, Turn, TurnSleep};
pub use service::{Answer, Service};
#[cfg(all(test, hydrant_model))]
pub(crate) use service::{AtSeat, Seats};
#[cfg(any(test, feature = "testing"))]
pub use simulation::Simulation;
pub(crate) use tasks::{Header, on_a_core};
#[cfg(all(test, hydrant_model))]
pub(crate) use tasks::{ReadyQueue, Stepping};
pub use timers::{Elapsed, Sleep};

use crate::engine::{Engine, Shared};
use crate::error::Result;
use crate::metrics::{self, Counters, Metrics};
use crate::op::{Kept, LocalFuture, Op, OpFuture, Outcome, Place, SlotKey, Started, Table};
use crate::pool::{Lease, Pool, Ticket, TicketRequest};
use crate::ring::{Driver, LateOpcode};
use crate::trace::event;
use tasks::{Role, TaskSet};
use timers::Timers;

/// A handle to the core that a task runs on. Cloning is cheap; it never leaves its thread.
#[derive(Clone)]
pub struct Core(Rc<Inner>);

/// Gives something back; false when it keeps nothing.
type HeadKeeper = Rc<dyn Fn() -> bool>;

pub(crate) struct Inner {
    index: usize,
    shared: Arc<Shared>,
    clock: Clock,
    table: RefCell<Table>,
    driver: RefCell<Box<dyn Driver>>,
    tasks: RefCell<TaskSet>,
    timers: RefCell<Timers>,
    locals: RefCell<Vec<Rc<dyn Any>>>,
    /// What gives memory of the share for heads back that it keeps for later.
    head_keepers: RefCell<Vec<HeadKeeper>>,
    random: Cell<u64>,
    kept_futures: Rc<Kept>,
    counters: Arc<Counters>,
    metrics: Metrics,
}

impl Core {
    /// The number of this core, from 0.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// Monotonic time; virtual in the simulator.
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The time of day, as signatures need it; virtual in the simulator.
    pub fn wall_clock(&self) -> SystemTime {
        self.0.clock.wall()
    }

    /// A random number for jitter; not for secrets. Seeded in the simulator.
    pub fn random_u64(&self) -> u64 {
        // SplitMix64: one addition and three mixes, good enough to spread retries.
        let state = self.0.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.random.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Starts a task on this core. Dropping the [`LocalTask`] cancels it.
    ///
    /// # Errors
    /// [`crate::Error::Busy`] when the core holds `tasks_max` tasks, [`crate::Error::Stopped`] when
    /// it is stopping.
    pub fn spawn<F>(&self, future: F) -> Result<LocalTask<F::Output>>
    where
        F: Future<Output: 'static> + 'static,
    {
        let (task, future) = LocalTask::new(future);
        task.bind(self.insert_task(Role::Work, future)?);
        Ok(task)
    }

    /// Starts a task that tidies up and that nobody waits for, such as aborting an upload after its
    /// writer was dropped. It may start while the engine stops, and gets `stop.cleanup` to end.
    ///
    /// # Errors
    /// [`crate::Error::Busy`] when the core holds `tasks_max` tasks, [`crate::Error::Stopped`] after
    /// the time for clean-up is over.
    pub fn spawn_cleanup(&self, future: impl Future<Output = ()> + 'static) -> Result<()> {
        self.insert_task(Role::Cleanup, Box::pin(future)).map(drop)
    }

    /// Puts a future behind a pointer, in memory that this core keeps for the next: what is asked for again
    /// and again asks nothing of the heap.
    pub fn boxed<'a, T>(&self, future: impl Future<Output = T> + 'a) -> LocalFuture<'a, T> {
        LocalFuture::new(&self.0.kept_futures, future)
    }

    /// Ends after `duration`.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self, after(self.now(), duration))
    }

    /// Ends when `future` does, or drops it after `duration`.
    ///
    /// # Errors
    /// [`Elapsed`] when the time is over first.
    pub async fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = std::pin::pin!(future);
        let mut sleep = std::pin::pin!(self.sleep(duration));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            sleep.as_mut().poll(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Runs a closure that may block on the engine's control thread (CORE-1).
    ///
    /// # Errors
    /// [`crate::Error::Busy`] when `control.jobs_max` jobs wait, [`crate::Error::Panicked`] when the
    /// closure panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.0.shared.control.run(work)?.await
    }

    /// The value of type `T` that belongs to this core, made by `init` when it is first asked for.
    pub fn local<T: 'static>(&self, init: impl FnOnce() -> T) -> Rc<T> {
        let found = self.0.locals.borrow().iter().find_map(|any| Rc::clone(any).downcast().ok());
        found.unwrap_or_else(|| {
            let value = Rc::new(init());
            self.0.locals.borrow_mut().push(Rc::clone(&value) as Rc<dyn Any>);
            value
        })
    }

    /// The pool of the engine.
    pub fn pool(&self) -> &Pool {
        &self.0.shared.pool
    }

    /// The engine, to start work on other cores.
    pub fn engine(&self) -> Engine {
        Engine::from_shared(&self.0.shared)
    }

    /// The counters of the engine, and the copy that counts, here for this core.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// A small buffer from the share for heads and small objects, waited for in line.
    ///
    /// # Errors
    /// [`crate::Error::Pool`] when it cannot fit or the wait is over.
    pub async fn head_lease(&self, bytes: usize, label: &'static str) -> Result<Lease> {
        let mut ticket =
            self.head_ticket(TicketRequest { bytes_each: bytes, count: 1, label }).await?;
        Ok(ticket.take().expect("a ticket of one grants one"))
    }

    /// From now on `give_back` is called on this core when a task of it is about to wait for memory of
    /// the share for heads: for as long as somebody waits, and it returns true for having given some
    /// back that was merely kept for later.
    pub fn keeps_heads(&self, give_back: impl Fn() -> bool + 'static) {
        self.0.head_keepers.borrow_mut().push(Rc::new(give_back));
    }

    pub(crate) async fn head_ticket(&self, request: TicketRequest) -> Result<Ticket> {
        let mut ticket = self.pool().head_ticket(request);
        let mut has_asked = false;
        let granted = self.counting_a_wait(std::future::poll_fn(|cx| {
            let poll = Pin::new(&mut ticket).poll(cx);
            if poll.is_ready() || std::mem::replace(&mut has_asked, true) {
                return poll;
            }
            self.ask_head_keepers();
            Pin::new(&mut ticket).poll(cx)
        }));
        let waited = self.timeout(self.pool().wait_limit(), granted).await;
        Ok(waited.unwrap_or_else(|_| Err(self.pool().head_exhausted_error(&request)))?)
    }

    /// A keeper may come back to the core, and to this list: no borrow is held.
    fn ask_head_keepers(&self) {
        let mut at = 0;
        while self.pool().heads_are_waited_for() {
            let Some(keeper) = self.0.head_keepers.borrow().get(at).cloned() else { return };
            at += usize::from(!keeper());
        }
    }

    /// Memory for parts, waited for in line (POOL-1).
    ///
    /// # Errors
    /// [`crate::Error::Pool`] when it cannot fit, or when nothing came back within the pool's
    /// `wait_limit`: the error names who holds what.
    pub async fn ticket(&self, request: TicketRequest) -> Result<Ticket> {
        let granted = self.counting_a_wait(self.pool().ticket(request));
        let waited = self.timeout(self.pool().wait_limit(), granted).await;
        Ok(waited.unwrap_or_else(|_| Err(self.pool().exhausted_error(&request)))?)
    }

    /// Tells what went wrong where nobody waits for a result, such as a clean-up after a drop.
    pub fn report(&self, message: std::fmt::Arguments<'_>) {
        event!(WARN, "{message}");
        (self.0.shared.config.report)(message);
    }

    /// Tells what went as it should, to whoever listens to the events of this process.
    pub fn note(&self, message: std::fmt::Arguments<'_>) {
        event!(INFO, "{message}");
    }

    async fn counting_a_wait<T>(&self, granted: impl Future<Output = T>) -> T {
        let mut granted = std::pin::pin!(granted);
        let mut counted = false;
        std::future::poll_fn(|cx| {
            let poll = granted.as_mut().poll(cx);
            if poll.is_pending() && !std::mem::replace(&mut counted, true) {
                metrics::add(&self.0.counters.pool_waits, 1);
                event!(DEBUG, "core {} waits for memory of the pool", self.0.index);
            }
            poll
        })
        .await
    }

    /// What this core counts; only its own thread may add.
    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn supports(&self, opcode: LateOpcode) -> bool {
        self.0.driver.borrow().supports(opcode)
    }

    pub(crate) fn op(&self, op: Op) -> OpFuture {
        OpFuture::new(self, op, None)
    }

    /// An op that is polled, too, when it has been in flight for `stall`: a watch over progress, by the
    /// clock of the turns, which is cheap to keep for each op.
    pub(crate) fn watched_op(&self, op: Op, stall: Duration) -> OpFuture {
        OpFuture::new(self, op, Some(stall))
    }

    pub(crate) fn start_op(
        &self,
        op: Op,
        place: Option<Place>,
        stall: Option<Duration>,
        waker: &Waker,
    ) -> Started {
        let mut driver = self.0.driver.borrow_mut();
        self.0.table.borrow_mut().start(op, place, stall, driver.as_mut(), waker)
    }

    pub(crate) fn is_overdue(&self, key: SlotKey) -> bool {
        self.0.table.borrow().is_overdue(key)
    }

    pub(crate) fn watch_op(&self, key: SlotKey, stall: Duration) {
        self.0.table.borrow_mut().watch(key, Some(stall));
    }

    pub(crate) fn unwatch_op(&self, key: SlotKey) {
        self.0.table.borrow_mut().watch(key, None);
    }

    pub(crate) fn leave_line(&self, place: Place) {
        self.0.table.borrow_mut().leave_line(place);
        self.0.call_wakers();
    }

    pub(crate) fn poll_op(&self, key: SlotKey, cx: &Context<'_>) -> Poll<Outcome> {
        let poll = self.0.table.borrow_mut().poll(key, cx.waker());
        if let Poll::Ready(outcome) = &poll {
            runtime::count_outcome(&self.0, outcome);
            self.0.call_wakers();
        }
        poll
    }

    pub(crate) fn detach_op(&self, key: SlotKey) {
        let mut driver = self.0.driver.borrow_mut();
        // The outcome of an op that had already ended leaves the borrows before its buffers drop:
        // a lease that goes home may wake a task.
        let ended = self.0.table.borrow_mut().detach(key, driver.as_mut());
        drop(driver);
        drop(ended);
        self.0.call_wakers();
    }

    pub(crate) fn cancel_op(&self, key: SlotKey) {
        let mut driver = self.0.driver.borrow_mut();
        self.0.table.borrow_mut().cancel(key, driver.as_mut());
    }

    fn insert_task(
        &self,
        role: Role,
        future: Pin<Box<dyn Future<Output = ()>>>,
    ) -> Result<Arc<Header>> {
        let inbox = &self.0.shared.inboxes[self.0.index];
        let header = Header::new(inbox);
        let inserted = self.0.tasks.borrow_mut().insert(role, Arc::clone(&header), future);
        inserted.map_err(|(error, _refused)| error)?;
        header.wake_by_ref();
        Ok(header)
    }
}

impl Inner {
    /// Nothing is ready any more: of those who wait for a free slot, the next are called.
    fn pass_over(&self) {
        self.table.borrow_mut().pass_over();
        self.call_wakers();
    }

    /// Calls the wakers that the table has put by. They may be anybody's, and come back to the core:
    /// no borrow is held.
    fn call_wakers(&self) {
        loop {
            let waker = self.table.borrow_mut().take_wake();
            let Some(waker) = waker else { return };
            waker.wake();
        }
    }
}

/// "No limit" is a time that no process lives to see.
fn after(now: Instant, duration: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    now.checked_add(duration).unwrap_or(now + FAR)
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("index", &self.0.index).finish_non_exhaustive()
    }
}
