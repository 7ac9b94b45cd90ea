//! The binary interface against the one that was committed: `packaging/hydrant.abi.xml`, written by
//! `abidw`, compared by `abidiff`.
//!
//! What rustc says in DWARF are Rust's types, and a library that is installed has none at all. So a
//! library of C is made of the header, every function with an empty body, the names versioned as those
//! of the real one: that is what C programs were compiled against. That the real library has these very
//! names, and Rust's structs this layout, other tests and the header itself see to.
//!
//! Nothing is suppressed. A struct that begins with its size may grow at its end, but the rule for that
//! (`has_data_member_inserted_at = end`, libabigail 2.2) also lets a member pass whose type changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{self, Folder, run};

/// Bits of the status that `abidiff` ends with.
const CHANGED: i32 = 4;
const INCOMPATIBLE: i32 = 8;

/// `HYDRANT_BLESS=1` writes the baseline instead of comparing with it.
#[test]
fn the_binary_interface_is_the_one_that_was_committed() {
    let folder = Folder::new();
    let library = library_of(&folder, &header());
    let baseline = baseline();
    if std::env::var_os("HYDRANT_BLESS").is_some() {
        let mut write = Command::new("abidw");
        write.args(["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"]);
        write.args(["--exported-interfaces-only", "--type-id-style", "hash", "--out-file"]);
        run(write.arg(&baseline).arg(&library));
    }
    let output = compare(&library);
    assert!(
        output.status.success(),
        "the binary interface has changed; docs/guide-c.md says when and how the baseline is written \
         anew:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// What the comparison is there for.
#[test]
fn a_change_of_the_binary_interface_is_found() {
    for (from, to, bit) in [
        ("    uint32_t cores;\n", "    uint64_t cores;\n", CHANGED),
        (
            "    uint64_t pool_waiting;\n",
            "    uint64_t pool_waiting;\n    uint64_t more;\n",
            CHANGED,
        ),
        ("hyd_status hyd_cancel(const struct hyd_cq *cq, uint64_t id);\n", "", INCOMPATIBLE),
        ("hyd_cancel(const struct hyd_cq *cq, uint64_t id);", "hyd_cancel(uint64_t id);", CHANGED),
    ] {
        let changed = header().replacen(from, to, 1);
        assert_ne!(changed, header(), "{from:?} is in the header");
        let folder = Folder::new();
        let output = compare(&library_of(&folder, &changed));
        let code = output.status.code().expect("abidiff ended by itself");
        assert_eq!(code & bit, bit, "{from:?}: abidiff ended with {code}");
    }
}

fn compare(library: &Path) -> Output {
    let mut compare = Command::new("abidiff");
    compare.arg(baseline()).arg(library).output().expect("abidiff, of the package abigail-tools")
}

fn baseline() -> PathBuf {
    common::crate_path("packaging/hydrant.abi.xml")
}

/// Without the sizes that it asserts, so that a change gets as far as the comparison.
fn header() -> String {
    let header = std::fs::read_to_string(common::crate_path("include/hydrant.h"));
    let header = header.expect("the header");
    header
        .lines()
        .filter(|line| !line.contains("hyd_assert_"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A shared library with the functions of a header.
fn library_of(folder: &Folder, header: &str) -> PathBuf {
    folder.write("hydrant.h", header);
    let mut text = String::from("#include \"hydrant.h\"\n");
    let mut count = 0;
    for declaration in common::code_of(header).split_inclusive(';') {
        let at = declaration.rfind("\n\n").map_or(declaration, |at| &declaration[at..]);
        let is_function = at.contains("hyd_") && at.contains('(') && !at.contains("typedef");
        if let Some(head) = at.strip_suffix(';').filter(|_| is_function) {
            text += head.trim_start_matches(|c: char| c.is_whitespace());
            text += " { __builtin_trap(); }\n";
            count += 1;
        }
    }
    assert_eq!(count, common::functions_of(header).len(), "{text}");
    let source = folder.write("shape.c", &text);
    let library = folder.path("libhydrant.so.0");
    let map = common::crate_path("packaging/hydrant.map");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c99", "-shared", "-fPIC", "-g", "-Wl,-soname,libhydrant.so.0"]);
    compiler.arg(format!("-Wl,--version-script={}", map.display()));
    // The folder is another one each time, and has no place in a baseline.
    compiler.arg(format!("-ffile-prefix-map={}=", folder.path("").display()));
    run(compiler.arg(source).arg("-o").arg(&library));
    library
}
