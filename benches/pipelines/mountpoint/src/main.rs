//! The pipelines of `mountpoint-s3-client`, the client of Mountpoint for Amazon S3 on the Common Runtime
//! in C, which cuts uploads into parts by itself and runs threads of its own: one for its events.

use std::env;
use std::ops::Range;
use std::process::ExitCode;

use bytes::Bytes;
use futures::TryStreamExt;
use mountpoint_s3_client::config::{
    AddressingStyle, Allocator, EndpointConfig, S3ClientConfig, TlsConfig, Uri,
};
use mountpoint_s3_client::types::{
    GetObjectParams, PutObjectParams, PutObjectSingleParams, PutObjectTrailingChecksums,
};
use mountpoint_s3_client::{ObjectClient, PutObjectRequest, S3CrtClient};
use pipelines_job::{Client, Failure, Job, Source};

struct Store {
    client: S3CrtClient,
    bucket: String,
}

fn main() -> ExitCode {
    pipelines_job::main(|job| pipelines_job::run(job, async |job| Store::open(job)))
}

impl Store {
    fn open(job: &Job) -> Result<Store, Failure> {
        let endpoint = EndpointConfig::new(&env::var("AWS_REGION")?)
            .addressing_style(AddressingStyle::Path)
            .endpoint(Uri::new_from_str(&Allocator::default(), &job.endpoint)?);
        let mut config = S3ClientConfig::new()
            .endpoint_config(endpoint)
            .part_size(job.part_bytes as usize)
            .event_loop_threads(1);
        if let Some(authority) = env::var_os("SSL_CERT_FILE") {
            config = config.tls_config(TlsConfig::new().with_trust_store_path(authority));
        }
        Ok(Store { client: S3CrtClient::new(config)?, bucket: job.bucket.clone() })
    }
}

impl Client for Store {
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Vec<Bytes>, Failure> {
        let params = GetObjectParams::new().range(range);
        let answer = self.client.get_object(&self.bucket, key, &params).await?;
        Ok(answer.map_ok(|part| part.data).try_collect().await?)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Failure> {
        let params = PutObjectSingleParams::new();
        self.client.put_object_single(&self.bucket, key, &params, bytes).await?;
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<u64, Failure> {
        let (mut count, mut token) = (0, None);
        loop {
            let from = token.as_deref();
            let page = self.client.list_objects(&self.bucket, from, "", 1_000, prefix).await?;
            count += page.objects.iter().filter(|it| !it.etag.is_empty()).count() as u64;
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(count);
            }
        }
    }

    async fn put_parts(&self, job: &Job, source: &Source) -> Result<(), Failure> {
        let params =
            PutObjectParams::new().trailing_checksums(PutObjectTrailingChecksums::Disabled);
        let mut upload = self.client.put_object(&self.bucket, &job.key, &params).await?;
        for part in job.parts() {
            upload.write(&source.part(part).await?).await?;
        }
        upload.complete().await?;
        Ok(())
    }
}
