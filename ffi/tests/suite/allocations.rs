//! A request costs no more allocations than the same call of the Rust crate: the C program counts what
//! its process allocates, by `malloc` of its own, and this one what its thread does.

#[path = "../../../engine/tests/counting/mod.rs"]
mod counting;

use counting::allocations;
use hydrant::engine::Driven;
use hydrant::{Bytes, Hydrant, Store};

use crate::common::{self, Bucket, Folder, Library, Linking, run};

/// Calls before the first that counts, so that what is made once has been made.
const WARM_UP: u64 = 100;
const CALLS: u64 = 1000;

#[test]
fn a_request_allocates_no_more_than_the_call_of_the_crate() {
    let of_the_crate = allocations_of_a_call();
    let library = Library::get();
    let folder = Folder::new();
    let bucket = Bucket::new();
    let source = common::crate_path("tests/c/allocations.c");
    let program = library.link(&folder, &source, Linking::Static);
    let mut command = library.command(&program, &bucket);
    let output = run(command.arg("mem://allocations").arg(of_the_crate.to_string()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("no more than the store's own\n"), "{said}");
}

/// What `Store::get_into` allocates for 64 bytes, on an engine that this thread drives.
fn allocations_of_a_call() -> u64 {
    let (hydrant, _driven): (Hydrant, Driven) =
        Hydrant::builder().pool_bytes(64 << 20).build_here().expect("an engine");
    let store: Store = hydrant.store("mem://allocations").expect("a store");
    store.put("object", Bytes::from_static(&[0; 64])).wait().expect("put");
    let mut memory = [0; 64];
    let mut read = |times| {
        for _ in 0..times {
            assert_eq!(store.get_into("object", 0, &mut memory).expect("read"), 64);
        }
    };
    read(WARM_UP);
    let before = allocations();
    read(CALLS);
    let counted = allocations() - before;
    assert!(counted >= CALLS, "the allocator of this test is not asked");
    counted / CALLS
}
