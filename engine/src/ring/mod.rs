//! Who carries an op out: the kernel's io_uring, epoll and a few threads where that is refused, or a
//! simulated kernel with a seed.
//!
//! A [`Driver`] takes submissions, waits, and hands completions back; it keeps no buffer and makes
//! no decision about an op. What a short result or an error means is decided in [`crate::op`], the
//! same for every driver. This room and [`crate::op`] and [`crate::pool`] are where `unsafe` lives.

mod arena_ring;
mod aside;
mod caller_memory;
mod carrier;
mod clone;
mod entrance;
mod installed;
mod operands;
mod poll;
mod probe;
mod setup;
#[cfg(any(test, feature = "testing"))]
pub mod sim;
mod system;
mod uring;

use std::ops::Range;
use std::time::Duration;

use arena_ring::ArenaRing;
pub(crate) use caller_memory::pin;
pub(crate) use carrier::Carrier;
pub(crate) use installed::Installation;
pub use probe::{Capabilities, Feature, FeatureState};
pub(crate) use system::{
    acknowledged_bytes, allowed_cpus, online_cpus, peer_address, pin_to_cpu, received_bytes,
    reset_connection, set_alarm, set_receive_low_water, set_tcp_nodelay, signal_eventfd,
    socket_address, stays_here, unacknowledged_bytes, unread_bytes, was_reset,
};

use crate::op::{Completion, Handle, Op, Span, UserData};
use crate::pool::Buf;

/// How long [`Driver::enter`] may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Hand over what is queued and come back at once.
    No,
    /// Sleep until a completion is there, or for the given time; `None` is without limit.
    UntilCompletion(Option<Duration>),
}

/// A kernel, real or simulated, as one core sees it.
pub(crate) trait Driver {
    /// Queues one submission. `span` is relative to the start of the op's own span. The op stays at
    /// its place in the table until the completion; what it points to does not move.
    ///
    /// A full queue is flushed by the driver itself; an error of the queue comes as a completion.
    fn submit(&mut self, user_data: UserData, op: &mut Op, span: Span);

    /// Queues a cancel for one submission. Its own completion is reported as [`UserData::NONE`]
    /// or not at all.
    fn cancel(&mut self, target: UserData);

    /// Hands queued submissions over and, if asked, sleeps.
    ///
    /// # Errors
    /// The errno of `io_uring_enter(2)` or `epoll_wait(2)` when the driver itself is broken;
    /// interruptions and time-outs are no errors.
    fn enter(&mut self, wait: Wait) -> Result<(), i32>;

    /// Moves the completions that are there into `into`, at most its free capacity.
    fn completions(&mut self, into: &mut Vec<Completion>);

    /// Makes a handle of a fresh descriptor that a completion carried.
    fn adopt(&mut self, descriptor: i32, direct_align: u32) -> Handle;

    /// What a loop outside of the turns waits for; made once.
    ///
    /// # Errors
    /// An errno; `ENOSYS` of a driver that nobody can wait for.
    fn outside(&mut self) -> Result<Outside, i32>;

    /// Whether nothing is queued for the kernel and nothing lies here to be taken: only then may
    /// somebody wait outside.
    fn is_settled(&mut self) -> bool;

    /// The eventfd that other threads signal to wake this core from a wait; `None` where nothing ever
    /// sleeps.
    fn wake_handle(&self) -> Option<Handle>;

    /// Calls of `io_uring_enter(2)` or `epoll_wait(2)`, and submissions, so far.
    fn counts(&self) -> DriverCounts;

    /// Whether operations on that memory use it as a registered buffer.
    fn holds(&self, _buf: &Buf, _within: &Range<usize>) -> bool {
        false
    }

    /// Whether an opcode that came late to the kernel is there.
    fn supports(&self, opcode: LateOpcode) -> bool;
}

/// How a loop that the caller owns learns that a turn has something to do.
pub(crate) struct Outside {
    /// Readable when a completion is there.
    pub(crate) readable: Handle,
    /// Signalled by other threads while nobody is in a turn; makes the first readable.
    pub(crate) wake: Handle,
    /// A timer whose expiry is read through the driver, and so makes the other readable.
    pub(crate) alarm: Handle,
}

/// Opcodes that a kernel of our floor (6.1) may lack, or a filter may forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LateOpcode {
    /// `IORING_OP_FTRUNCATE`, Linux 6.9.
    Truncate,
    /// `IORING_OP_SEND_ZC`, Linux 6.0.
    SendZeroCopy,
}

/// What a driver counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DriverCounts {
    pub(crate) enters: u64,
    pub(crate) submissions: u64,
    pub(crate) overflows: u64,
    /// Times that another thread ended a wait.
    pub(crate) wakes: u64,
    /// Slabs of the pool that are used unregistered, although that was to be had at the start.
    pub(crate) refused_slabs: u64,
}
