//! A share of the arena: its allocator, its line of tickets, and who holds how much of it.
//!
//! One lock guards the three. It is held for a few list operations, never across a wait, and never
//! while a waker is woken or dropped (CORE-1); with the inboxes it is all that cores share (CORE-2).

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Waker;

use super::blocks::Blocks;
use super::buddy::{Block, Buddy, Extent, UNIT_BYTES};
use super::label::{LABELS, Label, Labels};
use super::line::{Claim, Left, Line, Want};
use crate::sync::{Mutex, MutexGuard};

pub(super) struct Share {
    extent: Extent,
    line_limit: usize,
    state: Mutex<State>,
    /// Whether anybody stood in the line when the lock was last released. A hint, which is read without
    /// the lock and decides nothing in here: so it is the standard library's in the models, too.
    waited_for: AtomicBool,
}

struct State {
    buddy: Buddy,
    line: Line,
    units_by_label: [u32; LABELS],
    tickets_granted: u64,
    waits: u64,
    #[cfg(any(test, feature = "testing"))]
    quarantine: Vec<Block>,
}

/// What became of a request.
pub(super) enum Entered {
    Granted(Blocks),
    /// In this slot of the line.
    Waiting(u32),
    LineFull,
}

/// Numbers of a share at one moment, in bytes.
pub(super) struct ShareStats {
    pub(super) free: usize,
    pub(super) lent: usize,
    pub(super) largest_free: usize,
    pub(super) waiting_tickets: usize,
    pub(super) tickets_granted: u64,
    pub(super) waits: u64,
}

impl Share {
    pub(super) fn new(extent: Extent, line_limit: usize) -> Self {
        let state = State {
            buddy: Buddy::new(extent),
            line: Line::new(line_limit),
            units_by_label: [0; LABELS],
            tickets_granted: 0,
            waits: 0,
            #[cfg(any(test, feature = "testing"))]
            quarantine: Vec::new(),
        };
        let waited_for = AtomicBool::new(false);
        Self { extent, line_limit, state: Mutex::new(state), waited_for }
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    pub(super) fn line_limit(&self) -> usize {
        self.line_limit
    }

    /// Grants at once if nobody waits and there is enough, else joins the line.
    pub(super) fn enter(&self, want: Want) -> Entered {
        let mut blocks = Blocks::with_capacity(want.count as usize);
        let mut state = self.lock();
        if state.line.is_empty() && state.fill(want, &mut blocks) {
            return Entered::Granted(blocks);
        }
        match state.line.join(want, blocks) {
            Some(slot) => {
                state.waits += 1;
                self.waited_for.store(true, Relaxed);
                Entered::Waiting(slot)
            }
            None => Entered::LineFull,
        }
    }

    /// One block, if nobody waits and there is one.
    pub(super) fn try_take(&self, units: u32, label: Label) -> Option<Block> {
        let mut blocks = Blocks::default();
        let mut state = self.lock();
        if state.line.is_empty() && state.fill(Want { units, count: 1, label }, &mut blocks) {
            blocks.pop()
        } else {
            None
        }
    }

    /// One block, if there is one, whoever waits.
    pub(super) fn take_past_the_line(&self, units: u32, label: Label) -> Option<Block> {
        let mut blocks = Blocks::default();
        let filled = self.lock().fill(Want { units, count: 1, label }, &mut blocks);
        if filled { blocks.pop() } else { None }
    }

    /// The blocks of a waiting ticket once they are granted, else `waker` is woken then.
    pub(super) fn claim(&self, slot: u32, waker: &Waker) -> Option<Blocks> {
        // Cloned before the lock is taken and the old one dropped after: both run foreign code.
        let waker = waker.clone();
        let claim = self.lock().line.claim(slot, waker);
        match claim {
            Claim::Granted(blocks) => Some(blocks),
            Claim::Waiting(_replaced) => None,
        }
    }

    /// A waiting ticket gives up; the next is examined.
    pub(super) fn leave(&self, slot: u32) {
        let mut unused_waker = None;
        self.change(|state| match state.line.leave(slot) {
            Left::Granted(want, mut blocks) => {
                blocks.drain().for_each(|block| state.put_back(want.label, block));
            }
            Left::Waiting(waker) => unused_waker = waker,
        });
    }

    pub(super) fn put_back(&self, label: Label, blocks: impl IntoIterator<Item = Block>) {
        self.change(|state| blocks.into_iter().for_each(|block| state.put_back(label, block)));
    }

    /// Whether anybody waits in the line; it may have changed by now.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waited_for.load(Relaxed)
    }

