//! The table of what is in flight: the owner of every buffer that the kernel may still touch.
//!
//! A slot lives from the first submission to the last completion of its op, no matter whether a
//! future still waits (OWN-1). The generation in [`UserData`] keeps a stale completion from ever
//! reaching a later op in the same slot.

use std::collections::VecDeque;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::planted::{Planted, PlantedBug};
use super::transfer::{Kind, LANES_MAX, Next, Plan, Transfer};
use super::watch::Watches;
use super::{Handle, Op};
use crate::config::OpLimits;
use crate::pool::{Buf, SLAB_BYTES_MIN};
use crate::ring::Driver;

/// Slots of ops in flight on one core.
pub(crate) struct Table {
    slots: Vec<Slot>,
    watches: Watches,
    free: Vec<u32>,
    /// Who waits for a free slot, longest first.
    waiting: VecDeque<Waiter>,
    /// Who was called out of the line and has not come yet: a free slot each is theirs.
    called: VecDeque<Place>,
    next_place: u64,
    /// To be called once nobody borrows the table any more: a waker may be anything.
    wakes: VecDeque<Waker>,
    limits: OpLimits,
    stopping: bool,
    planted: Planted,
}

/// A future that waits for a free slot.
struct Waiter {
    place: Place,
    waker: Waker,
}

/// A place in the line for a free slot. Whoever gives it up says so: [`Table::leave_line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// Names one op in flight; a key outlives its op harmlessly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotKey {
    slot: u16,
    generation: u32,
}

/// What became of an op that was to start.
#[derive(Debug)]
pub(crate) enum Started {
    InFlight(SlotKey),
    /// Every slot is taken; the waker is called when one is free.
    Full(Op, Place),
    /// The core is stopping; the op was not started.
    Refused(Op),
}

/// What a completion carries back: slot, lane and generation in 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserData(pub(crate) u64);

/// One completion as a driver hands it out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completion {
    pub(crate) user_data: UserData,
    /// A count, a descriptor or a negated errno.
    pub(crate) result: i32,
    /// Another completion for the same submission follows (`IORING_CQE_F_MORE`).
    pub(crate) more: bool,
    /// This is the notification of a zero-copy send; it says whether the kernel copied after all.
    pub(crate) notification: Option<Notification>,
}

/// The second completion of a zero-copy send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notification {
    pub(crate) copied: bool,
}

/// How an op ended; the op comes back with its buffers.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) op: Op,
    /// Bytes moved without a gap from the start of the span.
    pub(crate) transferred: usize,
    /// Submissions that fell short and were carried on.
    pub(crate) shorts: u32,
    pub(crate) error: Option<i32>,
    pub(crate) handle: Option<Handle>,
    /// A zero-copy send was copied by the kernel at least once.
    pub(crate) copied: bool,
}

impl Outcome {
    /// The outcome of an op that never started.
    pub(crate) fn refused(op: Op) -> Outcome {
        let error = Some(libc::ECANCELED);
        Outcome { op, transferred: 0, shorts: 0, error, handle: None, copied: false }
    }
}

struct Slot {
    generation: u32,
    op: Option<Op>,
    waker: Option<Waker>,
    transfer: Transfer,
    /// Completions still to come: results of lanes and notifications.
    outstanding: u32,
    handle: Option<Handle>,
    copied: bool,
    detached: bool,
    cancelled: bool,
}

impl UserData {
    const LANE_BITS: u32 = 8;
    const SLOT_BITS: u32 = 16;

    /// A completion that belongs to no op: that of a cancel itself.
    pub(crate) const NONE: UserData = UserData(u64::MAX);

    pub(crate) fn new(key: SlotKey, lane: usize) -> UserData {
        let high = u64::from(key.generation) << (Self::LANE_BITS + Self::SLOT_BITS);
        UserData(high | u64::from(key.slot) << Self::LANE_BITS | lane as u64)
    }

