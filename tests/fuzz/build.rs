//! Compiles the caller of the C library, which is C: it holds the library to the header that people have.

const FILES: [&str; 9] =
    ["world", "options", "calls", "objects", "streams", "presign", "queue", "service", "besides"];

fn main() {
    println!("cargo::rerun-if-changed=src/abi");
    println!("cargo::rerun-if-changed=../../ffi/include/hydrant.h");
    cc::Build::new()
        .files(FILES.map(|name| format!("src/abi/{name}.c")))
        .include("../../ffi/include")
        .std("c11")
        .warnings_into_errors(true)
        .compile("hydrant_fuzz_abi");
}
