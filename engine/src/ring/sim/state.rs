//! The inside of a world: the agenda of what happens when, and the operations in flight.
//!
//! An operation is begun when it is submitted, and scheduled when it is handed over. When its time
//! comes it is carried out: it ends, or it waits for an object (a socket that is empty or full) and
//! is scheduled again once that has changed. Maps are ordered throughout, because the order of a
//! hash map is not of the seed.

use std::collections::BTreeMap;

use super::SimConfig;
use super::config::ns;
use super::disk::{Disk, InodeId};
use super::faults::Fault;
use super::network::{Effect, EndId, Network};
use super::object::{Kind, Objects};
use super::queue::{Queue, TRACE_START};
use super::random::Random;
use super::request::{ObjectId, Request};
use crate::op::{Completion, Notification, UserData};

/// Names one operation; never used twice.
pub(super) type OperationId = u64;

/// The number of one driver's queues.
pub(super) type QueueId = usize;

#[derive(Debug)]
pub(super) struct State {
    pub(super) now_ns: u64,
    pub(super) config: SimConfig,
    pub(super) random: Random,
    pub(super) disk: Disk,
    pub(super) network: Network,
    pub(super) objects: Objects,
    /// What was last said of each file with posix_fadvise(2), which changes nothing here.
    pub(super) advice: BTreeMap<InodeId, i32>,
    queues: Vec<Queue>,
    operations: BTreeMap<OperationId, Operation>,
    by_name: BTreeMap<(QueueId, u64), OperationId>,
    waiting: BTreeMap<ObjectId, Vec<OperationId>>,
    zero_copies: BTreeMap<OperationId, ZeroCopy>,
    agenda: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    trace: u64,
    /// How often each fault was met.
    met: [u64; Fault::ALL.len()],
    /// The submission that fails, counted from the next one as 1; 0 once it has, or where none is to.
    pub(super) fails_in: u64,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) request: Request,
    /// Bytes moved so far by a receive or send that goes on.
    pub(super) done: usize,
    /// It has been carried out before, and waited.
    pub(super) begun: bool,
    queue: QueueId,
    name: UserData,
    place: Place,
}

/// Where an operation is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Submitted, not handed over.
    Submitted,
    /// On the agenda, under this key.
    Scheduled((u64, u64)),
    /// Until this object changes.
    Waiting(ObjectId),
}

/// How far carrying out an operation got.
#[derive(Debug)]
pub(super) enum Progress {
    Ended(i32),
    /// It can go on when this object has changed.
    Waits(ObjectId),
}

/// A zero-copy send between its submission and its notification.
#[derive(Debug)]
struct ZeroCopy {
    queue: QueueId,
    name: UserData,
    pieces: usize,
    result_posted: bool,
}

#[derive(Debug)]
enum Event {
    CarryOut(OperationId),
    Cancel {
        queue: QueueId,
        name: UserData,
    },
    /// An operation that ignored its cancel has had its time.
    GiveUp(OperationId),
    Notify {
        queue: QueueId,
        name: UserData,
    },
}

impl State {
    pub(super) fn new(seed: u64, config: SimConfig) -> State {
        State {
            now_ns: 0,
            random: Random::new(seed),
            disk: Disk::new(config.disk_capacity_bytes),
            network: Network::default(),
            objects: Objects::default(),
            advice: BTreeMap::new(),
            queues: Vec::new(),
            operations: BTreeMap::new(),
            by_name: BTreeMap::new(),
            waiting: BTreeMap::new(),
            zero_copies: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            trace: TRACE_START,
            met: [0; Fault::ALL.len()],
            fails_in: 0,
            config,
        }
    }

    pub(super) fn open_queue(&mut self, core: usize) -> QueueId {
        self.queues.push(Queue::new(core));
        self.queues.len() - 1
    }

    /// Nobody will look at the completions any more. Operations in flight go on (OWN-2).
    pub(super) fn close_queue(&mut self, queue: QueueId) {
        self.queues[queue].close();
    }

