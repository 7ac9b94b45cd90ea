//! Names in a directory against a model: made, renamed, removed, looked at.

use std::path::Path;
use std::time::Duration;

use hydrant_engine::{
    Error, File, OpenOptions, make_dir, metadata_beneath, remove_dir, remove_file, rename,
};

use super::Worker;
use crate::host::drop_after;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const FILE_BYTES: usize = 16 << 10;

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Missing,
    File {
        len_bytes: u64,
    },
    /// Always empty.
    Directory,
}

/// `None` is unknown: after an op that failed or was dropped, until somebody looks.
type Model = [Option<Entry>; NAMES.len()];

impl Worker {
    /// One directory and what happens in it.
    pub(super) async fn one_directory(&self) {
        self.count();
        let path = self.place.path(&format!("names-{}", self.ops.get()));
        if self.fair(make_dir(&self.core, None, &path).await).is_none() {
            return;
        }
        let options = OpenOptions::new().read().directory();
        let opened = File::open(&self.core, &path, &options).await;
        let Some(dir) = self.fair(opened) else { return };
        let mut model = [Some(Entry::Missing); NAMES.len()];
        for _ in 0..40 {
            self.count();
            let name = self.below(NAMES.len());
            match self.below(8) {
                0 => self.make(&dir, &mut model, name).await,
                1..4 => self.create(&dir, &mut model, name).await,
                4..6 => self.rename(&dir, &mut model, name).await,
                6 => self.remove(&dir, &mut model, name).await,
                _ => drop(self.fair(dir.sync_all(&self.core).await)),
            }
            self.look(&dir, &mut model, name).await;
        }
    }

    async fn make(&self, dir: &File, model: &mut Model, name: usize) {
        let making = make_dir(&self.core, Some(dir), NAMES[name].as_ref());
        let made = drop_after(self.polls(6), making).await;
        let expected = model[name].map(|entry| match entry {
            Entry::Missing => Ok(()),
            _ => Err(libc::EEXIST),
        });
        self.settle(made, expected, model, &[(name, Entry::Directory)]).await;
    }

    async fn create(&self, dir: &File, model: &mut Model, name: usize) {
        let options = OpenOptions::new().write().create_new();
        let opening = dir.open_beneath(&self.core, NAMES[name].as_ref(), &options);
        let opened = drop_after(self.polls(6), opening).await;
        let expected = model[name].map(|entry| match entry {
            Entry::Missing => Ok(()),
            _ => Err(libc::EEXIST),
        });
        let (file, made) = match opened {
            Some(Ok(file)) => (Some(file), Some(Ok(()))),
            Some(Err(error)) => (None, Some(Err(error))),
            None => (None, None),
        };
        self.settle(made, expected, model, &[(name, Entry::File { len_bytes: 0 })]).await;
        let Some(file) = file else { return };
        let len_bytes = self.below(FILE_BYTES) as u64;
        model[name] = match self.fair(file.allocate(&self.core, len_bytes).await) {
            Some(true) => Some(Entry::File { len_bytes }),
            Some(false) => model[name],
            None => None,
        };
    }

    async fn rename(&self, dir: &File, model: &mut Model, from: usize) {
        let to = (from + 1 + self.below(NAMES.len() - 1)) % NAMES.len();
        let no_replace = self.below(2) == 0;
        let (from_path, to_path) = (Path::new(NAMES[from]), Path::new(NAMES[to]));
        let renaming = rename(&self.core, Some(dir), from_path, Some(dir), to_path, no_replace);
        let renamed = drop_after(self.polls(6), renaming).await;
        let expected = model[from].zip(model[to]).map(|entries| match entries {
            (Entry::Missing, _) => Err(libc::ENOENT),
            (_, Entry::Missing) => Ok(()),
            _ if no_replace => Err(libc::EEXIST),
            (Entry::File { .. }, Entry::Directory) => Err(libc::EISDIR),
            (Entry::Directory, Entry::File { .. }) => Err(libc::ENOTDIR),
            _ => Ok(()),
        });
        // Unknown entries are looked at afterwards, whatever is noted here.
        let moved = model[from].unwrap_or(Entry::Missing);
        self.settle(renamed, expected, model, &[(from, Entry::Missing), (to, moved)]).await;
    }

    async fn remove(&self, dir: &File, model: &mut Model, name: usize) {
        let (path, directory) = (Path::new(NAMES[name]), self.below(2) == 0);
        let polls = self.polls(6);
        let removed = if directory {
            drop_after(polls, remove_dir(&self.core, Some(dir), path)).await
        } else {
            drop_after(polls, remove_file(&self.core, Some(dir), path)).await
        };
        let expected = model[name].map(|entry| match (entry, directory) {
            (Entry::Missing, _) => Err(libc::ENOENT),
            (Entry::Directory, false) => Err(libc::EISDIR),
            (Entry::File { .. }, true) => Err(libc::ENOTDIR),
            _ => Ok(()),
        });
        self.settle(removed, expected, model, &[(name, Entry::Missing)]).await;
    }

    /// Compares the result of an op with what the model expects, and notes the changes of a success.
    async fn settle(
        &self,
        result: Option<Result<(), Error>>,
        expected: Option<Result<(), i32>>,
        model: &mut Model,
        changes: &[(usize, Entry)],
    ) {
        match (result, expected) {
            (Some(Ok(())), Some(Ok(()))) => {
                changes.iter().for_each(|(name, entry)| model[*name] = Some(*entry));
                return;
            }
            (Some(Err(error)), Some(Err(errno))) if error.errno() == Some(errno) => return,
            (Some(Ok(())), Some(Err(errno))) => {
                panic!("{changes:?} succeeded, and not with {errno}")
            }
            (Some(Err(error)), Some(_)) => self.assert_fair(&error),
            // It may still be going on: let the dust settle.
            (None, _) => self.core.sleep(Duration::from_secs(5)).await,
            // Nothing was known.
            (Some(_), None) => {}
        }
        changes.iter().for_each(|(name, _)| model[*name] = None);
    }

    /// Looks at a name, which is known from then on.
    async fn look(&self, dir: &File, model: &mut Model, name: usize) {
        let seen = match metadata_beneath(&self.core, Some(dir), NAMES[name].as_ref()).await {
            Err(error) if error.errno() == Some(libc::ENOENT) => Entry::Missing,
            seen => match self.fair(seen) {
                None => return,
                Some(seen) if seen.is_dir => Entry::Directory,
                Some(seen) => Entry::File { len_bytes: seen.len_bytes },
            },
        };
        let known = *model[name].get_or_insert(seen);
        assert_eq!(seen, known, "the name {}", NAMES[name]);
    }
}
