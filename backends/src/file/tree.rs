//! The part of the file system that a store reaches, and how its keys lead there.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hydrant_engine::{Core, Direct, Error as EngineError, File, OpenOptions, OsError, make_dir};

use super::key;
use crate::error::{Error, ErrorKind, Result};

/// How a store reads and writes its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMode {
    /// Through the page cache: `file://`.
    Buffered,
    /// Past the page cache (O_DIRECT), where the file system takes it: `direct://`.
    Direct,
}

/// Where the keys of a store lead.
#[derive(Debug)]
pub(super) struct Tree {
    mode: FileMode,
    root: Option<Root>,
    direct_refused: AtomicU64,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// Opened once: the store stays in this directory, whatever its path comes to mean.
    dir: OnceLock<File>,
}

/// What to do about directories that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Fail,
    Make,
}

impl Tree {
    pub(super) fn new(mode: FileMode, root: Option<PathBuf>) -> Tree {
        let root = root.map(|path| Root { path, dir: OnceLock::new() });
        Tree { mode, root, direct_refused: AtomicU64::new(0) }
    }

    pub(super) fn root_path(&self) -> Option<&Path> {
        self.root.as_ref().map(|root| &*root.path)
    }

    pub(super) fn direct_refused(&self) -> u64 {
        self.direct_refused.load(Relaxed)
    }

    /// The path of a key, for messages.
    pub(super) fn shown(&self, key: &str) -> String {
        match self.root_path() {
            Some(root) if key.is_empty() => root.display().to_string(),
            Some(root) => format!("{}/{key}", root.display().to_string().trim_end_matches('/')),
            None => key.to_owned(),
        }
    }

    /// The URI of a key; a path that is relative has none and stands as it is.
    pub(super) fn uri_of(&self, key: &str) -> String {
        let path = self.shown(key);
        match self.mode {
            _ if !path.starts_with('/') => path,
            FileMode::Buffered => format!("file://{path}"),
            FileMode::Direct => format!("direct://{path}"),
        }
    }

    /// # Errors
    /// `InvalidInput` for keys that cannot be files here.
    pub(super) fn check_key(&self, key: &str) -> Result<()> {
        key::check(key, self.root.is_some())
    }

    /// Opens what a key names, for reading.
    pub(super) async fn open(&self, core: &Core, key: &str) -> Result<File> {
        self.check_key(key)?;
        let options = OpenOptions::new().read().direct(self.is_direct());
        let opened = match &self.root {
            None => File::open(core, key.as_ref(), &options).await,
            Some(root) => {
                let root = root.open(core, Missing::Fail).await.map_err(|e| self.absent(key, e))?;
                root.open_beneath(core, key.as_ref(), &options).await
            }
        };
        let file = opened.map_err(|error| self.absent(key, error))?;
        self.note_direct(&file);
        Ok(file)
    }

    /// Creates a file that must not be there yet, in a directory of this tree.
    pub(super) async fn create(
        &self,
        core: &Core,
        dir: &File,
        name: &str,
    ) -> Result<File, EngineError> {
        let options = OpenOptions::new().write().create_new().direct(self.is_direct());
        let file = dir.open_beneath(core, name.as_ref(), &options).await?;
        self.note_direct(&file);
        Ok(file)
    }

    /// Opens a temporary that is kept, to write it and to look what it holds; `anew` creates it, and
    /// it must not be there yet.
    pub(super) async fn open_kept(
        &self,
        core: &Core,
        dir: &File,
        name: &str,
        anew: bool,
    ) -> Result<File, EngineError> {
        let options = OpenOptions::new().read().write().direct(self.is_direct());
        let options = if anew { options.create_new() } else { options };
        let file = dir.open_beneath(core, name.as_ref(), &options).await?;
        self.note_direct(&file);
        Ok(file)
    }

    /// Opens a directory by the part of a key up to its last `/`, which is empty for the root or
    /// the working directory.
    pub(super) async fn directory(
        &self,
        core: &Core,
        directory: &str,
        missing: Missing,
    ) -> Result<File, EngineError> {
        let opened = match &self.root {
            None => open_typed(core, typed(directory).as_ref(), missing).await,
            Some(root) => {
                open_beneath(&root.open(core, missing).await?, core, directory, missing).await
            }
        };
        opened.map_err(|error| relabel(error, &self.shown(directory)))
    }

