//! Many ranges of many objects into memory of the caller, in one call.

use hydrant::engine::{Error as EngineError, Region, RegionOwner};
use hydrant::{Bytes, ErrorKind, Location, RangeInto, RangeRegion, RangesOptions};
use hydrant_tests::{BUCKET, PART, World, noise};

const SCHEMES: [&str; 4] = ["s3", "file", "direct", "mem"];

#[test]
fn every_range_comes_to_its_place() {
    let world = World::new();
    let hydrant = world.client();
    let sizes = [3 * PART + 5, 100_000];
    for scheme in SCHEMES {
        let at = sizes.map(|size| hydrant.locate(&world.uri(scheme, &size.to_string())));
        let at = at.map(|at| at.expect("a URI"));
        let data = sizes.map(|size| Bytes::from(noise(size as u64, size)));
        for (at, data) in at.iter().zip(&data) {
            at.store.put(&at.key, data.clone()).wait().expect("put");
        }
        // Far from each other, near, overlapping, longer than a part, empty, beyond the end.
        let wanted = [
            (0, 2 * PART, 1000),
            (1, 0, 10),
            (1, 12, 5_000),
            (1, 4_000, 2_000),
            (0, 7, 2 * PART + 1),
            (1, 50, 0),
            (0, 3 * PART, 100),
            (1, 100_000, 10),
            (1, 99_990, 3_000),
        ];
        let mut memory: Vec<_> = wanted.iter().map(|(_, _, len)| vec![0xee; *len]).collect();
        let mut ranges: Vec<_> = wanted
            .iter()
            .zip(&mut memory)
            .map(|((object, offset, _), into)| RangeInto {
                key: &at[*object].key,
                offset: *offset as u64,
                into,
            })
            .collect();
        let options = RangesOptions::default();
        let results = at[0].store.get_ranges_into(&mut ranges, options).expect("none is refused");
        for (((object, offset, len), memory), result) in wanted.iter().zip(&memory).zip(results) {
            let data = &data[*object][*offset..(*offset + *len).min(sizes[*object])];
            let bytes = result.expect("read");
            let what = format!("{} at {offset}", at[*object]);
            assert_eq!(bytes, data.len(), "{what}");
            assert!(memory[..bytes] == *data, "{what}");
            assert!(memory[bytes..].iter().all(|byte| *byte == 0xee), "{what}: behind the end");
        }
    }
}

#[test]
fn neighbours_share_a_request_and_the_others_are_not_copied() {
    let world = World::new();
    let hydrant = world.client();
    std::fs::write(world.object("object"), noise(1, PART)).expect("an object");
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let read = |gap_bytes_max: u64| {
        let mut memory = vec![[0; 1000]; 50];
        let mut ranges: Vec<_> = memory
            .iter_mut()
            .enumerate()
            .map(|(at, into)| RangeInto { key: "object", offset: 2000 * at as u64, into })
            .collect();
        let (gets, before) = (world.server().stats().get, hydrant.engine().metrics());
        let mut options = RangesOptions::default();
        options.gap_bytes_max = gap_bytes_max;
        let results = store.get_ranges_into(&mut ranges, options).expect("none is refused");
        assert!(results.iter().all(|result| matches!(result, Ok(1000))));
        let copied = hydrant.engine().metrics().since(&before).copied_bounce;
        (world.server().stats().get - gets, copied)
    };
    assert_eq!(read(1000), (1, 50_000));
    assert_eq!(read(999), (50, 0));
}

/// Neighbours that are copied cost less than a request each, as long as they are small.
#[test]
fn large_neighbours_are_received_in_their_places() {
    let world = World::new();
    let hydrant = world.client();
    std::fs::write(world.object("object"), noise(1, PART)).expect("an object");
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let read = |len: usize| {
        let mut memory = vec![vec![0; len]; 4];
        let mut ranges: Vec<_> = memory
            .iter_mut()
            .enumerate()
            .map(|(at, into)| RangeInto { key: "object", offset: (len * at) as u64, into })
            .collect();
        let (gets, before) = (world.server().stats().get, hydrant.engine().metrics());
        let results = store.get_ranges_into(&mut ranges, RangesOptions::default());
        assert!(
            results.expect("none is refused").iter().all(|it| matches!(it, Ok(it) if *it == len))
        );
        assert!(memory.concat() == noise(1, PART)[..4 * len]);
        let copied = hydrant.engine().metrics().since(&before).copied_bounce;
        (world.server().stats().get - gets, copied)
    };
    assert_eq!(read(256 << 10), (1, 1 << 20));
    let (gets, copied) = read((256 << 10) + 1);
    assert_eq!(gets, 4);
    assert!(copied <= gets * 16 * 1024, "{copied} bytes: more than came with the heads");
}

