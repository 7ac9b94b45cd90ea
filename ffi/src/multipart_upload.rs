//! What a multipart handle holds, and what is asked of the server for it.

use std::ffi::CString;
use std::sync::Arc;

use bytes::Bytes;
use hydrant::s3::{
    AbortMultipartUpload, Checksum, ChecksumKind, CompleteMultipartUpload, Completed,
    CompletedPart, CopySource, ListParts, ReadRange, S3Client, Stored, UploadPart, UploadPartCopy,
};
use hydrant::{ChecksumAlgorithm, PutOptions, Sum};

use crate::engine::Engine;
use crate::error::Failure;
use crate::guard::Entry;
use crate::handle::{self, kind};
use crate::multipart::hyd_multipart;
use crate::multipart_complete::Wanted;
use crate::uploaded_part::{hyd_uploaded_part, uploaded};

/// What a multipart handle holds; none of it changes.
pub struct Multipart {
    pub engine: Arc<Engine>,
    pub client: S3Client,
    pub key: String,
    pub id: CString,
    pub algorithm: Option<ChecksumAlgorithm>,
    /// What that covers, where it was said.
    pub kind: Option<ChecksumKind>,
    /// It was begun elsewhere, and no checksum was named here: none may go with its parts.
    pub unsummed: bool,
    pub put: PutOptions,
}

kind!(Multipart, hyd_multipart, 17, "upload in parts");

impl Multipart {
    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// What asks for the parts that the server has.
    pub fn list_parts(&self) -> ListParts {
        let mut ask = ListParts::new(&self.key, self.id());
        let s3 = self.put.s3.as_deref().cloned().unwrap_or_default();
        (ask.customer_key, ask.access) = (s3.customer_key, s3.access);
        ask
    }

    /// Sends a part, with its checksum where the upload has one.
    pub fn put(&self, number: u32, bytes: Bytes) -> Result<hyd_uploaded_part, Failure> {
        let size_bytes = bytes.len() as u64;
        let sum = self.algorithm.map(|algorithm| Sum::of(algorithm, &bytes));
        let checksum = sum.as_ref().map(Checksum::from);
        let mut put = UploadPart::new(&self.key, self.id(), number, bytes);
        let s3 = self.put.s3.as_deref().cloned().unwrap_or_default();
        (put.customer_key, put.access) = (s3.customer_key, s3.access);
        put.checksum.clone_from(&checksum);
        put.unsummed = self.unsummed;
        let Stored { etag, .. } = self.client.send(put).wait()?;
        Ok(uploaded(number, size_bytes, etag.as_ref(), checksum.as_ref()))
    }

    /// Has the server copy a part; `pays`: who asks agrees to, also where the upload does not say so.
    pub fn copy(
        &self,
        number: u32,
        source: CopySource,
        range: Option<ReadRange>,
        pays: bool,
    ) -> Result<hyd_uploaded_part, Failure> {
        let mut copy = UploadPartCopy::new(&self.key, self.id(), number, source);
        let s3 = self.put.s3.as_deref().cloned().unwrap_or_default();
        (copy.customer_key, copy.access) = (s3.customer_key, s3.access);
        copy.access.requester_pays |= pays;
        copy.range = range;
        let copied = self.client.send(copy).wait()?;
        let size_bytes = match range {
            Some(ReadRange::Inclusive { first, last }) => last - first + 1,
            _ => 0,
        };
        let checksum = copied.checksums.values.first();
        Ok(uploaded(number, size_bytes, copied.etag.as_ref(), checksum))
    }

    /// Throws all parts away.
    pub fn abort(&self) -> Result<(), Failure> {
        let mut abort = AbortMultipartUpload::new(&self.key, self.id());
        abort.access = self.put.s3.as_ref().map(|s3| s3.access.clone()).unwrap_or_default();
        Ok(self.client.send(abort).wait()?)
    }

    /// Makes the object of the parts, if it is the one that is wanted.
    pub fn complete(
        &self,
        parts: Vec<CompletedPart>,
        wanted: Wanted,
    ) -> Result<Completed, Failure> {
        let mut complete = CompleteMultipartUpload::new(&self.key, self.id(), parts);
        let s3 = self.put.s3.as_deref().cloned().unwrap_or_default();
        (complete.customer_key, complete.access) = (s3.customer_key, s3.access);
        complete.conditions = self.put.write_if.into();
        complete.checksum_kind = wanted.kind.or(self.kind);
        (complete.checksum, complete.object_bytes) = (wanted.checksum, wanted.object_bytes);
        Ok(self.client.send(complete).wait()?)
    }
}

/// The upload of a handle, in an engine that a panic of this entry poisons.
pub fn use_multipart(
    entry: &mut Entry,
    handle: *const hyd_multipart,
) -> Result<Arc<Multipart>, Failure> {
    let multipart = handle::get::<Multipart>(handle)?;
    entry.uses(&multipart.engine.poison)?;
    Ok(multipart)
}
