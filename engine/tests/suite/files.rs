//! Files: every size and alignment, the end of the file, names, and what errors say.

use std::ops::Range;

use bytes::Bytes;
use hydrant_engine::sim::{SimConfig, seeds};
use hydrant_engine::{
    AccessHint, Buf, Core, Direct, Error, File, OpenOptions, RegionOwner, make_dir,
    metadata_beneath, remove_dir, remove_file, rename,
};

use crate::dropped::at_every_await;
use crate::host::{Host, LIMIT, Place, check, config, filled, kernels, lease, memory, on_all};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const SIZES: [usize; 12] = [
    0,
    1,
    511,
    512,
    4096,
    4097,
    512 * KIB - 1,
    512 * KIB,
    512 * KIB + 1,
    8 * MIB - 1,
    8 * MIB,
    8 * MIB + 1,
];

#[test]
fn what_was_written_is_read_back_at_every_size() {
    on_all(|core, place| async move {
        for direct in [false, true] {
            for size in SIZES {
                round_trip(&core, &place, size, direct).await;
            }
        }
    });
}

async fn round_trip(core: &Core, place: &Place, size: usize, direct: bool) {
    let path = place.path(&format!("{size}-{direct}"));
    let options = OpenOptions::new().read().write().create_new().direct(direct);
    let file = File::open(core, &path, &options).await.expect("made");
    assert!(file.allocate(core, size as u64).await.is_ok());
    let data = filled(core, size, 7).await;
    let (written, _) = file.write_at(core, data, 0..size, 0).await;
    assert_eq!(written.expect("written"), size);
    file.set_len(core, size as u64).await.expect("cut");
    file.sync_data(core).await.expect("synced");
    file.sync_all(core).await.expect("synced");
    let metadata = file.metadata(core).await.expect("statx");
    assert_eq!((metadata.len_bytes, metadata.is_file), (size as u64, true));

    // More is asked for than there is: the count is short at the end of the file.
    let room = lease(core, size + 8192).await;
    let (read, mut back) = file.read_at(core, room, 0..size + 4096, 0).await;
    assert_eq!(read.expect("read"), size);
    check(&memory(&mut back)[..size], 7);
    let beyond = (size as u64).next_multiple_of(4096) + 4096;
    let (read, _) = file.read_at(core, back, 0..4096, beyond).await;
    assert_eq!(read.expect("beyond the end"), 0);
    drop(file);
    remove_file(core, None, &path).await.expect("removed");
}

/// A lease that is longer than a registered slab, at an offset where a piece of it lies in two: that
/// piece goes unregistered (decision 16).
#[test]
fn a_lease_lies_in_several_slabs() {
    on_all(|core, place| async move {
        let path = place.path("long");
        let (size, shift) = (20 * MIB, 4096);
        let options = OpenOptions::new().read().write().create().direct(true);
        let file = File::open(&core, &path, &options).await.expect("made");
        let data = filled(&core, size, 11).await;
        let (written, data) = file.write_at(&core, data, shift..size, shift as u64).await;
        assert_eq!(written.expect("written"), size - shift);
        drop(data);
        let room = lease(&core, size).await;
        let (read, mut back) = file.read_at(&core, room, shift..size, shift as u64).await;
        assert_eq!(read.expect("read"), size - shift);
        let mut whole = vec![0; size];
        crate::host::fill(&mut whole, 11);
        assert!(memory(&mut back)[shift..] == whole[shift..], "byte for byte");
        drop(file);
        remove_file(&core, None, &path).await.expect("removed");
    });
}

