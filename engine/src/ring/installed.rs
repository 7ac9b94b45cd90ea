//! The files that one core has installed in its ring: a submission that names a slot of this table
//! spares the kernel the look-up of the descriptor and two counts on it (`IOSQE_FIXED_FILE`).
//!
//! An installed file stays open in the ring after `close(2)`. So a handle remembers where it is
//! installed, its last clone gives the slots back from whatever thread it is dropped on, and the core
//! is roused to clear them. Sockets are never installed: their FIN would wait for that
//! (`docs/decisions/0009-installed-files.md`).

use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::{Arc, Mutex, PoisonError};

use io_uring::Submitter;

use crate::op::Handle;
use crate::park::Rouse;
use crate::pool::fork;

/// Submissions of one file on one core after which it is installed: the system call that installs it
/// and the one that removes it cost as much as some tens of look-ups.
const INSTALL_AFTER: u32 = 32;

/// The table of one ring.
pub(super) struct InstalledFiles {
    /// A handle's place is its number modulo the length, a power of two; none when refused.
    entries: Vec<Entry>,
    returned: Arc<Returned>,
    /// Empty but for the time of clearing.
    clearing: Vec<u32>,
}

#[derive(Clone, Default)]
struct Entry {
    /// The handle that uses this place.
    handle: u64,
    submissions: u32,
    installed: bool,
}

/// What handles have given back to one core.
struct Returned {
    any: AtomicBool,
    slots: Mutex<Vec<u32>>,
    rouse: Rouse,
}

/// Where a handle is installed.
pub(crate) struct Installation {
    slot: u32,
    returned: Arc<Returned>,
    fork_generation: u64,
}

impl InstalledFiles {
    /// A table of `files_max` places, rounded up to a power of two, or why there is none. `rouse` ends
    /// the sleep of the core.
    pub(super) fn new(
        submitter: &Submitter<'_>,
        files_max: u32,
        rouse: Rouse,
    ) -> (InstalledFiles, Result<(), String>) {
        let places = if files_max == 0 { 0 } else { files_max.next_power_of_two() };
        let granted = match places {
            0 => Err("ring.installed_files_max is 0".to_owned()),
            _ => submitter.register_files_sparse(places).map_err(|error| error.to_string()),
        };
        let entries = vec![Entry::default(); if granted.is_ok() { places as usize } else { 0 }];
        let returned = Returned { any: false.into(), slots: Mutex::default(), rouse };
        (InstalledFiles { entries, returned: Arc::new(returned), clearing: Vec::new() }, granted)
    }

    /// Where the file of a handle is installed; it may be by this call.
    pub(super) fn slot(&mut self, submitter: &Submitter<'_>, handle: &Handle) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let slot = handle.number() as usize & (self.entries.len() - 1);
        let entry = &mut self.entries[slot];
        if entry.installed {
            return (entry.handle == handle.number()).then_some(slot as u32);
        }
        if entry.handle != handle.number() {
            *entry = Entry { handle: handle.number(), ..Entry::default() };
        }
        entry.submissions += 1;
        if entry.submissions < INSTALL_AFTER {
            return None;
        }
        let slot = slot as u32;
        match submitter.register_files_update(slot, &[handle.raw_fd()?]) {
            Ok(_) => {
                entry.installed = true;
                handle.note_installed(Installation {
                    slot,
                    returned: Arc::clone(&self.returned),
                    fork_generation: fork::generation(),
                });
                Some(slot)
            }
            Err(_) => {
                entry.submissions = 0;
                None
            }
        }
    }

    /// Clears what was given back: the ring closes the file.
    pub(super) fn clear_returned(&mut self, submitter: &Submitter<'_>) {
        if !self.returned.any.load(Acquire) {
            return;
        }
        let mut slots = self.returned.lock();
        self.returned.any.store(false, Relaxed);
        std::mem::swap(&mut *slots, &mut self.clearing);
        // Clearing may close a file, which takes as long as it takes (CORE-1).
        drop(slots);
        for slot in self.clearing.drain(..) {
            self.entries[slot as usize] = Entry::default();
            let cleared = submitter.register_files_update(slot, &[-1]);
            debug_assert!(cleared.is_ok(), "{cleared:?}");
        }
    }
}

impl Returned {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Installation {
    /// The last clone of the handle is gone, and with it every op that names it.
    pub(crate) fn give_back(self) {
        // The ring is the parent's, and the lock may be held by a thread that is not here (FORK-1).
        if fork::generation() != self.fork_generation {
            return;
        }
        self.returned.lock().push(self.slot);
        self.returned.any.store(true, Release);
        (self.returned.rouse)();
    }
}

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Installation").field("slot", &self.slot).finish_non_exhaustive()
    }
}
