//! Reading ranges of one object, all of the same version (DATA-2).
//!
//! The first answer tells size and ETag; every later request carries `If-Match`, so an object that
//! was replaced meanwhile is an error and never a mixture. A body that breaks off is carried on at
//! the byte where it broke.

use std::fmt::Write;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use hydrant_engine::{Buf, Core};

use super::call::{Attempts, Failed, PerCore, Refusal};
use super::request::Request;
use super::retry::Repeat;
use super::store::{Shared, described};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::request::Method;
use crate::http1::response::{ContentRange, ResponseHead};
use crate::http1::{Connection, HttpError};
use crate::object::ObjectMeta;
use crate::store::{LocalFuture, PartRead, ReadInfo, Reader};

/// Reads one object.
#[derive(Debug)]
pub(super) struct S3Reader {
    shared: Arc<Shared>,
    key: String,
    meta: OnceLock<ObjectMeta>,
}

/// What the head of an answer to a ranged GET told.
struct Told {
    /// Which bytes come; empty where none do.
    range: Range<u64>,
    size_bytes: u64,
}

/// One attempt at a range: how many bytes came before it ended, and how it ended.
struct Attempted {
    placed: usize,
    result: Result<u64, Failed>,
    buf: Buf,
}

impl S3Reader {
    pub(super) fn new(shared: &Arc<Shared>, key: &str) -> S3Reader {
        S3Reader { shared: Arc::clone(shared), key: key.to_owned(), meta: OnceLock::new() }
    }

    async fn read_range(&self, core: &Core, offset: u64, buf: Buf, span: Range<usize>) -> PartRead {
        if span.is_empty() {
            // S3 has no empty range; what the object is can be asked with a HEAD.
            let text = format!("an empty read of {}", self.shared.uri_of(&self.key));
            return PartRead { buf, result: Err(ErrorKind::InvalidInput(text).into()) };
        }
        let per_core = PerCore::of(core, &self.shared);
        let (operation, key) = ("GetObject", Some(&*self.key));
        let mut attempts =
            Attempts::new(core, &self.shared, &per_core, operation, key, Repeat::Freely);
        let mut done = 0;
        let mut buf = buf;
        loop {
            let failed = match per_core.connections.lend(core, attempts.fresh_connection).await {
                Err(error) => Failed::Http(error),
                Ok(mut connection) => {
                    let at = offset + done as u64;
                    let rest = span.start + done..span.end;
                    let attempted =
                        self.attempt(core, &per_core, &mut connection, at, buf, rest).await;
                    buf = attempted.buf;
                    done += attempted.placed;
                    match attempted.result {
                        Ok(object_bytes) => {
                            attempts.succeeded();
                            let info = ReadInfo { len_bytes: done, object_bytes };
                            return PartRead { buf, result: Ok(info) };
                        }
                        Err(failed) => {
                            if attempted.placed > 0 {
                                attempts.progressed();
                            }
                            failed
                        }
                    }
                }
            };
            if let Err(error) = attempts.failed(failed).await {
                return PartRead { buf, result: Err(error) };
            }
        }
    }

