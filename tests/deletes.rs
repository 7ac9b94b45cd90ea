//! Deleting many objects: all of them, none beside them, and a word about each that stays.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use hydrant::{Bytes, Class, DeleteOptions, ListRequest, OnDeleted, Outcome, Store};
use hydrant_tests::{BUCKET, Peer, World, client, program};

#[test]
fn a_folder_goes_and_its_siblings_stay() {
    let world = World::new();
    let hydrant = world.client();
    for (store, objects) in [("mem://deletes", 2_345), (&*format!("s3://{BUCKET}/"), 150)] {
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
        wire.receive_body()?;
        // More refusals in a row than one call makes tries.
        if seen.number < 30 {
            REFUSED.fetch_add(1, SeqCst);
            return wire.send(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n");
        }
        wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    });
    let hydrant = client(&peer.url());
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let keys = (0..30).map(|number| format!("key-{number}")).collect();
    let report = store.delete_keys(keys, DeleteOptions::default()).wait().expect("went through");
    assert_eq!((report.deleted, report.failed), (30, 0), "{:?}", report.failures);
    assert_eq!(REFUSED.load(SeqCst), 30);
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

fn left(store: &Store) -> Vec<String> {
    let entries = store.list(ListRequest::default()).entries_wait();
    entries.map(|entry| entry.expect("a page").key().to_owned()).collect()
}
