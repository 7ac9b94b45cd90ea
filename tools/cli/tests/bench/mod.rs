//! `hydrant bench` from outside: what it counts adds up, and what is somebody's stays as it was.

mod store;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;

use crate::common::*;

const BLOCK: u64 = 4096;

#[test]
fn disk_counts_what_it_moves_and_removes_what_it_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = text_of(&folder.path().join("made"));
    for rw in ["read", "write", "randread", "randwrite"] {
        for driver in ["auto", "poll"] {
            let json = done(&[
                "bench", "disk", &path, "--rw", rw, "--size", "1MiB", "--bytes", "2MiB", "--depth",
                "8", "--driver", driver, "--json",
            ]);
            assert!(json.starts_with(r#"{"schema":"hydrant.bench.disk/1","#), "{json}");
            assert_eq!(number(&json, "bytes"), 2e6 * 1.048576);
            assert_eq!(number(&json, "ops") as u64, (2 << 20) / BLOCK);
            assert_eq!((number(&json, "errors"), number(&json, "short_transfers")), (0.0, 0.0));
            assert!(number(&json, "time_s") > 0.0 && number(&json, "cpu_system_s") >= 0.0);
            let (shortest, longest) =
                (number(&json, "latency_min_us"), number(&json, "latency_max_us"));
            assert!(shortest > 0.0 && shortest <= longest, "{json}");
            assert_eq!(json.contains(r#""driver":"poll""#), driver == "poll", "{json}");
            assert!(json.contains(r#""made":true"#), "{json}");
            assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0, "{rw}");
        }
    }
}

#[test]
fn disk_runs_on_several_cores_and_in_large_blocks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = text_of(&folder.path().join("made"));
    let json = done(&[
        "bench", "disk", &path, "--size", "8MiB", "--bytes", "24MiB", "--block", "1MiB", "--depth",
        "3", "--cores", "2", "--pin", "--json",
    ]);
    assert_eq!((number(&json, "ops"), number(&json, "cores")), (24.0, 2.0));
    assert!(number(&json, "submissions") >= 48.0, "1 MiB goes to the kernel as 512 KiB: {json}");
    let timed = done(&[
        "bench",
        "disk",
        &path,
        "--size",
        "1MiB",
        "--time",
        "100ms",
        "--buffered",
        "--json",
    ]);
    assert!(number(&timed, "time_s") >= 0.1, "{timed}");
    assert_eq!(number(&timed, "bytes"), number(&timed, "ops") * BLOCK as f64);
    assert!(timed.contains(r#""direct":"not asked for""#), "{timed}");
}

#[test]
fn disk_has_a_table_for_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = text_of(&folder.path().join("made"));
    let table = done(&["bench", "disk", &path, "--size", "64KiB", "--bytes", "64KiB"]);
    for word in ["operations/s", "GB/s", "99.9 %", "CPU s per GiB", "registered", "O_DIRECT"] {
        assert!(table.contains(word), "{word} is missing:\n{table}");
    }
    assert!(table.contains("made for this run, and removed"), "{table}");
}

#[test]
fn disk_only_reads_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("mine"), folder.path().join("link"));
    let mine = noise(64 << 10);
    fs::write(&path, &mine).expect("written");
    std::os::unix::fs::symlink(&path, &link).expect("linked");
    for path in [text_of(&path), text_of(&link)] {
        let json = done(&["bench", "disk", &path, "--bytes", "128KiB", "--json"]);
        assert!(json.contains(r#""made":false"#), "{json}");
        assert_eq!(number(&json, "file_bytes"), 65536.0);
        for rw in ["write", "randwrite"] {
            let output = run(&mut hydrant(["bench", "disk", &path, "--rw", rw]));
            expect_code(&output, 2);
            assert!(last_line(&output).contains("--overwrite"), "{}", last_line(&output));
        }
    }
    assert!(read(&path) == mine);

    let (text, bytes) = (text_of(&path), "64KiB");
    done(&["bench", "disk", &text, "--rw", "write", "--overwrite", "--bytes", bytes, "--json"]);
    let after = read(&path);
    assert!(after.len() == mine.len() && after != mine, "it was written over, in its length");
}

#[test]
fn disk_refuses_what_cannot_be_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = text_of(&folder.path().join("made"));
    let refused: [(&[&str], &str); 9] = [
        (&["--block", "1000"], "512"),
        (&["--submission", "6000"], "4 KiB"),
        (&["--bytes", "5000"], "multiple"),
        (&["--overwrite"], "--rw"),
        (&["--size", "1KiB"], "--size"),
        (&["--block", "8MiB", "--depth", "64", "--pool", "64MiB"], "--pool 520MiB would do"),
        (&["--depth", "1001"], "1000"),
        (&["--no-sign-request"], "--no-sign-request"),
        (&["--block", "128MiB"], "64 MiB"),
    ];
    for (arguments, told) in refused {
        let output = run(hydrant(["bench", "disk", &path]).args(arguments));
        expect_code(&output, 2);
        assert!(said(&output).contains(told), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0, "{arguments:?}");
    }
    expect_code(&run(&mut hydrant(["bench", "disk", &text_of(folder.path())])), 2);
    expect_code(&run(&mut hydrant(["bench", "disk", &format!("{path}/no/folder")])), 4);
}

#[test]
fn disk_that_is_full_is_7_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = text_of(&folder.path().join("made"));
    let output = run(&mut hydrant(["bench", "disk", &path, "--size", "8000TiB"]));
    expect_code(&output, 7);
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
}

#[test]
fn disk_that_is_interrupted_removes_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made");
    let arguments = ["bench", "disk", &text_of(&path), "--size", "1MiB", "--time", "1h"];
    let child = hydrant(arguments).spawn().expect("started");
    wait_until("the file is made", || fs::metadata(&path).is_ok_and(|file| file.len() == 1 << 20));
    signal(&child, "INT");
    expect_code(&child.wait_with_output().expect("ended"), 130);
    assert!(!path.exists());
}

#[test]
fn net_counts_what_it_moves_both_ways() {
    for driver in ["auto", "poll"] {
        let json = done(&[
            "bench",
            "net",
            "loopback",
            "--bytes",
            "33MiB",
            "--connections",
            "3",
            "--cores",
            "2",
            "--driver",
            driver,
            "--json",
        ]);
        assert!(json.starts_with(r#"{"schema":"hydrant.bench.net/1","#), "{json}");
        assert_eq!(json.contains(r#""driver":"poll""#), driver == "poll", "{json}");
        for way in ["send", "receive"] {
            let (_, run) = json.split_once(&format!("\"{way}\":{{")).expect(way);
            assert_eq!((number(run, "blocks"), number(run, "bytes")), (33.0, 34_603_008.0));
            assert!(number(run, "latency_min_us") <= number(run, "latency_max_us"), "{json}");
            // The kernel always copies on loopback.
            assert_eq!(number(run, "zero_copy_share"), 0.0, "{json}");
        }
    }
}

#[test]
fn net_sends_without_a_copy_as_told() {
    let sent = |zero_copy| {
        let json = done(&[
            "bench",
            "net",
            "loopback",
            "--direction",
            "send",
            "--bytes",
            "1MiB",
            "--block",
            "4KiB",
            "--connections",
            "1",
            "--zero-copy",
            zero_copy,
            "--json",
        ]);
        assert!(!json.contains("\"receive\""), "{json}");
        (number(&json, "bytes"), number(&json, "zero_copy_bytes"))
    };
    assert_eq!(sent("off"), (1_048_576.0, 0.0));
    // Blocks are too small for it to pay, so nobody does it unless told to.
    assert_eq!(sent("auto"), (1_048_576.0, 0.0));
    assert!(sent("on").1 >= 1_048_576.0 || !stdout(&doctor()).contains("granted  zero-copy send"));
}

#[test]
fn net_has_a_sink_for_clients_elsewhere() {
    let arguments = ["bench", "net", "sink", "--print-address", "--cores", "2"];
    let mut sink = hydrant(arguments).spawn().expect("started");
    let mut address = String::new();
    let mut out = BufReader::new(sink.stdout.take().expect("piped"));
    out.read_line(&mut address).expect("a line");
    let address = address.trim_end();
    let table = done(&["bench", "net", "send", address, "--bytes", "8MiB", "--connections", "5"]);
    for word in ["send", "GB/s", "99.9 %", "CPU s per GiB", "sent without a copy", "loopback"] {
        assert!(table.contains(word), "{word} is missing:\n{table}");
    }
    let timed = done(&["bench", "net", "receive", address, "--time", "100ms", "--json"]);
    assert!(number(&timed, "time_s") >= 0.1 && number(&timed, "bytes") > 0.0, "{timed}");
    // Somebody who speaks something else is sent away, and the others go on.
    let mut stranger = TcpStream::connect(address).expect("connected");
    stranger.write_all(&[b'x'; 64]).expect("taken");
    let gone = stranger.read(&mut [0; 1]);
    assert!(matches!(gone, Ok(0) | Err(_)), "{gone:?}");
    done(&["bench", "net", "send", address, "--bytes", "4MiB"]);
    signal(&sink, "TERM");
    expect_code(&sink.wait_with_output().expect("ended"), 0);
    expect_code(&run(&mut hydrant(["bench", "net", "send", address])), 5);
}

#[test]
fn net_refuses_what_cannot_be_meant() {
    let refused: [(&[&str], &str); 6] = [
        (&["loopback", "--block", "16"], "at least 32"),
        (&["loopback", "--bytes", "1MiB", "--connections", "2"], "less than one block"),
        (&["loopback", "--bytes", "1000000"], "multiple"),
        (&["loopback", "--connections", "100", "--pool", "64MiB"], "--pool 108MiB would do"),
        (&["send", "127.0.0.1"], "ADDRESS"),
        (&["sink", "--region", "x"], "--region"),
    ];
    for (arguments, told) in refused {
        let output = run(hydrant(["bench", "net"]).args(arguments));
        expect_code(&output, 2);
        assert!(said(&output).contains(told), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

fn doctor() -> Output {
    run(&mut hydrant(["doctor", "--cores", "1"]))
}

/// What a run that succeeds prints.
#[track_caller]
fn done(arguments: &[&str]) -> String {
    let output = run(&mut hydrant(arguments));
    expect_code(&output, 0);
    stdout(&output)
}

/// The number of a field of flat JSON.
#[track_caller]
fn number(json: &str, field: &str) -> f64 {
    let value = json.split_once(&format!("\"{field}\":")).map(|(_, rest)| rest);
    let digits = value.and_then(|rest| rest.split([',', '}']).next());
    digits.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {field} in {json}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}
