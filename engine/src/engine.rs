//! The engine: starts the cores, hands them work from any thread, stops them.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use crate::config::{CORES_MAX, Config, DriverChoice};
use crate::cores::{
    Clock, Control, Core, Driven, Header, Inbox, Join, RemoteTask, Runtime, Task, Turn, TurnSleep,
    on_a_core,
};
use crate::error::{Error, Result};
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::pool::{self, PlaceMap, Pool, Registered, Registration, StableBuf};
use crate::ring::{Capabilities, Carrier, FeatureState};
use crate::sync::Mutex;
use crate::sync::thread::{Builder, JoinHandle};
use crate::trace::event;
use running::{Running, Runs};

mod running;

/// A running engine. Clones share it; the last one stops it.
///
/// Stopping cancels every task, gives clean-up tasks their time, cancels and drains what the kernel
/// still holds, and only then frees (OWN-2). In a child made by `fork(2)` every call answers
/// [`Error::Forked`] and dropping the handle does nothing (FORK-1).
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// Absent in handles that tasks make for themselves: those do not keep the engine running.
    _owner: Option<Arc<Owner>>,
}

/// What the cores, the handles and the tasks share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pool: Pool,
    pub(crate) metrics: Metrics,
    pub(crate) inboxes: Vec<Arc<Inbox>>,
    pub(crate) control: Control,
    capabilities: OnceLock<Capabilities>,
    caller_places: PlaceMap,
    next_core: AtomicUsize,
    fork_generation: u64,
}

/// Stops the engine when the last handle goes.
struct Owner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    running: Arc<Running>,
}

/// Configures and starts an [`Engine`].
#[derive(Debug, Clone, Default)]
pub struct EngineBuilder {
    config: Config,
}

impl Engine {
    /// A builder with the default limits.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// How many cores run.
    pub fn cores(&self) -> usize {
        self.shared.inboxes.len()
    }

    /// The limits that the engine runs with.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The buffer pool.
    pub fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// What the kernel granted and refused (FALL-1).
    pub fn capabilities(&self) -> &Capabilities {
        self.shared.capabilities.get().expect("set before the first handle is given out")
    }

