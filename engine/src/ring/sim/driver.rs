//! The driver: what one core sees of a world.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::World;
use super::config::ns;
use super::descriptor::SimDescriptor;
use super::request::Request;
use super::state::{OperationId, QueueId};
use crate::op::{Completion, Descriptor, Handle, Op, Span, UserData};
use crate::pool::{Buf, Registration};
use crate::ring::caller_memory::{CallerMemory, CallerTable, memory_of};
use crate::ring::{Driver, DriverCounts, LateOpcode, Outside, Wait};

/// One core's queues in a world.
///
/// Dropping it ends nothing: operations in flight go on to touch their memory (OWN-2).
pub(crate) struct SimDriver {
    world: World,
    queue: QueueId,
    submitted: Vec<Submitted>,
    submission_entries: usize,
    counts: DriverCounts,
    caller_memory: CallerMemory,
    caller_table: SimTable,
}

/// The addresses that a place of the simulated kernel's table holds.
#[derive(Default)]
struct SimTable(HashMap<u32, Range<usize>>);

/// Queued until the next `enter`.
#[derive(Debug)]
enum Submitted {
    Operation(OperationId),
    Cancel(UserData),
}

impl SimDriver {
    pub(super) fn new(world: &World, core_index: usize) -> SimDriver {
        let mut state = world.lock();
        SimDriver {
            queue: state.open_queue(core_index),
            submitted: Vec::with_capacity(state.config.submission_entries),
            submission_entries: state.config.submission_entries,
            counts: DriverCounts::default(),
            caller_memory: CallerMemory::new(0, Arc::new(|| {})),
            caller_table: SimTable::default(),
            world: world.clone(),
        }
    }

    /// Gives it a table for registered memory of the caller.
    pub(crate) fn with_caller_places(mut self, places_max: u32) -> SimDriver {
        self.caller_memory = CallerMemory::new(places_max, Arc::new(|| {}));
        self
    }

    /// What a kernel answers with `EFAULT`: an operation whose memory its place does not hold.
    fn check_registered(&mut self, op: &Op, span: Span) {
        let place = self.caller_memory.place(op, span, &mut self.caller_table);
        if let (Some(place), Some((memory, within))) = (place, memory_of(op, span)) {
            let start = memory.as_slice().as_ptr().addr() + within.start;
            let held = &self.caller_table.0[&place];
            let inside = held.start <= start && start + span.len <= held.end;
            assert!(inside, "OWN-1: an operation reaches memory of another registration");
        }
    }

    fn push(&mut self, submitted: Submitted) {
        self.counts.submissions += 1;
        self.submitted.push(submitted);
        if self.submitted.len() >= self.submission_entries {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut state = self.world.lock();
        for submitted in self.submitted.drain(..) {
            match submitted {
                Submitted::Operation(id) => state.hand_over(id),
                Submitted::Cancel(name) => state.hand_over_cancel(self.queue, name),
            }
        }
    }
}

impl Driver for SimDriver {
    fn submit(&mut self, user_data: UserData, op: &mut Op, span: Span) {
        self.check_registered(op, span);
        let request = Request::of(op, span);
        let id = self.world.lock().begin(self.queue, user_data, request);
        self.push(Submitted::Operation(id));
    }

    fn cancel(&mut self, target: UserData) {
        self.push(Submitted::Cancel(target));
    }

    fn enter(&mut self, wait: Wait) -> Result<(), i32> {
        self.counts.enters += 1;
        self.caller_memory.clear_returned(&mut self.caller_table);
        self.flush();
        let mut state = self.world.lock();
        let reached_ns = state.now_ns + ns(state.config.enter_cost);
        state.advance_to(reached_ns);
        if let Wait::UntilCompletion(limit) = wait {
            state.wait(self.queue, limit.map(ns));
        }
        Ok(())
    }

    fn completions(&mut self, into: &mut Vec<Completion>) {
        let left = self.world.lock().take_completions(self.queue, into);
        self.counts.overflows += u64::from(left > 0);
    }

    fn adopt(&mut self, descriptor: i32, direct_align: u32) -> Handle {
        let descriptor = SimDescriptor::new(&self.world, descriptor as u32);
        Handle::new(Descriptor::Sim(descriptor), direct_align)
    }

    fn outside(&mut self) -> Result<Outside, i32> {
        Err(libc::ENOSYS)
    }

    fn is_settled(&mut self) -> bool {
        self.submitted.is_empty() && self.world.lock().completions_ready(self.queue) == 0
    }

    fn wake_handle(&self) -> Option<Handle> {
        None
    }

    fn counts(&self) -> DriverCounts {
        self.counts
    }

    fn holds(&self, buf: &Buf, _within: &Range<usize>) -> bool {
        self.caller_memory.holds(buf)
    }

    fn supports(&self, opcode: LateOpcode) -> bool {
        match opcode {
            LateOpcode::Truncate => true,
            LateOpcode::SendZeroCopy => self.world.lock().config.zero_copy_sends,
        }
    }
}

impl CallerTable for SimTable {
    fn fill(&mut self, registration: &Registration) -> bool {
        let (start, len) = registration.memory();
        let places = registration.places().unwrap_or(0..0);
        self.0.extend(places.map(|place| (place, start..start + len)));
        true
    }

    fn empty(&mut self, place: u32) {
        self.0.remove(&place);
    }
}

impl Drop for SimDriver {
    fn drop(&mut self) {
        // What was never handed over is not known to a kernel either, but it was begun here.
        self.flush();
        self.world.lock().close_queue(self.queue);
    }
}
