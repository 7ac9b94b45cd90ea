//! Where a core reads the time: the system, or the simulated world (SANS-1 asks that it be handed
//! in).

use std::time::{Instant, SystemTime};

/// A clock; cloning gives the same clock.
#[derive(Clone)]
pub(crate) enum Clock {
    /// `CLOCK_MONOTONIC` and the time of day.
    System,
    /// The virtual time of a simulated world, counted from an arbitrary instant.
    #[cfg(any(test, feature = "testing"))]
    Sim { world: crate::ring::sim::World, origin: Instant },
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Clock::System => Instant::now(),
            #[cfg(any(test, feature = "testing"))]
            Clock::Sim { world, origin } => *origin + world.now(),
        }
    }

    pub(crate) fn wall(&self) -> SystemTime {
        match self {
            Clock::System => SystemTime::now(),
            // A fixed day, so that signatures replay: 2024-01-01T00:00:00Z.
            #[cfg(any(test, feature = "testing"))]
            Clock::Sim { world, .. } => {
                SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_704_067_200) + world.now()
            }
        }
    }
}
