//! The connections of one core to one origin: reused while fresh, limited in number.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Poll, Waker};

use hydrant_engine::{Core, Error as EngineError, Stream, TcpStream, resolve};
#[cfg(feature = "tls")]
use hydrant_engine::{TlsConfig, TlsMemory, TlsStream};

use super::connection::Heads;
use super::{Connection, HttpError, HttpLimits};

mod line;
#[cfg(test)]
mod tests;

use line::{Line, Place};

/// Where connections go.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// How TLS is spoken there; `None` is HTTP in the clear.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<TlsConfig>,
}

/// The connections of one core to one origin. The last used is used first, so that the others grow
/// old and go.
#[derive(Debug)]
pub(crate) struct ConnectionPool {
    origin: Origin,
    limits: HttpLimits,
    idle: RefCell<Vec<Connection>>,
    /// A place for each connection that is lent out or being made.
    line: Line,
    addresses: RefCell<Vec<SocketAddr>>,
    next_address: Cell<usize>,
    /// Tasks that wait for the addresses.
    looking_up: RefCell<Vec<Waker>>,
}

/// A connection for one request. It goes back when dropped, if it may be used again.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    connection: Option<Connection>,
    pool: &'a ConnectionPool,
    /// Given back last, when the connection lies where the next can take it.
    _place: Place<'a>,
}

impl ConnectionPool {
    pub(crate) fn new(origin: Origin, limits: HttpLimits) -> ConnectionPool {
        ConnectionPool {
            origin,
            line: Line::new(limits.connections_per_core_max.max(1)),
            limits,
            idle: RefCell::default(),
            addresses: RefCell::default(),
            next_address: Cell::new(0),
            looking_up: RefCell::default(),
        }
    }

    /// Lends a connection out, with `fresh` a new one; waits while too many are lent.
    pub(crate) async fn lend(&self, core: &Core, fresh: bool) -> Result<Lent<'_>, HttpError> {
        let place = self.line.place().await;
        let idle = self.take_idle(fresh);
        let connection = match idle {
            Some(connection) => connection,
            None => self.open(core).await?,
        };
        Ok(Lent { connection: Some(connection), pool: self, _place: place })
    }

    /// Lends out at most so many from now on; those that are lent stay so.
    pub(crate) fn set_lent_max(&self, count: usize) {
        self.line.set_places(count.clamp(1, self.limits.connections_per_core_max.max(1)));
    }

    /// The last used of the idle connections. For a fresh one nothing is taken, but room is made.
    fn take_idle(&self, fresh: bool) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|connection| !connection.is_too_old());
        if !fresh {
            return idle.pop();
        }
        if !idle.is_empty() && idle.len() + self.line.taken() > self.limits.connections_per_core_max
        {
            drop(idle.remove(0));
        }
        None
    }

    /// Connects to the first address of the origin that answers, starting behind the one that the
    /// connection before this started with, so that all of them get their share.
    async fn open(&self, core: &Core) -> Result<Connection, HttpError> {
        let addresses = self.addresses(core).await?;
        // Memory first: nobody waits for it with a connection in hand (POOL-1).
        let heads = Heads::take(core, &self.limits).await?;
        let turn = self.next_address.replace(self.next_address.get().wrapping_add(1));
        let addresses = starting_at(&addresses, turn);
        match self.connect(core, &addresses).await {
            Ok(stream) => Ok(Connection::new(core, stream, heads, &self.limits)),
            Err(error @ EngineError::Pool(_)) => Err(HttpError::Memory(error)),
            Err(error) => {
                // The name may have moved: it is asked for again next time.
                self.addresses.borrow_mut().clear();
                Err(HttpError::Connect(error))
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn connect(
        &self,
        core: &Core,
        addresses: &[SocketAddr],
    ) -> hydrant_engine::Result<Stream> {
        let Some(tls) = &self.origin.tls else {
            return self.connect_plain(core, addresses).await.map(Stream::Tcp);
        };
        let memory = TlsMemory::take(core, tls.limits()).await?;
        let tcp = self.connect_plain(core, addresses).await?;
        TlsStream::connect(core, tcp, &self.origin.host, tls, memory).await.map(Stream::from)
    }

    #[cfg(not(feature = "tls"))]
    async fn connect(
        &self,
        core: &Core,
        addresses: &[SocketAddr],
    ) -> hydrant_engine::Result<Stream> {
        self.connect_plain(core, addresses).await.map(Stream::Tcp)
    }

    async fn connect_plain(
        &self,
        core: &Core,
        addresses: &[SocketAddr],
    ) -> hydrant_engine::Result<TcpStream> {
        TcpStream::connect_any(core, addresses, &self.limits.connect).await
    }

    /// The addresses of the origin: those that are known, else what is found first by this look-up
    /// or that of another task. Look-ups queue for one thread, and one answer serves all.
    async fn addresses(&self, core: &Core) -> Result<Vec<SocketAddr>, HttpError> {
        let mut look_up = pin!(resolve(core, &self.origin.host, self.origin.port));
        let found = std::future::poll_fn(|cx| {
            let known = self.addresses.borrow().clone();
            if !known.is_empty() {
                return Poll::Ready(Ok(known));
            }
            let found = look_up.as_mut().poll(cx);
            let mut looking_up = self.looking_up.borrow_mut();
            if let Poll::Ready(Ok(addresses)) = &found {
                self.addresses.borrow_mut().clone_from(addresses);
            }
            if found.is_ready() {
                looking_up.drain(..).for_each(Waker::wake);
            } else if !looking_up.iter().any(|it| it.will_wake(cx.waker())) {
                looking_up.push(cx.waker().clone());
            }
            found
        });
        found.await.map_err(HttpError::Connect)
    }
}

/// The addresses with another one of each family at its front, turn for turn.
fn starting_at(addresses: &[SocketAddr], turn: usize) -> Vec<SocketAddr> {
    let (mut ipv6, mut ipv4): (Vec<_>, Vec<_>) = addresses.iter().partition(|it| it.is_ipv6());
    for family in [&mut ipv6, &mut ipv4] {
        let by = turn % family.len().max(1);
        family.rotate_left(by);
    }
    ipv6.extend(ipv4);
    ipv6
}

impl std::ops::Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("present until the drop")
    }
}

impl std::ops::DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("present until the drop")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.reusable()
        {
            connection.rest();
            let mut idle = self.pool.idle.borrow_mut();
            idle.retain(|connection| !connection.is_too_old());
            idle.push(connection);
        }
    }
}
