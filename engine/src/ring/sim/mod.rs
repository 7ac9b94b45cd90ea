//! A simulated kernel: driver number two of the engine, for tests.
//!
//! A [`World`] is a machine room in memory: one virtual clock, one disk, one network, and one seeded
//! generator that decides everything that a real kernel leaves open. How long an operation takes, in
//! which order completions arrive, whether a read is short, who wins when a cancel races with its
//! target: all of it follows from the seed, so a run that fails is run again by its number. Nothing
//! in this room sleeps, starts a thread, opens a descriptor or reads the system's clock.
//!
//! ```text
//! core 0 ──SimDriver──┐                 ┌── disk       files, names, what survives a crash
//! core 1 ──SimDriver──┼── World (state) ┼── network    listeners, byte streams, resets
//! core 2 ──SimDriver──┘                 └── agenda     what happens when, on the virtual clock
//! ```
//!
//! # What it does behind the engine's back
//!
//! As the kernel does, it keeps raw pointers into the buffers of submissions and writes to them *when
//! the operation completes*, long after its future may be gone. It is stricter than a kernel where
//! the rules allow: the bytes of a zero-copy send are read from the sender's memory only when the
//! peer receives them, and until then nothing but a reset brings the notification (NET-1). A driver
//! that is dropped with operations in flight stops nothing (OWN-2). So a buffer that is freed early
//! is found, by the pool's quarantine or by the data that arrives.
//!
//! # Stepping several cores
//!
//! The clock never moves by itself. Whoever steps the cores moves it:
//!
//! 1. Step each core without sleeping (`Wait::No`), in an order drawn from [`World::random_u64`],
//!    until none has anything to do.
//! 2. Take the earliest of [`World::next_event`] and the cores' own timers and go there with
//!    [`World::advance`]. Everything that is due on the way is carried out in order of time, for
//!    all cores, each event at its own instant. Then start again with 1.
//! 3. If there is neither an event nor a timer, nothing will ever happen again: a hang, found at
//!    once and without waiting for it.
//!
//! One core alone may instead sleep with `Wait::UntilCompletion`. It moves the clock to its own next
//! event, as far as its limit allows, and comes back at once where neither exists, because only
//! another core can help then.
//!
//! # What it is not
//!
//! It has no symbolic links, no permissions, no sparse files and no congestion. Bytes are on the
//! other side of a connection as soon as they are sent; what a link adds in delay lies in when the
//! operations complete. `MSG_MORE` changes nothing.

mod carry_out;
mod config;
mod descriptor;
mod disk;
mod driver;
mod faults;
mod network;
mod object;
mod queue;
mod random;
mod request;
mod seeds;
mod state;
#[cfg(test)]
mod tests;
mod world;

pub use config::SimConfig;
pub(crate) use descriptor::SimDescriptor;
pub(crate) use driver::SimDriver;
pub use faults::{Fault, Faults};
pub use seeds::seeds;
pub use world::World;
