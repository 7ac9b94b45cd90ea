//! Listings of uploads and of their parts.

use std::time::SystemTime;

use super::fields::{Access, Checksums, CustomerKey, encode_customer_key, request_charged};
use super::list::decode_key;
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{DecodeError, Operation, read_document};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::object::Etag;
use crate::s3::time::Timestamp;
use crate::s3::xml::{Owner, XmlError, XmlLimits, parse_bool, parse_number, some_text};

/// Lists the parts of an upload, a page at a time.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListParts {
    /// The key.
    pub key: String,
    /// Which upload.
    pub upload_id: String,
    /// Parts behind this one only.
    pub part_number_marker: Option<u32>,
    /// Entries of the page; the server's own limit holds as well.
    pub max_parts: Option<u32>,
    /// The key of SSE-C.
    pub customer_key: Option<CustomerKey>,
    /// Who asks and who pays.
    pub access: Access,
}

impl ListParts {
    /// The first page.
    pub fn new(key: impl Into<String>, upload_id: impl Into<String>) -> ListParts {
        let (key, upload_id) = (key.into(), upload_id.into());
        ListParts { key, upload_id, ..ListParts::default() }
    }
}

/// One page of [`ListParts`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartPage {
    /// The parts, ascending.
    pub parts: Vec<ListedPart>,
    /// What the next page is asked for with; `None` on the last page.
    pub next_part_number_marker: Option<u32>,
    /// Whose the upload is.
    pub owner: Option<Owner>,
    /// Who began it.
    pub initiator: Option<Owner>,
    /// `STANDARD`, ...
    pub storage_class: Option<String>,
    /// The checksum that the parts have.
    pub checksum_algorithm: Option<String>,
    /// Whether who asked pays.
    pub request_charged: bool,
}

/// A part that was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedPart {
    /// 1 to 10,000.
    pub number: u32,
    /// Its tag, with quotes.
    pub etag: Option<Etag>,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub last_modified: Option<SystemTime>,
    /// Its checksums.
    pub checksums: Checksums,
}

impl Operation for ListParts {
    type Output = PartPage;
    const NAME: &'static str = "ListParts";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Object(&self.key))?;
        request.upload_id(&self.upload_id)?;
        request.query_opt("part-number-marker", self.part_number_marker);
        request.query_opt("max-parts", self.max_parts);
        encode_customer_key(self.customer_key.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<PartPage, DecodeError> {
        let (mut page, mut part) = (PartPage::default(), ListedPart::default());
        let mut truncated = false;
        let limits = XmlLimits::default();
        read_document(document, &limits, "ListPartsResult", |leaf| {
            let (path, text) = (leaf.path, leaf.text);
            match path {
                "Part" => {
                    page.parts.push(std::mem::take(&mut part));
                    limits.check_entries(page.parts.len())?;
                }
                "IsTruncated" => truncated = parse_bool("IsTruncated", text)?,
                "NextPartNumberMarker" => page.next_part_number_marker = text.trim().parse().ok(),
                "StorageClass" => page.storage_class = some_text(text),
                "ChecksumAlgorithm" => page.checksum_algorithm = some_text(text),
                _ => match path.split_once('/') {
                    Some(("Part", field)) => part.take(field, text)?,
                    Some(("Owner", field)) => take_person(&mut page.owner, field, text),
                    Some(("Initiator", field)) => take_person(&mut page.initiator, field, text),
                    _ => {}
                },
            }
            Ok(())
        })?;
        page.request_charged = request_charged(head);
        match (truncated, page.next_part_number_marker) {
            (false, _) => page.next_part_number_marker = None,
            // A first page taken for all parts would lose the rest.
            (true, None) => return Err(DecodeError::Missing("NextPartNumberMarker")),
            (true, next) if next <= self.part_number_marker => {
                let text = "the list of parts repeats its marker";
                return Err(DecodeError::Contradiction(text.to_owned()));
            }
            (true, Some(_)) => {}
        }
        Ok(page)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

impl ListedPart {
    fn take(&mut self, field: &str, text: &str) -> Result<(), XmlError> {
        match field {
            "PartNumber" => {
                self.number = u32::try_from(parse_number("PartNumber", text)?).unwrap_or(u32::MAX);
            }
            "ETag" => self.etag = some_text(text).as_deref().and_then(Etag::new),
            "Size" => self.size = parse_number("Size", text)?,
            "LastModified" => {
                self.last_modified = Timestamp::parse_iso8601(text).ok().map(SystemTime::from);
            }
            field => self.checksums.take(field, text),
        }
        Ok(())
    }
}

/// Lists uploads that were begun and neither completed nor aborted, a page at a time.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListMultipartUploads {
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// Keys are rolled up behind the first of these that follows the prefix.
    pub delimiter: Option<String>,
    /// Where the page before ended.
    pub key_marker: Option<String>,
    /// Where the page before ended, among the uploads to that key.
    pub upload_id_marker: Option<String>,
    /// Entries of the page; the server's own limit holds as well.
    pub max_uploads: Option<u32>,
    /// Who asks and who pays.
    pub access: Access,
}

/// One page of [`ListMultipartUploads`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadPage {
    /// The uploads, by key.
    pub uploads: Vec<ListedUpload>,
    /// What lies beneath the prefix up to the delimiter, each once.
    pub common_prefixes: Vec<String>,
    /// What the next page is asked for with; `None` on the last page.
    pub next_key_marker: Option<String>,
    /// The same among the uploads to that key.
    pub next_upload_id_marker: Option<String>,
    /// Whether who asked pays.
    pub request_charged: bool,
}

/// An upload that was begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedUpload {
    /// The key.
    pub key: String,
    /// Which upload.
    pub upload_id: String,
    /// When it was begun.
    pub initiated: Option<SystemTime>,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Who began it.
    pub initiator: Option<Owner>,
    /// `STANDARD`, ...
    pub storage_class: Option<String>,
    /// The checksum that its parts have.
    pub checksum_algorithm: Option<String>,
}

