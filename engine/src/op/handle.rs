//! A counted reference to an open file or socket, whoever's kernel it lives in.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ring::Installation;

/// A file, a socket or an eventfd. Cloning counts; the last clone closes.
///
/// Files are ordinary descriptors, because the parts of one file are written by several cores and a
/// direct descriptor belongs to one ring (see `docs/architecture.md`, decisions dear to change). A
/// core that uses one often installs it in its ring.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Of this handle alone, in the life of the process: a descriptor's number is used again.
    number: u64,
    descriptor: Descriptor,
    /// Bytes that offsets, lengths and addresses of an O_DIRECT file must be multiples of; 0 where
    /// the file is buffered or a socket.
    direct_align: AtomicU32,
    /// Whether transfers leave nothing in the page cache (`RWF_DONTCACHE`).
    uncached: AtomicBool,
    installed: Mutex<Vec<Installation>>,
}

/// What a handle stands for.
#[derive(Debug)]
pub(crate) enum Descriptor {
    /// A descriptor of this process.
    Os(OwnedFd),
    /// An object of the simulated kernel; dropping it closes it there.
    #[cfg(any(test, feature = "testing"))]
    Sim(crate::ring::sim::SimDescriptor),
}

impl Handle {
    pub(crate) fn new(descriptor: Descriptor, direct_align: u32) -> Handle {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Handle(Arc::new(Inner {
            number: NEXT.fetch_add(1, Relaxed),
            descriptor,
            direct_align: direct_align.into(),
            uncached: false.into(),
            installed: Mutex::default(),
        }))
    }

    /// No other handle has it or ever had it; never 0.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// To be given back with the last clone.
    pub(crate) fn note_installed(&self, installation: Installation) {
        self.0.installed.lock().unwrap_or_else(PoisonError::into_inner).push(installation);
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// The raw descriptor for a submission; `None` for an object of the simulator.
    pub(crate) fn raw_fd(&self) -> Option<RawFd> {
        match &self.0.descriptor {
            Descriptor::Os(fd) => Some(fd.as_raw_fd()),
            #[cfg(any(test, feature = "testing"))]
            Descriptor::Sim(_) => None,
        }
    }

    /// The descriptor, for a loop that waits for it; `None` for an object of the simulator.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.0.descriptor {
            Descriptor::Os(fd) => Some(fd.as_fd()),
            #[cfg(any(test, feature = "testing"))]
            Descriptor::Sim(_) => None,
        }
    }

    /// A descriptor of its own for the same file, for a thread that may block.
    pub(crate) fn duplicate(&self) -> std::io::Result<OwnedFd> {
        match &self.0.descriptor {
            Descriptor::Os(fd) => fd.try_clone(),
            #[cfg(any(test, feature = "testing"))]
            Descriptor::Sim(_) => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn direct_align(&self) -> u32 {
        self.0.direct_align.load(Relaxed)
    }

    pub(crate) fn is_uncached(&self) -> bool {
        self.0.uncached.load(Relaxed)
    }

    pub(crate) fn set_uncached(&self, on: bool) {
        self.0.uncached.store(on, Relaxed);
    }

    /// Corrects what was assumed when the file was opened.
    pub(crate) fn set_direct_align(&self, bytes: u32) {
        self.0.direct_align.store(bytes, Relaxed);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let installed = self.installed.get_mut().unwrap_or_else(PoisonError::into_inner);
        installed.drain(..).for_each(Installation::give_back);
    }
}
