//! One turn of a core, and how it ends (OWN-2).
//!
//! A turn: take the inbox, fire timers, poll ready tasks up to the limit, enter the ring once
//! (sleeping only when nothing is ready, and after a look for messages where that has paid), take in
//! the completions. A thread calls turns in a loop; the simulator calls them in an order of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

use super::spin::Spin;
use super::tasks::{Body, Closed, ReadyQueue, Stepping};
use super::{Clock, Core, Header, Inbox, Inner, Message, RemoteTask, Role, TaskSet, Timers};
use crate::engine::Shared;
use crate::error::{OsError, Result};
use crate::metrics::add;
use crate::op::{Completion, Handle, Kept, Op, Outcome, PlantedBug, Table};
use crate::ring::{Driver, Wait};
use crate::trace::event;

/// A core that can be stepped.
pub(crate) struct Runtime {
    core: Core,
    inbox: Arc<Inbox>,
    ready: Rc<ReadyQueue>,
    messages: VecDeque<Message>,
    completions: Vec<Completion>,
    polls_per_turn_max: usize,
    spin: Spin,
    phase: Phase,
    /// Wakes the loop of a caller that drives this core when a timer is due.
    alarm: Option<Handle>,
}

/// How long a turn may sleep when nothing is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnSleep {
    Never,
    /// `None` is without limit.
    AtMost(Option<Duration>),
}

/// What a turn leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There may be more to do.
    Going,
    /// The core has ended; `drained` tells whether the kernel gave everything back.
    Ended { drained: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Clean-up tasks have until then.
    CleaningUp(Instant),
    /// The kernel has until then to give the last buffers back.
    Draining(Instant),
    Ended {
        drained: bool,
    },
}