impl Operation for ListMultipartUploads {
    type Output = UploadPage;
    const NAME: &'static str = "ListMultipartUploads";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Bucket)?;
        request.query("uploads", "");
        request.query("encoding-type", "url");
        request.query_opt("prefix", self.prefix.as_ref());
        request.query_opt("delimiter", self.delimiter.as_ref());
        request.query_opt("key-marker", self.key_marker.as_ref());
        request.query_opt("upload-id-marker", self.upload_id_marker.as_ref());
        request.query_opt("max-uploads", self.max_uploads);
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<UploadPage, DecodeError> {
        let (mut page, mut upload) = (UploadPage::default(), ListedUpload::default());
        let (mut truncated, mut url_encoded) = (false, false);
        let limits = XmlLimits::default();
        read_document(document, &limits, "ListMultipartUploadsResult", |leaf| {
            let (path, text) = (leaf.path, leaf.text);
            match path {
                "Upload" => {
                    page.uploads.push(std::mem::take(&mut upload));
                    limits.check_entries(page.uploads.len() + page.common_prefixes.len())?;
                }
                "CommonPrefixes/Prefix" => {
                    page.common_prefixes.push(text.to_owned());
                    limits.check_entries(page.uploads.len() + page.common_prefixes.len())?;
                }
                "IsTruncated" => truncated = parse_bool("IsTruncated", text)?,
                "NextKeyMarker" => page.next_key_marker = Some(text.to_owned()),
                "NextUploadIdMarker" => page.next_upload_id_marker = some_text(text),
                "EncodingType" => url_encoded = text.trim() == "url",
                _ => {
                    if let Some(field) = path.strip_prefix("Upload/") {
                        upload.take(field, text);
                    }
                }
            }
            Ok(())
        })?;
        page.request_charged = request_charged(head);
        if !truncated {
            (page.next_key_marker, page.next_upload_id_marker) = (None, None);
        } else if page.next_key_marker.is_none() {
            return Err(DecodeError::Missing("NextKeyMarker"));
        }
        if url_encoded {
            let keys = page.uploads.iter_mut().map(|upload| &mut upload.key);
            for text in keys.chain(&mut page.common_prefixes).chain(&mut page.next_key_marker) {
                decode_key(text)?;
            }
        }
        if page.next_key_marker.is_some()
            && page.next_key_marker == self.key_marker
            && page.next_upload_id_marker == self.upload_id_marker
        {
            let text = "the list of uploads repeats its markers";
            return Err(DecodeError::Contradiction(text.to_owned()));
        }
        Ok(page)
    }
}

impl ListedUpload {
    fn take(&mut self, field: &str, text: &str) {
        match field {
            "Key" => self.key = text.to_owned(),
            "UploadId" => self.upload_id = text.trim().to_owned(),
            "Initiated" => {
                self.initiated = Timestamp::parse_iso8601(text).ok().map(SystemTime::from);
            }
            "StorageClass" => self.storage_class = some_text(text),
            "ChecksumAlgorithm" => self.checksum_algorithm = some_text(text),
            _ => match field.split_once('/') {
                Some(("Owner", field)) => take_person(&mut self.owner, field, text),
                Some(("Initiator", field)) => take_person(&mut self.initiator, field, text),
                _ => {}
            },
        }
    }
}

fn take_person(person: &mut Option<Owner>, field: &str, text: &str) {
    match field {
        "ID" => person.get_or_insert_default().id = text.trim().to_owned(),
        "DisplayName" => person.get_or_insert_default().display_name = some_text(text),
        _ => {}
    }
}
