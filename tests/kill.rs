//! The program is killed while it works: what has its final name is whole (DATA-3).

use std::fs;
use std::path::{Path, PathBuf};
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
        let target = world.uri(scheme_of(number), &format!("target-{number}"));
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
    let source = |number| world.uri(scheme_of(number), "source");
    let killed = kill_many(|number| {
        copy(&world, &source(number), &format!("s3://{BUCKET}/target-{number}"))
    });
    let whole =
        (0..kills()).filter(|number| is_whole(&world.object(&format!("target-{number}")), &data));
    expect_kills(killed, whole.count());
    assert!(
        copy(&world, &source(0), &format!("s3://{BUCKET}/target-0"))
            .wait()
            .expect("ended")
            .success()
    );
    assert!(is_whole(&world.object("target-0"), &data));
    expect_only_shown_uploads(&world);
}

/// The same server under two names is two for the program: the bytes pass through it.
#[test]
fn a_copy_from_server_to_server_that_is_killed_shows_nothing_or_the_whole_object() {
    let (world, data) = world_with_object(5);
    let there = second_name(&world);
    expect_nothing_or_whole(&world, &data, |number| format!("{there}/{BUCKET}/target-{number}"));
}

/// In one request, or with `--resume` in parts; the server goes on with what it was asked for.
#[test]
fn a_copy_by_the_server_that_is_killed_shows_nothing_or_the_whole_object() {
    let (world, data) = world_with_object(6);
    expect_nothing_or_whole(&world, &data, |number| format!("s3://{BUCKET}/target-{number}"));
}

#[test]
fn a_download_that_is_killed_again_and_again_is_carried_on_to_its_end() {
    let (world, data) = world_with_object(3);
    let source = format!("s3://{BUCKET}/source");
    let target = |chain| world.file(&format!("target-{chain}"));
    kill_and_carry_on(&data, target, |chain| {
        assert!(world.files() <= 2 * AT_ONCE, "a temporary and its journal each, and nothing else");
        let target = world.uri(scheme_of(chain), &format!("target-{chain}"));
        start(&world, &source, &target, &["--resume"])
    });
    assert_eq!(world.files(), AT_ONCE, "neither temporary nor journal");
}

#[test]
fn an_upload_that_is_killed_again_and_again_is_carried_on_to_its_end() {
    let world = slow_world();
    let data = noise(4, SIZE);
    fs::write(world.file("source"), &data).expect("a file");
    carry_on_to_objects(&world, &data, |chain| {
        let source = world.uri(scheme_of(chain), "source");
        start(&world, &source, &format!("s3://{BUCKET}/target-{chain}"), &["--resume"])
    });
}

#[test]
fn a_copy_from_server_to_server_that_is_killed_again_and_again_is_carried_on_to_its_end() {
    let (world, data) = world_with_object(7);
    let (source, there) = (format!("s3://{BUCKET}/source"), second_name(&world));
    carry_on_to_objects(&world, &data, |chain| {
        start(&world, &source, &format!("{there}/{BUCKET}/target-{chain}"), &["--resume"])
    });
}

/// One part after the other, faster than the others: a part has to fit between two kills.
#[test]
fn a_copy_by_the_server_that_is_killed_again_and_again_is_carried_on_to_its_end() {
    let world = slowed_to(4 * PACE);
    let data = noise(8, SIZE);
    fs::write(world.object("source"), &data).expect("an object");
    let source = format!("s3://{BUCKET}/source");
    carry_on_to_objects(&world, &data, |chain| {
        let target = format!("s3://{BUCKET}/target-{chain}");
        start_over(&world, 1, &source, &target, &["--resume"])
    });
}

