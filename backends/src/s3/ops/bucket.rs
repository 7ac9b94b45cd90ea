//! Buckets: which there are, making and deleting them, where they are, whether they keep versions.

use std::time::SystemTime;

use super::fields::{Access, told};
use super::parts::{InvalidRequest, RequestParts, Target};
use super::tagging::{TagSet, check_tags, write_tags};
use super::{DecodeError, Operation, Payload, read_document, read_document_as};
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::s3::encode::ByteSink;
use crate::s3::endpoint::REGION_DEFAULT;
use crate::s3::retry::Repeat;
use crate::s3::time::Timestamp;
use crate::s3::xml::{Owner, XmlLimits, some_text, write_element};

/// Lists the buckets of the account.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListBuckets {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Only buckets of this region.
    pub bucket_region: Option<String>,
    /// Where the page before ended.
    pub continuation_token: Option<String>,
    /// Entries of the page, 1 to 10,000.
    pub max_buckets: Option<u32>,
}

/// One page of [`ListBuckets`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListBucketsPage {
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// Whose they are.
    pub owner: Option<Owner>,
    /// What the next page is asked for with; `None` on the last page.
    pub continuation_token: Option<String>,
}

/// A bucket of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// Where it is.
    pub region: Option<String>,
}

impl Operation for ListBuckets {
    type Output = ListBucketsPage;
    const NAME: &'static str = "ListBuckets";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Service)?;
        request.query_opt("prefix", self.prefix.as_ref());
        request.query_opt("bucket-region", self.bucket_region.as_ref());
        request.query_opt("continuation-token", self.continuation_token.as_ref());
        request.query_opt("max-buckets", self.max_buckets);
        Ok(())
    }

    fn decode(
        &self,
        _: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<ListBucketsPage, DecodeError> {
        let (mut page, mut bucket) = (ListBucketsPage::default(), Bucket::default());
        let limits = XmlLimits::default();
        read_document(document, &limits, "ListAllMyBucketsResult", |leaf| {
            match leaf.path {
                "Buckets/Bucket/Name" => bucket.name = leaf.text.trim().to_owned(),
                "Buckets/Bucket/CreationDate" => {
                    let at = Timestamp::parse_iso8601(leaf.text).ok();
                    bucket.created = at.map(SystemTime::from);
                }
                "Buckets/Bucket/BucketRegion" => bucket.region = some_text(leaf.text),
                "Buckets/Bucket" => {
                    page.buckets.push(std::mem::take(&mut bucket));
                    limits.check_entries(page.buckets.len())?;
                }
                "Owner/ID" => {
                    page.owner.get_or_insert_default().id = leaf.text.trim().to_owned();
                }
                "Owner/DisplayName" => {
                    page.owner.get_or_insert_default().display_name = some_text(leaf.text);
                }
                "ContinuationToken" => page.continuation_token = some_text(leaf.text),
                _ => {}
            }
            Ok(())
        })?;
        if page.continuation_token.is_some() && page.continuation_token == self.continuation_token {
            let text = "the listing repeats its continuation token";
            return Err(DecodeError::Contradiction(text.to_owned()));
        }
        Ok(page)
    }
}

/// Makes the bucket of the client.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CreateBucket {
    /// The region to make it in; `None`, and `us-east-1`, is the endpoint's own.
    pub region: Option<String>,
    /// A canned ACL.
    pub acl: Option<String>,
    /// Whether objects in it can be locked.
    pub object_lock: bool,
    /// `BucketOwnerPreferred`, `ObjectWriter` or `BucketOwnerEnforced`.
    pub object_ownership: Option<String>,
    /// `x-amz-grant-full-control`
    pub grant_full_control: Option<String>,
    /// `x-amz-grant-read`
    pub grant_read: Option<String>,
    /// `x-amz-grant-read-acp`
    pub grant_read_acp: Option<String>,
    /// `x-amz-grant-write`
    pub grant_write: Option<String>,
    /// `x-amz-grant-write-acp`
    pub grant_write_acp: Option<String>,
    /// Tags of the bucket.
    pub tags: TagSet,
}

