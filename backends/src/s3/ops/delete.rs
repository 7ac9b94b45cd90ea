//! Deleting: one object, or many at once with an outcome for each.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use super::fields::{Access, http_date, request_charged, told, told_true};
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
    /// Only if it was written at this second: directory buckets alone know that.
    pub if_match_last_modified: Option<SystemTime>,
    /// Only if it has so many bytes: directory buckets alone know that.
    pub if_match_size: Option<u64>,
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

    /// Deletes what an entry of [`DeleteObjects`] names.
    pub(in crate::s3) fn of(object: &ObjectId) -> DeleteObject {
        DeleteObject {
            key: object.key.clone(),
            version_id: object.version_id.clone(),
            if_match: object.if_match.clone(),
            if_match_last_modified: object.if_match_last_modified,
            if_match_size: object.if_match_size,
            ..DeleteObject::default()
        }
    }

    fn is_conditional(&self) -> bool {
        self.if_match.is_some()
            || self.if_match_last_modified.is_some()
            || self.if_match_size.is_some()
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
        let written = self.if_match_last_modified.map(http_date);
        request.header_opt("x-amz-if-match-last-modified-time", written);
        request.header_opt("x-amz-if-match-size", self.if_match_size);
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
        if self.is_conditional() { Repeat::IfNotPerformed } else { Repeat::Freely }
    }
}

fn encode_powers(bypass_governance: bool, mfa: Option<&String>, request: &mut RequestParts) {
    if bypass_governance {
        request.header("x-amz-bypass-governance-retention", "true");
    }
    request.header_opt("x-amz-mfa", mfa);
}

/// An object, or one version of it, and on what condition it is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ObjectId {
    /// The key.
    pub key: String,
    /// The version.
    pub version_id: Option<String>,
    /// Only if it has this tag.
    pub if_match: Option<String>,
    /// Only if it was written at this second: directory buckets alone know that.
    pub if_match_last_modified: Option<SystemTime>,
    /// Only if it has so many bytes: directory buckets alone know that.
    pub if_match_size: Option<u64>,
}

impl ObjectId {
    /// What stands under a key.
    pub fn new(key: impl Into<String>) -> ObjectId {
        ObjectId { key: key.into(), ..ObjectId::default() }
    }

    /// One version.
    pub fn version(key: impl Into<String>, version_id: impl Into<String>) -> ObjectId {
        ObjectId { version_id: Some(version_id.into()), ..ObjectId::new(key) }
    }

    /// Whether it goes with others in one request. Conditions there are younger than `If-Match`, and a server that does
    /// not know them deletes all the same.
    pub(in crate::s3) fn goes_with_others(&self) -> bool {
        self.fits_xml() && !self.is_conditional()
    }

    fn is_conditional(&self) -> bool {
        self.if_match.is_some()
            || self.if_match_last_modified.is_some()
            || self.if_match_size.is_some()
    }

    /// As an answer names it, which repeats no condition.
    fn named(&self) -> Cow<'_, ObjectId> {
        if !self.is_conditional() {
            return Cow::Borrowed(self);
        }
        let version_id = self.version_id.clone();
        Cow::Owned(ObjectId { version_id, ..ObjectId::new(&*self.key) })
    }

    fn write(&self, xml: &mut Vec<u8>) {
        xml.put(b"<Object>");
        write_element("Key", &self.key, xml);
        let written = self.if_match_last_modified.map(|at| http_date(at).to_string());
        for (name, value) in [
            ("VersionId", &self.version_id),
            ("ETag", &self.if_match),
            ("LastModifiedTime", &written),
            ("Size", &self.if_match_size.map(|bytes| bytes.to_string())),
        ] {
            value.iter().for_each(|value| write_element(name, value, xml));
        }
        xml.put(b"</Object>");
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
    /// What is said of all, and none of them.
    pub(in crate::s3) fn without_objects(&self) -> DeleteObjects {
        let (mfa, access) = (self.mfa.clone(), self.access.clone());
        DeleteObjects {
            objects: Vec::new(),
            bypass_governance: self.bypass_governance,
            mfa,
            access,
        }
    }

    /// Deletes one of them in the same way.
    pub(in crate::s3) fn alone(&self, object: &ObjectId) -> DeleteObject {
        DeleteObject {
            bypass_governance: self.bypass_governance,
            mfa: self.mfa.clone(),
            access: self.access.clone(),
            ..DeleteObject::of(object)
        }
    }

    /// Deletes these.
    pub fn new(objects: impl IntoIterator<Item = ObjectId>) -> DeleteObjects {
        DeleteObjects { objects: objects.into_iter().collect(), ..DeleteObjects::default() }
    }

    fn is_conditional(&self) -> bool {
        self.objects.iter().any(ObjectId::is_conditional)
    }

    fn names_twice_on_condition(&self) -> bool {
        let mut named = HashSet::new();
        self.is_conditional() && !self.objects.iter().all(|object| named.insert(object.named()))
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
        if self.names_twice_on_condition() {
            return wrong(
                "an object with a condition is named twice, and the answer would not say of which it speaks",
            );
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
        self.objects.iter().for_each(|object| object.write(&mut xml));
        xml.put(b"</Delete>");
        Payload::Document { xml, md5: true }
    }

    fn decode(
        &self,
        head: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<Vec<DeleteOutcome>, DecodeError> {
        let charged = request_charged(head);
        let asked = LazyCell::new(|| {
            self.objects.iter().map(ObjectId::named).collect::<HashSet<Cow<'_, ObjectId>>>()
        });
        let told = read_outcomes(document, charged, |object| asked.contains(object))?;
        let not_mentioned = || {
            let message = "the answer says nothing of this object".to_owned();
            let code = NOT_MENTIONED.to_owned();
            Err(DeleteRefusal { code, message, ..DeleteRefusal::default() })
        };
        let outcome = |object: &ObjectId| DeleteOutcome {
            object: object.clone(),
            // Silence about an object is no success (DATA-2).
            // An object may be named twice and told once.
            result: told.get(&*object.named()).cloned().unwrap_or_else(not_mentioned).map_err(
                |refusal| DeleteRefusal {
                    request_id: head.request_id().map(str::to_owned),
                    host_id: head.host_id().map(str::to_owned),
                    ..refusal
                },
            ),
        };
        Ok(self.objects.iter().map(outcome).collect())
    }

    fn repeat(&self) -> Repeat {
        if self.is_conditional() { Repeat::IfNotPerformed } else { Repeat::Freely }
    }
}

type Outcomes = HashMap<ObjectId, Result<Deleted, DeleteRefusal>>;

fn read_outcomes(
    document: &[u8],
    request_charged: bool,
    is_asked: impl Fn(&ObjectId) -> bool,
) -> Result<Outcomes, DecodeError> {
    let mut told: Outcomes = HashMap::new();
    let mut note = |mut object: ObjectId, result: Result<Deleted, DeleteRefusal>| {
        if object.version_id.is_none() || is_asked(&object) {
            told.insert(object, result);
            return;
        }
        // Some servers tell which version went though none was named. One that stayed is what counts.
        object.version_id = None;
        if result.is_err() || !told.contains_key(&object) {
            told.insert(object, result);
        }
    };
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
                note(std::mem::take(&mut object), Ok(std::mem::take(&mut deleted)));
            }
            "Error" => {
                note(std::mem::take(&mut object), Err(std::mem::take(&mut refusal)));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(told)
}