/// Kills copies of the one object, every second of which is to be carried on, and carries one on.
fn expect_nothing_or_whole(world: &World, data: &[u8], target: impl Fn(usize) -> String + Sync) {
    let source = format!("s3://{BUCKET}/source");
    let killed = kill_many(|number| {
        let resume: &[&str] = if number.is_multiple_of(2) { &[] } else { &["--resume"] };
        start(world, &source, &target(number), resume)
    });
    let is_there = |number: &usize| is_whole(&world.object(&format!("target-{number}")), data);
    expect_kills(killed, (0..kills()).filter(is_there).count());
    let mut last = start(world, &source, &target(1), &["--resume"]);
    assert!(last.wait().expect("ended").success());
    assert!(is_there(&1));
    expect_only_shown_uploads(world);
}

/// Kills copies to objects again and again, each of which `begin` carries on.
fn carry_on_to_objects(world: &World, data: &[u8], begin: impl Fn(usize) -> Child + Sync) {
    kill_and_carry_on(
        data,
        |chain| world.object(&format!("target-{chain}")),
        |chain| {
            assert!(world.journals().len() <= AT_ONCE, "one copy has one journal");
            begin(chain)
        },
    );
    assert!(world.journals().is_empty());
    expect_only_shown_uploads(world);
}

/// Copies to several targets at once, each of them killed again and again and carried on. One that was
/// in time is begun again, and at last each comes to its end.
fn kill_and_carry_on(
    data: &[u8],
    target: impl Fn(usize) -> PathBuf + Sync,
    begin: impl Fn(usize) -> Child + Sync,
) {
    let mut dice = Dice::of_the_day();
    let moments: Vec<_> = (0..kills()).map(|_| Duration::from_millis(dice.below(900))).collect();
    let (begin, target, moments) = (&begin, &target, &moments);
    let killed: usize = thread::scope(|scope| {
        let chain = |chain: usize| {
            let mine = moments.iter().skip(chain).step_by(AT_ONCE);
            let killed = mine.filter(|moment| {
                let killed = was_killed(begin(chain), **moment);
                if is_whole(&target(chain), data) {
                    fs::remove_file(target(chain)).expect("removed");
                }
                killed
            });
            let killed = killed.count();
            assert!(begin(chain).wait().expect("ended").success());
            assert!(is_whole(&target(chain), data));
            killed
        };
        let chains: Vec<_> = (0..AT_ONCE).map(|at| scope.spawn(move || chain(at))).collect();
        chains.into_iter().map(|chain| chain.join().expect("no panic")).sum()
    });
    expect_some(killed);
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

/// Every second copy goes past the page cache.
fn scheme_of(number: usize) -> &'static str {
    if number.is_multiple_of(2) { "file" } else { "direct" }
}

fn slow_world() -> World {
    slowed_to(PACE)
}

fn slowed_to(bytes_per_second: u64) -> World {
    World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.throttle_bytes_per_second = Some(bytes_per_second);
    })
}

fn world_with_object(seed: u64) -> (World, Vec<u8>) {
    let (world, data) = (slow_world(), noise(seed, SIZE));
    fs::write(world.object("source"), &data).expect("an object");
    (world, data)
}

/// The server under another name.
fn second_name(world: &World) -> String {
    world.server().url().replace("http://127.0.0.1", "s3://localhost")
}

fn copy(world: &World, source: &str, target: &str) -> Child {
    start(world, source, target, &[])
}

fn start(world: &World, source: &str, target: &str, more: &[&str]) -> Child {
    start_over(world, 3, source, target, more)
}

fn start_over(
    world: &World,
    connections: usize,
    source: &str,
    target: &str,
    more: &[&str],
) -> Child {
    let connections = connections.to_string();
    let arguments = ["cp", source, target, "--pool", "64MiB", "--cores", "1", "--part-size"];
    let limits = ["5MiB", "--connections", &connections, "--quiet"];
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
    expect_some(killed);
    assert!(
        whole >= kills() - killed,
        "{whole} are whole, and {killed} of {} were killed",
        kills()
    );
}

#[expect(clippy::print_stdout, reason = "the count is to be seen")]
fn expect_some(killed: usize) {
    println!("{killed} of {} were killed at work", kills());
    assert!(killed > 0, "no program was killed at work");
}