/// Slabs come to a core one after the other, those of lower addresses later, and memory of the caller
/// between them: none of them drives another out of the core's table (decision 16).
#[test]
fn slabs_and_memory_of_the_caller_stay_registered_beside_each_other() {
    for mut host in kernels(&config()) {
        let engine = host.engine();
        let memory = engine.register_memory(vec![0u8; MIB]).expect("from outside");
        let is_registered = memory.registration().refused().is_none();
        let (_owner, region) = RegionOwner::new(memory);
        host.run(|core, place| async move {
            let options = OpenOptions::new().read().write().create();
            let file = File::open(&core, &place.path("file"), &options).await.expect("made");
            let mut leases: Vec<Buf> = Vec::new();
            for seed in 0..4 {
                let mut lease = lease(&core, 8 * MIB).await;
                crate::host::fill(&mut lease.as_mut_slice()[..KIB], seed);
                leases.push(lease.into());
            }
            leases.sort_by_key(|lease| std::cmp::Reverse(lease.as_slice().as_ptr().addr()));
            leases.insert(2, region.into());
            // Each again, once all have come.
            for _ in 0..2 {
                for memory in &mut leases {
                    let lent = std::mem::replace(memory, Bytes::new().into());
                    let (wrote, back) = file.write_at(&core, lent, 0..KIB, 0).await;
                    assert_eq!(wrote.expect("written"), KIB);
                    *memory = back;
                }
            }
        });
        let counted = engine.metrics();
        let leases = if engine.capabilities().buffers_registered() { 4 } else { 0 };
        let registered = 2 * KIB as u64 * (leases + u64::from(is_registered));
        assert_eq!(counted.file_bytes_registered, registered);
        host.finish();
    }
}

#[test]
fn a_span_outside_of_its_memory_is_an_error_and_no_more() {
    on_all(|core, place| async move {
        for direct in [false, true] {
            let options = OpenOptions::new().read().write().create().direct(direct);
            let file = File::open(&core, &place.path("file"), &options).await.expect("made");
            let far = 80 * MIB;
            #[expect(clippy::reversed_empty_ranges, reason = "what is refused here")]
            let spans = [0..far, 1..far, far..far + 4096, usize::MAX - 10..usize::MAX, 9 * MIB..0];
            for span in spans {
                let lent = lease(&core, 12 * MIB).await;
                let (wrote, back) = file.write_at(&core, lent, span.clone(), 0).await;
                assert!(matches!(wrote, Err(_) | Ok(0)), "{span:?}");
                let (read, back) = file.read_at(&core, back, span.clone(), 1).await;
                assert!(matches!(read, Err(_) | Ok(0)), "{span:?}");
                assert_eq!(back.into_lease().expect("lent").capacity(), 12 * MIB);
            }
            let data = filled(&core, 4096, 1).await;
            file.write_at(&core, data, 0..4096, 0).await.0.expect("the core goes on");
        }
    });
}

#[test]
fn spans_that_direct_io_cannot_take_are_bounced_and_counted() {
    on_all(|core, place| async move {
        let path = place.path("bounce");
        let size = 300_000;
        let options = OpenOptions::new().read().write().create().direct(true);
        let file = File::open(&core, &path, &options).await.expect("made");
        let data = filled(&core, size, 3).await;
        file.write_at(&core, data, 0..size, 0).await.0.expect("written");
        file.set_len(&core, size as u64).await.expect("cut");
        let mut whole = vec![0; size];
        crate::host::fill(&mut whole, 3);
        let offsets = [
            (0, 1, 4096),
            (1, 0, 4096),
            (513, 3, 200_001),
            (299_000, 7, 5000),
            // The memory lies behind its block as the offset does: only the head is bounced.
            (513, 513, 200_001),
            (4095, 4095, 70_000),
            (8191, 4095, 1),
            (4097, 4097, 299_000),
        ];
        for (offset, start, len) in offsets {
            let before = core.metrics().snapshot().copied_bounce;
            let room = lease(&core, start + len + 4096).await;
            let (read, mut back) = file.read_at(&core, room, start..start + len, offset).await;
            let expected = len.min(size - offset as usize);
            assert_eq!(read.expect("read"), expected, "{offset} {start} {len}");
            let from = offset as usize;
            assert!(memory(&mut back)[start..start + expected] == whole[from..from + expected]);
            let copied = core.metrics().snapshot().copied_bounce - before;
            let bounced = bounced_bytes(file.direct(), offset, start..start + len, expected);
            assert_eq!(copied, bounced as u64, "{offset} {start} {len}");
        }
        // Without room behind the span the tail is bounced, too.
        let before = core.metrics().snapshot().copied_bounce;
        let (owner, mut region) = RegionOwner::new(lease(&core, 256 * KIB).await);
        drop(region.split_off(513 + 200_000));
        let (read, back) = file.read_at(&core, region, 513..200_513, 513).await;
        assert_eq!(read.expect("read"), 200_000);
        drop(back);
        let mut back = Buf::from(owner.returned().await);
        assert!(memory(&mut back)[513..200_513] == whole[513..200_513]);
        let copied = core.metrics().snapshot().copied_bounce - before;
        let tail = |align: u64| (513 + 200_000) % align;
        let bounced = match file.direct() {
            Direct::Yes { offset_align, .. } => {
                let head = 513_u64.next_multiple_of(offset_align.into()) - 513;
                head + tail(offset_align.into())
            }
            _ => 0,
        };
        assert_eq!(copied, bounced);
        // Memory that is not aligned, at an offset that is.
        let data = filled(&core, 9000, 4).await;
        file.write_at(&core, data, 1..8193, 4096).await.0.expect("bounced");
        let room = lease(&core, 8192).await;
        let (read, mut back) = file.read_at(&core, room, 0..8192, 4096).await;
        assert_eq!(read.expect("read"), 8192);
        let mut source = vec![0; 9000];
        crate::host::fill(&mut source, 4);
        assert!(memory(&mut back)[..8192] == source[1..8193]);
    });
}

