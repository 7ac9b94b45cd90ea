//! The store of files, as the pipelines see it.

use std::any::Any;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use hydrant_engine::{Buf, Core, Metadata, metadata_beneath, remove_file};
use rustix::fs::{AtFlags, CWD};

use super::kernel_copy;
use super::listing::{self, os_error};
use super::reader::FileReader;
use super::spot::Spot;
use super::tree::{FileMode, Tree};
use super::upload;
use super::version::Version;
use crate::condition::ReadOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{ListPage, ListRequest, ObjectMeta, PutOptions};
use crate::s3::refuse;
use crate::store::{
    CopiedWithin, CopyWithin, LocalFuture, ObjectAt, ObjectStore, PartRules, Reader, Resumed,
    Upload, UploadSource,
};

/// Files as objects: the keys are paths.
///
/// New files have the mode 0666 less the umask, whatever they replace; the content type of
/// [`PutOptions`] is ignored. Directories that a write had to make stay, and so does an empty one
/// after a delete.
#[derive(Debug)]
pub struct FileStore {
    tree: Arc<Tree>,
}

impl FileStore {
    /// A store for paths as a person typed them, absolute or from the working directory. Symbolic
    /// links in them are followed.
    pub fn unrooted(mode: FileMode) -> FileStore {
        FileStore { tree: Arc::new(Tree::new(mode, None)) }
    }

    /// A store whose keys lead beneath `root` and nowhere else, for keys that come from a listing
    /// or another machine (SEC-2). The root itself may lie behind links; it is opened by the first
    /// call that needs it, made by the first that writes, and pinned from then on.
    pub fn at_root(root: impl Into<PathBuf>, mode: FileMode) -> FileStore {
        FileStore { tree: Arc::new(Tree::new(mode, Some(root.into()))) }
    }

    /// How many files were opened buffered because the file system refused O_DIRECT (FALL-1).
    pub fn direct_refused(&self) -> u64 {
        self.tree.direct_refused()
    }

    async fn head_of(&self, core: &Core, key: &str) -> Result<ObjectMeta> {
        let tree = &self.tree;
        if tree.root_path().is_some() {
            let spot = Spot::of(core, tree, key).await?;
            let metadata = spot.metadata(core).await.map_err(|error| tree.absent(key, error))?;
            return self.meta_of(key, &metadata);
        }
        tree.check_key(key)?;
        let metadata = metadata_beneath(core, None, key.as_ref()).await;
        let metadata = metadata.map_err(|error| tree.absent(key, error))?;
        if metadata.is_file || metadata.is_dir {
            return self.meta_of(key, &metadata);
        }
        // A link that a person typed is followed, but without opening what may be a pipe.
        let path = key.to_owned();
        let found = core.blocking(move || listing::statx(CWD, &path, AtFlags::empty())).await?;
        let found = found.map_err(|errno| tree.absent(key, os_error("statx", key, errno)))?;
        match found {
            Some(version) => Ok(version.meta()),
            None => Err(self.no_object(key)),
        }
    }

    fn meta_of(&self, key: &str, metadata: &Metadata) -> Result<ObjectMeta> {
        match metadata.is_file {
            true => Ok(Version::from(metadata).meta()),
            false => Err(self.no_object(key)),
        }
    }

    fn no_object(&self, key: &str) -> Error {
        let uri = self.tree.uri_of(key);
        let text = format!("{uri} is no regular file, and only those are objects");
        ErrorKind::InvalidInput(text).into()
    }

    async fn remove(&self, core: &Core, key: &str) -> Result<()> {
        let spot = Spot::of(core, &self.tree, key).await?;
        let absent = |error| self.tree.absent(key, error);
        let metadata = spot.metadata(core).await.map_err(absent)?;
        // A link that a person typed is what they want removed, as with rm(1).
        let is_theirs = self.tree.root_path().is_none() && !metadata.is_dir;
        if !metadata.is_file && !is_theirs {
            return Err(self.no_object(key));
        }
        remove_file(core, Some(&spot.dir), spot.name.as_ref()).await.map_err(absent)
    }

    async fn page(&self, core: &Core, request: &ListRequest) -> Result<ListPage> {
        let (tree, request) = (Arc::clone(&self.tree), request.clone());
        core.blocking(move || listing::page(&tree, &request)).await?
    }
}

impl ObjectStore for FileStore {
    fn uri_of(&self, key: &str) -> String {
        self.tree.uri_of(key)
    }

    fn part_rules(&self) -> PartRules {
        PartRules { s3_limits: false, single_put: false }
    }

    fn head<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(self.head_of(core, key))
    }

    fn reader(&self, key: &str) -> Arc<dyn Reader> {
        Arc::new(FileReader::new(Arc::clone(&self.tree), key.to_owned(), None))
    }

    fn reader_with(&self, key: &str, options: &ReadOptions) -> Result<Arc<dyn Reader>> {
        let read_if = options.without_versions(&self.uri_of(key))?;
        Ok(Arc::new(FileReader::new(Arc::clone(&self.tree), key.to_owned(), read_if)))
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
            match refuse(&options.s3, || self.uri_of(key)) {
                Ok(()) => upload::put(core, &self.tree, key, buf, span, options).await,
                Err(error) => (Err(error), buf),
            }
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
            upload::begin(core, &self.tree, key, size_bytes, options).await
        })
    }

    fn resume_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        source: &'a UploadSource,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Resumed>> {
        core.boxed(async move {
            refuse(&options.s3, || self.uri_of(key))?;
            if options.write_if.is_some() {
                let text = format!(
                    "a write to {} that is carried on later has no condition",
                    self.uri_of(key)
                );
                return Err(ErrorKind::Unsupported(text).into());
            }
            upload::resume(core, &self.tree, key, source).await
        })
    }

    fn copy_within<'a>(
        &'a self,
        core: &'a Core,
        from: &'a ObjectAt,
        key: &'a str,
        how: CopyWithin<'a>,
    ) -> LocalFuture<'a, Result<CopiedWithin>> {
        core.boxed(async move {
            let store: &dyn Any = &*from.store;
            let from_tree = store.downcast_ref::<FileStore>().map(|store| &store.tree);
            // Past the page cache the kernel cannot copy, and the caller has asked for that.
            let both = from_tree.filter(|from| !from.is_direct() && !self.tree.is_direct());
            let Some(from_tree) = both.filter(|_| !how.keep) else {
                return Ok(CopiedWithin::No(None));
            };
            let reader = FileReader::new(Arc::clone(from_tree), from.key.clone(), None);
            kernel_copy::copy(core, &self.tree, &reader, key, how.progress).await
        })
    }

    fn delete<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<()>> {
        core.boxed(self.remove(core, key))
    }

    fn list_page<'a>(
        &'a self,
        core: &'a Core,
        request: &'a ListRequest,
    ) -> LocalFuture<'a, Result<ListPage>> {
        core.boxed(self.page(core, request))
    }
}