    pub(crate) fn key(self) -> SlotKey {
        SlotKey {
            slot: (self.0 >> Self::LANE_BITS) as u16,
            generation: (self.0 >> (Self::LANE_BITS + Self::SLOT_BITS)) as u32,
        }
    }

    pub(crate) fn lane(self) -> usize {
        (self.0 & 0xff) as usize
    }
}

const _: () = assert!(LANES_MAX <= 16, "lanes are bits of a u16 and fit the lane field");

impl Table {
    /// A table of `limits.ops_in_flight_max` slots, all allocated now.
    pub(crate) fn new(limits: OpLimits) -> Table {
        let count = limits.ops_in_flight_max;
        Table {
            slots: (0..count).map(|_| Slot::empty()).collect(),
            watches: Watches::new(count.into()),
            free: (0..u32::from(count)).rev().collect(),
            waiting: VecDeque::new(),
            called: VecDeque::new(),
            next_place: 0,
            wakes: VecDeque::with_capacity(count.into()),
            limits,
            stopping: false,
            planted: Planted::default(),
        }
    }

    /// Puts a mistake in, to be found by a test.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn plant(&mut self, bug: Option<PlantedBug>) {
        self.planted = Planted::new(bug);
    }

    pub(crate) fn planted(&self) -> Planted {
        self.planted
    }

    /// Ops in flight, detached ones included.
    pub(crate) fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Puts an op in flight. When every slot is taken the op comes back with a place in the line, to
    /// be named at the next try; `waker` is called once a slot is free. An op that has not ended after
    /// `stall` is woken, too: [`Table::is_overdue`].
    pub(crate) fn start(
        &mut self,
        op: Op,
        place: Option<Place>,
        stall: Option<Duration>,
        driver: &mut dyn Driver,
        waker: &Waker,
    ) -> Started {
        if self.stopping {
            return Started::Refused(op);
        }
        let Some(index) = self.take_free(place) else {
            return Started::Full(op, self.stand_in_line(place, waker));
        };
        if let Some(stall) = stall {
            self.watches.begin(index as usize, stall);
        }
        let (plan, planted) = (plan_of(&op, &self.limits), self.planted);
        let slot = &mut self.slots[index as usize];
        slot.occupy(op, waker);
        slot.transfer.begin(plan, planted);
        let key = SlotKey { slot: index as u16, generation: slot.generation };
        slot.submit_first(key, driver);
        Started::InFlight(key)
    }

    /// The future that waited is gone. If it had been called, its slot is the next one's.
    pub(crate) fn leave_line(&mut self, place: Place) {
        match self.find_in_line(place) {
            Ok(at) => drop(self.waiting.remove(at)),
            Err(_) => {
                self.answer(place);
                self.call_waiters();
            }
        }
    }

    /// To be called when every task that was woken has been polled: whoever was called and has not come
    /// may never, as a future that is kept and no longer polled, and so the next are called.
    pub(crate) fn pass_over(&mut self) {
        if !self.called.is_empty() {
            self.called.clear();
            self.call_waiters();
        }
    }

    /// The next waker to be called, once no borrow is held.
    pub(crate) fn take_wake(&mut self) -> Option<Waker> {
        self.wakes.pop_front()
    }

    /// Looks whether an op has ended; if not, `waker` is called when it has.
    pub(crate) fn poll(&mut self, key: SlotKey, waker: &Waker) -> Poll<Outcome> {
        let slot = self.slot(key).expect("a future polls its own op only, and only until it ended");
        if slot.outstanding > 0 {
            if !slot.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
                slot.waker = Some(waker.clone());
            }
            return Poll::Pending;
        }
        Poll::Ready(self.take(key))
    }

    /// Watches an op in flight anew, or no longer.
    pub(crate) fn watch(&mut self, key: SlotKey, stall: Option<Duration>) {
        match stall {
            _ if self.slot(key).is_none() => {}
            Some(stall) => self.watches.begin(key.slot.into(), stall),
            None => self.watches.end(key.slot.into()),
        }
    }

    /// Whether an op in flight is there no longer than it was to be watched.
    pub(crate) fn is_overdue(&self, key: SlotKey) -> bool {
        self.watches.is_over(key.slot.into())
    }

    /// Whether there is anything for [`Table::look`], now or later.
    pub(crate) fn watches_any(&self) -> bool {
        self.watches.any()
    }

    /// When [`Table::look`] has something to do; it may turn out to be later.
    pub(crate) fn next_look(&mut self, now: Instant) -> Option<Instant> {
        self.watches.next_look(now)
    }

    /// Wakes the ops that are overdue. To be called once a turn: what came by the end of the turn before
    /// has been taken in.
    pub(crate) fn look(&mut self, now: Instant) {
        let Table { slots, wakes, watches, .. } = self;
        watches.look(now, |slot| wakes.extend(slots[slot].waker.take()));
    }

    /// The future is gone: the op goes on without it, a cancel is sent, and its buffers are freed
    /// by its last completion (OWN-1).
    ///
    /// An op that had already ended comes back, for the caller to drop outside of its borrows.
    pub(crate) fn detach(&mut self, key: SlotKey, driver: &mut dyn Driver) -> Option<Outcome> {
        let slot = self.slot(key)?;
        slot.detached = true;
        slot.waker = None;
        self.watches.end(key.slot.into());
        let slot = self.slot(key)?;
        if slot.outstanding == 0 {
            return Some(self.take(key));
        }
        if !self.planted.has(PlantedBug::CancelForgotten) {
            self.cancel(key, driver);
        }
        #[cfg(any(test, feature = "testing"))]
        if self.planted.has(PlantedBug::FreeEarly)
            && let Some(slot) = self.slot(key)
            && !slot.op.as_ref().is_some_and(Op::makes_handle)
        {
            slot.op = Some(Op::FreedEarly);
        }
        None
    }

    /// Asks the kernel to end an op early. The outcome still comes, and may be a success.
    pub(crate) fn cancel(&mut self, key: SlotKey, driver: &mut dyn Driver) {
        let Some(slot) = self.slot(key) else { return };
        if slot.outstanding == 0 || std::mem::replace(&mut slot.cancelled, true) {
            return;
        }
        let lanes = slot.transfer.live_lanes();
        slot.transfer.stop();
        for lane in lanes {
            driver.cancel(UserData::new(key, lane));
        }
    }

    /// Takes in one completion; an op that has ended wakes its future, or is dropped if it has none.
    ///
    /// The op of a future that is gone comes back, for the caller to drop outside of its borrows.
    pub(crate) fn complete(
        &mut self,
        completion: Completion,
        driver: &mut dyn Driver,
    ) -> Option<Outcome> {
        if completion.user_data == UserData::NONE {
            return None;
        }
        let key = completion.user_data.key();
        let one_in_64 = key.generation.is_multiple_of(64);
        if one_in_64 && self.planted.has(PlantedBug::DoubleCompletion) {
            self.take_in(completion, key, driver);
        }
        self.take_in(completion, key, driver)
    }

    fn take_in(
        &mut self,
        completion: Completion,
        key: SlotKey,
        driver: &mut dyn Driver,
    ) -> Option<Outcome> {
        let planted = self.planted;
        let Some(slot) = self.slot(key) else {
            debug_assert!(false, "a completion for an op that has ended: {completion:?}");
            return None;
        };
        slot.on_completion(completion, key, driver, planted);
        if slot.outstanding > 0 {
            return None;
        }
        if slot.detached {
            return Some(self.take(key));
        }
        let lost = key.generation.is_multiple_of(64) && planted.has(PlantedBug::LostWakeUp);
        if let Some(waker) = slot.waker.take().filter(|_| !lost) {
            self.wakes.push_back(waker);
        }
        None
    }

    /// No op starts any more; every op in flight is cancelled (OWN-2, first step).
    pub(crate) fn stop(&mut self, driver: &mut dyn Driver) {
        self.stopping = true;
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if slot.op.is_some() {
                let key = SlotKey { slot: index as u16, generation: slot.generation };
                self.cancel(key, driver);
            }
        }
        self.wakes.extend(self.waiting.drain(..).map(|waiter| waiter.waker));
    }

    /// Whether the kernel still owns something of this table.
    pub(crate) fn kernel_owns_any(&self) -> bool {
        self.slots.iter().any(|slot| slot.outstanding > 0)
    }

    fn slot(&mut self, key: SlotKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::from(key.slot))?;
        (slot.generation == key.generation && slot.op.is_some()).then_some(slot)
    }

    fn take(&mut self, key: SlotKey) -> Outcome {
        let slot = &mut self.slots[usize::from(key.slot)];
        let outcome = slot.vacate();
        self.watches.end(key.slot.into());
        if self.planted.has(PlantedBug::StaleGeneration) {
            slot.generation = key.generation;
        }
        self.free.push(u32::from(key.slot));
        self.call_waiters();
        outcome
    }

    /// A free slot for whoever was called, or for anyone once all of those have theirs.
    fn take_free(&mut self, place: Option<Place>) -> Option<u32> {
        if let Some(place) = place
            && !self.answer(place)
            && self.free.len() > self.called.len()
            && let Ok(at) = self.find_in_line(place)
        {
            self.waiting.remove(at);
        }
        if self.free.len() > self.called.len() { self.free.pop() } else { None }
    }

    /// Whether the one at this place had been called; it is no longer expected.
    fn answer(&mut self, place: Place) -> bool {
        let at = self.called.iter().position(|called| *called == place);
        at.is_some_and(|at| self.called.remove(at).is_some())
    }

    /// One waiter for each free slot that nobody has been called for.
    fn call_waiters(&mut self) {
        if self.waiting.is_empty() || self.planted.has(PlantedBug::SlotWaitersForgotten) {
            return;
        }
        let unclaimed = self.free.len() - self.called.len();
        for waiter in self.waiting.drain(..unclaimed.min(self.waiting.len())) {
            self.called.push_back(waiter.place);
            self.wakes.push_back(waiter.waker);
        }
    }

    /// Whoever was passed over and comes after all stands where it stood before.
    fn stand_in_line(&mut self, place: Option<Place>, waker: &Waker) -> Place {
        let place = place.unwrap_or_else(|| {
            self.next_place += 1;
            Place(self.next_place)
        });
        match self.find_in_line(place) {
            Ok(at) => self.waiting[at].waker.clone_from(waker),
            Err(at) => self.waiting.insert(at, Waiter { place, waker: waker.clone() }),
        }
        place
    }

    fn find_in_line(&self, place: Place) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&place, |waiter| waiter.place)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // OWN-2: the owner drains first. On any other way here, an unwinding one above all, what the
        // kernel may still write to is leaked, never freed.
        if self.planted.has(PlantedBug::DrainSkipped) {
            return self.slots.clear();
        }
        if self.kernel_owns_any() {
            std::mem::forget(std::mem::take(&mut self.slots));
        }
        debug_assert!(
            self.slots.is_empty() || self.in_flight() == 0 || std::thread::panicking(),
            "a table was dropped with ops in flight"
        );
    }
}

