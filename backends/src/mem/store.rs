//! One store in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hydrant_engine::{Buf, Core};

use super::budget::Budget;
use super::object::{Object, Piece, charge};
use super::reader::MemReader;
use super::upload::MemUpload;
use crate::condition::ReadOptions;
use crate::error::{ErrorKind, Result};
use crate::object::{Etag, ListEntry, ListPage, ListRequest, ObjectMeta, PutOptions};
use crate::page::{PageBuilder, rolled_up};
use crate::s3::refuse;
use crate::store::{LocalFuture, ObjectStore, PartRules, Reader, Upload};

/// Bytes of a key at most, as on S3 (LIMIT-1).
const KEY_BYTES_MAX: usize = 1024;

/// What an object counts for besides its key and its bytes: its place in the map and its tag.
const ENTRY_BYTES: u64 = 512;

/// Objects in the memory of this process.
///
/// They are gone with the last handle to the store. Copies run on the core that asks, under no
/// lock.
#[derive(Debug)]
pub struct MemStore {
    shared: Arc<Shared>,
}

/// What the store, its readers and its uploads share.
pub(super) struct Shared {
    name: String,
    budget: Arc<Budget>,
    versions: AtomicU64,
    objects: Mutex<BTreeMap<String, Arc<Object>>>,
}

impl MemStore {
    pub(super) fn new(name: &str, budget: Arc<Budget>) -> MemStore {
        let objects = Mutex::default();
        let versions = AtomicU64::new(0);
        MemStore { shared: Arc::new(Shared { name: name.to_owned(), budget, versions, objects }) }
    }

    fn put_whole(
        &self,
        core: &Core,
        key: &str,
        buf: &Buf,
        span: Range<usize>,
        options: &PutOptions,
    ) -> Result<ObjectMeta> {
        let shared = &self.shared;
        shared.check_key(key)?;
        let uri = shared.uri_of(key);
        let piece = Piece::copy_in(&uri, &shared.budget, core.metrics(), 0, buf, span)?;
        shared.insert(core, key, vec![piece], options)
    }
}

impl Shared {
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(super) fn uri_of(&self, key: &str) -> String {
        format!("mem://{}/{key}", self.name)
    }

    pub(super) fn find(&self, key: &str) -> Result<Arc<Object>> {
        self.check_key(key)?;
        let found = self.objects().get(key).map(Arc::clone);
        Ok(found.ok_or_else(|| ErrorKind::NotFound { object: self.uri_of(key) })?)
    }

    /// Makes an object visible, in the place of what was there.
    pub(super) fn insert(
        &self,
        core: &Core,
        key: &str,
        pieces: Vec<Piece>,
        options: &PutOptions,
    ) -> Result<ObjectMeta> {
        let version = self.versions.fetch_add(1, Relaxed);
        let size_bytes = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
        let meta = ObjectMeta {
            etag: Etag::new(&format!("\"{version:016x}\"")),
            modified: Some(core.wall_clock()),
            ..options.meta_of(size_bytes)
        };
        let entry_bytes = ENTRY_BYTES + key.len() as u64;
        let charge = charge(&self.uri_of(key), &self.budget, entry_bytes)?;
        let object = Arc::new(Object { meta: meta.clone(), pieces, _charge: charge });
        let mut objects = self.objects();
        if let Some(write_if) = &options.write_if {
            let there = objects.get(key).map(|object| object.meta.etag.as_ref());
            write_if.check(&self.uri_of(key), there)?;
        }
        let replaced = objects.insert(key.to_owned(), object);
        drop(objects);
        // Freeing an object takes time; nobody has to wait for the lock meanwhile.
        drop(replaced);
        Ok(meta)
    }

    fn remove(&self, key: &str) -> Result<()> {
        self.check_key(key)?;
        let removed = self.objects().remove(key);
        Ok(removed.map(drop).ok_or_else(|| ErrorKind::NotFound { object: self.uri_of(key) })?)
    }