/// Memory that the kernel knows by number, filled by two objects at once; each piece is free when all
/// is told (OWN-2).
#[test]
fn many_ranges_go_into_registered_memory() {
    let world = World::new();
    let hydrant = world.client();
    let (one, two) = (noise(1, 2 * PART + 77), noise(2, 5_000));
    std::fs::write(world.object("one"), &one).expect("an object");
    std::fs::write(world.object("two"), &two).expect("an object");
    std::fs::write(world.file("one"), &one).expect("a file");
    std::fs::write(world.file("two"), &two).expect("a file");
    for scheme in ["s3", "file", "direct"] {
        let [one_at, two_at] =
            ["one", "two"].map(|name| hydrant.locate(&world.uri(scheme, name)).expect("a URI"));
        let memory = vec![0xeeu8; 3 * PART];
        let memory = hydrant.engine().register_memory(memory).expect("memory");
        let (owner, mut rest) = RegionOwner::new(memory);
        fn piece<'a>(
            rest: &mut Region,
            at: &'a Location,
            offset: usize,
            len: usize,
        ) -> RangeRegion<'a> {
            RangeRegion { key: &at.key, offset: offset as u64, into: rest.split_to(len) }
        }
        let ranges = vec![
            piece(&mut rest, &one_at, 7, PART + 1),
            piece(&mut rest, &two_at, 4_000, 2_000),
            piece(&mut rest, &two_at, 0, 100),
            piece(&mut rest, &one_at, 2 * PART, 100),
        ];
        drop(rest);
        let reading = one_at.store.get_regions(ranges, RangesOptions::default());
        let told = reading.wait().expect("read").into_iter().map(|it| it.expect("read"));
        assert_eq!(told.collect::<Vec<_>>(), [PART + 1, 1_000, 100, 77], "{scheme}");
        let memory = owner.try_into_inner().expect("every piece is back").into_inner();
        let mut at = 0;
        let mut next = |len: usize| {
            at += len;
            &memory[at - len..at]
        };
        assert!(next(PART + 1) == &one[7..PART + 8], "{scheme}");
        assert!(next(1_000) == &two[4_000..], "{scheme}");
        assert!(next(1_000).iter().all(|byte| *byte == 0xee), "{scheme}: behind the end");
        assert!(next(100) == &two[..100], "{scheme}");
        assert!(next(77) == &one[2 * PART..], "{scheme}");
        assert!(next(23).iter().all(|byte| *byte == 0xee), "{scheme}: behind the end");
    }
}

#[test]
fn a_range_that_fails_stops_no_other() {
    let world = World::new();
    let hydrant = world.client();
    std::fs::write(world.object("here"), b"0123456789").expect("an object");
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    let (mut one, mut two, mut three) = ([0; 4], [0; 4], [0; 4]);
    let mut ranges = [
        RangeInto { key: "here", offset: 0, into: &mut one },
        RangeInto { key: "gone", offset: 0, into: &mut two },
        RangeInto { key: "here", offset: 6, into: &mut three },
    ];
    let results = store.get_ranges_into(&mut ranges, RangesOptions::default());
    let results = results.expect("none is refused");
    assert!(matches!(results[0], Ok(4)) && matches!(results[2], Ok(4)), "{results:?}");
    assert!(results[1].as_ref().is_err_and(hydrant::Error::is_not_found), "{results:?}");
    assert_eq!((&one, &three), (b"0123", b"6789"));
    assert!(store.get_ranges_into(&mut [], RangesOptions::default()).expect("nothing").is_empty());
}

/// The work would lie in the inbox of the core that waits for its end.
#[test]
fn on_a_core_no_memory_is_lent() {
    let world = World::new();
    let hydrant = world.client_with(|builder| builder.cores(1));
    let store = hydrant.store("mem://ranges/").expect("a store");
    let calling = hydrant.engine().on_core(0, move |_| async move {
        let mut memory = [0; 4];
        let into = store.get_into("object", 0, &mut memory).map(drop);
        let mut ranges = [RangeInto { key: "object", offset: 0, into: &mut memory }];
        let ranges = store.get_ranges_into(&mut ranges, RangesOptions::default()).map(drop);
        [into, ranges]
    });
    for refused in calling.expect("room").wait().expect("no hang") {
        let error = refused.expect_err("a core must not wait");
        let deadlock = ErrorKind::Engine(EngineError::WouldDeadlock);
        assert_eq!(error.to_string(), hydrant::Error::from(deadlock).to_string());
    }
}