/// What of a read from `offset` into memory of the pool, `start` bytes in, goes through a bounce buffer.
fn bounced_bytes(direct: Direct, offset: u64, span: Range<usize>, read: usize) -> usize {
    let Direct::Yes { memory_align, offset_align } = direct else { return 0 };
    let align = u64::from(offset_align);
    let head = (offset.next_multiple_of(align) - offset) as usize;
    let is_aligned = (span.start + head).is_multiple_of(memory_align as usize);
    // A short one that begins within a block is bounced as a whole. The last block has room.
    if is_aligned && (head == 0 || span.len() > 64 * KIB) { head.min(read) } else { read }
}

const HINTS: [AccessHint; 5] = [
    AccessHint::Normal,
    AccessHint::Sequential,
    AccessHint::Random,
    AccessHint::DontNeed,
    AccessHint::Auto,
];

#[test]
fn one_opening_of_a_file_has_its_lock() {
    on_all(|core, place| async move {
        let path = place.path("locked");
        let options = OpenOptions::new().write().create();
        let open = async || File::open(&core, &path, &options).await.expect("opened");
        let (one, other) = (open().await, open().await);
        let locks = async |file: &File| file.try_lock(&core).await.expect("asked");
        assert!(locks(&one).await && locks(&one).await, "it is ours still");
        assert!(!locks(&other).await);
        // A clone is the same opening.
        let clone = one.clone();
        drop(one);
        assert!(!locks(&other).await);
        drop(clone);
        assert!(locks(&other).await);
    });
}

#[test]
fn hints_never_change_what_is_read_and_written() {
    on_all(|core, place| async move {
        for (number, hint) in HINTS.into_iter().enumerate() {
            // Where O_DIRECT is refused, the hint is given all the same.
            for direct in [false, true] {
                let path = place.path(&format!("hint-{number}-{direct}"));
                let options = OpenOptions::new().read().write().create().hint(hint);
                let file = File::open(&core, &path, &options.direct(direct)).await;
                random_transfers(&core, &file.expect("made"), number as u64).await;
            }
        }
    });
}

