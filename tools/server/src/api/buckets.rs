//! Buckets.

use s3s::S3Response;
use s3s::dto::*;

use super::{Answer, Api};

/// S3's name for the place that needs no name; clients take any.
const REGION: &str = "us-east-1";

/// Whom everything belongs to, for clients that insist on an owner.
pub(crate) fn owner() -> Owner {
    Owner { display_name: Some("hydrant".to_owned()), id: Some("hydrant".to_owned()) }
}

impl Api {
    pub(super) async fn buckets(&self) -> Answer<ListBucketsOutput> {
        let buckets = self.blocking(|store| store.list_buckets()).await?;
        let line = |bucket: crate::store::Bucket| Bucket {
            name: Some(bucket.name),
            creation_date: Some(bucket.created.into()),
            ..Bucket::default()
        };
        let buckets = Some(buckets.into_iter().map(line).collect());
        Ok(S3Response::new(ListBucketsOutput {
            buckets,
            owner: Some(owner()),
            ..ListBucketsOutput::default()
        }))
    }

    pub(super) async fn make_bucket(&self, input: CreateBucketInput) -> Answer<CreateBucketOutput> {
        let location = format!("/{}", input.bucket);
        self.blocking(move |store| store.create_bucket(&input.bucket)).await?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
    }

    pub(super) async fn look_at_bucket(&self, input: HeadBucketInput) -> Answer<HeadBucketOutput> {
        self.blocking(move |store| store.open_bucket(&input.bucket)).await?;
        let bucket_region = Some(REGION.to_owned());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() }))
    }

    pub(super) async fn locate_bucket(
        &self,
        input: GetBucketLocationInput,
    ) -> Answer<GetBucketLocationOutput> {
        self.blocking(move |store| store.open_bucket(&input.bucket)).await?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    pub(super) async fn remove_bucket(
        &self,
        input: DeleteBucketInput,
    ) -> Answer<DeleteBucketOutput> {
        self.blocking(move |store| store.delete_bucket(&input.bucket)).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }
}
