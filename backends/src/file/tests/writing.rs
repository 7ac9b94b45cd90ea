use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;

use super::reading::read_from;
use super::*;
use crate::error::{Class, ErrorKind};
use crate::store::Upload;

const PART: usize = 64 << 10;

#[test]
fn what_was_put_is_what_is_got() {
    let house = House::new();
    for mode in MODES {
        let store = house.rooted(mode);
        for len in [0, 1, 511, 512, 4095, 4096, PART - 1, PART, PART + 1, 3 * PART + 5] {
            let bytes = pattern(len);
            let meta = house.put(&store, "object", bytes.clone()).expect("put");
            assert_eq!(meta.size_bytes, len as u64);
            assert_eq!(std::fs::read(house.path("object")).expect("a file"), bytes);
            assert_eq!(house.head(&store, "object").expect("head"), meta);
            for part_bytes in [PART, 4096, 1000] {
                let read = house.get(&store, "object", part_bytes).expect("get");
                assert!(read == bytes, "{len} bytes in parts of {part_bytes}, {mode:?}");
            }
        }
        assert_eq!(house.files(), ["object"]);
    }
}

#[test]
fn parts_come_in_any_order_from_any_core() {
    let house = House::new();
    for mode in MODES {
        for size_is_known in [true, false] {
            let bytes = pattern(3 * PART + 777);
            let store = house.rooted(mode);
            let upload = begin(&house, &store, "made", size_is_known.then_some(bytes.len()));
            let parts = parts_of(bytes.len());
            for (turn, index) in [3, 1, 0, 2].into_iter().enumerate() {
                let bytes =
                    bytes[parts[index].offset as usize..][..parts[index].len as usize].to_vec();
                let written = put_part(&house, turn % 2, &upload, parts[index], bytes);
                assert_eq!(written.expect("written"), tag(parts[index]));
            }
            assert!(!house.path("made").exists(), "DATA-3: not before it is whole");
            let meta = complete(&house, &upload, &parts).expect("completed");
            assert_eq!(meta.size_bytes, bytes.len() as u64);
            assert!(std::fs::read(house.path("made")).expect("a file") == bytes);
            assert_eq!(house.head(&store, "made").expect("head"), meta);
            assert_eq!(house.files(), ["made"]);

            let late = put_part(&house, 0, &upload, parts[1], vec![0; PART]);
            assert!(matches!(late.expect_err("too late").kind(), ErrorKind::InvalidInput(_)));
            assert!(abort(&house, &upload).is_err(), "a visible object is not thrown away");
            assert!(std::fs::read(house.path("made")).expect("a file") == bytes);
            std::fs::remove_file(house.path("made")).expect("removed");
        }
    }
}

#[test]
fn blocks_asked_for_ahead_do_not_stay_behind_the_end() {
    let house = House::new();
    for mode in MODES {
        let store = house.rooted(mode);
        let upload = begin(&house, &store, "short", Some(PART + 1));
        let parts = parts_of(PART + 1);
        put_part(&house, 0, &upload, parts[0], pattern(PART)).expect("written");
        put_part(&house, 1, &upload, parts[1], vec![9]).expect("written");
        assert_eq!(complete(&house, &upload, &parts).expect("completed").size_bytes, 65_537);
        let on_disk = std::fs::read(house.path("short")).expect("a file");
        assert_eq!((on_disk.len(), on_disk[PART]), (PART + 1, 9));
    }
}

#[test]
fn an_object_with_a_hole_or_a_wrong_size_is_refused_and_leaves_nothing() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    let parts = parts_of(3 * PART);
    let hole: &[PartRequest] = &[parts[0], parts[2]];
    let cases = [(None, hole), (Some(3 * PART), &parts[..2]), (None, &parts[1..])];
    for (size, tags) in cases {
        let upload = begin(&house, &store, "broken", size);
        for part in tags {
            put_part(&house, 0, &upload, *part, pattern(PART)).expect("written");
        }
        let error = complete(&house, &upload, tags).expect_err("not whole (DATA-2)");
        assert_eq!(error.class(), Class::Integrity, "{error}");
        assert!(house.files().is_empty(), "{:?}", house.files());
        abort(&house, &upload).expect("nothing is left to abort");
    }
}

