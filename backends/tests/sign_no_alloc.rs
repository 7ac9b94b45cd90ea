//! Signing a request allocates nothing, once the day's key is there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use hydrant::s3::credentials::Credentials;
use hydrant::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use hydrant::s3::time::{SigningTime, Timestamp};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system allocator unchanged; counting touches a thread-local cell
// without a destructor, which neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` or `realloc` above, which hand out the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as for `dealloc`; the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
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
