//! The library as C programs meet it: the header is compiled in strict modes, the example and the
//! misuse program are linked against the static and the shared library and run.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::{self, Bucket, Folder, Library, Linking, compile, run};
use crate::service::Peer;

#[test]
fn the_headers_compile_alone_and_twice_in_every_standard() {
    let folder = Folder::new();
    // In C++ the initializers must not narrow, and the functions must have C's names.
    let used = "#include <hydrant.h>\n\
                hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;\n\
                hyd_object_meta meta = HYD_OBJECT_META_INIT;\n\
                hyd_error_view view = HYD_ERROR_VIEW_INIT;\n\
                hyd_engine_left left = HYD_ENGINE_LEFT_INIT;\n\
                hyd_caps caps = HYD_CAPS_INIT;\n\
                hyd_stats stats = HYD_STATS_INIT;\n\
                hyd_put_options put = HYD_PUT_OPTIONS_INIT;\n\
                hyd_get_options get = HYD_GET_OPTIONS_INIT;\n\
                hyd_s3_put_options s3_put = HYD_S3_PUT_OPTIONS_INIT;\n\
                hyd_s3_get_options s3_get = HYD_S3_GET_OPTIONS_INIT;\n\
                hyd_ranges_options ranges = HYD_RANGES_OPTIONS_INIT;\n\
                hyd_bucket_options making = HYD_BUCKET_OPTIONS_INIT;\n\
                hyd_bucket_info bucket = HYD_BUCKET_INFO_INIT;\n\
                hyd_request request = HYD_REQUEST_INIT;\n\
                hyd_delete_report deleted = HYD_DELETE_REPORT_INIT;\n\
                hyd_copy_options copying = HYD_COPY_OPTIONS_INIT;\n\
                hyd_copy_report copied = HYD_COPY_REPORT_INIT;\n\
                hyd_verify_options comparing = HYD_VERIFY_OPTIONS_INIT;\n\
                hyd_presign_options signing = HYD_PRESIGN_OPTIONS_INIT;\n\
                hyd_presigned_view signed_one = HYD_PRESIGNED_VIEW_INIT;\n\
                hyd_delete_options deleting = HYD_DELETE_OPTIONS_INIT;\n\
                hyd_s3_object_view told = HYD_S3_OBJECT_VIEW_INIT;\n\
                hyd_part_source copied_from = HYD_PART_SOURCE_INIT;\n\
                hyd_verify_report same = HYD_VERIFY_REPORT_INIT;\n";
    let twice = |name: &str| format!("#include <{name}>\n#include <{name}>\n");
    for (index, text) in [twice("hydrant.h"), used.to_owned()].iter().enumerate() {
        let c = folder.write(&format!("header{index}.c"), text);
        let cxx = folder.write(&format!("header{index}.cpp"), text);
        for (compiler, source, standards) in [
            ("gcc", &c, &["c99", "c11", "c17"][..]),
            ("clang", &c, &["c99", "c11", "c17"]),
            ("g++", &cxx, &["c++11", "c++14", "c++17", "c++20", "c++2b"]),
            ("clang++", &cxx, &["c++11", "c++14", "c++17", "c++20", "c++2b"]),
        ] {
            for standard in standards {
                let standard = format!("-std={standard}");
                compile(compiler, &standard, &[source], &folder.path("o"), &["-c"]);
            }
        }
    }
}

#[test]
fn every_function_is_called_by_a_c_program() {
    let mut programs = String::new();
    for file in std::fs::read_dir(common::crate_path("tests/c")).expect("the C tests") {
        programs += &std::fs::read_to_string(file.expect("a file").path()).expect("a C test");
    }
    let declared = common::functions_of_the_header();
    let uncalled: Vec<&String> =
        declared.iter().filter(|name| !programs.contains(&format!("{name}("))).collect();
    assert!(declared.len() > 50, "{declared:?}");
    assert!(uncalled.is_empty(), "{uncalled:?}");
}

/// A function that is new has to be handed what it refuses, too.
#[test]
fn every_function_refuses_what_is_no_handle_and_no_struct() {
    let sources =
        ["refusals.c", "refusals_s3.c"].map(|name| common::crate_path(&format!("tests/c/{name}")));
    let text = |path| std::fs::read_to_string(path).expect("the program");
    let text: String =
        sources.iter().chain([&common::crate_path("tests/c/refusals.h")]).map(text).collect();
    let declared = common::functions_of_the_header();
    let left_out: Vec<&String> =
        declared.iter().filter(|name| !text.contains(&format!("{name}("))).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    for source in &sources {
        let program = library.link(&folder, source, Linking::Static);
        let output = run(library.command(&program, &bucket).arg(&peer.uri));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "all of it is refused\n");
    }
}