impl Operation for CreateBucket {
    /// Where it is: `Location`.
    type Output = Option<String>;
    const NAME: &'static str = "CreateBucket";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        check_tags(&self.tags)?;
        request.start(Method::Put, Target::Bucket)?;
        request.header_opt("x-amz-acl", self.acl.as_ref());
        request.header_opt("x-amz-grant-full-control", self.grant_full_control.as_ref());
        request.header_opt("x-amz-grant-read", self.grant_read.as_ref());
        request.header_opt("x-amz-grant-read-acp", self.grant_read_acp.as_ref());
        request.header_opt("x-amz-grant-write", self.grant_write.as_ref());
        request.header_opt("x-amz-grant-write-acp", self.grant_write_acp.as_ref());
        if self.object_lock {
            request.header("x-amz-bucket-object-lock-enabled", "true");
        }
        request.header_opt("x-amz-object-ownership", self.object_ownership.as_ref());
        Ok(())
    }

    fn payload(&self) -> Payload {
        // The region that is the default of all must not be named.
        let region = self.region.as_deref().filter(|region| *region != REGION_DEFAULT);
        if region.is_none() && self.tags.is_empty() {
            return Payload::None;
        }
        let mut xml = Vec::new();
        xml.put(b"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        region.iter().for_each(|region| write_element("LocationConstraint", region, &mut xml));
        if !self.tags.is_empty() {
            xml.put(b"<Tags>");
            write_tags(&self.tags, &mut xml);
            xml.put(b"</Tags>");
        }
        xml.put(b"</CreateBucketConfiguration>");
        Payload::Document { xml, md5: false }
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<Option<String>, DecodeError> {
        Ok(told(head, "location"))
    }

    fn repeat(&self) -> Repeat {
        Repeat::IfNotPerformed
    }
}

/// Deletes the bucket of the client, which must be empty.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeleteBucket {
    /// Who asks.
    pub access: Access,
}

impl Operation for DeleteBucket {
    type Output = ();
    const NAME: &'static str = "DeleteBucket";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Delete, Target::Bucket)?;
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, _: &ResponseHead<'_>, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }

    fn repeat(&self) -> Repeat {
        Repeat::IfNotPerformed
    }
}

/// Asks whether the bucket of the client is there and may be used.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HeadBucket {
    /// Who asks.
    pub access: Access,
}

/// What HeadBucket tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketInfo {
    /// Its region.
    pub region: Option<String>,
    /// Whether the name is an alias of an access point.
    pub access_point_alias: bool,
    /// Where it is, on S3 Express.
    pub location_name: Option<String>,
}

impl Operation for HeadBucket {
    type Output = BucketInfo;
    const NAME: &'static str = "HeadBucket";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Head, Target::Bucket)?;
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<BucketInfo, DecodeError> {
        let alias = told(head, "x-amz-access-point-alias");
        Ok(BucketInfo {
            region: told(head, "x-amz-bucket-region"),
            access_point_alias: alias.is_some_and(|text| text == "true"),
            location_name: told(head, "x-amz-bucket-location-name"),
        })
    }
}

/// Asks in which region the bucket of the client is.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetBucketLocation {
    /// Who asks.
    pub access: Access,
}

