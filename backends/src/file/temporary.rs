//! A file that is not yet an object: created beside its final name, renamed when it is whole
//! (DATA-3).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hydrant_engine::{
    Core, Direct, Error as EngineError, File, Result as EngineResult, remove_file, rename,
};

use super::key;
use super::spot::Spot;
use super::tree::{Tree, relabel};
use super::version::Version;
use crate::condition::broken;
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectMeta;

/// A file under a temporary name.
#[derive(Debug, Clone)]
pub(super) struct Temporary {
    spot: Spot,
    name: String,
    /// What has the name already is replaced, or else left as it is.
    replaces: bool,
    pub(super) file: File,
}

/// A temporary that is removed when the guard is dropped.
pub(super) struct Guard {
    core: Core,
    spot: Spot,
    name: String,
    phase: Phase,
    /// As [`Temporary`] has it.
    pub(super) replaces: bool,
}

type Opening = Pin<Box<dyn Future<Output = EngineResult<File>>>>;

enum Phase {
    /// Being created: the kernel may do that after nobody waits for it any more, even while the core
    /// stops, so whoever removes it waits for this first.
    Opening(Opening),
    Open(File),
    /// Creating it failed, and it may be there nevertheless.
    NotCreated,
    /// Somebody else answers for it, or there is nothing.
    Let,
}

impl Guard {
    /// Creates the temporary of an object that will lie at `spot`.
    pub(super) async fn create(core: &Core, tree: &Arc<Tree>, spot: Spot) -> Result<Guard> {
        let name = key::temporary_name(&spot.name, core.random_u64());
        let opening: Opening = Box::pin({
            let (core, tree) = (core.clone(), Arc::clone(tree));
            let (dir, name) = (spot.dir.clone(), name.clone());
            async move { tree.create(&core, &dir, &name).await }
        });
        let phase = Phase::Opening(opening);
        let mut guard = Guard { core: core.clone(), spot, name, phase, replaces: true };
        let Phase::Opening(opening) = &mut guard.phase else { unreachable!("set a line ago") };
        match opening.await {
            Ok(file) => {
                guard.phase = Phase::Open(file);
                Ok(guard)
            }
            Err(error) => Err(guard.not_created(error).await),
        }
    }

    pub(super) fn temporary(&self) -> Temporary {
        let Phase::Open(file) = &self.phase else { unreachable!("guards are given out open") };
        let (spot, name, replaces) = (self.spot.clone(), self.name.clone(), self.replaces);
        Temporary { spot, name, replaces, file: file.clone() }
    }

    /// Hands the temporary over: whoever has it answers for it from now on.
    pub(super) fn release(mut self) -> Temporary {
        let temporary = self.temporary();
        self.phase = Phase::Let;
        temporary
    }

    /// Creating it failed. A file may be there nevertheless: the kernel can refuse O_DIRECT after
    /// it has created the file.
    async fn not_created(mut self, error: EngineError) -> Error {
        self.phase = if is_anothers(&error) { Phase::Let } else { Phase::NotCreated };
        let error = relabel(error, &self.spot.path_of(&self.name)).into();
        if let Phase::Let = self.phase {
            return error;
        }
        let removed = remove(&self.core, &self.spot, &self.name).await;
        self.phase = Phase::Let;
        or_left_behind(error, removed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let phase = std::mem::replace(&mut self.phase, Phase::Let);
        if let Phase::Let = phase {
            return;
        }
        let (core, spot, name) = (self.core.clone(), self.spot.clone(), self.name.clone());
        let cleanup = async move {
            if let Phase::Opening(opening) = phase
                && let Err(error) = opening.await
                && is_anothers(&error)
            {
                return;
            }
            if let Err(error) = remove(&core, &spot, &name).await {
                // Nobody waits for this any more: the only one to tell is the person at the log.
                core.report(format_args!("a temporary file is left behind: {error}"));
            }
        };
        if let Err(error) = self.core.spawn_cleanup(cleanup) {
            let path = self.spot.path_of(&self.name);
            self.core.report(format_args!("the temporary {path} is left behind: {error}"));
        }
    }
}

impl Temporary {
    /// Opens one that is kept.
    pub(super) async fn open_kept(
        core: &Core,
        tree: &Tree,
        spot: &Spot,
        name: &str,
    ) -> EngineResult<Temporary> {
        Temporary::open(core, tree, spot, name, false).await
    }

    /// Makes one to be kept, in place of one that lies there. It is another file and not the same
    /// one emptied: writes of a copy that was given up may still be on their way to that.
    pub(super) async fn begin_kept(
        core: &Core,
        tree: &Tree,
        spot: &Spot,
        name: &str,
    ) -> Result<Temporary> {
        remove(core, spot, name).await?;
        Ok(Temporary::open(core, tree, spot, name, true).await?)
    }

