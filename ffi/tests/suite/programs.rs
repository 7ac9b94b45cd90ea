//! The library as C programs use it: the examples and the programs of the tests are linked against it, statically
//! or not, and run.

use crate::common::{self, Bucket, Folder, Library, Linking, run};

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
    let slow = Bucket::with_slow_object();
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
    let slow = Bucket::with_slow_object();
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

#[test]
fn many_threads_share_a_store_and_one_may_destroy_the_engine() {
    let library = Library::get();
    let folder = Folder::new();
    let (bucket, slow) = (Bucket::new(), Bucket::with_slow_object());
    let program = library.link(&folder, &common::crate_path("tests/c/threads.c"), Linking::Static);
    for uri in ["mem://threads", Bucket::URI] {
        let output = run(library.command(&program, &bucket).args([uri, &slow.uri_with_host()]));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "threads agree\n");
    }
}

/// What a call has begun to reap is its own, also while the queue goes: a success is never told as cancelled.
#[test]
fn queues_are_reaped_cancelled_and_destroyed_at_once() {
    let library = Library::get();
    let (folder, slow) = (Folder::new(), Bucket::with_slow_object());
    let program = library.link(&folder, &common::crate_path("tests/c/races.c"), Linking::Static);
    for uri in ["mem://races", Bucket::URI] {
        let bucket = Bucket::new();
        let output = run(library.command(&program, &bucket).args([uri, &slow.uri_with_host()]));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "nothing was told wrong\n");
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
