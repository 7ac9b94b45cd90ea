//! Shared pieces of the whole-system tests: a world to test in, a peer that misbehaves as it is
//! told, and the program.
//!
//! - [`World`] is a folder with a server on it; [`client`] starts a client of any server.
//! - [`Peer`] is a server of one test: it does byte for byte what its script says.
//! - [`Relay`] is a bad line in front of a server.
//! - [`Authority`] signs certificates for tests of TLS, and a [`Front`] asks for them.
//! - [`program`] is the program `hydrant`, built once.
//! - [`noise`], [`Dice`] and [`wait_until`] are small things that every test needs.

#![forbid(unsafe_code)]

mod authority;
mod dice;
mod front;
mod peer;
mod program;
mod relay;
mod world;

pub use authority::Authority;
pub use dice::{Dice, noise};
pub use front::{Front, FrontRules};
pub use peer::{Peer, Seen, Wire};
pub use program::program;
pub use relay::{Relay, Weather};
pub use world::{BUCKET, PART, World, client, client_with, read_all, wait_until};
