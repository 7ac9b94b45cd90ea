//! The pipelines of `opendal`: a request for each part, and its own writer for uploads in parts.

use std::env;
use std::ops::Range;
use std::process::ExitCode;

use bytes::Bytes;
use futures::TryStreamExt;
use opendal::Operator;
use opendal::services::S3;
use pipelines_job::{Client, Failure, Job, Source};

struct Store(Operator);

fn main() -> ExitCode {
    opendal::install_default();
    pipelines_job::main(|job| pipelines_job::run(job, async |job| Store::open(job)))
}

impl Store {
    fn open(job: &Job) -> Result<Store, Failure> {
        let builder = S3::default()
            .endpoint(&job.endpoint)
            .bucket(&job.bucket)
            .region(&env::var("AWS_REGION")?)
            .access_key_id(&env::var("AWS_ACCESS_KEY_ID")?)
            .secret_access_key(&env::var("AWS_SECRET_ACCESS_KEY")?)
            .disable_config_load()
            .disable_ec2_metadata();
        Ok(Store(Operator::new(builder)?))
    }
}

impl Client for Store {
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Vec<Bytes>, Failure> {
        let buffer = match range {
            Some(range) => self.0.read_with(key).range(range).await?,
            None => self.0.read(key).await?,
        };
        Ok(buffer.collect())
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Failure> {
        self.0.write(key, bytes).await?;
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<u64, Failure> {
        let listing = self.0.lister_with(prefix).recursive(true).await?;
        Ok(listing
            .try_fold(0, async |count, entry| {
                Ok(count + u64::from(entry.metadata().etag().is_some()))
            })
            .await?)
    }

    async fn put_parts(&self, job: &Job, source: &Source) -> Result<(), Failure> {
        let writer = self.0.writer_with(&job.key).concurrent(job.connections);
        let mut writer = writer.chunk(job.part_bytes as usize).await?;
        for part in job.parts() {
            writer.write(source.part(part).await?).await?;
        }
        writer.close().await?;
        Ok(())
    }
}
