//! The program is killed while it works: what has its final name is whole (DATA-3).

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use hydrant_tests::{BUCKET, Dice, World, noise, program};

const SIZE: usize = 12 << 20;
/// Bytes of a second and connection: four connections take 0.75 s for an object.
const PACE: u64 = 4 << 20;
/// How many programs are killed in each test; `HYDRANT_KILLS` changes it.
const KILLS: usize = 20;
/// Programs that run at the same time.
const AT_ONCE: usize = 5;

#[test]
fn a_download_that_is_killed_shows_nothing_or_the_whole_file() {
    let world = slow_world();
    let data = noise(1, SIZE);
    fs::write(world.object("source"), &data).expect("an object");
    let source = format!("s3://{BUCKET}/source");
    let killed = kill_many(|number| {
        let scheme = if number.is_multiple_of(2) { "file" } else { "direct" };
        let target = world.uri(scheme, &format!("target-{number}"));
        copy(&world, &source, &target)
    });
    let whole =
        (0..kills()).filter(|number| is_whole(&world.file(&format!("target-{number}")), &data));
    expect_kills(killed, whole.count());
    // A killed program cannot clean up; whoever comes later is not in the way of what it left.
    let target = world.uri("file", "target-0");
    assert!(copy(&world, &source, &target).wait().expect("ended").success());
    assert!(is_whole(&world.file("target-0"), &data));
}

#[test]
fn an_upload_that_is_killed_shows_nothing_or_the_whole_object() {
    let world = slow_world();
    let data = noise(2, SIZE);
    fs::write(world.file("source"), &data).expect("a file");
    let source = world.uri("file", "source");
    let killed =
        kill_many(|number| copy(&world, &source, &format!("s3://{BUCKET}/target-{number}")));
    let whole =
        (0..kills()).filter(|number| is_whole(&world.object(&format!("target-{number}")), &data));
    expect_kills(killed, whole.count());
    assert!(
        copy(&world, &source, &format!("s3://{BUCKET}/target-0")).wait().expect("ended").success()
    );
    assert!(is_whole(&world.object("target-0"), &data));
}

#[test]
fn a_download_that_is_killed_again_and_again_is_carried_on_to_its_end() {
    let world = slow_world();
    let data = noise(3, SIZE);
    fs::write(world.object("source"), &data).expect("an object");
    let (source, target) = (format!("s3://{BUCKET}/source"), world.uri("file", "target"));
    let mut dice = Dice::of_the_day();
    let mut killed = 0;
    for _ in 0..kills() {
        let child = start(&world, &source, &target, &["--resume"]);
        killed += usize::from(was_killed(child, Duration::from_millis(dice.below(900))));
        if is_whole(&world.file("target"), &data) {
            fs::remove_file(world.file("target")).expect("removed");
        }
        assert!(world.files() <= 2, "a temporary and its journal, and nothing else");
    }
    assert!(killed > 0, "no program was killed at work");
    let mut last = start(&world, &source, &target, &["--resume"]);
    assert!(last.wait().expect("ended").success());
    assert!(is_whole(&world.file("target"), &data));
    assert_eq!(world.files(), 1, "neither temporary nor journal");
}

#[test]
fn an_upload_that_is_killed_again_and_again_is_carried_on_to_its_end() {
    let world = slow_world();
    let data = noise(4, SIZE);
    fs::write(world.file("source"), &data).expect("a file");
    let (source, target) = (world.uri("file", "source"), format!("s3://{BUCKET}/target"));
    let mut dice = Dice::of_the_day();
    let mut killed = 0;
    for _ in 0..kills() {
        let child = start(&world, &source, &target, &["--resume"]);
        killed += usize::from(was_killed(child, Duration::from_millis(dice.below(900))));
        if is_whole(&world.object("target"), &data) {
            fs::remove_file(world.object("target")).expect("removed");
        }
        assert!(world.journals().len() <= 1, "one copy has one journal");
    }
    assert!(killed > 0, "no program was killed at work");
    let mut last = start(&world, &source, &target, &["--resume"]);
    assert!(last.wait().expect("ended").success());
    assert!(is_whole(&world.object("target"), &data));
    assert!(world.journals().is_empty());
    expect_only_shown_uploads(&world);
}

