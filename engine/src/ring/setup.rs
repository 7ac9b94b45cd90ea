//! What a core's ring is given before its first turn: the flags of its setup, taken away one by one
//! where the kernel refuses them, and what it is asked once and remembers.

use io_uring::types::SubmitArgs;
use io_uring::{EnterFlags, IoUring, Probe, opcode};

use super::probe::Capabilities;
use crate::config::RingLimits;
use crate::error::{Error, errno_text};
use crate::op::UserData;

/// The flags that a kernel may lack which has rings for cores (Linux 5.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flags {
    /// Linux 6.6.
    no_sqarray: bool,
    /// With `SINGLE_ISSUER`, without which the kernel refuses it (Linux 6.1). `COOP_TASKRUN` in its place.
    defer_taskrun: bool,
}

/// Asks for all flags and takes them away newest first where the kernel answers `EINVAL`: it does not
/// say which one it does not know.
pub(super) fn build_ring(
    limits: &RingLimits,
    capabilities: &mut Capabilities,
) -> Result<IoUring, Error> {
    let (ring, granted) = strip(|flags| build_with(limits, flags)).map_err(refused)?;
    let state = |on| if on { Ok(()) } else { Err(errno_text(libc::EINVAL)) };
    capabilities.note("SINGLE_ISSUER | DEFER_TASKRUN", state(granted.defer_taskrun));
    capabilities.note("NO_SQARRAY", state(granted.no_sqarray));
    Ok(ring)
}

/// What `build` gives for as many of the flags as it takes, and which these are.
fn strip<T>(mut build: impl FnMut(Flags) -> Result<T, i32>) -> Result<(T, Flags), i32> {
    let mut flags = Flags { no_sqarray: true, defer_taskrun: true };
    loop {
        match build(flags) {
            Ok(built) => return Ok((built, flags)),
            Err(libc::EINVAL) if flags.no_sqarray => flags.no_sqarray = false,
            Err(libc::EINVAL) if flags.defer_taskrun => flags.defer_taskrun = false,
            Err(errno) => return Err(errno),
        }
    }
}

fn build_with(limits: &RingLimits, flags: Flags) -> Result<IoUring, i32> {
    let mut builder = IoUring::builder();
    builder
        .dontfork()
        .setup_submit_all()
        .setup_clamp()
        .setup_cqsize(limits.completion_entries.max(2 * limits.submission_entries))
        .setup_taskrun_flag();
    if flags.no_sqarray {
        builder.setup_no_sqarray();
    }
    if flags.defer_taskrun {
        builder.setup_single_issuer().setup_defer_taskrun();
    } else {
        builder.setup_coop_taskrun();
    }
    let built = builder.build(limits.submission_entries);
    built.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::not_tested;

    const ALL: Flags = Flags { no_sqarray: true, defer_taskrun: true };

    /// What is granted by a kernel that takes no others than these.
    fn granted(known: Flags) -> (Flags, Vec<Flags>) {
        let mut asked = Vec::new();
        let built = strip(|flags| {
            asked.push(flags);
            let unknown = flags.no_sqarray && !known.no_sqarray
                || flags.defer_taskrun && !known.defer_taskrun;
            if unknown { Err(libc::EINVAL) } else { Ok(()) }
        });
        (built.expect("a ring").1, asked)
    }

    #[test]
    fn flags_that_the_kernel_does_not_know_are_taken_away_newest_first() {
        assert_eq!(granted(ALL), (ALL, vec![ALL]));
        let before_6_6 = Flags { no_sqarray: false, ..ALL };
        assert_eq!(granted(before_6_6), (before_6_6, vec![ALL, before_6_6]));
        let before_6_1 = Flags { defer_taskrun: false, ..before_6_6 };
        assert_eq!(granted(before_6_1), (before_6_1, vec![ALL, before_6_6, before_6_1]));
    }

    #[test]
    fn a_ring_that_is_refused_for_anything_else_is_not_asked_for_again() {
        for errno in [libc::EPERM, libc::ENOSYS, libc::ENOMEM] {
            let mut asked = 0;
            let built = strip(|_| -> Result<(), i32> {
                asked += 1;
                Err(errno)
            });
            assert_eq!((built.err(), asked), (Some(errno), 1));
        }
        let mut asked = 0;
        let never = strip(|_| -> Result<(), i32> {
            asked += 1;
            Err(libc::EINVAL)
        });
        assert_eq!((never.err(), asked), (Some(libc::EINVAL), 3));
    }

    #[test]
    fn a_ring_is_built_with_any_of_the_flags() {
        let none = Flags { no_sqarray: false, defer_taskrun: false };
        for flags in [ALL, Flags { no_sqarray: false, ..ALL }, none] {
            match build_with(&RingLimits::default(), flags) {
                Ok(_) => {}
                Err(errno @ (libc::ENOSYS | libc::EPERM)) => {
                    not_tested(format_args!("flags of rings: {}", errno_text(errno)));
                }
                // An older kernel.
                Err(libc::EINVAL) if flags != none => {}
                Err(errno) => panic!("{flags:?}: {}", errno_text(errno)),
            }
        }
    }
}
