//! What S3 tells a C program besides, and is told by it: of a peer that remembers what it was asked.

use crate::common::{self, Bucket, Folder, Library, Linking, run};
use crate::service::Peer;

/// Of requests that the peer is to see, how each begins and what it says.
const ASKED: [(&str, &[&str]); 6] = [
    (
        "PUT /bucket/copied ",
        &[
            "x-amz-copy-source: /bucket/a%20source?versionId=v1\r",
            "x-amz-copy-source-if-match: \"e\"\r",
            "x-amz-copy-source-if-unmodified-since: Fri, 02 Jan 2026 03:04:05 GMT\r",
            "x-amz-copy-source-server-side-encryption-customer-key: ",
            "x-amz-source-expected-bucket-owner: 111122223333\r",
            "x-amz-metadata-directive: REPLACE\r",
            "x-amz-tagging-directive: REPLACE\r",
            "x-amz-tagging: team=a\r",
            "x-amz-storage-class: GLACIER_IR\r",
            "x-amz-acl: private\r",
            "x-amz-server-side-encryption: aws:kms\r",
            "-aws-kms-key-id: a-key\r",
            "x-amz-checksum-algorithm: SHA256\r",
            "x-amz-request-payer: requester\r",
            "content-type: text/copied\r",
            "if-none-match: *\r",
        ],
    ),
    // Who asks pays, as is said of the source alone.
    ("PUT /bucket/copied/paid ", &["x-amz-request-payer: requester\r"]),
    (
        "POST /bucket/covered?uploads= ",
        &["x-amz-checksum-algorithm: CRC32C\r", "x-amz-checksum-type: COMPOSITE\r"],
    ),
    ("HEAD /bucket/dated ", &["if-modified-since: Fri, 02 Jan 2026 03:04:05 GMT\r"]),
    (
        "PUT /bucket ",
        &[
            "x-amz-grant-full-control: id=\"a\"\r",
            "x-amz-grant-read: id=\"b\"\r",
            "x-amz-grant-read-acp: id=\"c\"\r",
            "x-amz-grant-write: id=\"d\"\r",
            "x-amz-grant-write-acp: id=\"e\"\r",
            "<Key>team</Key><Value>a</Value>",
        ],
    ),
    ("PUT /bucket?versioning= ", &["x-amz-mfa: 1 2\r", "<MfaDelete>Enabled</MfaDelete>"]),
];

#[test]
fn what_s3_tells_besides_comes_through() {
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    let program = library.link(&folder, &common::crate_path("tests/c/told.c"), Linking::Static);
    let output = run(library.command(&program, &bucket).arg(&peer.uri));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all of it is told\n");

    let seen = peer.seen.lock().expect("whole");
    for (begins, says) in ASKED {
        let request = seen.iter().find(|it| it.starts_with(begins));
        let request = request.unwrap_or_else(|| panic!("{begins}: {seen:#?}"));
        for words in says {
            assert!(request.contains(words), "{words}: {request}");
        }
    }
    // The second copy says nothing of all that.
    let plain = seen.iter().rfind(|it| it.starts_with(ASKED[0].0)).expect("two of them");
    assert!(!plain.contains("directive") && !plain.contains("x-amz-acl"), "{plain}");
}
