//! The program from outside: exit codes, pipes, what stands on stdout and stderr.

mod bench;
mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use common::*;

const COMMANDS: [&str; 10] =
    ["demo", "bench", "serve", "cp", "ls", "stat", "cat", "rm", "verify", "doctor"];

#[test]
fn help_teaches_and_succeeds() {
    let long = run(&mut hydrant(["--help"]));
    expect_code(&long, 0);
    let text = stdout(&long);
    let taught =
        ["AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_REGION", "Exit codes:", "direct://"];
    for word in taught.into_iter().chain(COMMANDS) {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
    for command in COMMANDS {
        let help = run(&mut hydrant([command, "--help"]));
        expect_code(&help, 0);
        let text = stdout(&help);
        assert!(text.contains("Examples:\n  "), "{command}:\n{text}");
    }
    let version = run(&mut hydrant(["--version"]));
    assert_eq!(stdout(&version), concat!("hydrant ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_engine_tells_of_itself_on_stderr_where_that_is_asked_for() {
    let house = House::new();
    write(&house.path("file"), b"x");
    let file = house.path_text("file");
    for (arguments, told) in
        [(&["cat", &file][..], false), (&["cat", &file, "--log", "debug"], true)]
    {
        let output = run(&mut hydrant(arguments));
        expect_code(&output, 0);
        assert_eq!(stdout(&output), "x");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("core 0 runs"), told, "{said}");
    }
}

#[test]
fn wrong_usage_is_2() {
    let house = House::new();
    write(&house.path("file"), b"x");
    let file = house.path_text("file");
    let detour = format!("direct://{}/./file", house.path_text("")).replace("//.", "/.");
    let cases: [&[&str]; 15] = [
        &[],
        &["fly"],
        &["ls", "--fly"],
        &["cp", "a"],
        &["cp", "-", "-"],
        &["cp", &file, &file],
        &["cp", &file, &detour],
        &["cp", "-", "s3://box/"],
        &["cp", &file, "ftp://box/key"],
        &["cp", &file, "s3://box/key", "--part-size", "8M"],
        &["ls", "s3://box", "--pool", "1MiB"],
        &["ls", "s3://box", "--cores", "0"],
        &["rm", "s3://box"],
        &["demo", "--no-sign-request"],
        &["serve", &file, "--cores", "2"],
    ];
    for arguments in cases {
        let output = run(&mut house.client(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", last_line(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(read(&house.path("file")), b"x");
    assert_eq!(house.server.stats().requests(), 0);
}

#[test]
fn urls_are_read() {
    let house = House::with(|config| config.credentials = None);
    let bytes = noise(100_000);
    write(&house.path("data.bin"), &bytes);
    house.done(["cp", &house.path_text("data.bin"), "s3://box/data.bin"]);
    let url = format!("{}/box/data.bin", house.server.url());
    let asked = format!("{url}?token=secret");
    for said in [house.done(["cat", &asked]), house.done(["cp", &asked, "-"])] {
        assert!(said.stdout == bytes);
    }
    fs::create_dir(house.path("folder")).expect("made");
    house.done(["cp", &asked, &house.path_text("folder")]);
    assert!(read(&house.path("folder/data.bin")) == bytes, "named without the query");
    for arguments in [["stat", &asked, "--json"], ["ls", &asked, "--json"]] {
        let said = stdout(&house.done(arguments));
        assert!(said.contains("\"size_bytes\":100000") && said.contains(&url), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let refused = run(&mut house.client(["cp", &house.path_text("data.bin"), &asked]));
    expect_code(&refused, 2);
    let line = last_line(&refused);
    assert!(line.contains("never written") && !line.contains("secret"), "{line}");
}

#[test]
fn objects_go_up_and_down_by_file_and_by_name() {
    let house = House::new();
    let bytes = noise(20 << 20);
    write(&house.path("data.bin"), &bytes);
    house.done(["cp", &house.path_text("data.bin"), "s3://box/in/", "--part-size", "5MiB"]);
    assert!(read(&house.object("in/data.bin")) == bytes);

    let direct = format!("direct://{}", house.path_text("copy.bin"));
    house.done(["cp", "s3://box/in/data.bin", &direct, "--connections", "3"]);
    assert!(read(&house.path("copy.bin")) == bytes);

    fs::create_dir(house.path("folder")).expect("made");
    let up = house.done(["cp", "s3://box/in/data.bin", &house.path_text("folder")]);
    assert!(read(&house.path("folder/data.bin")) == bytes);
    assert!(up.stdout.is_empty());
    let line = last_line(&up);
    assert!(line.starts_with("copied 20 MiB in ") && line.contains("/s)"), "{line}");
    assert!(!up.stderr.contains(&b'\r') && !up.stderr.contains(&0x1b), "a bar in a pipe");

    house.done(["cp", "s3://box/in/data.bin", "s3://box/again"]);
    assert!(read(&house.object("again")) == bytes);
    assert_eq!(house.uploads(), 0);
}

#[test]
fn pipes_carry_payload_and_nothing_else() {
    let house = House::new();
    let bytes = noise((12 << 20) + 345);
    let up = run_with_stdin(&mut house.client(["cp", "-", "s3://box/piped", "-q"]), &bytes);
    expect_code(&up, 0);
    assert!(up.stderr.is_empty(), "{}", last_line(&up));
    assert!(read(&house.object("piped")) == bytes);

    let down = house.done(["cp", "s3://box/piped", "-"]);
    assert!(down.stdout == bytes);
    let both = house.done(["cat", "s3://box/piped", "s3://box/piped"]);
    assert!(both.stdout == [&bytes[..], &bytes[..]].concat());
}

#[test]
fn nothing_is_an_object_too() {
    let house = House::new();
    house.done(["cp", "-", "s3://box/empty"]);
    assert_eq!(read(&house.object("empty")), b"");
    assert!(house.done(["cat", "s3://box/empty"]).stdout.is_empty());
    house.done(["cp", "s3://box/empty", &house.path_text("empty")]);
    assert_eq!(read(&house.path("empty")), b"");
    let file = house.path_text("void");
    expect_code(&run(&mut house.client(["cp", "-", &file])), 0);
    assert_eq!(read(&house.path("void")), b"");
}

#[test]
fn stat_tells_what_is_known() {
    let house = House::new();
    write(&house.object("a/b"), &noise(1234));
    let text = stdout(&house.done(["stat", "s3://box/a/b"]));
    assert!(
        text.starts_with("uri:       s3://box/a/b\nsize:      1234 bytes (1.21 KiB)\n"),
        "{text}"
    );
    assert!(text.contains("\netag:      \"") && text.contains("\nmodified:  20"), "{text}");
    let json = stdout(&house.done(["stat", "--json", "s3://box/a/b"]));
    let begins =
        r#"{"schema":"hydrant.stat/1","uri":"s3://box/a/b","size_bytes":1234,"modified":"20"#;
    assert!(json.starts_with(begins), "{json}");
    write(&house.path("local"), b"four");
    let local = stdout(&house.done(["stat", &house.path_text("local")]));
    assert!(local.contains("size:      4 bytes"), "{local}");
}

#[test]
fn ls_shows_names_or_whole_keys() {
    let house = House::new();
    for key in ["a", "b/c", "b/d/e"] {
        write(&house.object(key), b"12345");
    }
    let names = |arguments: &[&str]| -> Vec<String> {
        let text = stdout(&house.done(arguments));
        text.lines().map(|line| line.get(33..).unwrap_or(line).to_owned()).collect()
    };
    assert_eq!(names(&["ls", "s3://box"]), ["a", "b/"]);
    assert_eq!(names(&["ls", "s3://box/b/"]), ["c", "d/"]);
    assert_eq!(names(&["ls", "s3://box/b"]), ["b/"]);
    assert_eq!(names(&["ls", "-r", "s3://box/b/"]), ["b/c", "b/d/e"]);
    assert!(names(&["ls", "s3://box/nothing"]).is_empty());
    let lines = stdout(&house.done(["ls", "s3://box"]));
    let (object, prefix) = lines.split_once('\n').expect("two lines");
    assert!(object.ends_with("            5 a") && object.starts_with("20"), "{object}");
    assert_eq!(prefix.trim(), "PRE b/");
    let json = stdout(&house.done(["ls", "--json", "s3://box"]));
    let lines: Vec<&str> = json.lines().collect();
    assert!(
        lines[0].starts_with(r#"{"schema":"hydrant.ls/1","key":"a","size_bytes":5,"#),
        "{json}"
    );
    assert_eq!(lines[1], r#"{"schema":"hydrant.ls/1","prefix":"b/"}"#);
}

#[test]
fn ls_lists_directories() {
    let house = House::new();
    write(&house.path("folder/file"), b"12345");
    write(&house.path("folder/below/file"), b"12345");
    let text = stdout(&house.done(["ls", &house.path_text("folder")]));
    let names: Vec<&str> = text.lines().filter_map(|line| line.get(33..)).collect();
    assert_eq!(names, ["below/", "file"], "{text}");
    let here = run(house.client(["ls"]).current_dir(house.path("folder/below")));
    assert!(stdout(&here).ends_with(" 5 file\n"), "{}{}", stdout(&here), last_line(&here));
}

#[test]
fn ls_needs_one_connection_for_all_its_pages() {
    let house = House::with(|config| config.limits.list_keys_max = 10);
    for number in 0..95 {
        write(&house.object(&format!("key-{number:03}")), b"");
    }
    let text = stdout(&house.done(["ls", "s3://box"]));
    assert_eq!(text.lines().count(), 95);
    let stats = house.server.stats();
    assert_eq!((stats.connections_accepted, stats.get, stats.requests()), (1, 10, 10));
}

#[test]
fn rm_goes_on_after_a_failure_and_tells() {
    let house = House::new();
    for name in ["a", "c"] {
        write(&house.path(name), b"x");
    }
    write(&house.object("gone"), b"x");
    let (a, b, c) = (house.path_text("a"), house.path_text("b"), house.path_text("c"));
    let output = run(&mut house.client(["rm", &a, &b, "s3://box/gone", &c]));
    expect_code(&output, 1);
    assert!(!house.path("a").exists() && !house.path("c").exists());
    assert!(!house.object("gone").exists());
    let last = last_line(&output);
    assert!(
        last.starts_with("hydrant rm: 3 done, 1 failed; first ") && last.contains(&b),
        "{last}"
    );
    assert_eq!(stdout(&output).lines().count(), 3);
    expect_code(&run(&mut house.client(["rm", &b])), 4);
}

#[test]
fn cat_goes_on_after_a_failure_and_tells() {
    let house = House::new();
    write(&house.object("a"), b"one");
    write(&house.object("c"), b"three");
    let output = run(&mut house.client(["cat", "s3://box/a", "s3://box/b", "s3://box/c"]));
    expect_code(&output, 1);
    assert_eq!(stdout(&output), "onethree");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.lines().any(|line| line.starts_with("failed ") && line.contains("s3://box/b")),
        "{text}"
    );
}

#[test]
fn credentials_that_are_refused_are_3() {
    let house = House::new();
    write(&house.object("a"), b"x");
    let wrong =
        run(house.client(["cat", "s3://box/a"]).env("AWS_SECRET_ACCESS_KEY", "not-the-one"));
    expect_code(&wrong, 3);
    let text = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!text.contains("not-the-one"), "a secret in {text}");
    expect_code(&run(&mut house.client(["--no-sign-request", "cat", "s3://box/a"])), 3);
    expect_code(&run(house.client(["cat", "s3://box/a"]).env_remove("AWS_SECRET_ACCESS_KEY")), 3);
}

#[test]
fn a_server_without_keys_takes_requests_without_signature() {
    let house = House::with(|config| config.credentials = None);
    write(&house.object("a"), b"x");
    let mut command = hydrant(["cat", "s3://box/a", "--no-sign-request"]);
    let output = run(command.args(["--endpoint-url", &house.server.url()]));
    expect_code(&output, 0);
    assert_eq!(stdout(&output), "x");
}

#[test]
fn what_is_not_there_is_4() {
    let house = House::new();
    for arguments in [
        ["cat", "s3://box/missing"],
        ["stat", "s3://box/missing"],
        ["ls", "s3://no-such-bucket"],
        ["stat", "./no-such-file"],
        ["ls", "./no-such-file"],
    ] {
        let output = run(&mut house.client(arguments));
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {}", last_line(&output));
        assert!(last_line(&output).starts_with(&format!("hydrant {}: ", arguments[0])));
    }
    let target = house.path_text("target");
    expect_code(&run(&mut house.client(["cp", "s3://box/missing", &target])), 4);
    assert!(!house.path("target").exists());
}

#[test]
fn a_server_that_is_not_there_is_5() {
    // The kernel hands out no port below 1024.
    let url = "http://127.0.0.1:1";
    let output =
        run(&mut hydrant(["stat", "s3://box/a", "--no-sign-request", "--endpoint-url", url]));
    expect_code(&output, 5);
}

#[test]
fn an_object_that_changes_meanwhile_is_6_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("target");
    let url = changing_object();
    let mut command = hydrant(["cp", "s3://box/a", "--part-size", "1MiB", "--no-sign-request"]);
    let output = run(command.arg(&target).args(["--endpoint-url", &url]));
    expect_code(&output, 6);
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
}

#[test]
fn a_full_disk_is_7() {
    let house = House::new();
    write(&house.object("a"), &noise(1 << 20));
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = run(house.client(["cat", "s3://box/a"]).stdout(full));
    expect_code(&output, 7);
    assert!(last_line(&output).contains("standard output"), "{}", last_line(&output));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let house = House::new();
    write(&house.object("a"), &noise(16 << 20));
    let mut child = house.client(["cat", "s3://box/a"]).spawn().expect("started");
    let mut first = [0; 10];
    child.stdout.take().expect("piped").read_exact(&mut first).expect("ten bytes");
    let output = child.wait_with_output().expect("ended");
    expect_code(&output, 141);
    assert!(output.stderr.is_empty(), "{}", last_line(&output));
}

#[test]
fn an_interrupted_upload_is_130_and_leaves_nothing() {
    let house = House::with(|config| config.throttle_bytes_per_second = Some(1 << 20));
    write(&house.path("data"), &noise(32 << 20));
    let file = house.path_text("data");
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut command = house.client(["cp", &file, "s3://box/data", "--part-size", "5MiB"]);
        let child = command.spawn().expect("started");
        wait_until("an upload begins", || house.uploads() > 0);
        signal(&child, name);
        let output = child.wait_with_output().expect("ended");
        expect_code(&output, code);
        assert_eq!(last_line(&output), format!("hydrant cp: ended by SIG{name}"));
        assert_eq!(house.uploads(), 0, "an upload was left behind");
        assert!(!house.object("data").exists());
    }
}

#[test]
fn an_interrupted_download_is_130_and_leaves_nothing() {
    let house = House::with(|config| config.throttle_bytes_per_second = Some(1 << 20));
    write(&house.object("data"), &noise(32 << 20));
    fs::create_dir(house.path("folder")).expect("made");
    let folder = house.path_text("folder/");
    let child = house.client(["cp", "s3://box/data", &folder]).spawn().expect("started");
    wait_until("a download begins", || house.server.stats().get > 1);
    signal(&child, "INT");
    expect_code(&child.wait_with_output().expect("ended"), 130);
    let left: Vec<_> = fs::read_dir(house.path("folder")).expect("listed").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_upload_that_waits_for_stdin_hears_the_signal() {
    let house = House::new();
    let mut command = house.client(["cp", "-", "s3://box/never"]);
    let child = command.stdin(Stdio::piped()).spawn().expect("started");
    // The handlers are set before the engine starts its threads.
    wait_until("the engine runs", || threads(child.id()) > 2);
    signal(&child, "INT");
    expect_code(&child.wait_with_output().expect("ended"), 130);
    assert!(!house.object("never").exists());
}

#[test]
fn serve_serves_until_it_is_told_to_stop() {
    let house = House::new();
    let root = house.path_text("served");
    write(&house.path("served/photos/a"), b"hello");
    let mut command = hydrant(["serve", &root, "--listen", "127.0.0.1:0", "--print-url"]);
    let mut child = command.spawn().expect("started");
    let mut url = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut url).expect("a line");
    let mut client = hydrant(["cat", "s3://photos/a", "--no-sign-request"]);
    let output = run(client.args(["--endpoint-url", url.trim_end()]));
    expect_code(&output, 0);
    assert_eq!(stdout(&output), "hello");
    let twice = run(&mut hydrant(["serve", &root, "--listen", "127.0.0.1:0"]));
    expect_code(&twice, 3);
    signal(&child, "TERM");
    let output = child.wait_with_output().expect("ended");
    expect_code(&output, 0);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let example =
        format!("AWS_ENDPOINT_URL={} hydrant --no-sign-request ls s3://photos", url.trim_end());
    assert!(said.contains(&example), "{said}");
}

#[test]
fn serve_stops_with_its_stdin_and_tells_no_secret() {
    let house = House::new();
    let root = house.path_text("served");
    let arguments = ["serve", &root, "--listen", "127.0.0.1:0", "--stop-on-stdin-eof"];
    let signed = |command: &mut std::process::Command| {
        run(command.env("AWS_ACCESS_KEY_ID", "me").env("AWS_SECRET_ACCESS_KEY", "hunter2"))
    };
    let served = signed(&mut hydrant(arguments));
    expect_code(&served, 0);
    let help = signed(&mut hydrant(["serve", "--help"]));
    for output in [&served, &help] {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        assert!(!String::from_utf8_lossy(&text).contains("hunter2"));
    }
    let half = run(hydrant(arguments).env("AWS_ACCESS_KEY_ID", "me"));
    expect_code(&half, 3);
    let taken = house.server.addr().to_string();
    expect_code(&run(&mut hydrant(["serve", &root, "--listen", &taken])), 3);
}

#[test]
fn demo_measures_and_cleans_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let output = run(&mut hydrant(["demo", "--size", "32MiB", "--dir", path]));
    expect_code(&output, 0);
    let table = stdout(&output);
    for word in ["upload", "download", "GB/s", "registered", "io_uring_enter", "SHA-256", "driver"]
    {
        assert!(table.contains(word), "{word} is missing:\n{table}");
    }
    assert!(table.contains("33,554,432        33,554,432"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert_eq!(fs::read_dir(path).expect("listed").count(), 0);
}

#[test]
fn demo_says_when_there_is_no_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let output = run(&mut hydrant(["demo", "--size", "1000TiB", "--dir", path]));
    expect_code(&output, 7);
    assert!(last_line(&output).contains("--dir"), "{}", last_line(&output));
    let output = run(&mut hydrant(["demo", "--dir", &format!("{path}/missing")]));
    expect_code(&output, 4);
}

#[test]
fn demo_takes_its_server_along_however_it_ends() {
    for (name, code) in [("INT", Some(130)), ("KILL", None)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8");
        let child = hydrant(["demo", "--size", "2GiB", "--dir", path]).spawn().expect("started");
        let mut server = None;
        wait_until("the server runs", || {
            server = only_child(child.id());
            server.is_some_and(|server| threads(server) > 1)
        });
        signal(&child, name);
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), code, "{}", last_line(&output));
        let server = server.expect("seen above");
        wait_until("the server ends", || !is_running(server));
        if code.is_some() {
            assert_eq!(fs::read_dir(path).expect("listed").count(), 0);
        }
    }
}

#[test]
fn doctor_tells_what_the_machine_grants() {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = ["doctor", "--cores", "1", ".", "/nowhere"];
    let output = run(hydrant(asked).current_dir(folder.path()));
    expect_code(&output, 0);
    let text = stdout(&output);
    for word in [
        "kernel",
        "driver",
        "locked memory",
        "huge pages",
        "arena",
        "O_DIRECT           in .: ",
        "O_DIRECT           in /nowhere: unknown",
        "cores",
        "seccomp",
    ] {
        assert!(text.lines().any(|line| line.starts_with(word)), "{word} is missing:\n{text}");
    }
    assert!(text.contains("  granted  "), "{text}");
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
}

/// A server with one object of 4 MiB, which is another one after the first request.
fn changing_object() -> String {
    const FIRST: &str = "HTTP/1.1 206 Partial Content\r\nETag: \"one\"\r\n\
                         Content-Range: bytes 0-1048575/4194304\r\nContent-Length: 1048576\r\n\r\n";
    const LATER: &str = "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let answered = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let answered = Arc::clone(&answered);
            thread::spawn(move || {
                let mut head = BufReader::new(&connection).lines().map_while(Result::ok);
                // A request has no body, so it ends with its empty line; a client that hangs up
                // meanwhile has heard enough.
                while head.by_ref().take_while(|line| !line.is_empty()).count() > 0 {
                    let mut answer = LATER.as_bytes().to_vec();
                    if !answered.swap(true, Relaxed) {
                        answer = [FIRST.as_bytes(), &noise(1 << 20)].concat();
                    }
                    if (&connection).write_all(&answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count)
}

fn only_child(process: u32) -> Option<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// Whether a process is there and no zombie that its new parent has not looked at yet.
fn is_running(process: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}
