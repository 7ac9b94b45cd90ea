//! Entering the kernel for a ring: under a number of the calling thread, where the kernel gives one. It
//! then looks up no descriptor and counts no reference, which costs most where a process has many threads.
//! It never looks into the queues: what is staged, and how long to wait, the driver says.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::types::SubmitArgs;
use io_uring::{EnterFlags, IoUring};

/// What `io_uring_enter(2)` is called with to mean one ring, by the thread that the ring belongs to.
pub(super) struct Entrance {
    ring_fd: RawFd,
    /// In the thread's table of rings (`IORING_REGISTER_RING_FDS`, Linux 5.18).
    number: Option<u32>,
    /// Another thread's table may have another ring at that place.
    _of_this_thread: PhantomData<*const ()>,
}

impl Entrance {
    /// To be kept no longer than the ring, and by its thread: the thread's table holds the ring, with all
    /// that is registered in it, until this is dropped or the thread ends.
    pub(super) fn new(ring: &IoUring) -> (Entrance, Result<(), String>) {
        let mut update = RingUpdate { offset: u32::MAX, resv: 0, data: ring.as_raw_fd() as u64 };
        let registered = register(ring.as_raw_fd(), REGISTER_RING_FDS, &mut update);
        let number = registered.is_ok().then_some(update.offset);
        let ring_fd = ring.as_raw_fd();
        let entrance = Entrance { ring_fd, number, _of_this_thread: PhantomData };
        (entrance, registered.map_err(|error| error.to_string()))
    }

    /// Hands `staged` submissions over and waits for `want` completions.
    ///
    /// # Errors
    /// The errno of `io_uring_enter(2)`.
    ///
    /// # Safety
    /// The ring is still there. What the staged submissions point to is owned by their ops (OWN-1).
    /// `args` is given with `EXT_ARG`, and what it points to outlives the call.
    pub(super) unsafe fn enter(
        &self,
        staged: u32,
        want: u32,
        flags: EnterFlags,
        args: Option<&SubmitArgs<'_, '_>>,
    ) -> Result<(), i32> {
        let (fd, flags) = match self.number {
            Some(number) => (number as RawFd, flags | EnterFlags::REGISTERED_RING),
            None => (self.ring_fd, flags),
        };
        let args = args.map_or(std::ptr::null(), std::ptr::from_ref);
        let bytes = size_of::<SubmitArgs<'_, '_>>();
        // SAFETY: the ring is open, or stands in the thread's table; the rest is the caller's promise.
        let entered = unsafe {
            libc::syscall(libc::SYS_io_uring_enter, fd, staged, want, flags.bits(), args, bytes)
        };
        if entered >= 0 {
            return Ok(());
        }
        Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        if let Some(offset) = self.number {
            let mut update = RingUpdate { offset, resv: 0, data: 0 };
            // A refusal leaves the ring to the end of the thread.
            let _ = register(self.ring_fd, UNREGISTER_RING_FDS, &mut update);
        }
    }
}

/// `struct io_uring_rsrc_update`
#[repr(C)]
struct RingUpdate {
    offset: u32,
    resv: u32,
    data: u64,
}

const REGISTER_RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;

/// The library does the same and forgets the number with its `Submitter`, so it is done here.
fn register(ring_fd: RawFd, opcode: u32, update: &mut RingUpdate) -> std::io::Result<()> {
    let update: *mut RingUpdate = update;
    // SAFETY: one update of the kernel's layout, which it reads and writes during the call alone.
    let done = unsafe { libc::syscall(libc::SYS_io_uring_register, ring_fd, opcode, update, 1) };
    if done >= 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::not_tested;
    use std::mem::ManuallyDrop;

    use io_uring::opcode::Nop;

    /// Linux keeps so many for a thread.
    const RINGS_A_THREAD: usize = 16;

    #[test]
    fn a_ring_is_entered_by_its_number_and_leaves_it_behind() {
        let Ok(mut ring) = IoUring::new(2) else {
            return not_tested("the number of a ring, which takes io_uring");
        };
        for _ in 0..2 * RINGS_A_THREAD {
            let (entrance, registered) = Entrance::new(&ring);
            registered.expect("a number is free");
            // SAFETY: a no-op points to nothing.
            unsafe { ring.submission().push(&Nop::new().build()) }.expect("room");
            // The number alone says which ring is meant.
            let number = entrance.number;
            let _of_this_thread = PhantomData;
            let by_number = ManuallyDrop::new(Entrance { ring_fd: -1, number, _of_this_thread });
            // SAFETY: as above, and there are no arguments.
            let entered = unsafe { by_number.enter(1, 1, EnterFlags::GETEVENTS, None) };
            assert_eq!(entered, Ok(()));
            assert_eq!(ring.completion().count(), 1);
            drop(entrance);
            // SAFETY: nothing is staged.
            let entered = unsafe { by_number.enter(0, 0, EnterFlags::empty(), None) };
            assert_eq!(entered, Err(libc::EBADF), "its number is free again");
        }
    }
}
