//! Where a test body runs: an engine on the kernel, by io_uring or by epoll and threads, or cores in a
//! simulated world.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use hydrant_engine::sim::{SimConfig, World};
use hydrant_engine::{
    Buf, Config, Core, DriverChoice, Engine, Lease, Pool, Simulation, Task, TcpListener, TcpStream,
};

/// Long enough for any single operation.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Only a hang reaches it, however loaded the machine is.
const HANG: Duration = Duration::from_secs(600);

/// An engine under test.
pub enum Host {
    Kernel { engine: Engine, dir: tempfile::TempDir },
    Simulated(Simulation),
}

/// What a test body finds around it.
#[derive(Clone)]
pub struct Place {
    /// A directory of its own, on a real disk where there is one.
    pub dir: PathBuf,
    /// The simulated world, if it is one.
    pub world: Option<World>,
}

/// A small engine with the quarantine switched on.
pub fn config() -> Config {
    let mut config = Config::default();
    config.cores = 1;
    config.pool.pool_bytes = 64 << 20;
    config.pool.quarantine = true;
    // Bounce buffers lie in quarantine too, until somebody releases them.
    config.pool.head_share_bytes = Some(16 << 20);
    config
}

/// Set for a run of the suite in a process that io_uring is refused to.
pub const WITHOUT_URING: &str = "HYDRANT_TEST_WITHOUT_URING";

/// Runs the same body on all drivers.
pub fn on_all<F>(body: impl Fn(Core, Place) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + 'static,
{
    for mut host in hosts(&config()) {
        host.run(body.clone());
        host.finish();
    }
}

/// A host for each driver, made one after the other; the world of the simulator is calm.
pub fn hosts(config: &Config) -> impl Iterator<Item = Host> + use<> {
    let calm = config.clone();
    kernels(config).chain(std::iter::once_with(move || Host::calm(calm)))
}

/// A host for each driver of the real kernel, made one after the other.
pub fn kernels(config: &Config) -> impl Iterator<Item = Host> + use<> {
    let config = config.clone();
    drivers().iter().map(move |driver| Host::kernel(*driver, config.clone()))
}

/// The drivers that are there to be tested.
pub fn drivers() -> &'static [DriverChoice] {
    if std::env::var_os(WITHOUT_URING).is_some() {
        &[DriverChoice::Auto]
    } else {
        &[DriverChoice::Uring, DriverChoice::Poll]
    }
}

impl Host {
    pub fn kernel(driver: DriverChoice, config: Config) -> Host {
        let builder = Engine::builder().configure(|it| *it = config).driver(driver);
        let engine = builder.start().expect("the kernel grants the driver");
        Host::Kernel { engine, dir: directory() }
    }

    pub fn calm(config: Config) -> Host {
        Host::simulated(1, SimConfig::calm(), config)
    }

    pub fn simulated(seed: u64, world: SimConfig, config: Config) -> Host {
        let world = World::new(seed, world);
        Host::Simulated(Simulation::new(world, config).expect("an arena"))
    }

    pub fn engine(&self) -> Engine {
        match self {
            Host::Kernel { engine, .. } => engine.clone(),
            Host::Simulated(simulation) => simulation.engine(),
        }
    }

    pub fn pool(&self) -> Pool {
        self.engine().pool().clone()
    }

    pub fn place(&self) -> Place {
        match self {
            Host::Kernel { dir, .. } => Place { dir: dir.path().into(), world: None },
            Host::Simulated(simulation) => {
                Place { dir: "/".into(), world: Some(simulation.world().clone()) }
            }
        }
    }

