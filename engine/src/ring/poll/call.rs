//! One submission as the system call that carries it out.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::os::fd::RawFd;
use std::sync::{Mutex, PoisonError};

use super::super::operands::{at, fd, read_by_kernel, transfer_flags, written_by_kernel};
use super::super::system::last_errno;
use crate::op::{Op, OpenHow, Span};

/// A system call with its arguments, as the kernel takes them.
///
/// The pointers lead into an op that stays in the table until the call's completion has been handed
/// out (OWN-1), the descriptors belong to handles of that op.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    Open {
        dir: RawFd,
        path: *const c_char,
        how: *const OpenHow,
    },
    /// Without the rules of `openat2(2)` about where a path may lead.
    OpenAnywhere {
        dir: RawFd,
        path: *const c_char,
        flags: c_int,
        mode: u32,
    },
    Statx {
        dir: RawFd,
        path: *const c_char,
        flags: c_int,
        out: *mut libc::statx,
    },
    Read {
        file: RawFd,
        memory: Memory,
        offset: u64,
        flags: c_int,
        cached_first: bool,
    },
    Write {
        file: RawFd,
        memory: Memory,
        offset: u64,
        flags: c_int,
    },
    Sync {
        file: RawFd,
        data_only: bool,
    },
    Allocate {
        file: RawFd,
        offset: u64,
        len: u64,
    },
    Truncate {
        file: RawFd,
        len: u64,
    },
    Advise {
        file: RawFd,
        offset: u64,
        len: u64,
        advice: c_int,
    },
    Rename {
        from: (RawFd, *const c_char),
        to: (RawFd, *const c_char),
        flags: c_uint,
    },
    Link {
        from: *const c_char,
        dir: RawFd,
        to: *const c_char,
    },
    Unlink {
        dir: RawFd,
        path: *const c_char,
        flags: c_int,
    },
    Mkdir {
        dir: RawFd,
        path: *const c_char,
        mode: u32,
    },
    Socket {
        family: c_int,
    },
    Connect {
        socket: RawFd,
        address: *const libc::sockaddr,
        len: libc::socklen_t,
    },
    Accept {
        listener: RawFd,
    },
    Receive {
        socket: RawFd,
        memory: Memory,
    },
    Send {
        socket: RawFd,
        memory: Memory,
        flags: c_int,
    },
    SendList {
        socket: RawFd,
        message: *const libc::msghdr,
    },
    Expiry {
        timerfd: RawFd,
        value: *mut u64,
    },
}

/// Memory that a call reads or writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    ptr: *mut u8,
    len: usize,
}

/// Where a call may have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// Nowhere.
    Never,
    /// For a descriptor to become ready.
    ForReady(RawFd, Direction),
    /// In the kernel, on the disk: not on a core (CORE-1).
    OnDisk,
}

/// What a descriptor must become ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

// SAFETY: the pointers lead to memory that is the op's alone until the completion (OWN-1); which
// thread makes the call is of no matter to it.
unsafe impl Send for Call {}

