//! A request on a queue costs no more allocations than the same call of the Rust crate: the C program
//! counts what its process allocates, by `malloc` of its own.

use crate::common::{self, Bucket, Folder, Library, Linking, run};

#[test]
fn a_request_allocates_no_more_than_the_store_does() {
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let source = common::crate_path("tests/c/allocations.c");
    let program = library.link(&folder, &source, Linking::Static);
    let output = run(library.command(&program, &bucket).arg("mem://allocations"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("no more than the store's own\n"), "{said}");
}
