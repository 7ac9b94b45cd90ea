//! What a store says of an object.

use std::fmt;
use std::time::SystemTime;

use crate::checksum::{Crc64, Sum};
use crate::condition::WriteIf;
use crate::pipeline::plan::PARTS_MAX;
use crate::s3::S3PutOptions;

/// What is known of an object after a HEAD, a GET or a write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectMeta {
    /// Length in bytes.
    pub size_bytes: u64,
    /// The store's tag of this version of the object, with its quotes on S3. Not an MD5 where the
    /// object came in parts.
    pub etag: Option<Etag>,
    /// When it was written, to the second.
    pub modified: Option<SystemTime>,
    /// What it is said to contain.
    pub content_type: Option<String>,
    /// What else is said of it; `None` where that is nothing, and in listings, which do not tell.
    pub attributes: Option<Box<Attributes>>,
    /// The checksum of all its bytes, where the store keeps one and told it.
    pub crc64nvme: Option<Crc64>,
    /// What few objects have, so that the others, entries of listings above all, pay no more than this.
    pub(crate) seldom: Option<Box<Seldom>>,
}

/// What is known of few objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seldom {
    version_id: Option<String>,
    /// Of another kind than `crc64nvme`.
    checksum: Option<Sum>,
}

impl ObjectMeta {
    /// An object of which only the size is known.
    pub fn of_size(size_bytes: u64) -> ObjectMeta {
        ObjectMeta {
            size_bytes,
            etag: None,
            modified: None,
            content_type: None,
            attributes: None,
            crc64nvme: None,
            seldom: None,
        }
    }

    /// Which version it is, where a bucket of S3 keeps them.
    pub fn version_id(&self) -> Option<&str> {
        self.seldom.as_ref()?.version_id.as_deref()
    }

    /// The checksum of all its bytes, of whatever kind: after a write to S3 the one that went with it.
    /// `None` where it came in parts whose checksums do not combine (SHA).
    pub fn checksum(&self) -> Option<Sum> {
        let of_another_kind = || self.seldom.as_ref()?.checksum;
        self.crc64nvme.map(Sum::from).or_else(of_another_kind)
    }

    /// With the version and the checksum that were told of it, and no others.
    pub fn kept_as(self, version_id: Option<String>, checksum: Option<Sum>) -> ObjectMeta {
        let crc64nvme = checksum.and_then(|sum| sum.crc64nvme());
        let checksum = checksum.filter(|_| crc64nvme.is_none());
        let seldom = (version_id.is_some() || checksum.is_some())
            .then(|| Box::new(Seldom { version_id, checksum }));
        ObjectMeta { crc64nvme, seldom, ..self }
    }
}

/// What is said of an object's content besides its type, in the words of HTTP. Stores of files
/// cannot hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// `Content-Disposition`
    pub content_disposition: Option<String>,
    /// `Content-Encoding`
    pub content_encoding: Option<String>,
    /// `Content-Language`
    pub content_language: Option<String>,
    /// `Expires`, to the second.
    pub expires: Option<SystemTime>,
    /// The user's own names and values; S3 keeps the names in lower case.
    pub metadata: Vec<(String, String)>,
}

impl Attributes {
    /// `None` where nothing is said.
    pub(crate) fn told(self) -> Option<Box<Attributes>> {
        (self != Attributes::default()).then(|| Box::new(self))
    }
}

/// A tag of one version of an object, or of one part; up to [`Etag::BYTES_MAX`] bytes, held in
/// place so that a part costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Etag {
    bytes: [u8; Etag::BYTES_MAX],
    len: u8,
}

impl Etag {
    /// The longest tag that is taken. S3's have 34 to 40 bytes.
    pub const BYTES_MAX: usize = 126;

    /// A tag as it stands in a header; `None` when it is empty, too long or not printable ASCII.
    pub fn new(text: &str) -> Option<Etag> {
        let fits = !text.is_empty() && text.len() <= Self::BYTES_MAX;
        // Without a way out of the loop it looks at many bytes at a time.
        let is_printable =
            text.bytes().fold(true, |so_far, byte| so_far & (0x21..0x7f).contains(&byte));
        if !fits || !is_printable {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Etag { bytes, len: text.len() as u8 })
    }

