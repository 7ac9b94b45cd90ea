//! Objects in files: buckets, names, side files, uploads, listings.
//!
//! Everything here blocks and belongs on a thread for file work. It knows nothing of HTTP, of requests or of
//! bodies that arrive in pieces over time. It never follows a symbolic link and never leaves the root (SEC-2):
//! each step is an `openat` of one encoded name with `O_NOFOLLOW`, so there is no `..` to take and no link to
//! walk through. Nothing is visible under its final name before it is whole (DATA-3): bytes go to
//! `.hydrant/tmp`, are synced, and are renamed into place.
//!
//! ```text
//! DIR/photos/2024/a.jpg            the object s3://photos/2024/a.jpg (see `key` for names that need care)
//! DIR/.hydrant/lock                held while a server runs
//! DIR/.hydrant/meta/photos/ab/…    its ETag, content type and user metadata (see `record`)
//! DIR/.hydrant/uploads/ID/…        an upload in progress (see `upload`)
//! DIR/.hydrant/tmp/…               files that are not whole yet; emptied at every start
//! ```

mod bucket;
mod dir;
mod error;
mod key;
mod listing;
mod object;
mod record;
mod sink;
mod upload;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

pub(crate) use bucket::Bucket;
pub(crate) use error::StoreError;
pub(crate) use listing::{Entry, ListQuery, Listing, after, past};
pub(crate) use object::{Condition, Object};
pub(crate) use record::{Attributes, KeptChecksum, hex};
pub(crate) use sink::{Digests, Sink, Stored};
pub(crate) use upload::{ClaimedPart, Part, Upload};

use crate::error::ServerError;

const HIDDEN: &str = ".hydrant";
const META: &str = "meta";
const UPLOADS: &str = "uploads";
const TMP: &str = "tmp";

/// Writers of different keys rarely share a stripe; more stripes cost memory alone.
const STRIPES: usize = 256;

/// What the store needs to know of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct StoreOptions {
    pub root: PathBuf,
    pub durable: bool,
    pub part_bytes_min: u64,
    pub list_etag_bytes_max: u64,
}

/// The directory and what keeps its writers apart.
pub(crate) struct Store {
    options: StoreOptions,
    root: OwnedFd,
    meta: OwnedFd,
    uploads: OwnedFd,
    tmp: Arc<OwnedFd>,
    /// Shared by whoever needs the directories to stay; exclusive for whoever removes one or moves a file out
    /// of the way of one. Taken before any stripe.
    namespace: RwLock<()>,
    /// One writer a key: reading the old side file, writing the new one and the rename belong together.
    key_stripes: Box<[Mutex<()>]>,
    /// One completion or abort an upload. Taken before the namespace.
    upload_stripes: Box<[Mutex<()>]>,
    next_temporary: AtomicU64,
    /// The kernel lets go of the lock with the descriptor, however the process ends.
    _lock: File,
}

impl Store {
    /// Opens the directory, making what is missing and removing what a crash left half-written.
    pub(crate) fn open(options: StoreOptions) -> Result<Self, ServerError> {
        let at_root = |source| ServerError::Root { path: options.root.clone(), source };
        let hidden = options.root.join(HIDDEN);
        for name in [META, UPLOADS, TMP] {
            fs::create_dir_all(hidden.join(name)).map_err(at_root)?;
        }
        let lock = File::create(hidden.join("lock")).map_err(at_root)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ServerError::InUse { path: options.root }),
            Err(TryLockError::Error(source)) => return Err(at_root(source)),
        }
        let directory = |path: PathBuf| File::open(path).map(OwnedFd::from).map_err(at_root);
        let store = Self {
            root: directory(options.root.clone())?,
            meta: directory(hidden.join(META))?,
            uploads: directory(hidden.join(UPLOADS))?,
            tmp: Arc::new(directory(hidden.join(TMP))?),
            namespace: RwLock::new(()),
            key_stripes: stripes(),
            upload_stripes: stripes(),
            next_temporary: AtomicU64::new(0),
            _lock: lock,
            options: options.clone(),
        };
        store.empty_tmp().map_err(at_root)?;
        Ok(store)
    }

    /// A file that will be an object or a part.
    pub(crate) fn sink(&self, digests: Digests) -> Result<Sink, StoreError> {
        Sink::create(self.tmp.clone(), self.temporary_name(), self.options.durable, digests)
            .map_err(|source| StoreError::io("create a temporary file", TMP, source))
    }

    fn temporary_name(&self) -> OsString {
        OsString::from(self.next_temporary.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// The path of a directory of ours, for the one thing that needs a path: removing a whole tree.
    fn hidden_path(&self, room: &str, name: impl AsRef<OsStr>) -> PathBuf {
        self.options.root.join(HIDDEN).join(room).join(name.as_ref())
    }

    fn empty_tmp(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.options.root.join(HIDDEN).join(TMP))? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }

    fn lock_key(&self, bucket: &str, key: &str) -> MutexGuard<'_, ()> {
        lock_stripe(&self.key_stripes, (bucket, key))
    }

    fn lock_upload(&self, id: &str) -> MutexGuard<'_, ()> {
        lock_stripe(&self.upload_stripes, id)
    }
}

fn stripes() -> Box<[Mutex<()>]> {
    (0..STRIPES).map(|_| Mutex::new(())).collect()
}

/// The locks guard files, not memory, so a panic under one leaves nothing half-changed that a restart would not.
fn lock_stripe(stripes: &[Mutex<()>], name: impl Hash) -> MutexGuard<'_, ()> {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let index = (hasher.finish() % stripes.len() as u64) as usize;
    stripes[index].lock().unwrap_or_else(PoisonError::into_inner)
}