    /// One page. What is rolled up is skipped in one step.
    fn page(&self, request: &ListRequest) -> Result<ListPage> {
        let mut page = PageBuilder::new(request)?;
        let prefix = request.prefix.as_str();
        let roll_up = |key: &str| rolled_up(key, prefix.len(), request.delimiter);
        let mut from = match request.behind() {
            Some(last) if last >= prefix => match roll_up(last) {
                Some(end) if end == last.len() => behind(last),
                _ => Some(Bound::Excluded(last.to_owned())),
            },
            _ => Some(Bound::Included(prefix.to_owned())),
        };
        let objects = self.objects();
        while let Some(begin) = from.take() {
            let begin = begin.as_ref().map(String::as_str);
            let next = objects.range::<str, _>((begin, Bound::Unbounded)).next();
            let Some((key, object)) = next.filter(|(key, _)| key.starts_with(prefix)) else {
                break;
            };
            if page.room() == 0 {
                return Ok(page.cut());
            }
            from = match roll_up(key) {
                Some(end) => {
                    page.push(ListEntry::Prefix(key[..end].to_owned()));
                    behind(&key[..end])
                }
                None => {
                    let (key, meta) = (key.clone(), object.meta.clone());
                    page.push(ListEntry::Object { key: key.clone(), meta });
                    Some(Bound::Excluded(key))
                }
            };
        }
        Ok(page.last())
    }

    fn check_key(&self, key: &str) -> Result<()> {
        let problem = match key.len() {
            0 => "the key is empty".to_owned(),
            1..=KEY_BYTES_MAX => return Ok(()),
            bytes => format!("the key has {bytes} bytes, and keys end at {KEY_BYTES_MAX}"),
        };
        Err(ErrorKind::InvalidInput(format!("mem://{}: {problem}", self.name)).into())
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Object>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectStore for MemStore {
    fn uri_of(&self, key: &str) -> String {
        self.shared.uri_of(key)
    }

    fn part_rules(&self) -> PartRules {
        PartRules { s3_limits: false, single_put: false }
    }

    fn head<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(async move { self.shared.find(key).map(|object| object.meta.clone()) })
    }

    fn reader(&self, key: &str) -> Arc<dyn Reader> {
        Arc::new(MemReader::new(Arc::clone(&self.shared), key.to_owned(), None))
    }

    fn reader_with(&self, key: &str, options: &ReadOptions) -> Result<Arc<dyn Reader>> {
        let read_if = options.without_versions(&self.uri_of(key))?;
        Ok(Arc::new(MemReader::new(Arc::clone(&self.shared), key.to_owned(), read_if)))
    }

    fn put<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        buf: Buf,
        span: Range<usize>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, (Result<ObjectMeta>, Buf)> {
        core.boxed(async move {
            let asked = refuse(&options.s3, || self.uri_of(key));
            (asked.and_then(|()| self.put_whole(core, key, &buf, span, options)), buf)
        })
    }

    fn begin_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        size_bytes: Option<u64>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Arc<dyn Upload>>> {
        core.boxed(async move {
            refuse(&options.s3, || self.uri_of(key))?;
            self.shared.check_key(key)?;
            let shared = Arc::clone(&self.shared);
            Ok(Arc::new(MemUpload::new(shared, key, size_bytes, options)) as Arc<dyn Upload>)
        })
    }

    fn delete<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<()>> {
        core.boxed(async move { self.shared.remove(key) })
    }

    fn list_page<'a>(
        &'a self,
        core: &'a Core,
        request: &'a ListRequest,
    ) -> LocalFuture<'a, Result<ListPage>> {
        core.boxed(async move { self.shared.page(request) })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where the keys begin that follow all those with this prefix; `None` where nothing can follow.
fn behind(prefix: &str) -> Option<Bound<String>> {
    let mut prefix = prefix.to_owned();
    while let Some(last) = prefix.pop() {
        // UTF-8 sorts as the code points do, and none lie between U+D7FF and U+E000.
        let above = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(above) = above {
            prefix.push(above);
            return Some(Bound::Included(prefix));
        }
    }
    None
}