impl Call {
    /// The call of one submission, or the errno that the kernel would answer. `openat2` tells
    /// whether there is that call; without it a path that has to stay somewhere is refused (SEC-2).
    pub(super) fn of(op: &mut Op, span: Span, openat2: bool) -> Result<Call, i32> {
        Ok(match op {
            Op::Open { how, .. } if !openat2 && how.resolve != 0 => return Err(libc::ENOSYS),
            Op::Open { dir, path, how, .. } if !openat2 => Call::OpenAnywhere {
                dir: at(dir.as_ref())?,
                path: path.as_ptr(),
                flags: how.flags as c_int,
                mode: how.mode as u32,
            },
            Op::Open { dir, path, how, .. } => {
                Call::Open { dir: at(dir.as_ref())?, path: path.as_ptr(), how: &raw const **how }
            }
            Op::Statx { dir, path, follow, out } => {
                let empty = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
                let links = if *follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
                let (dir, out) = (at(dir.as_ref())?, &raw mut out.0);
                Call::Statx { dir, path: path.as_ptr(), flags: empty | links, out }
            }
            Op::Read { file, buf, span: whole, offset } => Call::Read {
                file: fd(file)?,
                memory: Memory::of(written_by_kernel(buf, whole.start, span)?),
                offset: *offset + span.start as u64,
                flags: transfer_flags(file),
                cached_first: file.direct_align() == 0,
            },
            Op::Write { file, buf, span: whole, offset } => Call::Write {
                file: fd(file)?,
                memory: Memory::of(read_by_kernel(buf, whole.start, span)?),
                offset: *offset + span.start as u64,
                flags: transfer_flags(file),
            },
            Op::Sync { file, data_only } => Call::Sync { file: fd(file)?, data_only: *data_only },
            Op::Allocate { file, offset, len } => {
                Call::Allocate { file: fd(file)?, offset: *offset, len: *len }
            }
            Op::Truncate { file, len } => Call::Truncate { file: fd(file)?, len: *len },
            Op::Advise { file, offset, len, advice } => {
                Call::Advise { file: fd(file)?, offset: *offset, len: *len, advice: *advice }
            }
            Op::Rename { from_dir, from, to_dir, to, no_replace } => Call::Rename {
                from: (at(from_dir.as_ref())?, from.as_ptr()),
                to: (at(to_dir.as_ref())?, to.as_ptr()),
                flags: if *no_replace { libc::RENAME_NOREPLACE } else { 0 },
            },
            Op::Link { from, dir, to, .. } => {
                Call::Link { from: from.as_ptr(), dir: at(dir.as_ref())?, to: to.as_ptr() }
            }
            Op::Unlink { dir, path, directory } => {
                let flags = if *directory { libc::AT_REMOVEDIR } else { 0 };
                Call::Unlink { dir: at(dir.as_ref())?, path: path.as_ptr(), flags }
            }
            Op::Mkdir { dir, path, mode } => {
                Call::Mkdir { dir: at(dir.as_ref())?, path: path.as_ptr(), mode: *mode }
            }
            Op::Socket { ipv6 } => {
                Call::Socket { family: if *ipv6 { libc::AF_INET6 } else { libc::AF_INET } }
            }
            Op::Connect { socket, address } => Call::Connect {
                socket: fd(socket)?,
                address: (&raw const address.storage).cast(),
                len: address.len,
            },
            Op::Accept { listener } => Call::Accept { listener: fd(listener)? },
            // Filling a span is the table's work here: it carries every short result on.
            Op::Recv { socket, buf, span: whole, .. } => Call::Receive {
                socket: fd(socket)?,
                memory: Memory::of(written_by_kernel(buf, whole.start, span)?),
            },
            Op::Send { socket, buf, span: whole, more } => Call::Send {
                socket: fd(socket)?,
                memory: Memory::of(read_by_kernel(buf, whole.start, span)?),
                flags: if *more { libc::MSG_MORE } else { 0 },
            },
            // Its notification comes by the error queue, which this driver does not read.
            Op::SendZc { .. } | Op::SendList { zero_copy: true, .. } => {
                return Err(libc::EOPNOTSUPP);
            }
            Op::SendList { socket, list, span: whole, .. } => Call::SendList {
                socket: fd(socket)?,
                message: list.message(Span { start: whole.start + span.start, ..span })?,
            },
            Op::Expiry { timerfd, buf } => {
                Call::Expiry { timerfd: fd(timerfd)?, value: &raw mut **buf }
            }
            #[cfg(any(test, feature = "testing"))]
            Op::FreedEarly => return Err(libc::EINVAL),
        })
    }

    pub(super) fn waits(&self) -> Waits {
        use Direction::{In, Out};
        match *self {
            Call::Socket { .. } => Waits::Never,
            Call::Accept { listener: fd } => Waits::ForReady(fd, In),
            Call::Receive { socket: fd, .. } | Call::Expiry { timerfd: fd, .. } => {
                Waits::ForReady(fd, In)
            }
            Call::Connect { socket: fd, .. }
            | Call::Send { socket: fd, .. }
            | Call::SendList { socket: fd, .. } => Waits::ForReady(fd, Out),
            _ => Waits::OnDisk,
        }
    }

    /// Makes the call: a count, a descriptor or 0, or a negated errno.
    ///
    /// # Safety
    /// The op that the call was made of is alive and its buffers are nobody else's (OWN-1).
    pub(super) unsafe fn perform(&self) -> i32 {
        // SAFETY: the caller vouches for all pointers and descriptors; lengths are those of the
        // memory that the op owns.
        let result = unsafe { self.raw() };
        if result < 0 { -last_errno() } else { i32::try_from(result).unwrap_or(i32::MAX) }
    }

    /// Reads what the page cache holds without waiting for the disk; `None` where it holds nothing,
    /// or where the file system cannot tell (`RWF_NOWAIT`, Linux 4.14).
    ///
    /// # Safety
    /// As [`Call::perform`].
    pub(super) unsafe fn perform_cached(&self) -> Option<i32> {
        let &Call::Read { file, memory, offset, cached_first: true, .. } = self else {
            return None;
        };
        let vector = memory.vector();
        // SAFETY: as above.
        let read = unsafe {
            libc::preadv2(file, &raw const vector, 1, offset as libc::off_t, libc::RWF_NOWAIT)
        };
        // An end of file is left to the call that may wait, which knows it for certain.
        (read > 0).then(|| i32::try_from(read).unwrap_or(i32::MAX))
    }

