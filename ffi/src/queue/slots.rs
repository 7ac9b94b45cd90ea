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
    /// Texts of earlier requests, for their room.
    pub(super) texts: (String, String),
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
        let Some(index) = self.free.pop() else {
            let message =
                if self.ended { "the queue was destroyed" } else { "the queue is full; reap" };
            let status = if self.ended { HYD_E_HANDLE } else { HYD_E_AGAIN };
            return Err(Failure::new(status, message));
        };
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

    /// The event of the oldest completion, which says nothing yet of what became of the request.
    pub(super) fn next_event(&mut self) -> Option<hyd_event> {
        let index = self.done.pop_front()?;
        let slot = &self.slots[index as usize];
        let id = u64::from(slot.generation) << 32 | u64::from(index);
        Some(hyd_event::of(slot.user_data, id, slot.op))
    }

    /// What became of a request that has completed. The slot takes another one from here on.
    pub(super) fn free_slot(&mut self, id: u64) -> (Outcome, Places) {
        let slot = &mut self.slots[slot_of(id)];
        let outcome = slot.outcome.take().unwrap_or_else(Outcome::cancelled);
        // A generation of 0 would make an id of 0.
        slot.generation = slot.generation.wrapping_add(1).max(1);
        self.free.push(slot_of(id) as u32);
        (outcome, std::mem::take(&mut slot.places))
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