impl Slot {
    fn empty() -> Slot {
        Slot {
            generation: 1,
            op: None,
            waker: None,
            transfer: Transfer::idle(),
            outstanding: 0,
            handle: None,
            copied: false,
            detached: false,
            cancelled: false,
        }
    }

    fn occupy(&mut self, op: Op, waker: &Waker) {
        debug_assert!(self.op.is_none() && self.outstanding == 0);
        self.op = Some(op);
        self.waker = Some(waker.clone());
    }

    fn submit_first(&mut self, key: SlotKey, driver: &mut dyn Driver) {
        let Slot { op: Some(op), transfer, outstanding, .. } = self else { return };
        transfer.start(|lane, span| {
            *outstanding += 1;
            driver.submit(UserData::new(key, lane), op, span);
        });
    }

    fn on_completion(
        &mut self,
        completion: Completion,
        key: SlotKey,
        driver: &mut dyn Driver,
        planted: Planted,
    ) {
        if let Some(notification) = completion.notification {
            self.copied |= notification.copied;
            self.outstanding -= 1;
            return;
        }
        // A result with "more" set is followed by its notification, which takes over its count.
        if !completion.more || planted.has(PlantedBug::LeaseBeforeNotification) {
            self.outstanding -= 1;
        }
        let lane = completion.user_data.lane();
        let forgotten = self.detached && planted.has(PlantedBug::DescriptorForgotten);
        let result =
            if forgotten { completion.result } else { self.adopt(completion.result, driver) };
        let Slot { op: Some(op), transfer, outstanding, .. } = self else { return };
        if let Next::Submit(span) = transfer.on_result(lane, result) {
            *outstanding += 1;
            driver.submit(UserData::new(key, lane), op, span);
        }
    }