    pub(super) fn stats(&self) -> ShareStats {
        let state = self.lock();
        let bytes = |units: u32| units as usize * UNIT_BYTES;
        ShareStats {
            free: bytes(state.buddy.free_units()),
            lent: bytes(state.buddy.lent_units()),
            largest_free: bytes(state.buddy.largest_free_units()),
            waiting_tickets: state.line.waiting(),
            tickets_granted: state.tickets_granted,
            waits: state.waits,
        }
    }

    /// Who holds how many bytes, largest first.
    pub(super) fn holders(&self, labels: &Labels) -> Vec<(&'static str, usize)> {
        let units_by_label = self.lock().units_by_label;
        let holders = labels.holders(&units_by_label);
        holders.into_iter().map(|(name, units)| (name, units as usize * UNIT_BYTES)).collect()
    }

    /// Makes a change that may free memory, grants from the head of the line for as long as there
    /// is enough, and wakes those granted, in order, with the lock released.
    fn change(&self, change: impl FnOnce(&mut State)) {
        // Poisoned means that the books were found wrong (POOL-2). This runs when things are
        // dropped, perhaps while unwinding: leak rather than lend the same memory twice.
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        let mut woken = Wakers::default();
        while state.grant_waiting(&mut woken) {
            drop(state);
            woken.wake();
            let Ok(again) = self.state.lock() else { return };
            state = again;
        }
        self.waited_for.store(!state.line.is_empty(), Relaxed);
        drop(state);
        woken.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("POOL-2 was found broken earlier: the pool is unusable")
    }
}

impl State {
    /// All blocks or none.
    fn fill(&mut self, want: Want, blocks: &mut Blocks) -> bool {
        if !allocate_all(&mut self.buddy, want, blocks) {
            return false;
        }
        self.count_granted(want);
        true
    }

    /// True if there are more to wake than `woken` has room for.
    fn grant_waiting(&mut self, woken: &mut Wakers) -> bool {
        while let Some((want, blocks)) = self.line.first() {
            if woken.is_full() {
                return true;
            }
            if !allocate_all(&mut self.buddy, want, blocks) {
                return false;
            }
            self.count_granted(want);
            woken.push(self.line.grant_first());
        }
        false
    }

    fn count_granted(&mut self, want: Want) {
        self.units_by_label[want.label.index()] += want.units * want.count;
        self.tickets_granted += 1;
        self.assert_whole();
    }

    fn put_back(&mut self, label: Label, block: Block) {
        let held = &mut self.units_by_label[label.index()];
        *held = held.checked_sub(block.units()).expect("POOL-2: more returned than its label had");
        self.buddy.free(block);
        self.assert_whole();
    }

    /// POOL-2; what is in the kernel counts as lent, since the op holds the lease (OWN-1).
    fn assert_whole(&self) {
        self.buddy.assert_whole();
        debug_assert_eq!(self.units_by_label.iter().sum::<u32>(), self.buddy.lent_units());
    }
}

fn allocate_all(buddy: &mut Buddy, want: Want, blocks: &mut Blocks) -> bool {
    if u64::from(buddy.free_units()) < u64::from(want.units) * u64::from(want.count) {
        return false;
    }
    for _ in 0..want.count {
        match buddy.allocate(want.units) {
            Some(block) => blocks.push(block),
            None => {
                blocks.drain().for_each(|block| buddy.free(block));
                return false;
            }
        }
    }
    true
}

/// Wakers of granted tickets, carried out of the lock without an allocation.
#[derive(Default)]
struct Wakers {
    wakers: [Option<Waker>; 8],
    len: usize,
}

impl Wakers {
    fn is_full(&self) -> bool {
        self.len == self.wakers.len()
    }

    fn push(&mut self, waker: Option<Waker>) {
        // A ticket that was never polled has none: it finds its grant when it is.
        if waker.is_some() {
            self.wakers[self.len] = waker;
            self.len += 1;
        }
    }

    fn wake(&mut self) {
        self.wakers[..self.len].iter_mut().filter_map(Option::take).for_each(Waker::wake);
        self.len = 0;
    }
}

#[cfg(any(test, feature = "testing"))]
impl Share {
    /// Keeps a returned block from the allocator. It stays lent, to `quarantine`.
    pub(super) fn hold(&self, from: Label, quarantine: Label, block: Block) {
        let Ok(mut state) = self.state.lock() else { return };
        state.units_by_label[from.index()] -= block.units();
        state.units_by_label[quarantine.index()] += block.units();
        state.quarantine.push(block);
        state.assert_whole();
    }

    pub(super) fn for_each_held(&self, look: impl FnMut(&Block)) {
        self.lock().quarantine.iter().for_each(look);
    }

    pub(super) fn take_held(&self) -> Vec<Block> {
        std::mem::take(&mut self.lock().quarantine)
    }
}
