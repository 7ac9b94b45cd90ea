//! `hydrant bench get` and `put`: what is counted is what the store has, and nothing stays that was not
//! asked for.

use std::fs;

use super::{number, said};
use crate::common::*;

/// Objects in the bucket.
fn objects(house: &House) -> Vec<u64> {
    let entries = fs::read_dir(house.object("bench")).into_iter().flatten();
    let sizes = entries.map(|entry| entry.expect("an entry").metadata().expect("a file").len());
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn what_is_put_can_be_got_and_is_counted() {
    let house = House::new();
    let put = ["bench", "put", "s3://box/bench", "--count", "12", "--objects", "6", "--json"];
    let sizes = ["--sizes", "4KiB,1MiB,6MiB", "--part-size", "5MiB", "--connections", "3"];
    let json = stdout(&house.done([&put[..], &sizes, &["--keep"]].concat()));
    assert!(json.starts_with(r#"{"schema":"hydrant.bench.put/1","#), "{json}");
    let bytes = 4 * ((4 << 10) + (1 << 20) + (6 << 20));
    assert_eq!((number(&json, "objects"), number(&json, "bytes") as u64), (12.0, bytes));
    assert_eq!(number(&json, "errors"), 0.0);
    assert!(number(&json, "latency_min_us") > 0.0 && number(&json, "time_s") > 0.0);
    assert!(!json.contains("first_byte"), "an answer to a PUT is all there is: {json}");
    assert_eq!(objects(&house), [4 << 10, 4 << 10, 1 << 20, 1 << 20, 6 << 20, 6 << 20]);
    assert_eq!(house.uploads(), 0);

    let get = ["bench", "get", "s3://box/bench", "--count", "12", "--connections", "3", "--json"];
    let json = stdout(&house.done(get));
    assert!(json.starts_with(r#"{"schema":"hydrant.bench.get/1","#), "{json}");
    assert_eq!((number(&json, "objects"), number(&json, "bytes") as u64), (12.0, bytes));
    let (first, whole) = (number(&json, "first_byte_max_us"), number(&json, "latency_max_us"));
    assert!(first > 0.0 && first <= whole, "{json}");
    assert_eq!(objects(&house).len(), 6, "a read leaves what is there");

    // What was there goes when the objects of a run are removed, for they have the same names.
    let output = house.done([&put[..], &sizes].concat());
    assert_eq!(number(&stdout(&output), "objects"), 12.0);
    assert!(objects(&house).is_empty());
}

#[test]
fn processes_are_merged() {
    let house = House::new();
    let list = house.path("sizes");
    write(&list, b"4KiB\n8KiB\n");
    let list = list.to_str().expect("UTF-8");
    let put = ["bench", "put", "s3://box/bench", "--sizes-from", list, "--count", "10", "--keep"];
    let several = ["--processes", "3", "--objects", "4", "--connections", "2", "--json"];
    let json = stdout(&house.done([&put[..], &several].concat()));
    assert_eq!((number(&json, "objects"), number(&json, "processes")), (30.0, 3.0), "{json}");
    assert_eq!(number(&json, "bytes"), 3.0 * 10.0 * 6.0 * 1024.0);
    assert_eq!(objects(&house).len(), 12, "each process has objects of its own");
    let get = ["bench", "get", "s3://box/bench", "--time", "2s", "--warm-up", "100ms"];
    let json = stdout(&house.done([&get[..], &several].concat()));
    assert!(number(&json, "objects") > 0.0 && number(&json, "time_s") >= 1.0, "{json}");
    let table = stdout(&house.done([&get[..], &["--processes", "2"]].concat()));
    for word in ["objects/s", "GB/s", "first byte µs, 99 %", "2 processes", "CPU s per GiB"] {
        assert!(table.contains(word), "{word} is missing:\n{table}");
    }
}

#[test]
fn any_store_can_be_measured() {
    let house = House::new();
    for scheme in ["file", "direct"] {
        let place = format!("{scheme}://{}", house.path_text("bench"));
        let put = ["bench", "put", &place, "--count", "5", "--sizes", "8KiB", "--keep", "--json"];
        assert_eq!(number(&stdout(&house.done(put)), "bytes"), 5.0 * 8192.0, "{scheme}");
        let json = stdout(&house.done(["bench", "get", &place, "--count", "7", "--json"]));
        assert_eq!((number(&json, "objects"), number(&json, "bytes")), (7.0, 7.0 * 8192.0));
        assert!(!json.contains("first_byte"), "a file has no answer: {json}");
        fs::remove_dir_all(house.path("bench")).expect("removed");
    }
}

#[test]
fn a_run_with_errors_has_figures_and_fails() {
    let house = House::new();
    let arguments =
        ["bench", "put", "s3://none/bench", "--count", "3", "--sizes", "1KiB", "--json"];
    for processes in ["1", "2"] {
        let more = ["--processes", processes, "--keep"];
        let output = run(&mut house.client([&arguments[..], &more].concat()));
        expect_code(&output, 1);
        let json = stdout(&output);
        assert_eq!(number(&json, "objects"), 0.0, "{json}");
        assert!(number(&json, "errors") >= 3.0, "{json}");
        assert!(last_line(&output).contains("NoSuchBucket"), "{}", last_line(&output));
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let house = House::new();
    let refused: [(&[&str], &str); 6] = [
        (&["get", "s3://box/nothing"], "no object"),
        (&["get", "s3://box/x", "--part-size", "1MiB"], "5MiB"),
        (
            &["get", "s3://box/x", "--connections", "64", "--pool", "64MiB"],
            "--pool 520MiB would do",
        ),
        (&["put", "s3://box/x", "--time", "1s", "--count", "1"], "--count"),
        (&["put", "s3://box/x", "--sizes", "many"], "size"),
        (&["put", "s3://box/x", "--processes", "0"], "processes"),
    ];
    for (arguments, told) in refused {
        let output = run(house.client(["bench"]).args(arguments));
        expect_code(&output, 2);
        assert!(said(&output).contains(told), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
