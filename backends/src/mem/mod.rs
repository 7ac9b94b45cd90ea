//! The store in memory: `mem://name`.
//!
//! It behaves as an object store does, so that programs and tests can do without one: objects are
//! replaced whole, uploads in parts show nothing before they are completed, readers keep the
//! version they began with. What it holds is its content, as the blocks of a disk are, and not
//! payload on its way: it lies outside the arena and has its own limit. Each byte is copied once on
//! its way in and once on its way out, and counted (DATA-1).
//!
//! This room knows no files and keeps nothing when the process ends.

mod budget;
mod object;
mod reader;
mod store;
mod stores;
#[cfg(test)]
mod tests;
mod upload;

pub use store::MemStore;
pub use stores::{MemConfig, MemStores};
