//! What a queue handle holds: the slots, the lanes that empty them, and whoever waits for completions.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use hydrant::Error;
use hydrant::engine::{Task, block_on};

use super::job::{Job, Settled};
use super::lane::{self, Lane};
use super::outcome::hyd_event;
use super::request::Request;
use super::signal::Signal;
use super::slots::{Reaped, State, generation_of, slot_of};
use crate::engine::Engine;
use crate::error::Failure;
use crate::status::{HYD_E_BUSY, HYD_E_CANCELLED, HYD_E_HANDLE};
use crate::store::Store;

/// Completions whose slots are freed under one lock.
const REAPED_AT_ONCE: usize = 8;

/// What a queue handle holds.
pub struct Queue {
    engine: Arc<Engine>,
    state: Mutex<State>,
    arrived: Condvar,
    /// For each slot, who still has to be done before its request is: the job, and whoever has the
    /// caller's memory.
    holders: Box<[AtomicU32]>,
    lanes: Box<[Arc<Lane>]>,
    next_lane: AtomicUsize,
    /// Dropping them ends the lanes.
    pumps: Mutex<Vec<Task<()>>>,
}

/// One of those that have to be done before a request is; the last one completes it, whatever became
/// of the others. What was not settled by then was cancelled.
pub struct Finish {
    queue: Arc<Queue>,
    slot: u32,
    /// Whether waiting threads are told at once.
    tells: bool,
    /// Whether it is one of the holders still.
    counts: bool,
}

impl Queue {
    /// A queue whose lanes run.
    pub fn start(engine: Arc<Engine>, depth: u32) -> Result<Arc<Queue>, Failure> {
        let cores = engine.hydrant.engine().cores();
        let queue = Arc::new(Queue {
            engine,
            state: Mutex::new(State::new(depth)),
            arrived: Condvar::new(),
            holders: (0..depth).map(|_| AtomicU32::new(0)).collect(),
            lanes: (0..cores).map(|_| Arc::new(Lane::new(depth))).collect(),
            next_lane: AtomicUsize::new(0),
            pumps: Mutex::default(),
        });
        for (core, lane) in queue.lanes.iter().enumerate() {
            // Lanes hold the queue, and would outlive one that nobody has.
            let pump = lane::start(&queue, lane, core, depth).inspect_err(|_| queue.end())?;
            queue.pumps.lock().unwrap_or_else(PoisonError::into_inner).push(pump);
        }
        Ok(queue)
    }

    /// The engine beneath.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Accepts a request, and gives its id.
    pub fn submit(
        self: &Arc<Self>,
        store: &Arc<Store>,
        request: &mut Request<'_>,
    ) -> Result<u64, Failure> {
        let lane = self.next_lane.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        let id = self.lock().accept(lane, store, request)?;
        self.holders[slot_of(id)].store(1, Ordering::Relaxed);
        if self.lanes[lane].push(id) {
            return Ok(id);
        }
        // Nobody has seen the request. What it had goes outside of the lock.
        let job = self.lock().take_back(id);
        job.into_iter().for_each(Job::refuse);
        let message = "the engine was destroyed, so the queue takes no more requests";
        Err(Failure::new(HYD_E_CANCELLED, message))
    }

    /// Whether a request is under way that will hear of it.
    pub fn cancel(&self, id: u64) -> bool {
        let state = self.lock();
        let Some(slot) = state.slots.get(slot_of(id)) else { return false };
        let under_way = slot.in_flight && slot.generation == generation_of(id);
        if under_way {
            self.lanes[slot.lane].cancel(id);
        }
        under_way
    }

    /// Requests that it takes before completions are reaped.
    pub fn depth(&self) -> usize {
        self.holders.len()
    }

    /// Moves completions to C, once there are `min` or the time is over.
    pub fn reap(
        &self,
        events: *mut hyd_event,
        max: usize,
        min: usize,
        deadline: Option<Instant>,
    ) -> Result<usize, Failure> {
        let mut state = match self.engine.driving.as_ref().filter(|driving| driving.is_here()) {
            Some(_) => self.drive(min, deadline)?,
            None => self.sleep_until(min, deadline),
        };
        if state.ended {
            return Err(Failure::new(HYD_E_HANDLE, "the queue was destroyed"));
        }
        state.woken = false;
        let count = state.done.len().min(max);
        // All of them are this call's from here on: another that waits for fewer takes none of them.
        let mut next = state.take_done(count);
        let mut done = 0;
        loop {
            let mut some: [Option<Reaped>; REAPED_AT_ONCE] = [const { None }; REAPED_AT_ONCE];
            for place in some.iter_mut().take(count - done) {
                let reaped = state.free_slot(next);
                next = reaped.next;
                *place = Some(reaped);
            }
            if count - done <= REAPED_AT_ONCE {
                state.signal();
            }
            drop(state);
            // Outside of the lock, which the cores would sleep for.
            for Reaped { mut event, outcome, places, .. } in some.into_iter().flatten() {
                outcome.hand_over(&mut event, places);
                // SAFETY: OWN-3. The caller says that there is room for `max` events.
                unsafe { events.add(done).write(event) };
                done += 1;
            }
            if done == count {
                return Ok(count);
            }
            state = self.lock();
        }
    }

