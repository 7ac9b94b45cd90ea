//! The tasks of one core and what wakes them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Wake, Waker};

use super::Inbox;
use crate::error::Error;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use crate::sync::of_each_thread;

pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// What a task is for; it decides how stopping treats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Dropped as soon as the engine stops.
    Work,
    /// Gets time to end when the engine stops.
    Cleanup,
    /// The core's own; dropped last and not waited for.
    System,
}

/// The part of a task that any thread may hold: it wakes and cancels.
#[derive(Debug)]
pub(crate) struct Header {
    inbox: Arc<Inbox>,
    slot: AtomicU32,
    queued: AtomicBool,
    cancelled: AtomicBool,
}

/// The tasks of one core, in slots that are reused.
#[derive(Default)]
pub(crate) struct TaskSet {
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    tasks_max: usize,
    cleanups: usize,
    closed_to: Closed,
}

/// Which tasks may still start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Closed {
    /// All may.
    #[default]
    Nothing,
    /// Only clean-up tasks may: the engine stops.
    Work,
    /// None may.
    Everything,
}

struct Entry {
    role: Role,
    header: Arc<Header>,
    waker: Waker,
    /// Absent while the task is being polled.
    future: Option<TaskFuture>,
}

of_each_thread! {
    /// The ready queue of the core that this thread is stepping, if it is.
    static READY: RefCell<Option<Ready>> = RefCell::new(None);
}

struct Ready {
    inbox: Arc<Inbox>,
    queue: VecDeque<Arc<Header>>,
}

/// Whether this thread is stepping a core, where a blocking wait would deadlock.
pub(crate) fn on_a_core() -> bool {
    let stepping = READY.try_with(|ready| ready.try_borrow().map_or(true, |ready| ready.is_some()));
    // A thread whose locals are gone is ending, and no core.
    stepping.unwrap_or(false)
}

/// Lends the ready queue to this thread while a core is stepped.
pub(crate) struct Stepping<'a> {
    queue: &'a mut VecDeque<Arc<Header>>,
    before: Option<Ready>,
}

impl<'a> Stepping<'a> {
    pub(crate) fn enter(inbox: &Arc<Inbox>, queue: &'a mut VecDeque<Arc<Header>>) -> Self {
        let ready = Ready { inbox: Arc::clone(inbox), queue: std::mem::take(queue) };
        Stepping { before: READY.with(|cell| cell.replace(Some(ready))), queue }
    }

    pub(super) fn pop(&self) -> Option<Arc<Header>> {
        READY.with(|cell| cell.borrow_mut().as_mut().and_then(|ready| ready.queue.pop_front()))
    }

    pub(super) fn is_idle(&self) -> bool {
        READY.with(|cell| cell.borrow().as_ref().is_none_or(|ready| ready.queue.is_empty()))
    }
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        let ready = READY.with(|cell| cell.replace(self.before.take()));
        if let Some(ready) = ready {
            *self.queue = ready.queue;
        }
    }
}

impl Header {
    const NO_SLOT: u32 = u32::MAX;

    pub(crate) fn new(inbox: &Arc<Inbox>) -> Arc<Header> {
        Arc::new(Header {
            inbox: Arc::clone(inbox),
            slot: AtomicU32::new(Self::NO_SLOT),
            queued: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
        })
    }

    /// Has the task dropped on its core as soon as it comes by.
    pub(crate) fn cancel(self: &Arc<Self>) {
        self.cancelled.store(true, Release);
        self.wake_by_ref();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Acquire)
    }

    /// To be called before the task is looked at: whoever woke it until now has been heard, and
    /// whoever wakes it from now on queues it again. A store would not do: the look could come ahead
    /// of it, and miss what was done by one who still found the task queued.
    pub(crate) fn dequeued(&self) {
        self.queued.swap(false, AcqRel);
    }

    /// Queues locally when this thread steps the task's own core.
    fn push_local(self: &Arc<Self>) -> bool {
        let pushed = READY.try_with(|cell| match cell.try_borrow_mut() {
            Ok(mut ready) => match ready.as_mut() {
                Some(ready) if Arc::ptr_eq(&ready.inbox, &self.inbox) => {
                    ready.queue.push_back(Arc::clone(self));
                    true
                }
                _ => false,
            },
            Err(_) => false,
        });
        // A thread that is ending may still drop leases and tasks: they go by the inbox.
        pushed.unwrap_or(false)
    }
}

impl Wake for Header {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, AcqRel) && !self.push_local() {
            self.inbox.wake(Arc::clone(self));
        }
    }
}

impl TaskSet {
    pub(crate) fn new(tasks_max: usize) -> TaskSet {
        TaskSet { tasks_max, ..TaskSet::default() }
    }

    /// Takes a task in; it runs once its header is woken. One that is refused comes back, for the
    /// caller to drop outside of its borrows: what it holds may start a clean-up when dropped.
    pub(crate) fn insert(
        &mut self,
        role: Role,
        header: Arc<Header>,
        future: TaskFuture,
    ) -> Result<(), (Error, TaskFuture)> {
        let refused = match self.closed_to {
            Closed::Nothing => false,
            Closed::Work => role == Role::Work,
            Closed::Everything => true,
        };
        if refused {
            return Err((Error::Stopped, future));
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < self.tasks_max => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
            None => {
                return Err((Error::Busy { queue: "core.tasks_max", max: self.tasks_max }, future));
            }
        };
        header.slot.store(index, Release);
        self.cleanups += usize::from(role == Role::Cleanup);
        let waker = Waker::from(Arc::clone(&header));
        self.slots[index as usize] = Some(Entry { role, header, waker, future: Some(future) });
        Ok(())
    }

    /// Lends a task's future out for a poll. `None` when the task has ended.
    pub(super) fn lend(&mut self, header: &Arc<Header>) -> Option<(TaskFuture, Waker)> {
        let entry = self.entry(header)?;
        let future = entry.future.take()?;
        Some((future, entry.waker.clone()))
    }

    /// Takes a future back that is not done.
    pub(super) fn give_back(&mut self, header: &Arc<Header>, future: TaskFuture) {
        if let Some(entry) = self.entry(header) {
            entry.future = Some(future);
        }
    }

    /// Forgets a task; its future, unless lent out, comes back to be dropped outside of borrows.
    pub(super) fn remove(&mut self, header: &Arc<Header>) -> Option<TaskFuture> {
        self.entry(header)?;
        let index = header.slot.swap(Header::NO_SLOT, AcqRel);
        let entry = self.slots[index as usize].take()?;
        self.cleanups -= usize::from(entry.role == Role::Cleanup);
        self.free.push(index);
        entry.future
    }

    /// Closes the set to tasks, as the steps of stopping ask.
    pub(super) fn close(&mut self, closed_to: Closed) {
        self.closed_to = closed_to;
    }

    /// Takes one task out that stopping ends now; `Closed::Work` spares clean-up and system tasks.
    pub(super) fn take_ended(&mut self) -> Option<Arc<Header>> {
        let all = self.closed_to == Closed::Everything;
        let entry = self.slots.iter().flatten().find(|entry| all || entry.role == Role::Work)?;
        Some(Arc::clone(&entry.header))
    }

    /// Clean-up tasks that have not ended.
    pub(super) fn cleanups(&self) -> usize {
        self.cleanups
    }

    fn entry(&mut self, header: &Arc<Header>) -> Option<&mut Entry> {
        let index = header.slot.load(Acquire) as usize;
        let entry = self.slots.get_mut(index)?.as_mut()?;
        Arc::ptr_eq(&entry.header, header).then_some(entry)
    }
}
