//! The connections of one core to one origin: reused while fresh, limited in number.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::{Poll, Waker};

use hydrant_engine::{Core, Error as EngineError, TcpStream, resolve};

use super::connection::Heads;
use super::{Connection, HttpError, HttpLimits};

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The connections of one core to one origin. The last used is used first, so that the others grow
/// old and go.
#[derive(Debug)]
pub(crate) struct ConnectionPool {
    origin: Origin,
    limits: HttpLimits,
    idle: RefCell<Vec<Connection>>,
    /// Connections lent out or being made.
    lent: Cell<usize>,
    waiting: RefCell<VecDeque<Waker>>,
    addresses: RefCell<Vec<SocketAddr>>,
    next_address: Cell<usize>,
}

/// A connection for one request. It goes back when dropped, if it may be used again.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    connection: Option<Connection>,
    permit: Permit<'a>,
}

/// The right to hold one connection.
#[derive(Debug)]
struct Permit<'a>(&'a ConnectionPool);

impl ConnectionPool {
    pub(crate) fn new(origin: Origin, limits: HttpLimits) -> ConnectionPool {
        ConnectionPool {
            origin,
            limits,
            idle: RefCell::default(),
            lent: Cell::new(0),
            waiting: RefCell::default(),
            addresses: RefCell::default(),
            next_address: Cell::new(0),
        }
    }

    /// Lends a connection out, with `fresh` a new one; waits while too many are lent.
    pub(crate) async fn lend(&self, core: &Core, fresh: bool) -> Result<Lent<'_>, HttpError> {
        let permit = self.permit().await;
        let idle = self.take_idle(fresh);
        let connection = match idle {
            Some(connection) => connection,
            None => self.open(core).await?,
        };
        Ok(Lent { connection: Some(connection), permit })
    }

    async fn permit(&self) -> Permit<'_> {
        std::future::poll_fn(|cx| {
            if self.lent.get() < self.limits.connections_per_core_max {
                self.lent.set(self.lent.get() + 1);
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push_back(cx.waker().clone());
            Poll::Pending
        })
        .await;
        Permit(self)
    }

    /// The last used of the idle connections. For a fresh one nothing is taken, but room is made.
    fn take_idle(&self, fresh: bool) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|connection| !connection.is_too_old());
        if !fresh {
            return idle.pop();
        }
        if !idle.is_empty() && idle.len() + self.lent.get() > self.limits.connections_per_core_max {
            drop(idle.remove(0));
        }
        None
    }

    /// Tries the addresses of the origin in turn, starting behind the one that was used last.
    async fn open(&self, core: &Core) -> Result<Connection, HttpError> {
        if self.addresses.borrow().is_empty() {
            let found = resolve(core, &self.origin.host, self.origin.port).await;
            *self.addresses.borrow_mut() = found.map_err(HttpError::Connect)?;
        }
        // A list of our own: another task may clear the shared one while this one connects.
        let addresses = self.addresses.borrow().clone();
        // Memory first: nobody waits for it with a connection in hand (POOL-1).
        let heads = Heads::take(core, &self.limits).await?;
        let mut failure = None;
        for _ in 0..addresses.len() {
            let turn = self.next_address.replace(self.next_address.get().wrapping_add(1));
            let address = addresses[turn % addresses.len()];
            match TcpStream::connect(core, address, self.limits.connect).await {
                Ok(stream) => return Ok(Connection::new(core, stream, heads, &self.limits)),
                Err(error) => failure = Some(error),
            }
        }
        // The name may have moved: it is asked for again next time.
        self.addresses.borrow_mut().clear();
        Err(HttpError::Connect(failure.unwrap_or(EngineError::Cancelled)))
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
            connection.rest();
            let mut idle = self.permit.0.idle.borrow_mut();
            idle.retain(|connection| !connection.is_too_old());
            idle.push(connection);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lent.set(self.0.lent.get() - 1);
        // All of them: one that was dropped meanwhile would swallow a single wake-up.
        self.0.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }
}
