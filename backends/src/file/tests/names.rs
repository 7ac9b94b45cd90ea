use std::os::unix::fs::symlink;

use super::*;
use crate::error::{Class, ErrorKind};

#[test]
fn a_key_never_leaves_its_root() {
    let house = House::new();
    std::fs::create_dir(house.path("root")).expect("made");
    std::fs::write(house.path("secret"), "outside").expect("written");
    std::fs::create_dir(house.path("outside")).expect("made");
    std::fs::write(house.path("outside/secret"), "outside").expect("written");
    symlink("../secret", house.path("root/link")).expect("made");
    symlink("../outside", house.path("root/way")).expect("made");
    symlink(house.path("outside"), house.path("root/absolute")).expect("made");
    std::fs::write(house.path("root/inside"), "inside").expect("written");
    symlink("inside", house.path("root/alias")).expect("made");
    let before = house.files();
    for mode in MODES {
        let store = Arc::new(FileStore::at_root(house.path("root"), mode));
        let absolute = house.key("secret");
        let twice_absolute = format!("/{absolute}");
        let keys = [
            "../secret",
            "..",
            "a/../../secret",
            "link",
            "way/secret",
            "absolute/secret",
            "alias",
            "./inside",
            &twice_absolute,
            &absolute,
            "/",
            "",
            "a\0",
            "x/",
        ];
        for key in keys {
            assert!(house.get(&store, key, 4096).is_err(), "get {key:?}");
            assert!(house.head(&store, key).is_err(), "head {key:?}");
            assert!(house.delete(&store, key).is_err(), "delete {key:?}");
            assert!(house.put(&store, key, b"evil".to_vec()).is_err(), "put {key:?}");
        }
        for key in ["way/new", "absolute/new", "link/new", "way/a/b"] {
            assert!(house.put(&store, key, b"evil".to_vec()).is_err(), "put {key:?}");
        }
        assert_eq!(house.files(), before, "SEC-2");
        assert_eq!(std::fs::read(house.path("root/inside")).expect("a file"), b"inside");
        for prefix in ["", "way/", "absolute/"] {
            let request = ListRequest { prefix: prefix.into(), ..ListRequest::default() };
            let keys: Vec<_> = house.list(&store, request).expect("listed");
            let keys: Vec<_> = keys.iter().map(ListEntry::key).collect();
            assert_eq!(keys, if prefix.is_empty() { vec!["inside"] } else { vec![] });
        }
        let request = ListRequest { prefix: "../".into(), ..ListRequest::default() };
        assert_eq!(house.list(&store, request).expect_err("SEC-2").class(), Class::Usage);
    }
}

#[test]
fn a_path_that_was_typed_goes_wherever_its_links_lead() {
    let house = House::new();
    std::fs::create_dir(house.path("real")).expect("made");
    symlink("real", house.path("way")).expect("made");
    for mode in MODES {
        let store = Arc::new(FileStore::unrooted(mode));
        let key = house.key("way/../way/object");
        house.put(&store, &key, pattern(5000)).expect("put");
        assert_eq!(house.get(&store, &key, 4096).expect("got"), pattern(5000));
        assert_eq!(house.head(&store, &key).expect("head").size_bytes, 5000);
        let prefix = house.key("way/");
        let listed = house.list(&store, ListRequest { prefix, ..ListRequest::default() });
        let listed = listed.expect("listed");
        assert_eq!(
            listed.iter().map(ListEntry::key).collect::<Vec<_>>(),
            [house.key("way/object")]
        );
        house.delete(&store, &key).expect("deleted");
        assert!(house.head(&store, &key).expect_err("deleted").is_not_found());
    }
}

#[test]
fn a_link_is_deleted_and_not_what_it_leads_to() {
    let house = House::new();
    std::fs::write(house.path("file"), "kept").expect("written");
    symlink("file", house.path("link")).expect("made");
    let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
    house.delete(&typed, &house.key("link")).expect("deleted");
    assert_eq!(house.files(), ["file"]);
}

#[test]
fn a_root_may_lie_behind_links_and_is_pinned() {
    let house = House::new();
    std::fs::create_dir(house.path("one")).expect("made");
    std::fs::create_dir(house.path("two")).expect("made");
    symlink("one", house.path("root")).expect("made");
    let store = Arc::new(FileStore::at_root(house.path("root"), FileMode::Buffered));
    house.put(&store, "a", vec![1]).expect("put");
    std::fs::remove_file(house.path("root")).expect("removed");
    symlink("two", house.path("root")).expect("made");
    house.put(&store, "b", vec![2]).expect("put");
    assert_eq!(house.files(), ["one/a", "one/b", "root"]);
}

#[test]
fn names_of_temporaries_are_not_for_objects() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    let name = ".a.hydrant-0123456789abcdef.tmp";
    let error = house.put(&store, name, vec![1]).expect_err("reserved");
    assert!(matches!(error.kind(), ErrorKind::InvalidInput(_)), "{error}");
    std::fs::write(house.path(name), "left by a crash").expect("written");
    assert!(house.list(&store, ListRequest::default()).expect("listed").is_empty());
    house.delete(&store, name).expect("what is left can be deleted");
    assert!(house.files().is_empty());
}

#[test]
fn the_longest_names_can_be_written() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    let name = "😀".repeat(63) + "xyz";
    house.put(&store, &name, vec![1]).expect("put");
    assert_eq!(house.files(), [name]);
}

#[test]
fn uris_are_what_people_type() {
    for (mode, scheme) in [(FileMode::Buffered, "file"), (FileMode::Direct, "direct")] {
        let typed = FileStore::unrooted(mode);
        assert_eq!(typed.uri_of("/a/b"), format!("{scheme}:///a/b"));
        assert_eq!(typed.uri_of("a/b"), "a/b");
        let rooted = FileStore::at_root("/srv/data/", mode);
        assert_eq!(rooted.uri_of("a/b"), format!("{scheme}:///srv/data/a/b"));
        assert_eq!(FileStore::at_root("data", mode).uri_of("x"), "data/x");
    }
}
