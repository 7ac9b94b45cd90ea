//! Objects: open, commit, delete.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::PoisonError;
use std::time::SystemTime;

use md5::{Digest, Md5};
use rustix::fs::{AtFlags, FileType, renameat, unlinkat};
use rustix::io::Errno;

use super::key::{ObjectPath, displaced};
use super::record::{Attributes, Record, Version};
use super::sink::Stored;
use super::{Store, StoreError, dir, hex};

/// Read at once when an ETag has to be computed.
const DIGEST_CHUNK_BYTES: usize = 256 << 10;

/// Directories held open at once while empty ones are removed.
const PRUNE_LEVELS: usize = 64;

/// An object that was found: its open file and what is known of it. The file stays the same version, whatever is
/// written under the key meanwhile.
pub(crate) struct Object {
    pub file: File,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: SystemTime,
    pub attributes: Attributes,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// `If-None-Match: *`: the key is free.
    Absent,
    /// `If-Match: *`: it is not.
    Present,
    /// `If-Match: "etag"`, without quotes.
    Etag(String),
}

impl Store {
    /// Finds an object. An ETag that is not known for this version is computed and kept.
    pub(crate) fn open_object(&self, bucket: &str, key: &str) -> Result<Object, StoreError> {
        let path = ObjectPath::from_key(key)?;
        let at = self.open_bucket(bucket)?;
        let (file, version) =
            self.find(&at, &path, key)?.ok_or_else(|| StoreError::no_such_key(bucket, key))?;
        let record = match self.load_record(bucket, key, version)? {
            Some(record) => record,
            None => {
                let _writer = self.lock_key(bucket, key);
                self.record_of(bucket, key, &file, version)?
            }
        };
        Ok(Object {
            file,
            size: version.size,
            etag: record.etag,
            modified: version.modified(),
            attributes: record.attributes,
        })
    }

    /// Whether an object could be written there: the bucket exists and the key can be stored.
    pub(crate) fn check_target(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        ObjectPath::from_key(key)?;
        self.open_bucket(bucket).map(drop)
    }

    /// Gives a whole file the name of the key. The answer is the ETag.
    pub(crate) fn commit(
        &self,
        bucket: &str,
        key: &str,
        mut stored: Stored,
        etag: String,
        attributes: Attributes,
        condition: Option<&Condition>,
    ) -> Result<Record, StoreError> {
        let failed = |source| StoreError::io("sync", key, source);
        let path = ObjectPath::from_key(key)?;
        let version = stored.settle().map_err(failed)?;
        let record = Record { version, etag, attributes };
        loop {
            match self.try_commit(bucket, key, &path, &mut stored, &record, condition)? {
                Attempt::Done => return Ok(record),
                Attempt::Blocked { parent, name } => self.displace(bucket, &parent, &name)?,
            }
        }
    }

    /// Removes an object; that there is none is no error.
    pub(crate) fn delete_object(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let failed = |source: Errno| StoreError::io("delete", key, source);
        let path = ObjectPath::from_key(key)?;
        let at = self.open_bucket(bucket)?;
        {
            let _stay = self.namespace.read().unwrap_or_else(PoisonError::into_inner);
            let _writer = self.lock_key(bucket, key);
            let parent = match dir::walk(&at, &path.dirs) {
                Ok(parent) => parent,
                Err(error) if dir::is_absence(error) => return Ok(()),
                Err(error) => return Err(failed(error)),
            };
            if let Some(name) = self.name_in_force(&parent, &path.leaf, key)? {
                dir::remove_file(&parent, &name).map_err(failed)?;
                if self.options.durable {
                    rustix::fs::fsync(&parent).map_err(failed)?;
                }
            }
            self.remove_records(bucket, key)?;
        }
        self.prune(&at, &path.dirs);
        Ok(())
    }

