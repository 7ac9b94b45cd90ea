//! Calls that wait for a descriptor to become ready, and the epoll instance that tells.
//!
//! A descriptor is armed for one event at a time (`EPOLLONESHOT`) and armed again while calls wait
//! for it. So nothing here has to know when a descriptor was closed and its number used again: the
//! kernel forgets it, the next arming finds that out and adds it anew.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::super::system::last_errno;
use super::call::{Call, Direction};
use crate::op::{Descriptor, Handle, UserData};

/// Events taken in one wait; more are taken in the next.
const EVENTS_MAX: usize = 256;

/// The calls of one core that wait.
pub(super) struct Readiness {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    parked: HashMap<u64, Parked>,
    /// Indexed by descriptor, which are small numbers.
    queues: Vec<Queues>,
}

#[derive(Debug, Clone, Copy)]
struct Parked {
    fd: RawFd,
    direction: Direction,
    call: Call,
}

/// Who waits for one descriptor, oldest first.
#[derive(Debug, Default)]
struct Queues {
    for_in: VecDeque<u64>,
    for_out: VecDeque<u64>,
}

/// What became of a call that was tried.
pub(super) enum Tried {
    /// It has a result.
    Done(i32),
    /// It waits, as this call.
    WouldWait(Call),
}

impl Readiness {
    pub(super) fn new(calls_max: usize) -> Result<Readiness, i32> {
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(last_errno());
        }
        // SAFETY: the descriptor was made a line ago and nobody else has it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let empty = libc::epoll_event { events: 0, u64: 0 };
        Ok(Readiness {
            epoll,
            events: vec![empty; EVENTS_MAX],
            parked: HashMap::with_capacity(calls_max),
            queues: Vec::new(),
        })
    }

    /// The epoll instance, which is readable itself while one of its descriptors is ready.
    pub(super) fn handle(&self) -> Result<Handle, i32> {
        let own = self.epoll.try_clone().map_err(|error| error.raw_os_error().unwrap_or(libc::EIO));
        Ok(Handle::new(Descriptor::Os(own?), 0))
    }

    /// Reports a descriptor of the driver itself for as long as it is readable.
    pub(super) fn watch(&self, fd: RawFd) -> Result<(), i32> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN as u32)
    }

    /// Lets a call wait until `fd` is ready for it; an errno where that cannot be waited for.
    pub(super) fn park(
        &mut self,
        user_data: UserData,
        fd: RawFd,
        direction: Direction,
        call: Call,
    ) -> Result<(), i32> {
        let index = fd as usize;
        if self.queues.len() <= index {
            self.queues.resize_with(index + 1, Queues::default);
        }
        self.queues[index].of(direction).push_back(user_data.0);
        self.parked.insert(user_data.0, Parked { fd, direction, call });
        self.arm(fd).inspect_err(|_| {
            self.unpark(user_data);
        })
    }

    /// Takes a call back that waits; false when it does not.
    pub(super) fn unpark(&mut self, user_data: UserData) -> bool {
        let Some(parked) = self.parked.remove(&user_data.0) else { return false };
        self.queues[parked.fd as usize].of(parked.direction).retain(|it| *it != user_data.0);
        true
    }

    /// Waits up to `limit` (`None` is for ever), tries the calls whose descriptors are ready, and
    /// hands out what has ended. A descriptor that was [watched](Self::watch) goes to `watched`.
    ///
    /// # Errors
    /// The errno of `epoll_wait(2)`, never `EINTR`.
    pub(super) fn wait(
        &mut self,
        limit: Option<Duration>,
        mut ended: impl FnMut(UserData, i32),
        mut watched: impl FnMut(RawFd),
    ) -> Result<(), i32> {
        let epoll = self.epoll.as_raw_fd();
        let (events, room) = (self.events.as_mut_ptr(), EVENTS_MAX as i32);
        // SAFETY: the kernel writes at most `room` events to memory that holds as many.
        let count = unsafe { libc::epoll_wait(epoll, events, room, milliseconds(limit)) };
        let count = match usize::try_from(count) {
            Ok(count) => count,
            Err(_) if last_errno() == libc::EINTR => 0,
            Err(_) => return Err(last_errno()),
        };
        for index in 0..count {
            let libc::epoll_event { events, u64: fd } = self.events[index];
            let fd = fd as RawFd;
            if !self.queues.get(fd as usize).is_some_and(Queues::any) {
                watched(fd);
                continue;
            }
            let failed = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
            if events & (libc::EPOLLIN as u32 | libc::EPOLLRDHUP as u32 | failed) != 0 {
                self.try_queue(fd, Direction::In, &mut ended);
            }
            if events & (libc::EPOLLOUT as u32 | failed) != 0 {
                self.try_queue(fd, Direction::Out, &mut ended);
            }
            if let Err(errno) = self.arm(fd) {
                self.fail_all(fd, errno, &mut ended);
            }
        }
        Ok(())
    }

    /// Tries the calls that wait for one direction in their order, until one has to wait on.
    fn try_queue(
        &mut self,
        fd: RawFd,
        direction: Direction,
        ended: &mut impl FnMut(UserData, i32),
    ) {
        while let Some(&key) = self.queues[fd as usize].of(direction).front() {
            let parked = self.parked.get(&key).expect("a queue names parked calls only");
            // SAFETY: OWN-1: the op stays in the table until this call's completion, which is
            // handed out below at the earliest.
            match unsafe { attempt(parked.call) } {
                Tried::Done(result) => {
                    self.unpark(UserData(key));
                    ended(UserData(key), result);
                }
                Tried::WouldWait(_) => return,
            }
        }
    }

    /// Asks for one event of all that somebody waits for.
    fn arm(&self, fd: RawFd) -> Result<(), i32> {
        let queues = &self.queues[fd as usize];
        let mut events = 0;
        if !queues.for_in.is_empty() {
            events |= (libc::EPOLLIN | libc::EPOLLRDHUP) as u32;
        }
        if !queues.for_out.is_empty() {
            events |= libc::EPOLLOUT as u32;
        }
        if events == 0 {
            return Ok(());
        }
        events |= libc::EPOLLONESHOT as u32;
        match self.control(libc::EPOLL_CTL_MOD, fd, events) {
            Err(libc::ENOENT) => self.control(libc::EPOLL_CTL_ADD, fd, events),
            result => result,
        }
    }

    /// Ends all calls that wait for a descriptor which can no longer be waited for.
    fn fail_all(&mut self, fd: RawFd, errno: i32, ended: &mut impl FnMut(UserData, i32)) {
        for direction in [Direction::In, Direction::Out] {
            while let Some(&key) = self.queues[fd as usize].of(direction).front() {
                self.unpark(UserData(key));
                ended(UserData(key), -errno);
            }
        }
    }

    fn control(&self, action: i32, fd: RawFd, events: u32) -> Result<(), i32> {
        let mut event = libc::epoll_event { events, u64: fd as u64 };
        // SAFETY: the event is read from a local variable.
        match unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), action, fd, &raw mut event) } {
            0 => Ok(()),
            _ => Err(last_errno()),
        }
    }
}