    async fn open(
        core: &Core,
        tree: &Tree,
        spot: &Spot,
        name: &str,
        anew: bool,
    ) -> EngineResult<Temporary> {
        let opened = tree.open_kept(core, &spot.dir, name, anew).await;
        let file = opened.map_err(|error| relabel(error, &spot.path_of(name)))?;
        Ok(Temporary { spot: spot.clone(), name: name.to_owned(), replaces: true, file })
    }

    /// Makes the file an object of `size_bytes`: [`Temporary::cut`], [`Temporary::sync`] and
    /// [`Temporary::give_name`].
    pub(super) async fn finish(
        &self,
        core: &Core,
        size_bytes: u64,
        allocated_bytes: u64,
    ) -> Result<ObjectMeta> {
        self.cut(core, size_bytes, allocated_bytes).await?;
        self.told(self.sync(core).await)?;
        self.give_name(core, size_bytes).await
    }

    /// Cuts it to its length; `allocated_bytes` is what was asked for ahead.
    pub(super) async fn cut(
        &self,
        core: &Core,
        size_bytes: u64,
        allocated_bytes: u64,
    ) -> Result<()> {
        let padded = matches!(self.file.direct(), Direct::Yes { .. });
        if padded || allocated_bytes > size_bytes {
            self.told(self.file.set_len(core, size_bytes).await)?;
        }
        Ok(())
    }

    /// Makes its bytes durable. This fails once: after a write back that failed Linux takes the pages
    /// for clean, so they read back as if they were on disk, and another sync of the file finds
    /// nothing to do (fsync(2), since 4.13). What is in it must not be used after a failure.
    pub(super) async fn sync(&self, core: &Core) -> EngineResult<()> {
        self.file.sync_all(core).await.map_err(|error| relabel(error, &self.path()))
    }

    /// Gives it its name and makes that durable. A failure before the rename leaves it a temporary,
    /// one after it is [`ErrorKind::NotDurable`].
    pub(super) async fn give_name(&self, core: &Core, size_bytes: u64) -> Result<ObjectMeta> {
        let version = Version::from(&self.told(self.file.metadata(core).await)?);
        if version.size_bytes != size_bytes {
            let object = self.spot.path_of(&self.spot.name);
            let detail =
                format!("{} bytes lie on disk instead of {size_bytes}", version.size_bytes);
            return Err(ErrorKind::Integrity { object, detail }.into());
        }
        let Spot { dir, name, .. } = &self.spot;
        let from = self.name.as_ref();
        let no_replace = !self.replaces;
        let renamed = rename(core, Some(dir), from, Some(dir), name.as_ref(), no_replace).await;
        renamed.map_err(|error| match error.errno() {
            Some(libc::EEXIST) if no_replace => {
                broken(&self.spot.path_of(name), "there is one already".into())
            }
            _ => relabel(error, &self.spot.path_of(name)).into(),
        })?;
        match dir.sync_all(core).await {
            Ok(()) => Ok(version.meta()),
            // Taking the name away again would lose what it replaced, so it stays and is told.
            Err(error) => {
                let source = relabel(error, &self.spot.path_of("."));
                let object = self.spot.path_of(name);
                Err(ErrorKind::NotDurable { object, source }.into())
            }
        }
    }

    /// Removes it; one that is gone or has its final name is no error.
    pub(super) async fn remove(&self, core: &Core) -> Result<()> {
        remove(core, &self.spot, &self.name).await
    }

    /// Its path, for messages.
    pub(super) fn path(&self) -> String {
        self.spot.path_of(&self.name)
    }

    /// An error with the whole path.
    pub(super) fn told<T>(&self, result: EngineResult<T>) -> Result<T> {
        result.map_err(|error| relabel(error, &self.path()).into())
    }
}

/// The name is taken, by somebody who answers for it.
fn is_anothers(error: &EngineError) -> bool {
    error.errno() == Some(libc::EEXIST)
}

async fn remove(core: &Core, spot: &Spot, name: &str) -> Result<()> {
    match remove_file(core, Some(&spot.dir), name.as_ref()).await {
        Err(error) if error.errno() != Some(libc::ENOENT) => {
            Err(relabel(error, &spot.path_of(name)).into())
        }
        _ => Ok(()),
    }
}

/// The error of a write, with what could not be removed after it.
pub(super) fn or_left_behind(error: Error, removed: Result<()>) -> Error {
    match removed {
        Ok(()) => error,
        Err(left) => ErrorKind::LeftBehind { error, left }.into(),
    }
}