/// Reads and writes at random places, compared with a model in memory.
async fn random_transfers(core: &Core, file: &File, seed: u64) {
    let mut random = seed;
    let mut below = |bound: usize| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (random >> 33) as usize % bound
    };
    let mut model = Vec::new();
    for round in 0..60 {
        let (at, len) = (below(100) * 4096, below(700) * 512 + 1);
        if below(2) == 0 {
            let data = filled(core, len, round).await;
            // What is no whole block is padded with zeros.
            let end = match file.direct() {
                Direct::Yes { offset_align, .. } => {
                    at + len.next_multiple_of(offset_align as usize)
                }
                _ => at + len,
            };
            model.resize(model.len().max(end), 0);
            model[at..end].fill(0);
            model[at..at + len].copy_from_slice(&data.as_slice()[..len]);
            let (written, _) = file.write_at(core, data, 0..len, at as u64).await;
            assert_eq!(written.expect("written"), len);
        } else {
            let room = lease(core, len).await;
            let (read, mut back) = file.read_at(core, room, 0..len, at as u64).await;
            let there = at.min(model.len())..(at + len).min(model.len());
            assert_eq!(read.expect("read"), there.len());
            assert!(memory(&mut back)[..there.len()] == model[there], "round {round}");
        }
    }
}

#[test]
fn a_hint_reaches_the_kernel() {
    let mut config = config();
    config.file.sequential_bytes_min = 1000;
    let (sequential, random) = (libc::POSIX_FADV_SEQUENTIAL, libc::POSIX_FADV_RANDOM);
    let expected = [
        (AccessHint::Normal, 1000, None),
        (AccessHint::Sequential, 0, Some(sequential)),
        (AccessHint::Random, 0, Some(random)),
        (AccessHint::Auto, 999, None),
        (AccessHint::Auto, 1000, Some(sequential)),
        (AccessHint::DontNeed, 1000, None),
    ];
    let mut host = Host::calm(config);
    host.run(move |core, place| async move {
        let world = place.world.as_ref().expect("simulated");
        for (number, (hint, bytes, advice)) in expected.into_iter().enumerate() {
            let path = format!("/{number}");
            world.put_file(&path, &vec![7; bytes]).expect("room");
            let options = OpenOptions::new().read().write().hint(hint);
            let _file = File::open(&core, path.as_ref(), &options).await.expect("opened");
            assert_eq!(world.advice(&path), advice, "{hint:?} {bytes}");
        }
    });
    host.finish();
}

#[test]
fn where_the_page_cache_cannot_be_passed_by_it_is_dropped_and_told() {
    let mut world = SimConfig::calm();
    world.uncached_io = false;
    let mut host = Host::simulated(1, world, config());
    host.run(|core, place| async move {
        let options = OpenOptions::new().read().write().create().hint(AccessHint::DontNeed);
        let file = File::open(&core, "/file".as_ref(), &options).await.expect("made");
        random_transfers(&core, &file, 1).await;
        let advice = place.world.expect("simulated").advice("/file");
        assert_eq!(advice, Some(libc::POSIX_FADV_DONTNEED));
        let refused = core.metrics().snapshot();
        assert_eq!((refused.uncached_refused, refused.hints_refused), (1, 0));
    });
    host.finish();
}

#[test]
fn a_direct_write_at_a_crooked_offset_is_refused() {
    on_all(|core, place| async move {
        let options = OpenOptions::new().write().create().direct(true);
        let file = File::open(&core, &place.path("crooked"), &options).await.expect("made");
        let data = filled(&core, 4096, 1).await;
        let (written, _) = file.write_at(&core, data, 0..4096, 1).await;
        match (file.direct(), written) {
            (Direct::Yes { .. }, Err(Error::InvalidInput(text))) => {
                assert!(text.contains("crooked") && text.contains("at 1"), "{text}");
            }
            (Direct::Refused, Ok(4096)) => {}
            (_, other) => panic!("{other:?}"),
        }
    });
}