#[test]
fn an_aborted_upload_leaves_nothing() {
    let house = House::new();
    for mode in MODES {
        let store = house.rooted(mode);
        let upload = begin(&house, &store, "gone", Some(2 * PART));
        put_part(&house, 0, &upload, part(0, 0, PART), pattern(PART)).expect("written");
        assert_eq!(house.files().len(), 1, "the temporary");
        assert!(house.list(&store, ListRequest::default()).expect("listed").is_empty());
        abort(&house, &upload).expect("aborted");
        assert!(house.files().is_empty());
        abort(&house, &upload).expect("aborting twice is no error");
        assert!(put_part(&house, 0, &upload, part(1, PART, PART), pattern(PART)).is_err());
        assert!(complete(&house, &upload, &[]).is_err());
        assert!(house.files().is_empty());
    }
}

#[test]
fn a_write_that_is_dropped_at_any_time_leaves_nothing_or_a_whole_object() {
    let house = House::new();
    let bytes = pattern(PART);
    let (mut absent, mut whole) = (0, 0);
    for turns in 0..60 {
        let store = house.rooted(FileMode::Buffered);
        let given = bytes.clone();
        let task = house.engine.on_core(0, move |core| async move {
            let (buf, span) = lease_of(&core, &given).await;
            let options = PutOptions::default();
            let mut put = store.put(&core, "sub/dropped", buf, span, &options);
            let mut polls = 0;
            std::future::poll_fn(|cx| {
                polls += 1;
                let done = polls > turns || Pin::new(&mut put).poll(cx).is_ready();
                if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
        });
        task.expect("a place").wait().expect("no panic");
        let cleaned_up = |files: &[String]| !files.iter().any(|name| name.contains("hydrant-"));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !cleaned_up(&house.files()) {
            assert!(std::time::Instant::now() < until, "left behind: {:?}", house.files());
            std::thread::yield_now();
        }
        match std::fs::read(house.path("sub/dropped")) {
            Ok(found) => {
                assert!(found == bytes, "DATA-3: visible only when it is whole");
                std::fs::remove_file(house.path("sub/dropped")).expect("removed");
                whole += 1;
            }
            Err(_) => absent += 1,
        }
    }
    assert!(absent > 0 && whole > 0, "{absent} absent, {whole} whole");
    // Stopping waits for clean-ups that had not even begun to be seen above.
    house.engine.stop().expect("stopped");
    assert!(house.files().is_empty(), "left behind: {:?}", house.files());
}

#[test]
fn replacing_a_file_is_atomic_for_those_who_read_it() {
    let house = House::new();
    let store = house.rooted(FileMode::Buffered);
    let (old, new) = (vec![1; 2 * PART], vec![2; 3 * PART]);
    house.put(&store, "object", old.clone()).expect("put");
    let reader = store.reader("object");
    let first = read_from(&house, &reader, 0, PART);
    let upload = begin(&house, &store, "object", None);
    let parts = parts_of(new.len());
    for part in &parts {
        put_part(&house, 1, &upload, *part, vec![2; PART]).expect("written");
    }
    assert_eq!(std::fs::read(house.path("object")).expect("a file"), old, "the old one");
    complete(&house, &upload, &parts).expect("completed");
    assert_eq!(std::fs::read(house.path("object")).expect("a file"), new, "the new one");
    let second = read_from(&house, &reader, PART, 2 * PART);
    assert_eq!((first.expect("read"), second.expect("read")), (vec![1; PART], vec![1; PART]));
    assert_eq!(reader.meta().expect("was read").size_bytes, 2 * PART as u64);
}

#[test]
fn directories_are_made_on_the_way() {
    let house = House::new();
    for mode in MODES {
        let root = house.path("not/yet");
        let store = Arc::new(FileStore::at_root(&root, mode));
        assert!(house.head(&store, "a").expect_err("nothing there").is_not_found());
        house.put(&store, "a/b/c", vec![1]).expect("put beneath a root");
        house.put(&store, "a/b/d", vec![2]).expect("put where the directories are");
        assert_eq!(house.files(), ["not/yet/a/b/c", "not/yet/a/b/d"]);
        let typed = Arc::new(FileStore::unrooted(mode));
        house.put(&typed, &house.key("x/y/z"), vec![3]).expect("put as typed");
        assert_eq!(std::fs::read(house.path("x/y/z")).expect("a file"), [3]);
        std::fs::remove_dir_all(house.path("not")).expect("removed");
        std::fs::remove_dir_all(house.path("x")).expect("removed");
    }
}

#[test]
fn a_file_in_the_way_of_a_directory_is_named_and_the_other_way_round() {
    let house = House::new();
    let rooted = house.rooted(FileMode::Buffered);
    let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
    house.put(&rooted, "file", vec![1]).expect("put");
    std::fs::create_dir(house.path("dir")).expect("made");
    for (store, file, dir) in [
        (&rooted, "file/x".to_owned(), "dir".to_owned()),
        (&typed, house.key("file/x"), house.key("dir")),
    ] {
        let error = house.put(store, &file, vec![2]).expect_err("a file is no directory");
        assert_eq!(error.class(), Class::Usage);
        assert!(error.to_string().contains("is a file, no directory"), "{error}");
        let error = house.put(store, &dir, vec![2]).expect_err("a directory is no file");
        assert!(error.to_string().contains("it is a directory"), "{error}");
    }
    assert_eq!(house.files(), ["file"]);
}

#[test]
fn only_regular_files_are_replaced() {
    let house = House::new();
    let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
    // A socket stands for /dev/null here: were this broken, a test that runs as root would replace
    // the machine's own.
    let _socket = UnixListener::bind(house.path("socket")).expect("bound");
    symlink("socket", house.path("alias")).expect("made");
    symlink("nowhere", house.path("dangling")).expect("made");
    for name in ["socket", "alias", "dangling"] {
        let error = house.put(&typed, &house.key(name), vec![1]).expect_err("no regular file");
        assert!(error.to_string().contains("only regular files are replaced"), "{error}");
    }
    let socket = std::fs::symlink_metadata(house.path("socket")).expect("there");
    assert!(socket.file_type().is_socket(), "still the socket");
    assert!(house.path("alias").is_symlink() && house.path("dangling").is_symlink());
    assert_eq!(house.files(), ["alias", "dangling", "socket"]);
}

#[test]
fn a_link_that_was_typed_is_written_through() {
    let house = House::new();
    std::fs::create_dir(house.path("real")).expect("made");
    std::fs::write(house.path("real/file"), "old").expect("written");
    symlink("real/file", house.path("link")).expect("made");
    let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
    house.put(&typed, &house.key("link"), b"new".to_vec()).expect("put");
    assert_eq!(std::fs::read(house.path("real/file")).expect("a file"), b"new");
    assert!(house.path("link").is_symlink());
    assert_eq!(house.get(&typed, &house.key("link"), 4096).expect("got"), b"new");
    assert_eq!(house.head(&typed, &house.key("link")).expect("head").size_bytes, 3);
}

#[test]
fn a_full_or_forbidden_disk_is_said_with_its_path() {
    let house = House::new();
    let typed = Arc::new(FileStore::unrooted(FileMode::Buffered));
    let error = house.put(&typed, "/proc/hydrant/x", vec![1]).expect_err("no such place");
    assert!(error.to_string().contains("/proc/hydrant"), "{error}");

    let store = house.rooted(FileMode::Buffered);
    let (for_core, size) = (Arc::clone(&store), 1u64 << 62);
    let begun = house.run(move |core| {
        Box::pin(async move {
            for_core.begin_upload(&core, "huge", Some(size), &PutOptions::default()).await.map(drop)
        })
    });
    let error = begun.expect_err("no disk has 4 EiB");
    assert!(error.to_string().contains(".huge.hydrant-"), "{error}");
    assert!(house.files().is_empty(), "the temporary is removed");
}

fn parts_of(len: usize) -> Vec<PartRequest> {
    let offsets = (0..len).step_by(PART).enumerate();
    offsets.map(|(index, at)| part(index as u64, at, PART.min(len - at))).collect()
}

fn begin(
    house: &House,
    store: &Arc<FileStore>,
    key: &'static str,
    size: Option<usize>,
) -> Arc<dyn Upload> {
    let store = Arc::clone(store);
    let begun = house.run(move |core| {
        Box::pin(async move {
            let size = size.map(|size| size as u64);
            store.begin_upload(&core, key, size, &PutOptions::default()).await
        })
    });
    begun.expect("begun")
}

fn put_part(
    house: &House,
    core: usize,
    upload: &Arc<dyn Upload>,
    part: PartRequest,
    bytes: Vec<u8>,
) -> Result<PartTag> {
    let upload = Arc::clone(upload);
    let task = house.engine.on_core(core, move |core| async move {
        let (buf, span) = lease_of(&core, &bytes).await;
        upload.put_part(&core, part, buf, span, None).await.0
    });
    task.expect("a place").wait().expect("no panic")
}

fn complete(house: &House, upload: &Arc<dyn Upload>, parts: &[PartRequest]) -> Result<ObjectMeta> {
    let upload = Arc::clone(upload);
    let tags: Vec<_> = parts.iter().copied().map(tag).collect();
    house.run(|core| Box::pin(async move { upload.complete(&core, &tags).await }))
}

fn abort(house: &House, upload: &Arc<dyn Upload>) -> Result<()> {
    let upload = Arc::clone(upload);
    house.run(|core| Box::pin(async move { upload.abort(&core).await }))
}
