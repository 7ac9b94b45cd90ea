//! A lane: the task on one core that runs the requests of a queue.
//!
//! Futures lie in seats that are used again, each with a waker of its own, so that a request costs
//! no allocation here and a wake-up polls one future.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use hydrant::engine::{Core, Task};

use super::cq::{Finish, Queue};
use super::job::{self, Job, Settled};
use super::outcome::Outcome;
use super::slots::slot_of;
use crate::error::Failure;

/// How long a completion stays untold at most, but for one step of one request.
const UNTOLD_MAX: Duration = Duration::from_micros(50);

/// Requests that are to be cancelled: one for each slot of the queue at most, however often they are
/// told (LIMIT-1).
struct Cancels {
    /// The newest for each slot, or 0; one before it has completed.
    of_slot: Box<[u64]>,
    /// The slots that have one.
    slots: Vec<usize>,
}

/// What other threads tell a lane.
pub struct Lane(Mutex<Told>);

struct Told {
    requests: VecDeque<u64>,
    cancels: Cancels,
    /// Seats whose futures can go on.
    woken: Vec<usize>,
    /// Of the task that runs the lane.
    waker: Option<Waker>,
    ended: bool,
}

impl Cancels {
    fn new(depth: u32) -> Cancels {
        let slots = Vec::with_capacity(depth as usize);
        Cancels { of_slot: vec![0; depth as usize].into(), slots }
    }

    fn push(&mut self, id: u64) {
        let slot = slot_of(id);
        if std::mem::replace(&mut self.of_slot[slot], id) == 0 {
            self.slots.push(slot);
        }
    }

    /// Moves all of them to `ids`.
    fn take(&mut self, ids: &mut Vec<u64>) {
        let of_slot = &mut self.of_slot;
        ids.extend(self.slots.drain(..).map(|slot| std::mem::take(&mut of_slot[slot])));
    }
}

impl Lane {
    /// A lane that is not run yet, with room for as many requests as its queue has.
    pub fn new(depth: u32) -> Lane {
        let requests = VecDeque::with_capacity(depth as usize);
        let woken = Vec::with_capacity(depth as usize);
        Lane(Mutex::new(Told {
            requests,
            cancels: Cancels::new(depth),
            woken,
            waker: None,
            ended: false,
        }))
    }

    /// Hands a request over; `false` when the lane has ended.
    pub fn push(&self, id: u64) -> bool {
        let mut told = self.lock();
        if told.ended {
            return false;
        }
        let is_idle = told.is_idle();
        told.requests.push_back(id);
        wake(told, is_idle);
        true
    }

    /// Has a request cancelled that was handed over and has not completed.
    pub fn cancel(&self, id: u64) {
        let mut told = self.lock();
        let is_idle = told.is_idle();
        told.cancels.push(id);
        wake(told, is_idle);
    }

    fn wake_seat(&self, seat: usize) {
        let mut told = self.lock();
        let is_idle = told.is_idle();
        told.woken.push(seat);
        wake(told, is_idle);
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// Whether the task has been told nothing since it listened last. Else it has been woken, or will be by
    /// whoever told it first.
    fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.woken.is_empty() && self.cancels.slots.is_empty()
    }
}

/// Wakers are woken outside of the lock: they may be anybody's.
fn wake(told: MutexGuard<'_, Told>, was_idle: bool) {
    let waker = told.waker.as_ref().filter(|_| was_idle).cloned();
    drop(told);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Runs a lane on its core until the task is dropped.
pub fn start(
    queue: &Arc<Queue>,
    lane: &Arc<Lane>,
    core: usize,
    depth: u32,
) -> Result<Task<()>, Failure> {
    // Made here, so that the lane ends even if its task never starts.
    let end = LaneEnd { queue: Arc::clone(queue), lane: Arc::clone(lane) };
    let start = move |core: Core| {
        let make = move |finish, job| job::run(core.clone(), finish, job);
        Pump::new(end, make, depth)
    };
    let task = queue.engine().hydrant.engine().on_core(core, start);
    Ok(task.map_err(hydrant::Error::from)?)
}

/// Ends a lane: what was handed over and not begun is cancelled.
struct LaneEnd {
    queue: Arc<Queue>,
    lane: Arc<Lane>,
}

impl Drop for LaneEnd {
    fn drop(&mut self) {
        let mut told = self.lane.lock();
        told.ended = true;
        let left = std::mem::take(&mut told.requests);
        told.waker = None;
        drop(told);
        // What is begun and let go is cancelled.
        for id in left {
            if let Some((finish, job)) = self.queue.begin(id) {
                drop(job);
                drop(finish);
            }
        }
        // The seats are gone, and what sat there has not been told of.
        self.queue.tell();
    }
}

/// Polls the futures of a lane.
struct Pump<F, M> {
    make: M,
    seats: Vec<Seat<F>>,
    free: Vec<usize>,
    /// For each slot of the queue, where its request sits.
    seat_of_slot: Box<[usize]>,
    /// Empty but during a poll; they keep their room.
    requests: VecDeque<u64>,
    cancels: Vec<u64>,
    woken: Vec<usize>,
    /// Since when completions wait to be told. A thread that is woken at the first of a turn takes that one, and sleeps again
    /// before the second is there: so they are told together.
    untold_since: Option<Instant>,
    /// Last, so that the futures go before the lane ends.
    end: LaneEnd,
}

struct Seat<F> {
    /// The box is made once, and takes one future after the other.
    future: Pin<Box<Option<F>>>,
    /// Behind the future, so that the request completes after all that the future had is gone, and
    /// also when the future was never polled (FFI-2).
    finish: Option<Finish>,
    id: u64,
    wake: Arc<SeatWake>,
    waker: Waker,
}

struct SeatWake {
    lane: Arc<Lane>,
    seat: usize,
    queued: AtomicBool,
}

impl Wake for SeatWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.lane.wake_seat(self.seat);
        }
    }
}

