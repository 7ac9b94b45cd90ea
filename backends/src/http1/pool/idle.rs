//! Connections that nobody uses, kept for the next request.
//!
//! Each holds memory for heads that others may wait for, so it is kept for as long as it is of use and
//! no longer. What has been idle for too long is closed by a task of the core, which lives while anything
//! is idle there. Who is about to wait for memory for heads has idle connections of its core closed
//! first, and while somebody waits, on whatever core, none stays idle: the one that was idle for the
//! longest goes first, whichever pool it is of.
//!
//! A connection that is dropped gives memory back and may come back to the core: no borrow is held then.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use hydrant_engine::{Core, LocalTask};

use crate::http1::Connection;

/// The sweeping task looks at least four times while a wait for memory lasts: whether somebody waits
/// on another core, too.
const LOOKS_A_WAIT: u32 = 4;

/// It does not look more often than this because of waits, however short they are.
const LOOK_MIN: Duration = Duration::from_millis(100);

/// The idle connections of one pool. The last used is used first, so that the others grow old and go.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// The one that was idle for the longest is the first.
    connections: RefCell<VecDeque<Connection>>,
    /// Set when the first one is kept.
    of_core: OnceCell<Rc<IdleOfCore>>,
}

/// The idle connections of one core.
#[derive(Debug, Default)]
struct IdleOfCore {
    pools: RefCell<Vec<Weak<Idle>>>,
    /// The core has been told that heads are kept here.
    is_keeper: Cell<bool>,
    is_swept: Cell<bool>,
    /// How long what was kept last may be idle, if that was since the sweeping task has looked.
    kept: Cell<Option<Duration>>,
}

/// The sweeping task of a core. However it ends, another one may start.
struct Sweep(Rc<IdleOfCore>);

impl Idle {
    pub(super) fn len(&self) -> usize {
        self.connections.borrow().len()
    }

    /// The last used of which the server has said nothing since.
    pub(super) fn take(&self) -> Option<Connection> {
        self.close_old();
        loop {
            let connection = self.connections.borrow_mut().pop_back()?;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection that may be used again, unless its memory is waited for.
    pub(super) fn keep(self: &Rc<Idle>, mut connection: Connection) {
        let core = connection.core().clone();
        connection.rest();
        let idle = connection.idle_left();
        self.connections.borrow_mut().push_back(connection);
        let of_core = self.of_core.get_or_init(|| IdleOfCore::with(&core, self));
        of_core.make_room(&core);
        if self.len() > 0 {
            of_core.kept.set(Some(idle));
            of_core.sweep(&core);
        }
    }

    /// Closes the one that was idle for the longest, if there is one.
    pub(super) fn close_oldest(&self) -> bool {
        let oldest = self.connections.borrow_mut().pop_front();
        oldest.is_some()
    }

    /// Closes what was idle for too long; tells how long the next one may be yet.
    fn close_old(&self) -> Option<Duration> {
        loop {
            let left = self.connections.borrow().front()?.idle_left();
            if !left.is_zero() {
                return Some(left);
            }
            self.close_oldest();
        }
    }

    /// Since when the first one is idle.
    fn oldest(&self) -> Option<Instant> {
        self.connections.borrow().front().map(Connection::idle_since)
    }
}

impl IdleOfCore {
    /// That of the core, which knows the pool from now on.
    fn with(core: &Core, pool: &Rc<Idle>) -> Rc<IdleOfCore> {
        let of_core = core.local(IdleOfCore::default);
        if !of_core.is_keeper.replace(true) {
            let keeper = Rc::downgrade(&of_core);
            core.keeps_heads(move || keeper.upgrade().is_some_and(|idle| idle.close_oldest()));
        }
        let mut pools = of_core.pools.borrow_mut();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Rc::downgrade(pool));
        drop(pools);
        of_core
    }

    fn make_room(&self, core: &Core) {
        while core.pool().heads_are_waited_for() && self.close_oldest() {}
    }

    fn close_oldest(&self) -> bool {
        let pools = self.pools.borrow();
        let idle = pools.iter().filter_map(Weak::upgrade);
        let oldest = idle.filter_map(|pool| Some((pool.oldest()?, pool))).min_by_key(|it| it.0);
        drop(pools);
        oldest.is_some_and(|(_, pool)| pool.close_oldest())
    }

    /// Closes what was idle for too long; tells how long the next one may be yet.
    fn close_old(&self) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        let mut at = 0;
        loop {
            let Some(pool) = self.pools.borrow().get(at).cloned() else { return next };
            let left = pool.upgrade().and_then(|pool| pool.close_old());
            next = next.into_iter().chain(left).min();
            at += 1;
        }
    }

    /// Sees to it that what is idle is closed when its time is over, though nobody comes by.
    fn sweep(self: &Rc<IdleOfCore>, core: &Core) {
        if self.is_swept.replace(true) {
            return;
        }
        let sweep = Sweep(Rc::clone(self));
        let of_core = core.clone();
        // A core that is too busy for it tries again with the next connection that is kept.
        let _ = core.spawn(async move { sweep.run(&of_core).await }).map(LocalTask::detach);
    }
}

impl Sweep {
    async fn run(&self, core: &Core) {
        let look = (core.pool().wait_limit() / LOOKS_A_WAIT).max(LOOK_MIN);
        loop {
            let left = self.0.close_old();
            // Where a connection is in use just now, and soon idle again, the task stays: none is
            // started for each request.
            let Some(left) = left.or(self.0.kept.take()) else { return };
            core.sleep(left.min(look)).await;
            self.0.make_room(core);
        }
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.0.is_swept.set(false);
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
