//! What S3 alone can be asked for when an object is read or written as any other is: by streams, in
//! parts, by copies. Stores of another kind refuse it.
//!
//! What single operations can be asked for besides is in [`ops`](super::ops).

use md5::{Digest, Md5};

use super::ops::{Access, CustomerKey, GetObject, NewObject, Retention, ServerSide};
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
    /// Who has all rights to it: `id="…"`, `uri="…"`, as `x-amz-grant-full-control` has it.
    pub grant_full_control: Option<String>,
    /// Who may read it.
    pub grant_read: Option<String>,
    /// Who may read its ACL.
    pub grant_read_acp: Option<String>,
    /// Who may write its ACL.
    pub grant_write_acp: Option<String>,
    /// Where a bucket that is a website leads who asks for it.
    pub website_redirect_location: Option<String>,
    /// How long nobody may delete it (object lock).
    pub retention: Option<Retention>,
    /// Whether a legal hold lies on it.
    pub legal_hold: Option<bool>,
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
        object.grant_full_control.clone_from(&self.grant_full_control);
        object.grant_read.clone_from(&self.grant_read);
        object.grant_read_acp.clone_from(&self.grant_read_acp);
        object.grant_write_acp.clone_from(&self.grant_write_acp);
        object.website_redirect_location.clone_from(&self.website_redirect_location);
        object.retention.clone_from(&self.retention);
        object.legal_hold = self.legal_hold;
        object.server_side.clone_from(&self.server_side);
        object.customer_key.clone_from(&self.customer_key);
    }

    /// Differs with all that an object is made with; tells nothing of the key (SEC-1).
    pub(super) fn digest(&self) -> String {
        let key = self.customer_key.as_ref().map(CustomerKey::fingerprint);
        // Who asks and who pays makes no other object, and the key is not shown.
        let made = S3PutOptions { access: Access::default(), customer_key: None, ..self.clone() };
        let all = format!("{made:?} {key:?}");
        Md5::digest(all).iter().map(|byte| format!("{byte:02x}")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_object_is_made_with_tells_digests_apart() {
        let with = |change: fn(&mut S3PutOptions)| {
            let mut options = S3PutOptions::default();
            change(&mut options);
            options.digest()
        };
        let digests = [
            with(|_| {}),
            with(|it| it.storage_class = Some("GLACIER".into())),
            with(|it| it.acl = Some("GLACIER".into())),
            with(|it| it.grant_full_control = Some("GLACIER".into())),
            with(|it| it.grant_read = Some("GLACIER".into())),
            with(|it| it.grant_read_acp = Some("GLACIER".into())),
            with(|it| it.grant_write_acp = Some("GLACIER".into())),
            with(|it| it.website_redirect_location = Some("GLACIER".into())),
            with(|it| {
                let until = std::time::SystemTime::UNIX_EPOCH;
                it.retention = Some(Retention { mode: "GOVERNANCE".into(), until });
            }),
            with(|it| it.legal_hold = Some(false)),
            with(|it| it.tags = vec![("a".into(), "b".into())]),
            with(|it| it.server_side = Some(ServerSide::S3)),
            with(|it| it.customer_key = Some(CustomerKey::new([1; 32]))),
            with(|it| it.customer_key = Some(CustomerKey::new([2; 32]))),
        ];
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[..at].contains(digest), "{at}");
        }
        assert_eq!(with(|it| it.access.requester_pays = true), digests[0], "who asks and pays");
    }
}