#[test]
fn names_are_made_changed_and_removed() {
    on_all(|core, place| async move {
        let dir = place.path("dir");
        make_dir(&core, None, &dir).await.expect("made");
        let root = File::open(&core, &dir, &OpenOptions::new().read().directory()).await;
        let root = root.expect("opened");
        let options = OpenOptions::new().write().create_new();
        let file = root.open_beneath(&core, "a".as_ref(), &options).await.expect("made");
        let data = filled(&core, 100, 1).await;
        file.write_at(&core, data, 0..100, 0).await.0.expect("written");
        drop(file);
        let (a, b) = ("a".as_ref(), "b".as_ref());
        rename(&core, Some(&root), a, Some(&root), b, false).await.expect("renamed");
        let seen = metadata_beneath(&core, Some(&root), b).await.expect("there");
        assert_eq!((seen.len_bytes, seen.is_file, seen.is_dir), (100, true, false));
        assert_errno(metadata_beneath(&core, Some(&root), a).await, libc::ENOENT, "a");
        root.open_beneath(&core, a, &options).await.expect("made again");
        let kept = rename(&core, Some(&root), a, Some(&root), b, true).await;
        assert_errno(kept, libc::EEXIST, "b");
        rename(&core, Some(&root), a, Some(&root), b, false).await.expect("replaced");
        assert_eq!(metadata_beneath(&core, Some(&root), b).await.expect("there").len_bytes, 0);
        root.sync_all(&core).await.expect("the directory is durable");
        assert_errno(remove_dir(&core, None, &dir).await, libc::ENOTEMPTY, "dir");
        remove_file(&core, Some(&root), b).await.expect("removed");
        drop(root);
        remove_dir(&core, None, &dir).await.expect("removed");
    });
}

#[test]
fn a_file_without_a_name_gets_one_that_is_free() {
    on_all(|core, place| async move { make_without_name(&core, &place).await });
}

#[test]
fn where_no_file_can_be_without_a_name_it_has_a_temporary_one() {
    let mut world = SimConfig::calm();
    world.unnamed_files = false;
    let mut host = Host::simulated(1, world, config());
    host.run(|core, place| async move {
        make_without_name(&core, &place).await;
        assert_ne!(core.metrics().snapshot().unnamed_refused, 0);
    });
    host.finish();
}

/// Nothing is left of a file that is given up, at whatever point.
#[test]
fn a_file_without_a_name_leaves_nothing() {
    seeds(100, |seed| {
        let mut world = SimConfig::choppy();
        world.unnamed_files = seed % 2 == 0;
        let mut host = Host::simulated(seed, world, config());
        host.run(|core, place| async move {
            let options = OpenOptions::new().read().directory();
            let dir = File::open(&core, &place.dir, &options).await.expect("opened");
            at_every_await(|| async {
                let made = dir.create_unnamed(&core, &OpenOptions::new()).await.expect("made");
                made.file().sync_all(&core).await.expect("synced");
            })
            .await;
        });
        let world = host.place().world.expect("simulated");
        host.finish();
        assert_eq!(world.paths(), [""; 0]);
    });
}

