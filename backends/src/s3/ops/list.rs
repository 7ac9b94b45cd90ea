//! Listings of objects and of their versions. Keys are asked for URL-encoded, so that any of them
//! survives the XML.

use std::time::SystemTime;

use super::fields::{Access, request_charged};
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{DecodeError, Operation, read_document, refusal_or};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::object::{Etag, ListEntry, ObjectMeta};
use crate::s3::encode::decode_listing;
use crate::s3::time::Timestamp;
use crate::s3::xml::{
    ListPage, Listed, Owner, XmlError, XmlLimits, parse_bool, parse_listed, parse_number, some_text,
};

/// Lists objects, a page at a time.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListObjectsV2 {
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// Keys are rolled up behind the first of these that follows the prefix.
    pub delimiter: Option<String>,
    /// Only keys behind this one.
    pub start_after: Option<String>,
    /// Where the page before ended.
    pub continuation_token: Option<String>,
    /// Entries of the page; the server's own limit holds as well.
    pub max_keys: Option<u32>,
    /// Asks for the owners too.
    pub fetch_owner: bool,
    /// Asks for what else is known, such as `RestoreStatus`.
    pub optional_attributes: Option<String>,
    /// Who asks and who pays.
    pub access: Access,
}

impl Operation for ListObjectsV2 {
    type Output = ListPage;
    const NAME: &'static str = "ListObjectsV2";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Bucket)?;
        request.query("list-type", 2);
        request.query("encoding-type", "url");
        request.query("prefix", self.prefix.as_deref().unwrap_or_default());
        request.query_opt("delimiter", self.delimiter.as_ref());
        request.query_opt("start-after", self.start_after.as_ref());
        request.query_opt("continuation-token", self.continuation_token.as_ref());
        request.query_opt("max-keys", self.max_keys);
        if self.fetch_owner {
            request.query("fetch-owner", "true");
        }
        let attributes = self.optional_attributes.as_ref();
        request.header_opt("x-amz-optional-object-attributes", attributes);
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<ListPage, DecodeError> {
        self.page(head, document)
    }
}

impl ListObjectsV2 {
    fn page<O: Listed>(
        &self,
        head: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<ListPage<O>, DecodeError> {
        let limits = XmlLimits::default();
        let mut page = parse_listed(document, &limits)
            .map_err(|error| refusal_or(error, document, &limits))?;
        page.request_charged = request_charged(head);
        // A token that leads back to itself would list for ever.
        if page.next_continuation_token.is_some()
            && page.next_continuation_token == self.continuation_token
        {
            let text = "the listing repeats its continuation token";
            return Err(DecodeError::Contradiction(text.to_owned()));
        }
        Ok(page)
    }
}

/// The same listing, read into what every store lists: of an object's texts only the key is kept.
#[derive(Debug)]
pub(in crate::s3) struct ListEntries(pub ListObjectsV2);

impl Operation for ListEntries {
    type Output = ListPage<ListEntry>;
    const NAME: &'static str = ListObjectsV2::NAME;

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.0.encode(request)
    }

    fn decode(
        &self,
        head: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<ListPage<ListEntry>, DecodeError> {
        self.0.page(head, document)
    }
}

impl Listed for ListEntry {
    type Rest = (Option<Etag>, Option<Timestamp>);

    fn take((etag, modified): &mut Self::Rest, name: &str, text: &str) {
        match name {
            "ETag" => *etag = Etag::new(text.trim()),
            "LastModified" => *modified = Timestamp::parse_iso8601(text).ok(),
            _ => {}
        }
    }

    fn new(key: String, size: u64, (etag, modified): Self::Rest) -> ListEntry {
        let modified = modified.map(SystemTime::from);
        ListEntry::Object { key, meta: ObjectMeta { etag, modified, ..ObjectMeta::of_size(size) } }
    }

    fn key(&mut self) -> &mut String {
        match self {
            ListEntry::Object { key, .. } | ListEntry::Prefix(key) => key,
        }
    }
}

/// Lists the versions of objects and their delete markers, a page at a time.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListObjectVersions {
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// Keys are rolled up behind the first of these that follows the prefix.
    pub delimiter: Option<String>,
    /// Where the page before ended.
    pub key_marker: Option<String>,
    /// Where the page before ended, among the versions of that key.
    pub version_id_marker: Option<String>,
    /// Entries of the page; the server's own limit holds as well.
    pub max_keys: Option<u32>,
    /// Who asks and who pays.
    pub access: Access,
}

/// One page of [`ListObjectVersions`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionPage {
    /// Versions and delete markers, in the server's order: by key, and the newest first.
    pub entries: Vec<VersionEntry>,
    /// What lies beneath the prefix up to the delimiter, each once.
    pub common_prefixes: Vec<String>,
    /// What the next page is asked for with; `None` on the last page.
    pub next_key_marker: Option<String>,
    /// The same among the versions of that key.
    pub next_version_id_marker: Option<String>,
    /// Whether who asked pays.
    pub request_charged: bool,
}

/// A version of an object, or a marker that says that it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionEntry {
    /// A version.
    Version(ListedVersion),
    /// A delete marker; it has no size, tag or class.
    DeleteMarker(ListedVersion),
}

impl VersionEntry {
    /// What both have.
    pub fn version(&self) -> &ListedVersion {
        match self {
            VersionEntry::Version(version) | VersionEntry::DeleteMarker(version) => version,
        }
    }
}