/// What is wrong with the memory of the C side, or with what it is handed, shows there: buffers that
/// are read past their end, used after they were given back, or never given back.
#[test]
fn the_c_side_is_clean_under_the_address_sanitizer() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let (slow, peer) = (slow_bucket(), Peer::start());
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
        ("pinned", vec!["mem://asan".to_owned(), folder.path("").display().to_string()]),
        ("driven", vec!["mem://asan".to_owned()]),
        ("engine", vec!["mem://asan".to_owned()]),
        ("requests", vec!["mem://asan".to_owned(), folder.path("").display().to_string()]),
        ("queue", vec!["mem://asan".to_owned(), slow.uri_with_host()]),
        ("many", vec!["mem://asan".to_owned(), slow.uri_with_host()]),
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
    let (folder, bucket, slow) = (Folder::new(), Bucket::new(), slow_bucket());
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

#[test]
fn the_other_examples_run_in_memory_and_on_s3() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    for (name, last_words) in [
        ("ranges_epoll.c", "1000 ranges are right\n"),
        ("upload_stream.c", "the object is what was produced\n"),
        ("registered.c", "the whole object is in its place\n"),
        ("driven_loop.c", "the loop is through\n"),
    ] {
        let source = common::crate_path(&format!("examples/{name}"));
        let program = library.link(&folder, &source, Linking::Static);
        for uri in ["mem://example", Bucket::URI] {
            let output = run(library.command(&program, &bucket).arg(uri));
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.ends_with(last_words), "{name} {uri}: {said}");
        }
    }
}

#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
    let library = Library::get();
    let declared = common::functions_of_the_header();
    assert!(declared.contains("hyd_get_range"), "{declared:?}");

    let shared = common::symbols(&["-D", "--defined-only"], &library.shared);
    assert_eq!(shared, declared, "exported by {}", library.shared.display());

    // An archive has all its inner symbols too; what counts is who could clash with the host.
    let archived = common::symbols(&["--defined-only", "--extern-only"], &library.archive);
    let ours: BTreeSet<String> =
        archived.into_iter().filter(|name| name.starts_with("hyd_")).collect();
    assert_eq!(ours, declared, "defined by {}", library.archive.display());
}

#[test]
fn the_first_program_of_the_guide_is_one() {
    let guide =
        std::fs::read_to_string(common::crate_path("../docs/guide-c.md")).expect("the guide");
    let (_, rest) = guide.split_once("```c\n").expect("a program");
    let (program, _) = rest.split_once("```").expect("its end");
    let folder = Folder::new();
    let source = folder.write("guide.c", program);
    Library::get().link(&folder, &source, Linking::Static);
}

#[test]
fn the_example_runs_in_memory_and_on_files_and_on_s3() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let example = common::crate_path("examples/put_get.c");
    for linking in [Linking::Static, Linking::Shared] {
        let program = library.link(&folder, &example, linking);
        let file = folder.path("object").to_string_lossy().into_owned();
        for (uri, key) in [
            ("mem://example", "greeting"),
            ("file:///", file.as_str()),
            (Bucket::URI, "a folder/grüße"),
        ] {
            let output = run(library.command(&program, &bucket).args([uri, key]));
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                said.contains("1048576 bytes from offset 12345678 are as they were put"),
                "{said}"
            );
        }
    }
    let stored = std::fs::metadata(bucket.path("a folder/grüße")).expect("the server has it");
    assert_eq!(stored.len(), 20 * 1024 * 1024 + 3);
}

#[test]
fn the_example_says_what_is_wrong() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let program = library.link(&folder, &common::crate_path("examples/put_get.c"), Linking::Static);
    for (arguments, expected) in [
        (vec![], vec!["usage: ", "URI KEY"]),
        (vec!["gopher://hole", "key"], vec!["INVALID: ", "unknown scheme"]),
        (vec![Bucket::MISSING_URI, "key"], vec!["NOT_FOUND: ", "HTTP status 404", "NoSuchBucket"]),
    ] {
        let output = library.command(&program, &bucket).args(&arguments).output();
        let output = output.expect("run the example");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for words in expected {
            assert!(said.contains(words), "{arguments:?}: no {words:?} in {said}");
        }
        assert!(!said.contains(common::SECRET), "SEC-1: {said}");
    }
}