async fn make_without_name(core: &Core, place: &Place) {
    let dir_path = place.path("unnamed");
    make_dir(core, None, &dir_path).await.expect("made");
    let dir = File::open(core, &dir_path, &OpenOptions::new().read().directory()).await;
    let dir = dir.expect("opened");
    let name = "name".as_ref();
    for direct in [false, true] {
        let options = OpenOptions::new().read().direct(direct);
        let mut made = Vec::new();
        for seed in [1, 2] {
            let unnamed = dir.create_unnamed(core, &options).await.expect("made");
            let data = filled(core, 5000, seed).await;
            unnamed.file().write_at(core, data, 0..5000, 0).await.0.expect("written");
            unnamed.file().set_len(core, 5000).await.expect("cut");
            unnamed.file().sync_all(core).await.expect("synced");
            made.push(unnamed);
        }
        let absent = metadata_beneath(core, Some(&dir), name).await;
        assert_errno(absent.map(drop), libc::ENOENT, "name");
        let [first, second] = made.try_into().expect("two were made");
        let file = first.link_as(core, name).await.expect("the name is free");
        assert_eq!(file.path(), dir_path.join("name"));
        assert_errno(second.link_as(core, name).await.map(drop), libc::EEXIST, "name");
        drop(dir.create_unnamed(core, &options).await.expect("made"));
        let again = dir.open_beneath(core, name, &OpenOptions::new().read()).await;
        let room = lease(core, 8192).await;
        let (read, mut back) = again.expect("it has a name").read_at(core, room, 0..8192, 0).await;
        assert_eq!(read.expect("read"), 5000);
        check(&memory(&mut back)[..5000], 1);
        remove_file(core, Some(&dir), name).await.expect("removed");
    }
    // Temporary names go a moment after the files that had them.
    let empty = async {
        while remove_dir(core, None, &dir_path).await.is_err() {
            core.sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    core.timeout(LIMIT, empty).await.expect("nothing is left in the directory");
}

#[test]
fn an_error_says_what_where_and_why() {
    on_all(|core, place| async move {
        let missing = place.path("missing");
        let opened = File::open(&core, &missing, &OpenOptions::new().read()).await;
        assert_errno(opened.map(drop), libc::ENOENT, "missing");
        let there = place.path("there");
        let options = OpenOptions::new().write().create_new();
        let file = File::open(&core, &there, &options).await.expect("made");
        let again = File::open(&core, &there, &options).await;
        assert_errno(again.map(drop), libc::EEXIST, "there");
        let room = lease(&core, 4096).await;
        let (read, room) = file.read_at(&core, room, 0..4096, 12_288).await;
        assert_errno(read.map(drop), libc::EBADF, "at offset 12288");
        // Shared bytes cannot be read into.
        let shared = room.into_lease().expect("a lease").freeze();
        let file = File::open(&core, &there, &OpenOptions::new().read()).await.expect("opened");
        let (read, _) = file.read_at(&core, shared, 0..0, 0).await;
        assert_eq!(read.expect("nothing asked for"), 0);
        let (read, _) = file.read_at(&core, Bytes::from_static(b"abc"), 0..3, 0).await;
        assert_errno(read.map(drop), libc::EFAULT, "there");
        let nul = File::open(&core, "a\0b".as_ref(), &OpenOptions::new().read()).await;
        assert!(matches!(nul, Err(Error::InvalidInput(_))));
    });
}

#[test]
fn a_path_never_leaves_its_directory() {
    on_all(|core, place| async move {
        let dir = File::open(&core, &place.dir, &OpenOptions::new().read().directory()).await;
        let dir = dir.expect("opened");
        for path in ["../etc/passwd", "/etc/passwd"] {
            let opened = dir.open_beneath(&core, path.as_ref(), &OpenOptions::new().read()).await;
            assert_errno(opened.map(drop), libc::EXDEV, path);
        }
    });
}

#[test]
fn a_full_disk_is_an_error_with_a_way_out() {
    let mut world = SimConfig::calm();
    world.disk_capacity_bytes = 1 << 20;
    let mut host = Host::simulated(1, world, config());
    host.run(|core, place| async move {
        let options = OpenOptions::new().write().create();
        let file = File::open(&core, &place.path("full"), &options).await.expect("made");
        let data = filled(&core, 2 * MIB, 1).await;
        let (written, data) = file.write_at(&core, data, 0..2 * MIB, 0).await;
        let error = written.expect_err("no room");
        assert_eq!(error.errno(), Some(libc::ENOSPC));
        let text = error.to_string();
        assert!(text.contains("/full at offset") && text.contains("free some space"), "{text}");
        assert_eq!(data.len(), 2 * MIB, "the buffer comes back");
        let allocated = file.allocate(&core, 4 << 20).await;
        assert_errno(allocated.map(drop), libc::ENOSPC, "full");
    });
    host.finish();
}

#[test]
fn a_file_system_without_direct_io_gets_buffered_io() {
    let mut world = SimConfig::calm();
    world.direct_io = false;
    let mut host = Host::simulated(1, world, config());
    host.run(|core, place| async move {
        let options = OpenOptions::new().read().write().create_new().direct(true);
        let file = File::open(&core, &place.path("file"), &options).await.expect("made");
        assert_eq!(file.direct(), Direct::Refused);
        let data = filled(&core, 100, 9).await;
        file.write_at(&core, data, 0..100, 33).await.0.expect("written");
        assert_eq!(file.metadata(&core).await.expect("statx").len_bytes, 133);
    });
    host.finish();
}

#[track_caller]
fn assert_errno<T: std::fmt::Debug>(result: Result<T, Error>, errno: i32, says: &str) {
    let error = result.expect_err("an error");
    assert_eq!(error.errno(), Some(errno), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}