    /// Takes a submission in. What it names stays open from now on.
    pub(super) fn begin(
        &mut self,
        queue: QueueId,
        name: UserData,
        request: Request,
    ) -> OperationId {
        let request = self.hold(request);
        let id = self.next_sequence();
        let earlier = self.by_name.insert((queue, name.0), id);
        assert!(earlier.is_none(), "{name:?} names a submission that is still in flight");
        if request.is_zero_copy() {
            self.zero_copies.insert(id, ZeroCopy { queue, name, pieces: 0, result_posted: false });
        }
        let place = Place::Submitted;
        self.operations
            .insert(id, Operation { request, done: 0, begun: false, queue, name, place });
        id
    }

    /// Hands a submission over: it will be carried out after a while.
    pub(super) fn hand_over(&mut self, id: OperationId) {
        let network = self.operations[&id].request.is_network();
        let stalls = self.operations[&id].request.is_transfer() && self.meets(Fault::Stall);
        let stall_ns = if stalls { ns(self.config.faults.stall_time) } else { 0 };
        let delay_ns = self.latency_ns(network) + self.fault_delay_ns() + stall_ns;
        self.schedule_operation(id, delay_ns);
    }

    /// Hands a cancel over. It arrives after a while, and may find its target gone.
    pub(super) fn hand_over_cancel(&mut self, queue: QueueId, name: UserData) {
        let delay_ns = self.latency_ns(false);
        self.schedule(delay_ns, Event::Cancel { queue, name });
    }

    /// Moves the clock, and does what is due on the way.
    pub(super) fn advance_to(&mut self, until_ns: u64) {
        while self.next_event_ns().is_some_and(|due_ns| due_ns <= until_ns) {
            self.step();
        }
        self.now_ns = self.now_ns.max(until_ns);
    }

    /// Moves the clock until this queue has a completion, its next event is over without one and no
    /// other is left, or the limit has passed.
    pub(super) fn wait(&mut self, queue: QueueId, limit_ns: Option<u64>) {
        let deadline_ns = limit_ns.map(|limit| self.now_ns.saturating_add(limit));
        self.advance_to(self.now_ns);
        while self.queues[queue].len() == 0 {
            let own_ns = self.next_event_of_ns(queue);
            let Some(until_ns) = own_ns.into_iter().chain(deadline_ns).min() else { return };
            // One event at a time: another core's may be what completes an operation of this one.
            if self.next_event_ns().is_some_and(|due_ns| due_ns <= until_ns) {
                self.step();
            } else {
                self.now_ns = until_ns;
                return;
            }
        }
    }

    pub(super) fn next_event_ns(&self) -> Option<u64> {
        self.agenda.keys().next().map(|(due_ns, _)| *due_ns)
    }

    /// Moves completions out, oldest first or in any order; says how many are left behind.
    pub(super) fn take_completions(&mut self, queue: QueueId, into: &mut Vec<Completion>) -> usize {
        let queue = &mut self.queues[queue];
        while into.len() < into.capacity() {
            let reordered = self.random.chance(self.config.faults.reorder);
            let Some(completion) = queue.take(&mut self.random, reordered) else { break };
            self.met[Fault::Reorder as usize] += u64::from(reordered);
            self.trace = queue.trace(self.trace, self.now_ns, &completion);
            into.push(completion);
        }
        queue.len()
    }

    pub(super) fn completions_ready(&self, queue: QueueId) -> usize {
        self.queues[queue].len()
    }

    pub(super) fn operations_in_flight(&self) -> usize {
        self.operations.len() + self.zero_copies.values().filter(|zc| zc.result_posted).count()
    }

    pub(super) fn trace(&self) -> u64 {
        self.trace
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.random.chance(probability)
    }

    /// Draws one fault, and counts it.
    pub(super) fn meets(&mut self, fault: Fault) -> bool {
        let met = self.random.chance(self.config.faults.probability(fault));
        self.met[fault as usize] += u64::from(met);
        met
    }