    /// The counters of all cores.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.shared.metrics.snapshot()
    }

    /// The counters themselves, with the counted copy.
    pub fn counters(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Runs a future on core `index` (modulo the number of cores); it is made there and need not
    /// be `Send`.
    ///
    /// # Errors
    /// [`Error::Busy`] when the core's inbox is full, [`Error::Stopped`], [`Error::Forked`].
    pub fn on_core<F, T>(
        &self,
        index: usize,
        start: impl FnOnce(Core) -> F + Send + 'static,
    ) -> Result<Task<T>>
    where
        F: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        self.check_fork()?;
        let inbox = self.inbox(index);
        let (join, mut task) = Join::new();
        let header = Header::new(inbox);
        task.bind(Arc::clone(&header));
        let start = Box::new(move |core: Core| {
            // The caller's closure runs inside the task, so that its panic is the task's.
            Box::pin(join.finish_after(async move { start(core).await }))
                as std::pin::Pin<Box<dyn Future<Output = ()>>>
        });
        if inbox.start(RemoteTask { header, start })? {
            task.expect_within(self.shared.config.core.spin_max);
        }
        Ok(task)
    }

    /// Runs a future on the next core in turn.
    ///
    /// # Errors
    /// As [`Engine::on_core`].
    pub fn on_any_core<F, T>(
        &self,
        start: impl FnOnce(Core) -> F + Send + 'static,
    ) -> Result<Task<T>>
    where
        F: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        self.on_core(self.shared.next_core.fetch_add(1, Relaxed), start)
    }

    /// Has the kernel pin a buffer of the caller, so that file I/O and zero-copy sends on it cost less.
    /// That takes the time of faulting its pages in; lend it to operations by a [`crate::RegionOwner`].
    ///
    /// Where pinning is refused, the buffer is used as it is: [`Registration::refused`] says why, and
    /// [`MetricsSnapshot::fallbacks_unregistered_memory`] counts it (FALL-1).
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] on a core, which must not block (CORE-1): use [`Core::blocking`];
    /// [`Error::Forked`].
    pub fn register_memory<B: StableBuf>(&self, mut buf: B) -> Result<Registered<B>> {
        self.check_fork()?;
        if on_a_core() {
            return Err(Error::WouldDeadlock);
        }
        let (start, len) = (buf.stable_ptr().addr(), buf.stable_len());
        let pinned = || match self.capabilities().driver {
            "io_uring" => crate::ring::pin(start, len).map(Some),
            "simulator" => Ok(None),
            driver => Err(format!("the {driver} driver has no registered buffers")),
        };
        let granted =
            if len == 0 { Err("there is nothing to register".to_owned()) } else { pinned() };
        let granted = granted.and_then(|source| Ok((self.shared.caller_places.take(len)?, source)));
        let registration = Registration::new((start, len), granted);
        if let Some(why) = registration.refused() {
            event!(INFO, "memory of {len} bytes is used unregistered: {why}");
            self.shared.metrics.count_unregistered_memory();
        }
        Ok(Registered::new(buf, registration))
    }

    /// Stops the cores and waits until they have ended; later calls answer [`Error::Stopped`].
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] on a core; [`Error::Forked`].
    pub fn stop(&self) -> Result<()> {
        self.check_fork()?;
        if on_a_core() {
            return Err(Error::WouldDeadlock);
        }
        if let Some(owner) = &self._owner {
            owner.stop();
        }
        Ok(())
    }

    /// The same for at most so long: how many cores have not ended by then. They end by themselves, and
    /// whoever asks again waits on. Cores that their owner drives have no thread, and are not counted.
    ///
    /// # Errors
    /// As [`Engine::stop`].
    pub fn stop_within(&self, limit: Duration) -> Result<usize> {
        self.check_fork()?;
        if on_a_core() {
            return Err(Error::WouldDeadlock);
        }
        let Some(owner) = &self._owner else { return Ok(0) };
        self.shared.inboxes.iter().for_each(|inbox| inbox.stop());
        let left = owner.running.wait(limit);
        if left == 0 {
            owner.stop();
        }
        Ok(left)
    }

    /// An engine of a model, whose cores are the model's threads.
    #[cfg(all(test, hydrant_model))]
    pub(crate) fn of_threads(shared: &Arc<Shared>, threads: Vec<JoinHandle<()>>) -> Engine {
        let (threads, running) = (Mutex::new(threads), Arc::default());
        let owner = Owner { shared: Arc::clone(shared), threads, running };
        Engine { shared: Arc::clone(shared), _owner: Some(Arc::new(owner)) }
    }

    pub(crate) fn from_shared(shared: &Arc<Shared>) -> Engine {
        Engine { shared: Arc::clone(shared), _owner: None }
    }

    /// Whether this process made the engine, and is no forked child of the one that did.
    pub(crate) fn is_ours(&self) -> bool {
        self.check_fork().is_ok()
    }

    pub(crate) fn inbox(&self, index: usize) -> &Arc<Inbox> {
        &self.shared.inboxes[index % self.cores()]
    }

    fn check_fork(&self) -> Result<()> {
        self.shared.check_fork()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cores", &self.cores()).finish_non_exhaustive()
    }
}

impl EngineBuilder {
    /// How many cores (threads with a ring each) run; 0, the default, means one for each CPU that
    /// the process may use.
    pub fn cores(mut self, cores: usize) -> Self {
        self.config.cores = cores;
        self
    }

    /// Pins each core to a CPU of its own.
    pub fn pin_cores(mut self, pin: bool) -> Self {
        self.config.pin_cores = pin;
        self
    }

    /// The size of the arena in bytes: the hard limit of all payload memory (POOL-1).
    pub fn pool_bytes(mut self, bytes: usize) -> Self {
        self.config.pool.pool_bytes = bytes;
        self
    }

    /// Chooses who carries the ops out; by default io_uring where the kernel allows it.
    pub fn driver(mut self, driver: DriverChoice) -> Self {
        self.config.driver = driver;
        self
    }