/// SEC-1, and that wrong credentials are told apart from a missing object.
#[test]
fn wrong_credentials_are_a_matter_of_configuration() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let program = library.link(&folder, &common::crate_path("examples/put_get.c"), Linking::Static);
    let mut command = library.command(&program, &bucket);
    command.env("AWS_SECRET_ACCESS_KEY", "not-the-secret").args([Bucket::URI, "key"]);
    let output = command.output().expect("run the example");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("CONFIG: ") && said.contains("SignatureDoesNotMatch"), "{said}");
    assert!(!said.contains("not-the-secret"), "SEC-1: {said}");
}

#[test]
fn misuse_is_told_instead_of_crashing() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let program = library.link(&folder, &common::crate_path("tests/c/misuse.c"), Linking::Static);
    for uri in ["mem://misuse", Bucket::URI] {
        let output = run(library.command(&program, &bucket).arg(uri));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "misuse is told\n");
    }
}

#[test]
fn the_blocking_calls_do_what_they_say() {
    let library = Library::get();
    let folder = Folder::new();
    for (name, has_files, said) in [
        ("objects", true, "objects are whole\n"),
        ("conditions", true, "conditions hold\n"),
        ("ranges", false, "ranges are whole\n"),
    ] {
        let source = common::crate_path(&format!("tests/c/{name}.c"));
        let program = library.link(&folder, &source, Linking::Static);
        for uri in ["mem://blocking", Bucket::URI] {
            let (bucket, files) = (Bucket::new(), Folder::new());
            let mut command = library.command(&program, &bucket);
            let output = run(command.arg(uri).args(has_files.then(|| files.path(""))));
            assert_eq!(String::from_utf8_lossy(&output.stdout), said);
        }
    }
}

#[test]
fn an_engine_tells_and_lends() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let program = library.link(&folder, &common::crate_path("tests/c/engine.c"), Linking::Static);
    for uri in ["mem://engine", Bucket::URI] {
        let output = run(library.command(&program, &bucket).arg(uri));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "an engine tells\n");
    }
}

#[test]
fn requests_of_each_kind_are_done() {
    let library = Library::get();
    let folder = Folder::new();
    let source = common::crate_path("tests/c/requests.c");
    let program = library.link(&folder, &source, Linking::Static);
    for mode in [None, Some("driven")] {
        for uri in ["mem://requests", Bucket::URI] {
            let (bucket, files) = (Bucket::new(), Folder::new());
            let mut command = library.command(&program, &bucket);
            let output = run(command.arg(uri).arg(files.path("")).args(mode));
            assert_eq!(String::from_utf8_lossy(&output.stdout), "requests are done\n");
        }
    }
}

#[test]
fn memory_of_other_owners_is_read_into_and_sent_from() {
    let library = Library::get();
    let folder = Folder::new();
    let source = common::crate_path("tests/c/pinned.c");
    let program = library.link(&folder, &source, Linking::Static);
    for uri in ["mem://pinned", Bucket::URI] {
        let (bucket, files) = (Bucket::new(), Folder::new());
        let output = run(library.command(&program, &bucket).arg(uri).arg(files.path("")));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "all memory was good\n");
    }
}

#[test]
fn queues_complete_what_they_accept() {
    let library = Library::get();
    let folder = Folder::new();
    let slow = slow_bucket();
    let program = library.link(&folder, &common::crate_path("tests/c/queue.c"), Linking::Static);
    for mode in [None, Some("driven")] {
        for uri in ["mem://queue", Bucket::URI] {
            let bucket = Bucket::new();
            let mut command = library.command(&program, &bucket);
            let output = run(command.args([uri, &slow.uri_with_host()]).args(mode));
            assert_eq!(String::from_utf8_lossy(&output.stdout), "queues are complete\n");
        }
    }
}

#[test]
fn streams_are_written_by_requests() {
    beside_a_slow_store("streams", "streams are whole\n");
}

#[test]
fn requests_about_many_objects_are_done() {
    beside_a_slow_store("many", "many are done\n");
}

