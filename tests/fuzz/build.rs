//! Compiles the caller of the C library, which is C: it holds the library to the header that people have.

fn main() {
    println!("cargo::rerun-if-changed=src/abi");
    println!("cargo::rerun-if-changed=../../ffi/include/hydrant.h");
    cc::Build::new()
        .files(["src/abi/world.c", "src/abi/calls.c", "src/abi/queue.c", "src/abi/service.c"])
        .include("../../ffi/include")
        .std("c11")
        .warnings_into_errors(true)
        .compile("hydrant_fuzz_abi");
}
