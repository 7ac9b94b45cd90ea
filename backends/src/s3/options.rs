//! What S3 alone can be asked for when an object is read or written as any other is: by streams, in
//! parts, by copies. Stores of another kind refuse it.
//!
//! What single operations can be asked for besides is in [`ops`](super::ops).

use super::ops::{Access, CustomerKey, GetObject, NewObject, ServerSide};
use crate::error::{ErrorKind, Result};

/// What S3 is asked for when an object is written. It goes with every request of the write that it
/// is for, each part of an upload among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3PutOptions {
    /// `STANDARD`, `STANDARD_IA`, `GLACIER`, ...
    pub storage_class: Option<String>,
    /// Tags of the object.
    pub tags: Vec<(String, String)>,
    /// A canned ACL: `private`, `public-read`, `bucket-owner-full-control`, ...
    pub acl: Option<String>,
    /// How the server is to encrypt it, with keys that it has (SSE-S3, SSE-KMS).
    pub server_side: Option<ServerSide>,
    /// The key that the server encrypts it with, and forgets (SSE-C); S3 takes it over TLS alone.
    pub customer_key: Option<CustomerKey>,
    /// Who asks and who pays.
    pub access: Access,
}

/// What S3 is asked for when an object is read. It goes with each range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3ReadOptions {
    /// The key that the object was encrypted with (SSE-C); S3 takes it over TLS alone.
    pub customer_key: Option<CustomerKey>,
    /// Who asks and who pays.
    pub access: Access,
}

impl S3PutOptions {
    /// Says it of the object that a request makes.
    pub(super) fn describe(&self, object: &mut NewObject) {
        object.storage_class.clone_from(&self.storage_class);
        object.tags.clone_from(&self.tags);
        object.acl.clone_from(&self.acl);
        object.server_side.clone_from(&self.server_side);
        object.customer_key.clone_from(&self.customer_key);
    }
}

impl S3ReadOptions {
    /// Says it with a GET, or a HEAD.
    pub(super) fn describe(&self, object: &mut GetObject) {
        object.customer_key.clone_from(&self.customer_key);
        object.access.clone_from(&self.access);
    }
}

/// For stores that are none of S3.
///
/// # Errors
/// Something is asked for that only S3 knows.
pub(crate) fn refuse<T>(asked: &Option<Box<T>>, uri: impl FnOnce() -> String) -> Result<()> {
    if asked.is_none() {
        return Ok(());
    }
    let text = format!(
        "{} is no object of S3: who asks and pays, encryption, tags, ACLs and storage classes cannot \
         be said there",
        uri()
    );
    Err(ErrorKind::Unsupported(text).into())
}
