//! One `io_uring` of one thread, set up the cheap way, and the turn of its loop.

use io_uring::{IoUring, cqueue, squeue};

use crate::failure::{Failure, Result};

/// `IORING_RECVSEND_POLL_FIRST`: what is asked for cannot be there yet, so the first try to receive
/// would be in vain.
pub(crate) const POLL_FIRST: u16 = 1;

/// A ring and nothing else: its user keeps what is in flight.
pub struct Ring(IoUring);

impl Ring {
    /// A ring that only this thread submits to and that runs completion work when asked (kernel
    /// 6.1).
    ///
    /// # Errors
    /// When the kernel or the container refuses it.
    pub fn new(entries: u32) -> Result<Self> {
        IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(entries.next_power_of_two())
            .map(Self)
            .map_err(|cause| {
                Failure::refused("io_uring_setup (needs kernel 6.1 and no seccomp filter)", cause)
            })
    }

    /// Registers the buffers for `READ_FIXED` and `WRITE_FIXED`, in this order.
    ///
    /// # Safety
    /// The memory outlives the ring.
    ///
    /// # Errors
    /// Mostly `ENOMEM`: without `CAP_IPC_LOCK` they are charged to `RLIMIT_MEMLOCK`.
    pub unsafe fn register(&self, buffers: &[libc::iovec]) -> Result<()> {
        // SAFETY: the caller vouches for the memory.
        unsafe { self.0.submitter().register_buffers(buffers) }
            .map_err(|cause| Failure::refused("registering buffers (see ulimit -l)", cause))
    }

    /// Queues one entry; the kernel sees it in the next [`Ring::turn`].
    ///
    /// # Safety
    /// Buffers and descriptors of the entry stay valid until its completion (OWN-1).
    ///
    /// # Errors
    /// When the queue is full: a ring too small for its user.
    pub unsafe fn push(&mut self, entry: &squeue::Entry) -> Result<()> {
        // SAFETY: the caller vouches for what the entry names.
        unsafe { self.0.submission().push(entry) }.map_err(|_| {
            Failure::wrong("io_uring: more operations in flight than the ring was made for")
        })
    }

    /// Submits, waits for a completion and moves all that are there to `completions`.
    ///
    /// # Errors
    /// When the kernel refuses the call.
    pub fn turn(&mut self, completions: &mut Vec<cqueue::Entry>) -> Result<()> {
        while let Err(cause) = self.0.submit_and_wait(1) {
            if cause.raw_os_error() != Some(libc::EINTR) {
                return Err(Failure::refused("io_uring_enter", cause));
            }
        }
        completions.extend(self.0.completion());
        Ok(())
    }
}
