//! What the heads of answers told: whether they are about our range, and about one version of the
//! object (DATA-2).

use std::ops::Range;

use super::{Extent, S3Reader};
use crate::condition::broken;
use crate::error::{Error, ErrorKind};
use crate::http1::HttpError;
use crate::http1::request::Method;
use crate::http1::response::{BodyFraming, ContentRange, FieldError, ResponseHead};
use crate::object::ObjectMeta;
use crate::s3::attempts::Failed;
use crate::s3::checksum::ToldSum;
use crate::s3::refusal::Refusal;
use crate::s3::xml::{XmlLimits, walk};

/// What the head of an answer to a ranged GET told.
pub(crate) struct Told {
    /// Which bytes come; empty where none do.
    pub(crate) range: Range<u64>,
    pub(crate) size_bytes: u64,
    /// A checksum of them, or of the whole object.
    pub(super) sum: Option<ToldSum>,
    /// All of an object comes in chunks, and only their end will tell its size: what is known else.
    pub(super) of_unknown_size: Option<Box<ObjectMeta>>,
}

impl S3Reader {
    /// Checks that an answer is the one to our range (DATA-2).
    pub(super) fn told(
        &self,
        head: &ResponseHead<'_>,
        offset: u64,
        extent: Extent,
    ) -> Result<Told, Failed> {
        let misfit = |text: String| Failed::Http(HttpError::Unexpected(text));
        let (range, size_bytes) = match (head.status(), head.content_range().map_err(field)?) {
            (206, Some(ContentRange::Satisfied { first, last, total: Some(total) })) => {
                let asked = self.ranged(offset, extent).range;
                if !asked.gives(first, last, Some(total)) {
                    return Err(misfit(format!("asked for {asked}, got {first}-{last}/{total}")));
                }
                (first..last + 1, total)
            }
            (200, None) => {
                // The server ignores ranges, or the object is empty.
                let Some(size) = head.content_length() else {
                    return self.told_no_size(head, offset, extent);
                };
                let is_asked_for = match extent {
                    Extent::Bytes(len) => offset == 0 && size <= len as u64,
                    Extent::Rest => true,
                };
                if !is_asked_for {
                    self.check_version(head, size)?;
                    self.ignores_ranges.get_or_init(|| ());
                    return Err(Failed::Final(self.shared.ignores_ranges(&self.object.key)));
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
        let sum = self.shared.checks.answers().then(|| ToldSum::of_head(head)).flatten();
        if let Some(told) = sum
            && range == (0..size_bytes)
        {
            // Kept, for the rest of a body that breaks off may come without.
            self.coverage().settle(Some(told.sum));
        }
        Ok(Told { range, size_bytes, sum, of_unknown_size: None })
    }

    /// All of an object whose size is not told. Its last chunk ends it for certain; a closed connection
    /// does not (DATA-2).
    fn told_no_size(
        &self,
        head: &ResponseHead<'_>,
        offset: u64,
        extent: Extent,
    ) -> Result<Told, Failed> {
        let misfit = |text: &str| Failed::Http(HttpError::Unexpected(text.into()));
        let Extent::Bytes(wanted) = extent else {
            return Err(misfit("no length told"));
        };
        if head.body_framing(Method::Get) != BodyFraming::Chunked {
            return Err(misfit(
                "no length told, nor anything else that tells a whole body from a cut one",
            ));
        }
        if offset > 0 {
            return Err(Failed::Final(self.shared.ignores_ranges(&self.object.key)));
        }
        let seen = ObjectMeta::version_of(head).map_err(field)?;
        self.meets_condition(&seen)?;
        Ok(Told {
            range: 0..wanted as u64,
            size_bytes: wanted as u64,
            sum: self.shared.checks.answers().then(|| ToldSum::of_head(head)).flatten(),
            of_unknown_size: Some(Box::new(seen.described_by(head))),
        })
    }

    /// What was told, now that all has come.
    pub(super) fn sized(&self, told: Told, placed: usize) -> Result<Told, Failed> {
        let size_bytes = placed as u64;
        self.has_size(size_bytes)?;
        let seen = told.of_unknown_size.map_or(ObjectMeta::of_size(0), |seen| *seen);
        let seen = ObjectMeta { size_bytes, ..seen };
        let known = self.meta.get_or_init(|| seen.clone());
        self.is_still(known, &seen)?;
        Ok(Told { range: 0..size_bytes, size_bytes, sum: told.sum, of_unknown_size: None })
    }

    /// The first head fixes the version: what carries on a body that broke off has to be of it, too.
    fn check_version(&self, head: &ResponseHead<'_>, size_bytes: u64) -> Result<(), Failed> {
        self.has_size(size_bytes)?;
        let seen = ObjectMeta { size_bytes, ..ObjectMeta::version_of(head).map_err(field)? };
        let known = match self.meta.get() {
            Some(known) => known,
            None => {
                self.meets_condition(&seen)?;
                // Another core may be first.
                self.meta.get_or_init(|| seen.clone().described_by(head))
            }
        };
        self.is_still(known, &seen)
    }

    fn has_size(&self, size_bytes: u64) -> Result<(), Failed> {
        match self.size_bytes.get() {
            Some(&told) if told != size_bytes => {
                let detail = format!("first {told} bytes, now {size_bytes}");
                Err(Failed::Final(self.changed(detail)))
            }
            _ => Ok(()),
        }
    }

    /// A server may not know conditions.
    fn meets_condition(&self, seen: &ObjectMeta) -> Result<(), Failed> {
        let Some(read_if) = &self.read_if else { return Ok(()) };
        let uri = self.shared.uri_of(&self.object.key);
        read_if.check(&uri, seen.etag.as_ref()).map_err(Failed::Final)
    }

    fn is_still(&self, known: &ObjectMeta, seen: &ObjectMeta) -> Result<(), Failed> {
        if is_same_version(known, seen) {
            return Ok(());
        }
        Err(Failed::Final(self.changed(format!(
            "first {:?} with {} bytes, now {:?} with {} bytes",
            known.etag, known.size_bytes, seen.etag, seen.size_bytes
        ))))
    }

    /// A refusal. 416 means that nothing is at the offset: an empty object, or the end of one: its size
    /// stands in the head, or in the document. A server that tells it nowhere may mean that it does not
    /// like the range.
    pub(super) fn refused(
        &self,
        refusal: Refusal,
        size: Option<u64>,
        offset: u64,
        document: &[u8],
    ) -> Result<Told, Failed> {
        let size = size.or_else(|| actual_size(document));
        if refusal.ids.status == 416
            && let Some(size) = size
            && offset >= size
            && self.ends_at(size)
        {
            return Ok(Told { range: 0..0, size_bytes: size, sum: None, of_unknown_size: None });
        }
        // A later answer is about the version of the first one, for which the condition held.
        let is_condition = self.object.conditions.any() && self.meta.get().is_none();
        if is_condition && matches!(refusal.ids.status, 304 | 412) {
            let detail = format!("the server answered {}", refusal.ids.status);
            return Err(Failed::Final(broken(&self.shared.uri_of(&self.object.key), detail)));
        }
        if refusal.ids.status == 412 {
            return Err(Failed::Final(self.changed("the server answered 412".into())));
        }
        Err(refusal.into_failed(&self.shared, "GetObject", Some(&self.object.key), document))
    }

    /// Notes the size that a 416 told; whether it is the one that is known. It fixes no version: the
    /// answers with bytes have a tag to fix it by.
    pub(super) fn ends_at(&self, size_bytes: u64) -> bool {
        let known = self.meta.get().map_or(size_bytes, |known| known.size_bytes);
        known == size_bytes && *self.size_bytes.get_or_init(|| size_bytes) == size_bytes
    }

    fn changed(&self, detail: String) -> Error {
        ErrorKind::Changed { object: self.shared.uri_of(&self.object.key), detail }.into()
    }
}

/// Whether two answers are about one version. What an answer does not tell is no difference.
fn is_same_version(known: &ObjectMeta, seen: &ObjectMeta) -> bool {
    if known.size_bytes != seen.size_bytes {
        return false;
    }
    match (&known.etag, &seen.etag) {
        (known_tag, Some(tag)) if known_tag.as_ref() != Some(tag) => false,
        (_, Some(tag)) if tag.is_strong() => true,
        // Some servers round or leave out the date of a range: only two that differ tell something.
        _ => match (known.modified, seen.modified) {
            (Some(known), Some(seen)) => known == seen,
            _ => true,
        },
    }
}

pub(super) fn empty_object(head: &ResponseHead<'_>) -> Option<u64> {
    match head.content_range() {
        Ok(Some(ContentRange::Unsatisfied { total })) => Some(total),
        _ => None,
    }
}

/// The size that a refusal tells in its document.
fn actual_size(document: &[u8]) -> Option<u64> {
    let mut size = None;
    // Whatever of it can be read.
    let _ = walk(document, &XmlLimits::default(), "Error", |leaf| {
        if leaf.path == "ActualObjectSize" {
            size = leaf.text.trim().parse().ok();
        }
        Ok(())
    });
    size
}

fn field(error: FieldError) -> Failed {
    Failed::Http(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::ReadOptions;
    use crate::http1::response::{HeadLimits, HeadProgress, parse_head};
    use crate::s3::{S3Config, S3Store};
    use crate::store::Reader;

    const HEAD: &str = "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n";

    fn reader() -> S3Reader {
        let mut config = S3Config::default();
        config.endpoint.url = Some("http://127.0.0.1:1".into());
        let store = S3Store::open("bucket", config, &|_| None).expect("a store");
        S3Reader::new(store.shared(), "key", &ReadOptions::default())
    }

    /// What an answer with 4 bytes from the start comes to: the size it told.
    fn told(reader: &S3Reader, range: &str, etag: &str) -> Option<u64> {
        let head = format!("{HEAD}Content-Range: bytes {range}\r\nETag: {etag}\r\n\r\n");
        let parsed = parse_head(head.as_bytes(), &HeadLimits::default()).expect("a head");
        let HeadProgress::Complete { head, .. } = parsed else { panic!("{head}") };
        reader.told(&head, 0, Extent::Bytes(4)).ok().map(|told| told.size_bytes)
    }

    #[test]
    fn an_answer_from_beyond_the_end_fixes_the_size_and_no_version() {
        let reader = reader();
        assert!(reader.ends_at(10));
        assert_eq!(reader.meta().map(|meta| (meta.size_bytes, meta.etag)), Some((10, None)));
        assert_eq!(told(&reader, "0-3/10", "\"one\""), Some(10), "the first with a tag");
        assert!(reader.meta().is_some_and(|meta| meta.etag.is_some()));
        assert_eq!(told(&reader, "0-3/10", "\"two\""), None, "another version");
        assert!(reader.ends_at(10) && !reader.ends_at(11), "the size is known");
    }

    #[test]
    fn a_refusal_may_tell_the_size_in_its_document() {
        let text = "<Error><Code>InvalidRange</Code><ActualObjectSize>7</ActualObjectSize></Error>";
        assert_eq!(actual_size(text.as_bytes()), Some(7));
        for other in ["", "<Error/>", &text.replace("Actual", ""), &text.replace('7', "-7")] {
            assert_eq!(actual_size(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_size_that_changes_after_an_answer_from_beyond_the_end_is_a_change() {
        let reader = reader();
        assert!(reader.ends_at(10));
        assert_eq!(told(&reader, "0-3/11", "\"one\""), None);
    }
}
