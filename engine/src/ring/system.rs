//! The few system calls around a ring that are no ring operations.

use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use crate::op::{Descriptor, Handle, SocketAddress, StatxBuf};

/// An eventfd for wake-ups from other threads; reading it waits for a signal.
pub(crate) fn eventfd() -> Result<Handle, i32> {
    eventfd_with(libc::EFD_CLOEXEC)
}

/// An eventfd that answers `EAGAIN` where there is no signal.
pub(crate) fn nonblocking_eventfd() -> Result<Handle, i32> {
    eventfd_with(libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)
}

fn eventfd_with(flags: libc::c_int) -> Result<Handle, i32> {
    // SAFETY: no memory is passed; a result that is not negative is a new descriptor of ours.
    let fd = unsafe { libc::eventfd(0, flags) };
    if fd < 0 {
        return Err(last_errno());
    }
    // SAFETY: the descriptor was made a line ago and nobody else has it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(Handle::new(Descriptor::Os(owned), 0))
}

/// Adds one to an eventfd. It cannot fail short of 2^64 signals that nobody read.
pub(crate) fn signal_eventfd(handle: &Handle) {
    let Some(fd) = handle.raw_fd() else { return };
    let one = 1u64;
    // SAFETY: eight bytes are read from a local variable that outlives the call.
    let written = unsafe { libc::write(fd, (&raw const one).cast(), size_of::<u64>()) };
    debug_assert_eq!(written, 8, "an eventfd takes a signal");
}

/// Takes the signals of an eventfd that does not block.
pub(crate) fn clear_eventfd(handle: &Handle) {
    let Some(fd) = handle.raw_fd() else { return };
    let mut signals = 0u64;
    // SAFETY: eight bytes are written to a local variable. That there is no signal is no failure.
    unsafe { libc::read(fd, (&raw mut signals).cast(), size_of::<u64>()) };
}

/// A timer that is read like an eventfd, and is not set yet.
pub(crate) fn alarm(flags: libc::c_int) -> Result<Handle, i32> {
    // SAFETY: no memory is passed; a result that is not negative is a new descriptor of ours.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | flags) };
    if fd < 0 {
        return Err(last_errno());
    }
    // SAFETY: the descriptor was made a line ago and nobody else has it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(Handle::new(Descriptor::Os(owned), 0))
}

