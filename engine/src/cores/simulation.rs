//! Several cores stepped on one thread in a simulated world: one seed, one run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Clock, Control, Runtime, Task, Turn, TurnSleep};
use crate::config::Config;
use crate::engine::{Engine, Shared};
use crate::error::Result;
use crate::ring::Capabilities;
use crate::ring::sim::World;

/// An engine whose cores are values on this thread, in a [`World`].
///
/// Tasks are handed over as to any engine, with [`Simulation::engine`]; they move only while
/// [`Simulation::run`] or [`Simulation::stop`] steps the cores. The world's seed draws the order of
/// the cores, so a run replays. A wait that nothing will ever end is found at once.
pub struct Simulation {
    world: World,
    shared: Arc<Shared>,
    cores: Vec<Stepped>,
}

struct Stepped {
    runtime: Runtime,
    /// Absent until the core has ended; then whether the kernel gave everything back.
    ended: Option<bool>,
}

impl Simulation {
    /// Cores in a world; `config.cores` of them, one if that is 0.
    ///
    /// # Errors
    /// [`crate::Error::Pool`] when the arena cannot be mapped.
    pub fn new(world: World, mut config: Config) -> Result<Simulation> {
        config.cores = config.cores.max(1);
        let shared = Shared::new(config, |_| Control::inline())?;
        shared.set_capabilities(Capabilities::new("simulator"));
        let origin = Instant::now();
        let cores = (0..shared.config.cores)
            .map(|index| {
                let clock = Clock::Sim { world: world.clone(), origin };
                let driver = Box::new(
                    world.driver(index).with_caller_places(shared.config.ring.caller_entries_max),
                );
                let seed = world.random_u64();
                let runtime = Runtime::new(index, Arc::clone(&shared), clock, driver, seed)?;
                Ok(Stepped { runtime, ended: None })
            })
            .collect::<Result<_>>()?;
        Ok(Simulation { world, shared, cores })
    }

    /// A handle to the engine, to hand tasks over with. It does not stop the simulation.
    pub fn engine(&self) -> Engine {
        Engine::from_shared(&self.shared)
    }

    /// The world that the cores run in.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Steps the cores until the task has ended, and gives its result.
    ///
    /// # Errors
    /// What the task ended with; a driver that is broken.
    ///
    /// # Panics
    /// When neither an event nor a timer is left and the task still waits: a hang.
    pub fn run<T>(&mut self, task: Task<T>) -> Result<T> {
        while !task.is_finished() {
            self.step()?;
        }
        task.wait()
    }

    /// Steps the cores for a time of the world.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    pub fn run_for(&mut self, duration: Duration) -> Result<()> {
        let deadline = self.world.now() + duration;
        while self.world.now() < deadline {
            if self.round()? {
                continue;
            }
            let left = deadline - self.world.now();
            self.world.advance(self.until_next().map_or(left, |next| next.min(left)));
        }
        Ok(())
    }

    /// Tells the cores to stop and steps them until all have ended, without a check of what is left.
    /// [`Simulation::stop`] may follow.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    pub fn stop_cores(&mut self) -> Result<()> {
        self.shared.inboxes.iter().for_each(|inbox| inbox.stop());
        while self.cores.iter().any(|core| core.ended.is_none()) {
            self.step()?;
        }
        Ok(())
    }

    /// Stops the cores and checks what must hold then: everything was drained (OWN-2), nothing was
    /// written to memory that had been given back (OWN-1), all memory is back (POOL-2), and nothing
    /// is open or in flight in the world.
    ///
    /// Listeners, files, leases and frozen bytes of the caller must be gone before.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    ///
    /// # Panics
    /// When one of these does not hold.
    pub fn stop(mut self) -> Result<()> {
        self.stop_cores()?;
        let cores = std::mem::take(&mut self.cores);
        let (world, shared) = (&self.world, &self.shared);
        let trace = world.trace();
        assert!(
            cores.iter().all(|core| core.ended == Some(true)),
            "OWN-2: a core did not drain in time (trace {trace:#x})"
        );
        drop(cores);
        let hits = shared.pool.quarantine_release();
        assert_eq!(hits, [], "OWN-1: memory was written after its return (trace {trace:#x})");
        let stats = shared.pool.stats();
        assert_eq!(stats.free_bytes, stats.total_bytes, "POOL-2: {stats:?} (trace {trace:#x})");
        assert_eq!(world.open_descriptors(), 0, "descriptors leaked (trace {trace:#x})");
        assert_eq!(world.operations_in_flight(), 0, "operations leaked (trace {trace:#x})");
        Ok(())
    }

    /// One round; when it finds nothing to do, the clock moves to what happens next.
    fn step(&mut self) -> Result<()> {
        if !self.round()? {
            let next = self.until_next();
            let next = next.unwrap_or_else(|| {
                panic!("hang: no event and no timer is left (trace {:#x})", self.world.trace())
            });
            self.world.advance(next + self.world.oversleep());
        }
        Ok(())
    }

    /// Steps each core once, in an order drawn from the world; whether anything was done or is ready
    /// to be.
    fn round(&mut self) -> Result<bool> {
        let mut order: Vec<usize> = (0..self.cores.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, (self.world.random_u64() % (last as u64 + 1)) as usize);
        }
        let mut busy = false;
        for index in order {
            let core = &mut self.cores[index];
            if core.ended.is_some() {
                continue;
            }
            let before = core.runtime.activity();
            if let Turn::Ended { drained } = core.runtime.turn(TurnSleep::Never)? {
                core.ended = Some(drained);
                busy = true;
            }
            busy |= core.runtime.activity() != before;
        }
        let mut going = self.cores.iter().filter(|core| core.ended.is_none());
        Ok(busy || going.any(|core| !core.runtime.is_idle()))
    }

    /// How long until the next event of the world or timer of a core.
    fn until_next(&self) -> Option<Duration> {
        let event = self.world.next_event().map(|at| at.saturating_sub(self.world.now()));
        let going = self.cores.iter().filter(|core| core.ended.is_none());
        going.filter_map(|core| core.runtime.until_next_timer()).chain(event).min()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // After a panic cores may be left that have not ended: who waits for them hears of it.
        self.shared.inboxes.iter().for_each(|inbox| drop(inbox.close()));
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").field("world", &self.world).finish_non_exhaustive()
    }
}
