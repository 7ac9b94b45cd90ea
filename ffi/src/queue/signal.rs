//! The descriptor of a queue.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::Failure;
use crate::status::HYD_E_CONFIG;

/// An eventfd.
pub struct Signal {
    descriptor: OwnedFd,
    readable: bool,
}

impl Signal {
    /// One that is not readable.
    pub fn new() -> Result<Signal, Failure> {
        // SAFETY: FORK-1. It takes no memory; the descriptor does not outlive an exec.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            let why = std::io::Error::last_os_error();
            return Err(Failure::new(HYD_E_CONFIG, format!("no eventfd for the queue: {why}")));
        }
        // SAFETY: made above, and nobody else has it.
        Ok(Signal { descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) }, readable: false })
    }

    /// As a loop waits on it.
    pub fn descriptor(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    /// Makes it readable, or not.
    pub fn set(&mut self, readable: bool) {
        if readable == self.readable {
            return;
        }
        self.readable = readable;
        let mut count = 1_u64;
        let (descriptor, place) = (self.descriptor.as_raw_fd(), (&raw mut count).cast());
        // Neither blocks: a counter of 0 is written to, and one of 1 is read. Their outcome changes
        // nothing here.
        // SAFETY: OWN-3. `count` has the 8 bytes that an eventfd reads and writes.
        unsafe {
            match readable {
                true => libc::write(descriptor, place, size_of::<u64>()),
                false => libc::read(descriptor, place, size_of::<u64>()),
            }
        };
    }
}
