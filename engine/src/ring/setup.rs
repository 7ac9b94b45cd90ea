//! What a core's ring is given before its first turn: the flags of its setup, taken away one by one
//! where the kernel refuses them, and what it is asked once and remembers.

use io_uring::types::SubmitArgs;
use io_uring::{EnterFlags, IoUring, Probe, opcode};

use super::probe::Capabilities;
use crate::config::RingLimits;
use crate::error::{Error, errno_text};
use crate::op::UserData;

/// The flags that a kernel may lack, newest first.
#[rustfmt::skip]
const FLAGS: [Flag; 5] = [
    // Linux 6.6.
    Flag { name: "NO_SQARRAY", set: |builder| { builder.setup_no_sqarray(); } },
    // Linux 6.1.
    Flag { name: "DEFER_TASKRUN", set: |builder| { builder.setup_defer_taskrun(); } },
    // Linux 6.0; the one before needs it.
    Flag { name: "SINGLE_ISSUER", set: |builder| { builder.setup_single_issuer(); } },
    // Linux 5.19, which knows it with COOP_TASKRUN or with DEFER_TASKRUN.
    Flag { name: "TASKRUN_FLAG", set: |builder| { builder.setup_taskrun_flag(); } },
    // Linux 5.18.
    Flag { name: "SUBMIT_ALL", set: |builder| { builder.setup_submit_all(); } },
];

/// Without the first so many, completions are not deferred.
const DEFERRED: usize = 2;
const NOT_COOPERATIVE: usize = 4;

struct Flag {
    name: &'static str,
    set: fn(&mut io_uring::Builder),
}

/// Asks for all flags and takes them away newest first where the kernel answers `EINVAL`: it does not
/// say which one it does not know.
pub(super) fn build_ring(
    limits: &RingLimits,
    capabilities: &mut Capabilities,
) -> Result<IoUring, Error> {
    let (ring, lacking) = strip(|lacking| build_without(limits, lacking)).map_err(refused)?;
    let knows_sockets = |probe: Probe| probe.is_supported(opcode::Socket::CODE);
    if !probe_opcodes(&ring).is_some_and(knows_sockets) {
        // Linux 5.19. The youngest of what nothing is done in place of.
        return Err(refused(libc::ENOSYS));
    }
    for (place, flag) in FLAGS.iter().enumerate() {
        let granted = if place < lacking { Err(errno_text(libc::EINVAL)) } else { Ok(()) };
        capabilities.note(flag.name, granted);
    }
    Ok(ring)
}

/// What `build` gives without as few of the flags as it takes, and without how many that is.
fn strip<T>(mut build: impl FnMut(usize) -> Result<T, i32>) -> Result<(T, usize), i32> {
    let mut lacking = 0;
    loop {
        match build(lacking) {
            Ok(built) => return Ok((built, lacking)),
            Err(libc::EINVAL) if lacking < FLAGS.len() => lacking += 1,
            Err(errno) => return Err(errno),
        }
    }
}

/// A ring without the first so many of the flags.
fn build_without(limits: &RingLimits, lacking: usize) -> Result<IoUring, i32> {
    let mut builder = IoUring::builder();
    builder
        .dontfork()
        .setup_clamp()
        .setup_cqsize(limits.completion_entries.max(2 * limits.submission_entries));
    FLAGS[lacking..].iter().for_each(|flag| (flag.set)(&mut builder));
    if (DEFERRED..NOT_COOPERATIVE).contains(&lacking) {
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

    #[test]
    fn flags_that_the_kernel_does_not_know_are_taken_away_one_by_one() {
        for known in 0..=FLAGS.len() {
            let mut asked = Vec::new();
            let built = strip(|lacking| {
                asked.push(lacking);
                if lacking < known { Err(libc::EINVAL) } else { Ok(()) }
            });
            assert_eq!(built, Ok(((), known)));
            assert_eq!(asked, Vec::from_iter(0..=known));
        }
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
        assert_eq!((never.err(), asked), (Some(libc::EINVAL), FLAGS.len() + 1));
    }

    /// As older kernels grant them: each of these rings carries no-ops.
    #[test]
    fn a_ring_works_without_any_of_the_flags() {
        for lacking in 0..=FLAGS.len() {
            match build_without(&RingLimits::default(), lacking) {
                Ok(ring) => carry_no_ops(ring, &format!("without {lacking}")),
                Err(errno @ (libc::ENOSYS | libc::EPERM)) => {
                    not_tested(format_args!("flags of rings: {}", errno_text(errno)));
                }
                // An older kernel.
                Err(libc::EINVAL) if lacking < FLAGS.len() => {}
                Err(errno) => panic!("without {lacking}: {}", errno_text(errno)),
            }
        }
    }

    fn carry_no_ops(mut ring: IoUring, what: &str) {
        for number in 0..3 {
            let entry = opcode::Nop::new().build().user_data(number);
            // SAFETY: a no-op points to nothing.
            unsafe { ring.submission().push(&entry) }.expect("a fresh queue has room");
        }
        assert_eq!(ring.submit_and_wait(3).expect(what), 3, "{what}");
        let ended = Vec::from_iter(ring.completion().map(|entry| entry.user_data()));
        assert_eq!(ended, [0, 1, 2], "{what}");
    }
}
