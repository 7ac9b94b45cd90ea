//! A core without a thread of its own: the caller's loop steps it.
//!
//! For programs that own their loop, as Seastar- and DPDK-shaped ones and games do. One descriptor
//! is readable whenever a step has something to do, so the loop can wait for it beside its own.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::runtime::{Runtime, Turn, TurnSleep};
use super::{Inbox, block_on, on_a_core};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::op::Handle;
use crate::park::{self, Drive, Rouse};

/// An engine with one core that the caller steps; made by
/// [`EngineBuilder::start_here`](crate::EngineBuilder::start_here).
///
/// - It belongs to the thread that made it, because its ring does; the compiler holds that. Work is
///   handed over from any thread by [`Driven::engine`].
/// - [`Driven::run_once`] takes one turn. Between turns the loop waits for the descriptor of
///   [`AsFd`] to become readable, unless the turn said [`Pace::Again`].
/// - A blocking call on this thread ([`crate::Task::wait`], [`block_on`]) takes turns until it has
///   its answer; inside a turn, that is in a task, it answers [`Error::WouldDeadlock`].
/// - No thread is started but the control thread, when a name is looked up, and those of the poll
///   driver.
///
/// Dropping it stops the core: tasks are cancelled, clean-ups get their time, the kernel gives back
/// what it holds (OWN-2).
///
/// ```
/// use std::time::Duration;
/// use hydrant_engine::{Engine, Pace};
///
/// # fn main() -> Result<(), hydrant_engine::Error> {
/// let mut driven = Engine::builder().pool_bytes(8 << 20).start_here()?;
/// let task = driven.engine().spawn(0, |core| async move {
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
}

impl Driven {
    pub(crate) fn new(engine: Engine, inbox: Arc<Inbox>, mut runtime: Runtime) -> Result<Driven> {
        if park::drives() {
            let text = "this thread drives an engine already; one is all that a loop can wait for";
            return Err(Error::InvalidInput(text.into()));
        }
        let readable = runtime.watch_from_outside()?;
        let runtime = Some(runtime).into();
        let stepped = Rc::new(Stepped { runtime, inbox, phase: Phase::Going.into() });
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
    /// [`Error::Os`] when the driver is broken.
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
        // In a forked child the core is the parent's, and is leaked with all that it holds (FORK-1).
        if self.engine.is_ours() && self.end().is_err() {
            self.stepped.phase.set(Phase::Broken);
        }
        park::set_drive(None);
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driven").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Stepped {
    fn step(&self, limit: Option<Duration>) -> Result<()> {
        if !self.is_going() {
            return Err(Error::Stopped);
        }
        let sleep = match limit {
            Some(Duration::ZERO) => TurnSleep::Never,
            limit => TurnSleep::AtMost(limit),
        };
        let mut runtime = self.runtime.borrow_mut();
        let runtime = runtime.as_mut().expect("present until this is dropped");
        let turn = catch_unwind(AssertUnwindSafe(|| runtime.turn(sleep)));
        match turn {
            Ok(Ok(Turn::Going)) => return Ok(()),
            Ok(Ok(Turn::Ended { drained: true })) => {
                self.phase.set(Phase::Ended);
                return Ok(());
            }
            Ok(Ok(Turn::Ended { drained: false })) => runtime.report_leak(),
            Ok(Err(_)) | Err(_) => runtime.abandon(),
        }
        self.phase.set(Phase::Broken);
        turn.unwrap_or_else(|panic| resume_unwind(panic)).map(drop)
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
    fn turn(&self, limit: Option<Duration>) {
        // A driver that is broken has ended its tasks, so that whoever waits hears of it.
        let _ = self.step(limit);
    }

    fn rouse(&self) -> Rouse {
        let inbox = Arc::clone(&self.inbox);
        Box::new(move || inbox.rouse())
    }
}
