//! Files that get their name when they are whole.
//!
//! For making something new: a name that is taken is refused, never replaced, and what is given up
//! leaves nothing. To replace a file one writes another beside it and [renames](super::rename).

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use super::{File, OpenOptions, paths, remove_file, rename};
use crate::cores::Core;
use crate::error::{Error, Result};
use crate::metrics;

/// A file that nobody can open by a name yet. Dropping it removes it.
#[derive(Debug)]
pub struct Unnamed {
    file: File,
    dir: File,
    /// What it is called meanwhile, where the file system knows no files without a name.
    temporary: Option<Temporary>,
}

impl File {
    /// Makes a file without a name in this directory (`O_TMPFILE`, Linux 3.11), to be written and,
    /// if `options` say so, read.
    ///
    /// A file system without such files gets one with a temporary name (FALL-1), which
    /// [`crate::MetricsSnapshot::unnamed_refused`] counts: a process that is killed leaves it behind.
    ///
    /// # Errors
    /// The errno of `openat2(2)`.
    pub async fn create_unnamed(&self, core: &Core, options: &OpenOptions) -> Result<Unnamed> {
        match self.open_beneath(core, ".".as_ref(), &options.unnamed()).await {
            Ok(file) => {
                let path = self.path.join("(no name yet)").into();
                Ok(Unnamed { file: File { path, ..file }, dir: self.clone(), temporary: None })
            }
            Err(error) if error.errno().is_some_and(knows_no_unnamed_files) => {
                metrics::add(&core.counters().unnamed_refused, 1);
                named(core, self, options).await
            }
            Err(error) => Err(error),
        }
    }
}

impl Unnamed {
    /// The file, to be written and made durable.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives it a name in its directory: a single one, because the kernel would follow a path
    /// anywhere (SEC-2). The name is durable once the directory is synced.
    ///
    /// # Errors
    /// `EEXIST` when the name is taken; the errno of `linkat(2)`, which needs procfs, or of
    /// `renameat2(2)`. The file is gone then.
    pub async fn link_as(self, core: &Core, name: &Path) -> Result<File> {
        match self.temporary {
            None => paths::link(core, &self.file, &self.dir, name).await?,
            Some(mut temporary) => {
                let (dir, from) = (Some(&self.dir), &temporary.name);
                rename(core, dir, from, dir, name, true).await?;
                temporary.is_there = false;
            }
        }
        Ok(File { path: self.dir.path.join(name).into(), ..self.file })
    }
}

type Opening = Pin<Box<dyn Future<Output = Result<File>>>>;

/// A name that goes with this.
struct Temporary {
    core: Core,
    dir: File,
    name: PathBuf,
    /// Not ended yet: the kernel may make the file after nobody waits for it any more, even while the
    /// core stops, so whoever removes it waits for this first.
    opening: Option<Opening>,
    is_there: bool,
}

async fn named(core: &Core, dir: &File, options: &OpenOptions) -> Result<Unnamed> {
    let name = PathBuf::from(format!(".hydrant-{:016x}.unnamed", core.random_u64()));
    let options = options.clone().write().create_new();
    let opening: Opening = Box::pin({
        let (core, dir, name) = (core.clone(), dir.clone(), name.clone());
        async move { dir.open_beneath(&core, &name, &options).await }
    });
    let (core, dir, opening) = (core.clone(), dir.clone(), Some(opening));
    let mut temporary = Temporary { core, dir: dir.clone(), name, opening, is_there: true };
    let opened = temporary.opening.as_mut().expect("set a line ago").await;
    temporary.opening = None;
    // Somebody else's.
    temporary.is_there = opened.as_ref().err().and_then(Error::errno) != Some(libc::EEXIST);
    Ok(Unnamed { file: opened?, dir, temporary: Some(temporary) })
}

impl std::fmt::Debug for Temporary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Temporary").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_there {
            return;
        }
        let (core, dir, name) = (self.core.clone(), self.dir.clone(), self.name.clone());
        let opening = self.opening.take();
        let path = dir.path.join(&name);
        let cleanup = async move {
            if let Some(opening) = opening
                && let Err(error) = opening.await
                && error.errno() == Some(libc::EEXIST)
            {
                // Somebody else's.
                return;
            }
            match remove_file(&core, Some(&dir), &name).await {
                Err(error) if error.errno() != Some(libc::ENOENT) => {
                    let path = dir.path.join(&name);
                    core.report(format_args!("{} is left behind: {error}", path.display()));
                }
                _ => {}
            }
        };
        if let Err(error) = self.core.spawn_cleanup(cleanup) {
            self.core.report(format_args!("{} is left behind: {error}", path.display()));
        }
    }
}

/// `EOPNOTSUPP` by a file system; `EISDIR` by one whose kernel part does not know the flag, and takes
/// it for opening a directory (open(2)).
fn knows_no_unnamed_files(errno: i32) -> bool {
    matches!(errno, libc::EOPNOTSUPP | libc::EISDIR)
}
