//! The tags of an object.

use super::fields::{Access, told};
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{DecodeError, Operation, Payload, read_document};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::s3::encode::ByteSink;
use crate::s3::xml::{XmlLimits, can_be_written, write_element};

/// Tags, as name and value.
pub type TagSet = Vec<(String, String)>;

pub(super) fn check_tags(tags: &[(String, String)]) -> Result<(), InvalidRequest> {
    if tags.iter().all(|(name, value)| can_be_written(name) && can_be_written(value)) {
        return Ok(());
    }
    let problem = "a tag has a control character, which XML cannot carry";
    Err(InvalidRequest::Field { field: "TagSet", problem })
}

pub(super) fn write_tags(tags: &[(String, String)], xml: &mut Vec<u8>) {
    for (name, value) in tags {
        xml.put(b"<Tag>");
        write_element("Key", name, xml);
        write_element("Value", value, xml);
        xml.put(b"</Tag>");
    }
}

/// Reads the tags of an object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetObjectTagging {
    /// The key.
    pub key: String,
    /// Another version than the newest.
    pub version_id: Option<String>,
    /// Who asks and who pays.
    pub access: Access,
}

impl GetObjectTagging {
    /// The tags of the newest version.
    pub fn new(key: impl Into<String>) -> GetObjectTagging {
        GetObjectTagging { key: key.into(), ..GetObjectTagging::default() }
    }
}

/// The tags of an object, and of which version they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tagged {
    /// The tags.
    pub tags: TagSet,
    /// The version.
    pub version_id: Option<String>,
}

impl Operation for GetObjectTagging {
    type Output = Tagged;
    const NAME: &'static str = "GetObjectTagging";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        start(Method::Get, &self.key, self.version_id.as_ref(), &self.access, request)
    }

    fn decode(&self, head: &ResponseHead<'_>, document: &[u8]) -> Result<Tagged, DecodeError> {
        let mut tagged = Tagged { tags: Vec::new(), version_id: told(head, "x-amz-version-id") };
        let (mut name, mut value) = (String::new(), String::new());
        let limits = XmlLimits::default();
        read_document(document, &limits, "Tagging", |leaf| {
            match leaf.path {
                "TagSet/Tag/Key" => name = leaf.text.to_owned(),
                "TagSet/Tag/Value" => value = leaf.text.to_owned(),
                "TagSet/Tag" => {
                    tagged.tags.push((std::mem::take(&mut name), std::mem::take(&mut value)));
                    limits.check_entries(tagged.tags.len())?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(tagged)
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

/// Replaces the tags of an object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PutObjectTagging {
    /// The key.
    pub key: String,
    /// Another version than the newest.
    pub version_id: Option<String>,
    /// The tags; S3 takes 10 at most.
    pub tags: TagSet,
    /// Who asks and who pays.
    pub access: Access,
}

impl PutObjectTagging {
    /// The newest version gets these tags and no others.
    pub fn new(key: impl Into<String>, tags: TagSet) -> PutObjectTagging {
        PutObjectTagging { key: key.into(), tags, ..PutObjectTagging::default() }
    }
}

impl Operation for PutObjectTagging {
    /// The version.
    type Output = Option<String>;
    const NAME: &'static str = "PutObjectTagging";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        check_tags(&self.tags)?;
        start(Method::Put, &self.key, self.version_id.as_ref(), &self.access, request)
    }

    fn payload(&self) -> Payload {
        let mut xml = Vec::new();
        xml.put(b"<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>");
        write_tags(&self.tags, &mut xml);
        xml.put(b"</TagSet></Tagging>");
        Payload::Document { xml, md5: true }
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Option<String>, DecodeError> {
        Ok(told(head, "x-amz-version-id"))
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

/// Takes all tags off an object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeleteObjectTagging {
    /// The key.
    pub key: String,
    /// Another version than the newest.
    pub version_id: Option<String>,
    /// Who asks.
    pub access: Access,
}

impl DeleteObjectTagging {
    /// The newest version loses its tags.
    pub fn new(key: impl Into<String>) -> DeleteObjectTagging {
        DeleteObjectTagging { key: key.into(), ..DeleteObjectTagging::default() }
    }
}

impl Operation for DeleteObjectTagging {
    /// The version.
    type Output = Option<String>;
    const NAME: &'static str = "DeleteObjectTagging";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        start(Method::Delete, &self.key, self.version_id.as_ref(), &self.access, request)
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Option<String>, DecodeError> {
        Ok(told(head, "x-amz-version-id"))
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

fn start(
    method: Method,
    key: &str,
    version_id: Option<&String>,
    access: &Access,
    request: &mut RequestParts,
) -> Result<(), InvalidRequest> {
    request.start(method, Target::Object(key))?;
    request.query("tagging", "");
    request.query_opt("versionId", version_id);
    access.encode(request);
    Ok(())
}
