//! Engines that the caller's loop drives.
//!
//! The core of such an engine belongs to the thread that made it and cannot leave it, so it lies in
//! that thread's own storage; handles know only which one it is.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hydrant::engine::{Driven, Pace, Task};

use crate::args::Out;
use crate::engine::{Engine, hyd_engine, use_engine};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::status::{HYD_E_THREAD, hyd_status};

thread_local! {
    /// A thread drives one engine at most.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

struct Here {
    driven: Driven,
    alive: Arc<AtomicBool>,
}

/// What a handle knows of an engine that a thread drives.
pub struct Driving {
    /// Set until the core has ended, if only because its thread did. Its address names the engine.
    alive: Arc<AtomicBool>,
    descriptor: i32,
    /// This thread is in hyd_engine_run() and may sleep there.
    sleepy: AtomicBool,
}

/// Keeps a core for this thread to drive.
pub fn drive_here(mut driven: Driven) -> Result<Driving, Failure> {
    // What a thread keeps is dropped in the opposite order of first use. A turn uses what the core
    // keeps here, so that it is still there when a thread ends that did not destroy its engine.
    driven.run_once(Some(Duration::ZERO)).map_err(hydrant::Error::from)?;
    let alive = Arc::new(AtomicBool::new(true));
    let descriptor = driven.as_fd().as_raw_fd();
    let driving = Driving { alive: Arc::clone(&alive), descriptor, sleepy: false.into() };
    let before = HERE.with(|here| here.replace(Some(Here { driven, alive })));
    debug_assert!(before.is_none(), "the engine refuses a second one on a thread");
    Ok(driving)
}

impl Drop for Here {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Release);
    }
}

impl Driving {
    /// Whether this thread drives the engine.
    pub fn is_here(&self) -> bool {
        let ours = |here: &Option<Here>| {
            here.as_ref().is_some_and(|here| Arc::ptr_eq(&here.alive, &self.alive))
        };
        HERE.try_with(|here| here.try_borrow().is_ok_and(|here| ours(&here))).unwrap_or(false)
    }

    /// Refuses to end a core that another thread drives, or that is being stepped.
    pub fn check_end(&self) -> Result<(), Failure> {
        if self.is_here() || !self.alive.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(wrong_thread("destroys"))
    }

    /// Stops the core, on its thread.
    pub fn end(&self) -> Result<(), Failure> {
        if !self.is_here() {
            return Ok(());
        }
        let here = HERE.with(|here| here.borrow_mut().take());
        drop(here);
        Ok(())
    }

    /// Takes turns as hyd_engine_run() says; the pace is that of the last.
    fn run(&self, max_turns: u32, limit: Option<Duration>) -> Result<Pace, Failure> {
        if !self.is_here() {
            return Err(wrong_thread("drives"));
        }
        HERE.with(|here| {
            let mut here = here.try_borrow_mut().map_err(|_| wrong_thread("drives"))?;
            let here = here.as_mut().ok_or_else(|| wrong_thread("drives"))?;
            let mut turn = |limit| here.driven.run_once(limit).map_err(hydrant::Error::from);
            self.sleepy.store(limit != Some(Duration::ZERO), Ordering::SeqCst);
            let first = turn(limit);
            self.sleepy.store(false, Ordering::SeqCst);
            let (mut pace, mut turns) = (first?, 1);
            // A turn that slept may have something to do with what woke it.
            while pace == Pace::Again && turns != max_turns {
                pace = turn(Some(Duration::ZERO))?;
                turns += 1;
            }
            Ok(pace)
        })
    }

    /// A request has completed: the program behind hyd_engine_run() has something to do, so the turn
    /// that is under way must not sleep.
    pub fn completed(&self, engine: &Engine) {
        if self.sleepy.swap(false, Ordering::SeqCst) {
            // Any task wakes the core; one that has ended does not sleep.
            let nothing = engine.hydrant.engine().on_core(0, |_| async {});
            nothing.into_iter().for_each(Task::detach);
        }
    }
}

fn wrong_thread(does: &str) -> Failure {
    let message = format!(
        "the thread that created a driven engine {does} it, outside of the library's own calls; \
         this is another thread, or a call from within one"
    );
    Failure::new(HYD_E_THREAD, message)
}

/// Makes progress on this thread: takes turns until nothing is ready or `max_turns` were taken (0:
/// no limit). Where nothing is ready at first, sleeps at most `timeout_ms` for it; 0 does not sleep,
/// below 0 there is no limit. `more`, which may be NULL, is set to 1 where another call has something
/// to do at once, and to 0 where the loop may wait for hyd_engine_fd().
///
/// Errors: HYD_E_THREAD on another thread than the one that created the engine; HYD_E_INVALID for an
/// engine with threads of its own; HYD_E_CANCELLED.
///
/// Threads: the one that created the engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_run(
    engine: *const hyd_engine,
    max_turns: u32,
    timeout_ms: i32,
    more: *mut i32,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let more = unsafe { Out::optional(more, "more")? };
        let driving = engine.driving.as_ref().ok_or_else(not_driven)?;
        let pace = driving.run(max_turns, wait_limit(timeout_ms))?;
        if let Some(more) = more {
            more.write(i32::from(pace == Pace::Again));
        }
        Ok(())
    })
}

/// The descriptor that a loop waits for to become readable, beside its own, before the next
/// hyd_engine_run(). It belongs to the engine: the caller neither reads nor closes it.
///
/// Errors: HYD_E_INVALID for an engine with threads of its own.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_fd(
    engine: *const hyd_engine,
    fd: *mut i32,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let fd = unsafe { Out::new(fd, "fd")? };
        fd.write(engine.driving.as_ref().ok_or_else(not_driven)?.descriptor);
        Ok(())
    })
}

fn not_driven() -> Failure {
    Failure::invalid("this engine has threads of its own; create it with HYD_ENGINE_DRIVEN")
}

/// How long to wait, as the header counts it; `None` is for ever.
pub fn wait_limit(timeout_ms: i32) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}

/// When a wait of so long ends.
pub fn deadline(timeout_ms: i32) -> Option<Instant> {
    wait_limit(timeout_ms).and_then(|limit| Instant::now().checked_add(limit))
}