    /// Whether it names these very bytes. A weak tag does not, and never matches in `If-Match`
    /// (RFC 9110 sections 8.8.1 and 13.1.1).
    pub fn is_strong(&self) -> bool {
        !self.as_str().starts_with("W/")
    }

    /// How many parts the object was uploaded in, as S3 and those like it end its tag. Not of one that
    /// was uploaded whole.
    pub fn stored_parts(&self) -> Option<u64> {
        let (_, parts) = self.as_str().strip_suffix('"')?.rsplit_once('-')?;
        parts.parse().ok().filter(|parts| (1..=PARTS_MAX).contains(parts))
    }

    /// The tag as it stands in a header.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("checked when it was made")
    }
}

impl fmt::Debug for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an object is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOptions {
    /// What the object is said to contain; stores of files ignore it.
    pub content_type: Option<String>,
    /// What else is said of it; stores of files ignore it.
    pub attributes: Option<Box<Attributes>>,
    /// What has to hold of what stands under the key.
    pub write_if: Option<WriteIf>,
    /// What S3 alone can be asked for; other stores refuse it.
    pub s3: Option<Box<S3PutOptions>>,
}

impl PutOptions {
    /// How a copy of an object is written, so that what is known of it goes along.
    pub fn like(meta: &ObjectMeta) -> PutOptions {
        let (content_type, attributes) = (meta.content_type.clone(), meta.attributes.clone());
        PutOptions { content_type, attributes, ..PutOptions::default() }
    }

    /// What is known of an object of `size_bytes` that was written so.
    pub(crate) fn meta_of(&self, size_bytes: u64) -> ObjectMeta {
        let (content_type, attributes) = (self.content_type.clone(), self.attributes.clone());
        ObjectMeta { content_type, attributes, ..ObjectMeta::of_size(size_bytes) }
    }
}

/// What a listing is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys are rolled up behind this character, usually `/`.
    pub delimiter: Option<char>,
    /// Only keys behind this one. Where it lies in what keys are rolled up to, that may come or not.
    pub start_after: Option<String>,
    /// Where the page before ended; then `start_after` says nothing more.
    pub continuation: Option<String>,
    /// Entries in a page at most; the store's own limit holds as well.
    pub entries_max: Option<u32>,
}

impl ListRequest {
    /// Where the page begins, for stores that continue behind a key.
    pub(crate) fn behind(&self) -> Option<&str> {
        self.continuation.as_deref().or(self.start_after.as_deref())
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Objects and rolled-up prefixes, in the order of their keys' bytes.
    pub entries: Vec<ListEntry>,
    /// What the next page is asked for with; `None` after the last.
    pub continuation: Option<String>,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "almost all are objects, and a box each would cost more"
)]
pub enum ListEntry {
    /// An object.
    Object {
        /// Its whole key.
        key: String,
        /// What the listing said of it.
        meta: ObjectMeta,
    },
    /// What several keys have in common up to the delimiter, delimiter included.
    Prefix(String),
}

impl ListEntry {
    /// The key, or the prefix.
    pub fn key(&self) -> &str {
        match self {
            ListEntry::Object { key, .. } | ListEntry::Prefix(key) => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_tag_tells_its_parts() {
        let parts = |text| Etag::new(text).and_then(|etag| etag.stored_parts());
        assert_eq!(parts("\"9b2cf535f27731c974343645a3985328-12\""), Some(12));
        assert_eq!(parts("\"9b2cf535f27731c974343645a3985328-10000\""), Some(10_000));
        for none in
            ["\"9b2cf535\"", "\"9b2cf535-\"", "\"9b2-x\"", "\"9b2-0\"", "\"9b2-10001\"", "9b-2"]
        {
            assert_eq!(parts(none), None, "{none}");
        }
    }
}
