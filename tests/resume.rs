//! Copies that are carried on where an earlier one ended (DATA-3).

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use hydrant::pipeline::Progress;
use hydrant::{CopyOptions, CopyReport, Crc64, ErrorKind, Hydrant, OnFailure, copy};
use hydrant_tests::{BUCKET, PART, Peer, World, noise, wait_until};

const PARTS: usize = 6;

/// A server of one object, which refuses what lies at and behind a part.
struct Source {
    peer: Peer,
    refused_from: Arc<AtomicUsize>,
    object: Arc<Mutex<(Vec<u8>, &'static str)>>,
}

impl Source {
    fn start() -> Source {
        let refused_from = Arc::new(AtomicUsize::new(usize::MAX));
        let object = Arc::new(Mutex::new((noise(1, PARTS * PART - 99), "\"one\"")));
        let (limit, shared) = (Arc::clone(&refused_from), Arc::clone(&object));
        let peer = Peer::start(move |seen, wire| {
            let (first, last) = seen.range().expect("a ranged GET");
            if first / PART >= limit.load(SeqCst) {
                return wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            }
            let (data, etag) = shared.lock().expect("no panic").clone();
            let last = last.min(data.len() - 1);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Length: {}\r\n\
                 Content-Range: bytes {first}-{last}/{}\r\n\r\n",
                last - first + 1,
                data.len()
            );
            wire.send(head.as_bytes())?;
            wire.send(&data[first..=last])
        });
        Source { peer, refused_from, object }
    }

    fn data(&self) -> Vec<u8> {
        self.object.lock().expect("no panic").0.clone()
    }

    fn copy(&self, hydrant: &Hydrant, to: &str) -> hydrant::Result<CopyReport> {
        self.copy_as(hydrant, to, self.how())
    }

    fn how(&self) -> CopyOptions {
        let (on_failure, connections) = (OnFailure::Keep, Some(1));
        CopyOptions { on_failure, connections, ..CopyOptions::default() }
    }

    fn copy_as(
        &self,
        hydrant: &Hydrant,
        to: &str,
        options: CopyOptions,
    ) -> hydrant::Result<CopyReport> {
        let from = self.peer.url().replace("http://", "s3://");
        let source = hydrant.locate(&format!("{from}/{BUCKET}/source")).expect("a URI");
        let target = hydrant.locate(to).expect("a URI");
        copy(&source, &target, options).wait()
    }

    /// Copies until part `from`, and leaves what has come.
    fn copy_some(&self, world: &World, hydrant: &Hydrant, to: &str, from: usize) {
        self.refused_from.store(from, SeqCst);
        let error = self.copy(hydrant, to).expect_err("a part is refused");
        assert!(matches!(error.kind(), ErrorKind::Kept { .. }), "{error}");
        assert!(error.to_string().contains("403"), "{error}");
        assert_eq!(world.files(), 2, "a temporary and its journal");
        assert!(!world.file("target").exists());
        self.refused_from.store(usize::MAX, SeqCst);
    }
}

#[test]
fn a_copy_is_carried_on_and_fetches_only_what_is_missing() {
    for scheme in ["file", "direct"] {
        let (world, source) = (World::new(), Source::start());
        let (hydrant, to) = (world.client(), world.uri(scheme, "target"));
        source.copy_some(&world, &hydrant, &to, 4);
        let before = source.peer.seen().len();
        let report = source.copy(&hydrant, &to).expect("carried on");
        // The first part is read to learn what the object is.
        assert_eq!(report.resumed_bytes, 3 * PART as u64, "{scheme}");
        assert_eq!(source.peer.seen().len() - before, PARTS - 3, "{scheme}");
        assert_eq!((report.began_anew, report.crc64nvme), (None, Some(Crc64::of(&source.data()))));
        expect_done(&world, &source);
    }
}

