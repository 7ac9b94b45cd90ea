//! A counted reference to an open file or socket, whoever's kernel it lives in.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A file, a socket or an eventfd. Cloning counts; the last clone closes.
///
/// Files are ordinary descriptors, because the parts of one file are written by several cores and a
/// direct descriptor belongs to one ring (see `docs/architecture.md`, decisions dear to change).
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    descriptor: Descriptor,
    /// Bytes that offsets, lengths and addresses of an O_DIRECT file must be multiples of; 0 where
    /// the file is buffered or a socket.
    direct_align: AtomicU32,
    /// Whether transfers leave nothing in the page cache (`RWF_DONTCACHE`).
    uncached: AtomicBool,
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
        let (direct_align, uncached) = (direct_align.into(), false.into());
        Handle(Arc::new(Inner { descriptor, direct_align, uncached }))
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
