//! Connecting: to one address, or to the first of several that answers.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::TcpStream;
use super::order::attempt_order;
use crate::config::ConnectLimits;
use crate::cores::{Core, Sleep};
use crate::error::{Error, OsError, Result, errno_text};
use crate::op::Op;
use crate::ring::socket_address;
use crate::trace::event;

impl TcpStream {
    /// Connects to one address within `limit`.
    ///
    /// # Errors
    /// The errno of `connect(2)` with the address; [`Error::Stalled`] when the time is over.
    pub async fn connect(core: &Core, peer: SocketAddr, limit: Duration) -> Result<TcpStream> {
        let attempt = core.timeout(limit, connect(core, peer)).await;
        attempt.unwrap_or_else(|_| Err(stalled(peer.to_string(), limit)))
    }

    /// Connects to whichever address of a host answers first, so that a family or a machine that
    /// does not answer costs a moment and not the time limit ("Happy Eyeballs", RFC 8305).
    ///
    /// IPv6 and IPv4 addresses are tried in turn, IPv6 first. The next attempt starts when the last
    /// one has failed, or has gone on for [`ConnectLimits::attempt_delay`]; then both go on. The
    /// others are cancelled when one has connected, and their sockets closed.
    ///
    /// # Errors
    /// [`Error::Connect`] with the failure of each address when all have failed; [`Error::Stalled`]
    /// when [`ConnectLimits::total`] is over, with the addresses tried until then;
    /// [`Error::InvalidInput`] when there is nothing to try.
    pub async fn connect_any(
        core: &Core,
        addresses: &[SocketAddr],
        limits: &ConnectLimits,
    ) -> Result<TcpStream> {
        let order = attempt_order(addresses, limits.attempts_max);
        if order.is_empty() {
            let text = "there is no address to connect to, or connect.attempts_max is 0";
            return Err(Error::InvalidInput(text.into()));
        }
        let mut race = Race::new(core, order, limits.attempt_delay);
        let won = core.timeout(limits.total, std::future::poll_fn(|cx| race.poll(cx))).await;
        won.unwrap_or_else(|_| Err(stalled(race.tried(), limits.total)))
    }
}

/// Attempts that run side by side. Dropping it cancels them.
struct Race<'a> {
    core: &'a Core,
    waiting: std::vec::IntoIter<SocketAddr>,
    /// The one that was started last is the last.
    running: Vec<Attempt<'a>>,
    failures: Vec<OsError>,
    attempt_delay: Duration,
    /// Until the next attempt starts beside those that run.
    pause: Sleep,
}

struct Attempt<'a> {
    address: SocketAddr,
    connecting: Pin<Box<dyn Future<Output = Result<TcpStream>> + 'a>>,
}

impl<'a> Race<'a> {
    fn new(core: &'a Core, order: Vec<SocketAddr>, attempt_delay: Duration) -> Race<'a> {
        Race {
            core,
            waiting: order.into_iter(),
            running: Vec::new(),
            failures: Vec::new(),
            attempt_delay,
            pause: core.sleep(Duration::ZERO),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<TcpStream>> {
        let mut last_failed = false;
        loop {
            let mut at = 0;
            while let Some(attempt) = self.running.get_mut(at) {
                match attempt.connecting.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Err(Error::Os(failure))) => {
                        event!(DEBUG, "{failure}");
                        self.failures.push(failure);
                        self.running.remove(at);
                        last_failed = at == self.running.len();
                    }
                    // Connected; or the engine stops, and no other attempt would fare better.
                    Poll::Ready(result) => return Poll::Ready(result),
                }
            }
            let due = last_failed || Pin::new(&mut self.pause).poll(cx).is_ready();
            if !due {
                return Poll::Pending;
            }
            match self.waiting.next() {
                Some(address) => self.start(address),
                None if self.running.is_empty() => {
                    let failures = std::mem::take(&mut self.failures);
                    return Poll::Ready(Err(Error::Connect { failures }));
                }
                None => return Poll::Pending,
            }
            last_failed = false;
        }
    }

    fn start(&mut self, address: SocketAddr) {
        event!(DEBUG, "connecting to {address}");
        let connecting = Box::pin(connect(self.core, address));
        self.running.push(Attempt { address, connecting });
        self.pause = self.core.sleep(self.attempt_delay);
    }

    /// The addresses tried so far, with what is known of them.
    fn tried(&self) -> String {
        let failed = self.failures.iter();
        let failed = failed.map(|it| format!("{} ({})", it.object, errno_text(it.errno)));
        let running = self.running.iter().map(|it| format!("{} (no answer)", it.address));
        failed.chain(running).collect::<Vec<_>>().join(", ")
    }
}

fn stalled(object: String, limit: Duration) -> Error {
    Error::Stalled { operation: "connect", object, limit }
}

async fn connect(core: &Core, peer: SocketAddr) -> Result<TcpStream> {
    let failed = |operation, errno| match errno {
        libc::ECANCELED => Error::Cancelled,
        _ => OsError::new(operation, peer, errno).into(),
    };
    let made = core.op(Op::Socket { ipv6: peer.is_ipv6() }).await;
    let socket = match (made.error, made.handle) {
        (None, Some(handle)) => handle,
        (errno, _) => return Err(failed("socket", errno.unwrap_or(libc::EBADF))),
    };
    let address = Box::new(socket_address(peer));
    let outcome = core.op(Op::Connect { socket: socket.clone(), address }).await;
    match outcome.error {
        None => Ok(TcpStream::new(core, socket, peer)),
        Some(errno) => Err(failed("connect", errno)),
    }
}