    /// # Safety
    /// As [`Call::perform`].
    unsafe fn raw(&self) -> i64 {
        let dont_wait = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the caller vouches for every pointer; see `perform`.
        unsafe {
            match *self {
                Call::Open { dir, path, how } => {
                    libc::syscall(libc::SYS_openat2, dir, path, how, size_of::<OpenHow>())
                }
                Call::OpenAnywhere { dir, path, flags, mode } => {
                    libc::openat(dir, path, flags, mode).into()
                }
                Call::Statx { dir, path, flags, out } => {
                    let mask = libc::STATX_BASIC_STATS | libc::STATX_DIOALIGN;
                    libc::statx(dir, path, flags, mask, out).into()
                }
                Call::Read { file, memory, offset, flags, .. } => {
                    let vector = memory.vector();
                    libc::preadv2(file, &raw const vector, 1, offset as libc::off_t, flags) as i64
                }
                Call::Write { file, memory, offset, flags } => {
                    let vector = memory.vector();
                    libc::pwritev2(file, &raw const vector, 1, offset as libc::off_t, flags) as i64
                }
                Call::Sync { file, data_only: true } => libc::fdatasync(file).into(),
                Call::Sync { file, data_only: false } => libc::fsync(file).into(),
                Call::Allocate { file, offset, len } => {
                    libc::fallocate(file, 0, offset as libc::off_t, len as libc::off_t).into()
                }
                Call::Truncate { file, len } => libc::ftruncate(file, len as libc::off_t).into(),
                Call::Advise { file, offset, len, advice } => {
                    let (offset, len) = (offset as libc::off_t, len as libc::off_t);
                    // It answers with the errno itself.
                    let errno = libc::posix_fadvise(file, offset, len, advice);
                    *libc::__errno_location() = errno;
                    if errno == 0 { 0 } else { -1 }
                }
                Call::Rename { from, to, flags } => {
                    libc::syscall(libc::SYS_renameat2, from.0, from.1, to.0, to.1, flags)
                }
                Call::Link { from, dir, to } => {
                    libc::linkat(libc::AT_FDCWD, from, dir, to, libc::AT_SYMLINK_FOLLOW).into()
                }
                Call::Unlink { dir, path, flags } => libc::unlinkat(dir, path, flags).into(),
                Call::Mkdir { dir, path, mode } => libc::mkdirat(dir, path, mode).into(),
                Call::Socket { family } => {
                    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
                    libc::socket(family, kind, 0).into()
                }
                Call::Connect { socket, address, len } => {
                    libc::connect(socket, address, len).into()
                }
                Call::Accept { listener } => accept(listener),
                Call::Receive { socket, memory } => {
                    libc::recv(socket, memory.ptr.cast(), memory.len, dont_wait) as i64
                }
                Call::Send { socket, memory, flags } => {
                    let from: *const c_void = memory.ptr.cast();
                    libc::send(socket, from, memory.len, dont_wait | flags) as i64
                }
                Call::SendList { socket, message } => {
                    libc::sendmsg(socket, message, dont_wait) as i64
                }
                Call::Expiry { timerfd, value } => {
                    libc::read(timerfd, value.cast(), size_of::<u64>()) as i64
                }
            }
        }
    }
}

impl Memory {
    fn of(raw: crate::pool::RawSpan) -> Memory {
        Memory { ptr: raw.ptr, len: raw.len }
    }

    fn vector(self) -> libc::iovec {
        libc::iovec { iov_base: self.ptr.cast(), iov_len: self.len }
    }
}

/// Whether `openat2(2)` is there: it is not before Linux 5.6, and filters that do not know it refuse
/// it.
pub(super) fn probe_openat2() -> Result<(), i32> {
    let flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    let how = OpenHow { flags, ..OpenHow::default() };
    let (path, how) = (c"/".as_ptr(), &raw const how);
    // SAFETY: path and structure are local and read during the call only; a result that is not
    // negative is a new descriptor of ours, which is closed at once.
    unsafe {
        let fd = libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path, how, size_of::<OpenHow>());
        if fd < 0 {
            return Err(last_errno());
        }
        libc::close(fd as RawFd);
    }
    Ok(())
}

/// Accepts without waiting: the connection that made the listener ready may be gone.
///
/// There is no flag for that, only the mark on the listener, which is everybody's who has a clone of
/// it: a ring would answer EAGAIN for it instead of waiting. So it is set for the length of the
/// call, and by one thread at a time, because the next one's call would wait where this one has
/// taken the mark away.
fn accept(listener: RawFd) -> i64 {
    static MARKING: Mutex<()> = Mutex::new(());
    let _marking = MARKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mark = |on: c_int| {
        // SAFETY: an int is read from a local variable.
        unsafe { libc::ioctl(listener, libc::FIONBIO, &raw const on) }
    };
    if mark(1) != 0 {
        return -1;
    }
    let null = std::ptr::null_mut();
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no address is asked for; errno is the thread's own.
    unsafe {
        let accepted = libc::accept4(listener, null, std::ptr::null_mut(), flags);
        let errno = last_errno();
        mark(0);
        *libc::__errno_location() = errno;
        accepted.into()
    }
}
