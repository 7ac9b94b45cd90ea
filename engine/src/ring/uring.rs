//! The driver over the kernel's io_uring: one ring, used by one thread.

use std::ops::Range;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use super::arena_ring::{ArenaRing, CoreSlabs};
use super::caller_memory::{CallerMemory, RingTable, memory_of};
use super::entrance::Entrance;
use super::installed::InstalledFiles;
use super::operands::{self, read_by_kernel, transfer_flags, written_by_kernel};
use super::probe::{BUFFERS_REGISTERED, Capabilities};
use super::setup::{Gathering, build_ring, enter_flags, probe_opcodes};
use super::{Driver, DriverCounts, LateOpcode, Outside, Wait};
use crate::config::RingLimits;
use crate::error::Error;
use crate::op::{Completion, Descriptor, Handle, Notification, Op, Span, UserData};
use crate::park::Rouse;
use crate::pool::Buf;

/// The completions of the submission that waits for the eventfd; no op has it.
const WAKE: UserData = UserData(u64::MAX - 1);

/// So many bytes of file transfers are not kept from the kernel while the tasks of a turn still run.
const STAGED_BYTES_MAX: usize = 4 << 20;

/// A ring and what it was granted.
pub(crate) struct UringDriver {
    /// Ahead of the ring, so that it is dropped before it.
    entrance: Entrance,
    ring: IoUring,
    eventfd: Handle,
    /// No submission waits for it: none yet, or the last has ended.
    listen_again: bool,
    /// Why none can.
    deaf: Option<i32>,
    slabs: CoreSlabs,
    truncate: bool,
    send_zero_copy: bool,
    files: InstalledFiles,
    caller_memory: CallerMemory,
    /// Where it begins in the table, behind the slabs of the arena.
    caller_first: u32,
    submit_batch: usize,
    submit_batch_files: usize,
    submit_send_bytes: usize,
    /// Transfers of files among what is staged, and their bytes.
    staged_files: usize,
    staged_bytes: usize,
    /// Bytes that are to be sent.
    staged_send_bytes: usize,
    gathering: Gathering,
    harvests_max: u32,
    enter_flags: EnterFlags,
    counts: DriverCounts,
    /// Signalled by the kernel with each completion, for a loop outside of the turns.
    announced: Option<Handle>,
    /// Submissions that never reached the kernel end here.
    refused: Vec<Completion>,
}

impl UringDriver {
    /// Sets a ring up for the calling thread, which alone may use it (`SINGLE_ISSUER`).
    ///
    /// # Errors
    /// [`Error::RingRefused`] when there is no ring to be had at all.
    pub(crate) fn new(
        limits: &RingLimits,
        arena_ring: &Arc<ArenaRing>,
        rouse: Rouse,
    ) -> Result<(UringDriver, Capabilities), Error> {
        let mut capabilities = Capabilities::new("io_uring");
        let ring = build_ring(limits, &mut capabilities)?;
        let (entrance, numbered) = Entrance::new(&ring);
        capabilities.note("registered ring descriptor", numbered);
        let (slabs, registered) = CoreSlabs::new(&ring.submitter(), arena_ring);
        capabilities.note(BUFFERS_REGISTERED, registered);
        let probe = probe_opcodes(&ring);
        let supported = |code| probe.as_ref().is_some_and(|probe| probe.is_supported(code));
        let truncate = supported(opcode::Ftruncate::CODE);
        let send_zero_copy = supported(opcode::SendZc::CODE) && supported(opcode::SendMsgZc::CODE);
        let lacking = || Err("the kernel does not list the opcode".to_owned());
        capabilities.note("zero-copy send", if send_zero_copy { Ok(()) } else { lacking() });
        capabilities.note("ftruncate in the ring", if truncate { Ok(()) } else { lacking() });
        let eventfd = super::system::eventfd()
            .map_err(|errno| crate::OsError::new("eventfd", "wake-up of a core", errno))?;
        let rouse: Arc<dyn Fn() + Send + Sync> = rouse.into();
        let caller_memory = CallerMemory::new(limits.caller_entries_max, Arc::clone(&rouse));
        let rouse_files = Box::new(move || rouse());
        let (files, installed) =
            InstalledFiles::new(&ring.submitter(), limits.installed_files_max, rouse_files);
        capabilities.note("installed files", installed);
        let enter_flags = enter_flags(&ring, &mut capabilities);
        let gathering = Gathering::new(&ring, limits, &mut capabilities);
        let driver = UringDriver {
            entrance,
            ring,
            files,
            caller_memory,
            caller_first: arena_ring.slabs(),
            submit_batch: limits.submit_batch.max(1) as usize,
            submit_batch_files: limits.submit_batch_files.max(1) as usize,
            submit_send_bytes: limits.submit_send_bytes as usize,
            staged_files: 0,
            staged_bytes: 0,
            staged_send_bytes: 0,
            gathering,
            harvests_max: limits.harvests_max,
            enter_flags,
            eventfd,
            listen_again: true,
            deaf: None,
            slabs,
            truncate,
            send_zero_copy,
            counts: DriverCounts::default(),
            announced: None,
            refused: Vec::new(),
        };
        Ok((driver, capabilities))
    }

