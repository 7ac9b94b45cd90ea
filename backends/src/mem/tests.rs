//! The store in memory on a real engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Core, Engine, RegionOwner};
use proptest::prelude::*;

use super::{MemConfig, MemStore, MemStores};
use crate::error::{Class, ErrorKind, Result};
use crate::object::{ListEntry, ListRequest, ObjectMeta, PutOptions};
use crate::pipeline::PartRequest;
use crate::store::{ObjectStore, PartTag, Reader, Upload};

fn engine() -> Engine {
    Engine::builder().cores(1).pool_bytes(8 << 20).start().expect("io_uring")
}

fn run<T: Send + 'static, F: Future<Output = T> + 'static>(
    engine: &Engine,
    work: impl FnOnce(Core) -> F + Send + 'static,
) -> T {
    engine.on_core(0, work).expect("a place").wait().expect("no panic")
}

fn put(engine: &Engine, store: &Arc<MemStore>, key: &str, bytes: Vec<u8>) -> Result<ObjectMeta> {
    let (store, key) = (Arc::clone(store), key.to_owned());
    run(engine, |core| async move {
        let span = 0..bytes.len();
        store.put(&core, &key, Bytes::from(bytes).into(), span, &PutOptions::default()).await.0
    })
}

fn read(engine: &Engine, reader: &Arc<dyn Reader>, offset: u64, len: usize) -> Result<Vec<u8>> {
    let reader = Arc::clone(reader);
    let (owner, region) = RegionOwner::new(vec![0u8; len]);
    let result = run(engine, move |core| async move {
        reader.read(&core, offset, region.into(), 0..len).await.result
    });
    let mut memory = owner.wait_blocking();
    memory.truncate(result?.len_bytes);
    Ok(memory)
}

fn put_part(engine: &Engine, upload: &Arc<dyn Upload>, at: (u64, u64), bytes: Vec<u8>) -> PartTag {
    let upload = Arc::clone(upload);
    let part = PartRequest { index: at.0, offset: at.1, len: bytes.len() as u64 };
    let put = run(engine, move |core| async move {
        let span = 0..bytes.len();
        upload.put_part(&core, part, Bytes::from(bytes).into(), span, None).await.0
    });
    put.expect("kept")
}

fn begin(engine: &Engine, store: &Arc<MemStore>, key: &'static str) -> Arc<dyn Upload> {
    let store = Arc::clone(store);
    let begun = run(engine, move |core| async move {
        store.begin_upload(&core, key, None, &PutOptions::default()).await
    });
    begun.expect("begun")
}

fn complete(engine: &Engine, upload: &Arc<dyn Upload>, tags: Vec<PartTag>) -> Result<ObjectMeta> {
    let upload = Arc::clone(upload);
    run(engine, |core| async move { upload.complete(&core, &tags).await })
}

#[test]
fn what_was_put_is_what_is_got_and_both_copies_are_counted() {
    let engine = engine();
    let store = MemStores::default().open("x").expect("opened");
    for len in [0usize, 1, 511, 4096, 100_001] {
        let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let before = engine.metrics();
        let meta = put(&engine, &store, "key", bytes.clone()).expect("put");
        assert_eq!(meta.size_bytes, len as u64);
        let reader = store.reader("key");
        assert_eq!(read(&engine, &reader, 0, len + 10).expect("read"), bytes);
        assert_eq!(engine.metrics().since(&before).copied_bounce, 2 * len as u64);
        assert!(read(&engine, &reader, len as u64 + 1, 10).expect("read").is_empty());
        assert_eq!(reader.meta(), Some(meta));
    }
}

#[test]
fn the_same_name_is_the_same_store() {
    let (engine, stores) = (engine(), MemStores::default());
    let (one, again) = (stores.open("x").expect("opened"), stores.open("x").expect("opened"));
    put(&engine, &one, "key", vec![1]).expect("put");
    assert_eq!(read(&engine, &again.reader("key"), 0, 9).expect("read"), [1]);
    let other = stores.open("y").expect("opened");
    let error = read(&engine, &other.reader("key"), 0, 9).expect_err("another store");
    assert!(error.is_not_found(), "{error}");
    assert_eq!(error.to_string(), "mem://y/key does not exist");
}

#[test]
fn parts_become_an_object_in_any_order_and_only_when_whole() {
    let engine = engine();
    let store = MemStores::default().open("x").expect("opened");
    put(&engine, &store, "key", vec![7; 10]).expect("put");
    let old = store.reader("key");
    assert_eq!(read(&engine, &old, 0, 5).expect("read"), [7; 5]);

    let upload = begin(&engine, &store, "key");
    let last = put_part(&engine, &upload, (2, 8), vec![3]);
    put_part(&engine, &upload, (0, 0), vec![9; 4]);
    let first = put_part(&engine, &upload, (0, 0), vec![1; 4]);
    let middle = put_part(&engine, &upload, (1, 4), vec![2; 4]);
    assert_eq!(read(&engine, &store.reader("key"), 0, 99).expect("read"), [7; 10], "DATA-3");
    complete(&engine, &upload, vec![first, middle, last]).expect("whole");
    let new = store.reader("key");
    assert_eq!(read(&engine, &new, 0, 99).expect("read"), [1, 1, 1, 1, 2, 2, 2, 2, 3]);
    assert_eq!(read(&engine, &new, 3, 3).expect("read"), [1, 2, 2]);
    assert_eq!(read(&engine, &old, 5, 99).expect("read"), [7; 5], "DATA-2: one version");
    assert!(complete(&engine, &upload, vec![first]).is_err(), "an upload ends once");

    let upload = begin(&engine, &store, "hole");
    let (first, third) = (
        put_part(&engine, &upload, (0, 0), vec![1; 4]),
        put_part(&engine, &upload, (2, 8), vec![3; 4]),
    );
    let error = complete(&engine, &upload, vec![first, third]).expect_err("a hole");
    assert_eq!(error.class(), Class::Integrity, "{error}");
    let upload = begin(&engine, &store, "hole");
    let never =
        PartTag { part: PartRequest { index: 0, offset: 0, len: 4 }, etag: None, sum: None };
    let error = complete(&engine, &upload, vec![never]).expect_err("never came");
    assert_eq!(error.class(), Class::Integrity, "{error}");
    assert!(read(&engine, &store.reader("hole"), 0, 1).expect_err("absent").is_not_found());
}

