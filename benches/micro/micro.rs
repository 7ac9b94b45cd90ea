//! The small pieces that every request passes: a head out, a signature, a head in, a lease, a
//! message to a core and back.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hydrant::http1::request::{Method, RequestWriter};
use hydrant::http1::response::{HeadLimits, parse_head};
use hydrant::s3::credentials::Credentials;
use hydrant::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use hydrant::s3::time::{SigningTime, Timestamp};
use hydrant_engine::{Engine, Pool, PoolConfig, Service};

const ANSWER: &[u8] = b"HTTP/1.1 206 Partial Content\r\n\
    x-amz-id-2: Qk9rVhZ0oPO1mXq1r1bS2d8k5bmyXl0qk1C6u4bXq7GxX3b0iG8m2Z1\r\n\
    x-amz-request-id: 8S4QW2Z4M8P3N6R1\r\n\
    Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n\
    Last-Modified: Sun, 31 Dec 2023 23:59:59 GMT\r\n\
    ETag: \"9b2cf535f27731c974343645a3985328-128\"\r\n\
    Accept-Ranges: bytes\r\n\
    Content-Range: bytes 8388608-16777215/1073741824\r\n\
    Content-Type: application/octet-stream\r\n\
    Server: AmazonS3\r\n\
    Content-Length: 8388608\r\n\r\n";

fn heads(c: &mut Criterion) {
    let limits = HeadLimits::default();
    c.bench_function("answer head, parsed", |b| {
        b.iter(|| parse_head(black_box(ANSWER), &limits).expect("a good head"));
    });
    let mut out = [0u8; 2048];
    c.bench_function("request head, written", |b| {
        b.iter(|| {
            RequestWriter::start(&mut out, Method::Get, "/bucket/key", "127.0.0.1:9000")
                .and_then(|head| head.header("range", "bytes=8388608-16777215"))
                .and_then(|head| head.header("if-match", "\"9b2cf535f27731c974343645a3985328\""))
                .and_then(RequestWriter::finish)
                .expect("the head fits")
        });
    });
}

fn signature(c: &mut Criterion) {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let credentials =
        Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).expect("good keys");
    let time = SigningTime::new(Timestamp::from_unix_seconds(1_704_067_200));
    let headers: [(&str, &[u8]); 4] = [
        ("host", b"127.0.0.1:9000"),
        ("x-amz-content-sha256", PayloadHash::Empty.as_bytes()),
        ("x-amz-date", time.date_time()),
        ("range", b"bytes=8388608-16777215"),
    ];
    let request = SigningRequest {
        method: "GET",
        path: b"/bucket/key",
        query: &[],
        headers: &headers,
        payload: PayloadHash::Empty,
    };
    let mut keys = SigningKeyCache::new();
    let mut authorization = Vec::with_capacity(512);
    c.bench_function("SigV4 signature, key cached", |b| {
        b.iter(|| {
            let scope = Scope { time, region: "us-east-1", service: "s3" };
            authorization.clear();
            sign(black_box(&request), scope, &credentials, &mut keys)
                .expect("all headers are there")
                .write_authorization(&mut authorization);
            authorization.len()
        });
    });
}

fn lease(c: &mut Criterion) {
    let config = PoolConfig { pool_bytes: 64 << 20, ..PoolConfig::default() };
    let pool = Pool::new(config).expect("64 MiB are there");
    for (name, bytes) in [("lease of 8 MiB and back", 8 << 20), ("lease of 4 KiB and back", 4096)] {
        let once = || drop(pool.try_lease(black_box(bytes), "bench").expect("there is enough"));
        c.bench_function(name, |b| b.iter(once));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    once();
                }
            });
            let name = format!("{name}, while another thread does the same");
            c.bench_function(&name, |b| b.iter(once));
            over.store(true, Relaxed);
        });
    }
}

fn message(c: &mut Criterion) {
    let engine =
        Engine::builder().cores(1).pool_bytes(8 << 20).start().expect("io_uring is granted");
    c.bench_function("message to a core and back", |b| {
        b.iter(|| {
            let task = engine.on_core(0, |core| async move { core.index() });
            task.expect("the inbox has room").wait().expect("the core runs")
        });
    });
    let service = Service::start(&engine, 0, 1, |core, ()| async move { core.index() });
    let service = service.expect("started");
    c.bench_function("question to a service and back", |b| {
        b.iter(|| service.ask(()).expect("vacant").wait().expect("the core runs"));
    });
}

criterion_group! {
    name = small;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = heads, signature, lease, message
}
criterion_main!(small);
