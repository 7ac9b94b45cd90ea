//! Reading one object behind a URL.
//!
//! The first answer decides: a redirect is followed, and all other reads go where it led; a server that
//! ignores ranges is read in order. Everything else is the reader of ranges that S3 has.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use hydrant_engine::{Buf, Core, Lease};

use super::redirect::{RedirectError, follow, is_redirect};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::url::HttpUrl;
use crate::object::ObjectMeta;
use crate::pipeline::{Back, Fitted, memory};
use crate::s3::{InOrder, S3Reader, Site};
use crate::store::{LocalFuture, PartRead, Reader};

/// Reads one object.
#[derive(Debug)]
pub(super) struct HttpReader {
    /// The URL that was asked for, for messages.
    uri: String,
    place: Mutex<Arc<Place>>,
    in_order: OnceLock<InOrder>,
}

/// Where the object is, as far as is known.
#[derive(Debug)]
struct Place {
    site: Site,
    url: HttpUrl,
    reader: Arc<S3Reader>,
    /// Redirects that led here.
    followed: u32,
}

impl Place {
    fn new(site: Site, url: HttpUrl, followed: u32) -> Arc<Place> {
        let reader = Arc::new(site.reader(url.target()));
        Arc::new(Place { site, url, reader, followed })
    }

    /// Where this one redirects to; `None` where the failure is no redirect.
    ///
    /// # Errors
    /// A redirect that is not followed; [`ErrorKind::Changed`] after bytes have come from here.
    async fn next(&self, core: &Core, error: &Error) -> Result<Option<Arc<Place>>> {
        let ErrorKind::S3(answer) = error.kind() else { return Ok(None) };
        let Some(location) = &answer.location else { return Ok(None) };
        if !is_redirect(answer.http_status) {
            return Ok(None);
        }
        if self.reader.meta().is_some() {
            // Nothing says that what lies there is what was read here (DATA-2).
            let detail = format!("its URL leads elsewhere since: {}", answer.http_status);
            let object = self.site.uri_of(self.url.target());
            return Err(ErrorKind::Changed { object, detail }.into());
        }
        let url = follow(&self.url, &location.0, self.followed, self.site.redirects_max());
        let url = url.map_err(|source| self.not_followed(source))?;
        let site = match url.same_origin(&self.url) {
            true => self.site.clone(),
            false => self.site.at(core, &url).await?,
        };
        Ok(Some(Place::new(site, url, self.followed + 1)))
    }

    fn not_followed(&self, source: RedirectError) -> Error {
        ErrorKind::Redirect { object: self.site.uri_of(self.url.target()), source }.into()
    }
}

impl HttpReader {
    pub(super) fn new(site: Site, url: HttpUrl) -> HttpReader {
        let uri = site.uri_of(url.target());
        let place = Mutex::new(Place::new(site, url, 0));
        HttpReader { uri, place, in_order: OnceLock::new() }
    }

    /// What is known of the object: asked with a HEAD, and where that is not understood with a GET of
    /// its first byte.
    pub(super) async fn head(&self, core: &Core) -> Result<ObjectMeta> {
        loop {
            let place = self.place();
            let error = match place.site.head(core, place.url.target()).await {
                Ok(meta) => return Ok(meta),
                Err(error) => error,
            };
            match place.next(core, &error).await? {
                Some(next) => self.go_to(&place, next),
                None if is_no_head(&error) => return self.head_by_get(core).await,
                None => return Err(self.told(error)),
            }
        }
    }

    async fn head_by_get(&self, core: &Core) -> Result<ObjectMeta> {
        let lease = memory(core, 1).await?;
        let read = self.read_at(core, 0, lease.into(), 0..1, Back::Lent, Ranges::Ask).await;
        // A server that ignores ranges has told the size all the same.
        match (self.meta(), read.result) {
            (Some(meta), _) => Ok(meta),
            (None, Ok(info)) => Ok(ObjectMeta::of_size(info.object_bytes)),
            (None, Err(error)) => Err(error),
        }
    }

    async fn read_at(
        &self,
        core: &Core,
        offset: u64,
        mut buf: Buf,
        span: Range<usize>,
        back: Back,
        ranges: Ranges,
    ) -> PartRead {
        loop {
            if let Some(in_order) = self.in_order.get() {
                let read = in_order.read(offset, buf, span).await;
                return PartRead { result: read.result.map_err(|error| self.told(error)), ..read };
            }
            let place = self.place();
            let memory = Fitted::new(buf, back);
            let read = place.reader.read_range(core, offset, memory, span.clone()).await;
            buf = read.buf;
            let error = match read.result {
                Ok(info) => return PartRead { buf, result: Ok(info) },
                Err(error) => error,
            };
            let failed = match place.next(core, &error).await {
                Ok(Some(next)) => {
                    self.go_to(&place, next);
                    continue;
                }
                Ok(None) if place.reader.ignores_ranges() && ranges == Ranges::OrInOrder => {
                    match InOrder::new(core, &place.reader) {
                        // Another read may be first.
                        Ok(in_order) => drop(self.in_order.set(in_order)),
                        Err(error) => return PartRead { buf, result: Err(error) },
                    }
                    continue;
                }
                Ok(None) => self.told(error),
                Err(error) => error,
            };
            return PartRead { buf, result: Err(failed) };
        }
    }

    /// An answer of S3 in the words of HTTP.
    fn told(&self, error: Error) -> Error {
        let ErrorKind::S3(answer) = error.kind() else { return error };
        let object = self.uri.clone();
        match answer.http_status {
            404 | 410 => ErrorKind::NotFound { object }.into(),
            status => ErrorKind::Refused { object, status, attempts: answer.attempts }.into(),
        }
    }

    fn place(&self) -> Arc<Place> {
        Arc::clone(&self.lock())
    }

    /// Goes on from `from`, unless another read has done so.
    fn go_to(&self, from: &Arc<Place>, next: Arc<Place>) {
        let mut place = self.lock();
        if Arc::ptr_eq(&place, from) {
            *place = next;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a read where the server ignores ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ranges {
    /// It fails.
    Ask,
    OrInOrder,
}

/// Whether a failed HEAD says nothing of a GET: the method is not taken, or signed for by nobody, as in
/// a URL that was signed for a GET; or the size was not told.
fn is_no_head(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::S3(answer) => matches!(answer.http_status, 400 | 401 | 403 | 405 | 501),
        ErrorKind::Integrity { .. } => true,
        _ => false,
    }
}

impl Reader for HttpReader {
    fn read<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        core.boxed(self.read_at(core, offset, buf, span, Back::Lent, Ranges::OrInOrder))
    }

    fn read_to_keep<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        lease: Lease,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        let (buf, back) = (lease.into(), Back::Fitting);
        core.boxed(self.read_at(core, offset, buf, span, back, Ranges::OrInOrder))
    }

    fn meta(&self) -> Option<ObjectMeta> {
        self.place().reader.meta()
    }

    fn is_in_order(&self) -> bool {
        self.in_order.get().is_some()
    }

    fn first_byte_at(&self) -> Option<Instant> {
        self.place().reader.first_byte_at()
    }
}
