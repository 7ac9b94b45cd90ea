//! The ring that owns the registration of the arena.
//!
//! It never submits. Cloning registered buffers out of another core's `SINGLE_ISSUER` ring fails
//! with `EEXIST`; from a plain ring it works, and a clone is not charged to the memory limit again
//! (Linux 6.12 and later). So the arena is registered here once, and each core clones it.

use std::os::fd::{AsRawFd, RawFd};

use io_uring::IoUring;

use super::system::memlock_limit_bytes;
use crate::error::errno_text;
use crate::pool::Pool;

/// The registration of the arena, or why there is none.
pub(crate) struct ArenaRing {
    state: Result<IoUring, String>,
    /// Keeps the arena mapped for as long as the kernel may pin it.
    pool: Pool,
}

impl ArenaRing {
    /// Registers the arena; a refusal is kept and the engine goes on without (FALL-1).
    pub(crate) fn register(pool: &Pool) -> ArenaRing {
        ArenaRing { state: register(pool), pool: pool.clone() }
    }

    /// How many entries a table of the arena has.
    pub(crate) fn slabs(&self) -> u32 {
        self.pool.arena().registration().len() as u32
    }

    /// The descriptor to clone from.
    pub(crate) fn fd(&self) -> Result<RawFd, &str> {
        match &self.state {
            Ok(ring) => Ok(ring.as_raw_fd()),
            Err(why) => Err(why),
        }
    }
}

fn register(pool: &Pool) -> Result<IoUring, String> {
    let ring: IoUring = IoUring::builder()
        .dontfork()
        .build(2)
        .map_err(|error| format!("no ring for the registration: {error}"))?;
    let slabs = pool.arena().registration();
    // SAFETY: the slabs are the arena, which `ArenaRing` keeps mapped as long as the ring lives.
    match unsafe { ring.submitter().register_buffers(&slabs) } {
        Ok(()) => Ok(ring),
        Err(error) => Err(why_refused(&error, slabs.iter().map(|slab| slab.iov_len as u64).sum())),
    }
}

fn why_refused(error: &std::io::Error, need: u64) -> String {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let text = errno_text(errno);
    match (errno, memlock_limit_bytes()) {
        (libc::ENOMEM, Some(limit)) => format!(
            "{text}: {need} bytes are to be locked and the limit (`ulimit -l`, RLIMIT_MEMLOCK, for \
             each user) is {limit}; raise it, choose a smaller pool, or run with CAP_IPC_LOCK"
        ),
        _ => text,
    }
}
