//! Writing a whole object from one buffer, as any store does.
//!
//! After the first few requests nothing of this asks the heap, if nothing is said of the object: the
//! key is borrowed, and of the answer only the tag is kept, and the version where there is one. Pinned by `tests/allocations.rs`.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Buf, Core};

use super::call::send_from;
use super::checksum::bytes_of;
use super::ops::{
    BodyCheck, DecodeError, InvalidRequest, Operation, Payload, PutObject, RequestParts,
};
use super::retry::Repeat;
use super::store::{Shared, access_of};
use crate::error::Result;
use crate::http1::response::ResponseHead;
use crate::object::{Etag, ObjectMeta, PutOptions};

/// A PutObject of a key that is borrowed.
#[derive(Debug)]
struct Put<'a> {
    key: &'a str,
    /// All but the key.
    rest: PutObject,
}

impl Operation for Put<'_> {
    type Output = (Option<Etag>, Option<String>);
    const NAME: &'static str = PutObject::NAME;

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        self.rest.encode_for(self.key, request)
    }

    fn payload(&self) -> Payload {
        self.rest.payload()
    }

    fn body_check(&self) -> BodyCheck {
        self.rest.body_check()
    }

    /// The tag, and which version it is.
    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Self::Output, DecodeError> {
        let version_id = head.text("x-amz-version-id")?.filter(|text| !text.is_empty());
        Ok((head.etag()?.and_then(Etag::new), version_id.map(str::to_owned)))
    }

    fn key(&self) -> Option<&str> {
        Some(self.key)
    }

    fn repeat(&self) -> Repeat {
        self.rest.repeat()
    }
}

/// As [`ObjectStore::put`](crate::store::ObjectStore::put).
pub(super) async fn put(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    mut buf: Buf,
    span: Range<usize>,
    options: &PutOptions,
) -> (Result<ObjectMeta>, Buf) {
    let size_bytes = span.len() as u64;
    let mut rest = PutObject::new("", Bytes::new());
    rest.object = options.into();
    rest.access = access_of(options);
    rest.conditions = options.write_if.into();
    let operation = Put { key, rest };
    let bytes = bytes_of(&mut buf, span.clone());
    let sent = shared.checks.of_object(operation.body_check(), bytes);
    let (stored, _, buf, sum) = send_from(core, shared, &operation, buf, span, sent).await;
    let meta = stored.map(|(etag, version_id)| {
        ObjectMeta { etag, ..options.meta_of(size_bytes) }.kept_as(version_id, sum)
    });
    let told = |error| shared.unless_absent(error, options.write_if, key);
    (meta.map_err(told), buf)
}