/// The same server under two names is two for the program: the bytes pass through it.
#[test]
fn a_copy_from_server_to_server_that_is_killed_shows_nothing_or_the_whole_object() {
    let world = slow_world();
    let data = noise(5, SIZE);
    fs::write(world.object("source"), &data).expect("an object");
    let source = format!("s3://{BUCKET}/source");
    let there = world.server().url().replace("http://127.0.0.1", "s3://localhost");
    let killed = kill_many(|number| {
        let resume: &[&str] = if number.is_multiple_of(2) { &[] } else { &["--resume"] };
        start(&world, &source, &format!("{there}/{BUCKET}/target-{number}"), resume)
    });
    let whole =
        (0..kills()).filter(|number| is_whole(&world.object(&format!("target-{number}")), &data));
    expect_kills(killed, whole.count());
    let target = format!("{there}/{BUCKET}/target-1");
    let mut last = start(&world, &source, &target, &["--resume"]);
    assert!(last.wait().expect("ended").success());
    assert!(is_whole(&world.object("target-1"), &data));
    expect_only_shown_uploads(&world);
}

/// What is left on the server is what the program shows, and it can take all of it away.
fn expect_only_shown_uploads(world: &World) {
    let bucket = format!("s3://{BUCKET}");
    let lines = |what: &str| {
        let output = program(world, &["uploads", what, &bucket]).output().expect("ended");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().count()
    };
    let left = world.uploads();
    assert_eq!((lines("ls"), lines("abort")), (left, left));
    assert_eq!((lines("ls"), world.uploads()), (0, 0));
}

fn kills() -> usize {
    let given = std::env::var("HYDRANT_KILLS").ok();
    given.map_or(KILLS, |text| text.parse().expect("HYDRANT_KILLS is a number"))
}

fn slow_world() -> World {
    World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.throttle_bytes_per_second = Some(PACE);
    })
}

fn copy(world: &World, source: &str, target: &str) -> Child {
    start(world, source, target, &[])
}

fn start(world: &World, source: &str, target: &str, more: &[&str]) -> Child {
    let arguments = ["cp", source, target, "--pool", "64MiB", "--cores", "1", "--part-size"];
    let limits = ["5MiB", "--connections", "3", "--quiet"];
    let mut command = program(world, &[&arguments[..], &limits[..], more].concat());
    command.stderr(Stdio::null()).spawn().expect("the program starts")
}

/// Starts a program for each number and kills it at a moment of its own; tells how many of them
/// were still at work then.
fn kill_many(start: impl Fn(usize) -> Child + Sync) -> usize {
    let mut dice = Dice::of_the_day();
    let moments: Vec<_> = (0..kills()).map(|_| Duration::from_millis(dice.below(1500))).collect();
    let (start, moments) = (&start, &moments);
    thread::scope(|scope| {
        let runs: Vec<_> = (0..AT_ONCE)
            .map(|run| {
                scope.spawn(move || {
                    let mine = (run..kills()).step_by(AT_ONCE);
                    mine.filter(|number| was_killed(start(*number), moments[*number])).count()
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().expect("no panic")).sum()
    })
}

fn was_killed(mut child: Child, after: Duration) -> bool {
    thread::sleep(after);
    child.kill().expect("SIGKILL");
    child.wait().expect("ended").code().is_none()
}

/// Whether something has the final name; what has it must be whole.
fn is_whole(path: &Path, data: &[u8]) -> bool {
    match fs::read(path) {
        Ok(bytes) => {
            assert!(
                bytes == data,
                "{} has {} bytes, and is not whole",
                path.display(),
                bytes.len()
            );
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}: {error}", path.display());
            false
        }
    }
}

/// A test in which nobody was killed in time, or whole objects are not those of the survivors,
/// has shown nothing.
fn expect_kills(killed: usize, whole: usize) {
    assert!(killed > 0, "no program was killed at work");
    assert!(
        whole >= kills() - killed,
        "{whole} are whole, and {killed} of {} were killed",
        kills()
    );
}