/// Past the page cache the last part is padded to whole blocks; it must not stay so.
#[test]
fn what_was_begun_past_the_page_cache_is_carried_on_through_it() {
    let (world, source) = (World::new(), Source::start());
    let hydrant = world.client();
    // All parts have come when a folder stands where the file is to be.
    let (folder, size) = (world.file("target"), source.data().len() as u64);
    let progress: Progress = Arc::new(move |done, _| {
        if done == size {
            std::fs::create_dir(&folder).expect("made");
        }
    });
    let options = CopyOptions { progress: Some(progress), ..source.how() };
    let error = source.copy_as(&hydrant, &world.uri("direct", "target"), options);
    let error = error.expect_err("a folder is in the way");
    assert!(matches!(error.kind(), ErrorKind::Kept { .. }), "{error}");
    std::fs::remove_dir(world.file("target")).expect("removed");
    let report = source.copy(&hydrant, &world.uri("file", "target")).expect("carried on");
    assert_eq!(report.resumed_bytes, size - PART as u64);
    expect_done(&world, &source);
}

#[test]
fn an_object_that_has_changed_is_begun_anew_and_that_is_said() {
    let (world, source) = (World::new(), Source::start());
    let (hydrant, to) = (world.client(), world.uri("file", "target"));
    source.copy_some(&world, &hydrant, &to, 4);
    *source.object.lock().expect("no panic") = (noise(2, PARTS * PART - 99), "\"two\"");
    let report = source.copy(&hydrant, &to).expect("copied");
    assert!(report.began_anew.is_some_and(|why| why.contains("has changed")));
    assert_eq!(report.resumed_bytes, 0);
    expect_done(&world, &source);
}

#[test]
fn what_was_kept_and_is_broken_is_fetched_again() {
    let (world, source) = (World::new(), Source::start());
    let (hydrant, to) = (world.client(), world.uri("file", "target"));
    source.copy_some(&world, &hydrant, &to, 5);
    let kept = kept(&world, ".tmp");
    let mut bytes = std::fs::read(&kept).expect("a temporary");
    bytes[2 * PART + 7] ^= 1;
    std::fs::write(&kept, bytes).expect("written");
    let report = source.copy(&hydrant, &to).expect("carried on");
    assert_eq!(report.resumed_bytes, 3 * PART as u64);
    expect_done(&world, &source);

    // A temporary that is gone, and a journal that says nothing.
    for (end, resumed) in [(".tmp", 0), (".jnl", 0)] {
        std::fs::remove_file(world.file("target")).expect("removed");
        source.copy_some(&world, &hydrant, &to, 3);
        match end {
            ".tmp" => std::fs::remove_file(self::kept(&world, end)).expect("removed"),
            _ => std::fs::write(self::kept(&world, end), b"nonsense").expect("written"),
        }
        let report = source.copy(&hydrant, &to).expect("copied");
        assert_eq!((report.resumed_bytes, report.began_anew.is_some()), (resumed, true), "{end}");
        expect_done(&world, &source);
    }
}

#[test]
fn only_one_copy_at_a_time_carries_on() {
    let world = World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.throttle_bytes_per_second = Some(4 << 20);
    });
    let hydrant = world.client();
    let data = noise(1, 3 * PART);
    std::fs::write(world.object("source"), &data).expect("an object");
    let source = hydrant.locate(&world.uri("s3", "source")).expect("a URI");
    let target = hydrant.locate(&world.uri("file", "target")).expect("a URI");
    let how = || CopyOptions { on_failure: OnFailure::Keep, ..CopyOptions::default() };
    let first = copy(&source, &target, how());
    wait_until("the first one has begun", || world.files() == 2);
    let error = copy(&source, &target, how()).wait().expect_err("the first one is at work");
    assert!(error.to_string().contains("another copy"), "{error}");
    assert_eq!(first.wait().expect("copied").bytes, data.len() as u64);
    assert!(std::fs::read(world.file("target")).expect("a file") == data);
    assert_eq!(world.files(), 1);
}

#[test]
fn what_cannot_be_carried_on_is_refused_at_once() {
    let (world, source) = (World::new(), Source::start());
    let hydrant = world.client();
    let error = source.copy(&hydrant, &world.uri("mem", "target")).expect_err("not in memory");
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
}

fn expect_done(world: &World, source: &Source) {
    assert!(std::fs::read(world.file("target")).expect("a file") == source.data());
    assert_eq!(world.files(), 1, "neither temporary nor journal");
}

fn kept(world: &World, end: &str) -> PathBuf {
    let folder = world.file("target");
    let folder = folder.parent().expect("a folder");
    let mut paths = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one"));
    paths
        .find(|entry| entry.file_name().to_string_lossy().ends_with(end))
        .map(|entry| entry.path())
        .expect("it is kept")
}