    async fn attempt(
        &self,
        core: &Core,
        per_core: &PerCore,
        connection: &mut Connection,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> Attempted {
        let range_text = RangeText::new(offset, span.len());
        let if_match = self.meta.get().and_then(|meta| meta.etag);
        let headers = [
            ("range", range_text.as_str()),
            ("if-match", if_match.as_ref().map_or("", |etag| etag.as_str())),
        ];
        let headers = if if_match.is_some() { &headers[..] } else { &headers[..1] };
        let request = Request::plain("GetObject", Method::Get, Some(&self.key), &[], headers);
        let write = |out: &mut [u8]| per_core.write(core, &self.shared, &request, out);
        let exchanged = connection
            .exchange(Method::Get, write, None, |head| {
                if head.is_success() {
                    Ok(self.told(head, offset, span.len()))
                } else {
                    Err((Refusal::of(head, core), empty_object(head)))
                }
            })
            .await;
        let told = match exchanged.result {
            Ok(Ok(Ok(told))) => told,
            Ok(Ok(Err(failed))) => return Attempted { placed: 0, result: Err(failed), buf },
            Ok(Err((refusal, size))) => {
                let document = connection.receive_document().await.unwrap_or_default();
                let result = self.refused(refusal, size, offset, &document);
                return Attempted { placed: 0, result, buf };
            }
            Err(error) => {
                return Attempted { placed: 0, result: Err(Failed::Http(error)), buf };
            }
        };
        let announced = (told.range.end - told.range.start) as usize;
        let into = span.start..span.start + announced;
        let (received, placed, buf) = connection.receive_into(buf, into).await;
        let result = match received {
            Ok(()) if placed == announced => Ok(told.size_bytes),
            Ok(()) => Err(Failed::Http(HttpError::Closed { stale: false })),
            Err(error) => Err(Failed::Http(error)),
        };
        Attempted { placed, result, buf }
    }

    /// Checks that an answer is the one to our range (DATA-2).
    fn told(&self, head: &ResponseHead<'_>, offset: u64, wanted: usize) -> Result<Told, Failed> {
        let misfit = |text: String| Failed::Http(HttpError::Unexpected(text));
        let (range, size_bytes) = match (head.status(), head.content_range().map_err(field)?) {
            (206, Some(ContentRange::Satisfied { first, last, total: Some(total) })) => {
                let end = (offset + wanted as u64).min(total);
                if first != offset || last + 1 != end {
                    return Err(misfit(format!(
                        "asked for bytes {offset}..{end}, got {first}..{}",
                        last + 1
                    )));
                }
                (first..end, total)
            }
            (200, None) => {
                // The server ignores ranges, or the object is empty.
                let size = head.content_length().ok_or_else(|| misfit("no length told".into()))?;
                if offset > 0 || size > wanted as u64 {
                    return Err(Failed::Final(self.unsupported_ranges()));
                }
                (0..size, size)
            }
            (status, range) => {
                return Err(misfit(format!("status {status} with Content-Range {range:?}")));
            }
        };
        if head.content_length().is_some_and(|length| length != range.end - range.start) {
            return Err(misfit("Content-Length and Content-Range differ".into()));
        }
        self.check_version(head, size_bytes)?;
        Ok(Told { range, size_bytes })
    }

    /// The first head fixes the version: what carries on a body that broke off has to be of it, too.
    fn check_version(&self, head: &ResponseHead<'_>, size_bytes: u64) -> Result<(), Failed> {
        let known = match self.meta.get() {
            Some(known) => known,
            None => {
                let meta = described(head, size_bytes).map_err(Failed::Http)?;
                // Another core may be first.
                self.meta.get_or_init(|| meta)
            }
        };
        let etag = super::store::etag_of(head).map_err(Failed::Http)?;
        if known.size_bytes != size_bytes || (etag.is_some() && known.etag != etag) {
            let detail = format!(
                "first {:?} with {} bytes, now {etag:?} with {size_bytes} bytes",
                known.etag, known.size_bytes
            );
            return Err(Failed::Final(self.changed(detail)));
        }
        Ok(())
    }

    /// A refusal. 416 means that nothing is at the offset: an empty object, or the end of one.
    fn refused(
        &self,
        refusal: Refusal,
        size: Option<u64>,
        offset: u64,
        document: &[u8],
    ) -> Result<u64, Failed> {
        if refusal.status == 416
            && let Some(size) = size
            && offset >= size
        {
            let known = self.meta.get_or_init(|| ObjectMeta::of_size(size));
            if known.size_bytes == size {
                return Ok(size);
            }
        }
        if refusal.status == 412 {
            return Err(Failed::Final(self.changed("the server answered 412".into())));
        }
        Err(refusal.into_failed(&self.shared, "GetObject", Some(&self.key), document))
    }

    fn changed(&self, detail: String) -> Error {
        ErrorKind::Changed { object: self.shared.uri_of(&self.key), detail }.into()
    }

    fn unsupported_ranges(&self) -> Error {
        ErrorKind::Unsupported(format!(
            "the server of {} ignores ranges: it answered a ranged GET with the whole object",
            self.shared.uri_of(&self.key)
        ))
        .into()
    }
}

impl Reader for S3Reader {
    fn read<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        Box::pin(self.read_range(core, offset, buf, span))
    }

    fn meta(&self) -> Option<ObjectMeta> {
        self.meta.get().cloned()
    }
}

/// `bytes=FIRST-LAST` without an allocation.
struct RangeText {
    text: [u8; 48],
    len: usize,
}

impl RangeText {
    fn new(offset: u64, len: usize) -> RangeText {
        let mut range = RangeText { text: [0; 48], len: 0 };
        let last = offset + len as u64 - 1;
        write!(range, "bytes={offset}-{last}").expect("two numbers of 20 digits fit into 48 bytes");
        range
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len]).expect("written as text")
    }
}

impl Write for RangeText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.text.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn empty_object(head: &ResponseHead<'_>) -> Option<u64> {
    match head.content_range() {
        Ok(Some(ContentRange::Unsatisfied { total })) => Some(total),
        _ => None,
    }
}

fn field(error: crate::http1::response::FieldError) -> Failed {
    Failed::Http(error.into())
}
