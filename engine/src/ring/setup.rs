//! What a core's ring is given before its first turn: the flags of its setup, taken away one by one
//! where the kernel refuses them, and what it is asked once and remembers.

use io_uring::types::SubmitArgs;
use io_uring::{EnterFlags, IoUring, Probe, opcode};

use super::probe::Capabilities;
use crate::config::RingLimits;
use crate::error::{Error, errno_text};
use crate::op::UserData;

/// Asks for all flags and takes them away newest first where the kernel answers `EINVAL`.
pub(super) fn build_ring(
    limits: &RingLimits,
    capabilities: &mut Capabilities,
) -> Result<IoUring, Error> {
    let mut no_sqarray = true;
    let mut defer_taskrun = true;
    loop {
        let mut builder = IoUring::builder();
        builder
            .dontfork()
            .setup_submit_all()
            .setup_clamp()
            .setup_cqsize(limits.completion_entries.max(2 * limits.submission_entries));
        if no_sqarray {
            builder.setup_no_sqarray();
        }
        if defer_taskrun {
            builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
        } else {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        let errno = match builder.build(limits.submission_entries) {
            Ok(ring) => {
                let state = |on| if on { Ok(()) } else { Err(errno_text(libc::EINVAL)) };
                capabilities.note("SINGLE_ISSUER | DEFER_TASKRUN", state(defer_taskrun));
                capabilities.note("NO_SQARRAY", state(no_sqarray));
                return Ok(ring);
            }
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        match errno {
            libc::EINVAL if no_sqarray => no_sqarray = false,
            libc::EINVAL if defer_taskrun => defer_taskrun = false,
            _ => return Err(refused(errno)),
        }
    }
}

/// Sets a ring up as the cores' will be and sends one no-op through it: whether io_uring is to be had at all.
///
/// # Errors
/// [`Error::RingRefused`].
pub(super) fn try_ring(limits: &RingLimits) -> Result<(), Error> {
    let mut ring = build_ring(limits, &mut Capabilities::new("io_uring"))?;
    let entry = opcode::Nop::new().build().user_data(UserData::NONE.0);
    // SAFETY: a no-op points to nothing.
    let pushed = unsafe { ring.submission().push(&entry) };
    pushed.expect("a fresh queue has room");
    loop {
        match ring.submit_and_wait(1).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO)) {
            Ok(_) => return Ok(()),
            Err(libc::EINTR) => {}
            Err(errno) => return Err(refused(errno)),
        }
    }
}

fn refused(errno: i32) -> Error {
    let sysctl = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    Error::RingRefused { errno, sysctl: sysctl.map(|text| text.trim().to_owned()) }
}

pub(super) fn probe_opcodes(ring: &IoUring) -> Option<Probe> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).ok()?;
    Some(probe)
}

/// How completions are gathered before a sleep ends.
#[derive(Clone, Copy)]
pub(super) struct Gathering {
    /// 0 where they are not.
    pub(super) min_wait_us: u32,
    pub(super) completions: u32,
}

impl Gathering {
    pub(super) fn new(
        ring: &IoUring,
        limits: &RingLimits,
        capabilities: &mut Capabilities,
    ) -> Gathering {
        let mut min_wait_us = u32::try_from(limits.min_wait.as_micros()).unwrap_or(u32::MAX);
        if min_wait_us > 0 {
            let args = SubmitArgs::new().min_wait_usec(min_wait_us);
            let granted = try_enter(ring, EnterFlags::EXT_ARG, Some(&args));
            let granted = granted.and(supported(ring.params().is_feature_min_timeout()));
            min_wait_us *= u32::from(granted.is_ok());
            capabilities.note("minimum wait", granted);
        }
        Gathering { min_wait_us, completions: limits.min_wait_completions.max(1) }
    }
}

/// A core that waits for its peers is no core that waits for a disk, and the kernel's figures of load
/// are to say so (`IORING_ENTER_NO_IOWAIT`, Linux 6.15).
pub(super) fn enter_flags(ring: &IoUring, capabilities: &mut Capabilities) -> EnterFlags {
    let granted = supported(ring.params().is_feature_no_iowait());
    let granted = granted.and_then(|()| try_enter(ring, EnterFlags::NO_IOWAIT, None));
    let flags = if granted.is_ok() { EnterFlags::NO_IOWAIT } else { EnterFlags::empty() };
    capabilities.note("NO_IOWAIT", granted);
    flags
}

fn supported(listed: bool) -> Result<(), String> {
    if listed { Ok(()) } else { Err("the kernel does not list the feature".to_owned()) }
}

/// One call that submits nothing and waits for nothing.
fn try_enter(
    ring: &IoUring,
    flags: EnterFlags,
    args: Option<&SubmitArgs<'_, '_>>,
) -> Result<(), String> {
    let flags = flags | EnterFlags::GETEVENTS;
    // SAFETY: `args` is the kernel's `io_uring_getevents_arg` and is given with its flag.
    let entered = unsafe { ring.submitter().enter(0, 0, flags.bits(), args) };
    entered.map(drop).map_err(|error| error.to_string())
}
