//! Keys that a file system does not like (SEC-2).

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use crate::client::{Client, path, serve};
use tempfile::tempdir;

fn nasty() -> BTreeSet<String> {
    let mut keys: BTreeSet<String> = [
        "plain",
        "a",
        "a/",
        "a/b",
        "a//b",
        "a/./b",
        "a/../b",
        "..",
        ".",
        "../..",
        "../../etc/passwd",
        "/",
        "//",
        "/a",
        "///x",
        "x/",
        "x",
        "x//",
        "%",
        "%2e%2e",
        "%e",
        "%o",
        "%ox",
        "x/%ox",
        "%pp",
        "%l",
        "a.b",
        "a-b",
        "a0",
        "ä/ö/ü",
        "日本語",
        "with space/and+plus",
        "quo\"te'<&>",
        "back\\slash",
        "colon:semi;",
        "new\nline",
        "tab\t",
        ".hydrant/meta",
        "~",
        "*?[",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    for length in [199, 200, 201, 255, 256, 399, 400, 401, 1024] {
        keys.insert("n".repeat(length));
    }
    for tail in ["", "/", "/k", "-", "-/k", "0", "0/k", "/.", "é"] {
        keys.insert(format!("{}{tail}", "p".repeat(200)));
        keys.insert(format!("{}{tail}", "p".repeat(199)));
    }
    keys.insert("/".repeat(1024));
    keys.insert("é".repeat(512));
    keys.insert("d/".repeat(511) + "f");
    keys
}

#[test]
fn every_key_is_an_object_of_its_own_and_is_listed_in_order() {
    let root = tempdir().unwrap();
    let outside = root.path().join("outside");
    let served = root.path().join("served");
    std::fs::write(&outside, b"untouched").unwrap();
    let server = serve(&served);
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let keys = nasty();
    for key in &keys {
        client.put(&path("bucket", key), key.as_bytes()).assert(200);
    }
    for key in &keys {
        assert_eq!(client.get(&path("bucket", key)).assert(200).body, key.as_bytes(), "{key:?}");
    }
    // A second write finds the object wherever its file has moved to.
    for key in &keys {
        client.put(&path("bucket", key), format!("again {key}").as_bytes()).assert(200);
    }
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let query = format!("/bucket?list-type=2&encoding-type=url&max-keys=7{token}");
        let page = client.get(&query).assert(200);
        listed.extend(page.tags("Key").iter().map(|key| decode(key)));
        match page.tag("NextContinuationToken") {
            next if next.is_empty() => break,
            next => token = format!("&continuation-token={next}"),
        }
    }
    assert_eq!(listed, keys.iter().cloned().collect::<Vec<_>>());
    for key in &keys {
        assert_eq!(
            client.get(&path("bucket", key)).assert(200).body,
            format!("again {key}").as_bytes(),
            "{key:?}"
        );
        client.delete(&path("bucket", key)).assert(204);
        client.get(&path("bucket", key)).assert_error(404, "NoSuchKey");
    }
    let left: Vec<_> = std::fs::read_dir(served.join("bucket")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    client.delete("/bucket").assert(204);
    assert_eq!(std::fs::read(outside).unwrap(), b"untouched");
    let names: BTreeSet<_> =
        std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn keys_that_cannot_be_stored_are_refused() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/a%00b", b"x").assert_error(400, "InvalidArgument");
    client.put(&path("bucket", &"k".repeat(1025)), b"x").assert_error(400, "KeyTooLongError");
}

#[test]
fn a_key_and_keys_below_it_live_together_in_either_order() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let tag = client.put("/bucket/a", b"file first").assert(200).header("etag").to_owned();
    client.put("/bucket/a/b", b"below").assert(200);
    assert_eq!(client.get("/bucket/a").assert(200).header("etag"), tag);
    assert!(root.path().join("bucket/a/b").is_file());
    client.delete("/bucket/a/b").assert(204);
    client.put("/bucket/a", b"again").assert(200);
    assert_eq!(client.get("/bucket/a").assert(200).body, b"again");
    assert_eq!(client.get("/bucket?list-type=2").assert(200).tags("Key"), ["a"]);
    client.delete("/bucket/a").assert(204);
    client.put("/bucket/a/b/c", b"below first").assert(200);
    client.put("/bucket/a", b"file").assert(200);
    client.put("/bucket/a/b", b"file too").assert(200);
    assert_eq!(client.get("/bucket?list-type=2").assert(200).tags("Key"), ["a", "a/b", "a/b/c"]);
    assert_eq!(client.get("/bucket/a/b").assert(200).body, b"file too");
}

#[test]
fn links_are_not_followed() {
    let root = tempdir().unwrap();
    let served = root.path().join("served");
    let server = serve(&served);
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    std::fs::create_dir(root.path().join("secret")).unwrap();
    std::fs::write(root.path().join("secret/file"), b"secret").unwrap();
    symlink(root.path().join("secret"), served.join("bucket/dir")).unwrap();
    symlink(root.path().join("secret/file"), served.join("bucket/file")).unwrap();
    symlink(root.path().join("secret"), served.join("linked-bucket")).unwrap();
    client.get("/bucket/dir/file").assert_error(404, "NoSuchKey");
    client.get("/bucket/file").assert_error(404, "NoSuchKey");
    client.get("/linked-bucket/file").assert_error(404, "NoSuchBucket");
    client.put("/bucket/dir/new", b"x").assert_error(400, "InvalidArgument");
    client.delete("/bucket/dir/file").assert(204);
    assert_eq!(client.get("/bucket?list-type=2").assert(200).tags("Key"), Vec::<String>::new());
    // A link is replaced, not written through.
    client.put("/bucket/file", b"mine").assert(200);
    assert_eq!(client.get("/bucket/file").assert(200).body, b"mine");
    assert_eq!(std::fs::read(root.path().join("secret/file")).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(root.path().join("secret")).unwrap().count(), 1);
}

#[test]
fn writers_of_colliding_keys_do_not_lose_each_others_objects() {
    const ROUNDS: usize = 150;
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    // Each thread writes and deletes a key of its own; together they fight over what is a directory.
    let keys = ["a", "a/b", "a/b/c", "a/b/c/d", "a/", "a//x"];
    let writers = keys.map(|key| {
        let addr = server.addr();
        std::thread::spawn(move || {
            let mut client = Client::new(addr);
            let target = path("bucket", key);
            for round in 0..ROUNDS {
                let content = format!("{key} {round}");
                client.put(&target, content.as_bytes()).assert(200);
                assert_eq!(client.get(&target).assert(200).text(), content);
                client.delete(&target).assert(204);
                client.get(&target).assert_error(404, "NoSuchKey");
            }
            client.put(&target, key.as_bytes()).assert(200);
        })
    });
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(
        client.get("/bucket?list-type=2").assert(200).tags("Key"),
        ["a", "a/", "a//x", "a/b", "a/b/c", "a/b/c/d"]
    );
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}
