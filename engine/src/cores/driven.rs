//! A core without a thread of its own: the caller's loop steps it.
//!
//! For programs that own their loop, as Seastar- and DPDK-shaped ones and games do. One descriptor
//! is readable whenever a step has something to do, so the loop can wait for it beside its own.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::join::panicked;
use super::runtime::{Runtime, Turn, TurnSleep};
use super::{Inbox, block_on, on_a_core};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::op::Handle;
use crate::park::{self, Drive, Rouse};
use crate::pool::fork;

/// An engine with one core that the caller steps; made by
/// [`EngineBuilder::start_here`](crate::EngineBuilder::start_here).
///
/// - It belongs to the thread that made it, because its ring does; the compiler holds that. Work is
///   handed over from any thread by [`Driven::engine`].
/// - [`Driven::run_once`] takes one turn. Between turns the loop waits for the descriptor of
///   [`AsFd`] to become readable, unless the turn said [`Pace::Again`].
/// - A blocking call on this thread ([`crate::Task::wait`], [`block_on`]) takes turns until it has
///   its answer; inside a turn, that is in a task, it answers [`Error::WouldDeadlock`].
/// - No thread stays but the control thread, once a name was looked up, and those of the poll driver.
///
/// Dropping it stops the core: tasks are cancelled, clean-ups get their time, the kernel gives back
/// what it holds (OWN-2).
///
/// The loop takes `EINTR` for nothing to report: the kernel interrupts what a thread sleeps in when that has to forget a ring
/// that was closed, and before Linux 6.1 for completions too.
///
/// ```
/// use std::time::Duration;
/// use hydrant_engine::{Engine, Pace};
///
/// # fn main() -> Result<(), hydrant_engine::Error> {
/// let mut driven = Engine::builder().pool_bytes(8 << 20).start_here()?;
/// let task = driven.engine().on_core(0, |core| async move {
///     core.sleep(Duration::from_millis(1)).await;
///     7
/// })?;
/// while !task.is_finished() {
///     // A real loop asks for no time here and waits for the descriptor among others.
///     driven.run_once(Some(Duration::from_millis(10)))?;
/// }
/// assert_eq!(task.wait()?, 7);
/// # Ok(())
/// # }
/// ```
pub struct Driven {
    engine: Engine,
    stepped: Rc<Stepped>,
    readable: Handle,
}

/// What a turn leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Something is ready: take another turn, after what else the loop has to do.
    Again,
    /// Nothing is ready: wait for the descriptor.
    Wait,
}

/// A turn of a core that is stopping sleeps no longer.
const STOPPING: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Going,
    /// Everything was drained.
    Ended,
    /// The kernel kept something, or the driver broke.
    Broken,
}

struct Stepped {
    /// Never dropped before it has drained (OWN-2).
    runtime: RefCell<Option<Runtime>>,
    inbox: Arc<Inbox>,
    phase: Cell<Phase>,
    fork_generation: u64,
}

impl Driven {
    /// Refuses a second engine on a thread that drives one.
    pub(crate) fn check_thread() -> Result<()> {
        if park::drives() {
            let text = "this thread drives an engine already; one is all that a loop can wait for";
            return Err(Error::InvalidInput(text.into()));
        }
        Ok(())
    }

    pub(crate) fn new(engine: Engine, inbox: Arc<Inbox>, mut runtime: Runtime) -> Result<Driven> {
        let readable = runtime.watch_from_outside().inspect_err(|_| runtime.abandon())?;
        let stepped = Rc::new(Stepped {
            runtime: Some(runtime).into(),
            inbox,
            phase: Phase::Going.into(),
            fork_generation: fork::generation(),
        });
        park::set_drive(Some(Rc::clone(&stepped) as Rc<dyn Drive>));
        Ok(Driven { engine, stepped, readable })
    }

