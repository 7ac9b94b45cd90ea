//! Files and names.

use std::ffi::CString;
use std::slice::from_ref;

use super::*;
use crate::op::{Handle, Op, OpenHow, Outcome, StatxBuf};
use crate::pool::{Buf, Pool};
use crate::ring::sim::{Faults, seeds};

const RW: i32 = libc::O_RDWR | libc::O_CREAT;

pub(super) fn path(path: &str) -> CString {
    CString::new(path).expect("a path without NUL")
}

pub(super) fn open_op(dir: Option<&Handle>, name: &str, flags: i32, resolve: u64) -> Op {
    let mode = if flags & libc::O_CREAT != 0 { 0o640 } else { 0 };
    let direct_align = if flags & libc::O_DIRECT != 0 { 512 } else { 0 };
    let how = Box::new(OpenHow { flags: flags as u64, mode, resolve });
    Op::Open { dir: dir.cloned(), path: path(name), how, direct_align }
}

/// Opens against all odds.
pub(super) async fn open(machine: &Machine, name: &str, flags: i32) -> Handle {
    loop {
        let outcome = machine.op(open_op(None, name, flags, 0)).await;
        match (outcome.error, outcome.handle) {
            (None, Some(handle)) => return handle,
            (Some(libc::EIO | libc::ENOSPC), _) => {}
            other => panic!("open {name}: {other:?}"),
        }
    }
}

/// Repeats what a storm makes fail.
async fn insist(machine: &Machine, mut op: impl FnMut() -> Op) {
    while let Some(errno) = machine.op(op()).await.error {
        assert!(matches!(errno, libc::EIO | libc::ENOSPC), "errno {errno}");
    }
}

/// Opens, and tells the errno.
async fn try_open(machine: &Machine, name: &str, flags: i32) -> Result<Handle, i32> {
    let outcome = machine.op(open_op(None, name, flags, 0)).await;
    outcome.handle.ok_or(outcome.error.unwrap_or(0))
}

async fn errno(machine: &Machine, op: Op) -> i32 {
    machine.op(op).await.error.unwrap_or(0)
}

pub(super) fn write_op(pool: &Pool, file: &Handle, data: &[u8], offset: u64) -> Op {
    let mut lease = lease(pool, data.len().max(1));
    lease.as_mut_slice()[..data.len()].copy_from_slice(data);
    lease.set_len(data.len());
    Op::Write { file: file.clone(), buf: Buf::Lease(lease), span: 0..data.len(), offset }
}

fn read_op(pool: &Pool, file: &Handle, len: usize, offset: u64) -> Op {
    let lease = lease(pool, len.max(1));
    Op::Read { file: file.clone(), buf: Buf::Lease(lease), span: 0..len, offset }
}

fn bytes_of(outcome: Outcome) -> Vec<u8> {
    let count = outcome.transferred;
    let mut buf = outcome.op.into_buf().expect("a transfer has a buffer");
    buf.as_mut_slice().expect("a lease")[..count].to_vec()
}

fn in_calm(test: impl AsyncFn(&World, &Machine, &Pool)) {
    in_world(&World::new(1, SimConfig::calm()), test);
}

fn in_world(world: &World, test: impl AsyncFn(&World, &Machine, &Pool)) {
    let (machine, pool) = (Machine::new(world, 0), pool());
    run_alone(world, &machine, test(world, &machine, &pool));
    assert_eq!(pool.quarantine_release(), [], "OWN-1");
    assert_eq!((world.operations_in_flight(), world.open_descriptors()), (0, 0));
}

#[test]
fn random_transfers_leave_what_a_vector_would_hold() {
    seeds(150, |seed| {
        let world = World::new(seed, weather(seed));
        let (machine, pool) = (Machine::new(&world, 0), pool());
        let work = (0..3).map(|file| {
            let (world, machine, pool) = (&world, &machine, &pool);
            Box::pin(random_transfers(world, machine, pool, file)) as machine::Work<'_>
        });
        run(&world, from_ref(&machine), work.collect());
        assert_eq!(pool.quarantine_release(), [], "OWN-1");
        assert_eq!((world.operations_in_flight(), world.open_descriptors()), (0, 0));
    });
}

