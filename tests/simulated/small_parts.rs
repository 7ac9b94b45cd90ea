//! S3 without its smallest part, and with few keys to a request, so that few bytes and keys are many of
//! them.

use std::ops::Range;
use std::sync::Arc;

use hydrant::engine::{Buf, Core};
use hydrant::{
    ListPage, ListRequest, LocalFuture, Location, ObjectMeta, ObjectStore, PartRules, PutOptions,
    Reader, Result, Resumed, Upload, UploadSource,
};

/// Keys of one request: a few of them are several requests.
const KEYS_MAX: usize = 5;

/// A store that takes parts of any size and few keys at once; in all else the one inside.
#[derive(Debug)]
pub(super) struct SmallParts(Arc<dyn ObjectStore>);

impl SmallParts {
    pub(super) fn of(location: &Location) -> Arc<SmallParts> {
        Arc::new(SmallParts(Arc::clone(location.store.inner())))
    }
}

impl ObjectStore for SmallParts {
    fn uri_of(&self, key: &str) -> String {
        self.0.uri_of(key)
    }

    fn server(&self) -> Option<String> {
        self.0.server()
    }

    fn part_rules(&self) -> PartRules {
        PartRules { s3_limits: false, ..self.0.part_rules() }
    }

    fn head<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<ObjectMeta>> {
        self.0.head(core, key)
    }

    fn reader(&self, key: &str) -> Arc<dyn Reader> {
        self.0.reader(key)
    }

    fn put<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        buf: Buf,
        span: Range<usize>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, (Result<ObjectMeta>, Buf)> {
        self.0.put(core, key, buf, span, options)
    }

    fn begin_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        size_bytes: Option<u64>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Arc<dyn Upload>>> {
        self.0.begin_upload(core, key, size_bytes, options)
    }

    fn resume_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        source: &'a UploadSource,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Resumed>> {
        self.0.resume_upload(core, key, source, options)
    }

    fn discard_kept<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Option<String>>> {
        self.0.discard_kept(core, key, options)
    }

    fn delete<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<()>> {
        self.0.delete(core, key)
    }

    fn delete_batch_max(&self) -> usize {
        self.0.delete_batch_max().min(KEYS_MAX)
    }

    fn delete_batch<'a>(
        &'a self,
        core: &'a Core,
        keys: &'a [String],
    ) -> LocalFuture<'a, Result<Vec<Result<()>>>> {
        self.0.delete_batch(core, keys)
    }

    fn list_page<'a>(
        &'a self,
        core: &'a Core,
        request: &'a ListRequest,
    ) -> LocalFuture<'a, Result<ListPage>> {
        self.0.list_page(core, request)
    }
}
