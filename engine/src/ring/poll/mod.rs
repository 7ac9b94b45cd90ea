//! The driver for where io_uring is refused: epoll for sockets, a few threads for files.
//!
//! It behaves as the ring does: a submission ends in one completion, a cancel may come too late, and
//! a short result is the table's to carry on. It never makes a call on a core that may wait for a
//! disk (CORE-1), and it decides nothing about an op. Where `openat2(2)` is refused too, it opens what
//! need not stay beneath a directory.

mod call;
mod readiness;
mod threads;

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::probe::{BUFFERS_REGISTERED, Capabilities};
use super::system::{alarm, clear_eventfd, nonblocking_eventfd};
use super::{Driver, DriverCounts, LateOpcode, Outside, Wait};
use crate::config::OpLimits;
use crate::error::{OsError, Result, errno_text};
use crate::op::{Completion, Descriptor, Handle, Op, Span, UserData};
use call::{Call, Waits, probe_openat2};
use readiness::{Readiness, Tried, attempt};
pub(crate) use threads::FileThreads;
use threads::Home;

/// One core's sockets, and its way to the threads for files.
pub(crate) struct PollDriver {
    readiness: Readiness,
    threads: Arc<FileThreads>,
    home: Arc<Home>,
    /// Signalled by the threads; readable while results may lie at `home`.
    finished: Handle,
    /// Signalled by other cores.
    wake: Handle,
    ended: Vec<Completion>,
    openat2: bool,
    counts: DriverCounts,
}

impl PollDriver {
    /// A driver for the calling thread. `why` tells why it is not io_uring.
    ///
    /// # Errors
    /// When there is no descriptor left for epoll and the eventfds.
    pub(crate) fn new(
        limits: &OpLimits,
        threads: &Arc<FileThreads>,
        why: &str,
    ) -> Result<(PollDriver, Capabilities)> {
        let failed = |errno| OsError::new("epoll", "a core's descriptors", errno);
        let readiness = Readiness::new(limits.ops_in_flight_max.into()).map_err(failed)?;
        let finished = nonblocking_eventfd().map_err(failed)?;
        let wake = nonblocking_eventfd().map_err(failed)?;
        for own in [&finished, &wake] {
            let descriptor = own.raw_fd().expect("an eventfd of this process");
            readiness.watch(descriptor).map_err(failed)?;
        }
        let openat2 = probe_openat2();
        let driver = PollDriver {
            readiness,
            threads: Arc::clone(threads),
            home: Arc::new(Home::new(finished.clone())),
            finished,
            wake,
            ended: Vec::with_capacity(limits.ops_in_flight_max.into()),
            openat2: openat2.is_ok(),
            counts: DriverCounts::default(),
        };
        let mut capabilities = Capabilities::new("poll");
        capabilities.note("io_uring", Err(why.to_owned()));
        for feature in [BUFFERS_REGISTERED, "zero-copy send"] {
            capabilities.note(feature, Err("the poll driver has none".to_owned()));
        }
        capabilities.note("openat2", openat2.map_err(without_openat2));
        Ok((driver, capabilities))
    }

    fn start(&mut self, user_data: UserData, call: Call) {
        match call.waits() {
            Waits::Never => {
                // SAFETY: OWN-1: the op has just been put into the table.
                let result = unsafe { call.perform() };
                self.end(user_data, result);
            }
            Waits::ForReady(fd, direction) => {
                // SAFETY: as above.
                match unsafe { attempt(call) } {
                    Tried::Done(result) => self.end(user_data, result),
                    Tried::WouldWait(call) => {
                        let parked = self.readiness.park(user_data, fd, direction, call);
                        parked.unwrap_or_else(|errno| self.end(user_data, -errno));
                    }
                }
            }
            Waits::OnDisk => {
                // SAFETY: as above.
                match unsafe { call.perform_cached() } {
                    Some(result) => self.end(user_data, result),
                    None => self.threads.submit(call, user_data, &self.home),
                }
            }
        }
    }

    fn end(&mut self, user_data: UserData, result: i32) {
        self.ended.push(Completion { user_data, result, more: false, notification: None });
    }
}

impl Driver for PollDriver {
    fn submit(&mut self, user_data: UserData, op: &mut Op, span: Span) {
        self.counts.submissions += 1;
        match Call::of(op, span, self.openat2) {
            Ok(call) => self.start(user_data, call),
            Err(errno) => self.end(user_data, -errno),
        }
    }

    fn cancel(&mut self, target: UserData) {
        if self.readiness.unpark(target) || self.threads.take_back(target, &self.home) {
            self.end(target, -libc::ECANCELED);
        }
    }

    fn enter(&mut self, wait: Wait) -> Result<(), i32> {
        let limit = match wait {
            Wait::UntilCompletion(limit) if self.ended.is_empty() && self.home.is_empty() => limit,
            _ => Some(Duration::ZERO),
        };
        self.counts.enters += 1;
        let ended = &mut self.ended;
        let (finished, wake, wakes) = (&self.finished, &self.wake, &mut self.counts.wakes);
        self.readiness.wait(
            limit,
            |user_data, result| {
                ended.push(Completion { user_data, result, more: false, notification: None });
            },
            |fd| {
                if Some(fd) == finished.raw_fd() {
                    clear_eventfd(finished);
                } else if Some(fd) == wake.raw_fd() {
                    *wakes += 1;
                    clear_eventfd(wake);
                }
            },
        )
    }

    fn completions(&mut self, into: &mut Vec<Completion>) {
        let room = into.capacity().saturating_sub(into.len()).max(1);
        let count = self.ended.len().min(room);
        into.extend(self.ended.drain(..count));
        self.home.take(into, room - count);
    }

    fn adopt(&mut self, descriptor: i32, direct_align: u32) -> Handle {
        // SAFETY: the kernel made this descriptor for an op of ours, and its completion is handed
        // out once.
        let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Handle::new(Descriptor::Os(owned), direct_align)
    }

    fn outside(&mut self) -> Result<Outside, i32> {
        let (readable, wake) = (self.readiness.handle()?, self.wake.clone());
        Ok(Outside { readable, wake, alarm: alarm(libc::TFD_NONBLOCK)? })
    }

    fn is_settled(&mut self) -> bool {
        self.ended.is_empty() && self.home.is_empty()
    }

    fn wake_handle(&self) -> Option<Handle> {
        Some(self.wake.clone())
    }

    fn counts(&self) -> DriverCounts {
        self.counts
    }

    fn supports(&self, opcode: LateOpcode) -> bool {
        match opcode {
            LateOpcode::Truncate => true,
            LateOpcode::SendZeroCopy => false,
        }
    }
}

/// What a user can do about it.
fn without_openat2(errno: i32) -> String {
    format!(
        "{}: paths beneath a directory cannot be opened (SEC-2); a seccomp filter that knows \
         openat2, or Linux 5.6, allows it",
        errno_text(errno)
    )
}
