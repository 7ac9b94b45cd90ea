//! What goes wrong in a world, and how often.

use std::time::Duration;

/// The faults of a world. Unless a unit is named, a field is the probability, from 0 to 1, that the
/// fault meets one submission; faults are drawn when a submission is first carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// A read ends early, with at least one byte, or one block of an O_DIRECT file.
    pub short_read: f64,
    /// A write ends early, with at least one byte, or one block of an O_DIRECT file.
    pub short_write: f64,
    /// A write writes nothing and reports 0.
    pub zero_write: f64,
    /// A receive ends early, also one that is to fill its buffer.
    pub short_recv: f64,
    /// A send ends early.
    pub short_send: f64,
    /// EINTR: open, read, write, fallocate, accept, receive, send.
    pub interrupted: f64,
    /// EAGAIN: receive, send, reads of regular files (as XFS answers them), and opens with
    /// `RESOLVE_BENEATH` or `RESOLVE_IN_ROOT` (openat2(2)).
    pub again: f64,
    /// EIO of any operation on the disk. After a failed fsync the data that it should have saved
    /// counts as clean and is lost in a crash, even if a later fsync succeeds.
    pub io_error: f64,
    /// ENOSPC of whatever may need room: write, fallocate, mkdir, opens with `O_CREAT`.
    pub no_space: f64,
    /// A receive or send meets a connection that was just reset (ECONNRESET on both sides).
    pub reset: f64,
    /// ECONNREFUSED although somebody listens.
    pub refused: f64,
    /// An operation takes up to [`delay_max`](Faults::delay_max) longer.
    pub delay: f64,
    /// How much longer at most.
    pub delay_max: Duration,
    /// A receive or send does nothing for [`stall_time`](Faults::stall_time).
    pub stall: f64,
    /// How long it does nothing.
    pub stall_time: Duration,
    /// The cores are stepped later than the next thing happens, by up to
    /// [`oversleep_max`](Faults::oversleep_max): several completions are there at once.
    pub oversleep: f64,
    /// How much later at most.
    pub oversleep_max: Duration,
    /// The next completion handed out is any of those that are there, not the oldest.
    pub reorder: f64,
    /// A cancel leaves its target alone. It goes on and completes late, or is ended then.
    pub cancel_ignored: f64,
    /// How much later an operation completes that ignored its cancel, at most.
    pub late_max: Duration,
    /// The notification of a zero-copy send says that the kernel copied.
    pub copied: f64,
    /// A zero-copy send that fails posts a notification after its error. The manual page leaves it
    /// open.
    pub notify_after_error: f64,
}

/// One kind of fault, to ask how often it was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the field of `Faults` of the same name")]
pub enum Fault {
    ShortRead,
    ShortWrite,
    ZeroWrite,
    ShortRecv,
    ShortSend,
    Interrupted,
    Again,
    IoError,
    NoSpace,
    Reset,
    Refused,
    Delay,
    Stall,
    Oversleep,
    Reorder,
    CancelIgnored,
    Copied,
    NotifyAfterError,
}

impl Fault {
    /// All of them, in the order of their numbers.
    pub const ALL: [Fault; 18] = [
        Fault::ShortRead,
        Fault::ShortWrite,
        Fault::ZeroWrite,
        Fault::ShortRecv,
        Fault::ShortSend,
        Fault::Interrupted,
        Fault::Again,
        Fault::IoError,
        Fault::NoSpace,
        Fault::Reset,
        Fault::Refused,
        Fault::Delay,
        Fault::Stall,
        Fault::Oversleep,
        Fault::Reorder,
        Fault::CancelIgnored,
        Fault::Copied,
        Fault::NotifyAfterError,
    ];
}

impl Faults {
    /// How probable one kind is.
    pub fn probability(&self, fault: Fault) -> f64 {
        match fault {
            Fault::ShortRead => self.short_read,
            Fault::ShortWrite => self.short_write,
            Fault::ZeroWrite => self.zero_write,
            Fault::ShortRecv => self.short_recv,
            Fault::ShortSend => self.short_send,
            Fault::Interrupted => self.interrupted,
            Fault::Again => self.again,
            Fault::IoError => self.io_error,
            Fault::NoSpace => self.no_space,
            Fault::Reset => self.reset,
            Fault::Refused => self.refused,
            Fault::Delay => self.delay,
            Fault::Stall => self.stall,
            Fault::Oversleep => self.oversleep,
            Fault::Reorder => self.reorder,
            Fault::CancelIgnored => self.cancel_ignored,
            Fault::Copied => self.copied,
            Fault::NotifyAfterError => self.notify_after_error,
        }
    }

    /// Nothing goes wrong.
    pub fn none() -> Faults {
        Faults {
            short_read: 0.0,
            short_write: 0.0,
            zero_write: 0.0,
            short_recv: 0.0,
            short_send: 0.0,
            interrupted: 0.0,
            again: 0.0,
            io_error: 0.0,
            no_space: 0.0,
            reset: 0.0,
            refused: 0.0,
            delay: 0.0,
            delay_max: Duration::ZERO,
            stall: 0.0,
            stall_time: Duration::ZERO,
            oversleep: 0.0,
            oversleep_max: Duration::ZERO,
            reorder: 0.0,
            cancel_ignored: 0.0,
            late_max: Duration::ZERO,
            copied: 0.0,
            notify_after_error: 0.0,
        }
    }

    /// Everything that the engine must absorb by itself, so that no operation fails for it.
    pub fn transient() -> Faults {
        Faults {
            short_read: 0.2,
            short_write: 0.2,
            short_recv: 0.2,
            short_send: 0.2,
            interrupted: 0.1,
            again: 0.1,
            delay: 0.1,
            delay_max: Duration::from_millis(50),
            reorder: 0.5,
            cancel_ignored: 0.5,
            late_max: Duration::from_millis(200),
            oversleep: 0.1,
            oversleep_max: Duration::from_millis(2),
            copied: 0.5,
            ..Faults::none()
        }
    }

    /// Everything at once, errors included.
    pub fn storm() -> Faults {
        Faults {
            zero_write: 0.02,
            io_error: 0.02,
            no_space: 0.01,
            reset: 0.01,
            refused: 0.05,
            stall: 0.002,
            stall_time: Duration::from_secs(600),
            notify_after_error: 0.5,
            ..Faults::transient()
        }
    }
}