    fn push(&mut self, entry: &squeue::Entry) {
        self.counts.submissions += 1;
        loop {
            let mut queue = self.ring.submission();
            // SAFETY: OWN-1: everything the entry points to is owned by the op, which stays in the
            // table until the last completion of this submission.
            let pushed = unsafe { queue.push(entry) }.is_ok();
            let staged = queue.len();
            drop(queue);
            if pushed && staged < self.submit_batch && !self.is_due() {
                return;
            }
            let submitted = self.enter_ring(0, None);
            if pushed {
                // What did not go through now goes through, or fails, at the end of the turn.
                return;
            }
            if let Err(errno) = submitted
                && !is_transient(errno)
            {
                let user_data = UserData(entry.get_user_data());
                return self.refuse(user_data, errno);
            }
        }
    }

    /// Whether a disk or a peer should not wait for the end of the turn.
    fn is_due(&self) -> bool {
        self.staged_files >= self.submit_batch_files
            || self.staged_bytes >= STAGED_BYTES_MAX
            || self.staged_send_bytes >= self.submit_send_bytes.max(1)
    }

    /// Has each signal of the eventfd end a sleep. The eventfd is never read, which saves a system call
    /// or a submission a signal: the kernel tells each anew, not that there is one.
    fn listen(&mut self) {
        if std::mem::take(&mut self.listen_again)
            && let Ok(eventfd) = fd(&self.eventfd)
        {
            let entry = opcode::PollAdd::new(eventfd, libc::POLLIN as u32).multi(true).build();
            self.push(&entry.user_data(WAKE.0));
        }
    }

    /// Hands over what is staged and waits for `want` completions, at most for `limit`.
    fn enter_ring(&mut self, want: u32, limit: Option<Duration>) -> Result<(), i32> {
        let queue = self.ring.submission();
        let staged = queue.len() as u32;
        // Deferred work, and entries that were kept aside, come with an enter that asks for them.
        let pending = queue.taskrun() || queue.cq_overflow();
        drop(queue);
        let mut flags = self.enter_flags;
        flags.set(EnterFlags::GETEVENTS, want > 0 || pending);
        let timespec = limit.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(timespec) = &timespec {
            args = args.timespec(timespec);
        }
        let (mut want, mut extended) = (want, timespec.is_some());
        if want > 0 && self.gathering.min_wait_us > 0 {
            args = args.min_wait_usec(self.gathering.min_wait_us);
            (want, extended) = (self.gathering.completions, true);
        }
        flags.set(EnterFlags::EXT_ARG, extended);
        (self.staged_files, self.staged_bytes, self.staged_send_bytes) = (0, 0, 0);
        self.counts.enters += 1;
        // SAFETY: `args` comes with its flag, and what it points to outlives the call; what the entries
        // point to is owned by their ops (OWN-1).
        unsafe { self.entrance.enter(staged, want, flags, extended.then_some(&args)) }
    }

    /// Has the kernel post completions whose work it has put off, until there are none or it has been
    /// asked often enough.
    fn harvest(&mut self) -> Result<(), i32> {
        for _ in 0..self.harvests_max {
            if !self.ring.submission().taskrun() {
                break;
            }
            self.enter_ring(0, None)?;
        }
        Ok(())
    }

    /// The entry of the ring's table that holds the memory of a submission; it may be filled by this call.
    fn registered_place(&mut self, op: &Op, span: Span) -> Option<u16> {
        let (submitter, first) = (self.ring.submitter(), self.caller_first);
        let place = match memory_of(op, span)? {
            (Buf::Lease(lease), within) => {
                self.slabs.place(lease.slabs_of(&within)?, &submitter)?
            }
            (Buf::Region(_), _) => {
                first + self.caller_memory.place(op, span, &mut RingTable { submitter, first })?
            }
            (Buf::Bytes(_), _) => return None,
        };
        u16::try_from(place).ok()
    }