/// Sets an alarm; `None` takes it back.
pub(crate) fn set_alarm(handle: &Handle, after: Option<Duration>) -> Result<(), i32> {
    // A time of zero would take it back.
    let after = after.map_or(Duration::ZERO, |after| after.max(Duration::from_nanos(1)));
    let once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let value = libc::timespec {
        tv_sec: libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: after.subsec_nanos().into(),
    };
    let setting = libc::itimerspec { it_interval: once, it_value: value };
    let fd = handle.raw_fd().ok_or(libc::EBADF)?;
    // SAFETY: the setting is read from a local variable.
    match unsafe { libc::timerfd_settime(fd, 0, &raw const setting, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

/// The CPUs that this process may use, by number.
pub(crate) fn allowed_cpus() -> Vec<usize> {
    // SAFETY: a zeroed cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours and its size is given.
    let got = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if got != 0 {
        return vec![0];
    }
    // SAFETY: every index is below CPU_SETSIZE.
    (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect()
}

/// CPUs of this machine, whichever of them the calling thread may use: others may be pinned elsewhere.
pub(crate) fn online_cpus() -> usize {
    // SAFETY: no memory is passed.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(count).unwrap_or(1).max(1)
}

/// Pins the calling thread to one CPU.
pub(crate) fn pin_to_cpu(cpu: usize) -> Result<(), i32> {
    // SAFETY: a zeroed cpu_set_t is the empty set; the index came from `allowed_cpus`.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        set
    };
    // SAFETY: the set is ours and its size is given.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

/// The soft limit on locked memory in bytes; `None` is unlimited.
pub(crate) fn memlock_limit_bytes() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is ours.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
    (got == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// Whether so much memory may be locked, as far as the limit and the rights of this process tell.
pub(crate) fn may_lock_memory(bytes: u64) -> bool {
    /// `CAP_IPC_LOCK` of capabilities(7), whose holders have no limit.
    const IPC_LOCK: u64 = 1 << 14;
    if memlock_limit_bytes().is_none_or(|limit| bytes <= limit) {
        return true;
    }
    // The kernel asks for the right in the first user namespace, whose number never changes
    // (`PROC_USER_INIT_INO`); in another one it looks held and is not.
    let namespace = std::fs::read_link("/proc/self/ns/user").unwrap_or_default();
    if namespace.as_os_str() != "user:[4026531837]" {
        return false;
    }
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    effective.is_some_and(|capabilities| capabilities & IPC_LOCK != 0)
}

/// Release of the running kernel, such as `6.18.1`.
pub(crate) fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

pub(crate) fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// A socket address in the kernel's form.
pub(crate) fn socket_address(plain: SocketAddr) -> SocketAddress {
    // SAFETY: a zeroed sockaddr_storage is a valid value of it.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let pointer = &raw mut storage;
    let len = match plain {
        SocketAddr::V4(v4) => {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is larger than any address and aligned for all of them.
            unsafe { pointer.cast::<libc::sockaddr_in>().write(address) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let address = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { pointer.cast::<libc::sockaddr_in6>().write(address) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    SocketAddress { storage, len: len as libc::socklen_t, plain }
}

/// The other end of a connected socket; `None` where there is none any more.
pub(crate) fn peer_address(handle: &Handle) -> Option<SocketAddr> {
    address(handle, libc::getpeername)
}

/// Whether what is sent to `peer` stays on this machine, by way of its loopback interface.
pub(crate) fn stays_here(handle: &Handle, peer: SocketAddr) -> bool {
    let is_loopback = handle.raw_fd().is_some() && peer.ip().to_canonical().is_loopback();
    is_loopback || address(handle, libc::getsockname).is_some_and(|own| own.ip() == peer.ip())
}

/// `getpeername(2)` or `getsockname(2)`.
type AskAddress =
    unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

fn address(handle: &Handle, ask: AskAddress) -> Option<SocketAddr> {
    // SAFETY: a zeroed sockaddr_storage is a valid value of it.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = size_of_val(&storage) as libc::socklen_t;
    let place = &raw mut storage;
    // SAFETY: the kernel writes at most `len` bytes, which is what the local value has.
    let got = unsafe { ask(handle.raw_fd()?, place.cast(), &raw mut len) };
    if got != 0 {
        return None;
    }
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says what the storage holds, and it is aligned for all of them.
            let v4 = unsafe { place.cast::<libc::sockaddr_in>().read() };
            let ip = std::net::Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            Some((ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { place.cast::<libc::sockaddr_in6>().read() };
            let (ip, port) = (v6.sin6_addr.s6_addr.into(), u16::from_be(v6.sin6_port));
            let plain = SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id);
            Some(plain.into())
        }
        _ => None,
    }
}

/// Sends small segments at once: a request head must not wait for the ACK of the one before.
pub(crate) fn set_tcp_nodelay(handle: &Handle) {
    let Some(fd) = handle.raw_fd() else { return };
    let on: libc::c_int = 1;
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: an int is read from a local variable. A refusal only costs latency.
    unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), len);
    }
}

/// Lets a receive sleep until so many bytes are there, or the peer has closed (`SO_RCVLOWAT` of
/// socket(7)). The kernel wakes earlier where the window would close otherwise.
pub(crate) fn set_receive_low_water(handle: &Handle, bytes: u32) {
    let Some(fd) = handle.raw_fd() else { return };
    let place = (&raw const bytes).cast();
    let len = size_of::<u32>() as libc::socklen_t;
    // SAFETY: an int is read from a local variable. A refusal only costs wake-ups.
    unsafe {
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, place, len);
    }
}

/// Resets a TCP connection at once, so that the kernel lets go of the memory of its zero-copy sends
/// (NET-1). A plain close would keep trying to deliver, for ever if the peer has stopped reading.
///
/// Connecting to `AF_UNSPEC` throws the send queue away and sends RST (connect(2)); it does so even
/// while a submission still refers to the socket, which `SO_LINGER` with a close would not.
pub(crate) fn reset_connection(handle: &Handle) {
    match handle.descriptor() {
        Descriptor::Os(_) => {}
        #[cfg(any(test, feature = "testing"))]
        Descriptor::Sim(socket) => return socket.reset(),
    }
    let Some(fd) = handle.raw_fd() else { return };
    // SAFETY: a zeroed sockaddr has the family AF_UNSPEC; it is read during the call only.
    unsafe {
        let unspecified: libc::sockaddr = std::mem::zeroed();
        let len = size_of::<libc::sockaddr>() as libc::socklen_t;
        libc::connect(fd, &raw const unspecified, len);
    }
}

/// Bytes of a TCP connection that the peer has acknowledged; `None` where it cannot be read.
pub(crate) fn acknowledged_bytes(handle: &Handle) -> Option<u64> {
    /// `offsetof(struct tcp_info, tcpi_bytes_acked)`, Linux 4.1.
    const BYTES_ACKED_AT: usize = 120;
    match handle.descriptor() {
        Descriptor::Os(_) => tcp_info(handle, BYTES_ACKED_AT),
        #[cfg(any(test, feature = "testing"))]
        Descriptor::Sim(socket) => socket.acknowledged_bytes(),
    }
}

/// Bytes given to a TCP connection that the peer has not acknowledged yet; `None` where it cannot be read.
pub(crate) fn unacknowledged_bytes(handle: &Handle) -> Option<u64> {
    match handle.descriptor() {
        Descriptor::Os(_) => {
            let mut bytes: libc::c_int = 0;
            // SAFETY: the kernel writes an int to a local variable (SIOCOUTQ of tcp(7), by its other name).
            let got = unsafe { libc::ioctl(handle.raw_fd()?, libc::TIOCOUTQ, &raw mut bytes) };
            (got == 0).then(|| u64::try_from(bytes).unwrap_or(0))
        }
        #[cfg(any(test, feature = "testing"))]
        Descriptor::Sim(socket) => socket.unacknowledged_bytes(),
    }
}

/// Bytes that a TCP connection has received and nobody has taken; `None` where it cannot be read.
pub(crate) fn unread_bytes(handle: &Handle) -> Option<u64> {
    match handle.descriptor() {
        Descriptor::Os(_) => {
            let mut bytes: libc::c_int = 0;
            // SAFETY: the kernel writes an int to a local variable (SIOCINQ of tcp(7), by its other name).
            let got = unsafe { libc::ioctl(handle.raw_fd()?, libc::FIONREAD, &raw mut bytes) };
            (got == 0).then(|| u64::try_from(bytes).unwrap_or(0))
        }
        #[cfg(any(test, feature = "testing"))]
        Descriptor::Sim(socket) => socket.unread_bytes(),
    }
}

/// Bytes that a TCP connection has received, whether anybody has taken them or not; `None` where it
/// cannot be read.
pub(crate) fn received_bytes(handle: &Handle) -> Option<u64> {
    /// `offsetof(struct tcp_info, tcpi_bytes_received)`, Linux 4.1.
    const BYTES_RECEIVED_AT: usize = 128;
    match handle.descriptor() {
        Descriptor::Os(_) => tcp_info(handle, BYTES_RECEIVED_AT),
        // There the low-water mark has no effect: what was received is in the buffer.
        #[cfg(any(test, feature = "testing"))]
        Descriptor::Sim(_) => None,
    }
}

/// Whether a connection has ended by a reset and not by the peer's orderly close, which leaves it
/// open to be sent on.
///
/// The errno tells that once only, and it may get lost: a receive of io_uring that has moved bytes
/// answers with their count and drops the error that ended it (`io_recv`, seen on Linux 6.18), and a
/// send may have taken it.
pub(crate) fn was_reset(handle: &Handle) -> bool {
    /// `TCP_CLOSE` of `tcp_states.h`; the state is the first byte of `struct tcp_info`.
    const CLOSED: u8 = 7;
    match handle.descriptor() {
        Descriptor::Os(_) => {
            tcp_info(handle, 0).is_some_and(|info| info.to_ne_bytes()[0] == CLOSED)
        }
        #[cfg(any(test, feature = "testing"))]
        Descriptor::Sim(socket) => socket.was_reset(),
    }
}

/// One of the 64-bit counters of `TCP_INFO` (tcp(7)), whose places never change.
fn tcp_info(handle: &Handle, place: usize) -> Option<u64> {
    let mut info = [0u64; 17];
    let mut len = size_of_val(&info) as libc::socklen_t;
    let to = (&raw mut info).cast();
    // SAFETY: the kernel writes at most `len` bytes, which is what the local array has.
    let got = unsafe {
        libc::getsockopt(handle.raw_fd()?, libc::IPPROTO_TCP, libc::TCP_INFO, to, &raw mut len)
    };
    (got == 0 && len as usize == size_of_val(&info)).then(|| info[place / 8])
}

impl StatxBuf {
    /// An empty place for `statx(2)` to write to.
    pub(crate) fn zeroed() -> Box<StatxBuf> {
        // SAFETY: struct statx consists of integers; all zeros is a value of it.
        Box::new(StatxBuf(unsafe { std::mem::zeroed() }))
    }
}