    /// The ETag of a file found in a listing, unless it is unknown and the file too large to be read for it.
    pub(super) fn listed_etag(
        &self,
        bucket: &str,
        key: &str,
        at: impl AsFd,
        name: &OsStr,
        version: Version,
    ) -> Result<Option<String>, StoreError> {
        if let Some(record) = self.load_record(bucket, key, version)? {
            return Ok(Some(record.etag));
        }
        if version.size > self.options.list_etag_bytes_max {
            return Ok(None);
        }
        let failed = |source: Errno| StoreError::io("open", key, source);
        let Some(file) = dir::open_file(at, name).map_err(failed)? else { return Ok(None) };
        let _writer = self.lock_key(bucket, key);
        self.record_of(bucket, key, &file, version).map(|record| Some(record.etag))
    }

    fn try_commit(
        &self,
        bucket: &str,
        key: &str,
        path: &ObjectPath,
        stored: &mut Stored,
        record: &Record,
        condition: Option<&Condition>,
    ) -> Result<Attempt, StoreError> {
        let _stay = self.namespace.read().unwrap_or_else(PoisonError::into_inner);
        let _writer = self.lock_key(bucket, key);
        let at = self.open_bucket(bucket)?;
        let made = dir::make_dirs(&at, &path.dirs, self.options.durable)
            .map_err(|source| StoreError::io("make directories", key, source))?;
        let parent = match made {
            dir::Made::All(parent) => parent,
            dir::Made::Blocked { parent, name } => return Ok(Attempt::Blocked { parent, name }),
        };
        let current = self.find(&at, path, key)?;
        if let Some(condition) = condition {
            self.check(condition, bucket, key, current.as_ref())?;
        }
        self.save_record(bucket, key, record, current.map(|(_, version)| version))?;
        self.rename_into(&parent, path, stored)
            .map_err(|source| StoreError::io("rename", key, source))?;
        Ok(Attempt::Done)
    }

    /// The plain name unless a directory has it or the object is displaced already. A directory can be made in
    /// between by a writer of a longer key, which is then found and avoided.
    fn rename_into(
        &self,
        parent: &OwnedFd,
        path: &ObjectPath,
        stored: &mut Stored,
    ) -> Result<(), Errno> {
        let aside = displaced(&path.leaf);
        if dir::kind(parent, &aside)?.is_some()
            || dir::kind(parent, &path.leaf)? == Some(FileType::Directory)
        {
            return stored.rename(parent, &aside);
        }
        match stored.rename(parent, &path.leaf) {
            Err(Errno::ISDIR) => stored.rename(parent, &aside),
            outcome => outcome,
        }
    }

    /// Moves an object out of the way of a directory of its name.
    fn displace(&self, bucket: &str, parent: &OwnedFd, name: &OsString) -> Result<(), StoreError> {
        let shown = || name.to_string_lossy().into_owned();
        let failed = |source: Errno| StoreError::io("move an object aside", shown(), source);
        let _alone = self.namespace.write().unwrap_or_else(PoisonError::into_inner);
        match dir::kind(parent, name).map_err(failed)? {
            Some(FileType::RegularFile) => {
                renameat(parent, name, parent, displaced(name)).map_err(failed)
            }
            // Another writer has moved it, or it was deleted.
            None | Some(FileType::Directory) => Ok(()),
            Some(_) => Err(StoreError::Blocked { bucket: bucket.to_owned(), name: shown() }),
        }
    }

    fn check(
        &self,
        condition: &Condition,
        bucket: &str,
        key: &str,
        current: Option<&(File, Version)>,
    ) -> Result<(), StoreError> {
        let holds = match (condition, current) {
            (Condition::Absent, current) => current.is_none(),
            (Condition::Present, current) => current.is_some(),
            (Condition::Etag(_), None) => return Err(StoreError::no_such_key(bucket, key)),
            (Condition::Etag(etag), Some((file, version))) => {
                self.record_of(bucket, key, file, *version)?.etag == *etag
            }
        };
        let condition =
            if matches!(condition, Condition::Absent) { "If-None-Match" } else { "If-Match" };
        if holds { Ok(()) } else { Err(StoreError::PreconditionFailed { condition }) }
    }

