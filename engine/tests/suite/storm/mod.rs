//! Thousands of seeded runs of a random workload in worlds where every fault happens: files and
//! names against models in memory, connections that echo, tasks and memory that go from core to
//! core, futures dropped at random, and an engine that is stopped in the midst of it.
//!
//! A seed is a run: even ones in worlds that cause no error, odd ones in worlds that cause all.
//! `cargo xtask storm` runs as many as one likes.

mod connections;
mod files;
mod halt;
mod names;
mod planted;
mod tasks;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use hydrant_engine::sim::{Fault, SimConfig, World, seeds};
use hydrant_engine::{Config, Core, Error, Lease, PlantedBug, Simulation};

use crate::host::{self, Place, config};

/// Ops of one run, at least.
const OPS: usize = 1000;
/// Runs, half of them in each kind of world; `HYDRANT_SEEDS` changes it.
const SEEDS: u64 = 2000;
/// From so many runs on, each kind of fault must have been met `MET_MIN` times.
const RUNS_TO_MEET_ALL: u64 = 1000;
const MET_MIN: u64 = 100;

const WORKERS: usize = 6;

#[test]
fn in_choppy_seas_nothing_fails() {
    let in_choppy_seas = |seed| {
        if !is_stormy(seed) {
            assert!(run(seed, None).elapsed > Duration::ZERO);
        }
    };
    seeds(SEEDS, in_choppy_seas);
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are to be seen")]
fn in_a_storm_data_is_never_wrong() {
    let mut met = [0; Fault::ALL.len()];
    let (mut overflows, mut runs) = (0, 0);
    let sum = Mutex::new((&mut met, &mut overflows, &mut runs));
    let in_a_storm = |seed| {
        if is_stormy(seed) {
            let run = run(seed, None);
            let mut sum = sum.lock().expect("no panic in here");
            sum.0.iter_mut().zip(run.met).for_each(|(sum, met)| *sum += met);
            *sum.1 += run.overflows;
            *sum.2 += 1;
        }
    };
    seeds(SEEDS, in_a_storm);
    // `cargo xtask storm` reads these lines and adds them up.
    println!("{runs} runs in a storm met:");
    println!("{overflows:10} Overflow");
    for (fault, met) in Fault::ALL.into_iter().zip(met) {
        println!("{met:10} {fault:?}");
        assert!(runs < RUNS_TO_MEET_ALL || met >= MET_MIN, "{fault:?} was met {met} times");
    }
    assert!(runs < RUNS_TO_MEET_ALL || overflows >= MET_MIN, "{overflows} overflows");
}

#[test]
fn one_seed_replays_exactly() {
    for seed in 0..10 {
        assert_eq!(run(seed, None), run(seed, None), "seed {seed}");
    }
    assert_ne!(run(1, None), run(3, None), "another seed is another run");
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

fn is_stormy(seed: u64) -> bool {
    seed % 2 == 1
}

fn run(seed: u64, bug: Option<PlantedBug>) -> Run {
    let stormy = is_stormy(seed);
    let world = World::new(seed, if stormy { SimConfig::stormy() } else { SimConfig::choppy() });
    world.add_black_hole(connections::black_hole());
    let mut simulation = Simulation::new(world.clone(), small(seed, bug)).expect("an arena");
    let cores = simulation.engine().cores();
    let tasks: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let place = Place { dir: "/".into(), world: Some(world.clone()) };
            let spawned = simulation.engine().on_core(worker % cores, move |core| async move {
                let worker = Worker { core, place, worker, stormy, ops: Rc::new(Cell::new(0)) };
                worker.work().await;
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
    let overflows = simulation.engine().metrics().overflows;
    halt::stop_in_the_midst(simulation, seed);
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
    async fn work(&self) {
        while self.ops.get() < OPS.div_ceil(WORKERS) {
            match self.worker {
                0 | 4 => self.one_file().await,
                1 | 3 => self.one_connection().await,
                2 => self.one_directory().await,
                _ => self.one_task().await,
            }
        }
    }

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

    /// All polls, or now and then so few that the future is dropped.
    fn polls(&self, one_in: usize) -> usize {
        if self.below(one_in) == 0 { 1 + self.below(4) } else { usize::MAX }
    }

    /// A result, or `None` for an error that the faults of this world can cause.
    #[track_caller]
    fn fair<T>(&self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.assert_fair(&error)).ok()
    }

    #[track_caller]
    fn assert_fair(&self, error: &Error) {
        assert!(self.stormy, "choppy seas cause no errors: {error}");
        let caused = [
            libc::EIO,
            libc::ENOSPC,
            libc::ECONNRESET,
            libc::EPIPE,
            libc::ECONNREFUSED,
            libc::ENOTCONN,
        ];
        let stalled = matches!(error, Error::Stalled { .. });
        let caused = error.errno().is_some_and(|errno| caused.contains(&errno));
        assert!(stalled || caused, "{error}");
    }
}