#[test]
fn the_limit_holds_and_what_is_let_go_comes_back() {
    let engine = engine();
    let config = MemConfig { mem_bytes_max: 10_000, ..MemConfig::default() };
    let stores = MemStores::new(config);
    let store = stores.open("x").expect("opened");
    put(&engine, &store, "a", vec![0; 6_000]).expect("fits");
    let error = put(&engine, &store, "b", vec![0; 6_000]).expect_err("does not fit");
    assert_eq!(error.class(), Class::Config);
    assert!(error.to_string().contains("mem_bytes_max = 10000"), "{error}");

    let upload = begin(&engine, &store, "c");
    put_part(&engine, &upload, (0, 0), vec![0; 3_000]);
    assert!(put(&engine, &store, "b", vec![0; 1_000]).is_err(), "unfinished uploads count");
    let aborted = Arc::clone(&upload);
    run(&engine, |core| async move { aborted.abort(&core).await }).expect("aborted");
    put(&engine, &store, "b", vec![0; 1_000]).expect("fits");

    let reader = store.reader("a");
    read(&engine, &reader, 0, 1).expect("read");
    let deleted = Arc::clone(&store);
    run(&engine, |core| async move { deleted.delete(&core, "a").await }).expect("deleted");
    assert!(put(&engine, &store, "d", vec![0; 6_000]).is_err(), "a reader still holds it");
    drop(reader);
    put(&engine, &store, "d", vec![0; 6_000]).expect("fits");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let engine = engine();
    let config = MemConfig { mem_stores_max: 1, ..MemConfig::default() };
    let stores = MemStores::new(config);
    let store = stores.open("x").expect("opened");
    assert_eq!(stores.open("y").expect_err("one too many").class(), Class::Config);
    for key in ["", &"k".repeat(1025)] {
        let error = put(&engine, &store, key, vec![1]).expect_err("no key");
        assert!(matches!(error.kind(), ErrorKind::InvalidInput(_)), "{error}");
    }
    put(&engine, &store, "key", vec![1]).expect("put");
    let reader = store.reader("key");
    let shared = run(&engine, |core| async move {
        reader.read(&core, 0, Bytes::from_static(b"x").into(), 0..1).await.result
    });
    assert!(shared.is_err(), "shared bytes are not written to");
    let deleted = run(&engine, |core| async move { store.delete(&core, "no").await });
    assert!(deleted.expect_err("absent").is_not_found());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pages_are_those_of_a_sorted_map(
        keys in prop::collection::btree_set("[ab/\u{d7ff}\u{e000}-]{1,5}", 0..30),
        prefix in "[ab/]{0,2}",
        delimiter in prop::sample::select(vec![None, Some('/'), Some('a'), Some('\u{d7ff}')]),
        entries_max in 1..6u32,
    ) {
        let engine = engine();
        let store = MemStores::default().open("x").expect("opened");
        let mut model = BTreeMap::new();
        for (size, key) in keys.into_iter().enumerate() {
            put(&engine, &store, &key, vec![0; size]).expect("put");
            model.insert(key, size as u64);
        }
        let mut request = ListRequest {
            prefix: prefix.clone(), delimiter, entries_max: Some(entries_max),
            ..ListRequest::default()
        };
        let mut listed = Vec::new();
        loop {
            let (asked, of) = (request.clone(), Arc::clone(&store));
            let page = run(&engine, |core| async move { of.list_page(&core, &asked).await });
            let page = page.expect("listed");
            prop_assert!(page.entries.len() <= entries_max as usize);
            listed.extend(page.entries.into_iter().map(|entry| match entry {
                ListEntry::Object { key, meta } => (key, Some(meta.size_bytes)),
                ListEntry::Prefix(prefix) => (prefix, None),
            }));
            match page.continuation {
                Some(last) => request.continuation = Some(last),
                None => break,
            }
        }
        prop_assert_eq!(listed, expected(&model, &prefix, delimiter));
    }
}

/// What S3 would list.
fn expected(
    model: &BTreeMap<String, u64>,
    prefix: &str,
    delimiter: Option<char>,
) -> Vec<(String, Option<u64>)> {
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for (key, size) in model.iter().filter(|(key, _)| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        match delimiter.and_then(|delimiter| rest.split_once(delimiter)) {
            Some((head, _)) => {
                let rolled = format!("{prefix}{head}{}", delimiter.expect("it was found"));
                if seen.insert(rolled.clone()) {
                    entries.push((rolled, None));
                }
            }
            None => entries.push((key.clone(), Some(*size))),
        }
    }
    entries
}
