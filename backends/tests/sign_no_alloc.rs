//! Signing a request allocates nothing, once the day's key is there.

#[path = "../../engine/tests/counting/mod.rs"]
mod counting;

use counting::allocations;
use hydrant::s3::credentials::Credentials;
use hydrant::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use hydrant::s3::time::{SigningTime, Timestamp};

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = allocations();
    work();
    allocations() - before
}

#[test]
fn a_signature_allocates_nothing() {
    let credentials = Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        Some("token".to_owned()),
        None,
    )
    .unwrap();
    let mut keys = SigningKeyCache::new();
    let mut authorization: Vec<u8> = Vec::with_capacity(512);
    let mut sign_at = |unix_seconds| {
        authorization.clear();
        let time = SigningTime::new(Timestamp::from_unix_seconds(unix_seconds));
        let headers: [(&str, &[u8]); 6] = [
            ("x-amz-date", time.date_time()),
            ("host", b"bucket.s3.eu-central-1.amazonaws.com"),
            ("x-amz-content-sha256", PayloadHash::Unsigned.as_bytes()),
            ("x-amz-meta-note", b"  two   words "),
            ("x-amz-security-token", b"token"),
            ("range", b"bytes=0-8388607"),
        ];
        let request = SigningRequest {
            method: "GET",
            path: b"/a%20key/with/parts",
            query: &[("uploadId", "a/b"), ("partNumber", "7"), ("x-id", "GetObject")],
            headers: &headers,
            payload: PayloadHash::Unsigned,
        };
        let scope = Scope { time, region: "eu-central-1", service: "s3" };
        sign(&request, scope, &credentials, &mut keys)
            .unwrap()
            .write_authorization(&mut authorization);
    };

    // The first signature of a day derives the key, which shows that the counter counts.
    assert!(allocations_of(|| sign_at(1_440_938_160)) > 0);
    assert_eq!(allocations_of(|| (0..1000).for_each(|second| sign_at(1_440_938_160 + second))), 0);
}
