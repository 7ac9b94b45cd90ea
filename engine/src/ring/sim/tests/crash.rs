//! What a crash leaves of the disk.

use super::files::{open, open_op, path, write_op};
use super::*;
use crate::op::{Handle, Op};
use crate::ring::sim::{Faults, seeds};

const CREATE: i32 = libc::O_RDWR | libc::O_CREAT;
const DIRECTORY: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

async fn ok(machine: &Machine, op: Op) {
    let outcome = machine.op(op).await;
    assert_eq!(outcome.error, None, "{:?}", outcome.op);
}

fn sync(file: &Handle) -> Op {
    Op::Sync { file: file.clone(), data_only: false }
}

fn rename(from: &str, to: &str) -> Op {
    let (from, to) = (path(from), path(to));
    Op::Rename { from_dir: None, from, to_dir: None, to, no_replace: false }
}

/// How an atomic replacement goes on; each step in between is where a run stops and crashes.
async fn replace(machine: &Machine, steps: usize) {
    let pool = pool();
    let root = open(machine, "/", DIRECTORY).await;
    let file = open(machine, "/new", CREATE).await;
    ok(machine, write_op(&pool, &file, &[2; 9000], 0)).await;
    let ops = [sync(&file), rename("/new", "/file"), sync(&root)];
    for op in ops.into_iter().take(steps) {
        ok(machine, op).await;
    }
}

fn crash_after(seed: u64, work: impl AsyncFn(&Machine)) -> World {
    let world = World::new(seed, SimConfig::calm());
    world.put_file("/file", &[1; 5000]).expect("there is room");
    let machine = Machine::new(&world, 0);
    run_alone(&world, &machine, work(&machine));
    world.crash();
    world
}

#[test]
fn a_replacement_is_whole_or_not_there_at_any_step() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..100 {
        for steps in 0..=3 {
            let world = crash_after(seed, async |machine| replace(machine, steps).await);
            let found = world.file("/file").expect("one of the two is there");
            match found.as_slice() {
                bytes if bytes == [1; 5000] => old += 1,
                bytes if bytes == [2; 9000] => new += 1,
                _ => panic!("seed {seed}, {steps} steps: a mixed file"),
            }
            if steps == 3 {
                assert_eq!(found, [2; 9000], "the directory was synced");
            }
        }
    }
    assert!(old > 0 && new > 100, "{old} old, {new} new: both are met");
}

#[test]
fn a_rename_without_sync_can_leave_a_damaged_file() {
    let damaged = (0..100).filter(|seed| {
        let world = crash_after(*seed, async |machine| {
            let pool = pool();
            let file = open(machine, "/new", CREATE).await;
            ok(machine, write_op(&pool, &file, &[2; 9000], 0)).await;
            ok(machine, rename("/new", "/file")).await;
        });
        let found = world.file("/file").expect("one of the two is there");
        found != [1; 5000] && found != [2; 9000]
    });
    assert!(damaged.count() > 10);
}

#[test]
fn a_sync_after_a_failed_sync_saves_nothing() {
    let world = World::new(1, SimConfig::calm());
    world.put_file("/file", &[1; 100]).expect("there is room");
    let (machine, pool) = (Machine::new(&world, 0), pool());
    let work = async {
        let file = open(&machine, "/file", libc::O_RDWR).await;
        ok(&machine, write_op(&pool, &file, &[2; 100], 0)).await;
        world.set_faults(Faults { io_error: 1.0, ..Faults::none() });
        assert_eq!(machine.op(sync(&file)).await.error, Some(libc::EIO));
        world.set_faults(Faults::none());
        ok(&machine, sync(&file)).await;
        assert_eq!(world.file("/file").as_deref(), Some(&[2; 100][..]));
        world.crash();
        assert_eq!(machine.op(sync(&file)).await.error, Some(libc::EIO), "no longer open");
    };
    run_alone(&world, &machine, work);
    assert_eq!(world.file("/file").as_deref(), Some(&[1; 100][..]));
}

#[test]
fn a_crash_leaves_a_tree_whatever_was_moved() {
    seeds(100, |seed| {
        let world = crash_after(seed, async |machine| {
            let mkdir = |name| Op::Mkdir { dir: None, path: path(name), mode: 0o755 };
            let (a, b) = (mkdir("/a"), mkdir("/b"));
            ok(machine, a).await;
            ok(machine, b).await;
            ok(machine, sync(&open(machine, "/", DIRECTORY).await)).await;
            // Each move is synced on one side alone, so the names on the disk form a ring.
            ok(machine, rename("/a", "/b/a")).await;
            ok(machine, sync(&open(machine, "/b", DIRECTORY).await)).await;
            ok(machine, rename("/b/a", "/a")).await;
            ok(machine, rename("/b", "/a/b")).await;
            ok(machine, sync(&open(machine, "/a", DIRECTORY).await)).await;
        });
        assert_eq!(world.paths(), ["/file"]);
        let machine = Machine::new(&world, 0);
        let work = async {
            let again = machine.op(open_op(None, "/a", DIRECTORY, 0)).await;
            assert_eq!(again.error, None);
        };
        run_alone(&world, &machine, work);
    });
}
