//! A descriptor of a world.

use std::net::SocketAddr;

use super::World;
use super::request::ObjectId;

/// An open file, socket or listener of a world. Dropping it closes it there, once the operations
/// that use it have ended.
#[derive(Debug)]
pub(crate) struct SimDescriptor {
    id: ObjectId,
    world: World,
}

impl SimDescriptor {
    pub(super) fn new(world: &World, id: ObjectId) -> SimDescriptor {
        SimDescriptor { id, world: world.clone() }
    }

    pub(super) fn id(&self) -> ObjectId {
        self.id
    }

    /// Resets the connection at once, even with operations in flight: what `connect` to AF_UNSPEC
    /// does, or `SO_LINGER` 0 with a close (NET-1). Nothing on what is no connected socket.
    pub(crate) fn reset(&self) {
        let mut state = self.world.lock();
        if let Ok(end) = state.end_of(self.id) {
            state.reset_connection(end);
        }
    }

    /// Bytes sent that the peer has received, as `tcpi_bytes_acked` counts them; `None` on what is no
    /// connected socket.
    pub(crate) fn acknowledged_bytes(&self) -> Option<u64> {
        let mut state = self.world.lock();
        let end = state.end_of(self.id).ok()?;
        Some(state.network.acknowledged_bytes(end))
    }

    /// Bytes sent that the peer has not received yet; `None` on what is no connected socket.
    pub(crate) fn unacknowledged_bytes(&self) -> Option<u64> {
        let mut state = self.world.lock();
        let end = state.end_of(self.id).ok()?;
        Some(state.network.unacknowledged_bytes(end))
    }

    /// Bytes that the peer has sent and that were not received yet; `None` on what is no connected socket.
    pub(crate) fn unread_bytes(&self) -> Option<u64> {
        let mut state = self.world.lock();
        let end = state.end_of(self.id).ok()?;
        Some(state.network.unread_bytes(end))
    }

    /// Whether the connection was reset, reported or not.
    pub(crate) fn was_reset(&self) -> bool {
        let mut state = self.world.lock();
        state.end_of(self.id).is_ok_and(|end| state.network.was_reset(end))
    }

    /// `flock(2)` with `LOCK_EX | LOCK_NB`: whether the lock is ours.
    pub(crate) fn try_lock(&self) -> Result<bool, i32> {
        self.world.lock().objects.try_lock(self.id)
    }

    /// `getsockname(2)` of a listener.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.world.lock().network.listener_address(self.id)
    }
}

impl Drop for SimDescriptor {
    fn drop(&mut self) {
        self.world.lock().release(self.id);
    }
}
