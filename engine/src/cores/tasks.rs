//! The tasks of one core and what wakes them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
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
    /// It lies in the inbox.
    sent: AtomicBool,
    /// It lies in the ready queue; a matter of the thread alone that steps its core.
    ready: AtomicBool,
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
    /// Absent while the task is being polled.
    body: Option<Body>,
}

/// What a poll takes.
pub(super) struct Body {
    pub(super) future: TaskFuture,
    pub(super) waker: Waker,
}

of_each_thread! {
    /// The ready queue of the core that this thread is stepping, if it is.
    static STEPPED: RefCell<Option<Rc<ReadyQueue>>> = RefCell::new(None);
}

/// Which tasks of a core are to be polled. Only the thread that steps the core adds to it; all others
/// go by the inbox.
pub(crate) struct ReadyQueue {
    inbox: Arc<Inbox>,
    headers: RefCell<VecDeque<Arc<Header>>>,
}

/// Whether this thread is stepping a core, where a blocking wait would deadlock.
pub(crate) fn on_a_core() -> bool {
    let stepped = STEPPED.try_with(|cell| cell.try_borrow().map_or(true, |queue| queue.is_some()));
    // A thread whose locals are gone is ending, and no core.
    stepped.unwrap_or(false)
}

impl ReadyQueue {
    pub(crate) fn new(inbox: &Arc<Inbox>) -> Rc<ReadyQueue> {
        Rc::new(ReadyQueue { inbox: Arc::clone(inbox), headers: RefCell::default() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.borrow().is_empty()
    }

    /// The task is looked at next: whoever wakes it from now on queues it again.
    pub(super) fn pop(&self) -> Option<Arc<Header>> {
        let header = self.headers.borrow_mut().pop_front()?;
        header.ready.store(false, Relaxed);
        Some(header)
    }

    fn push(&self, header: Arc<Header>) {
        if !header.ready.load(Relaxed) {
            header.ready.store(true, Relaxed);
            self.headers.borrow_mut().push_back(header);
        }
    }
}

/// Makes this thread the one that steps a core.
pub(crate) struct Stepping {
    before: Option<Rc<ReadyQueue>>,
}

impl Stepping {
    pub(crate) fn enter(ready: &Rc<ReadyQueue>) -> Stepping {
        Stepping { before: STEPPED.with(|cell| cell.replace(Some(Rc::clone(ready)))) }
    }
}

impl Drop for Stepping {
    fn drop(&mut self) {
        let stepped = STEPPED.with(|cell| cell.replace(self.before.take()));
        drop(stepped);
    }
}

impl Header {
    const NO_SLOT: u32 = u32::MAX;

    pub(crate) fn new(inbox: &Arc<Inbox>) -> Arc<Header> {
        Arc::new(Header {
            inbox: Arc::clone(inbox),
            slot: AtomicU32::new(Self::NO_SLOT),
            sent: AtomicBool::new(false),
            ready: AtomicBool::new(false),
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

    /// To be called when the task has come out of the inbox, before it is looked at: whoever woke it
    /// until now has been heard, and whoever wakes it from now on sends it again. A store would not do:
    /// the look could come ahead of it, and miss what was done by one who still found the task sent.
    pub(crate) fn received(&self) {
        self.sent.swap(false, AcqRel);
    }

    /// The ready queue of the task's core when this thread steps it.
    fn queue_here(&self) -> Option<Rc<ReadyQueue>> {
        let here = STEPPED.try_with(|cell| {
            let stepped = cell.try_borrow().ok()?;
            stepped.as_ref().filter(|queue| Arc::ptr_eq(&queue.inbox, &self.inbox)).cloned()
        });
        // A thread that is ending may still drop leases and tasks: they go by the inbox.
        here.ok().flatten()
    }
}

impl Wake for Header {
    fn wake(self: Arc<Self>) {
        match self.queue_here() {
            Some(queue) => queue.push(self),
            None if !self.sent.swap(true, AcqRel) => Arc::clone(&self.inbox).wake(self),
            None => {}
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Arc::clone(self).wake();
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
        self.slots[index as usize] =
            Some(Entry { role, header, body: Some(Body { future, waker }) });
        Ok(())
    }

    /// Lends a task out for a poll. `None` when it has ended.
    pub(super) fn lend(&mut self, header: &Arc<Header>) -> Option<Body> {
        self.entry(header)?.body.take()
    }

    /// Takes a task back that is not done. One that was ended meanwhile comes back, for the caller to
    /// drop outside of its borrows.
    pub(super) fn give_back(&mut self, header: &Arc<Header>, body: Body) -> Option<Body> {
        match self.entry(header) {
            Some(entry) => entry.body.replace(body),
            None => Some(body),
        }
    }

    /// Forgets a task; its future, unless lent out, comes back to be dropped outside of borrows.
    pub(super) fn remove(&mut self, header: &Arc<Header>) -> Option<Body> {
        self.entry(header)?;
        let index = header.slot.swap(Header::NO_SLOT, AcqRel);
        let entry = self.slots[index as usize].take()?;
        self.cleanups -= usize::from(entry.role == Role::Cleanup);
        self.free.push(index);
        entry.body
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