    /// Changes any other limit.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for more cores than [`CORES_MAX`]; [`Error::RingRefused`] when io_uring was
    /// demanded and is refused; [`Error::Pool`] when the arena cannot be mapped; [`Error::Os`] when a
    /// thread cannot start.
    pub fn start(mut self) -> Result<Engine> {
        let cpus = crate::ring::allowed_cpus();
        if self.config.cores == 0 {
            self.config.cores = cpus.len().clamp(1, CORES_MAX);
        }
        if self.config.cores > CORES_MAX {
            let text = format!("{} cores; an engine has {CORES_MAX} at most", self.config.cores);
            return Err(Error::InvalidInput(text));
        }
        if crate::ring::online_cpus() == 1 {
            // Whoever looks out keeps the other from running.
            self.config.core.spin_max = Duration::ZERO;
        }
        let shared = Shared::new(self.config, Control::new)?;
        let carrier = Arc::new(Carrier::choose(&shared.config, &shared.pool)?);
        let owner = Owner::new(&shared);
        let mut reports = Vec::new();
        for index in 0..shared.config.cores {
            let cpu = shared.config.pin_cores.then(|| cpus[index % cpus.len()]);
            reports.push(owner.start_core(index, cpu, &carrier)?);
        }
        let mut capabilities = None;
        for report in reports {
            let core = report.recv().map_err(|_| Error::Stopped)??;
            capabilities.get_or_insert(core);
        }
        let mut capabilities = capabilities.expect("there is at least one core");
        carrier.note_arena(&shared.pool, &mut capabilities);
        tell(&capabilities);
        shared.capabilities.set(capabilities).expect("set once, here");
        Ok(Engine { shared, _owner: Some(Arc::new(owner)) })
    }
}

impl EngineBuilder {
    /// Starts an engine without core threads: one core, which the loop of this thread drives.
    ///
    /// # Errors
    /// As [`EngineBuilder::start`]; [`Error::InvalidInput`] where this thread drives one already.
    pub fn start_here(mut self) -> Result<Driven> {
        Driven::check_thread()?;
        self.config.cores = 1;
        // The time that its turns take is the caller's.
        self.config.core.spin_max = Duration::ZERO;
        let cpu =
            if self.config.pin_cores { crate::ring::allowed_cpus().first().copied() } else { None };
        let shared = Shared::new(self.config, Control::new)?;
        let carrier = Carrier::choose(&shared.config, &shared.pool)?;
        let (runtime, mut capabilities) = set_up(0, cpu, &shared, &carrier)?;
        carrier.note_arena(&shared.pool, &mut capabilities);
        tell(&capabilities);
        shared.capabilities.set(capabilities).expect("set once, here");
        let inbox = Arc::clone(&shared.inboxes[0]);
        let owner = Owner::new(&shared);
        let engine = Engine { shared, _owner: Some(Arc::new(owner)) };
        Driven::new(engine, inbox, runtime)
    }
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        control: impl FnOnce(usize) -> Control,
    ) -> Result<Arc<Shared>> {
        let pool = Pool::new(config.pool.clone())?;
        let cores = config.cores;
        let tasks_max = config.core.inbox_tasks_max;
        Ok(Arc::new(Shared {
            pool,
            metrics: Metrics::new(cores),
            inboxes: (0..cores).map(|_| Arc::new(Inbox::new(tasks_max))).collect(),
            control: control(config.control.jobs_max),
            capabilities: OnceLock::new(),
            caller_places: PlaceMap::new(config.ring.caller_entries_max),
            next_core: AtomicUsize::new(0),
            fork_generation: pool::fork::generation(),
            config,
        }))
    }

    /// What a simulation starts with in place of the report of a kernel.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn set_capabilities(&self, capabilities: Capabilities) {
        self.capabilities.set(capabilities).expect("set once, at the start");
    }

    fn check_fork(&self) -> Result<()> {
        if pool::fork::generation() == self.fork_generation { Ok(()) } else { Err(Error::Forked) }
    }
}

impl Owner {
    fn new(shared: &Arc<Shared>) -> Owner {
        let (threads, running) = (Mutex::default(), Arc::default());
        Owner { shared: Arc::clone(shared), threads, running }
    }