impl Runtime {
    /// A core around a driver. Registers itself with its inbox; call it on the thread that steps.
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        clock: Clock,
        driver: Box<dyn Driver>,
        seed: u64,
    ) -> Result<Runtime> {
        let inbox = Arc::clone(&shared.inboxes[index]);
        let wake_handle = driver.wake_handle();
        let limits = &shared.config;
        let inner = Inner {
            index,
            clock,
            table: Table::new(limits.op).into(),
            driver: driver.into(),
            tasks: TaskSet::new(limits.core.tasks_max).into(),
            timers: Timers::new(limits.core.timers_max).into(),
            locals: Vec::new().into(),
            head_keepers: Vec::new().into(),
            random: seed.into(),
            kept_futures: Kept::new(limits.core.kept_futures_bytes_max).into(),
            counters: shared.metrics.core(index),
            metrics: shared.metrics.on_core(index),
            shared: Arc::clone(&shared),
        };
        #[cfg(any(test, feature = "testing"))]
        inner.table.borrow_mut().plant(limits.planted_bug);
        let runtime = Runtime {
            core: Core(Rc::new(inner)),
            ready: ReadyQueue::new(&inbox),
            messages: VecDeque::new(),
            completions: Vec::with_capacity(limits.ring.completion_entries as usize),
            polls_per_turn_max: limits.core.polls_per_turn_max,
            spin: Spin::new(limits.core.spin_max),
            phase: Phase::Running,
            alarm: None,
            inbox,
        };
        if let Some(handle) = wake_handle {
            runtime.inbox.set_wake_handle(handle);
        }
        Ok(runtime)
    }

    /// One turn; it sleeps in the driver, if it may, when nothing is ready.
    ///
    /// # Errors
    /// When the ring itself is broken; the core must then be leaked.
    pub(crate) fn turn(&mut self, sleep: TurnSleep) -> Result<Turn> {
        let stepping = Stepping::enter(&self.ready);
        let was_given_any = self.take_inbox();
        self.fire_timers();
        self.run_ready();
        if self.ready.is_empty() {
            self.core.0.pass_over();
        }
        self.advance_phase();
        let sleep = match sleep {
            _ if !self.ready.is_empty() => TurnSleep::Never,
            TurnSleep::AtMost(None) if was_given_any && self.looks_out() => TurnSleep::Never,
            _ => sleep,
        };
        let entered = self.enter(sleep);
        self.take_completions();
        drop(stepping);
        entered?;
        Ok(match self.phase {
            Phase::Ended { drained } => Turn::Ended { drained },
            _ => Turn::Going,
        })
    }

    /// Prepares the core for a loop that waits outside of its turns; the handle is readable whenever
    /// a turn has something to do.
    ///
    /// # Errors
    /// The errno of making the descriptors, or `ENOSYS` of a driver that has none.
    pub(crate) fn watch_from_outside(&mut self) -> Result<Handle> {
        let outside = self.core.0.driver.borrow_mut().outside();
        let outside = outside
            .map_err(|errno| OsError::new("eventfd", "what a caller's loop waits for", errno))?;
        let listen = listen_for_alarms(self.core.clone(), outside.alarm.clone());
        self.core.insert_task(Role::System, Box::pin(listen))?;
        self.alarm = Some(outside.alarm);
        self.inbox.set_outside_handle(outside.wake);
        Ok(outside.readable)
    }

    /// Whether nobody has asked this core to stop.
    pub(crate) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether nothing is ready; from then on messages signal the driver, until the next turn.
    pub(crate) fn announce_sleep(&self) -> bool {
        let settled = self.core.0.driver.borrow_mut().is_settled();
        // What wakes a loop outside belongs to tasks that end when the core stops.
        self.is_running() && settled && self.ready.is_empty() && self.inbox.prepare_outside()
    }

    /// Makes the outside handle readable when the next timer is due.
    pub(crate) fn set_alarm(&self) -> Result<()> {
        let Some(alarm) = &self.alarm else { return Ok(()) };
        crate::ring::set_alarm(alarm, self.sleep_limit())
            .map_err(|errno| OsError::new("timerfd_settime", "alarm of a core", errno).into())
    }

    /// Tells that the kernel kept something.
    pub(crate) fn report_leak(&self) {
        let index = self.core.index();
        self.core.report(format_args!("core {index}: the kernel kept buffers, which are leaked"));
    }

    /// Whether a turn would find something to do without sleeping.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn is_idle(&self) -> bool {
        let settled = self.core.0.driver.borrow_mut().is_settled();
        let idle = settled && self.ready.is_empty() && self.inbox.prepare_sleep();
        self.inbox.awake();
        idle
    }

    /// A number that changes with everything a turn does for a task or hands to the kernel.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn activity(&self) -> u64 {
        let polls = self.core.0.counters.polls.load(Relaxed);
        polls + self.core.0.driver.borrow().counts().submissions
    }

    /// How long until this core has something to do by itself: a timer, or a limit of stopping.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn until_next_timer(&self) -> Option<Duration> {
        self.sleep_limit()
    }

    /// Whether there was anything.
    fn take_inbox(&mut self) -> bool {
        self.inbox.take(&mut self.messages);
        let any = !self.messages.is_empty();
        while let Some(message) = self.messages.pop_front() {
            match message {
                Message::Start(task) => self.start(task),
                Message::Wake(header) => {
                    header.received();
                    header.wake();
                }
                Message::Rouse => {}
                Message::Stop => self.stop(),
            }
        }
        any
    }

    /// Looks out for the next message in place of a sleep, where that has paid; whether one came. What
    /// the kernel or a timer has for this core must not wait for that.
    fn looks_out(&mut self) -> bool {
        let inner = &self.core.0;
        let waits_for_more = inner.table.borrow().in_flight() > 0
            || !inner.driver.borrow_mut().is_settled()
            || self.inbox.has_any();
        if waits_for_more || !self.is_running() {
            return false;
        }
        let Some(came) = self.spin.look_out(&self.inbox, self.sleep_limit()) else { return false };
        add(&inner.counters.looks, 1);
        add(&inner.counters.looks_in_vain, (!came).into());
        came
    }

    fn start(&self, task: RemoteTask) {
        if task.header.is_cancelled() {
            return drop_each([task]);
        }
        let future = (task.start)(self.core.clone());
        // A refusal drops the future, and with it the `Join` that tells the waiter.
        let inserted =
            self.core.0.tasks.borrow_mut().insert(Role::Work, Arc::clone(&task.header), future);
        if inserted.is_ok() {
            task.header.wake();
        }
    }

    fn fire_timers(&self) {
        if !self.any_timer() {
            return;
        }
        let now = self.core.now();
        loop {
            let due = self.core.0.timers.borrow_mut().take_due(now);
            let Some(waker) = due else { break };
            waker.wake();
        }
        self.core.0.table.borrow_mut().look(now);
        self.core.0.call_wakers();
    }

    fn run_ready(&self) {
        for _ in 0..self.polls_per_turn_max {
            let Some(header) = self.ready.pop() else { return };
            self.poll_task(&header);
        }
    }

    fn poll_task(&self, header: &Arc<Header>) {
        if header.is_cancelled() {
            self.drop_task(header);
            return;
        }
        let lent = self.core.0.tasks.borrow_mut().lend(header);
        let Some(Body { mut future, waker }) = lent else { return };
        add(&self.core.0.counters.polls, 1);
        let mut cx = Context::from_waker(&waker);
        // A panic ends the task, not the core: its waiter sees that no result came, and the panic
        // hook has already told the message.
        let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        match poll {
            Ok(Poll::Pending) => {
                let body = Body { future, waker };
                let ended = self.core.0.tasks.borrow_mut().give_back(header, body);
                drop(ended);
            }
            ended => {
                if ended.is_err() {
                    event!(ERROR, "a task panicked on core {}", self.core.index());
                }
                let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
                self.drop_task(header);
            }
        }
    }

    fn drop_task(&self, header: &Arc<Header>) {
        let future = self.core.0.tasks.borrow_mut().remove(header);
        // Its destructor may start ops or tasks: no borrow is held here. One that panics ends with
        // that; the hook has told the message.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
    }

    fn stop(&mut self) {
        if self.phase == Phase::Running {
            let limit = self.core.0.shared.config.stop.cleanup;
            self.phase = Phase::CleaningUp(self.core.now() + limit);
            self.end_tasks(Closed::Work);
        }
    }

    fn end_tasks(&self, closed: Closed) {
        self.core.0.tasks.borrow_mut().close(closed);
        loop {
            let ended = self.core.0.tasks.borrow_mut().take_ended();
            let Some(header) = ended else { return };
            self.drop_task(&header);
        }
    }

    fn advance_phase(&mut self) {
        if self.is_running() {
            return;
        }
        let now = self.core.now();
        if let Phase::CleaningUp(deadline) = self.phase
            && (self.core.0.tasks.borrow().cleanups() == 0 || now >= deadline)
        {
            self.begin_drain(now);
        }
        // In the same turn: with nothing in flight there is no completion to wake it for another.
        if let Phase::Draining(deadline) = self.phase {
            let table = self.core.0.table.borrow();
            let skipped = table.planted().has(PlantedBug::DrainSkipped);
            let drained = skipped || !table.kernel_owns_any();
            drop(table);
            if drained || now >= deadline {
                self.phase = Phase::Ended { drained };
            }
        }
    }

    fn begin_drain(&mut self, now: Instant) {
        self.end_tasks(Closed::Everything);
        drop_each(self.inbox.close());
        // Values of the core, such as pooled connections, close before the drain.
        let locals = std::mem::take(&mut *self.core.0.locals.borrow_mut());
        let keepers = std::mem::take(&mut *self.core.0.head_keepers.borrow_mut());
        drop((locals, keepers));
        let mut driver = self.core.0.driver.borrow_mut();
        self.core.0.table.borrow_mut().stop(driver.as_mut());
        drop(driver);
        self.core.0.call_wakers();
        self.phase = Phase::Draining(now + self.core.0.shared.config.stop.drain);
    }

    fn enter(&self, sleep: TurnSleep) -> Result<()> {
        let wait = match sleep {
            TurnSleep::AtMost(most) if self.inbox.prepare_sleep() => {
                let limits = [self.sleep_limit(), most];
                Wait::UntilCompletion(limits.into_iter().flatten().min())
            }
            _ => Wait::No,
        };
        let mut driver = self.core.0.driver.borrow_mut();
        let entered = driver.enter(wait);
        self.inbox.awake();
        let counts = driver.counts();
        let counters = &self.core.0.counters;
        counters.enters.store(counts.enters, Relaxed);
        counters.submissions.store(counts.submissions, Relaxed);
        counters.wakes.store(counts.wakes, Relaxed);
        counters.overflows.store(counts.overflows, Relaxed);
        counters.fallbacks_unregistered_memory.store(counts.refused_slabs, Relaxed);
        entered.map_err(|errno| {
            OsError::new("wait for completions", "the driver of a core", errno).into()
        })
    }

    fn sleep_limit(&self) -> Option<Duration> {
        if self.is_running() && !self.any_timer() {
            return None;
        }
        let now = self.core.now();
        let timer = self.core.0.timers.borrow_mut().until_next(now);
        let look = self.core.0.table.borrow_mut().next_look(now);
        let look = look.map(|at| at.saturating_duration_since(now));
        let phase = match self.phase {
            Phase::CleaningUp(deadline) | Phase::Draining(deadline) => {
                Some(deadline.saturating_duration_since(now))
            }
            Phase::Ended { .. } => Some(Duration::ZERO),
            Phase::Running => None,
        };
        [timer, look, phase].into_iter().flatten().min()
    }

    fn any_timer(&self) -> bool {
        !self.core.0.timers.borrow().is_empty() || self.core.0.table.borrow().watches_any()
    }

    fn take_completions(&mut self) {
        self.core.0.driver.borrow_mut().completions(&mut self.completions);
        add(&self.core.0.counters.completions, self.completions.len() as u64);
        let mut completions = self.completions.drain(..);
        loop {
            let mut driver = self.core.0.driver.borrow_mut();
            let mut table = self.core.0.table.borrow_mut();
            let ended = completions.find_map(|it| table.complete(it, driver.as_mut()));
            drop((table, driver));
            let Some(outcome) = ended else { break };
            // Nobody waits for it. What it held may come back to the core when it drops.
            count_outcome(&self.core.0, &outcome);
        }
        drop(completions);
        self.core.0.call_wakers();
    }

    /// Ends the tasks of a core whose ring is broken, so that whoever waits for them hears of it.
    pub(crate) fn abandon(&mut self) {
        // First, so that whoever hears of it and comes again is told.
        let left = self.inbox.close();
        self.end_tasks(Closed::Everything);
        drop_each(self.messages.drain(..).chain(left));
    }

    /// Gives the whole core up without freeing what the kernel may still write to (OWN-2).
    pub(crate) fn leak(self) {
        std::mem::forget(self);
    }
}

