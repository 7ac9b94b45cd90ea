//! The program moves much more than its memory (POOL-1).
//!
//! `HYDRANT_BIG` is how many GiB are moved, 1 where it is not set; `HYDRANT_MANY` how many objects are
//! listed and deleted, 20,000 where it is not set.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use hydrant::s3::CreateMultipartUpload;
use hydrant_engine::testing::not_tested;
use hydrant_tests::{BUCKET, World, noise, program};

const MIB: usize = 1 << 20;
/// What is no payload: the program itself, its stacks, its rings.
const BESIDES_BYTES: usize = 32 * MIB;
/// What a file is made of, again and again; no part is as long, so that no two parts are alike.
const BLOCK_BYTES: usize = 8 * MIB + 4096;

#[test]
fn a_pool_of_64_mib_is_enough_for_any_object() {
    let gib = big();
    // Memory where two files fit into it: the disk is not what is tested.
    let in_memory = if gib <= 2 { tempfile::tempdir_in("/dev/shm").ok() } else { None };
    let folder = in_memory.unwrap_or_else(|| tempfile::tempdir().expect("a folder"));
    let world = World::with(folder, |_| {});
    let size = MIB * 1024 * gib;
    let block = noise(1, BLOCK_BYTES);
    write_file(&world.file("up"), &block, size);
    let (object, target) = (format!("s3://{BUCKET}/object"), world.uri("direct", "down"));
    expect_bounded(&world, &["cp", &world.uri("direct", "up"), &object], 64);
    std::fs::remove_file(world.file("up")).expect("removed");
    expect_file(&world.object("object"), &block, size);
    expect_bounded(&world, &["cp", &object, &target], 64);
    std::fs::remove_file(world.object("object")).expect("removed");
    expect_file(&world.file("down"), &block, size);
}

/// The smallest pool that the program takes: two parts of the 5 MiB that S3 asks for.
#[test]
fn a_pool_of_16_mib_is_enough_for_every_command() {
    let world = World::new();
    let size = 72 * MIB + 12_345;
    let block = noise(2, BLOCK_BYTES);
    write_file(&world.file("up"), &block, size);
    let (bucket, object) = (format!("s3://{BUCKET}/"), format!("s3://{BUCKET}/a/object"));
    let there = world.server().url().replace("http://127.0.0.1", "s3://localhost");
    let again = format!("{there}/{BUCKET}/a/again");
    for scheme in ["file", "direct"] {
        let (up, down) = (world.uri(scheme, "up"), world.uri(scheme, "down"));
        for resume in [&[][..], &["--resume"]] {
            expect_bounded(&world, &[&["cp", &up, &object], resume].concat(), 16);
            expect_file(&world.object("a/object"), &block, size);
            expect_bounded(&world, &[&["cp", &object, &again], resume].concat(), 16);
            expect_file(&world.object("a/again"), &block, size);
            expect_bounded(&world, &[&["cp", &again, &down], resume].concat(), 16);
            expect_file(&world.file("down"), &block, size);
        }
        expect_bounded(&world, &["verify", &up, &object], 16);
    }
    let piped = format!("s3://{BUCKET}/a/piped");
    let mut cat = program(&world, &["cat", &object, "--pool", "16MiB", "--quiet"]);
    let mut cat = cat.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut put = program(&world, &["cp", "-", &piped, "--pool", "16MiB", "--quiet"]);
    let put = put.stdin(cat.stdout.take().expect("a pipe")).status().expect("ended");
    assert!(cat.wait().expect("ended").success() && put.success());
    expect_file(&world.object("a/piped"), &block, size);
    for arguments in [&["ls", "-r", &bucket][..], &["stat", &object], &["rm", "-r", &bucket]] {
        expect_bounded(&world, arguments, 16);
    }
    assert!(!world.object("a/object").exists());
}

/// Measuring, ranges among it: objects larger than the pool are read part by part.
#[test]
fn a_pool_of_16_mib_is_enough_to_measure_with() {
    let world = World::new();
    let place = format!("s3://{BUCKET}/bench/");
    let load = ["--count", "6", "--connections", "2", "--part-size", "5MiB"];
    let put = ["bench", "put", &place, "--sizes", "4KiB,24MiB", "--objects", "4", "--keep"];
    expect_bounded(&world, &[&put[..], &load].concat(), 16);
    expect_bounded(&world, &[&["bench", "get", &place], &load[..]].concat(), 16);
}

