//! The line of waiting tickets: strictly first come, first served.
//!
//! A slot belongs to one waiting future from [`Line::join`] until it claims or leaves. All slots
//! lie in one table made beforehand, and the line is a doubly linked list through it, so joining,
//! granting and leaving are single steps without allocation. Wakers are handed out rather than
//! woken or dropped here: both may run code that returns memory, which takes the lock again.

use std::task::Waker;

use super::blocks::Blocks;
use super::label::Label;

/// What a ticket asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    /// Units of each block.
    pub(super) units: u32,
    /// Blocks.
    pub(super) count: u32,
    pub(super) label: Label,
}

const NONE: u32 = u32::MAX;

pub(super) struct Line {
    slots: Vec<Slot>,
    limit: usize,
    vacant: u32,
    first: u32,
    last: u32,
    occupied: usize,
    waiting: usize,
}

enum Slot {
    Vacant { next: u32 },
    Waiting { want: Want, blocks: Blocks, waker: Option<Waker>, prev: u32, next: u32 },
    Granted { want: Want, blocks: Blocks },
}

/// What [`Line::claim`] found.
pub(super) enum Claim {
    Granted(Blocks),
    /// Still waiting; the waker that the new one replaced, to be dropped outside the lock.
    Waiting(Option<Waker>),
}

/// What [`Line::leave`] found.
pub(super) enum Left {
    /// The blocks were granted and not claimed: they go back.
    Granted(Want, Blocks),
    /// The waker, to be dropped outside the lock.
    Waiting(Option<Waker>),
}

impl Line {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            slots: Vec::with_capacity(limit),
            limit,
            vacant: NONE,
            first: NONE,
            last: NONE,
            occupied: 0,
            waiting: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The new slot at the end of the line, `None` if the line is full. `blocks` is empty, with
    /// room for what is wanted.
    pub(super) fn join(&mut self, want: Want, blocks: Blocks) -> Option<u32> {
        if self.occupied == self.limit {
            return None;
        }
        let prev = self.last;
        let slot = self.occupy(Slot::Waiting { want, blocks, waker: None, prev, next: NONE });
        match prev {
            NONE => self.first = slot,
            prev => *self.next_of(prev) = slot,
        }
        self.last = slot;
        self.waiting += 1;
        Some(slot)
    }

    /// The head of the line, with the list that its blocks go to.
    pub(super) fn first(&mut self) -> Option<(Want, &mut Blocks)> {
        match self.slots.get_mut(self.first as usize)? {
            Slot::Waiting { want, blocks, .. } => Some((*want, blocks)),
            Slot::Vacant { .. } | Slot::Granted { .. } => None,
        }
    }

    /// Takes the head, whose blocks have been filled in, out of the line.
    pub(super) fn grant_first(&mut self) -> Option<Waker> {
        let slot = self.first;
        let Slot::Waiting { want, blocks, waker, next, .. } =
            std::mem::replace(&mut self.slots[slot as usize], Slot::Vacant { next: NONE })
        else {
            unreachable!("the line links waiting slots only");
        };
        self.unlink(NONE, next);
        self.slots[slot as usize] = Slot::Granted { want, blocks };
        waker
    }

    /// The blocks, once granted, and the slot is gone; else remembers whom to wake.
    pub(super) fn claim(&mut self, slot: u32, waker: Waker) -> Claim {
        match &mut self.slots[slot as usize] {
            Slot::Waiting { waker: old, .. } => Claim::Waiting(old.replace(waker)),
            Slot::Granted { .. } => match self.vacate(slot) {
                Slot::Granted { blocks, .. } => Claim::Granted(blocks),
                Slot::Waiting { .. } | Slot::Vacant { .. } => unreachable!("it was granted"),
            },
            Slot::Vacant { .. } => unreachable!("a slot belongs to its future until it leaves"),
        }
    }

    pub(super) fn leave(&mut self, slot: u32) -> Left {
        match self.vacate(slot) {
            Slot::Waiting { waker, prev, next, .. } => {
                self.unlink(prev, next);
                Left::Waiting(waker)
            }
            Slot::Granted { want, blocks } => Left::Granted(want, blocks),
            Slot::Vacant { .. } => unreachable!("a slot belongs to its future until it leaves"),
        }
    }

    fn occupy(&mut self, content: Slot) -> u32 {
        self.occupied += 1;
        if self.vacant == NONE {
            self.slots.push(content);
            return (self.slots.len() - 1) as u32;
        }
        let slot = self.vacant;
        match std::mem::replace(&mut self.slots[slot as usize], content) {
            Slot::Vacant { next } => self.vacant = next,
            Slot::Waiting { .. } | Slot::Granted { .. } => unreachable!("it was vacant"),
        }
        slot
    }

    fn vacate(&mut self, slot: u32) -> Slot {
        self.occupied -= 1;
        let vacant = Slot::Vacant { next: self.vacant };
        self.vacant = slot;
        std::mem::replace(&mut self.slots[slot as usize], vacant)
    }

    /// Joins the neighbours of a waiting slot that has been taken out.
    fn unlink(&mut self, prev: u32, next: u32) {
        self.waiting -= 1;
        match prev {
            NONE => self.first = next,
            prev => *self.next_of(prev) = next,
        }
        match next {
            NONE => self.last = prev,
            next => *self.prev_of(next) = prev,
        }
    }

    fn next_of(&mut self, slot: u32) -> &mut u32 {
        match &mut self.slots[slot as usize] {
            Slot::Waiting { next, .. } => next,
            Slot::Vacant { .. } | Slot::Granted { .. } => unreachable!("only waiting is linked"),
        }
    }

    fn prev_of(&mut self, slot: u32) -> &mut u32 {
        match &mut self.slots[slot as usize] {
            Slot::Waiting { prev, .. } => prev,
            Slot::Vacant { .. } | Slot::Granted { .. } => unreachable!("only waiting is linked"),
        }
    }
}
