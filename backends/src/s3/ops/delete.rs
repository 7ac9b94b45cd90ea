//! Deleting: one object, or many at once with an outcome for each.

use std::collections::HashMap;

use super::fields::{Access, request_charged, told, told_true};
use super::parts::{InvalidRequest, RequestParts, Target};
use super::{DecodeError, Operation, Payload, read_document};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::s3::encode::ByteSink;
use crate::s3::retry::Repeat;
use crate::s3::xml::{XmlLimits, can_be_written, some_text, write_element};

/// Keys that one DeleteObjects takes.
pub const DELETE_KEYS_MAX: usize = 1000;

/// Deletes an object, or one version of it. One that is not there is no error.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeleteObject {
    /// The key.
    pub key: String,
    /// Only this version, for good.
    pub version_id: Option<String>,
    /// Only if it has this tag.
    pub if_match: Option<String>,
    /// Deletes in spite of a governance lock.
    pub bypass_governance: bool,
    /// `x-amz-mfa`: serial number and code, where the bucket demands them.
    pub mfa: Option<String>,
    /// Who asks and who pays.
    pub access: Access,
}

impl DeleteObject {
    /// Deletes what stands under `key`.
    pub fn new(key: impl Into<String>) -> DeleteObject {
        DeleteObject { key: key.into(), ..DeleteObject::default() }
    }
}

/// What a delete did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deleted {
    /// A delete marker was made, or was what was deleted.
    pub delete_marker: bool,
    /// The version that was deleted, or of the marker that was made.
    pub version_id: Option<String>,
    /// The version of the marker that a delete of many made.
    pub marker_version_id: Option<String>,
    /// Whether who asked pays.
    pub request_charged: bool,
}

impl Operation for DeleteObject {
    type Output = Deleted;
    const NAME: &'static str = "DeleteObject";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Delete, Target::Object(&self.key))?;
        request.query_opt("versionId", self.version_id.as_ref());
        request.header_opt("if-match", self.if_match.as_ref());
        encode_powers(self.bypass_governance, self.mfa.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Deleted, DecodeError> {
        Ok(Deleted {
            delete_marker: told_true(head, "x-amz-delete-marker"),
            version_id: told(head, "x-amz-version-id"),
            marker_version_id: None,
            request_charged: request_charged(head),
        })
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }

    fn repeat(&self) -> Repeat {
        if self.if_match.is_some() { Repeat::IfNotPerformed } else { Repeat::Freely }
    }
}

fn encode_powers(bypass_governance: bool, mfa: Option<&String>, request: &mut RequestParts) {
    if bypass_governance {
        request.header("x-amz-bypass-governance-retention", "true");
    }
    request.header_opt("x-amz-mfa", mfa);
}

/// An object, or one version of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ObjectId {
    /// The key.
    pub key: String,
    /// The version.
    pub version_id: Option<String>,
}

impl ObjectId {
    /// What stands under a key.
    pub fn new(key: impl Into<String>) -> ObjectId {
        ObjectId { key: key.into(), version_id: None }
    }

    /// One version.
    pub fn version(key: impl Into<String>, version_id: impl Into<String>) -> ObjectId {
        ObjectId { key: key.into(), version_id: Some(version_id.into()) }
    }

    /// Whether XML can carry the key there and back: control characters cannot be written in it, not
    /// even escaped, and servers repeat a CR as it is, which a reader takes for LF (XML 1.0 section
    /// 2.11). Such objects are deleted one by one.
    pub fn fits_xml(&self) -> bool {
        can_be_written(&self.key) && !self.key.contains('\r')
    }
}

impl From<&str> for ObjectId {
    fn from(key: &str) -> ObjectId {
        ObjectId::new(key)
    }
}

/// Deletes up to [`DELETE_KEYS_MAX`] objects, each with an outcome of its own.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeleteObjects {
    /// Which ones.
    pub objects: Vec<ObjectId>,
    /// Deletes in spite of a governance lock.
    pub bypass_governance: bool,
    /// `x-amz-mfa`: serial number and code, where the bucket demands them.
    pub mfa: Option<String>,
    /// Who asks and who pays.
    pub access: Access,
}

impl DeleteObjects {
    /// Deletes these.
    pub fn new(objects: impl IntoIterator<Item = ObjectId>) -> DeleteObjects {
        DeleteObjects { objects: objects.into_iter().collect(), ..DeleteObjects::default() }
    }
}