impl Queues {
    fn of(&mut self, direction: Direction) -> &mut VecDeque<u64> {
        match direction {
            Direction::In => &mut self.for_in,
            Direction::Out => &mut self.for_out,
        }
    }

    fn any(&self) -> bool {
        !self.for_in.is_empty() || !self.for_out.is_empty()
    }
}

/// Makes a call that may have to wait for its descriptor.
///
/// A connect that goes on is asked for again when the socket has become ready: that tells how it has
/// ended, or that it still goes on (`EALREADY`), which neither the event nor `SO_ERROR` does.
///
/// # Safety
/// As [`Call::perform`].
pub(super) unsafe fn attempt(call: Call) -> Tried {
    // SAFETY: the caller vouches for it.
    match (call, unsafe { call.perform() }) {
        (Call::Connect { .. }, result)
            if result == -libc::EINPROGRESS || result == -libc::EALREADY =>
        {
            Tried::WouldWait(call)
        }
        (_, result) if result == -libc::EAGAIN => Tried::WouldWait(call),
        (_, result) => Tried::Done(result),
    }
}

/// The limit of `epoll_wait(2)`; rounded up, so that a timer is late by up to a millisecond and
/// never early.
fn milliseconds(limit: Option<Duration>) -> i32 {
    limit
        .map_or(-1, |limit| i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

    use super::super::super::system::{peer_address, socket_address};
    use super::*;
    use crate::op::{Op, Span};

    /// An event may come while a connect still goes on, and `SO_ERROR` is 0 then.
    #[test]
    fn a_connect_that_still_goes_on_is_not_taken_for_one_that_has_ended() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let address = listener.local_addr().expect("bound");
        // SAFETY: the descriptor is that of the listener; no memory is passed.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let _in_the_backlog = TcpStream::connect(address).expect("Linux takes one more");
        let mut op = connect_to(address);
        assert_eq!((tried(&mut op), tried(&mut op)), (None, None));
        let Op::Connect { socket, .. } = &op else { unreachable!("made so") };
        assert_eq!(peer_address(socket), None);
        let mut refused = connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        assert_eq!(ended(&mut refused), -libc::ECONNREFUSED);
        // With room the SYN is answered when it comes again.
        let _accepted = listener.accept().expect("in the backlog");
        assert_eq!(ended(&mut op), 0);
        let Op::Connect { socket, .. } = &op else { unreachable!("made so") };
        assert_eq!(peer_address(socket), Some(address));
    }

    fn connect_to(address: SocketAddr) -> Op {
        // SAFETY: no memory is passed; a result that is not negative is a new descriptor.
        let socket = unsafe {
            let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, kind, 0))
        };
        let socket = Handle::new(Descriptor::Os(socket), 0);
        Op::Connect { socket, address: Box::new(socket_address(address)) }
    }

    /// The result, if it does not have to wait.
    fn tried(op: &mut Op) -> Option<i32> {
        let call = Call::of(op, Span { start: 0, len: 0 }, true).expect("an open socket");
        // SAFETY: OWN-1: the op is alive, and lent to nobody else.
        match unsafe { attempt(call) } {
            Tried::Done(result) => Some(result),
            Tried::WouldWait(_) => None,
        }
    }

    fn ended(op: &mut Op) -> i32 {
        loop {
            match tried(op) {
                Some(result) => return result,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}
