//! Buckets: directories right under the root.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::PoisonError;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, fsync, unlinkat};
use rustix::io::Errno;
use s3s::path::check_bucket_name;

use super::listing::ListQuery;
use super::{META, Store, StoreError, dir};

/// A bucket as it is listed.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub name: String,
    pub created: SystemTime,
}

impl Store {
    /// The buckets in the order of their names. Directories whose names S3 does not allow are none.
    pub(crate) fn list_buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        let failed = |source: io::Error| StoreError::io("list the buckets", "/", source);
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.options.root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !check_bucket_name(&name) || !entry.file_type().map_err(failed)?.is_dir() {
                continue;
            }
            let metadata = entry.metadata().map_err(failed)?;
            // Not every file system keeps the time of birth.
            let created = metadata.created().or_else(|_| metadata.modified()).map_err(failed)?;
            buckets.push(Bucket { name, created });
        }
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(buckets)
    }

    pub(crate) fn create_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        match dir::make_dir(&self.root, OsStr::new(bucket)) {
            Ok(()) if self.options.durable => fsync(&self.root)
                .map_err(|source| StoreError::io("create a bucket", bucket, source)),
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(StoreError::BucketExists { bucket: bucket.to_owned() }),
            Err(source) => Err(StoreError::io("create a bucket", bucket, source)),
        }
    }

    /// The bucket's directory, or that there is no such bucket.
    pub(crate) fn open_bucket(&self, bucket: &str) -> Result<OwnedFd, StoreError> {
        dir::open_dir(&self.root, OsStr::new(bucket)).map_err(|error| {
            match dir::is_absence(error) {
                true => StoreError::NoSuchBucket { bucket: bucket.to_owned() },
                false => StoreError::io("open a bucket", bucket, error),
            }
        })
    }

    /// Removes a bucket without objects, and with it the uploads that were begun there. Only directories are
    /// removed: a file that is no object keeps the bucket.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        let failed = |source: io::Error| StoreError::io("delete a bucket", bucket, source);
        self.open_bucket(bucket)?;
        for upload in self.list_uploads(bucket)? {
            self.abort(&upload.id, bucket, &upload.key)?;
        }
        let _alone = self.namespace.write().unwrap_or_else(PoisonError::into_inner);
        let first = ListQuery { keys_max: 1, ..ListQuery::default() };
        if !self.list(bucket, &first)?.entries.is_empty() {
            return Err(StoreError::BucketNotEmpty { bucket: bucket.to_owned() });
        }
        match remove_empty_dirs(&self.root, OsStr::new(bucket)) {
            Ok(()) => {}
            Err(Errno::NOTEMPTY) => {
                return Err(StoreError::BucketNotEmpty { bucket: bucket.to_owned() });
            }
            Err(error) => return Err(failed(error.into())),
        }
        match fs::remove_dir_all(self.hidden_path(META, bucket)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

/// Removes a directory and the directories below it, innermost first; `NOTEMPTY` where there is anything else.
fn remove_empty_dirs(at: impl AsFd, name: &OsStr) -> Result<(), Errno> {
    let here = dir::open_dir(&at, name)?;
    for child in child_dirs(&here)? {
        remove_empty_dirs(&here, &child)?;
    }
    unlinkat(at, name, AtFlags::REMOVEDIR)
}

fn child_dirs(at: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(at)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        if dir::kind(at, name)? == Some(FileType::Directory) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
