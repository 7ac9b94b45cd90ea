//! The slots of a queue: what was accepted, from there to being reaped (FFI-2).

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::job::Job;
use super::outcome::{Outcome, Places, hyd_event};
use super::request::Request;
use super::signal::Signal;
use crate::error::Failure;
use crate::status::{HYD_E_AGAIN, HYD_E_HANDLE};
use crate::store::Store;

/// The slots, and who waits for them.
pub(super) struct State {
    pub(super) slots: Box<[Slot]>,
    pub(super) free: Vec<u32>,
    /// Completed, and no call's yet that reaps.
    pub(super) done: VecDeque<u32>,
    pub(super) in_flight: usize,
    /// The fewest completions that a sleeping thread waits for.
    pub(super) waited_for: usize,
    /// Of the thread that drives the engine: how many completions it waits for.
    pub(super) driver: Option<(usize, Waker)>,
    pub(super) woken: bool,
    pub(super) ended: bool,
    /// Made when the descriptor is first asked for.
    pub(super) signal: Option<Signal>,
}

/// A place for one request.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) in_flight: bool,
    pub(super) lane: usize,
    pub(super) user_data: u64,
    pub(super) op: u32,
    pub(super) places: Places,
    pub(super) job: Option<Job>,
    pub(super) outcome: Option<Outcome>,
    /// Of a completion that a call has taken: the slot of the one that it took after this.
    pub(super) next_taken: u32,
    /// Texts of earlier requests, for their room.
    pub(super) texts: (String, String),
}

/// A completion that was taken, and its slot freed.
pub(super) struct Reaped {
    /// It says nothing yet of what became of the request.
    pub(super) event: hyd_event,
    pub(super) outcome: Outcome,
    pub(super) places: Places,
    /// The slot of the one that was taken after it.
    pub(super) next: u32,
}

impl State {
    pub(super) fn new(depth: u32) -> State {
        State {
            slots: (0..depth).map(|_| Slot { generation: 1, ..Slot::default() }).collect(),
            free: (0..depth).rev().collect(),
            done: VecDeque::with_capacity(depth as usize),
            in_flight: 0,
            waited_for: usize::MAX,
            driver: None,
            woken: false,
            ended: false,
            signal: None,
        }
    }

    /// Puts a request into a free slot, and gives its id.
    pub(super) fn accept(
        &mut self,
        lane: usize,
        store: &Arc<Store>,
        request: &mut Request<'_>,
    ) -> Result<u64, Failure> {
        // A call that reaps may give slots back after the end.
        if self.ended {
            return Err(Failure::new(HYD_E_HANDLE, "the queue was destroyed"));
        }
        let full = || Failure::new(HYD_E_AGAIN, "the queue is full; reap");
        let index = self.free.pop().ok_or_else(full)?;
        let slot = &mut self.slots[index as usize];
        let texts = std::mem::take(&mut slot.texts);
        slot.in_flight = true;
        slot.lane = lane;
        slot.user_data = request.user_data;
        slot.op = request.op.code();
        slot.places = request.places;
        slot.job = Some(Job::new(store, request, texts));
        self.in_flight += 1;
        Ok(u64::from(slot.generation) << 32 | u64::from(index))
    }

    /// Frees the slot of a request that nobody has begun.
    pub(super) fn take_back(&mut self, id: u64) -> Option<Job> {
        let slot = &mut self.slots[slot_of(id)];
        (slot.places, slot.in_flight) = (Places::default(), false);
        self.in_flight -= 1;
        self.free.push(slot_of(id) as u32);
        slot.job.take()
    }

    /// Whether a wait for `min` completions is over.
    pub(super) fn has(&self, min: usize) -> bool {
        self.done.len() >= min || self.woken || self.ended
    }

    /// A request has completed.
    pub(super) fn complete(&mut self, slot: u32) {
        self.in_flight -= 1;
        self.slots[slot as usize].in_flight = false;
        self.done.push_back(slot);
    }

    /// Takes the `count` oldest completions for the call that frees their slots one by one, and tells the
    /// first.
    pub(super) fn take_done(&mut self, count: usize) -> u32 {
        let (mut first, mut last) = (0, None);
        for index in self.done.drain(..count) {
            match last {
                None => first = index,
                Some(last) => self.slots[last as usize].next_taken = index,
            }
            last = Some(index);
        }
        first
    }

    /// A completion that was taken. The slot takes another request from here on.
    pub(super) fn free_slot(&mut self, index: u32) -> Reaped {
        let slot = &mut self.slots[index as usize];
        let id = u64::from(slot.generation) << 32 | u64::from(index);
        let event = hyd_event::of(slot.user_data, id, slot.op);
        let outcome = slot.outcome.take().unwrap_or_else(Outcome::cancelled);
        // A generation of 0 would make an id of 0.
        slot.generation = slot.generation.wrapping_add(1).max(1);
        self.free.push(index);
        Reaped { event, outcome, places: std::mem::take(&mut slot.places), next: slot.next_taken }
    }

    /// Makes the descriptor readable, or not.
    pub(super) fn signal(&mut self) {
        let readable = !self.done.is_empty() || self.woken;
        if let Some(signal) = &mut self.signal {
            signal.set(readable);
        }
    }
}

pub(super) fn slot_of(id: u64) -> usize {
    (id & u64::from(u32::MAX)) as usize
}

pub(super) fn generation_of(id: u64) -> u32 {
    (id >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_reap_at_the_same_time_have_each_what_they_took() {
        let mut state = State::new(6);
        state.free.clear();
        state.in_flight = 6;
        for index in [4, 1, 5, 0, 2, 3] {
            state.slots[index as usize].user_data = u64::from(index);
            state.slots[index as usize].outcome =
                Some(Outcome { bytes: 10 + u64::from(index), ..Outcome::default() });
            state.complete(index);
        }
        let (mut one, mut other) = (state.take_done(3), state.take_done(2));
        assert_eq!((state.done.len(), state.take_done(0), state.done.len()), (1, 0, 1));
        let mut told = Vec::new();
        for at in 0..3 {
            for (next, count) in [(&mut one, 3), (&mut other, 2)] {
                if at < count {
                    let reaped = state.free_slot(*next);
                    *next = reaped.next;
                    assert_eq!(reaped.outcome.bytes, 10 + reaped.event.user_data);
                    told.push(reaped.event.id);
                }
            }
        }
        assert_eq!(told, [4, 0, 1, 2, 5].map(|index| 1 << 32 | index));
        assert_eq!(state.free, [4, 0, 1, 2, 5]);
        assert!(state.slots[3].outcome.is_some());
    }
}
