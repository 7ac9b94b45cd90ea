//! How many payload bytes are copied in user space, for each way that bytes go (DATA-1).
//!
//! The ways are those that `cargo xtask bench pipelines` measures. What lies in front of the bytes of
//! an answer comes with some of them, and those are moved to their place, as small objects are as a
//! whole: nothing else is copied over plain HTTP.

use std::path::Path;

use hydrant::engine::{MetricsSnapshot, RegionOwner};
use hydrant::{
    Bytes, CopyOptions, GetOptions, Hydrant, Location, TransferLimits, WriterOptions, copy,
};
use hydrant_tests::{World, noise};

/// Bytes of a part of a large object.
const LARGE_PART: usize = 8 << 20;
/// Four parts, and a rest that ends in no block of a disk.
const LARGE: usize = 4 * LARGE_PART + 12_345;
const SMALL: usize = 4 << 10;
const MIDDLE: usize = 1 << 20;

/// What comes with the head of an answer at most: the memory that a head is received into.
const HEAD_BUFFER: u64 = 16 << 10;

/// A world with an object of `size` bytes, a client, and what was copied before.
struct Row {
    world: World,
    hydrant: Hydrant,
    data: Vec<u8>,
    before: MetricsSnapshot,
}

impl Row {
    fn of(size: usize) -> Row {
        let world = World::new();
        let hydrant = world.client_with(|builder| {
            builder.transfer(TransferLimits::default().with(Some(LARGE_PART as u64), Some(4)))
        });
        let data = noise(size as u64, size);
        std::fs::write(world.object("object"), &data).expect("an object");
        std::fs::write(world.file("source"), &data).expect("a file");
        let before = hydrant.engine().metrics();
        Row { world, hydrant, data, before }
    }

    fn at(&self, scheme: &str, name: &str) -> Location {
        self.hydrant.locate(&self.world.uri(scheme, name)).expect("a URI")
    }

    fn copied(&self) -> MetricsSnapshot {
        self.hydrant.engine().metrics().since(&self.before)
    }

    /// Nothing was copied but what came with heads: of a large object a thousandth, of others no more
    /// than the heads' memory holds.
    #[track_caller]
    fn expect_residue(&self, requests: u64) {
        let copied = self.copied();
        let size = self.data.len() as u64;
        let most = if size >= LARGE as u64 { size / 1000 } else { requests * HEAD_BUFFER };
        assert_eq!(copied.copied_bytes(), copied.copied_residue, "{copied:?}");
        assert!(copied.copied_residue <= most, "{} of {size} bytes", copied.copied_residue);
        // A test in which no byte came has shown nothing.
        assert!(copied.bytes_received >= requests * size.min(1), "{copied:?}");
    }

    /// Nothing at all was copied.
    #[track_caller]
    fn expect_none(&self) {
        assert_eq!(self.copied().copied_bytes(), 0, "{:?}", self.copied());
    }

    #[track_caller]
    fn expect_file(&self, path: &Path) {
        assert!(std::fs::read(path).expect("it is there") == self.data);
    }
}

#[test]
fn a_large_object_is_streamed() {
    let row = Row::of(LARGE);
    let at = row.at("s3", "object");
    let mut stream = at.store.get(&at.key, GetOptions::default()).expect("a stream");
    let mut read = 0;
    while let Some(piece) = stream.next_wait() {
        let piece = piece.expect("a piece");
        assert!(row.data[read..].starts_with(&piece));
        read += piece.len();
    }
    assert_eq!(read, LARGE);
    row.expect_residue(5);
}

#[test]
fn a_large_object_comes_into_memory_of_the_caller() {
    let row = Row::of(LARGE);
    let at = row.at("s3", "object");
    let mut memory = vec![0; LARGE];
    assert_eq!(at.store.get_into(&at.key, 0, &mut memory).expect("read"), LARGE);
    assert!(memory == row.data);
    row.expect_residue(5);
}

#[test]
fn a_large_object_comes_into_memory_that_is_registered() {
    let row = Row::of(LARGE);
    let at = row.at("s3", "object");
    // Where pinning it is refused it is used as it is, and no more is copied.
    let memory = row.hydrant.engine().register_memory(vec![0; LARGE]);
    let (owner, region) = RegionOwner::new(memory.expect("no core asks"));
    assert_eq!(at.store.get_region(&at.key, 0, region).wait().expect("read"), LARGE);
    let memory = hydrant::engine::block_on(owner.returned()).expect("no core waits here");
    assert!(memory.into_inner() == row.data);
    row.expect_residue(5);
}

#[test]
fn a_large_object_is_written_to_files() {
    for scheme in ["file", "direct"] {
        let row = Row::of(LARGE);
        let (from, to) = (row.at("s3", "object"), row.at(scheme, "target"));
        copy(&from, &to, CopyOptions::default()).wait().expect("copied");
        row.expect_file(&row.world.file("target"));
        row.expect_residue(5);
    }
}

#[test]
fn a_large_object_is_sent_from_memory() {
    let row = Row::of(LARGE);
    let at = row.at("s3", "target");
    let options = WriterOptions { size_bytes: Some(LARGE as u64), ..WriterOptions::default() };
    let mut writer = at.store.writer_with(&at.key, options).expect("a writer");
    let mut rest = Bytes::from(row.data.clone());
    while !rest.is_empty() {
        let part = rest.split_to(rest.len().min(LARGE_PART));
        writer.write_owned_wait(part).expect("written");
    }
    writer.finish_wait().expect("finished");
    row.expect_file(&row.world.object("target"));
    row.expect_none();
}

#[test]
fn a_large_object_is_sent_from_files() {
    for scheme in ["file", "direct"] {
        let row = Row::of(LARGE);
        let (from, to) = (row.at(scheme, "source"), row.at("s3", "target"));
        copy(&from, &to, CopyOptions::default()).wait().expect("copied");
        row.expect_file(&row.world.object("target"));
        row.expect_none();
    }
}

#[test]
fn small_objects_are_moved_once_at_most() {
    for size in [1, SMALL] {
        let row = Row::of(size);
        let at = row.at("s3", "object");
        for _ in 0..10 {
            let (bytes, _) = at.store.get_whole(&at.key).wait().expect("read");
            assert!(bytes == row.data);
        }
        row.expect_residue(10);
        assert!(row.copied().copied_residue <= 10 * size as u64, "{:?}", row.copied());
    }
}

#[test]
fn an_object_of_a_mebibyte_comes_with_its_head_at_most() {
    let row = Row::of(MIDDLE);
    let at = row.at("s3", "object");
    for _ in 0..10 {
        let (bytes, _) = at.store.get_whole(&at.key).wait().expect("read");
        assert!(bytes == row.data);
    }
    row.expect_residue(10);
}

#[test]
fn small_objects_are_sent_from_where_they_lie() {
    for size in [1, SMALL, MIDDLE] {
        let row = Row::of(size);
        let (at, data) = (row.at("s3", "target"), Bytes::from(row.data.clone()));
        for _ in 0..10 {
            at.store.put(&at.key, data.clone()).wait().expect("put");
        }
        row.expect_file(&row.world.object("target"));
        row.expect_none();
    }
}