async fn random_transfers(world: &World, machine: &Machine, pool: &Pool, file: usize) {
    let direct = file == 0;
    let name = format!("/file-{file}");
    let handle = open(machine, &name, if direct { RW | libc::O_DIRECT } else { RW }).await;
    let step = if direct { 512 } else { 1 };
    let below = |bound: usize| world.random_u64() as usize % bound / step * step;
    let mut model: Vec<u8> = Vec::new();
    for _ in 0..12 {
        let (at, len) = (below(40_000), below(20_000));
        match world.random_u64() % 4 {
            0 => {
                let file = &handle;
                insist(machine, || Op::Truncate { file: file.clone(), len: at as u64 }).await;
                model.resize(at, 0);
            }
            1 => {
                let fill = world.random_u64() as u8;
                let data: Vec<u8> = (0..len).map(|i| fill.wrapping_add((i / 7) as u8)).collect();
                insist(machine, || write_op(pool, &handle, &data, at as u64)).await;
                if len > 0 {
                    model.resize(model.len().max(at + len), 0);
                    model[at..at + len].copy_from_slice(&data);
                }
            }
            _ => {
                let outcome = machine.op(read_op(pool, &handle, len, at as u64)).await;
                let failed = outcome.error.is_some();
                let start = at.min(model.len());
                let want = &model[start..(at + len).clamp(start, model.len())];
                let got = bytes_of(outcome);
                assert!(want.starts_with(&got), "{name}: wrong bytes at {at}");
                assert!(failed || got.len() == want.len(), "{name}: a short read at {at}");
            }
        }
    }
    assert_eq!(world.file(&name), Some(model));
}

#[test]
fn opening_answers_as_the_manual_says() {
    in_calm(async |world, machine, _| {
        world.put_file("/dir/file", b"hello").expect("there is room");
        let excl = RW | libc::O_EXCL;
        for (name, flags, want) in [
            ("/none", libc::O_RDONLY, libc::ENOENT),
            ("/none/file", RW, libc::ENOENT),
            ("", libc::O_RDONLY, libc::ENOENT),
            ("/dir/file", excl, libc::EEXIST),
            ("/dir/file/x", libc::O_RDONLY, libc::ENOTDIR),
            ("/dir/file/", libc::O_RDONLY, libc::ENOTDIR),
            ("/dir/file", libc::O_RDONLY | libc::O_DIRECTORY, libc::ENOTDIR),
            ("/dir", libc::O_RDWR, libc::EISDIR),
            ("/dir", libc::O_RDONLY | libc::O_CREAT, libc::EISDIR),
            ("/dir/new/", RW, libc::EISDIR),
        ] {
            assert_eq!(try_open(machine, name, flags).await.err(), Some(want), "{name} {flags:o}");
        }
        let long = format!("/{}", "x".repeat(256));
        assert_eq!(try_open(machine, &long, RW).await.err(), Some(libc::ENAMETOOLONG));
        assert!(try_open(machine, "/dir/../dir/./file", libc::O_RDONLY).await.is_ok());
        assert_eq!(world.file("/dir/file").as_deref(), Some(&b"hello"[..]));
        assert!(try_open(machine, "/dir/file", libc::O_WRONLY | libc::O_TRUNC).await.is_ok());
        assert_eq!(world.file("/dir/file").as_deref(), Some(&b""[..]));
    });
}

#[test]
fn a_path_beneath_a_directory_does_not_leave_it() {
    in_calm(async |world, machine, _| {
        world.put_file("/root/a/file", b"in").expect("there is room");
        world.put_file("/secret", b"out").expect("there is room");
        let root = try_open(machine, "/root", libc::O_RDONLY | libc::O_DIRECTORY).await;
        let root = root.expect("the directory is there");
        let beneath = libc::RESOLVE_BENEATH;
        for (name, want) in [
            ("../secret", libc::EXDEV),
            ("a/../../secret", libc::EXDEV),
            ("/secret", libc::EXDEV),
            ("a/../a/file", 0),
        ] {
            let op = open_op(Some(&root), name, libc::O_RDONLY, beneath);
            assert_eq!(errno(machine, op).await, want, "{name}");
        }
    });
}

#[test]
fn names_are_made_renamed_and_removed() {
    in_calm(async |world, machine, _| {
        let mkdir = |name| Op::Mkdir { dir: None, path: path(name), mode: 0o755 };
        let rename = |from, to, no_replace| Op::Rename {
            from_dir: None,
            from: path(from),
            to_dir: None,
            to: path(to),
            no_replace,
        };
        let unlink = |name, directory| Op::Unlink { dir: None, path: path(name), directory };
        world.put_file("/a", b"a").expect("there is room");
        world.put_file("/b", b"b").expect("there is room");
        for (op, want) in [
            (mkdir("/d"), 0),
            (mkdir("/d"), libc::EEXIST),
            (mkdir("/d/sub"), 0),
            (rename("/a", "/b", true), libc::EEXIST),
            (rename("/none", "/b", false), libc::ENOENT),
            (rename("/d", "/d/sub/d", false), libc::EINVAL),
            (rename("/d", "/a", false), libc::ENOTDIR),
            (rename("/a", "/d", false), libc::EISDIR),
            (rename("/a", "/b", false), 0),
            (rename("/b", "/d/b", true), 0),
            (unlink("/d", false), libc::EISDIR),
            (unlink("/d/b", true), libc::ENOTDIR),
            (unlink("/d", true), libc::ENOTEMPTY),
            (unlink("/d/sub", true), 0),
            (unlink("/b", false), libc::ENOENT),
        ] {
            let text = format!("{op:?}");
            assert_eq!(errno(machine, op).await, want, "{text}");
        }
        assert_eq!(world.paths(), ["/d/b"]);
        assert_eq!(world.file("/d/b").as_deref(), Some(&b"a"[..]));
    });
}

