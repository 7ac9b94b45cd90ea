//! What a server keeps of an object, asked for without its bytes.

use std::time::SystemTime;

use super::fields::{
    Access, Checksums, CustomerKey, encode_customer_key, request_charged, told, told_time,
    told_true,
};
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{DecodeError, Operation, read_document_as};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::s3::xml::{XmlError, XmlLimits, parse_number, some_text};

/// Asks for tag, checksums, parts, class and size of an object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetObjectAttributes {
    /// The key.
    pub key: String,
    /// Another version than the newest.
    pub version_id: Option<String>,
    /// Parts told at most.
    pub max_parts: Option<u32>,
    /// Parts behind this one only.
    pub part_number_marker: Option<u32>,
    /// The key of SSE-C.
    pub customer_key: Option<CustomerKey>,
    /// Who asks and who pays.
    pub access: Access,
}

impl GetObjectAttributes {
    /// Asks for all of them.
    pub fn new(key: impl Into<String>) -> GetObjectAttributes {
        GetObjectAttributes { key: key.into(), ..GetObjectAttributes::default() }
    }
}

/// What a server keeps of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectAttributes {
    /// The tag; without quotes here.
    pub etag: Option<String>,
    /// The checksums of the object.
    pub checksums: Checksums,
    /// Bytes.
    pub size: Option<u64>,
    /// `STANDARD`, ...
    pub storage_class: Option<String>,
    /// How many parts it was uploaded in.
    pub parts_count: Option<u64>,
    /// The parts, where checksums of them are kept.
    pub parts: Vec<ObjectPart>,
    /// What the next parts are asked for with; `None` behind the last.
    pub next_part_number_marker: Option<u32>,
    /// When it was written.
    pub last_modified: Option<SystemTime>,
    /// Which version it is.
    pub version_id: Option<String>,
    /// Whether it is a delete marker.
    pub delete_marker: bool,
    /// Whether who asked pays.
    pub request_charged: bool,
}

/// A part of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPart {
    /// Counted from 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// Its checksums.
    pub checksums: Checksums,
}

impl Operation for GetObjectAttributes {
    type Output = ObjectAttributes;
    const NAME: &'static str = "GetObjectAttributes";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Object(&self.key))?;
        request.query("attributes", "");
        request.query_opt("versionId", self.version_id.as_ref());
        request
            .header("x-amz-object-attributes", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize");
        request.header_opt("x-amz-max-parts", self.max_parts);
        request.header_opt("x-amz-part-number-marker", self.part_number_marker);
        encode_customer_key(self.customer_key.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }

    fn decode(
        &self,
        head: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<ObjectAttributes, DecodeError> {
        let mut told = ObjectAttributes {
            last_modified: told_time(head, "last-modified"),
            version_id: told(head, "x-amz-version-id"),
            delete_marker: told_true(head, "x-amz-delete-marker"),
            request_charged: request_charged(head),
            ..ObjectAttributes::default()
        };
        let (mut part, mut truncated) = (ObjectPart::default(), false);
        let limits = XmlLimits::default();
        // The second is that of the API reference, which moto follows.
        let roots = ["GetObjectAttributesResponse", "GetObjectAttributesOutput"];
        read_document_as(document, &limits, roots, |leaf| {
            match leaf.path {
                "ObjectParts/IsTruncated" => truncated = leaf.text.trim() == "true",
                "ObjectParts/Part" => {
                    told.parts.push(std::mem::take(&mut part));
                    limits.check_entries(told.parts.len())?;
                }
                path => match path.strip_prefix("ObjectParts/Part/") {
                    Some(field) => part.take(field, leaf.text)?,
                    None => told.take(path, leaf.text)?,
                },
            }
            Ok(())
        })?;
        if !truncated {
            told.next_part_number_marker = None;
        }
        Ok(told)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

impl ObjectAttributes {
    fn take(&mut self, path: &str, text: &str) -> Result<(), XmlError> {
        match path {
            "ETag" => self.etag = some_text(text),
            "ObjectSize" => self.size = Some(parse_number("ObjectSize", text)?),
            "StorageClass" => self.storage_class = some_text(text),
            // The API reference says PartsCount where the service sends TotalPartsCount.
            "ObjectParts/PartsCount" | "ObjectParts/TotalPartsCount" => {
                self.parts_count = Some(parse_number("PartsCount", text)?);
            }
            "ObjectParts/NextPartNumberMarker" => {
                self.next_part_number_marker = text.trim().parse().ok();
            }
            path => {
                if let Some(element) = path.strip_prefix("Checksum/") {
                    self.checksums.take(element, text);
                }
            }
        }
        Ok(())
    }
}

impl ObjectPart {
    fn take(&mut self, field: &str, text: &str) -> Result<(), XmlError> {
        match field {
            "PartNumber" => {
                self.number = u32::try_from(parse_number("PartNumber", text)?).unwrap_or(u32::MAX);
            }
            "Size" => self.size = parse_number("Size", text)?,
            field => self.checksums.take(field, text),
        }
        Ok(())
    }
}
