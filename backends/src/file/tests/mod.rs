//! The store of files on a real engine and a real disk.

mod kept;
mod listing;
mod names;
mod reading;
#[cfg(feature = "testing")]
mod stopping;
mod writing;

use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use hydrant_engine::{Buf, Core, Engine};
use tempfile::TempDir;

use super::{FileMode, FileStore};
use crate::error::Result;
use crate::object::{ListEntry, ListRequest, ObjectMeta, PutOptions};
use crate::pipeline::PartRequest;
use crate::store::{ObjectStore, PartTag, ReadInfo};

const MODES: [FileMode; 2] = [FileMode::Buffered, FileMode::Direct];

/// Two cores and an empty directory. Tests write, delete and replace nothing outside of it, not
/// even where they expect a refusal: a rule that is broken must not cost the machine it is tested
/// on.
struct House {
    engine: Engine,
    dir: TempDir,
}

type Work<T> = Pin<Box<dyn Future<Output = T>>>;

impl House {
    fn new() -> House {
        // Beside the test program lies a real disk; the usual place for temporaries may be memory.
        let program = std::env::current_exe().expect("a test has a program");
        let beside = program.parent().expect("it lies in a directory");
        let dir = tempfile::tempdir_in(beside).expect("the build directory can be written");
        let engine = Engine::builder().cores(2).pool_bytes(16 << 20).start().expect("io_uring");
        House { engine, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn key(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    fn rooted(&self, mode: FileMode) -> Arc<FileStore> {
        Arc::new(FileStore::at_root(self.dir.path(), mode))
    }

    /// Runs on core 0 and waits.
    fn run<T: Send + 'static>(&self, work: impl FnOnce(Core) -> Work<T> + Send + 'static) -> T {
        let task = self.engine.on_core(0, work).expect("a place in the inbox");
        task.wait().expect("no panic")
    }

    fn put(&self, store: &Arc<FileStore>, key: &str, bytes: Vec<u8>) -> Result<ObjectMeta> {
        let (store, key) = (Arc::clone(store), key.to_owned());
        self.run(|core| {
            Box::pin(async move {
                let (buf, span) = lease_of(&core, &bytes).await;
                store.put(&core, &key, buf, span, &PutOptions::default()).await.0
            })
        })
    }

    fn head(&self, store: &Arc<FileStore>, key: &str) -> Result<ObjectMeta> {
        let (store, key) = (Arc::clone(store), key.to_owned());
        self.run(|core| Box::pin(async move { store.head(&core, &key).await }))
    }

    fn delete(&self, store: &Arc<FileStore>, key: &str) -> Result<()> {
        let (store, key) = (Arc::clone(store), key.to_owned());
        self.run(|core| Box::pin(async move { store.delete(&core, &key).await }))
    }

    /// Reads an object in parts of `part_bytes`.
    fn get(&self, store: &Arc<FileStore>, key: &str, part_bytes: usize) -> Result<Vec<u8>> {
        let reader = store.reader(key);
        self.run(move |core| {
            Box::pin(async move {
                let mut whole = Vec::new();
                loop {
                    let buf: Buf = core.pool().lease(part_bytes, "test").await?.into();
                    let part = reader.read(&core, whole.len() as u64, buf, 0..part_bytes).await;
                    let ReadInfo { len_bytes, object_bytes, .. } = part.result?;
                    let mut lease = part.buf.into_lease().expect("a lease was given");
                    whole.extend_from_slice(&lease.as_mut_slice()[..len_bytes]);
                    if len_bytes < part_bytes {
                        assert_eq!(whole.len() as u64, object_bytes);
                        return Ok(whole);
                    }
                }
            })
        })
    }

    fn list(&self, store: &Arc<FileStore>, request: ListRequest) -> Result<Vec<ListEntry>> {
        let store = Arc::clone(store);
        self.run(|core| {
            Box::pin(async move {
                let mut request = request;
                let mut entries: Vec<ListEntry> = Vec::new();
                loop {
                    let page = store.list_page(&core, &request).await?;
                    let max = request.entries_max.map_or(1000, |max| max as usize);
                    assert!(page.entries.len() <= max, "a page of {}", page.entries.len());
                    entries.extend(page.entries);
                    match page.continuation {
                        Some(last) => request.continuation = Some(last),
                        None => return Ok(entries),
                    }
                }
            })
        })
    }

    /// Everything beneath the directory that is no directory.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![self.dir.path().to_owned()];
        while let Some(dir) = left.pop() {
            for entry in std::fs::read_dir(dir).expect("readable") {
                let path = entry.expect("readable").path();
                match path.is_dir() && !path.is_symlink() {
                    true => left.push(path),
                    false => found.push(relative(&path, self.dir.path())),
                }
            }
        }
        found.sort();
        found
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).expect("beneath").to_str().expect("UTF-8").to_owned()
}

/// A lease that holds `bytes`, and the span of them.
async fn lease_of(core: &Core, bytes: &[u8]) -> (Buf, Range<usize>) {
    let mut lease = core.pool().lease(bytes.len().max(1), "test").await.expect("memory");
    lease.as_mut_slice()[..bytes.len()].copy_from_slice(bytes);
    lease.set_len(bytes.len());
    (lease.into(), 0..bytes.len())
}

/// Bytes that tell their place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn part(index: u64, offset: usize, len: usize) -> PartRequest {
    PartRequest { index, offset: offset as u64, len: len as u64 }
}

fn tag(part: PartRequest) -> PartTag {
    PartTag { part, etag: None, sum: None }
}
