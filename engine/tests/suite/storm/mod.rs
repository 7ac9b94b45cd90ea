//! Thousands of seeded runs of a random workload: files against a model in memory, connections that
//! echo, and futures dropped at random, in worlds where every fault happens.

use std::cell::Cell;
use std::process::Command;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use hydrant_engine::sim::{Fault, Faults, SimConfig, World, seeds};
use hydrant_engine::{
    Config, Core, Error, File, Lease, OpenOptions, PlantedBug, RecvMode, Simulation, TcpStream,
};

use crate::host::{self, LIMIT, Place, check, config, drop_after, fill, join, memory};

/// Ops of one run, at least.
const OPS: usize = 1000;
/// Runs in each kind of world; `HYDRANT_SEEDS` changes it.
const SEEDS: u64 = 1000;
/// From so many runs on, each kind of fault must have been met `MET_MIN` times.
const RUNS_TO_MEET_ALL: u64 = 1000;
const MET_MIN: u64 = 100;
/// A planted bug is found within so many.
const BUG_SEEDS_MAX: u64 = 1000;

const FILE_BYTES: usize = 24 << 10;
const MESSAGE_BYTES: usize = 32 << 10;
const WORKERS: usize = 4;

#[test]
fn in_choppy_seas_nothing_fails() {
    seeds(SEEDS, |seed| assert!(run(seed, false, None).elapsed > Duration::ZERO));
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are to be seen")]
fn in_a_storm_data_is_never_wrong() {
    let mut met = [0; Fault::ALL.len()];
    let (mut overflows, mut runs) = (0, 0);
    let sum = Mutex::new((&mut met, &mut overflows, &mut runs));
    seeds(SEEDS, |seed| {
        let run = run(seed, true, None);
        let mut sum = sum.lock().expect("no panic in here");
        sum.0.iter_mut().zip(run.met).for_each(|(sum, met)| *sum += met);
        *sum.1 += run.overflows;
        *sum.2 += 1;
    });
    println!("{runs} runs met, besides {overflows} overflows of a completion queue:");
    for (fault, met) in Fault::ALL.into_iter().zip(met) {
        println!("{met:10} {fault:?}");
        assert!(runs < RUNS_TO_MEET_ALL || met >= MET_MIN, "{fault:?} was met {met} times");
    }
    assert!(runs < RUNS_TO_MEET_ALL || overflows >= MET_MIN, "{overflows} overflows");
}

/// Names the bug to a copy of this test in a process of its own: a bug may end in an abort.
const PLANTED: &str = "HYDRANT_TEST_PLANTED";

#[test]
#[expect(clippy::print_stdout, reason = "how a bug shows is to be seen")]
fn every_planted_bug_is_found() {
    if let Ok(name) = std::env::var(PLANTED) {
        return run_with_bug(&name);
    }
    for bug in PlantedBug::ALL {
        let mut copy = Command::new(std::env::current_exe().expect("this program"));
        copy.args(["--exact", "storm::every_planted_bug_is_found", "--nocapture"]);
        let copy = copy.env(PLANTED, format!("{bug:?}")).env("RUST_BACKTRACE", "0");
        let output = copy.output().expect("started");
        let text = String::from_utf8_lossy(&output.stdout);
        let seed = text.lines().rev().find_map(|line| line.strip_prefix("planted, seed "));
        let seed = seed.expect("it ran");
        assert!(!output.status.success(), "{bug:?} is not found in {BUG_SEEDS_MAX} seeds");
        println!("{bug:?} is found by seed {seed}");
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn run_with_bug(name: &str) {
    let named = PlantedBug::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
    let bug = Some(named.expect("the name of a bug"));
    for seed in 0..BUG_SEEDS_MAX {
        println!("planted, seed {seed}");
        // Bugs that cause no error are found where the world causes none either.
        run(seed, seed % 2 == 1, bug);
    }
}

#[test]
fn one_seed_replays_exactly() {
    for seed in 0..10 {
        assert_eq!(run(seed, true, None), run(seed, true, None), "seed {seed}");
    }
    assert_ne!(run(0, true, None), run(1, true, None), "another seed is another run");
}

/// What a run leaves.
#[derive(Debug, PartialEq)]
struct Run {
    /// Of everything that was completed.
    trace: u64,
    /// On the clock of the world.
    elapsed: Duration,
    met: [u64; Fault::ALL.len()],
    overflows: u64,
}

fn run(seed: u64, stormy: bool, bug: Option<PlantedBug>) -> Run {
    let world = World::new(seed, if stormy { SimConfig::stormy() } else { SimConfig::choppy() });
    let mut simulation = Simulation::new(world.clone(), small(seed, bug)).expect("an arena");
    let cores = simulation.engine().cores();
    let tasks: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let place = Place { dir: "/".into(), world: Some(world.clone()) };
            let spawned = simulation.engine().on_core(worker % cores, move |core| async move {
                let worker = Worker { core, place, worker, stormy, ops: Rc::new(Cell::new(0)) };
                if worker.worker.is_multiple_of(2) {
                    worker.files().await
                } else {
                    worker.sockets().await
                }
                worker.ops.get()
            });
            spawned.expect("room")
        })
        .collect();
    let mut ops = 0;
    for task in tasks {
        ops += simulation.run(task).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(ops >= OPS, "{ops} ops");
    world.set_faults(Faults::none());
    let overflows = simulation.engine().metrics().overflows;
    simulation.stop().expect("a simulated ring");
    Run { trace: world.trace(), elapsed: world.now(), met: world.faults_met(), overflows }
}

fn small(seed: u64, bug: Option<PlantedBug>) -> Config {
    let mut config = config();
    config.planted_bug = bug;
    // A queue that overflows now and then.
    config.ring.completion_entries = if seed.is_multiple_of(7) { 2 } else { 256 };
    config.cores = 1 + (seed % 3) as usize;
    config.pool.pool_bytes = 8 << 20;
    config.pool.head_share_bytes = Some(2 << 20);
    config.op.ops_in_flight_max = if seed.is_multiple_of(5) { 4 } else { 64 };
    // Small, so that a file op has several submissions in flight.
    config.op.submission_bytes_max = 4096;
    config
}

struct Worker {
    core: Core,
    place: Place,
    worker: usize,
    stormy: bool,
    ops: Rc<Cell<usize>>,
}

impl Worker {
    fn below(&self, bound: usize) -> usize {
        (self.core.random_u64() % bound as u64) as usize
    }

    fn count(&self) {
        self.ops.set(self.ops.get() + 1);
        if self.ops.get().is_multiple_of(4) {
            assert_eq!(self.core.pool().quarantine_release(), [], "OWN-1");
        }
    }

    async fn lease(&self, bytes: usize) -> Lease {
        host::lease(&self.core, bytes).await
    }

    /// A result, or `None` for an error that the faults of this world can cause.
    #[track_caller]
    fn fair<T>(&self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(self.stormy, "choppy seas cause no errors: {error}");
                if matches!(error, Error::Stalled { .. }) {
                    return None;
                }
                let errno = error.errno();
                let caused = [
                    libc::EIO,
                    libc::ENOSPC,
                    libc::ECONNRESET,
                    libc::EPIPE,
                    libc::ECONNREFUSED,
                    libc::ENOTCONN,
                ];
                assert!(errno.is_some_and(|errno| caused.contains(&errno)), "{error}");
                None
            }
        }
    }

    async fn files(&self) {
        while self.ops.get() < OPS / WORKERS {
            self.one_file().await;
        }
    }

    /// One file against its model. A byte is unknown after a write that failed or was dropped.
    async fn one_file(&self) {
        self.count();
        let direct = self.below(2) == 0;
        let path = self.place.path(&format!("{}-{}", self.worker, self.ops.get()));
        let options = OpenOptions::new().read().write().create_new().direct(direct);
        if self.below(4) == 0 {
            // Its descriptor may still arrive, and is closed then.
            let dropped = path.with_extension("dropped");
            drop(drop_after(1, File::open(&self.core, &dropped, &options)).await);
        }
        let Some(file) = self.fair(File::open(&self.core, &path, &options).await) else { return };
        let mut model = Model { bytes: Vec::new(), len_known: true };
        for _ in 0..40 {
            self.count();
            match self.below(8) {
                0..3 => self.read(&file, &model).await,
                3..6 => self.write(&file, &mut model, direct).await,
                6 => self.set_len(&file, &mut model).await,
                _ => {
                    let _ = self.fair(file.sync_data(&self.core).await);
                    if let Some(seen) = self.fair(file.metadata(&self.core).await)
                        && let Some(len) = model.len()
                    {
                        assert_eq!(seen.len_bytes, len as u64);
                    }
                }
            }
        }
        drop(file);
        let removed = hydrant_engine::remove_file(&self.core, None, &path).await;
        let _ = self.fair(removed);
    }

    async fn read(&self, file: &File, model: &Model) {
        let offset = self.below(FILE_BYTES);
        let start = self.below(16) * self.below(2);
        let len = self.below(FILE_BYTES - offset) + 1;
        let room = self.lease(start + len).await;
        let reading = file.read_at(&self.core, room, start..start + len, offset as u64);
        let polls = if self.below(4) == 0 { 1 + self.below(4) } else { usize::MAX };
        let Some((read, mut back)) = drop_after(polls, reading).await else { return };
        let Some(read) = self.fair(read) else { return };
        if let Some(total) = model.len() {
            assert_eq!(read, len.min(total.saturating_sub(offset)), "only the end makes it short");
        }
        model.check(offset, &memory(&mut back)[start..start + read]);
    }

    async fn write(&self, file: &File, model: &mut Model, direct: bool) {
        let mut offset = self.below(FILE_BYTES - 1);
        let mut len = self.below(FILE_BYTES - offset) + 1;
        if direct {
            // A crooked length would be padded with zeros.
            offset = offset / 512 * 512;
            len = len.next_multiple_of(512);
        }
        let start = self.below(16) * self.below(2);
        let mut data = self.lease(start + len).await;
        fill(&mut data.as_mut_slice()[start..start + len], self.core.random_u64());
        let bytes = data.as_mut_slice()[start..start + len].to_vec();
        let writing = file.write_at(&self.core, data, start..start + len, offset as u64);
        let polls = if self.below(6) == 0 { 1 + self.below(4) } else { usize::MAX };
        let written = drop_after(polls, writing).await;
        match written.map(|(written, _)| self.fair(written)) {
            Some(Some(written)) => {
                assert_eq!(written, len);
                model.write(offset, &bytes);
            }
            Some(None) => model.doubt(offset, len),
            None => {
                // It may still be going on: let the dust settle before the next op on this file.
                self.core.sleep(Duration::from_secs(5)).await;
                model.doubt(offset, len);
            }
        }
    }

    async fn set_len(&self, file: &File, model: &mut Model) {
        let len = self.below(FILE_BYTES);
        match self.fair(file.set_len(&self.core, len as u64).await) {
            Some(()) => model.set_len(len),
            None => model.doubt_len(len),
        }
    }

    async fn sockets(&self) {
        while self.ops.get() < OPS / WORKERS {
            self.one_connection().await;
        }
    }

    /// One connection that echoes until a fault or a dropped future ends it.
    async fn one_connection(&self) {
        self.count();
        let listener = self.place.listen();
        if self.below(3) == 0 {
            // Nobody connects. Once its cancel has arrived it takes nobody else's connection.
            assert!(drop_after(1, listener.accept(&self.core)).await.is_none());
            self.core.sleep(Duration::from_secs(5)).await;
        }
        let connect = TcpStream::connect(&self.core, listener.local_addr(), LIMIT);
        let Some(near) = self.fair(connect.await) else { return };
        let Some(far) = self.fair(listener.accept(&self.core).await) else { return };
        for _ in 0..12 {
            let polls = if self.below(10) == 0 { 1 + self.below(8) } else { usize::MAX };
            match drop_after(polls, self.echo(&near, &far)).await {
                Some(Some(())) => {}
                Some(None) | None => return,
            }
        }
    }

    /// There and back; `None` after an error that was fair.
    async fn echo(&self, near: &TcpStream, far: &TcpStream) -> Option<()> {
        let (len, seed) = (1 + self.below(MESSAGE_BYTES), self.core.random_u64());
        let data = host::filled(&self.core, len, seed).await;
        let there = self.pass_on(near, far, data).await?;
        let back = self.pass_on(far, near, there).await?;
        check(back.as_slice(), seed);
        Some(())
    }

    /// Sends all of a lease, and gives the lease that it was received into.
    async fn pass_on(&self, from: &TcpStream, to: &TcpStream, data: Lease) -> Option<Lease> {
        self.count();
        self.count();
        let len = data.len();
        let room = self.lease(len).await;
        let sending = from.send(data, 0..len, self.below(2) == 0, LIMIT);
        let receiving = to.recv(room, 0..len, RecvMode::Fill, LIMIT);
        let ((sent, _), (received, room)) = join(sending, receiving).await;
        let mut room = room.into_lease().expect("it went in as a lease");
        let (sent, received) = (self.fair(sent), self.fair(received.map_err(Error::from)));
        if received? < len {
            assert!(self.stormy, "nobody closed");
            return None;
        }
        assert_eq!(sent?, len);
        room.set_len(len);
        Some(room)
    }
}