    /// The engine, to hand work over from any thread. Its `stop` only asks: the core ends in the
    /// turns that follow, or with [`Driven::stop`].
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Takes one turn: inbox, timers, ready tasks, one call into the kernel, completions. With
    /// nothing ready it sleeps at most for `limit`; `None` is without limit, zero not at all.
    ///
    /// # Errors
    /// [`Error::Stopped`] once the core has ended; [`Error::WouldDeadlock`] inside a task;
    /// [`Error::Forked`]; [`Error::Os`] when the driver is broken.
    pub fn run_once(&mut self, limit: Option<Duration>) -> Result<Pace> {
        if on_a_core() {
            return Err(Error::WouldDeadlock);
        }
        self.stepped.step(limit)?;
        let runtime = self.stepped.runtime.borrow();
        match &*runtime {
            Some(runtime) if self.stepped.is_going() && runtime.announce_sleep() => {
                runtime.set_alarm()?;
                Ok(Pace::Wait)
            }
            _ => Ok(Pace::Again),
        }
    }

    /// Drives the core until a future has its answer.
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] inside a task.
    pub fn block_on<F: Future>(&mut self, future: F) -> Result<F::Output> {
        block_on(future)
    }

    /// Stops the core and takes turns until it has ended.
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] inside a task; [`Error::Os`] when the driver is broken.
    pub fn stop(self) -> Result<()> {
        self.end()
    }

    fn end(&self) -> Result<()> {
        if on_a_core() {
            return Err(Error::WouldDeadlock);
        }
        self.stepped.inbox.stop();
        while self.stepped.is_going() {
            self.stepped.step(None)?;
        }
        Ok(())
    }
}

impl AsFd for Driven {
    /// Readable whenever a turn has something to do: a completion, a message, a timer. Only wait for
    /// it; its signals are taken by the turns.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.as_fd().expect("a descriptor of this process")
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        park::set_drive(None);
        // In a forked child the core is the parent's, and is leaked with all that it holds (FORK-1).
        if self.engine.is_ours() && self.end().is_err() {
            self.stepped.phase.set(Phase::Broken);
            // Inside a task nothing can end the core; whoever waits for it at least hears of that.
            drop(self.stepped.inbox.close());
        }
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driven").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Stepped {
    fn step(&self, limit: Option<Duration>) -> Result<()> {
        if fork::generation() != self.fork_generation {
            return Err(Error::Forked);
        }
        if !self.is_going() {
            return Err(Error::Stopped);
        }
        let mut runtime = self.runtime.borrow_mut();
        let runtime = runtime.as_mut().expect("present until this is dropped");
        let limit = match limit {
            // A core that is stopping takes no more messages, so nothing could end its sleep.
            limit if !runtime.is_running() => Some(limit.unwrap_or(STOPPING).min(STOPPING)),
            limit => limit,
        };
        let sleep = match limit {
            Some(Duration::ZERO) => TurnSleep::Never,
            limit => TurnSleep::AtMost(limit),
        };
        let turn = catch_unwind(AssertUnwindSafe(|| runtime.turn(sleep)));
        let turn = turn.unwrap_or_else(|panic| Err(panicked(&*panic)));
        match &turn {
            Ok(Turn::Going) => return Ok(()),
            Ok(Turn::Ended { drained: true }) => {
                self.phase.set(Phase::Ended);
                return Ok(());
            }
            Ok(Turn::Ended { drained: false }) => runtime.report_leak(),
            Err(_) => {}
        }
        self.phase.set(Phase::Broken);
        // A destructor of a task may panic in its turn; the core is given up all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| runtime.abandon()));
        turn.map(drop)
    }

    fn is_going(&self) -> bool {
        self.phase.get() == Phase::Going
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        // OWN-2, FORK-1: what the kernel may still write to, or what is the parent's, is leaked.
        if self.phase.get() != Phase::Ended
            && let Some(runtime) = self.runtime.take()
        {
            runtime.leak();
        }
    }
}

impl Drive for Stepped {
    fn turn(&self, limit: Option<Duration>) -> bool {
        // A driver that is broken has ended its tasks, so that whoever waits hears of it.
        !on_a_core() && self.step(limit).is_ok()
    }

    fn rouse(&self) -> Rouse {
        let inbox = Arc::clone(&self.inbox);
        Box::new(move || inbox.rouse())
    }
}
