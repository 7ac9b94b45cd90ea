//! `ListObjectsV2` against a model: a sorted set of keys.

use std::collections::BTreeSet;

use crate::client::{Client, etag, path, serve};
use tempfile::tempdir;

const KEYS: [&str; 22] = [
    "a",
    "a!/x",
    "a-b/y",
    "a.txt",
    "a/1",
    "a/2",
    "a/b/c",
    "a/b/d",
    "a0",
    "b/",
    "b/c",
    "b//d",
    "logs/2024/01",
    "logs/2024/02",
    "logs/2025/01",
    "logs-old",
    "m|n|o",
    "m|n|p",
    "z",
    "z/z/z/z",
    "zz",
    "é/ü",
];

#[test]
fn pages_agree_with_the_model() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    for key in KEYS {
        client.put(&path("bucket", key), key.as_bytes()).assert(200);
    }
    for prefix in
        ["", "a", "a/", "a/b", "b/", "b//", "logs", "logs/2024/", "m|", "none", "z/z", "é"]
    {
        for delimiter in ["", "/", "|", "-", "/2"] {
            for start_after in ["", "a", "a/b/c", "logs/2024", "z", "zzz"] {
                for page in [1, 2, 3, 1000] {
                    let expected = model(prefix, delimiter, start_after);
                    let listed = list(&mut client, prefix, delimiter, start_after, page);
                    assert_eq!(listed, expected, "{prefix:?} {delimiter:?} {start_after:?} {page}");
                }
            }
        }
    }
}

/// Keys, and common prefixes marked with `+`, in order.
fn model(prefix: &str, delimiter: &str, start_after: &str) -> Vec<String> {
    let keys: BTreeSet<&str> =
        KEYS.into_iter().filter(|key| key.starts_with(prefix) && *key > start_after).collect();
    let mut lines: Vec<String> = Vec::new();
    for key in keys {
        let rest = &key[prefix.len()..];
        let line = match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => format!("+{}", &key[..prefix.len() + at + delimiter.len()]),
            None => key.to_owned(),
        };
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

fn list(
    client: &mut Client,
    prefix: &str,
    delimiter: &str,
    start_after: &str,
    page: usize,
) -> Vec<String> {
    let encoded = |text: &str| path("", text)[2..].replace('/', "%2F");
    let query = format!(
        "/bucket?list-type=2&prefix={}&delimiter={}&start-after={}&max-keys={page}",
        encoded(prefix),
        encoded(delimiter),
        encoded(start_after)
    );
    let (mut lines, mut token) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("{query}{token}")).assert(200);
        let mut here: Vec<String> = answer.tags("Key");
        here.extend(answer.tags("CommonPrefixes").iter().map(|tag| {
            let inner = tag.trim_start_matches("<Prefix>").trim_end_matches("</Prefix>");
            format!("+{inner}")
        }));
        assert!(here.len() <= page && answer.tag("KeyCount") == here.len().to_string());
        here.sort_by(|a, b| a.trim_start_matches('+').cmp(b.trim_start_matches('+')));
        lines.extend(here);
        match answer.tag("IsTruncated").as_str() {
            "true" => {
                token = format!("&continuation-token={}", answer.tag("NextContinuationToken"))
            }
            _ => return lines,
        }
    }
}

#[test]
fn a_listing_tells_size_etag_and_time() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/by/wire", b"wire").assert(200);
    std::fs::write(root.path().join("bucket/by/hand"), b"a hand").unwrap();
    let answer = client.get("/bucket?list-type=2&fetch-owner=true").assert(200);
    assert_eq!(answer.tags("Key"), ["by/hand", "by/wire"]);
    assert_eq!(answer.tags("Size"), ["6", "4"]);
    assert_eq!(answer.tags("ETag"), [etag(b"a hand"), etag(b"wire")]);
    assert_eq!((answer.tags("LastModified").len(), answer.tags("Owner").len()), (2, 2));
    client.get("/none?list-type=2").assert_error(404, "NoSuchBucket");
    client.get("/bucket?list-type=2&max-keys=-1").assert_error(400, "InvalidArgument");
    client.get("/bucket?list-type=2&continuation-token=xyz").assert_error(400, "InvalidArgument");
    let none = client.get("/bucket?list-type=2&max-keys=0").assert(200);
    assert_eq!((none.tag("KeyCount").as_str(), none.tags("Key").len()), ("0", 0));
}

#[test]
fn a_directory_larger_than_a_batch_is_listed_whole() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let names: BTreeSet<String> = (0..5000).map(|n| format!("k{n}")).collect();
    for name in &names {
        std::fs::write(root.path().join("bucket").join(name), b"").unwrap();
    }
    let (mut listed, mut token) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/bucket?list-type=2{token}")).assert(200);
        listed.extend(answer.tags("Key"));
        match answer.tag("IsTruncated").as_str() {
            "true" => {
                token = format!("&continuation-token={}", answer.tag("NextContinuationToken"))
            }
            _ => break,
        }
    }
    assert_eq!(listed, names.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_first_version_goes_on_from_a_marker() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    for key in ["a/1", "a/2", "b", "c/1"] {
        client.put(&path("bucket", key), b"").assert(200);
    }
    let first = client.get("/bucket?delimiter=%2F&max-keys=1").assert(200);
    assert_eq!(
        (first.tag("NextMarker").as_str(), first.tag("IsTruncated").as_str()),
        ("a/", "true")
    );
    let second = client.get("/bucket?delimiter=%2F&marker=a%2F").assert(200);
    assert_eq!(
        (second.tags("Key"), second.tags("CommonPrefixes")),
        (vec!["b".into()], vec!["<Prefix>c/</Prefix>".into()])
    );
}