    /// Starts the thread of one core; the receiver tells how that went.
    fn start_core(
        &self,
        index: usize,
        cpu: Option<usize>,
        carrier: &Arc<Carrier>,
    ) -> Result<mpsc::Receiver<Result<Capabilities>>> {
        let (report, answer) = mpsc::sync_channel(1);
        let shared = Arc::clone(&self.shared);
        let carrier = Arc::clone(carrier);
        let runs = Runs::new(&self.running);
        let thread = Builder::new()
            .name(format!("hydrant-{index}"))
            .spawn(move || {
                let _runs = runs;
                run_core(index, cpu, &shared, &carrier, &report);
            })
            .map_err(|error| crate::OsError::from_io("start thread", "core", &error))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(answer)
    }

    fn stop(&self) {
        self.shared.inboxes.iter().for_each(|inbox| inbox.stop());
        // Locked until all have ended: whoever stops at the same time waits for that, too.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // The last handle dropped on a core never joins itself: that core ends on its own.
        if on_a_core() {
            return threads.clear();
        }
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                // Its panic was reported by the hook; its memory is leaked, which OWN-2 allows.
                continue;
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.shared.check_fork().is_ok() {
            self.stop();
        } else {
            // FORK-1: these threads exist in the parent only.
            let threads =
                std::mem::take(self.threads.get_mut().unwrap_or_else(PoisonError::into_inner));
            std::mem::forget(threads);
        }
    }
}

/// What the kernel refused, once for each engine (FALL-1).
fn tell(capabilities: &Capabilities) {
    event!(DEBUG, "the driver is {}", capabilities.driver);
    for feature in &capabilities.features {
        if let FeatureState::Refused(why) = &feature.state {
            event!(INFO, "{} is refused: {why}", feature.name);
        }
    }
}

/// The life of a core's thread: set up, report, step until the end.
fn run_core(
    index: usize,
    cpu: Option<usize>,
    shared: &Arc<Shared>,
    carrier: &Carrier,
    report: &mpsc::SyncSender<Result<Capabilities>>,
) {
    let mut runtime = match set_up(index, cpu, shared, carrier) {
        Ok((runtime, capabilities)) => {
            // Nobody listens any more only when another core failed to start.
            let _ = report.send(Ok(capabilities));
            runtime
        }
        Err(error) => {
            drop(shared.inboxes[index].close());
            let _ = report.send(Err(error));
            return;
        }
    };
    let report = shared.config.report;
    event!(DEBUG, "core {index} runs");
    loop {
        match catch_unwind(AssertUnwindSafe(|| runtime.turn(TurnSleep::AtMost(None)))) {
            Ok(Ok(Turn::Going)) => continue,
            Ok(Ok(Turn::Ended { drained: true })) => {
                event!(DEBUG, "core {index} has ended");
                return;
            }
            Ok(Ok(Turn::Ended { drained: false })) => {
                runtime.report_leak();
            }
            Ok(Err(error)) => report(format_args!("core {index} ends: {error}")),
            Err(_) => report(format_args!("core {index} ends: it panicked")),
        }
        // A second panic, in a destructor, must not free what the kernel may still write to.
        let _ = catch_unwind(AssertUnwindSafe(|| runtime.abandon()));
        return runtime.leak();
    }
}

fn set_up(
    index: usize,
    cpu: Option<usize>,
    shared: &Arc<Shared>,
    carrier: &Carrier,
) -> Result<(Runtime, Capabilities)> {
    let pinned = cpu.map(crate::ring::pin_to_cpu);
    let inbox = Arc::clone(&shared.inboxes[index]);
    let rouse = Box::new(move || inbox.rouse());
    let (driver, mut capabilities) = carrier.driver(&shared.config, rouse)?;
    if let Some(Err(errno)) = pinned {
        capabilities.note_pinning_refused(errno);
    }
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), index);
    let runtime = Runtime::new(index, Arc::clone(shared), Clock::System, driver, seed)?;
    Ok((runtime, capabilities))
}
