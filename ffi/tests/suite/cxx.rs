//! `hydrant.hpp`: it compiles in every standard, all of it is called, and its examples run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::{self, Bucket, Folder, Library, compile, run};
use crate::service::Peer;

/// The examples with a URI alone, and their last words.
const EXAMPLES: [(&str, &str); 4] = [
    ("ranges_epoll.cpp", "1000 ranges are right\n"),
    ("upload_stream.cpp", "the object is what was produced\n"),
    ("registered.cpp", "the whole object is in its place\n"),
    ("driven_loop.cpp", "the loop is through\n"),
];

/// Of the programs one that calls all of it, and one that people read first.
#[test]
fn it_compiles_in_every_standard() {
    let folder = Folder::new();
    let twice = "#include <hydrant.hpp>\n#include <hydrant.hpp>\n";
    let sources = [
        folder.write("twice.cpp", twice),
        common::crate_path("tests/c/faces.cpp"),
        common::crate_path("examples/round_trip.cpp"),
    ];
    for (compiler, standards) in [
        ("g++", &["-std=c++17", "-std=c++20", "-std=c++2b"]),
        ("clang++", &["-std=c++17", "-std=c++20", "-std=c++2b"]),
    ] {
        for standard in standards {
            for source in &sources {
                compile(compiler, standard, &[source], &folder.path("o"), &["-c"]);
            }
        }
    }
}

/// A template that nobody calls is not even compiled.
#[test]
fn every_function_of_the_header_is_called() {
    let texts =
        programs().into_iter().map(|path| std::fs::read_to_string(path).expect("a program"));
    let texts: String = texts.collect();
    let header = std::fs::read_to_string(common::crate_path("include/hydrant.hpp"));
    let declared = functions_of(&header.expect("the header"));
    assert!(declared.contains("register_memory") && declared.len() > 70, "{declared:?}");
    let called = |name: &str| {
        let ways = [".", "->", "::"].map(|before| format!("{before}{name}("));
        ways.iter().any(|way| texts.contains(way))
    };
    let uncalled: Vec<_> = declared.into_iter().filter(|name| !called(name)).collect();
    assert!(uncalled.is_empty(), "{uncalled:?}");
}

#[test]
fn what_the_header_has_works_in_memory_and_on_s3() {
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    let program = link(library, &folder, &common::crate_path("tests/c/faces.cpp"), &[]);
    let mut command = library.command(&program, &bucket);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.args(["mem://faces", Bucket::URI, "s3://a-new-one", &peer.uri]);
    let output = run(command.args([common::ACCESS_KEY, common::SECRET]).arg(folder.path("")));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all faces are shown\n");
}

/// What was reaped and not handed on is let go.
#[test]
fn a_function_that_throws_out_of_a_wait_leaves_nothing() {
    let library = Library::get();
    let folder = Folder::new();
    let program = link(library, &folder, &common::crate_path("tests/c/throwing.cpp"), &[]);
    let output = run(&mut library.command(&program, &Bucket::new()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "nothing is left\n");
}

/// Owners that end in the wrong order, or twice, or never, show there.
#[test]
fn the_examples_run_in_memory_and_on_s3() {
    let library = Library::get();
    let (folder, bucket) = (Folder::new(), Bucket::new());
    for (name, last_words) in EXAMPLES {
        let source = common::crate_path(&format!("examples/{name}"));
        let program = link(library, &folder, &source, &["-fsanitize=address"]);
        for uri in ["mem://example", Bucket::URI] {
            let output = run(library.command(&program, &bucket).arg(uri));
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.ends_with(last_words), "{name} {uri}: {said}");
        }
    }
    let program = link(library, &folder, &common::crate_path("examples/round_trip.cpp"), &[]);
    for uri in ["mem://example", Bucket::URI] {
        let output = run(library.command(&program, &bucket).arg(uri));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("100 of 100 lines are as they were written\n"), "{uri}: {said}");
    }
    let program = link(library, &folder, &common::crate_path("examples/put_get.cpp"), &[]);
    let file = folder.path("object").to_string_lossy().into_owned();
    for (uri, key) in
        [("mem://example", "a"), ("file:///", file.as_str()), (Bucket::URI, "a/grüße")]
    {
        let output = run(library.command(&program, &bucket).args([uri, key]));
        let said = String::from_utf8_lossy(&output.stdout);
        let right = "1048576 bytes from offset 12345678 are as they were put";
        assert!(said.contains(right), "{uri}: {said}");
    }
}

/// Every program in C++ of the tests and of the examples.
fn programs() -> Vec<PathBuf> {
    let files = ["examples", "tests/c"].into_iter().flat_map(|folder| {
        std::fs::read_dir(common::crate_path(folder)).expect("a folder of programs")
    });
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "cpp")).collect()
}

fn link(library: &Library, folder: &Folder, source: &Path, flags: &[&str]) -> PathBuf {
    let program = folder.path(source.file_stem().and_then(|it| it.to_str()).expect("a name"));
    let flags = [flags, common::NATIVE_LIBRARIES].concat();
    compile("g++", "-std=c++17", &[source, &library.archive], &program, &flags);
    program
}

/// The functions and methods that people call: a line that begins one has a type, its name and a
/// parenthesis, at the indent of a namespace or of a class. Constructors have no type.
fn functions_of(header: &str) -> BTreeSet<String> {
    let (views, rest) = header.split_once("namespace detail {").expect("what is behind");
    let (inner, rest) = rest.split_once("} // namespace detail").expect("its end");
    // Of that namespace people see the owner of a handle.
    let owner = inner.split_once("  protected:").expect("the owner").0;
    let mut is_private = false;
    let mut names = BTreeSet::new();
    for line in [views, owner, rest].into_iter().flat_map(str::lines) {
        is_private = match line {
            "  private:" => true,
            "  public:" | "};" => false,
            _ => is_private,
        };
        names.extend(name_in(line).filter(|_| !is_private).map(str::to_owned));
    }
    names
}

fn name_in(line: &str) -> Option<&str> {
    let code = line.strip_prefix("    ").unwrap_or(line);
    let begins = code.starts_with(|first: char| first.is_ascii_alphabetic());
    let (kind, name) = code.split_once('(')?.0.rsplit_once([' ', '*', '&'])?;
    let is_name = !name.is_empty() && name.chars().all(|it| it.is_alphanumeric() || it == '_');
    let others = ["return", "explicit", "struct", "constexpr basic", "#", "="];
    let is_other = others.iter().any(|word| code.starts_with(word) || kind.contains(word));
    (begins && is_name && !is_other).then_some(name)
}