/// What a listing says of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedVersion {
    /// The key.
    pub key: String,
    /// Which version; `null` for one from before the bucket had versions.
    pub version_id: String,
    /// Whether it is the newest.
    pub is_latest: bool,
    /// When it was written.
    pub last_modified: Option<SystemTime>,
    /// Bytes.
    pub size: u64,
    /// Its tag, with quotes.
    pub etag: Option<Etag>,
    /// `STANDARD`, ...
    pub storage_class: Option<String>,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// The kinds of checksums that are kept of it.
    pub checksum_algorithms: Vec<String>,
}

impl Operation for ListObjectVersions {
    type Output = VersionPage;
    const NAME: &'static str = "ListObjectVersions";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Bucket)?;
        request.query("versions", "");
        request.query("encoding-type", "url");
        request.query_opt("prefix", self.prefix.as_ref());
        request.query_opt("delimiter", self.delimiter.as_ref());
        request.query_opt("key-marker", self.key_marker.as_ref());
        request.query_opt("version-id-marker", self.version_id_marker.as_ref());
        request.query_opt("max-keys", self.max_keys);
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<VersionPage, DecodeError> {
        let mut reading = Reading::default();
        let limits = XmlLimits::default();
        read_document(document, &limits, "ListVersionsResult", |leaf| {
            reading.take(leaf.path, leaf.text, &limits)
        })?;
        let mut page = reading.finish()?;
        page.request_charged = request_charged(head);
        if page.next_key_marker.is_some()
            && page.next_key_marker == self.key_marker
            && page.next_version_id_marker == self.version_id_marker
        {
            let text = "the listing repeats its markers";
            return Err(DecodeError::Contradiction(text.to_owned()));
        }
        Ok(page)
    }
}

#[derive(Default)]
struct Reading {
    page: VersionPage,
    version: ListedVersion,
    truncated: bool,
    url_encoded: bool,
}

impl Reading {
    fn take(&mut self, path: &str, text: &str, limits: &XmlLimits) -> Result<(), XmlError> {
        let (entry, field) = path.split_once('/').unwrap_or((path, ""));
        match (entry, field) {
            ("Version", "") => {
                let version = std::mem::take(&mut self.version);
                self.push(VersionEntry::Version(version), limits)?;
            }
            ("DeleteMarker", "") => {
                let marker = std::mem::take(&mut self.version);
                self.push(VersionEntry::DeleteMarker(marker), limits)?;
            }
            ("Version" | "DeleteMarker", field) => self.version.take(field, text)?,
            ("CommonPrefixes", "Prefix") => {
                self.page.common_prefixes.push(text.to_owned());
                self.check_entries(limits)?;
            }
            ("IsTruncated", "") => self.truncated = parse_bool("IsTruncated", text)?,
            ("NextKeyMarker", "") => self.page.next_key_marker = Some(text.to_owned()),
            ("NextVersionIdMarker", "") => self.page.next_version_id_marker = some_text(text),
            ("EncodingType", "") => self.url_encoded = text.trim() == "url",
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, entry: VersionEntry, limits: &XmlLimits) -> Result<(), XmlError> {
        self.page.entries.push(entry);
        self.check_entries(limits)
    }

    fn check_entries(&self, limits: &XmlLimits) -> Result<(), XmlError> {
        limits.check_entries(self.page.entries.len() + self.page.common_prefixes.len())
    }

    fn finish(mut self) -> Result<VersionPage, DecodeError> {
        if !self.truncated {
            self.page.next_key_marker = None;
            self.page.next_version_id_marker = None;
        } else if self.page.next_key_marker.is_none() {
            return Err(DecodeError::Missing("NextKeyMarker"));
        }
        if self.url_encoded {
            let page = &mut self.page;
            let keys = page.entries.iter_mut().map(|entry| match entry {
                VersionEntry::Version(it) | VersionEntry::DeleteMarker(it) => &mut it.key,
            });
            for text in keys.chain(&mut page.common_prefixes).chain(&mut page.next_key_marker) {
                decode_key(text)?;
            }
        }
        Ok(self.page)
    }
}

impl ListedVersion {
    fn take(&mut self, field: &str, text: &str) -> Result<(), XmlError> {
        match field {
            "Key" => self.key = text.to_owned(),
            "VersionId" => self.version_id = text.trim().to_owned(),
            "IsLatest" => self.is_latest = parse_bool("IsLatest", text)?,
            "LastModified" => {
                self.last_modified = Timestamp::parse_iso8601(text).ok().map(SystemTime::from);
            }
            "Size" => self.size = parse_number("Size", text)?,
            "ETag" => self.etag = some_text(text).as_deref().and_then(Etag::new),
            "StorageClass" => self.storage_class = some_text(text),
            "ChecksumAlgorithm" => self.checksum_algorithms.extend(some_text(text)),
            "Owner/ID" => self.owner.get_or_insert_default().id = text.trim().to_owned(),
            "Owner/DisplayName" => {
                self.owner.get_or_insert_default().display_name = some_text(text);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Undoes the URL encoding of a key in a listing.
pub(super) fn decode_key(text: &mut String) -> Result<(), XmlError> {
    decode_listing(text).map_err(|source| XmlError::Encoding { element: "Key", source })
}