    fn sleep_until(&self, min: usize, deadline: Option<Instant>) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !state.has(min) {
            let left = deadline.map(|it| it.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            state = self.sleep(state, min, left);
        }
        state
    }

    /// The same on the thread that drives the engine.
    fn drive(
        &self,
        min: usize,
        deadline: Option<Instant>,
    ) -> Result<MutexGuard<'_, State>, Failure> {
        let left = deadline.map(|it| it.saturating_duration_since(Instant::now()));
        if self.lock().has(min) || left.is_some_and(|left| left.is_zero()) {
            return Ok(self.lock());
        }
        let engine = self.engine.hydrant.engine();
        let timer = left.map(|left| engine.on_core(0, move |core| core.sleep(left))).transpose();
        let mut timer = timer.map_err(Error::from)?;
        let waited = block_on(poll_fn(|cx| {
            let over = timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready());
            let mut state = self.lock();
            if over || state.has(min) {
                return Poll::Ready(());
            }
            state.driver = Some((min, cx.waker().clone()));
            Poll::Pending
        }));
        waited.map_err(Error::from)?;
        let mut state = self.lock();
        state.driver = None;
        Ok(state)
    }

    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        min: usize,
        left: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        state.waited_for = state.waited_for.min(min);
        match left {
            None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                let waited = self.arrived.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Has one wait return.
    pub fn wake(&self) {
        let mut state = self.lock();
        state.woken = true;
        state.signal();
        let driver = state.driver.take();
        drop(state);
        self.arrived.notify_all();
        driver.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The descriptor of the queue.
    pub fn descriptor(&self) -> Result<i32, Failure> {
        let mut state = self.lock();
        if state.signal.is_none() {
            state.signal = Some(Signal::new()?);
            state.signal();
        }
        Ok(state.signal.as_ref().expect("made a line ago").descriptor())
    }

    /// Takes no more requests and has waits end; refused while there are some under way.
    pub fn close(&self) -> Result<(), Failure> {
        let mut state = self.lock();
        if state.in_flight > 0 {
            let message = format!("{} requests are under way; cancel and reap", state.in_flight);
            return Err(Failure::new(HYD_E_BUSY, message));
        }
        state.ended = true;
        let driver = state.driver.take();
        drop(state);
        self.arrived.notify_all();
        driver.into_iter().for_each(|(_, waker)| waker.wake());
        Ok(())
    }

    /// Ends the lanes, and throws away what nobody reaps: a call that has begun to has what it took.
    pub fn end(&self) {
        let pumps = std::mem::take(&mut *self.pumps.lock().unwrap_or_else(PoisonError::into_inner));
        drop(pumps);
        let mut state = self.lock();
        let State { slots, done, .. } = &mut *state;
        let left: Vec<_> =
            done.drain(..).filter_map(|index| slots[index as usize].outcome.take()).collect();
        drop(state);
        drop(left);
    }

    /// The job of a request, to be done, and who completes it.
    pub(super) fn begin(self: &Arc<Self>, id: u64) -> Option<(Finish, Job)> {
        let job = self.lock().slots[slot_of(id)].job.take()?;
        let slot = slot_of(id) as u32;
        Some((Finish { queue: Arc::clone(self), slot, tells: true, counts: true }, job))
    }

    /// Wakes whoever waits for as many completions as there are.
    pub(super) fn tell(&self) {
        let mut state = self.lock();
        state.signal();
        let done = state.done.len();
        let enough = done >= state.waited_for;
        if enough {
            // All wake, and whoever has not enough yet says so again.
            state.waited_for = usize::MAX;
        }
        let driver = state.driver.take_if(|(min, _)| done >= *min);
        drop(state);
        if enough {
            self.arrived.notify_all();
        }
        driver.into_iter().for_each(|(_, waker)| waker.wake());
        if let Some(driving) = &self.engine.driving {
            driving.completed(&self.engine);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Finish {
    /// One more who has to be done.
    pub fn also(&self) -> Finish {
        self.queue.holders[self.slot as usize].fetch_add(1, Ordering::Relaxed);
        Finish { queue: Arc::clone(&self.queue), slot: self.slot, tells: true, counts: true }
    }

    /// The same, whose holder tells ([`Queue::tell`]) once it has dropped it.
    pub(super) fn untold(mut self) -> Finish {
        self.tells = false;
        self
    }

    /// Says what became of the request, which completes here if nobody else has to be done. Whoever says so
    /// tells ([`Queue::tell`]).
    pub(super) fn settle(mut self, id: u64, settled: Settled) {
        let mut state = self.queue.lock();
        let slot = &mut state.slots[slot_of(id)];
        if slot.generation == generation_of(id) {
            slot.outcome.get_or_insert(settled.outcome);
            slot.texts = settled.texts;
        }
        if self.is_last() {
            state.complete(self.slot);
        }
        drop(state);
        self.counts = false;
    }

    fn is_last(&self) -> bool {
        self.queue.holders[self.slot as usize].fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        if self.counts && self.is_last() {
            self.queue.lock().complete(self.slot);
            if self.tells {
                self.queue.tell();
            }
        }
    }
}