    /// A fresh descriptor becomes a handle at once, so that it is closed even if nobody waits.
    fn adopt(&mut self, result: i32, driver: &mut dyn Driver) -> i32 {
        match &self.op {
            Some(op) if op.makes_handle() && result >= 0 => {
                let align = if let Op::Open { direct_align, .. } = op { *direct_align } else { 0 };
                self.handle = Some(driver.adopt(result, align));
                0
            }
            _ => result,
        }
    }

    fn vacate(&mut self) -> Outcome {
        debug_assert_eq!(self.outstanding, 0, "OWN-1: a buffer left the table too early");
        debug_assert!(self.transfer.finished(), "a lane waits for a result that will not come");
        self.generation = self.generation.wrapping_add(1);
        self.waker = None;
        self.detached = false;
        self.cancelled = false;
        Outcome {
            op: self.op.take().expect("an occupied slot has an op"),
            transferred: self.transfer.transferred(),
            shorts: self.transfer.shorts(),
            error: self.transfer.error(),
            handle: self.handle.take(),
            copied: std::mem::take(&mut self.copied),
        }
    }
}

fn plan_of(op: &Op, limits: &OpLimits) -> Plan {
    let mut transient_retries_max = limits.transient_retries_max;
    let (kind, total, chunk, direct_align) = match op {
        Op::Read { file, span, .. } => {
            (Kind::Read, span.len(), limits.submission_bytes_max, file.direct_align())
        }
        Op::Write { file, span, .. } => {
            (Kind::Write, span.len(), limits.submission_bytes_max, file.direct_align())
        }
        Op::Recv { span, fill: true, .. } => (Kind::RecvFill, span.len(), SOCKET_BYTES_MAX, 0),
        Op::Recv { span, fill: false, .. } => (Kind::RecvSome, span.len(), SOCKET_BYTES_MAX, 0),
        // What is longer would lie in two slabs of the pool, and have its pages pinned for each send. A span
        // that begins elsewhere than a slab does so anyway.
        Op::SendZc { buf: Buf::Lease(_), span, .. } => (Kind::Send, span.len(), SLAB_BYTES_MIN, 0),
        Op::Send { span, .. } | Op::SendZc { span, .. } | Op::SendList { span, .. } => {
            (Kind::Send, span.len(), SOCKET_BYTES_MAX, 0)
        }
        // To ask for blocks twice is to ask for them once; a signal interrupts it (fallocate(2)).
        Op::Open { .. }
        | Op::Statx { .. }
        | Op::Allocate { .. }
        | Op::Accept { .. }
        | Op::Expiry { .. } => (Kind::Send, 0, 1, 0),
        // The rest is asked once: a second fsync may succeed over lost pages, and a second rename
        // or unlink fails because of the first one's success.
        _ => {
            transient_retries_max = 0;
            (Kind::Send, 0, 1, 0)
        }
    };
    Plan { kind, total, chunk, direct_align, transient_retries_max }
}

/// The kernel cuts a single transfer at `MAX_RW_COUNT`, a page short of 2 GiB.
const SOCKET_BYTES_MAX: usize = 1 << 30;