impl Operation for GetBucketLocation {
    /// The region. The oldest one is told as nothing, and `EU` stands for `eu-west-1`.
    type Output = String;
    const NAME: &'static str = "GetBucketLocation";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Bucket)?;
        request.query("location", "");
        self.access.encode(request);
        Ok(())
    }

    fn decode(&self, _: &ResponseHead<'_>, document: &[u8]) -> Result<String, DecodeError> {
        // The root is the answer itself; some servers put one more of the same name inside.
        let mut region = None;
        let limits = XmlLimits::default();
        let inside = read_document(document, &limits, "LocationConstraint", |leaf| {
            if matches!(leaf.path, "" | "LocationConstraint") {
                region = some_text(leaf.text).or(region.take());
            }
            Ok(())
        });
        inside?;
        Ok(match region.as_deref() {
            None => REGION_DEFAULT.to_owned(),
            Some("EU") => "eu-west-1".to_owned(),
            Some(region) => region.to_owned(),
        })
    }
}

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It does.
    Enabled,
    /// It did, and keeps those that it has.
    Suspended,
}

/// What is said of the versions of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketVersioning {
    /// Whether it keeps versions; `None` where it never did.
    pub status: Option<Versioning>,
    /// Whether a version is deleted only with the code of a device; `None` where that was never said.
    pub mfa_delete: Option<bool>,
}

impl Versioning {
    fn name(self) -> &'static str {
        match self {
            Versioning::Enabled => "Enabled",
            Versioning::Suspended => "Suspended",
        }
    }
}

fn mfa_delete(on: bool) -> &'static str {
    if on { "Enabled" } else { "Disabled" }
}

/// Asks whether the bucket of the client keeps versions.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetBucketVersioning {
    /// Who asks.
    pub access: Access,
}

impl Operation for GetBucketVersioning {
    type Output = BucketVersioning;
    const NAME: &'static str = "GetBucketVersioning";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Get, Target::Bucket)?;
        request.query("versioning", "");
        self.access.encode(request);
        Ok(())
    }

    fn decode(
        &self,
        _: &ResponseHead<'_>,
        document: &[u8],
    ) -> Result<BucketVersioning, DecodeError> {
        let mut told = BucketVersioning::default();
        // The second is what moto makes of it.
        let roots = ["VersioningConfiguration", "GetBucketVersioningResponse"];
        read_document_as(document, &XmlLimits::default(), roots, |leaf| {
            let text = leaf.text.trim();
            match leaf.path {
                "Status" => {
                    let known = [Versioning::Enabled, Versioning::Suspended];
                    told.status = known.into_iter().find(|it| it.name() == text);
                }
                "MfaDelete" => {
                    told.mfa_delete = [true, false].into_iter().find(|on| mfa_delete(*on) == text);
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(told)
    }
}

/// Says whether the bucket of the client keeps versions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutBucketVersioning {
    /// Whether it does.
    pub versioning: Versioning,
    /// Whether a version is deleted only with the code of a device; `None` leaves that as it is. Saying it
    /// takes a code in `mfa`, and the keys of the account itself.
    pub mfa_delete: Option<bool>,
    /// `x-amz-mfa`: serial number and code, where the bucket demands them.
    pub mfa: Option<String>,
    /// Who asks.
    pub access: Access,
}

impl PutBucketVersioning {
    /// Says so.
    pub fn new(versioning: Versioning) -> PutBucketVersioning {
        PutBucketVersioning { versioning, mfa_delete: None, mfa: None, access: Access::default() }
    }
}

impl Operation for PutBucketVersioning {
    type Output = ();
    const NAME: &'static str = "PutBucketVersioning";

    fn encode(&self, request: &mut RequestParts) -> Result<(), InvalidRequest> {
        request.start(Method::Put, Target::Bucket)?;
        request.query("versioning", "");
        request.header_opt("x-amz-mfa", self.mfa.as_ref());
        self.access.encode(request);
        Ok(())
    }

    fn payload(&self) -> Payload {
        let mut xml = Vec::new();
        xml.put(b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        if let Some(on) = self.mfa_delete {
            write_element("MfaDelete", mfa_delete(on), &mut xml);
        }
        write_element("Status", self.versioning.name(), &mut xml);
        xml.put(b"</VersioningConfiguration>");
        Payload::Document { xml, md5: true }
    }

    fn decode(&self, _: &ResponseHead<'_>, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}