const NOWHERE: usize = usize::MAX;

impl<F: Future<Output = Settled>, M: Fn(Finish, Job) -> F> Pump<F, M> {
    fn new(end: LaneEnd, make: M, depth: u32) -> Pump<F, M> {
        Pump {
            make,
            seats: Vec::new(),
            free: Vec::new(),
            seat_of_slot: vec![NOWHERE; depth as usize].into(),
            requests: VecDeque::with_capacity(depth as usize),
            cancels: Vec::with_capacity(depth as usize),
            woken: Vec::with_capacity(depth as usize),
            untold_since: None,
            end,
        }
    }

    fn listen(&mut self, cx: &Context<'_>) {
        let mut told = self.end.lane.lock();
        if !told.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            told.waker = Some(cx.waker().clone());
        }
        std::mem::swap(&mut told.requests, &mut self.requests);
        told.cancels.take(&mut self.cancels);
        std::mem::swap(&mut told.woken, &mut self.woken);
    }

    fn sit_down(&mut self, id: u64) {
        let Some((finish, job)) = self.end.queue.begin(id) else { return };
        let future = (self.make)(finish.also(), job);
        let seat = self.free.pop().unwrap_or_else(|| self.add_seat());
        let taken = &mut self.seats[seat];
        taken.future.as_mut().set(Some(future));
        taken.finish = Some(finish.untold());
        taken.id = id;
        self.seat_of_slot[slot_of(id)] = seat;
        if !taken.wake.queued.swap(true, Ordering::AcqRel) {
            self.woken.push(seat);
        }
    }

    fn add_seat(&mut self) -> usize {
        let seat = self.seats.len();
        let lane = Arc::clone(&self.end.lane);
        let wake = Arc::new(SeatWake { lane, seat, queued: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&wake));
        self.seats.push(Seat { future: Box::pin(None), finish: None, id: 0, wake, waker });
        seat
    }

    fn cancel(&mut self, id: u64) {
        let seat = self.seat_of_slot[slot_of(id)];
        if seat != NOWHERE && self.seats[seat].id == id {
            self.stand_up(seat, None);
        }
    }

    fn poll_seat(&mut self, seat: usize) {
        let taken = &mut self.seats[seat];
        taken.wake.queued.store(false, Ordering::Release);
        let Some(future) = taken.future.as_mut().as_pin_mut() else { return };
        let mut cx = Context::from_waker(&taken.waker);
        // What a future leaves in a broken state is the engine's, which is poisoned.
        match catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(settled)) => self.stand_up(seat, Some(settled)),
            Err(panic) => {
                let failure = Failure::of_panic(&*panic);
                // Dropping what a panic carries may panic again.
                std::mem::forget(panic);
                self.end.queue.engine().poison.set();
                let (outcome, texts) = (Outcome::failed(failure), Default::default());
                self.stand_up(seat, Some(Settled { outcome, texts }));
            }
        }
    }

    /// What was not settled was cancelled.
    fn stand_up(&mut self, seat: usize, settled: Option<Settled>) {
        let taken = &mut self.seats[seat];
        self.seat_of_slot[slot_of(taken.id)] = NOWHERE;
        let id = std::mem::take(&mut taken.id);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| taken.future.as_mut().set(None))) {
            std::mem::forget(panic);
            self.end.queue.engine().poison.set();
        }
        match (taken.finish.take(), settled) {
            (Some(finish), Some(settled)) => finish.settle(id, settled),
            (finish, _) => drop(finish),
        }
        self.free.push(seat);
        self.untold_since.get_or_insert_with(Instant::now);
    }

    /// The next request may keep the core for longer than a waiting thread should wait.
    fn tell_what_has_waited(&mut self) {
        if self.untold_since.is_some_and(|since| since.elapsed() > UNTOLD_MAX) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if self.untold_since.take().is_some() {
            self.end.queue.tell();
        }
    }
}

impl<F, M> Future for Pump<F, M>
where
    F: Future<Output = Settled>,
    M: Fn(Finish, Job) -> F + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.listen(cx);
        while let Some(id) = this.requests.pop_front() {
            this.sit_down(id);
        }
        while let Some(id) = this.cancels.pop() {
            this.cancel(id);
            this.tell_what_has_waited();
        }
        while let Some(seat) = this.woken.pop() {
            this.poll_seat(seat);
            this.tell_what_has_waited();
        }
        this.tell();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancels_are_told_once_a_slot_however_often() {
        let mut cancels = Cancels::new(4);
        let room = cancels.slots.capacity();
        for generation in 1..100_u64 {
            for slot in 0..4 {
                cancels.push(generation << 32 | slot);
                cancels.push(generation << 32 | slot);
            }
        }
        assert_eq!((cancels.slots.len(), cancels.slots.capacity()), (4, room));
        let mut ids = Vec::new();
        cancels.take(&mut ids);
        assert_eq!(ids, [0, 1, 2, 3].map(|slot| 99 << 32 | slot));
        cancels.take(&mut ids);
        assert_eq!(ids.len(), 4, "none is told twice");
    }
}
