//! Bodies that become objects and parts.

use hyper::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use super::body::receive;
use super::conditions::write_condition;
use super::headers::{attributes, checksum_to_keep};
use super::{Answer, Api};
use crate::store::{Digests, Sink, StoreError, Stored, hex};

const PAYLOAD_SHA256: &str = "x-amz-content-sha256";
const TRAILER: &str = "x-amz-trailer";

/// What the names of checksums begin with.
const CHECKSUM: &str = "x-amz-checksum-";

/// The checksums that a request expects.
macro_rules! checksums {
    ($input:expr) => {
        Checksum {
            checksum_crc32: $input.checksum_crc32.take(),
            checksum_crc32c: $input.checksum_crc32c.take(),
            checksum_crc64nvme: $input.checksum_crc64nvme.take(),
            checksum_sha1: $input.checksum_sha1.take(),
            checksum_sha256: $input.checksum_sha256.take(),
            ..Checksum::default()
        }
    };
}
impl Api {
    pub(super) async fn put(&self, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let mut input = req.input;
        let mut attributes = attributes!(input, self.limits)?;
        let condition = write_condition(input.if_match.take(), input.if_none_match.take())?;
        let incoming = Incoming {
            length: input.content_length,
            body: input.body.take(),
            content_md5: input.content_md5.take(),
            checksums: checksums!(input),
            headers: req.headers,
            verified: req.credentials.is_some(),
            trailers: req.trailing_headers,
        };
        let (bucket, key) = (input.bucket, input.key);
        let (to, name) = (bucket.clone(), key.clone());
        // The bucket is asked for first: a body for nowhere is not received.
        let check = move |store: &crate::store::Store| store.check_target(&to, &name);
        let (stored, checksums) = self.receive(incoming, check).await?;
        let etag = hex(&stored.md5());
        attributes.checksum = checksum_to_keep(&checksums);
        let record = self
            .blocking(move |store| {
                store.commit(&bucket, &key, stored, etag, attributes, condition.as_ref())
            })
            .await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(record.etag)),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            ..PutObjectOutput::default()
        }))
    }

    pub(super) async fn put_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> Answer<UploadPartOutput> {
        let mut input = req.input;
        let number = self.part_number(input.part_number)?;
        let incoming = Incoming {
            length: input.content_length,
            body: input.body.take(),
            content_md5: input.content_md5.take(),
            checksums: checksums!(input),
            headers: req.headers,
            verified: req.credentials.is_some(),
            trailers: req.trailing_headers,
        };
        let (bucket, key, id) = (input.bucket, input.key, input.upload_id.clone());
        let check =
            move |store: &crate::store::Store| store.find_upload(&id, &bucket, &key).map(drop);
        let (stored, checksums) = self.receive(incoming, check).await?;
        let id = input.upload_id;
        let part = self.blocking(move |store| store.put_part(&id, number, stored)).await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(hex(&part.md5))),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            ..UploadPartOutput::default()
        }))
    }

    pub(super) fn part_number(&self, number: i32) -> S3Result<u32> {
        let most = self.limits.parts_max;
        match u32::try_from(number) {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => {
                Err(s3_error!(InvalidArgument, "part number {number} is not between 1 and {most}"))
            }
        }
    }

    /// Receives a body into a temporary file and checks its length and every digest that came with it.
    async fn receive(
        &self,
        incoming: Incoming,
        check: impl FnOnce(&crate::store::Store) -> Result<(), StoreError> + Send + 'static,
    ) -> S3Result<(Stored, Checksum)> {
        let length = self.check_length(incoming.length)?;
        let digests = incoming.digests()?;
        let announced = incoming.announced();
        let sink =
            self.blocking(move |store| check(store).and_then(|()| store.sink(digests))).await?;
        let sink = match incoming.body {
            Some(body) => receive(sink, body, self.limits.body_chunk_bytes).await?,
            None => sink,
        };
        let received = sink.size();
        if received != length {
            return Err(s3_error!(IncompleteBody, "the body has {received} bytes of {length}"));
        }
        let (stored, computed) = self.blocking(move |_| Sink::finish(sink)).await?;
        let stored = stored.with_crc64nvme(computed.checksum_crc64nvme.as_deref());
        compare(&incoming.checksums, &computed)?;
        let trailers = incoming.trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
        let came = |name: &str| trailers.get(name).is_some_and(|value| value.to_str().is_ok());
        let is_missing = |name: &&str| name.starts_with(CHECKSUM) && !came(name);
        if let Some(name) = announced.split(',').map(str::trim).find(is_missing) {
            return Err(s3_error!(InvalidRequest, "{name} was announced and did not come as text"));
        }
        compare(&trailing_checksums(&trailers), &computed)?;
        Ok((stored, computed))
    }

    fn check_length(&self, length: Option<i64>) -> S3Result<u64> {
        let length =
            length.ok_or_else(|| s3_error!(MissingContentLength, "Content-Length is needed"))?;
        let length = u64::try_from(length).map_err(|error| s3_error!(error, InvalidArgument))?;
        let most = self.limits.put_bytes_max;
        match length > most {
            true => Err(s3_error!(
                EntityTooLarge,
                "{length} bytes in one body, at most {most}; use a multipart upload"
            )),
            false => Ok(length),
        }
    }
}