#[test]
fn statx_tells_size_kind_time_and_alignment() {
    in_calm(async |world, machine, pool| {
        let file = open(machine, "/file", RW | libc::O_DIRECT).await;
        world.advance(std::time::Duration::from_secs(5));
        assert_eq!(errno(machine, write_op(pool, &file, &[7; 1024], 0)).await, 0);
        let out = StatxBuf::zeroed();
        let op = Op::Statx { dir: Some(file), path: path(""), follow: true, out };
        let Op::Statx { out, .. } = machine.op(op).await.op else { panic!("the op comes back") };
        let stat = out.0;
        assert_eq!((stat.stx_size, u32::from(stat.stx_mode)), (1024, libc::S_IFREG | 0o640));
        assert_eq!((stat.stx_dio_mem_align, stat.stx_dio_offset_align), (512, 512));
        assert_eq!(stat.stx_mtime.tv_sec, 1_704_067_205);
    });
}

#[test]
fn direct_transfers_must_be_aligned() {
    in_calm(async |_, machine, pool| {
        let file = open(machine, "/file", RW | libc::O_DIRECT).await;
        let buffered = open(machine, "/file", RW).await;
        assert_eq!(errno(machine, write_op(pool, &file, &[1; 512], 512)).await, 0);
        assert_eq!(errno(machine, write_op(pool, &file, &[1; 511], 0)).await, libc::EINVAL);
        assert_eq!(errno(machine, write_op(pool, &file, &[1; 512], 1)).await, libc::EINVAL);
        let mut shifted = write_op(pool, &file, &[1; 1024], 0);
        if let Op::Write { span, .. } = &mut shifted {
            *span = 8..520;
        }
        assert_eq!(errno(machine, shifted).await, libc::EINVAL);
        assert_eq!(errno(machine, write_op(pool, &buffered, &[2; 100], 1024)).await, 0);
        let tail = machine.op(read_op(pool, &file, 2048, 512)).await;
        assert_eq!((tail.transferred, tail.error), (612, None));
    });
}

#[test]
fn direct_io_can_be_refused() {
    let config = SimConfig { direct_io: false, ..SimConfig::calm() };
    in_world(&World::new(1, config), async |_, machine, _| {
        let refused = try_open(machine, "/file", RW | libc::O_DIRECT).await;
        assert_eq!(refused.err(), Some(libc::EINVAL));
        assert!(try_open(machine, "/file", RW).await.is_ok());
    });
}

#[test]
fn a_full_disk_takes_what_fits_and_gives_room_back() {
    let config = SimConfig { disk_capacity_bytes: 1000, ..SimConfig::calm() };
    in_world(&World::new(1, config), async |world, machine, pool| {
        let file = open(machine, "/file", RW).await;
        let written = machine.op(write_op(pool, &file, &[1; 1500], 0)).await;
        assert_eq!((written.transferred, written.error), (1000, Some(libc::ENOSPC)));
        drop(written);
        let allocate = Op::Allocate { file: file.clone(), offset: 0, len: 1001 };
        assert_eq!(errno(machine, allocate).await, libc::ENOSPC);
        let unlink = Op::Unlink { dir: None, path: path("/file"), directory: false };
        assert_eq!(errno(machine, unlink).await, 0);
        let read = machine.op(read_op(pool, &file, 2000, 0)).await;
        assert_eq!(bytes_of(read), [1; 1000], "an open file outlives its name");
        assert!(world.put_file("/other", &[2; 1]).is_err(), "and keeps its room");
        drop(file);
        assert!(world.put_file("/other", &[2; 1000]).is_ok());
    });
}

#[test]
fn descriptors_have_a_limit() {
    let config = SimConfig { descriptors_max: 2, ..SimConfig::calm() };
    in_world(&World::new(1, config), async |_, machine, _| {
        let first = open(machine, "/a", RW).await;
        let _second = open(machine, "/b", RW).await;
        assert_eq!(try_open(machine, "/c", RW).await.err(), Some(libc::EMFILE));
        drop(first);
        assert!(try_open(machine, "/c", RW).await.is_ok());
    });
}

#[test]
fn a_write_of_nothing_twice_is_an_error() {
    let faults = Faults { zero_write: 1.0, ..Faults::none() };
    let config = SimConfig { faults, ..SimConfig::calm() };
    in_world(&World::new(1, config), async |_, machine, pool| {
        let file = open(machine, "/file", RW).await;
        let written = machine.op(write_op(pool, &file, &[1; 10], 0)).await;
        assert_eq!((written.transferred, written.error), (0, Some(libc::EIO)));
    });
}