/// What became of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteOutcome {
    /// Which one.
    pub object: ObjectId,
    /// What was done, or why it was not.
    pub result: Result<Deleted, DeleteRefusal>,
}

/// Why one object was not deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct DeleteRefusal {
    /// The code: `AccessDenied`, `InternalError`, ...
    pub code: String,
    /// The server's sentence.
    pub message: String,
    /// `x-amz-request-id` of the answer that says it.
    pub request_id: Option<String>,
    /// `x-amz-id-2` of that answer.
    pub host_id: Option<String>,
}

/// The code that this crate gives where an answer says nothing of an object.
const NOT_MENTIONED: &str = "NotMentioned";

impl Operation for DeleteObjects {
    /// One outcome for each object asked for, in the same order.
    type Output = Vec<DeleteOutcome>;
    const NAME: &'static str = "DeleteObjects";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        let wrong = |problem| Err(InvalidRequest::Field { field: "Objects", problem });
        if self.objects.is_empty() || self.objects.len() > DELETE_KEYS_MAX {
            return wrong("one request deletes 1 to 1000 objects");
        }
        if self.objects.iter().any(|object| object.key.is_empty()) {
            return Err(InvalidRequest::EmptyKey);
        }
        if !self.objects.iter().all(ObjectId::fits_xml) {
            return wrong("a key has a control character, which XML cannot carry; delete it alone");
        }
        request.start(Method::Post, Target::Bucket)?;
        request.query("delete", "");
        encode_powers(self.bypass_governance, self.mfa.as_ref(), request);
        self.access.encode(request);
        Ok(())
    }

    fn payload(&self) -> Payload {
        let mut xml = Vec::with_capacity(64 + 96 * self.objects.len());
        xml.put(b"<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for object in &self.objects {
            xml.put(b"<Object>");
            write_element("Key", &object.key, &mut xml);
            if let Some(version) = &object.version_id {
                write_element("VersionId", version, &mut xml);
            }
            xml.put(b"</Object>");
        }
        xml.put(b"</Delete>");
        Payload::Document { xml, md5: true }
    }

    fn decode(
        &self,
        head: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<Vec<DeleteOutcome>, DecodeError> {
        let charged = request_charged(head);
        let told = read_outcomes(document, charged)?;
        let not_mentioned = || {
            let message = "the answer says nothing of this object".to_owned();
            let code = NOT_MENTIONED.to_owned();
            Err(DeleteRefusal { code, message, ..DeleteRefusal::default() })
        };
        let outcome = |object: &ObjectId| DeleteOutcome {
            object: object.clone(),
            // Silence about an object is no success (DATA-2).
            // An object may be named twice and told once.
            result: told.get(object).cloned().unwrap_or_else(not_mentioned).map_err(|refusal| {
                DeleteRefusal {
                    request_id: head.request_id().map(str::to_owned),
                    host_id: head.host_id().map(str::to_owned),
                    ..refusal
                }
            }),
        };
        Ok(self.objects.iter().map(outcome).collect())
    }
}

type Outcomes = HashMap<ObjectId, Result<Deleted, DeleteRefusal>>;

fn read_outcomes(document: &[u8], request_charged: bool) -> Result<Outcomes, DecodeError> {
    let mut told = HashMap::new();
    let (mut object, mut deleted) = (ObjectId::default(), Deleted::default());
    let mut refusal = DeleteRefusal::default();
    let limits = XmlLimits::default();
    read_document(document, &limits, "DeleteResult", |leaf| {
        match leaf.path {
            "Deleted/Key" | "Error/Key" => object.key = leaf.text.to_owned(),
            "Deleted/VersionId" | "Error/VersionId" => object.version_id = some_text(leaf.text),
            "Deleted/DeleteMarker" => deleted.delete_marker = leaf.text.trim() == "true",
            "Deleted/DeleteMarkerVersionId" => deleted.marker_version_id = some_text(leaf.text),
            "Error/Code" => refusal.code = leaf.text.trim().to_owned(),
            "Error/Message" => refusal.message = leaf.text.trim().to_owned(),
            "Deleted" => {
                deleted.request_charged = request_charged;
                deleted.version_id.clone_from(&object.version_id);
                told.insert(std::mem::take(&mut object), Ok(std::mem::take(&mut deleted)));
            }
            "Error" => {
                told.insert(std::mem::take(&mut object), Err(std::mem::take(&mut refusal)));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(told)
}
