//! C programs of the tests under AddressSanitizer and valgrind.

use std::path::Path;

use crate::common::{self, Bucket, Folder, Library, Linking, compile, run};
use crate::service::Peer;

/// What is wrong with the memory of the C side, or with what it is handed, shows there: buffers that
/// are read past their end, used after they were given back, or never given back.
#[test]
fn the_c_side_is_clean_under_the_address_sanitizer() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let (slow, peer) = (Bucket::with_slow_object(), Peer::start());
    for (name, arguments) in [
        ("service", vec!["s3://a-new-one".to_owned(), peer.uri.clone()]),
        (
            "byhand",
            vec![
                Bucket::URI.to_owned(),
                peer.uri.clone(),
                folder.path("root").display().to_string(),
            ],
        ),
        ("objects", vec!["mem://asan".to_owned(), folder.path("").display().to_string()]),
        ("conditions", vec!["mem://asan".to_owned(), folder.path("").display().to_string()]),
        ("ranges", vec!["mem://asan".to_owned()]),
        ("misuse", vec!["mem://asan".to_owned()]),
        ("refusals", vec![peer.uri.clone()]),
        ("refusals_s3", vec![peer.uri.clone()]),
        ("told", vec![peer.uri.clone()]),
        ("listings", vec![Bucket::URI.to_owned(), peer.uri.clone()]),
        ("pinned", vec!["mem://asan".to_owned(), folder.path("").display().to_string()]),
        ("driven", vec!["mem://asan".to_owned()]),
        ("engine", vec!["mem://asan".to_owned()]),
        ("requests", vec!["mem://asan".to_owned(), folder.path("").display().to_string()]),
        ("queue", vec!["mem://asan".to_owned(), slow.uri_with_host()]),
        ("many", vec!["mem://asan".to_owned(), slow.uri_with_host()]),
        ("races", vec!["mem://asan".to_owned(), slow.uri_with_host()]),
        ("streams", vec!["mem://asan".to_owned(), slow.uri_with_host()]),
        (
            "transfers",
            vec![
                "mem://asan".to_owned(),
                folder.path("").display().to_string(),
                Bucket::MISSING_URI.to_owned(),
            ],
        ),
    ] {
        let source = common::crate_path(&format!("tests/c/{name}.c"));
        let program = folder.path(name);
        let flags = [&["-fsanitize=address"], common::NATIVE_LIBRARIES].concat();
        compile("gcc", "-std=c99", &[&source, &library.archive], &program, &flags);
        // A forked child leaves what is its parent's alone (FORK-1), which looks like a leak there.
        let forks = ["misuse", "queue"].contains(&name);
        let leaks = format!("detect_leaks={}", u8::from(!forks));
        let options = format!("{leaks}:detect_stack_use_after_return=1");
        let mut command = library.command(&program, &bucket);
        run(command.env("ASAN_OPTIONS", options).args(arguments));
    }
}

/// Reads of memory that nobody set, in the library and its dependencies too, which the sanitizer does not
/// look for; and what is lost for good. Without io_uring: valgrind does not see what the kernel writes.
/// Programs that open files are left out: valgrind 3.19 knows no openat2(2), which SEC-2 needs. Blocks
/// that are only possibly lost are not counted: std keeps the name of each thread so.
#[test]
fn programs_are_clean_under_valgrind() {
    let library = Library::get();
    let (folder, bucket, slow) = (Folder::new(), Bucket::new(), Bucket::with_slow_object());
    let driven = vec!["mem://valgrind".to_owned()];
    let streams = vec![Bucket::URI.to_owned(), slow.uri_with_host()];
    for (name, arguments, last_words) in [
        ("driven", driven, "driven to an end\n"),
        ("driven", vec![Bucket::URI.to_owned()], "driven to an end\n"),
        ("streams", streams, "streams are whole\n"),
    ] {
        let source = common::crate_path(&format!("tests/c/{name}.c"));
        let program = library.link(&folder, &source, Linking::Static);
        let mut command = library.command(Path::new("valgrind"), &bucket);
        command.env("HYDRANT_TEST_POLL", "1");
        let leaks = ["show-leak-kinds", "errors-for-leak-kinds"];
        let leaks = leaks.map(|what| format!("--{what}=definite,indirect"));
        command.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]).args(leaks);
        let output = run(command.arg(program).args(arguments));
        assert_eq!(String::from_utf8_lossy(&output.stdout), last_words);
    }
}