/// A body and what was said of it.
struct Incoming {
    length: Option<i64>,
    body: Option<StreamingBlob>,
    content_md5: Option<String>,
    checksums: Checksum,
    headers: HeaderMap,
    /// Whether the protocol layer checks the payload against the signature.
    verified: bool,
    trailers: Option<TrailingHeaders>,
}

impl Incoming {
    /// The names of the trailers that are to come.
    fn announced(&self) -> String {
        self.header(TRAILER).unwrap_or_default().to_ascii_lowercase()
    }

    fn digests(&self) -> S3Result<Digests> {
        let given = &self.checksums;
        let announced = self.announced();
        let wanted = |given: &Option<String>, name: &str| {
            given.is_some() || announced.split(',').any(|t| t.trim() == name)
        };
        let checksums = ChecksumHasher {
            crc32: wanted(&given.checksum_crc32, "x-amz-checksum-crc32").then(Crc32::new),
            crc32c: wanted(&given.checksum_crc32c, "x-amz-checksum-crc32c").then(Crc32c::new),
            crc64nvme: wanted(&given.checksum_crc64nvme, "x-amz-checksum-crc64nvme")
                .then(Crc64Nvme::new),
            sha1: wanted(&given.checksum_sha1, "x-amz-checksum-sha1").then(Sha1::new),
            sha256: wanted(&given.checksum_sha256, "x-amz-checksum-sha256").then(Sha256::new),
        };
        let payload_sha256 = if self.verified { None } else { self.unverified_payload()? };
        Ok(Digests { content_md5: self.content_md5.clone(), payload_sha256, checksums })
    }

    /// Without credentials nobody has looked at `x-amz-content-sha256`. A digest is checked here; chunk framing
    /// would need the signing key, and must not end up in the object.
    fn unverified_payload(&self) -> S3Result<Option<(String, Sha256)>> {
        match self.header(PAYLOAD_SHA256) {
            Some(value) if value.starts_with("STREAMING-") => {
                Err(s3_error!(NotImplemented, "aws-chunked bodies need a server with credentials"))
            }
            Some(value) if value.len() == 64 => Ok(Some((value.to_owned(), Sha256::new()))),
            _ => Ok(None),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn trailing_checksums(trailers: &HeaderMap) -> Checksum {
    let value = |name: &str| Some(trailers.get(name)?.to_str().ok()?.trim().to_owned());
    Checksum {
        checksum_crc32: value("x-amz-checksum-crc32"),
        checksum_crc32c: value("x-amz-checksum-crc32c"),
        checksum_crc64nvme: value("x-amz-checksum-crc64nvme"),
        checksum_sha1: value("x-amz-checksum-sha1"),
        checksum_sha256: value("x-amz-checksum-sha256"),
        ..Checksum::default()
    }
}

fn compare(expected: &Checksum, computed: &Checksum) -> S3Result<()> {
    let pairs = [
        ("x-amz-checksum-crc32", &expected.checksum_crc32, &computed.checksum_crc32),
        ("x-amz-checksum-crc32c", &expected.checksum_crc32c, &computed.checksum_crc32c),
        ("x-amz-checksum-crc64nvme", &expected.checksum_crc64nvme, &computed.checksum_crc64nvme),
        ("x-amz-checksum-sha1", &expected.checksum_sha1, &computed.checksum_sha1),
        ("x-amz-checksum-sha256", &expected.checksum_sha256, &computed.checksum_sha256),
    ];
    match pairs
        .into_iter()
        .find(|(_, expected, computed)| expected.is_some() && expected != computed)
    {
        Some((digest, ..)) => Err(S3Error::from(StoreError::DigestMismatch { digest })),
        None => Ok(()),
    }
}
