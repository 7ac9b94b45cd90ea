//! The store of files: `file://` through the page cache, `direct://` past it.
//!
//! A key is a path. In a store that has a root it leads beneath that root and never through a
//! symbolic link (SEC-2); in a store without one it is what a person typed, and leads wherever
//! their shell would have led it. An object is a regular file: directories, links, pipes and
//! devices are none, and are never replaced. It is written under a temporary name beside its final
//! one, made durable, and renamed (DATA-3).
//!
//! What is to be carried on after a failure keeps its temporary, with a journal beside it.
//!
//! This room never shows half a file, never changes one in place, and never copies payload.

mod journal;
mod kernel_copy;
mod key;
mod listing;
mod reader;
mod spot;
mod store;
mod temporary;
#[cfg(test)]
mod tests;
mod tree;
mod upload;
mod version;

pub use store::FileStore;
pub use tree::FileMode;