/// What a file holds, as far as that is known; `None` is any byte.
struct Model {
    bytes: Vec<Option<u8>>,
    len_known: bool,
}

impl Model {
    fn len(&self) -> Option<usize> {
        self.len_known.then_some(self.bytes.len())
    }

    #[track_caller]
    fn check(&self, offset: usize, seen: &[u8]) {
        for (at, seen) in seen.iter().enumerate() {
            let known = self.bytes.get(offset + at).copied().flatten();
            assert!(known.is_none_or(|known| known == *seen), "at byte {}", offset + at);
        }
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.reach(offset + bytes.len());
        for (known, byte) in self.bytes[offset..].iter_mut().zip(bytes) {
            *known = Some(*byte);
        }
    }

    fn set_len(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.reach(len);
        self.len_known = true;
    }

    /// A write there failed or was dropped: any part of it may have been done.
    fn doubt(&mut self, offset: usize, len: usize) {
        self.len_known &= offset + len <= self.bytes.len();
        self.bytes.iter_mut().skip(offset).take(len).for_each(|known| *known = None);
    }

    /// A change of length failed: beyond both lengths nothing is known.
    fn doubt_len(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.len_known = false;
    }

    /// A file that is made longer holds zeros there, if this is where it ended.
    fn reach(&mut self, len: usize) {
        if self.bytes.len() < len {
            self.bytes.resize(len, self.len_known.then_some(0));
        }
    }
}