    /// An error of the engine on a key, where a missing file is a missing object.
    pub(super) fn absent(&self, key: &str, error: EngineError) -> Error {
        match error.errno() {
            Some(libc::ENOENT | libc::ENOTDIR) => {
                ErrorKind::NotFound { object: self.uri_of(key) }.into()
            }
            _ => relabel(error, &self.shown(key)).into(),
        }
    }

    pub(super) fn is_direct(&self) -> bool {
        self.mode == FileMode::Direct
    }

    fn note_direct(&self, file: &File) {
        if file.direct() == Direct::Refused {
            self.direct_refused.fetch_add(1, Relaxed);
        }
    }
}

impl Root {
    async fn open(&self, core: &Core, missing: Missing) -> Result<File, EngineError> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir.clone());
        }
        // Several cores may come here at once; the first one's directory is everybody's.
        let dir = open_typed(core, &self.path, missing).await?;
        Ok(self.dir.get_or_init(|| dir).clone())
    }
}

/// The directory that a typed path names.
pub(super) fn typed(directory: &str) -> &str {
    if directory.is_empty() { "." } else { directory }
}

/// The same error with the whole path, where the call knew only the end of it.
pub(super) fn relabel(error: EngineError, path: &str) -> EngineError {
    match error {
        EngineError::Os(error) => OsError { object: path.into(), ..error }.into(),
        other => other,
    }
}

/// Opens a directory by a path that a person typed: symbolic links are theirs to use.
async fn open_typed(core: &Core, path: &Path, missing: Missing) -> Result<File, EngineError> {
    match File::open(core, path, &as_directory()).await {
        Err(error) if error.errno() == Some(libc::ENOENT) && missing == Missing::Make => {
            make_typed(core, path).await?;
            File::open(core, path, &as_directory()).await
        }
        other => other,
    }
}

/// Makes a directory and those above it that are missing, and makes their names durable.
async fn make_typed(core: &Core, path: &Path) -> Result<(), EngineError> {
    let mut missing = Vec::new();
    let mut at = path;
    loop {
        match make_dir(core, None, at).await {
            Ok(()) => break sync_above(core, at).await?,
            Err(error) if error.errno() == Some(libc::EEXIST) => break,
            Err(error) if error.errno() == Some(libc::ENOENT) => {
                missing.push(at);
                at = above(at).ok_or(error)?;
            }
            Err(error) => return Err(error),
        }
    }
    for path in missing.into_iter().rev() {
        match make_dir(core, None, path).await {
            Err(error) if error.errno() != Some(libc::EEXIST) => return Err(error),
            _ => sync_above(core, path).await?,
        }
    }
    Ok(())
}

async fn sync_above(core: &Core, path: &Path) -> Result<(), EngineError> {
    let above = above(path).unwrap_or(".".as_ref());
    File::open(core, above, &as_directory()).await?.sync_all(core).await
}

/// The directory above, unless it is the one that relative paths begin in.
fn above(path: &Path) -> Option<&Path> {
    path.parent().filter(|above| !above.as_os_str().is_empty())
}

/// Opens a directory beneath a root (SEC-2), a name at a time where one may have to be made.
async fn open_beneath(
    root: &File,
    core: &Core,
    directory: &str,
    missing: Missing,
) -> Result<File, EngineError> {
    let path = directory.trim_end_matches('/');
    if path.is_empty() {
        return Ok(root.clone());
    }
    match root.open_beneath(core, path.as_ref(), &as_directory()).await {
        Err(error) if error.errno() == Some(libc::ENOENT) && missing == Missing::Make => {}
        other => return other,
    }
    let mut dir = root.clone();
    for name in path.split('/') {
        dir = match dir.open_beneath(core, name.as_ref(), &as_directory()).await {
            Err(error) if error.errno() == Some(libc::ENOENT) => {
                match make_dir(core, Some(&dir), name.as_ref()).await {
                    Err(error) if error.errno() != Some(libc::EEXIST) => return Err(error),
                    _ => dir.sync_all(core).await?,
                }
                dir.open_beneath(core, name.as_ref(), &as_directory()).await?
            }
            other => other?,
        };
    }
    Ok(dir)
}

fn as_directory() -> OpenOptions {
    OpenOptions::new().read().directory()
}
