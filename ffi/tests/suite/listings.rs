//! What S3 alone is asked for in listings of a C program: of a peer that remembers what it was asked.

use std::collections::BTreeSet;

use crate::common::{self, Bucket, Folder, Library, Linking, run};
use crate::service::Peer;

/// What each request says of who asks and pays.
const BY_WHOM: [&str; 2] =
    ["x-amz-request-payer: requester\r", "x-amz-expected-bucket-owner: 111122223333\r"];
const RESTORES: &str = "x-amz-optional-object-attributes: RestoreStatus\r";

const FIRST_PAGE: &str = "list-type=2&encoding-type=url&prefix=a%20b&delimiter=%2F&start-after=0%209&max-keys=7&fetch-owner=true";
const NEXT_PAGE: &str = "list-type=2&encoding-type=url&prefix=a%20b&delimiter=%2F&start-after=0%209&max-keys=7&fetch-owner=true\
     &continuation-token=next";

/// The queries, in the order in which they come; the pages once more by a queue.
const ASKED: [&str; 6] = [
    FIRST_PAGE,
    NEXT_PAGE,
    "uploads=&encoding-type=url&prefix=a%20b&delimiter=%2F&key-marker=0%209&max-uploads=7",
    "versions=&encoding-type=url&prefix=a%20b&delimiter=%2F&key-marker=0%209&max-keys=7",
    FIRST_PAGE,
    NEXT_PAGE,
];

#[test]
fn listings_ask_for_what_s3_alone_has() {
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    let source = common::crate_path("tests/c/listings.c");
    let program = library.link(&folder, &source, Linking::Static);
    let output = run(library.command(&program, &bucket).args([Bucket::URI, &peer.uri]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all of it is listed\n");

    let pairs = |query: &'static str| query.split('&').collect::<BTreeSet<_>>();
    let seen = peer.seen.lock().expect("whole");
    assert_eq!(seen.len(), ASKED.len(), "{seen:#?}");
    for (request, asked) in seen.iter().zip(ASKED) {
        let query = request.strip_prefix("GET /bucket?").and_then(|rest| rest.split_once(' '));
        let (query, fields) = query.expect("a query");
        assert_eq!(query.split('&').collect::<BTreeSet<_>>(), pairs(asked), "{request}");
        assert!(BY_WHOM.iter().all(|words| fields.contains(words)), "{request}");
        assert_eq!(fields.contains(RESTORES), asked.starts_with("list-type"), "{request}");
    }
}
