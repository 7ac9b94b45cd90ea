use std::io::Write;

use bytes::Bytes;
use hydrant_engine::RegionOwner;

use super::*;
use crate::error::{Class, ErrorKind};
use crate::store::Reader;

#[test]
fn a_file_changed_in_place_is_noticed() {
    let house = House::new();
    for mode in MODES {
        let store = house.rooted(mode);
        let changes: [fn(&std::fs::File); 3] = [
            |file| file.set_len(5000).expect("cut"),
            |mut file| file.write_all(&[7; 100]).expect("written over"),
            |file| file.set_len(50_000).expect("grown"),
        ];
        for change in changes {
            house.put(&store, "object", pattern(20_000)).expect("put");
            let reader = store.reader("object");
            assert_eq!(read_from(&house, &reader, 0, 8192).expect("read").len(), 8192);
            let file = std::fs::OpenOptions::new().write(true).open(house.path("object"));
            change(&file.expect("opened"));
            let error = read_from(&house, &reader, 8192, 8192).expect_err("changed (DATA-2)");
            assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
            assert_eq!(error.class(), Class::Integrity);
        }
    }
}

#[test]
fn a_reader_on_two_cores_opens_one_version() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    for turn in 0..20u8 {
        house.put(&store, "object", vec![turn; 4096]).expect("put");
        let reader = store.reader("object");
        let replaced_by = pattern(9000);
        let read = |core: usize| {
            let reader = Arc::clone(&reader);
            let task = house.engine.on_core(core, move |core| async move {
                let buf = core.pool().lease(4096, "test").await.expect("memory").into();
                reader.read(&core, 0, buf, 0..4096).await.result.expect("read").object_bytes
            });
            task.expect("a place")
        };
        let (first, second) = (read(0), read(1));
        let size = reader_size(first.wait().expect("no panic"), second.wait().expect("no panic"));
        house.put(&store, "object", replaced_by).expect("put");
        assert_eq!(reader.meta().expect("was read").size_bytes, size);
        assert_eq!(read_from(&house, &reader, 0, 4096).expect("read"), vec![turn; 4096]);
    }

    fn reader_size(first: u64, second: u64) -> u64 {
        assert_eq!(first, second);
        first
    }
}

#[test]
fn a_read_beyond_the_end_reads_nothing() {
    let house = House::new();
    for mode in MODES {
        let store = house.rooted(mode);
        house.put(&store, "object", pattern(1000)).expect("put");
        let reader = store.reader("object");
        assert!(reader.meta().is_none(), "nothing is asked before the first read");
        assert_eq!(read_from(&house, &reader, 0, 4096).expect("read"), pattern(1000));
        for offset in [1000, 4096, u64::MAX as usize] {
            assert!(read_from(&house, &reader, offset, 4096).expect("read").is_empty());
        }
        assert_eq!(read_from(&house, &reader, 999, 10).expect("read"), pattern(1000)[999..]);
    }
}

#[test]
fn memory_of_the_caller_is_filled_whatever_its_alignment() {
    let house = House::new();
    let bytes = pattern(100_000);
    for mode in MODES {
        let store = house.rooted(mode);
        house.put(&store, "object", bytes.clone()).expect("put");
        for (offset, skip) in [(0, 1), (513, 0), (4096, 7), (99_990, 3)] {
            let reader = store.reader("object");
            let (owner, region) = RegionOwner::new(vec![0u8; 40_000]);
            let read = house.run(move |core| {
                Box::pin(async move {
                    let part = reader.read(&core, offset, region.into(), skip..40_000).await;
                    part.result.expect("read").len_bytes
                })
            });
            let memory = owner.wait_blocking();
            let wanted = &bytes[offset as usize..(offset as usize + 40_000 - skip).min(100_000)];
            assert!(&memory[skip..skip + read] == wanted, "{offset} {skip} {mode:?}");
        }
    }
}

#[test]
fn what_is_no_object_is_said() {
    let house = House::new();
    std::fs::create_dir(house.path("dir")).expect("made");
    let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
    for (store, key) in [
        (house.rooted(FileMode::Buffered), "dir".to_owned()),
        (house.rooted(FileMode::Direct), "dir".to_owned()),
        (Arc::clone(&typed), house.key("dir")),
    ] {
        let error = house.get(&store, &key, 4096).expect_err("a directory");
        assert!(error.to_string().contains("is a directory"), "{error}");
        assert_eq!(house.head(&store, &key).expect_err("a directory").class(), Class::Usage);
        assert_eq!(house.delete(&store, &key).expect_err("a directory").class(), Class::Usage);
        let missing = format!("{key}/missing");
        for error in [
            house.get(&store, &missing, 4096).expect_err("not there"),
            house.head(&store, &missing).expect_err("not there"),
            house.delete(&store, &missing).expect_err("not there"),
        ] {
            assert!(matches!(error.kind(), ErrorKind::NotFound { .. }), "{error}");
            assert!(error.to_string().contains("dir/missing"), "{error}");
        }
    }
    let error = house.get(&typed, "/dev/null", 4096).expect_err("a device");
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn bytes_that_are_shared_are_not_read_into() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    house.put(&store, "object", pattern(100)).expect("put");
    let reader = store.reader("object");
    let result = house.run(move |core| {
        let shared = Bytes::from_static(&[0; 100]);
        Box::pin(async move { reader.read(&core, 0, shared.into(), 0..100).await.result })
    });
    assert!(result.is_err());
}

#[test]
fn a_file_system_that_refuses_o_direct_is_counted() {
    let house = House::new();
    let store = Arc::new(FileStore::unrooted(FileMode::Direct));
    house.put(&store, &house.key("object"), pattern(10)).expect("put");
    assert_eq!(house.get(&store, &house.key("object"), 4096).expect("got"), pattern(10));
    let before = store.direct_refused();
    // The files of /proc take no O_DIRECT.
    let reader = store.reader("/proc/version");
    let read = read_from(&house, &reader, 0, 4096).expect("FALL-1: read through the page cache");
    assert!(read.is_empty(), "its length is told as 0");
    assert_eq!(store.direct_refused(), before + 1);
}

pub(super) fn read_from(
    house: &House,
    reader: &Arc<dyn Reader>,
    offset: usize,
    len: usize,
) -> Result<Vec<u8>> {
    let reader = Arc::clone(reader);
    house.run(move |core| {
        Box::pin(async move {
            let buf = core.pool().lease(len, "test").await?.into();
            let part = reader.read(&core, offset as u64, buf, 0..len).await;
            let read = part.result?.len_bytes;
            let mut lease = part.buf.into_lease().expect("a lease was given");
            Ok(lease.as_mut_slice()[..read].to_vec())
        })
    })
}
