//! Uploads and deletes by hand of a C program: of our server, and of a peer that remembers what it was asked.

use crate::common::{self, Bucket, Folder, Library, Linking, run};
use crate::service::Peer;

/// For each request that the peer is to see, how it begins and what it says.
const ASKED: [(&str, &[&str]); 12] = [
    (
        "POST /bucket/wanted?uploadId=u ",
        &["x-amz-checksum-crc32c: NhCmhg==-2\r", "x-amz-checksum-type: COMPOSITE\r"],
    ),
    ("POST /bucket/wanted?uploadId=u ", &[]),
    ("POST /bucket/wanted?uploadId=u ", &["x-amz-checksum-crc32c: AAAAAA==-2\r"]),
    (
        "PUT /bucket/parted?partNumber=7&uploadId=a%2Fb ",
        &[
            "x-amz-copy-source: /bucket/a%20source?versionId=v1\r",
            "x-amz-copy-source-range: bytes=3-6\r",
            "x-amz-copy-source-if-match: \"e\"\r",
            "x-amz-source-expected-bucket-owner: 111122223333\r",
            "x-amz-copy-source-server-side-encryption-customer-key: BwcH",
            "x-amz-request-payer: requester\r",
        ],
    ),
    (
        "POST /bucket?delete= ",
        &[
            "<Object><Key>versioned</Key><VersionId>v1</VersionId></Object>\
             <Object><Key>marked</Key></Object><Object><Key>guarded</Key></Object></Delete>",
            "x-amz-mfa: 123 456\r",
            "x-amz-bypass-governance-retention: true\r",
            "x-amz-request-payer: requester\r",
            "x-amz-expected-bucket-owner: 111122223333\r",
        ],
    ),
    (
        "DELETE /bucket/changed ",
        &[
            "if-match: \"e\"\r",
            "x-amz-mfa: 123 456\r",
            "x-amz-bypass-governance-retention: true\r",
            "x-amz-request-payer: requester\r",
        ],
    ),
    ("DELETE /bucket/unchanged?versionId=v%2F2 ", &["if-match: \"e\"\r"]),
    (
        "PUT /bucket/locked ",
        &[
            "x-amz-grant-full-control: id=\"a\"\r",
            "x-amz-grant-read: id=\"b\"\r",
            "x-amz-grant-read-acp: id=\"c\"\r",
            "x-amz-grant-write-acp: id=\"d\"\r",
            "x-amz-website-redirect-location: /elsewhere\r",
            "x-amz-object-lock-mode: GOVERNANCE\r",
            "x-amz-object-lock-retain-until-date: 2100-01-01T00:00:00",
            "x-amz-object-lock-legal-hold: ON\r",
        ],
    ),
    ("PUT /bucket/unlocked ", &["x-amz-object-lock-legal-hold: OFF\r"]),
    (
        "HEAD /bucket/described?versionId=v1&partNumber=2 ",
        &["x-amz-checksum-mode: ENABLED\r", "if-match: \"e\"\r", "-customer-key: BwcH"],
    ),
    ("HEAD /bucket/plain ", &["x-amz-checksum-mode: ENABLED\r"]),
    ("GET /bucket/described?versionId=v1&partNumber=2 ", &["if-match: \"e\"\r"]),
];

#[test]
fn uploads_and_deletes_by_hand() {
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    let source = common::crate_path("tests/c/byhand.c");
    let program = library.link(&folder, &source, Linking::Static);
    let mut command = library.command(&program, &bucket);
    let output = run(command.args([Bucket::URI, &peer.uri]).arg(folder.path("root")));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all of it is done by hand\n");

    // Beneath the root, and nowhere else.
    assert_eq!(std::fs::read(folder.path("root/a/b")).expect("it was copied"), b"beneath");
    assert!(!folder.path("escaped").exists());

    let seen = peer.seen.lock().expect("whole");
    assert_eq!(seen.len(), ASKED.len(), "{seen:#?}");
    for (request, (begins, says)) in seen.iter().zip(ASKED) {
        assert!(request.starts_with(begins), "{begins}: {request}");
        for words in says {
            assert!(request.contains(words), "{words}: {request}");
        }
    }
}