    /// The file in force and its version.
    fn find(
        &self,
        at: &OwnedFd,
        path: &ObjectPath,
        key: &str,
    ) -> Result<Option<(File, Version)>, StoreError> {
        let failed = |source: Errno| StoreError::io("open", key, source);
        let parent = match dir::walk(at, &path.dirs) {
            Ok(parent) => parent,
            Err(error) if dir::is_absence(error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        // Plain before displaced: an object moves only that way, so one of the two looks finds it.
        let file = match dir::open_file(&parent, &path.leaf).map_err(failed)? {
            Some(file) => Some(file),
            None => dir::open_file(&parent, &displaced(&path.leaf)).map_err(failed)?,
        };
        let Some(file) = file else { return Ok(None) };
        let metadata = file.metadata().map_err(|source| StoreError::io("look at", key, source))?;
        Ok(Some((file, Version::of(&metadata))))
    }

    fn name_in_force(
        &self,
        at: &OwnedFd,
        leaf: &OsString,
        key: &str,
    ) -> Result<Option<OsString>, StoreError> {
        for name in [leaf.clone(), displaced(leaf)] {
            let kind =
                dir::kind(at, &name).map_err(|source| StoreError::io("look at", key, source))?;
            if kind == Some(FileType::RegularFile) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The record of a version, made if there is none. The caller holds the key's stripe, so that a file is
    /// digested once however many ask.
    fn record_of(
        &self,
        bucket: &str,
        key: &str,
        file: &File,
        version: Version,
    ) -> Result<Record, StoreError> {
        if let Some(record) = self.load_record(bucket, key, version)? {
            return Ok(record);
        }
        let etag =
            digest(file, version.size).map_err(|source| StoreError::io("read", key, source))?;
        let record = Record { version, etag, attributes: Attributes::default() };
        self.save_record(bucket, key, &record, None)?;
        Ok(record)
    }

    /// Removes directories that a deletion may have left empty. A failure leaves an empty directory, which no
    /// listing shows and the next writer takes over.
    fn prune(&self, at: &OwnedFd, dirs: &[OsString]) {
        if dirs.is_empty() {
            return;
        }
        let _alone = self.namespace.write().unwrap_or_else(PoisonError::into_inner);
        let _ = remove_empty(at, dirs);
    }
}

/// Removes the directories at the end of the names as long as they are empty. In steps, because neither a descriptor
/// a level nor a walk from the root a level is good for keys with a thousand of them.
fn remove_empty(at: &OwnedFd, dirs: &[OsString]) -> Result<(), Errno> {
    let mut end = dirs.len();
    while end > 0 {
        let start = end.saturating_sub(PRUNE_LEVELS);
        let mut parents = vec![dir::walk(at, &dirs[..start])?];
        for (level, name) in dirs[start..end - 1].iter().enumerate() {
            parents.push(dir::open_dir(&parents[level], name)?);
        }
        for level in (start..end).rev() {
            unlinkat(&parents[level - start], &dirs[level], AtFlags::REMOVEDIR)?;
        }
        end = start;
    }
    Ok(())
}

enum Attempt {
    Done,
    Blocked { parent: OwnedFd, name: OsString },
}

fn digest(file: &File, size: u64) -> std::io::Result<String> {
    let mut md5 = Md5::new();
    let mut chunk = vec![0; DIGEST_CHUNK_BYTES];
    let mut offset = 0;
    while offset < size {
        let wanted = chunk.len().min(usize::try_from(size - offset).unwrap_or(usize::MAX));
        file.read_exact_at(&mut chunk[..wanted], offset)?;
        md5.update(&chunk[..wanted]);
        offset += wanted as u64;
    }
    Ok(hex(&md5.finalize()))
}
