//! The connections of one core to one origin: reused while fresh, limited in number.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use hydrant_engine::{Core, Error as EngineError, LocalTask, Stream, TcpStream, resolve};
#[cfg(feature = "tls")]
use hydrant_engine::{TlsConfig, TlsMemory, TlsStream};

use super::connection::Heads;
use super::{Connection, HttpError, HttpLimits};

mod addresses;
mod idle;
mod line;
#[cfg(test)]
mod tests;

pub use addresses::AddressLimits;
use addresses::{Addresses, tried_before};
use idle::Idle;
use line::Line;
pub(crate) use line::Place;

/// Where connections go.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// How TLS is spoken there; `None` is HTTP in the clear.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<TlsConfig>,
}

/// The connections of one core to one origin.
#[derive(Debug)]
pub(crate) struct ConnectionPool {
    origin: Origin,
    limits: HttpLimits,
    idle: Rc<Idle>,
    /// A place for each connection that is lent out or being made.
    line: Line,
    addresses: Rc<RefCell<Addresses>>,
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
            addresses: Rc::new(RefCell::new(Addresses::new(limits.addresses.clone()))),
            limits,
            idle: Rc::default(),
            looking_up: RefCell::default(),
        }
    }

    /// Waits in the line while too many connections are lent. What is found out meanwhile may be a
    /// reason to give the place back before there is a connection.
    pub(crate) fn place(&self) -> impl Future<Output = Place<'_>> {
        self.line.place()
    }

    /// Lends a connection out to who has a place, with `fresh` a new one.
    pub(crate) async fn lend<'a>(
        &'a self,
        core: &Core,
        place: Place<'a>,
        fresh: bool,
    ) -> Result<Lent<'a>, HttpError> {
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
        if !fresh {
            return self.idle.take();
        }
        if self.idle.len() + self.line.taken() > self.limits.connections_per_core_max {
            self.idle.close_oldest();
        }
        None
    }

    /// Finds out whether the origin can be connected to; the connection ends at once.
    ///
    /// # Errors
    /// As [`ConnectionPool::lend`].
    pub(crate) async fn probe(&self, core: &Core) -> Result<(), HttpError> {
        let _place = self.line.place().await;
        self.open(core).await.map(drop)
    }

    /// A peer has stalled or broken off: for a while the others are tried before it.
    pub(crate) fn suspect(&self, core: &Core, peer: SocketAddr) {
        self.addresses.borrow_mut().failed(core.now(), peer);
    }

    /// Connects to the first address of the origin that answers.
    async fn open(&self, core: &Core) -> Result<Connection, HttpError> {
        self.addresses(core).await?;
        let order = self.addresses.borrow_mut().next(core.now());
        // Memory first: nobody waits for it with a connection in hand (POOL-1).
        let heads = Heads::take(core, &self.limits).await?;
        let stream = self.connect(core, &order).await.map_err(|error| match error {
            EngineError::Pool(_) => HttpError::Memory(error),
            error => HttpError::Connect(error),
        })?;
        Ok(Connection::new(core, stream, heads, &self.limits))
    }

    #[cfg(feature = "tls")]
    async fn connect(&self, core: &Core, order: &[SocketAddr]) -> hydrant_engine::Result<Stream> {
        let Some(tls) = &self.origin.tls else {
            return self.connect_plain(core, order).await.map(Stream::Tcp);
        };
        let memory = TlsMemory::take(core, tls.limits()).await?;
        let tcp = self.connect_plain(core, order).await?;
        let peer = tcp.peer();
        let connected = TlsStream::connect(core, tcp, &self.origin.host, tls, memory).await;
        connected.map(Stream::from).inspect_err(|_| self.suspect(core, peer))
    }

    #[cfg(not(feature = "tls"))]
    async fn connect(&self, core: &Core, order: &[SocketAddr]) -> hydrant_engine::Result<Stream> {
        self.connect_plain(core, order).await.map(Stream::Tcp)
    }

    /// Connects, and takes a note of the addresses that were tried in vain.
    async fn connect_plain(
        &self,
        core: &Core,
        order: &[SocketAddr],
    ) -> hydrant_engine::Result<TcpStream> {
        match TcpStream::connect_any(core, order, &self.limits.connect).await {
            Ok(tcp) => {
                let tried = tried_before(order, tcp.peer());
                tried.into_iter().for_each(|address| self.suspect(core, address));
                Ok(tcp)
            }
            Err(error) => {
                // The name may have moved: it is asked for again next time.
                if !matches!(error, EngineError::Pool(_)) {
                    self.addresses.borrow_mut().forget();
                }
                Err(error)
            }
        }
    }

    /// Sees to it that addresses of the origin are known: waits for them where there are none, and has
    /// them asked for again behind the scenes where they are old.
    async fn addresses(&self, core: &Core) -> Result<(), HttpError> {
        if self.addresses.borrow().is_empty() {
            return self.look_up(core).await;
        }
        if self.addresses.borrow_mut().is_due(core.now()) {
            let (asking, known) = (core.clone(), Rc::clone(&self.addresses));
            let (host, port) = (self.origin.host.clone(), self.origin.port);
            let look_up = core.spawn(async move {
                // What fails leaves the old ones, until no connection can be made with them.
                if let Ok(found) = resolve(&asking, &host, port).await {
                    known.borrow_mut().learn(asking.now(), &found);
                }
            });
            // A core that is too busy for it asks when they are old again.
            let _ = look_up.map(LocalTask::detach);
        }
        Ok(())
    }

    /// Waits for what is found first by this look-up or that of another task. Look-ups queue for one
    /// thread, and one answer serves all.
    async fn look_up(&self, core: &Core) -> Result<(), HttpError> {
        let mut look_up = pin!(resolve(core, &self.origin.host, self.origin.port));
        let found = std::future::poll_fn(|cx| {
            if !self.addresses.borrow().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let found = look_up.as_mut().poll(cx);
            let mut looking_up = self.looking_up.borrow_mut();
            if let Poll::Ready(Ok(addresses)) = &found {
                self.addresses.borrow_mut().learn(core.now(), addresses);
            }
            if found.is_ready() {
                looking_up.drain(..).for_each(Waker::wake);
            } else if !looking_up.iter().any(|it| it.will_wake(cx.waker())) {
                looking_up.push(cx.waker().clone());
            }
            found.map_ok(drop)
        });
        found.await.map_err(HttpError::Connect)
    }
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
            self.pool.idle.keep(connection);
        }
    }
}