/// Runs a program on stores that are empty, with one beside that takes minutes, and drives it, too.
fn beside_a_slow_store(program: &str, said: &str) {
    let library = Library::get();
    let folder = Folder::new();
    let slow = slow_bucket();
    let source = common::crate_path(&format!("tests/c/{program}.c"));
    let program = library.link(&folder, &source, Linking::Static);
    for mode in [None, Some("driven")] {
        for uri in ["mem://empty", Bucket::URI] {
            let bucket = Bucket::new();
            let mut command = library.command(&program, &bucket);
            let output = run(command.args([uri, &slow.uri_with_host()]).args(mode));
            assert_eq!(String::from_utf8_lossy(&output.stdout), said);
        }
    }
}

#[test]
fn a_thread_drives_its_engine() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let program = library.link(&folder, &common::crate_path("tests/c/driven.c"), Linking::Static);
    for uri in ["mem://driven", Bucket::URI] {
        let output = run(library.command(&program, &bucket).arg(uri));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "driven to an end\n");
    }
}

#[test]
fn transfers_tell_how_they_went_and_are_carried_on() {
    let library = Library::get();
    let (folder, bucket) = (Folder::new(), Bucket::new());
    let source = common::crate_path("tests/c/transfers.c");
    let program = library.link(&folder, &source, Linking::Static);
    for uri in ["mem://transfers", Bucket::URI] {
        let files = Folder::new();
        let mut command = library.command(&program, &bucket);
        command.env("XDG_STATE_HOME", files.path("state"));
        let output = run(command.arg(uri).arg(files.path("")).arg(Bucket::MISSING_URI));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "transfers are told of\n");
    }
}

/// A bucket with an object that takes minutes to come.
fn slow_bucket() -> Bucket {
    let slow = Bucket::slow(20_000);
    std::fs::write(slow.path("slow"), vec![7; 8 << 20]).expect("write the object");
    slow
}

#[test]
fn many_threads_share_a_store_and_one_may_destroy_the_engine() {
    let library = Library::get();
    let folder = Folder::new();
    let (bucket, slow) = (Bucket::new(), slow_bucket());
    let program = library.link(&folder, &common::crate_path("tests/c/threads.c"), Linking::Static);
    for uri in ["mem://threads", Bucket::URI] {
        let output = run(library.command(&program, &bucket).args([uri, &slow.uri_with_host()]));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "threads agree\n");
    }
}

#[test]
fn programs_provide_credentials_and_presign() {
    let library = Library::get();
    let (folder, bucket) = (Folder::new(), Bucket::new());
    let source = common::crate_path("tests/c/credentials.c");
    let program = library.link(&folder, &source, Linking::Static);
    let mut command = library.command(&program, &bucket);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let output = run(command.args([Bucket::URI, common::ACCESS_KEY, common::SECRET]));
    let printed = String::from_utf8_lossy(&output.stdout);
    let urls: Vec<&str> = printed.lines().collect();
    for (method, url, body, expected) in [
        ("PUT", urls[0], "hello", "HTTP/1.1 200"),
        ("GET", urls[1], "", "\r\n\r\nhello"),
        ("HEAD", urls[2], "", "content-length: 5"),
        ("PUT", urls[1], "other", "HTTP/1.1 403"),
        ("DELETE", urls[3], "", "HTTP/1.1 204"),
    ] {
        let answer = by_hand(method, url, &[], body);
        assert!(answer.contains(expected), "{method}: {answer}");
    }
    let requests: Vec<Vec<&str>> =
        urls[4..].iter().map(|line| line.split('\t').collect()).collect();
    let [put, get] = &requests[..] else { panic!("{printed}") };
    assert_eq!((put[0], get[0], put.len(), get.len()), ("PUT", "GET", 4, 3), "{printed}");
    for (request, headers, body, expected) in [
        (put, &put[2..], "jello", "HTTP/1.1 400"),
        (put, &[][..], "hello", "HTTP/1.1 403"),
        (put, &put[2..], "hello", "HTTP/1.1 200"),
        (get, &get[2..], "", "\r\n\r\nell"),
    ] {
        let answer = by_hand(request[0], request[1], headers, body);
        assert!(answer.contains(expected), "{request:?} {headers:?}: {answer}");
    }
}

/// Makes a request with nothing but a socket.
fn by_hand(method: &str, url: &str, headers: &[&str], body: &str) -> String {
    use std::io::{Read, Write};
    let rest = url.strip_prefix("http://").expect("plain HTTP");
    let (host, target) = rest.split_once('/').expect("a path");
    let mut stream = std::net::TcpStream::connect(host).expect("the server");
    let length = body.len();
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    write!(
        stream,
        "{method} /{target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