    fn refuse(&mut self, user_data: UserData, errno: i32) {
        if user_data.0 == WAKE.0 {
            self.deaf = Some(errno);
            return;
        }
        self.refused.push(Completion {
            user_data,
            result: -errno,
            more: false,
            notification: None,
        });
    }
}

impl Driver for UringDriver {
    fn submit(&mut self, user_data: UserData, op: &mut Op, span: Span) {
        let installed = match op {
            Op::Read { file, .. } | Op::Write { file, .. } => {
                self.staged_files += 1;
                self.staged_bytes += span.len;
                self.files.slot(&self.ring.submitter(), file)
            }
            Op::Send { .. } | Op::SendZc { .. } | Op::SendList { .. } => {
                self.staged_send_bytes += span.len;
                None
            }
            _ => None,
        };
        let registered = self.registered_place(op, span);
        match build_entry(op, span, registered, installed) {
            Ok(entry) => self.push(&entry.user_data(user_data.0)),
            Err(errno) => self.refuse(user_data, errno),
        }
    }

    fn cancel(&mut self, target: UserData) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::user_data(target.0)).build();
        let entry = entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(UserData::NONE.0);
        self.push(&entry);
    }

    fn enter(&mut self, wait: Wait) -> Result<(), i32> {
        if let Some(announced) = &self.announced {
            // What is signalled from here on is new.
            super::system::clear_eventfd(announced);
        }
        self.files.clear_returned(&self.ring.submitter());
        let (submitter, first) = (self.ring.submitter(), self.caller_first);
        self.caller_memory.clear_returned(&mut RingTable { submitter, first });
        self.listen();
        let result = match wait {
            Wait::UntilCompletion(limit) if self.refused.is_empty() => self.enter_ring(1, limit),
            _ => {
                let queue = self.ring.submission();
                let idle = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
                drop(queue);
                if idle { Ok(()) } else { self.enter_ring(0, None) }
            }
        };
        let result = result.and_then(|()| self.harvest());
        match (result, self.deaf) {
            (Err(errno), _) if !is_transient(errno) => Err(errno),
            (_, Some(errno)) => Err(errno),
            _ => Ok(()),
        }
    }

    fn completions(&mut self, into: &mut Vec<Completion>) {
        let mut queue = self.ring.completion();
        self.counts.overflows = u64::from(queue.overflow());
        into.append(&mut self.refused);
        let room = into.capacity().saturating_sub(into.len()).max(1);
        for entry in queue.by_ref().take(room) {
            if entry.user_data() != WAKE.0 {
                into.push(completion_of(&entry));
                continue;
            }
            // It ends by itself where the completion queue is full.
            self.listen_again |= !cqueue::more(entry.flags());
            match entry.result() {
                errno if errno < 0 => self.deaf = Some(-errno),
                _ => self.counts.wakes += 1,
            }
        }
    }

    fn adopt(&mut self, descriptor: i32, direct_align: u32) -> Handle {
        // SAFETY: the kernel made this descriptor for an op of ours, and its completion is handed
        // out once.
        let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Handle::new(Descriptor::Os(owned), direct_align)
    }

    fn outside(&mut self) -> Result<Outside, i32> {
        // The ring's own descriptor does not become readable under `DEFER_TASKRUN`.
        let readable = super::system::nonblocking_eventfd()?;
        let fd = readable.raw_fd().ok_or(libc::EBADF)?;
        let registered = self.ring.submitter().register_eventfd(fd);
        registered.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))?;
        self.announced = Some(readable.clone());
        // Other threads signal it directly. Through the ring, by a read of another eventfd, the signal
        // is lost from the second time on: the kernel puts signals off that come from within one,
        // and never clears the mark for it (seen on Linux 6.18).
        let wake = readable.clone();
        Ok(Outside { readable, wake, alarm: super::system::alarm(0)? })
    }

    fn is_settled(&mut self) -> bool {
        let queue = self.ring.submission();
        // The kernel works off so much at a time, and signals nothing for the rest (Linux 6.13).
        let quiet = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
        drop(queue);
        quiet && !self.listen_again && self.refused.is_empty() && self.ring.completion().is_empty()
    }

    fn wake_handle(&self) -> Option<Handle> {
        Some(self.eventfd.clone())
    }

    fn counts(&self) -> DriverCounts {
        DriverCounts { refused_slabs: self.slabs.refused(), ..self.counts }
    }

    fn holds(&self, buf: &Buf, within: &Range<usize>) -> bool {
        match buf {
            Buf::Lease(lease) => lease.slabs_of(within).is_some_and(|slabs| self.slabs.hold(slabs)),
            _ => self.caller_memory.holds(buf),
        }
    }

    fn supports(&self, opcode: LateOpcode) -> bool {
        match opcode {
            LateOpcode::Truncate => self.truncate,
            LateOpcode::SendZeroCopy => self.send_zero_copy,
        }
    }
}

