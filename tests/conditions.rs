//! Conditions of calls that read or write one object: looking at it, many ranges of it, copies of it.

use hydrant::{
    Bytes, CopyOptions, CopyWay, Error, ErrorKind, Location, OnFailure, RangeInto, RangesOptions,
    ReadIf, ReadOptions, WriteIf, copy,
};
use hydrant_tests::{PART, World, noise, read_all};

const SCHEMES: [&str; 3] = ["s3", "file", "mem"];

fn only_if(read_if: ReadIf) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.read_if = Some(read_if);
    options
}

fn reading(read_if: ReadIf) -> CopyOptions {
    CopyOptions { read: only_if(read_if), ..CopyOptions::default() }
}

fn writing(write_if: WriteIf) -> CopyOptions {
    CopyOptions { write_if: Some(write_if), ..CopyOptions::default() }
}

#[test]
fn an_object_is_looked_at_under_a_condition() {
    let world = World::new();
    let hydrant = world.client();
    for scheme in SCHEMES {
        let at = hydrant.locate(&world.uri(scheme, "object")).expect("a URI");
        at.store.put(&at.key, Bytes::from_static(b"0123456789")).wait().expect("put");
        let etag = at.store.head(&at.key).wait().expect("it is there").etag.expect("a tag");
        let head = |read_if| at.store.head_with(&at.key, &only_if(read_if)).wait();
        assert_eq!(head(ReadIf::Is(etag)).expect("the same").size_bytes, 10);
        assert!(head(ReadIf::IsNot(etag)).is_err_and(|error| error.is_condition()), "{scheme}");
        let gone = at.store.head_with("/gone/entirely", &only_if(ReadIf::Is(etag))).wait();
        assert!(gone.is_err_and(|error| error.is_not_found()), "{scheme}");

        let ranges = |read_if| {
            let mut memory = [[0; 3]; 2];
            let [one, two] = &mut memory;
            let mut wanted = [
                RangeInto { key: &at.key, offset: 1, into: one },
                RangeInto { key: &at.key, offset: 7, into: two },
            ];
            let mut options = RangesOptions::default();
            options.read = only_if(read_if);
            let told = at.store.get_ranges_into(&mut wanted, options).expect("none is refused");
            (told, memory)
        };
        let (told, memory) = ranges(ReadIf::Is(etag));
        assert!(told.iter().all(|told| matches!(told, Ok(3))), "{scheme}: {told:?}");
        assert_eq!(memory, [*b"123", *b"789"]);
        let (told, _) = ranges(ReadIf::IsNot(etag));
        let refused = |told: &hydrant::Result<usize>| told.as_ref().is_err_and(Error::is_condition);
        assert!(told.iter().all(refused), "{scheme}: {told:?}");
    }
}

#[test]
fn versions_are_s3s_alone() {
    let world = World::new();
    let hydrant = world.client();
    let mut options = ReadOptions::default();
    options.version_id = Some("1".to_owned());
    for scheme in ["file", "mem"] {
        let at = hydrant.locate(&world.uri(scheme, "object")).expect("a URI");
        let told = at.store.head_with(&at.key, &options).wait();
        let error = told.expect_err("no versions");
        assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{scheme}: {error}");
        let to = hydrant.locate(&world.uri(scheme, "copy")).expect("a URI");
        let copied =
            copy(&at, &to, CopyOptions { read: options.clone(), ..CopyOptions::default() });
        let error = copied.wait().expect_err("no versions");
        assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{scheme}: {error}");
    }
}

#[test]
fn copies_hold_to_conditions_of_both_ends() {
    let world = World::new();
    let hydrant = world.client();
    for size in [0, 1000, 2 * PART + 5] {
        for (from, to) in SCHEMES.iter().flat_map(|from| SCHEMES.map(|to| (from, to))) {
            let what = format!("{size} bytes from {from} to {to}");
            let data = Bytes::from(noise(size as u64, size));
            let source = hydrant.locate(&world.uri(from, "source")).expect("a URI");
            source.store.put(&source.key, data.clone()).wait().expect("put");
            let target = hydrant.locate(&world.uri(to, &format!("t{size}{from}"))).expect("a URI");
            copy_once(&source, &target, &what);
            assert!(read_all(&target).expect(&what) == data, "{what}");
        }
    }
}

fn copy_once(source: &Location, target: &Location, what: &str) {
    let etag = source.store.head(&source.key).wait().expect("there").etag.expect("a tag");
    let refused = |options: CopyOptions| {
        let error = copy(source, target, options).wait().expect_err(what);
        assert!(error.is_condition(), "{what}: {error}");
    };
    refused(reading(ReadIf::IsNot(etag)));
    let gone = target.store.head(&target.key).wait();
    assert!(gone.is_err_and(|error| error.is_not_found()), "{what}: nothing was written");
    let mut once = reading(ReadIf::Is(etag));
    once.write_if = Some(WriteIf::Absent);
    let report = copy(source, target, once.clone()).wait().expect(what);
    assert_eq!(report.way, CopyWay::Streamed, "{what}");
    assert!(report.fell_back.is_some_and(|why| why.contains("condition")), "{what}");
    refused(once);
    let there = target.store.head(&target.key).wait().expect("there").etag.expect("a tag");
    let replaced = copy(source, target, writing(WriteIf::Is(there))).wait();
    match target.store.uri_of(&target.key).starts_with("file") {
        true => {
            let error = replaced.expect_err("no file can");
            assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{what}: {error}");
            let mut kept = writing(WriteIf::Absent);
            kept.on_failure = OnFailure::Keep;
            assert!(copy(source, target, kept).wait().is_err(), "{what}");
        }
        false => drop(replaced.expect(what)),
    }
}
