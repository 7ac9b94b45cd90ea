//! The server over the wire, from outside: every test starts one on a free port and a directory of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod keys;
mod listing;
mod multipart;
mod objects;
mod server;
