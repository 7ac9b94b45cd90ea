//! Which driver the cores of an engine get, decided once before the first core starts.

use std::sync::Arc;

use super::aside::aside;
use super::poll::{FileThreads, PollDriver};
use super::setup::try_ring;
use super::uring::UringDriver;
use super::{ArenaRing, Capabilities, Driver};
use crate::config::{Config, DriverChoice};
use crate::error::{Error, Result};
use crate::park::Rouse;
use crate::pool::Pool;

/// What all cores share of their driver.
pub(crate) enum Carrier {
    Uring(Arc<ArenaRing>),
    Poll { threads: Arc<FileThreads>, why: String },
}

impl Carrier {
    /// Tries a ring of its own before it decides: a filter may let the setup pass and forbid the
    /// rest, and no version number tells.
    ///
    /// # Errors
    /// [`Error::RingRefused`] when io_uring was demanded and is refused; [`Error::Os`] when no thread
    /// can be started.
    pub(crate) fn choose(config: &Config, pool: &Pool) -> Result<Carrier> {
        let poll = |why| {
            let threads = Arc::new(FileThreads::start(config.poll.file_threads)?);
            Ok(Carrier::Poll { threads, why })
        };
        // Where a filter kills for io_uring, asking for the other driver must not try it.
        if config.driver == DriverChoice::Poll {
            return poll("the poll driver was asked for".to_owned());
        }
        let (limits, pool, report) = (config.ring, pool.clone(), config.report);
        let tried =
            aside(move || try_ring(&limits).map(|()| Arc::new(ArenaRing::open(&pool, report))));
        match tried {
            Ok(arena_ring) => Ok(Carrier::Uring(arena_ring)),
            Err(refused @ Error::RingRefused { .. }) if config.driver == DriverChoice::Auto => {
                poll(refused.to_string())
            }
            Err(error) => Err(error),
        }
    }

    /// The driver of one core, made on the thread that steps it; `rouse` ends the sleep of that core.
    ///
    /// # Errors
    /// As [`Carrier::choose`].
    pub(crate) fn driver(
        &self,
        config: &Config,
        rouse: Rouse,
    ) -> Result<(Box<dyn Driver>, Capabilities)> {
        match self {
            Carrier::Uring(arena_ring) => {
                let (driver, capabilities) = UringDriver::new(&config.ring, arena_ring, rouse)?;
                Ok((Box::new(driver), capabilities))
            }
            Carrier::Poll { threads, why } => {
                let (driver, capabilities) = PollDriver::new(&config.op, threads, why)?;
                Ok((Box::new(driver), capabilities))
            }
        }
    }

    /// Adds to a core's report what is known of the arena.
    pub(crate) fn note_arena(&self, pool: &Pool, capabilities: &mut Capabilities) {
        capabilities.arena = pool.arena().backing();
        let registered = match self {
            Carrier::Uring(arena_ring) => arena_ring.state().map_err(str::to_owned),
            Carrier::Poll { .. } => Err("the poll driver has none".to_owned()),
        };
        capabilities.note("arena registered", registered);
    }
}
