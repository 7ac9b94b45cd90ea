//! Many ranges of many objects into memory of the caller, in one call.

use hydrant::engine::Error as EngineError;
use hydrant::{Bytes, ErrorKind, RangeInto, RangesOptions};
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