impl Drop for UringDriver {
    fn drop(&mut self) {
        // The kernel takes a closed ring apart later, and its files would stay open until then.
        let _ = self.ring.submitter().unregister_files();
    }
}

/// Answers of `io_uring_enter(2)` after which the loop simply goes on: a signal, the time limit, a
/// completion queue that must be emptied first, a momentary lack of memory.
fn is_transient(errno: i32) -> bool {
    matches!(errno, libc::EINTR | libc::ETIME | libc::EBUSY | libc::EAGAIN)
}

fn completion_of(entry: &cqueue::Entry) -> Completion {
    /// The notification of a zero-copy send says in bit 31 that the kernel copied after all
    /// (`IORING_NOTIF_USAGE_ZC_COPIED`, Linux 6.2).
    const ZERO_COPY_COPIED: u32 = 1 << 31;
    let flags = entry.flags();
    let notification = cqueue::notif(flags)
        .then(|| Notification { copied: entry.result() as u32 & ZERO_COPY_COPIED != 0 });
    Completion {
        user_data: UserData(entry.user_data()),
        result: entry.result(),
        more: cqueue::more(flags),
        notification,
    }
}

fn fd(handle: &Handle) -> Result<Fd, i32> {
    operands::fd(handle).map(Fd)
}

fn at(dir: Option<&Handle>) -> Result<Fd, i32> {
    operands::at(dir).map(Fd)
}

/// A file's descriptor or its place in the table of the ring, and the flag that tells which.
fn target(file: &Handle, installed: Option<u32>) -> Result<(Fd, squeue::Flags), i32> {
    match installed {
        Some(slot) => Ok((Fd(slot as i32), squeue::Flags::FIXED_FILE)),
        None => Ok((fd(file)?, squeue::Flags::empty())),
    }
}

/// `IORING_SEND_ZC_REPORT_USAGE`, Linux 6.2.
const REPORT_USAGE: u16 = 1 << 3;

