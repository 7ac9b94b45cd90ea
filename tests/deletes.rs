//! Deleting many objects: all of them, none beside them, and a word about each that stays.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use hydrant::{Bytes, Class, DeleteOptions, ErrorKind, ListRequest, OnDeleted, Outcome, Store};
use hydrant_tests::{BUCKET, Peer, World, client, program};

#[test]
fn a_folder_goes_and_its_siblings_stay() {
    let world = World::new();
    let hydrant = world.client();
    for (store, objects) in [("mem://deletes", 2_345), (&*format!("s3://{BUCKET}/"), 1_150)] {
        let store = hydrant.store(store).expect("a store");
        let keys: Vec<_> = (0..objects).map(|number| format!("foo/{number:04}")).collect();
        let siblings = ["foo", "foo.bak", "foo.bak/x", "fop/0"];
        for key in keys.iter().map(String::as_str).chain(siblings.into_iter().rev()) {
            store.put(key, Bytes::from_static(b"x")).wait().expect("put");
        }
        let told = Arc::new(Mutex::new(BTreeSet::new()));
        let heard = Arc::clone(&told);
        let on_deleted: OnDeleted = Arc::new(move |batch: &[Outcome]| {
            let mut heard = heard.lock().expect("no panic");
            for (key, outcome) in batch {
                assert!(outcome.is_ok() && heard.insert(key.clone()), "{key} twice");
            }
        });
        let how = DeleteOptions { on_deleted: Some(on_deleted) };
        let report = store.delete_prefix("foo/", how).wait().expect("deleted");
        assert_eq!((report.deleted, report.failed), (objects, 0));
        assert_eq!(
            told.lock().expect("no panic").iter().collect::<Vec<_>>(),
            Vec::from_iter(&keys)
        );
        assert_eq!(left(&store), siblings);
        let report = store.delete_prefix("foo/", DeleteOptions::default()).wait();
        assert_eq!(report.expect("nothing to do").deleted, 0);
    }
}

#[test]
fn a_key_that_stays_is_named_and_stops_no_other() {
    let world = World::new();
    let hydrant = world.client();
    let store = hydrant.store("mem://named").expect("a store");
    let keys: Vec<_> = (0..50).map(|number| format!("key-{number:02}")).collect();
    for key in keys.iter().filter(|key| !key.ends_with('7')) {
        store.put(key, Bytes::from_static(b"x")).wait().expect("put");
    }
    let report = store.delete_keys(keys, DeleteOptions::default()).wait().expect("went through");
    assert_eq!((report.deleted, report.failed), (45, 5));
    let named: BTreeSet<_> = report.failures.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(Vec::from_iter(named), ["key-07", "key-17", "key-27", "key-37", "key-47"]);
    assert!(report.failures.iter().all(|(_, error)| error.is_not_found()));
    assert!(left(&store).is_empty());
}

