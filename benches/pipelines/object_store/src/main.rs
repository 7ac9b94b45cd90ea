//! The pipelines of `object_store`: payloads are not signed, which plain HTTP would make it do by a
//! SHA-256 of every byte.

use std::ops::Range;
use std::process::ExitCode;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use pipelines_job::{Client, Failure, Job, Source};

struct Store(AmazonS3);

fn main() -> ExitCode {
    // Its HTTP client wants one, also where nothing is encrypted.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::FAILURE;
    }
    pipelines_job::main(|job| pipelines_job::run(job, async |job| Store::open(job)))
}

impl Store {
    fn open(job: &Job) -> Result<Store, Failure> {
        let builder = AmazonS3Builder::from_env()
            .with_endpoint(&job.endpoint)
            .with_bucket_name(&job.bucket)
            .with_allow_http(true)
            .with_unsigned_payload(true);
        Ok(Store(builder.build()?))
    }
}

impl Client for Store {
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Vec<Bytes>, Failure> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        let answer = self.0.get_opts(&Path::from(key), options).await?;
        Ok(answer.into_stream().try_collect().await?)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Failure> {
        self.0.put(&Path::from(key), bytes.into()).await?;
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<u64, Failure> {
        let listing = self.0.list(Some(&Path::from(prefix)));
        Ok(listing
            .try_fold(0, async |count, meta| Ok(count + u64::from(meta.e_tag.is_some())))
            .await?)
    }

    async fn put_parts(&self, job: &Job, source: &Source) -> Result<(), Failure> {
        let path = &Path::from(job.key.as_str());
        let id = &self.0.create_multipart(path).await?;
        let parts: Vec<_> = stream::iter(job.parts().enumerate())
            .map(async |(index, part)| {
                let bytes = source.part(part).await?;
                Ok::<_, Failure>(self.0.put_part(path, id, index, bytes.into()).await?)
            })
            .buffered(job.connections)
            .try_collect()
            .await?;
        self.0.complete_multipart(path, id, parts).await?;
        Ok(())
    }
}