    /// Runs a body on core 0 to its end; a panic in it fails the test with its message.
    pub fn run<F, T>(&mut self, body: impl FnOnce(Core, Place) -> F + Send + 'static) -> T
    where
        F: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let place = self.place();
        let task = self.engine().on_core(0, |core| body(core, place)).expect("spawned");
        self.wait(task).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits for a task, stepping the cores if nobody else does.
    pub fn wait<T>(&mut self, task: Task<T>) -> hydrant_engine::Result<T> {
        match self {
            Host::Kernel { .. } => task.wait_timeout(HANG).unwrap_or_else(|_| panic!("a hang")),
            Host::Simulated(simulation) => simulation.run(task),
        }
    }

    /// Ends the cores without the checks.
    pub fn stop_cores(&mut self) {
        match self {
            Host::Kernel { engine, .. } => engine.stop().expect("from outside"),
            Host::Simulated(simulation) => simulation.stop_cores().expect("a simulated ring"),
        }
    }

    /// Stops and checks that nothing was written to what was given back, and that all came back.
    pub fn finish(self) {
        match self {
            Host::Kernel { engine, .. } => {
                engine.stop().expect("from outside");
                assert_all_back(engine.pool());
            }
            Host::Simulated(simulation) => simulation.stop().expect("a simulated ring"),
        }
    }
}

/// Where the directories of the tests are, instead of on the disk of the build.
pub const TEST_DIR: &str = "HYDRANT_TEST_DIR";

/// On the disk of the build where that may be written to.
pub fn directory() -> tempfile::TempDir {
    if let Some(there) = std::env::var_os(TEST_DIR) {
        return tempfile::tempdir_in(there).expect("a directory there");
    }
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    disk.or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// OWN-1 and POOL-2, for an engine that has stopped.
pub fn assert_all_back(pool: &Pool) {
    assert_eq!(pool.quarantine_release(), [], "OWN-1: written after the return");
    let stats = pool.stats();
    assert_eq!(stats.free_bytes, stats.total_bytes, "POOL-2: {stats:?}");
}

impl Place {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn listen(&self) -> TcpListener {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        match &self.world {
            None => TcpListener::bind(any).expect("loopback"),
            Some(world) => TcpListener::simulated(world, any).expect("a simulated port"),
        }
    }

    /// Two ends of one connection.
    pub async fn pair(&self, core: &Core) -> (TcpStream, TcpStream) {
        let listener = self.listen();
        let connect = TcpStream::connect(core, listener.local_addr(), LIMIT);
        let (near, far) = join(connect, listener.accept(core)).await;
        (near.expect("connected"), far.expect("accepted"))
    }
}

/// Memory; what lies in quarantine is checked and released when there is too little.
pub async fn lease(core: &Core, bytes: usize) -> Lease {
    if let Some(lease) = core.pool().try_lease(bytes, "test") {
        return lease;
    }
    assert_eq!(core.pool().quarantine_release(), [], "OWN-1: written after the return");
    core.pool().lease(bytes, "test").await.expect("room")
}

/// A lease full of a pattern.
pub async fn filled(core: &Core, bytes: usize, seed: u64) -> Lease {
    let mut lease = lease(core, bytes.max(1)).await;
    fill(&mut lease.as_mut_slice()[..bytes], seed);
    lease.set_len(bytes);
    lease
}

/// Bytes that tell where they belong.
pub fn fill(bytes: &mut [u8], seed: u64) {
    for (i, chunk) in bytes.chunks_mut(8).enumerate() {
        chunk.copy_from_slice(&word(seed, i).to_le_bytes()[..chunk.len()]);
    }
}

/// Compares with what [`fill`] writes.
#[track_caller]
pub fn check(bytes: &[u8], seed: u64) {
    // Whole words first: tests compare gigabytes.
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, bytes) in words.iter().enumerate() {
        assert_eq!(u64::from_le_bytes(*bytes), word(seed, i), "at byte {}", i * 8);
    }
    assert_eq!(*rest, word(seed, words.len()).to_le_bytes()[..rest.len()], "at the end");
}

fn word(seed: u64, i: usize) -> u64 {
    (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ i as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// All memory of a buffer that came back.
pub fn memory(buf: &mut Buf) -> &mut [u8] {
    buf.as_mut_slice().expect("writable")
}

/// Both futures, at the same time.
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        poll_once(&mut first, a.as_mut(), cx);
        poll_once(&mut second, b.as_mut(), cx);
        if first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (first.expect("looked at above"), second.expect("looked at above"))
}

fn poll_once<F: Future>(output: &mut Option<F::Output>, future: Pin<&mut F>, cx: &mut Context<'_>) {
    if output.is_none()
        && let Poll::Ready(ready) = future.poll(cx)
    {
        *output = Some(ready);
    }
}

/// Polls a future at most `polls` times and then drops it; `None` if it had not ended by then.
pub async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Some(Box::pin(future));
    let mut left = polls;
    std::future::poll_fn(move |cx| {
        let polled = future.as_mut().expect("not polled after the end").as_mut().poll(cx);
        left -= 1;
        match polled {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left > 0 => Poll::Pending,
            Poll::Pending => {
                future = None;
                Poll::Ready(None)
            }
        }
    })
    .await
}
