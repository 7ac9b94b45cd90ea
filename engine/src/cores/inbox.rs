//! What other threads tell a core: new tasks, wake-ups, stop.
//!
//! Senders push under a short lock and signal the eventfd only when the core sleeps. The core says
//! that it is about to sleep, looks once more, and only then sleeps: no wake-up is lost.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError};

use super::{Core, Header};
use crate::error::{Error, Result};
use crate::op::Handle;
use crate::park::Rouse;
use crate::ring::signal_eventfd;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering::*};
use crate::sync::{Mutex, MutexGuard};

/// How a core waits: not at all, asleep in its driver, or asleep outside of its turns.
const AWAKE: u8 = 0;
const IN_DRIVER: u8 = 1;
const OUTSIDE: u8 = 2;
/// Not asleep: it does nothing but wait for a message, which it sees at once.
const LOOKING: u8 = 3;

/// The inbox of one core.
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// Whether there is a message; changed under the lock.
    any: AtomicBool,
    sleeping: AtomicU8,
    wake: OnceLock<Rouse>,
    wake_outside: OnceLock<Rouse>,
    tasks_max: usize,
}

/// One message.
pub(crate) enum Message {
    /// Start this task.
    Start(RemoteTask),
    /// Poll this task, or drop it if it was cancelled.
    Wake(Arc<Header>),
    /// Only end a sleep.
    Rouse,
    /// Cancel everything, drain, end (OWN-2).
    Stop,
}

/// A task on its way to its core; the future is made there and need not be `Send`.
pub(crate) struct RemoteTask {
    pub(crate) header: Arc<Header>,
    pub(crate) start: StartFn,
}

/// Makes the future of a task on its core.
pub(crate) type StartFn = Box<dyn FnOnce(Core) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    tasks: usize,
    closed: bool,
}

impl Inbox {
    pub(crate) fn new(tasks_max: usize) -> Inbox {
        Inbox {
            state: Mutex::default(),
            any: AtomicBool::new(false),
            sleeping: AtomicU8::new(AWAKE),
            wake: OnceLock::new(),
            wake_outside: OnceLock::new(),
            tasks_max,
        }
    }

    /// Says how the core is woken from its sleep; without it, it is never woken.
    pub(crate) fn set_wake_handle(&self, handle: Handle) {
        self.set_wake(Box::new(move || signal_eventfd(&handle)));
    }

    /// Says how a loop is woken that waits outside of the core's turns.
    pub(crate) fn set_outside_handle(&self, handle: Handle) {
        self.set_wake_outside(Box::new(move || signal_eventfd(&handle)));
    }

    pub(crate) fn set_wake(&self, wake: Rouse) {
        assert!(self.wake.set(wake).is_ok(), "a core starts once");
    }

    pub(crate) fn set_wake_outside(&self, wake: Rouse) {
        assert!(self.wake_outside.set(wake).is_ok(), "a core is watched once");
    }

    /// Hands a task over; whether the core was looking out for it.
    ///
    /// # Errors
    /// [`Error::Busy`] at the limit, [`Error::Stopped`] once the core has ended.
    pub(crate) fn start(&self, task: RemoteTask) -> Result<bool> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Stopped);
        }
        if state.tasks >= self.tasks_max {
            return Err(Error::Busy { queue: "core.inbox_tasks_max", max: self.tasks_max });
        }
        state.tasks += 1;
        Ok(self.push(state, Message::Start(task)))
    }

    /// Wakes a task. A core that has ended has no tasks left, so nothing is lost then.
    pub(crate) fn wake(&self, header: Arc<Header>) {
        self.send(Message::Wake(header));
    }

    /// Ends the sleep of the core, if it sleeps.
    pub(crate) fn rouse(&self) {
        self.send(Message::Rouse);
    }

    pub(crate) fn stop(&self) {
        self.send(Message::Stop);
    }

    /// Moves all messages into `into`, which keeps its capacity from turn to turn.
    pub(crate) fn take(&self, into: &mut VecDeque<Message>) {
        debug_assert!(into.is_empty());
        if !self.any.load(Acquire) {
            return;
        }
        let mut state = self.lock();
        self.any.store(false, Relaxed);
        state.tasks = 0;
        std::mem::swap(&mut state.messages, into);
    }

    /// Announces that the core looks out for messages, and need not be signalled.
    pub(crate) fn announce_look(&self) {
        self.announce(LOOKING);
    }

    /// Whether the core looks out for messages right now.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.sleeping.load(Relaxed) == LOOKING
    }

    /// Whether there is a message.
    pub(crate) fn has_any(&self) -> bool {
        self.any.load(Acquire)
    }

    /// Announces sleep; `false` when there is a message, and the core must not sleep.
    pub(crate) fn prepare_sleep(&self) -> bool {
        self.prepare(IN_DRIVER)
    }

    /// The same for a loop that waits outside of the turns.
    pub(crate) fn prepare_outside(&self) -> bool {
        self.prepare(OUTSIDE)
    }

    pub(crate) fn awake(&self) {
        // Who has signalled has put it back already.
        if self.sleeping.load(Relaxed) != AWAKE {
            self.announce(AWAKE);
        }
    }

    /// A sender that swaps first has left its message for the look here; one that swaps later finds the
    /// announcement, and signals.
    fn prepare(&self, how: u8) -> bool {
        self.announce(how);
        let any = self.has_any();
        if any {
            self.awake();
        }
        !any
    }

    /// A swap, as the senders': loom does not order a store among swaps.
    fn announce(&self, how: u8) {
        self.sleeping.swap(how, SeqCst);
    }

    /// No more tasks are taken. What still lies here is to be dropped, so that its waiters hear of it.
    pub(crate) fn close(&self) -> VecDeque<Message> {
        let mut state = self.lock();
        state.closed = true;
        self.any.store(false, Relaxed);
        std::mem::take(&mut state.messages)
    }

    fn send(&self, message: Message) {
        let state = self.lock();
        if !state.closed {
            self.push(state, message);
        }
    }

    /// Whether the core was looking out for it.
    fn push(&self, mut state: MutexGuard<'_, State>, message: Message) -> bool {
        state.messages.push_back(message);
        // Asked first: it may have seen the message, and look no longer, by the time of the signal.
        let was_looking = self.is_looked_at();
        self.any.store(true, Release);
        drop(state);
        self.signal();
        was_looking
    }

    fn signal(&self) {
        let how = self.sleeping.swap(AWAKE, SeqCst);
        if how == IN_DRIVER {
            self.wake.get().into_iter().for_each(|wake| wake());
        }
        // Also for a sleep in the driver: by now it may be over for another reason, and the loop wait
        // outside.
        if matches!(how, IN_DRIVER | OUTSIDE) {
            self.wake_outside.get().into_iter().for_each(|wake| wake());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("tasks_max", &self.tasks_max).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Message::Start(_) => "Start",
            Message::Wake(_) => "Wake",
            Message::Rouse => "Rouse",
            Message::Stop => "Stop",
        })
    }
}
