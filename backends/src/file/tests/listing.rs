use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::error::{Class, ErrorKind};

/// Names that sort around '/' or mean something elsewhere.
const NAMES: [&str; 16] = [
    "a", "a-", "a.", "a0", "ab", "b", " ", "-", "...", ".a", "%2F", "ä", "😀", "\n", "\u{1}",
    "~\\*",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pages_are_those_of_a_sorted_map(
        paths in prop::collection::btree_set(
            prop::collection::vec(prop::sample::select(&NAMES[..]), 1..4), 0..25),
        prefix in prop::collection::vec(prop::sample::select(&NAMES[..]), 0..3),
        cut in 0..4usize,
        delimiter in prop::sample::select(vec![None, Some('/'), Some('-'), Some('a')]),
        entries_max in 1..6u32,
    ) {
        let house = House::new();
        let mut model = BTreeMap::new();
        for (size, path) in paths.iter().map(|path| path.join("/")).enumerate() {
            let file = house.path(&path);
            // Where a file and a directory want the same name, the first one has it.
            let parent = file.parent().expect("it has one");
            if std::fs::create_dir_all(parent).is_ok() && !file.exists() {
                std::fs::write(file, vec![0; size]).expect("written");
                model.insert(path, size as u64);
            }
        }
        let joined = prefix.join("/");
        let kept = joined.chars().count().saturating_sub(cut);
        let prefix: String = joined.chars().take(kept).collect();
        let expected = expected(&model, &prefix, delimiter);
        let request = ListRequest {
            prefix: prefix.clone(), delimiter, entries_max: Some(entries_max), ..Default::default()
        };
        let store = house.rooted(FileMode::Buffered);
        let listed = house.list(&store, request.clone()).expect("listed");
        prop_assert_eq!(shown(&listed, ""), expected.clone());

        let base = format!("{}/", house.dir.path().display());
        let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
        let request = ListRequest { prefix: format!("{base}{prefix}"), ..request };
        match house.list(&typed, request) {
            Ok(listed) => prop_assert_eq!(shown(&listed, &base), expected),
            Err(error) => prop_assert!(error.is_not_found() && expected.is_empty(), "{}", error),
        }
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

fn shown(entries: &[ListEntry], base: &str) -> Vec<(String, Option<u64>)> {
    let shown = entries.iter().map(|entry| {
        let key = entry.key().strip_prefix(base).expect("beneath the base").to_owned();
        match entry {
            ListEntry::Object { meta, .. } => (key, Some(meta.size_bytes)),
            ListEntry::Prefix(_) => (key, None),
        }
    });
    shown.collect()
}

#[test]
fn a_listing_says_what_head_says() {
    let house = House::new();
    let store = house.rooted(FileMode::Direct);
    let meta = house.put(&store, "a/b", pattern(5000)).expect("put");
    let listed = house.list(&store, ListRequest::default()).expect("listed");
    assert_eq!(listed, [ListEntry::Object { key: "a/b".into(), meta }]);
}

#[test]
fn a_directory_larger_than_what_is_kept_of_it_is_listed_whole() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    let names: Vec<_> = (0..2500).map(|n| format!("big/{n:05}")).collect();
    std::fs::create_dir(house.path("big")).expect("made");
    for (n, name) in names.iter().enumerate() {
        // Every third one is a directory, and those are empty but for one.
        match n % 3 {
            0 => std::fs::create_dir(house.path(name)).expect("made"),
            _ => std::fs::write(house.path(name), "").expect("written"),
        }
    }
    std::fs::write(house.path("big/02499/x"), "").expect("written");
    let files = names.iter().enumerate().filter(|(n, _)| n % 3 != 0);
    let mut expected: Vec<_> = files.map(|(_, name)| name.clone()).collect();
    expected.push("big/02499/x".into());
    for entries_max in [None, Some(700), Some(1024)] {
        let request = ListRequest { entries_max, ..ListRequest::default() };
        let listed = house.list(&store, request).expect("listed");
        let keys: Vec<_> = listed.iter().map(|entry| entry.key().to_owned()).collect();
        assert!(keys == expected, "{} of {}", keys.len(), expected.len());
    }
}

#[test]
fn what_is_no_object_is_not_listed() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    std::fs::create_dir_all(house.path("empty/inside")).expect("made");
    std::fs::write(house.path("file"), "x").expect("written");
    symlink("file", house.path("link")).expect("made");
    symlink("empty", house.path("way")).expect("made");
    let _socket = std::os::unix::net::UnixListener::bind(house.path("socket")).expect("bound");
    let keys = |request| {
        let listed = house.list(&store, request).expect("listed");
        listed.iter().map(|entry| entry.key().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys(ListRequest::default()), ["file"]);
    // Rolled up without a look inside, as documented.
    let rolled = ListRequest { delimiter: Some('/'), ..ListRequest::default() };
    assert_eq!(keys(rolled), ["empty/", "file"]);
}

#[test]
fn what_cannot_be_listed_is_an_error() {
    let house = House::new();
    let missing = Arc::new(FileStore::at_root(house.path("missing"), FileMode::Buffered));
    let error = house.list(&missing, ListRequest::default()).expect_err("no root");
    assert!(error.is_not_found() && error.to_string().contains("missing"), "{error}");

    let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
    let request = ListRequest { prefix: house.key("missing/"), ..ListRequest::default() };
    assert!(house.list(&typed, request).expect_err("no directory").is_not_found());

    let store = house.rooted(FileMode::Buffered);
    let request = ListRequest { prefix: "no/such".into(), ..ListRequest::default() };
    assert!(house.list(&store, request).expect("no key begins so").is_empty());
    let request = ListRequest { entries_max: Some(0), ..ListRequest::default() };
    assert_eq!(house.list(&store, request).expect_err("no entries").class(), Class::Usage);

    std::fs::write(house.path("fine"), "").expect("written");
    std::fs::write(house.dir.path().join(OsStr::from_bytes(b"z\xff")), "").expect("written");
    let error = house.list(&store, ListRequest::default()).expect_err("no key can say it");
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    assert!(error.to_string().contains(r"z\xff is not UTF-8"), "{error}");
}