/// What was never started: the destructors of what it captured are anybody's, and one that panics ends
/// with that; the hook has told the message.
fn drop_each<T>(all: impl IntoIterator<Item = T>) {
    for one in all {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(one)));
    }
}

/// Keeps one read of the alarm in flight; its completion makes the outside handle readable.
async fn listen_for_alarms(core: Core, alarm: Handle) {
    let mut buf = Box::new(0u64);
    loop {
        let outcome = core.op(Op::Expiry { timerfd: alarm.clone(), buf }).await;
        let Op::Expiry { buf: back, .. } = outcome.op else { return };
        if outcome.error == Some(libc::ECANCELED) {
            return;
        }
        buf = back;
    }
}

/// Counts the bytes of an op that has ended.
pub(super) fn count_outcome(core: &Inner, outcome: &Outcome) {
    let bytes = outcome.transferred as u64;
    let counters = &core.counters;
    add(&counters.short_transfers, outcome.shorts.into());
    match &outcome.op {
        Op::Read { buf, span, .. } | Op::Write { buf, span, .. } => {
            let moved = span.start..span.start + outcome.transferred;
            let counter = if core.driver.borrow().holds(buf, &moved) {
                &counters.file_bytes_registered
            } else {
                &counters.file_bytes_unregistered
            };
            add(counter, bytes);
            let reads = matches!(outcome.op, Op::Read { .. });
            add(
                if reads { &counters.file_bytes_read } else { &counters.file_bytes_written },
                bytes,
            );
        }
        Op::Recv { .. } => add(&counters.bytes_received, bytes),
        Op::Send { .. } => add(&counters.bytes_sent, bytes),
        Op::SendList { zero_copy: false, .. } => add(&counters.bytes_sent, bytes),
        Op::SendZc { .. } | Op::SendList { zero_copy: true, .. } => {
            add(&counters.bytes_sent, bytes);
            add(&counters.bytes_sent_zero_copy, bytes);
            if outcome.copied {
                add(&counters.bytes_sent_zero_copy_copied, bytes);
            }
        }
        Op::Connect { .. } if outcome.error.is_none() => add(&counters.connections_opened, 1),
        _ => {}
    }
}
