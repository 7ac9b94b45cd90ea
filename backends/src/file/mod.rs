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

use std::path::Path;

use hydrant_engine::Core;

pub(crate) use journal::{Journal, difference, field_of, head_of, is_whole};
pub use store::FileStore;
pub use tree::FileMode;

use crate::error::Result;
use spot::Spot;
use tree::Tree;

/// Opens the journal `name` of a copy to `target` in a directory, which is made where it is missing.
pub(crate) async fn open_journal(
    core: &Core,
    dir: &Path,
    name: &str,
    target: &str,
) -> Result<Journal> {
    let tree = Tree::new(FileMode::Buffered, Some(dir.to_owned()));
    let spot = Spot::for_writing(core, &tree, name).await?;
    Journal::open(core, &spot, format!("{name}.jnl"), target).await
}

/// Opens that journal where there is one.
pub(crate) async fn find_journal(
    core: &Core,
    dir: &Path,
    name: &str,
    target: &str,
) -> Result<Option<Journal>> {
    let tree = Tree::new(FileMode::Buffered, Some(dir.to_owned()));
    let spot = match Spot::of(core, &tree, &format!("{name}.jnl")).await {
        Err(error) if error.is_not_found() => return Ok(None),
        spot => spot?,
    };
    match spot.metadata(core).await {
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(Some(Journal::open(core, &spot, spot.name.clone(), target).await?)),
    }
}
