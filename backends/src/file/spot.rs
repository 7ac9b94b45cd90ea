//! A name in an open directory: where an object lies or will lie.

use hydrant_engine::{Core, Error as EngineError, File, Metadata, metadata_beneath};

use super::tree::{Missing, Tree, relabel};
use super::{key, tree};
use crate::error::{Error, ErrorKind, Result};

/// A name in an open directory. Calls on it cannot leave that directory (SEC-2), whatever happens
/// to the path that led there.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) dir: File,
    pub(super) name: String,
    /// The path of the directory, for messages.
    dir_path: String,
}

impl Spot {
    /// Where an existing object lies.
    pub(super) async fn of(core: &Core, tree: &Tree, key: &str) -> Result<Spot> {
        tree.check_key(key)?;
        let spot = Spot::find(core, tree, key, Missing::Fail).await;
        spot.map_err(|error| tree.absent(key, error))
    }

    /// Where an object will lie. Directories on the way are made. What lies there now has to be
    /// something that may be replaced: a regular file, or nothing.
    ///
    /// A symbolic link that a person typed is followed, so that they find the object behind it and
    /// not in its stead; beneath a root it is refused.
    pub(super) async fn for_writing(core: &Core, tree: &Tree, key: &str) -> Result<Spot> {
        tree.check_key(key)?;
        if key::is_temporary(key::split(key).1) {
            return Err(unusable(tree, key, "such names are those of unfinished transfers"));
        }
        let spot = Spot::find(core, tree, key, Missing::Make).await;
        let spot = spot.map_err(|error| not_a_directory(tree, key, error))?;
        match spot.metadata(core).await {
            Ok(metadata) if metadata.is_file => Ok(spot),
            Ok(metadata) if metadata.is_dir => Err(unusable(tree, key, "it is a directory")),
            Ok(_) => follow(core, tree, key).await,
            Err(error) if error.errno() == Some(libc::ENOENT) => Ok(spot),
            Err(error) => Err(error.into()),
        }
    }

    /// What lies there; a symbolic link is not followed.
    pub(super) async fn metadata(&self, core: &Core) -> Result<Metadata, EngineError> {
        let metadata = metadata_beneath(core, Some(&self.dir), self.name.as_ref()).await;
        metadata.map_err(|error| relabel(error, &self.path_of(&self.name)))
    }

    /// The path of a name in this directory, for messages.
    pub(super) fn path_of(&self, name: &str) -> String {
        match self.dir_path.as_str() {
            "" => name.to_owned(),
            dir => format!("{}/{name}", dir.trim_end_matches('/')),
        }
    }

    async fn find(
        core: &Core,
        tree: &Tree,
        key: &str,
        missing: Missing,
    ) -> Result<Spot, EngineError> {
        let (directory, name) = key::split(key);
        let dir = tree.directory(core, directory, missing).await?;
        Ok(Spot { dir, name: name.to_owned(), dir_path: tree.shown(directory) })
    }
}

/// The file behind a symbolic link that a person typed.
async fn follow(core: &Core, tree: &Tree, key: &str) -> Result<Spot> {
    const KIND: &str = "it is a link, a pipe or a device, and only regular files are replaced";
    if tree.root_path().is_some() {
        return Err(unusable(tree, key, KIND));
    }
    let typed = key.to_owned();
    let real = core.blocking(move || {
        let real = std::fs::canonicalize(typed).ok()?;
        let is_file = std::fs::symlink_metadata(&real).ok()?.is_file();
        is_file.then(|| real.into_os_string().into_string().ok())?
    });
    let Some(real) = real.await? else { return Err(unusable(tree, key, KIND)) };
    let spot = Spot::find(core, tree, &real, Missing::Fail).await?;
    match spot.metadata(core).await?.is_file {
        true => Ok(spot),
        false => Err(unusable(tree, key, KIND)),
    }
}

fn unusable(tree: &Tree, key: &str, why: &str) -> Error {
    ErrorKind::InvalidInput(format!("cannot write {}: {why}", tree.uri_of(key))).into()
}

/// Says where a file stands in the way of a directory.
fn not_a_directory(tree: &Tree, key: &str, error: EngineError) -> Error {
    if error.errno() != Some(libc::ENOTDIR) {
        return error.into();
    }
    let directory = tree.shown(tree::typed(key::split(key).0));
    unusable(tree, key, &format!("a part of the path {directory} is a file, no directory"))
}