    pub(super) fn met(&self) -> [u64; Fault::ALL.len()] {
        self.met
    }

    /// The last descriptor or operation that holds an object closes it.
    pub(super) fn release(&mut self, id: ObjectId) {
        match self.objects.release(id) {
            Some(Kind::File(file)) if !file.stale => self.disk.closed(file.inode),
            Some(Kind::Socket(socket)) => {
                if let Some(end) = socket.end {
                    self.network.close_end(end);
                }
            }
            Some(Kind::Listener) => self.network.close_listener(id),
            Some(Kind::File(_)) | None => {}
        }
        self.settle();
    }

    pub(super) fn reset_connection(&mut self, end: EndId) {
        let keep_arrived = self.chance(0.5);
        self.network.reset(end, keep_arrived);
        self.settle();
    }

    /// Counts a piece that the network holds of a zero-copy send.
    pub(super) fn add_piece(&mut self, id: OperationId) {
        self.zero_copies.get_mut(&id).expect("begun as a zero-copy send").pieces += 1;
    }

    /// Does what follows from changes in the network.
    pub(super) fn settle(&mut self) {
        for effect in self.network.take_effects() {
            match effect {
                Effect::Changed(object) => self.resume_waiting(object),
                Effect::Released(send) => {
                    self.zero_copies.get_mut(&send).expect("a piece is out").pieces -= 1;
                    self.notify_if_free(send);
                }
            }
        }
    }

    fn step(&mut self) {
        let Some(((due_ns, _), event)) = self.agenda.pop_first() else { return };
        self.now_ns = self.now_ns.max(due_ns);
        match event {
            Event::CarryOut(id) => self.attempt(id),
            Event::Cancel { queue, name } => self.cancel(queue, name),
            Event::GiveUp(id) if self.operations.contains_key(&id) => self.end_cancelled(id),
            Event::GiveUp(_) => {}
            Event::Notify { queue, name } => {
                let copied = self.meets(Fault::Copied);
                let notification = Some(Notification { copied });
                let completion =
                    Completion { user_data: name, result: 0, more: false, notification };
                self.queues[queue].post(completion);
            }
        }
    }

    fn attempt(&mut self, id: OperationId) {
        let mut operation = self.operations.remove(&id).expect("on the agenda while in flight");
        let progress = self.carry_out(id, &mut operation);
        operation.begun = true;
        match progress {
            Ok(Progress::Waits(object)) => {
                operation.place = Place::Waiting(object);
                self.waiting.entry(object).or_default().push(id);
                self.operations.insert(id, operation);
            }
            Ok(Progress::Ended(result)) => self.end(id, operation, result),
            // What was moved before an error is reported; the error comes with the next attempt.
            Err(_) if operation.done > 0 => {
                let done = operation.done as i32;
                self.end(id, operation, done);
            }
            Err(errno) => self.end(id, operation, -errno),
        }
        self.settle();
    }

    fn cancel(&mut self, queue: QueueId, name: UserData) {
        let target = self.by_name.get(&(queue, name.0)).copied();
        let result = match target {
            None => -libc::ENOENT,
            Some(id) if self.meets(Fault::CancelIgnored) => {
                self.ignore_cancel(id);
                -libc::EALREADY
            }
            Some(id) => {
                self.end_cancelled(id);
                0
            }
        };
        self.queues[queue].post_cancel(result);
    }

    /// The target goes on and completes late; if it still waits then, it is ended.
    fn ignore_cancel(&mut self, id: OperationId) {
        let late_ns = self.random.below(ns(self.config.faults.late_max));
        if let Place::Scheduled(_) = self.operations[&id].place {
            self.unplace(id);
            self.schedule_operation(id, late_ns);
        }
        self.schedule(late_ns, Event::GiveUp(id));
    }