#[test]
fn a_pool_of_16_mib_is_enough_for_uploads_that_were_left() {
    let world = World::new();
    let store = world.client().s3(BUCKET).expect("a bucket");
    for number in 0..1500 {
        let begun = CreateMultipartUpload::new(format!("left/{number:04}"));
        store.send(begun).wait().expect("begun");
    }
    let bucket = format!("s3://{BUCKET}/");
    expect_bounded(&world, &["uploads", "ls", &bucket], 16);
    assert_eq!(world.uploads(), 1500);
    expect_bounded(&world, &["uploads", "abort", &bucket], 16);
    assert_eq!(world.uploads(), 0);
}

/// `HYDRANT_MANY` is how many objects there are.
#[test]
fn any_number_of_objects_is_listed_and_deleted_in_little_memory() {
    let world = World::new();
    let given = std::env::var("HYDRANT_MANY").ok();
    let many = given.map_or(20_000, |text| text.parse().expect("HYDRANT_MANY is a number"));
    for folder in 0..many / 1000 {
        let folder = world.object(&format!("many/folder-{folder:04}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        for number in 0..1000 {
            let name = format!("an object with a name of some length, and number {number:04}");
            std::fs::write(folder.join(name), b"x").expect("an object");
        }
    }
    let place = format!("s3://{BUCKET}/many/");
    expect_bounded(&world, &["ls", "-r", &place], 16);
    expect_bounded(&world, &["rm", "-r", &place], 16);
    let listed = program(&world, &["ls", "-r", &place]).output().expect("ended");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "", "all of them are gone");
}

/// Nothing of a pool is paid for before it is used (decision 16).
#[test]
fn a_small_object_takes_little_of_a_large_pool() {
    if !keeps_entries() {
        return not_tested("a pool that costs what is used, which takes Linux 6.19");
    }
    let world = World::new();
    write_file(&world.file("up"), &noise(3, 4096), 4096);
    let object = format!("s3://{BUCKET}/small");
    for scheme in ["file", "direct"] {
        let (up, down) = (world.uri(scheme, "up"), world.uri(scheme, "down"));
        for arguments in [["cp", &up, &object], ["cp", &object, &down]] {
            let peak = peak_bytes(&world, &arguments, 1024);
            assert!(peak < 128 * MIB, "{arguments:?}: {} MiB", peak / MIB);
        }
        expect_file(&world.file("down"), &noise(3, 4096), 4096);
    }
}

/// Whether the kernel clones into a table in use without a loss; updates of 6.18 do, from 6.18.3 on.
fn keeps_entries() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers =
        release.split(|it: char| !it.is_ascii_digit()).map(|it| it.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next()) >= (6, 18, 3)
}

fn big() -> usize {
    std::env::var("HYDRANT_BIG").map_or(1, |text| {
        let digits = text.trim_end_matches("GiB");
        digits.parse().expect("HYDRANT_BIG is a number of GiB")
    })
}

fn expect_bounded(world: &World, arguments: &[&str], pool_mib: usize) {
    let peak = peak_bytes(world, arguments, pool_mib);
    let limit = pool_mib * MIB + BESIDES_BYTES;
    assert!(peak <= limit, "{arguments:?}: {} MiB, limit {} MiB", peak / MIB, limit / MIB);
}

/// Runs the program with a pool of so many MiB, and looks at its memory all the while.
fn peak_bytes(world: &World, arguments: &[&str], pool_mib: usize) -> usize {
    let pool = format!("{pool_mib}MiB");
    let mut command = program(world, &[arguments, &["--pool", &pool, "--quiet"]].concat());
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = command.spawn().expect("the program starts");
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        peak = memory_bytes(&child).unwrap_or(0).max(peak);
        // Some commands take a few milliseconds in all.
        thread::sleep(Duration::from_millis(1));
    };
    assert!(status.success(), "{arguments:?}: {status}");
    assert!(peak > 0, "nobody looked");
    peak
}

/// The most memory that a process has had at once, and its huge pages, which the kernel counts
/// apart; `None` once it has ended.
fn memory_bytes(child: &Child) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<usize>().ok()
    };
    Some((field("VmHWM:")? + field("HugetlbPages:").unwrap_or(0)) << 10)
}

fn write_file(path: &Path, block: &[u8], size: usize) {
    let mut file = File::create(path).expect("a file");
    for at in (0..size).step_by(block.len()) {
        file.write_all(&block[..block.len().min(size - at)]).expect("written");
    }
}

fn expect_file(path: &Path, block: &[u8], size: usize) {
    let mut file = File::open(path).expect("a file");
    assert_eq!(file.metadata().expect("a file").len(), size as u64, "{}", path.display());
    let mut read = vec![0; block.len()];
    for at in (0..size).step_by(block.len()) {
        let length = block.len().min(size - at);
        file.read_exact(&mut read[..length]).expect("read");
        assert!(read[..length] == block[..length], "{} differs behind {at}", path.display());
    }
}