#[test]
fn trouble_that_passes_costs_no_key() {
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    let peer = Peer::start(|seen, wire| {
        let body = wire.receive_body()?;
        // More refusals in a row than one call makes tries.
        if seen.number < 7 {
            REFUSED.fetch_add(1, SeqCst);
            return wire.send(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n");
        }
        assert_eq!((&*seen.method, &*seen.target), ("POST", "/bucket?delete="));
        wire.send(&answer(keys_of(&body).iter().map(|key| (key.as_str(), None))))
    });
    let hydrant = client(&peer.url());
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let keys = (0..30).map(|number| format!("key-{number}")).collect();
    let report = store.delete_keys(keys, DeleteOptions::default()).wait().expect("went through");
    assert_eq!((report.deleted, report.failed), (30, 0), "{:?}", report.failures);
    assert_eq!((REFUSED.load(SeqCst), peer.seen().len()), (7, 8), "one request for all keys");
}

/// A 200 may refuse single keys: those that may pass are asked for again, alone or with others.
#[test]
fn what_a_batch_refuses_is_told_key_by_key_and_tried_again_where_that_may_help() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let peer = Peer::start(move |seen, wire| {
        let body = wire.receive_body()?;
        if seen.method == "DELETE" {
            heard.lock().expect("no panic").push(vec![seen.target.clone()]);
            return wire.send(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
        let keys = keys_of(&body);
        let answers = keys.iter().filter(|key| *key != "key-8").map(|key| match key.as_str() {
            "key-3" => (key.as_str(), Some("AccessDenied")),
            "key-5" if seen.number < 3 => (key.as_str(), Some("InternalError")),
            "key-6" if seen.number < 2 => (key.as_str(), Some("SlowDown")),
            _ => (key.as_str(), None),
        });
        let answer = answer(answers);
        heard.lock().expect("no panic").push(keys);
        wire.send(&answer)
    });
    let hydrant = client(&peer.url());
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    // The one with a control character cannot be named in XML, and the last is named twice.
    let names = (0..12).map(|number| format!("key-{number}"));
    let keys = names.chain(["line\u{1}feed".into(), "key-0".into()]).collect();
    let report = store.delete_keys(keys, DeleteOptions::default()).wait().expect("went through");
    assert_eq!((report.deleted, report.failed), (12, 2), "{:?}", report.failures);
    let failures: Vec<_> = report.failures.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(failures, ["key-3", "key-8"]);
    assert_eq!(report.failures[0].1.class(), Class::Config);
    for (key, failure) in &report.failures {
        let ErrorKind::S3(told) = failure.kind() else { panic!("{failure}") };
        let ids = (told.request_id.as_deref(), told.host_id.as_deref());
        assert_eq!(ids, (Some("R7"), Some("H7")), "{key}: the ids of the answer as a whole");
    }
    let silent = report.failures[1].1.to_string();
    assert!(silent.contains("says nothing of this object"), "{silent}");
    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked.iter().filter(|keys| keys.len() == 13).count(), 1, "{asked:?}");
    assert!(asked.contains(&vec!["key-5".into(), "key-6".into()]), "{asked:?}");
    assert!(asked.contains(&vec![format!("/{BUCKET}/key-5")]), "{asked:?}");
    assert!(asked.contains(&vec![format!("/{BUCKET}/line%01feed")]), "{asked:?}");
}

#[test]
fn a_server_without_deletes_of_many_gets_them_one_by_one() {
    static MANY: AtomicUsize = AtomicUsize::new(0);
    for (status, code) in [("405 Method Not Allowed", "MethodNotAllowed"), ("501 No", "")] {
        MANY.store(0, SeqCst);
        let peer = Peer::start(move |seen, wire| {
            wire.receive_body()?;
            if seen.method == "DELETE" {
                return wire.send(b"HTTP/1.1 204 No Content\r\n\r\n");
            }
            MANY.fetch_add(1, SeqCst);
            let text = format!("<Error><Code>{code}</Code></Error>");
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", text.len());
            wire.send(format!("{head}{text}").as_bytes())
        });
        let hydrant = client(&peer.url());
        let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
        for round in 0..2 {
            let keys = (0..250).map(|number| format!("key-{number}")).collect();
            let report = store.delete_keys(keys, DeleteOptions::default()).wait();
            let report = report.expect("went through");
            assert_eq!((report.deleted, report.failed), (250, 0), "{:?}", report.failures);
            assert_eq!(MANY.load(SeqCst), 1, "{status}: asked once, remembered in round {round}");
        }
        let connections = peer.seen().iter().map(|seen| seen.connection).max();
        assert!(connections >= Some(9), "ten and more at once, {connections:?}");
    }
}

#[test]
fn a_listing_that_fails_is_never_an_empty_folder() {
    let peer =
        Peer::start(|_, wire| wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    let hydrant = client(&peer.url());
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let error = store.delete_prefix("foo/", DeleteOptions::default()).wait().expect_err("403");
    assert_eq!(error.class(), Class::Config, "{error}");
}

#[test]
fn the_program_takes_a_name_for_a_folder() {
    let world = World::new();
    for name in ["foo/a", "foo/b/c", "foo.bak/x"] {
        let path = world.object(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, b"x").expect("an object");
    }
    let output = program(&world, &["rm", "-r", &format!("s3://{BUCKET}/foo")]).output();
    let output = output.expect("ended");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.contains("2 deleted, 0 failed"), "{err}");
    let lines: BTreeSet<_> = out.lines().collect();
    let all = [format!("deleted s3://{BUCKET}/foo/a"), format!("deleted s3://{BUCKET}/foo/b/c")];
    assert_eq!(Vec::from_iter(lines), all);
    assert!(world.object("foo.bak/x").exists());
}

#[test]
fn the_program_deletes_what_was_named_of_a_store_with_one_request() {
    let world = World::new();
    let names: Vec<_> = (0..30).map(|number| format!("named-{number:02}")).collect();
    names.iter().for_each(|name| std::fs::write(world.object(name), b"x").expect("an object"));
    std::fs::write(world.object("other"), b"x").expect("an object");
    std::fs::write(world.file("file"), b"x").expect("a file");
    let mut uris: Vec<_> = names.iter().map(|name| world.uri("s3", name)).collect();
    uris.insert(7, world.uri("file", "file"));
    let before = world.server().stats().requests();
    let arguments: Vec<_> = ["rm"].into_iter().chain(uris.iter().map(String::as_str)).collect();
    let output = program(&world, &arguments).output().expect("ended");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(world.server().stats().requests() - before, 1);
    let out = String::from_utf8_lossy(&output.stdout);
    let lines: BTreeSet<_> = out.lines().map(str::to_owned).collect();
    assert_eq!(lines, uris.iter().map(|uri| format!("deleted {uri}")).collect());
    assert!(names.iter().all(|name| !world.object(name).exists()));
    assert!(world.object("other").exists() && !world.file("file").exists());
}

/// The keys that a DeleteObjects names.
fn keys_of(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let keys = text.split("<Key>").skip(1);
    keys.map(|rest| rest.split("</Key>").next().unwrap_or_default().to_owned()).collect()
}

/// The answer to a DeleteObjects: a key each, and the code with which it is refused.
fn answer<'a>(outcomes: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<u8> {
    let lines = outcomes.map(|(key, code)| match code {
        None => format!("<Deleted><Key>{key}</Key></Deleted>"),
        Some(code) => format!("<Error><Key>{key}</Key><Code>{code}</Code></Error>"),
    });
    let text = format!("<DeleteResult>{}</DeleteResult>", lines.collect::<String>());
    let ids = "x-amz-request-id: R7\r\nx-amz-id-2: H7\r\n";
    let length = text.len();
    format!("HTTP/1.1 200 OK\r\n{ids}Content-Length: {length}\r\n\r\n{text}").into_bytes()
}

fn left(store: &Store) -> Vec<String> {
    let entries = store.list(ListRequest::default()).entries_wait();
    entries.map(|entry| entry.expect("a page").key().to_owned()).collect()
}
