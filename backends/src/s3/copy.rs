//! Copies inside one service: the bytes stay with the server.
//!
//! Up to [`CopyLimits::whole_bytes_max`] the copy is one request, which keeps everything that is said
//! of the object; larger ones are an upload whose parts the server copies. So is whatever has more than
//! one part and is to be carried on when it breaks off: of one request nothing would be left. All are
//! pinned to the version that a HEAD told, and an error in the body of a 200 is an error.

use std::sync::Arc;

use hydrant_engine::Core;

use super::call::send;
use super::endpoint::Endpoint;
use super::error::S3ErrorKind;
use super::ops::{CopyObject, CopySource, HeadObject};
use super::store::Shared;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Etag, ObjectMeta};
use crate::pipeline::plan::{PART_ALIGN_BYTES, PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX};
use crate::store::{CopiedWithin, CopyWay, CopyWithin};

/// How the server is asked to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLimits {
    /// The largest object that one CopyObject copies. Default 5 GiB, which is S3's own limit (API
    /// reference, CopyObject). With [`OnFailure::Keep`](crate::OnFailure::Keep) at most a part.
    pub whole_bytes_max: u64,
    /// Bytes of a part of larger ones, 5 MiB to 5 GiB; more where 10,000 parts would not suffice.
    /// Default 128 MiB: a server copies it in about a second. Who copies may ask for others.
    pub part_size_bytes: u64,
}

impl Default for CopyLimits {
    fn default() -> CopyLimits {
        CopyLimits { whole_bytes_max: 5 << 30, part_size_bytes: 128 << 20 }
    }
}

impl CopyLimits {
    fn part_size_for(&self, size_bytes: u64) -> u64 {
        let needed = size_bytes.div_ceil(PARTS_MAX);
        let wanted = self.part_size_bytes.clamp(PART_BYTES_MIN, PART_BYTES_MAX).max(needed);
        wanted.next_multiple_of(PART_ALIGN_BYTES)
    }
}

/// Copies `from_key` of the store `from`, or says how it is to be done.
///
/// # Errors
/// `Changed` where the source was replaced in between.
pub(super) async fn copy_within(
    core: &Core,
    shared: &Arc<Shared>,
    (from, from_key): (&Arc<Shared>, &str),
    key: &str,
    how: CopyWithin<'_>,
) -> Result<CopiedWithin> {
    if !is_same_service(shared, from) {
        return Ok(CopiedWithin::No(None));
    }
    let source = ObjectMeta::from(send(core, from, &HeadObject::new(from_key)).await?);
    let Some(etag) = source.etag else {
        let text = format!("{} has no tag to pin a copy to", from.uri_of(from_key));
        return Ok(CopiedWithin::No(Some(text)));
    };
    let mut limits = shared.config.copy;
    limits.part_size_bytes = how.part_size_bytes.unwrap_or(limits.part_size_bytes);
    let part_size_bytes = limits.part_size_for(source.size_bytes);
    let part_is_most = how.keep && source.size_bytes > part_size_bytes;
    if part_is_most || source.size_bytes > limits.whole_bytes_max {
        return Ok(CopiedWithin::InParts { source, part_size_bytes });
    }
    let operation = CopyObject::new(key, pinned(from, from_key, &etag));
    match send(core, shared, &operation).await {
        Ok(copied) => {
            let meta = ObjectMeta { etag: copied.etag, modified: copied.last_modified, ..source };
            let meta = meta.kept_as(copied.version_id, None);
            Ok(CopiedWithin::Done { meta, way: CopyWay::OnServer })
        }
        Err(error) if is_unknown(&error) => Ok(CopiedWithin::No(Some(error.to_string()))),
        Err(error) => Err(changed(error, from, from_key)),
    }
}

/// Whether requests to one are answered, and may be signed, as those to the other.
fn is_same_service(one: &Shared, other: &Shared) -> bool {
    let mut services = one.endpoints().map(Endpoint::service);
    // A server that both name is a server of both.
    services.any(|service| other.endpoints().any(|endpoint| endpoint.service() == service))
        && one.identity == other.identity
}

/// The version of an object with this tag, and no other.
pub(super) fn pinned(from: &Shared, from_key: &str, etag: &Etag) -> CopySource {
    let mut source = CopySource::new(from.endpoint.bucket(), from_key);
    source.conditions.if_match = Some(etag.to_string());
    source
}

/// A condition on the source that does not hold means that it was replaced (DATA-2).
pub(super) fn changed(error: Error, from: &Shared, from_key: &str) -> Error {
    match error.kind() {
        ErrorKind::S3(refused) if refused.kind() == S3ErrorKind::PreconditionFailed => {
            let (object, detail) = (from.uri_of(from_key), "the server answered 412".to_owned());
            ErrorKind::Changed { object, detail }.into()
        }
        _ => error,
    }
}

/// Whether the server says that it has no such operation. Source: Amazon S3 API reference, "Error
/// responses", `MethodNotAllowed` (405) and `NotImplemented` (501).
pub(super) fn is_unknown(error: &Error) -> bool {
    let ErrorKind::S3(error) = error.kind() else { return false };
    matches!(error.http_status, 405 | 501)
        || matches!(error.code.as_str(), "MethodNotAllowed" | "NotImplemented")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_large_and_never_too_many() {
        let limits = CopyLimits::default();
        assert_eq!(limits.part_size_for(6 << 30), 128 << 20);
        let largest = limits.part_size_for(5 << 40);
        assert!((5u64 << 40).div_ceil(largest) <= PARTS_MAX && largest < 600 << 20);
        assert_eq!(CopyLimits { part_size_bytes: 1, ..limits }.part_size_for(1), PART_BYTES_MIN);
    }
}
