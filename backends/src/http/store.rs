//! The store of one origin.

use std::ops::Range;
use std::sync::Arc;

use hydrant_engine::{Buf, Core};

use super::reader::HttpReader;
use crate::error::{Error, ErrorKind, Result};
use crate::http1::url::HttpUrl;
use crate::object::{ListPage, ListRequest, ObjectMeta, PutOptions};
use crate::s3::{S3Config, Site};
use crate::store::{LocalFuture, ObjectStore, PartRules, Reader, Upload};

/// The objects of one origin. Keys are paths without their first slash, with their queries, as they are
/// sent.
#[derive(Debug)]
pub(crate) struct HttpStore {
    origin: HttpUrl,
    site: Site,
}

impl HttpStore {
    /// Opens the origin of a URL; nothing is asked of it yet. Of the settings those of connections,
    /// TLS, retries and the pace hold.
    ///
    /// # Errors
    /// What is no URL; for `https` no certificate to trust, or a build without TLS.
    pub(crate) fn open(
        origin: &str,
        config: &S3Config,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<HttpStore> {
        let origin = HttpUrl::parse(origin).map_err(|error| bad(&error))?;
        let site = Site::open(&origin, config, env)?;
        Ok(HttpStore { origin, site })
    }

    /// Whether it is the store of this origin.
    pub(crate) fn is_at(&self, origin: &str) -> bool {
        HttpUrl::parse(origin).is_ok_and(|other| self.origin.same_origin(&other))
    }

    fn reader_of(&self, key: &str) -> Result<HttpReader> {
        let url = HttpUrl::parse(&format!("{}{key}", self.origin.with_target("/".to_owned())));
        let url = url.map_err(|error| bad(&error))?;
        Ok(HttpReader::new(self.site.clone(), url))
    }

    fn refuse<T>(&self, what: &str, key: &str) -> Result<T> {
        let text = format!("{}: a URL is read, and {what}", self.uri_of(key));
        Err(ErrorKind::Unsupported(text).into())
    }
}

fn bad(error: &crate::http1::url::UrlError) -> Error {
    ErrorKind::InvalidInput(error.to_string()).into()
}

/// A reader of what cannot be asked for.
#[derive(Debug)]
struct Unreadable(Error);

impl Reader for Unreadable {
    fn read<'a>(
        &'a self,
        core: &'a Core,
        _offset: u64,
        buf: Buf,
        _span: Range<usize>,
    ) -> LocalFuture<'a, crate::store::PartRead> {
        core.boxed(async { crate::store::PartRead { buf, result: Err(self.0.clone()) } })
    }

    fn meta(&self) -> Option<ObjectMeta> {
        None
    }
}

impl ObjectStore for HttpStore {
    fn uri_of(&self, key: &str) -> String {
        self.site.uri_of(&format!("/{key}"))
    }

    fn part_rules(&self) -> PartRules {
        PartRules { s3_limits: false, single_put: true }
    }

    fn head<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(async move { self.reader_of(key)?.head(core).await })
    }

    fn reader(&self, key: &str) -> Arc<dyn Reader> {
        match self.reader_of(key) {
            Ok(reader) => Arc::new(reader),
            Err(error) => Arc::new(Unreadable(error)),
        }
    }

    fn put<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        buf: Buf,
        _span: Range<usize>,
        _options: &'a PutOptions,
    ) -> LocalFuture<'a, (Result<ObjectMeta>, Buf)> {
        core.boxed(async move { (self.refuse("never written", key), buf) })
    }

    fn begin_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        _size_bytes: Option<u64>,
        _options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Arc<dyn Upload>>> {
        core.boxed(async move { self.refuse("never written", key) })
    }

    fn delete<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<()>> {
        core.boxed(async move { self.refuse("never deleted", key) })
    }

    fn list_page<'a>(
        &'a self,
        core: &'a Core,
        request: &'a ListRequest,
    ) -> LocalFuture<'a, Result<ListPage>> {
        core.boxed(async move { self.refuse("HTTP knows no lists", &request.prefix) })
    }
}
