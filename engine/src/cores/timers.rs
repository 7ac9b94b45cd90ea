//! The timers of one core: a heap of deadlines, and the future that waits for one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Core;

/// So many entries may be dead before they are looked for. There is room for them from the start: dead ones
/// gather behind a timer that lives for long, and whoever makes short ones is not to pay for that.
const DEAD_MAX: usize = 64;

/// Sleeping timers. A timer that is dropped leaves a dead entry in the heap, which goes when its
/// time comes or when dead entries are the majority.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    timers_max: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    waker: Option<Waker>,
}

/// Names one sleeping timer.
#[derive(Debug, Clone, Copy)]
struct TimerKey {
    slot: u32,
    generation: u32,
}

/// The time was over first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time limit was reached")]
pub struct Elapsed;

/// Ends at a point in time; see [`Core::sleep`].
#[derive(Debug)]
pub struct Sleep {
    core: Core,
    deadline: Instant,
    key: Option<TimerKey>,
}

impl Sleep {
    pub(super) fn new(core: &Core, deadline: Instant) -> Sleep {
        Sleep { core: core.clone(), deadline, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.core.now() >= self.deadline {
            return Poll::Ready(());
        }
        let mut timers = self.core.0.timers.borrow_mut();
        let key = timers.arm(self.key, self.deadline, cx.waker());
        drop(timers);
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.core.0.timers.borrow_mut().disarm(key);
        }
    }
}

impl Timers {
    pub(super) fn new(timers_max: usize) -> Timers {
        let heap = BinaryHeap::with_capacity(2 * DEAD_MAX);
        Timers { heap, timers_max, ..Timers::default() }
    }

    /// Whether no entry is left, dead or alive.
    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// How long until the next timer that somebody still waits for.
    pub(super) fn until_next(&mut self, now: Instant) -> Option<Duration> {
        while let Some(&Reverse((deadline, slot, generation))) = self.heap.peek() {
            if self.slots[slot as usize].generation == generation {
                return Some(deadline.saturating_duration_since(now));
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the waker of one timer whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Waker> {
        while let Some(&Reverse((deadline, slot, generation))) = self.heap.peek() {
            if deadline > now {
                return None;
            }
            self.heap.pop();
            if self.slots[slot as usize].generation == generation {
                let waker = self.slots[slot as usize].waker.take();
                self.release(slot);
                return waker;
            }
        }
        None
    }

    fn arm(&mut self, key: Option<TimerKey>, deadline: Instant, waker: &Waker) -> TimerKey {
        if let Some(key) = key
            && let Some(slot) = self.slots.get_mut(key.slot as usize)
            && slot.generation == key.generation
        {
            slot.waker = Some(waker.clone());
            return key;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            // A timer is asked for by a task, and tasks have a limit; this is the second belt.
            assert!(self.slots.len() < self.timers_max, "core.timers_max timers sleep at once");
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let entry = &mut self.slots[slot as usize];
        entry.waker = Some(waker.clone());
        let key = TimerKey { slot, generation: entry.generation };
        self.heap.push(Reverse((deadline, slot, key.generation)));
        key
    }

    fn disarm(&mut self, key: TimerKey) {
        if self.slots[key.slot as usize].generation != key.generation {
            return;
        }
        self.slots[key.slot as usize].waker = None;
        self.release(key.slot);
        let live = self.slots.len() - self.free.len();
        if self.heap.len() > DEAD_MAX && self.heap.len() > 4 * live {
            let slots = &self.slots;
            self.heap.retain(|Reverse((_, slot, generation))| {
                slots[*slot as usize].generation == *generation
            });
        }
    }

    fn release(&mut self, slot: u32) {
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
    }
}
