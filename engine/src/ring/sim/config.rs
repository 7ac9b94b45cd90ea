//! The sizes and speeds of a world.

use std::ops::Range;
use std::time::Duration;

use super::Faults;

/// What a world is built with. Start from [`SimConfig::calm`] or another preset and change fields.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// What goes wrong.
    pub faults: Faults,
    /// How long an operation on files or names takes, and how long a cancel takes to arrive.
    pub disk_latency: Range<Duration>,
    /// How long an operation on a socket takes once it can go on, and how long a notification
    /// takes.
    pub network_latency: Range<Duration>,
    /// Bytes that the files hold in all; more is ENOSPC. Holes count.
    pub disk_capacity_bytes: u64,
    /// Whether files can be opened with O_DIRECT; EINVAL if not.
    pub direct_io: bool,
    /// What address, length and offset of O_DIRECT transfers must be multiples of, in bytes; EINVAL
    /// if not.
    pub direct_align_bytes: u32,
    /// Whether files can be made without a name (O_TMPFILE); EOPNOTSUPP if not.
    pub unnamed_files: bool,
    /// Whether files can be read and written past the page cache (`RWF_DONTCACHE`); EOPNOTSUPP if
    /// not.
    pub uncached_io: bool,
    /// Bytes that a connection holds in each direction before a send waits.
    pub socket_buffer_bytes: usize,
    /// Whether the kernel knows zero-copy sends; EINVAL if not.
    pub zero_copy_sends: bool,
    /// Connections that wait at a listener to be accepted; one more waits to connect.
    pub accept_backlog: usize,
    /// Open descriptors; one more is EMFILE.
    pub descriptors_max: usize,
    /// Submissions that a driver queues before it hands them over by itself.
    pub submission_entries: usize,
    /// How far the clock moves with each call of a driver's `enter`. Zero in all presets; set it for
    /// code that polls in a loop and would otherwise wait for ever for time to pass.
    pub enter_cost: Duration,
}

impl SimConfig {
    /// A machine on which nothing goes wrong: latencies, but [no faults](Faults::none).
    pub fn calm() -> SimConfig {
        SimConfig {
            faults: Faults::none(),
            disk_latency: Duration::from_micros(10)..Duration::from_micros(100),
            network_latency: Duration::from_micros(5)..Duration::from_micros(500),
            disk_capacity_bytes: 1 << 30,
            direct_io: true,
            direct_align_bytes: 512,
            unnamed_files: true,
            uncached_io: true,
            socket_buffer_bytes: 64 << 10,
            zero_copy_sends: true,
            accept_backlog: 128,
            descriptors_max: 4096,
            submission_entries: 256,
            enter_cost: Duration::ZERO,
        }
    }

    /// Only what must stay [invisible](Faults::transient) above the engine: short transfers, EINTR,
    /// EAGAIN, delays, any order, cancels that lose their race.
    pub fn choppy() -> SimConfig {
        SimConfig { faults: Faults::transient(), ..SimConfig::calm() }
    }

    /// [Every fault](Faults::storm), errors included.
    pub fn stormy() -> SimConfig {
        SimConfig { faults: Faults::storm(), ..SimConfig::calm() }
    }
}

/// Nanoseconds of a duration; more than five centuries count as that.
pub(super) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
