//! The pool: all payload memory of the engine, under one hard limit.
//!
//! An [`Arena`](arena::Arena) is mapped once. Two shares are carved from it, one for parts and a
//! small one for heads, so that a head never waits behind parts. Each share is a buddy allocator
//! with one strictly first-come first-served line of tickets, which only a smaller lease in place of a
//! larger one passes. A ticket grants all its blocks at once; a block becomes a [`Lease`], which is
//! filled, shrunk, sent, or frozen into `Bytes` without a copy, and returns from whatever thread
//! drops it. Memory that belongs to the caller comes in as a [`Region`], [`Registered`] or not.
//! Operations take either, or plain `Bytes`, as a [`Buf`].
//!
//! What this room never does: it never allocates payload memory behind the arena (POOL-1), never
//! holds a lock across a wait or while it wakes somebody (CORE-1), never copies payload (DATA-1),
//! and knows nothing of rings: the ring room registers the slabs of the arena.

mod arena;
mod blocks;
mod buddy;
mod buf;
mod config;
mod error;
pub(crate) mod fork;
mod handle;
mod label;
mod lease;
mod line;
#[cfg(any(test, feature = "testing"))]
mod quarantine;
mod region;
mod registration;
mod share;
mod ticket;

#[cfg(test)]
mod tests;

pub use arena::ArenaBacking;
pub(crate) use arena::SLAB_BYTES_MIN;
pub use buf::Buf;
pub(crate) use buf::RawSpan;
pub use config::PoolConfig;
pub use error::PoolError;
pub use handle::{Pool, PoolStats};
pub use lease::Lease;
#[cfg(any(test, feature = "testing"))]
pub use quarantine::QuarantineHit;
pub use region::{Region, RegionOwner, Returned, StableBuf, borrow_all_blocking, borrow_blocking};
pub(crate) use registration::{ENTRY_BYTES, PlaceMap};
pub use registration::{Registered, Registration};
pub use ticket::{LeaseFuture, Ticket, TicketFuture, TicketRequest};