    /// What a receive or send has moved counts; without any, it is ECANCELED.
    fn end_cancelled(&mut self, id: OperationId) {
        self.unplace(id);
        let operation = self.operations.remove(&id).expect("looked at by the caller");
        let result = if operation.done > 0 { operation.done as i32 } else { -libc::ECANCELED };
        self.end(id, operation, result);
    }

    fn end(&mut self, id: OperationId, operation: Operation, result: i32) {
        let Operation { request, queue, name, .. } = operation;
        self.by_name.remove(&(queue, name.0));
        let more = request.is_zero_copy() && self.is_notified(id, result);
        self.queues[queue].post(Completion { user_data: name, result, more, notification: None });
        if more {
            self.zero_copies.get_mut(&id).expect("looked at above").result_posted = true;
            self.notify_if_free(id);
        }
        request.objects().for_each(|object| self.release(object));
    }

    /// Whether a zero-copy send that has ended will be followed by its notification.
    fn is_notified(&mut self, id: OperationId, result: i32) -> bool {
        let notified = result >= 0 || self.meets(Fault::NotifyAfterError);
        if !notified {
            self.zero_copies.remove(&id);
        }
        notified
    }

    fn notify_if_free(&mut self, id: OperationId) {
        let ZeroCopy { queue, name, pieces, result_posted } = self.zero_copies[&id];
        if result_posted && pieces == 0 {
            self.zero_copies.remove(&id);
            let delay_ns = self.latency_ns(true) + self.fault_delay_ns();
            self.schedule(delay_ns, Event::Notify { queue, name });
        }
    }

    fn hold(&mut self, request: Request) -> Request {
        let mut held = Vec::new();
        for object in request.objects() {
            if let Err(errno) = self.objects.hold(object) {
                held.into_iter().for_each(|object| self.release(object));
                return Request::Refused { errno };
            }
            held.push(object);
        }
        request
    }

    fn resume_waiting(&mut self, object: ObjectId) {
        for id in self.waiting.remove(&object).unwrap_or_default() {
            let delay_ns = self.latency_ns(true);
            self.schedule_operation(id, delay_ns);
        }
    }

    fn schedule_operation(&mut self, id: OperationId, delay_ns: u64) {
        let key = self.schedule(delay_ns, Event::CarryOut(id));
        self.operations.get_mut(&id).expect("scheduled while in flight").place =
            Place::Scheduled(key);
    }

    fn schedule(&mut self, delay_ns: u64, event: Event) -> (u64, u64) {
        let key = (self.now_ns.saturating_add(delay_ns), self.next_sequence());
        self.agenda.insert(key, event);
        key
    }

    /// Takes an operation off the agenda, or out of its wait.
    fn unplace(&mut self, id: OperationId) {
        match self.operations[&id].place {
            Place::Submitted => {}
            Place::Scheduled(key) => drop(self.agenda.remove(&key)),
            Place::Waiting(object) => {
                if let Some(waiting) = self.waiting.get_mut(&object) {
                    waiting.retain(|other| *other != id);
                }
            }
        }
    }

    fn next_event_of_ns(&self, queue: QueueId) -> Option<u64> {
        let own = |event: &Event| match event {
            Event::CarryOut(id) | Event::GiveUp(id) => {
                self.operations.get(id).is_some_and(|operation| operation.queue == queue)
            }
            Event::Cancel { queue: of, .. } | Event::Notify { queue: of, .. } => *of == queue,
        };
        self.agenda.iter().find(|(_, event)| own(event)).map(|((due_ns, _), _)| *due_ns)
    }

    fn latency_ns(&mut self, network: bool) -> u64 {
        let config = &self.config;
        let range = if network { &config.network_latency } else { &config.disk_latency };
        self.random.ns_within(range)
    }

    fn fault_delay_ns(&mut self) -> u64 {
        if !self.meets(Fault::Delay) {
            return 0;
        }
        self.random.below(ns(self.config.faults.delay_max))
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}
