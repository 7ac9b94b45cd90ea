//! Accepting connections.

use std::net::SocketAddr;

use super::TcpStream;
use crate::cores::Core;
use crate::error::{OsError, Result};
use crate::op::{Descriptor, Handle, Op};
use crate::ring::peer_address;

/// A listening socket; clones share it, and any core may accept on it.
#[derive(Debug, Clone)]
pub struct TcpListener {
    handle: Handle,
    local: SocketAddr,
}

impl TcpListener {
    /// Binds and listens; port 0 takes a free one.
    ///
    /// # Errors
    /// The errno of `bind(2)` or `listen(2)`.
    pub fn bind(address: SocketAddr) -> Result<TcpListener> {
        let failed = |error: std::io::Error| OsError::from_io("bind", address, &error);
        let socket = std::net::TcpListener::bind(address).map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        Ok(TcpListener { handle: Handle::new(Descriptor::Os(socket.into()), 0), local })
    }

    /// A listener of the simulated world.
    #[cfg(any(test, feature = "testing"))]
    pub fn simulated(world: &crate::ring::sim::World, address: SocketAddr) -> Result<TcpListener> {
        let listening = world.listen(address);
        let handle = listening.map_err(|errno| OsError::new("bind", address, errno))?;
        let local = match handle.descriptor() {
            Descriptor::Sim(listener) => listener.local_address().unwrap_or(address),
            Descriptor::Os(_) => address,
        };
        Ok(TcpListener { handle, local })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits for one connection.
    ///
    /// # Errors
    /// The errno of `accept4(2)`. On `EMFILE` and `ENFILE` the caller should wait before it tries
    /// again.
    pub async fn accept(&self, core: &Core) -> Result<TcpStream> {
        let outcome = core.op(Op::Accept { listener: self.handle.clone() }).await;
        match (outcome.error, outcome.handle) {
            (None, Some(handle)) => {
                // A peer that is gone already has no address any more; its errors name the listener.
                let peer = peer_address(&handle).unwrap_or(self.local);
                Ok(TcpStream::new(core, handle, peer))
            }
            (errno, _) => {
                Err(OsError::new("accept", self.local, errno.unwrap_or(libc::EBADF)).into())
            }
        }
    }
}