/// The entry of one submission, or the errno that the kernel would answer.
fn build_entry(
    op: &mut Op,
    span: Span,
    registered: Option<u16>,
    installed: Option<u32>,
) -> Result<squeue::Entry, i32> {
    Ok(match op {
        Op::Open { dir, path, how, .. } => {
            // `OpenHow` has the layout of the kernel's `struct open_how`, as the crate's own has.
            let how = (&raw const **how).cast::<io_uring::types::OpenHow>();
            opcode::OpenAt2::new(at(dir.as_ref())?, path.as_ptr(), how).build()
        }
        Op::Statx { dir, path, follow, out } => {
            let mut flags = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
            if !*follow {
                flags |= libc::AT_SYMLINK_NOFOLLOW;
            }
            let out = (&raw mut out.0).cast::<io_uring::types::statx>();
            opcode::Statx::new(at(dir.as_ref())?, path.as_ptr(), out)
                .flags(flags)
                .mask(libc::STATX_BASIC_STATS | libc::STATX_DIOALIGN)
                .build()
        }
        Op::Read { file, buf, span: whole, offset } => {
            let raw = written_by_kernel(buf, whole.start, span)?;
            let (offset, flags) = (*offset + span.start as u64, transfer_flags(file));
            let (fd, target_flag) = target(file, installed)?;
            let entry = match registered {
                Some(index) => opcode::ReadFixed::new(fd, raw.ptr, raw.len as u32, index)
                    .offset(offset)
                    .rw_flags(flags)
                    .build(),
                None => opcode::Read::new(fd, raw.ptr, raw.len as u32)
                    .offset(offset)
                    .rw_flags(flags)
                    .build(),
            };
            entry.flags(target_flag)
        }
        Op::Write { file, buf, span: whole, offset } => {
            let raw = read_by_kernel(buf, whole.start, span)?;
            let (offset, flags) = (*offset + span.start as u64, transfer_flags(file));
            let (fd, target_flag) = target(file, installed)?;
            let entry = match registered {
                Some(index) => opcode::WriteFixed::new(fd, raw.ptr, raw.len as u32, index)
                    .offset(offset)
                    .rw_flags(flags)
                    .build(),
                None => opcode::Write::new(fd, raw.ptr, raw.len as u32)
                    .offset(offset)
                    .rw_flags(flags)
                    .build(),
            };
            entry.flags(target_flag)
        }
        Op::Sync { file, data_only } => {
            let flags = if *data_only { FsyncFlags::DATASYNC } else { FsyncFlags::empty() };
            opcode::Fsync::new(fd(file)?).flags(flags).build()
        }
        Op::Allocate { file, offset, len } => {
            opcode::Fallocate::new(fd(file)?, *len).offset(*offset).build()
        }
        Op::Truncate { file, len } => opcode::Ftruncate::new(fd(file)?, *len).build(),
        Op::Advise { file, offset, len, advice } => {
            opcode::Fadvise::new(fd(file)?, *len as libc::off_t, *advice).offset(*offset).build()
        }
        Op::Rename { from_dir, from, to_dir, to, no_replace } => {
            let flags = if *no_replace { libc::RENAME_NOREPLACE } else { 0 };
            let (from_dir, to_dir) = (at(from_dir.as_ref())?, at(to_dir.as_ref())?);
            opcode::RenameAt::new(from_dir, from.as_ptr(), to_dir, to.as_ptr()).flags(flags).build()
        }
        Op::Link { from, dir, to, .. } => {
            let dir = at(dir.as_ref())?;
            opcode::LinkAt::new(Fd(libc::AT_FDCWD), from.as_ptr(), dir, to.as_ptr())
                .flags(libc::AT_SYMLINK_FOLLOW)
                .build()
        }
        Op::Unlink { dir, path, directory } => {
            let flags = if *directory { libc::AT_REMOVEDIR } else { 0 };
            opcode::UnlinkAt::new(at(dir.as_ref())?, path.as_ptr()).flags(flags).build()
        }
        Op::Mkdir { dir, path, mode } => {
            opcode::MkDirAt::new(at(dir.as_ref())?, path.as_ptr()).mode(*mode).build()
        }
        Op::Socket { ipv6 } => {
            let family = if *ipv6 { libc::AF_INET6 } else { libc::AF_INET };
            opcode::Socket::new(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0).build()
        }
        Op::Connect { socket, address } => {
            let storage = (&raw const address.storage).cast::<libc::sockaddr>();
            opcode::Connect::new(fd(socket)?, storage, address.len).build()
        }
        Op::Accept { listener } => {
            let null = std::ptr::null_mut();
            opcode::Accept::new(fd(listener)?, null, std::ptr::null_mut())
                .flags(libc::SOCK_CLOEXEC)
                .build()
        }
        Op::Recv { socket, buf, span: whole, fill } => {
            let raw = written_by_kernel(buf, whole.start, span)?;
            let flags = if *fill { libc::MSG_WAITALL } else { 0 };
            opcode::Recv::new(fd(socket)?, raw.ptr, raw.len as u32).flags(flags).build()
        }
        Op::Send { socket, buf, span: whole, more } => {
            let raw = read_by_kernel(buf, whole.start, span)?;
            let more = if *more { libc::MSG_MORE } else { 0 };
            opcode::Send::new(fd(socket)?, raw.ptr, raw.len as u32)
                .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL | more)
                .build()
        }
        Op::SendZc { socket, buf, span: whole } => {
            let raw = read_by_kernel(buf, whole.start, span)?;
            opcode::SendZc::new(fd(socket)?, raw.ptr, raw.len as u32)
                .buf_index(registered)
                .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
                .zc_flags(REPORT_USAGE)
                .build()
        }
        Op::SendList { socket, list, span: whole, zero_copy } => {
            let start = whole.start + span.start;
            let (fd, message) = (fd(socket)?, list.message(Span { start, ..span })?);
            let flags = (libc::MSG_NOSIGNAL | libc::MSG_WAITALL) as u32;
            match zero_copy {
                true => {
                    opcode::SendMsgZc::new(fd, message).ioprio(REPORT_USAGE).flags(flags).build()
                }
                false => opcode::SendMsg::new(fd, message).flags(flags).build(),
            }
        }
        Op::Expiry { timerfd, buf } => {
            let ptr = (&raw mut **buf).cast::<u8>();
            opcode::Read::new(fd(timerfd)?, ptr, size_of::<u64>() as u32).build()
        }
        #[cfg(any(test, feature = "testing"))]
        Op::FreedEarly => return Err(libc::EINVAL),
    })
}
