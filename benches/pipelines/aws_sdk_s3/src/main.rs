//! The pipelines of `aws-sdk-s3`: payloads are not signed and checksums only where they have to be;
//! its TLS is `rustls` with `ring`, as that of the others.

use std::env;
use std::ops::Range;
use std::process::ExitCode;

use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use pipelines_job::{Client, Failure, Job, Source};

struct Store {
    client: aws_sdk_s3::Client,
    bucket: String,
}

fn main() -> ExitCode {
    pipelines_job::main(|job| pipelines_job::run(job, async |job| Store::open(job)))
}

impl Store {
    fn open(job: &Job) -> Result<Store, Failure> {
        let (id, secret) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(env::var("AWS_REGION")?))
            .credentials_provider(Credentials::new(id, secret, None, None, "environment"))
            .endpoint_url(&job.endpoint)
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .http_client(http)
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        Ok(Store { client, bucket: job.bucket.clone() })
    }

    async fn put_part(
        &self,
        (key, upload): (&str, &str),
        number: i32,
        bytes: Bytes,
    ) -> Result<CompletedPart, Failure> {
        let request = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload);
        let request = request.part_number(number).body(ByteStream::from(bytes));
        let answer = request.customize().disable_payload_signing().send().await?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag);
        Ok(part.build())
    }
}

impl Client for Store {
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Vec<Bytes>, Failure> {
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let request = self.client.get_object().bucket(&self.bucket).key(key).set_range(range);
        let mut body = request.send().await?.body;
        let mut chunks = Vec::new();
        while let Some(chunk) = body.try_next().await? {
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Failure> {
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let request = request.body(ByteStream::from(bytes));
        request.customize().disable_payload_signing().send().await?;
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<u64, Failure> {
        let listing = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = listing.into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.try_next().await? {
            count += page.contents().iter().filter(|it| it.e_tag().is_some()).count() as u64;
        }
        Ok(count)
    }

    async fn put_parts(&self, job: &Job, source: &Source) -> Result<(), Failure> {
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(&job.key);
        let answer = request.send().await?;
        let upload = (job.key.as_str(), answer.upload_id().unwrap_or_default());
        let parts: Vec<_> = stream::iter((1..).zip(job.parts()))
            .map(async |(number, part)| {
                self.put_part(upload, number, source.part(part).await?).await
            })
            .buffered(job.connections)
            .try_collect()
            .await?;
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(upload.0);
        request.upload_id(upload.1).multipart_upload(whole).send().await?;
        Ok(())
    }
}
