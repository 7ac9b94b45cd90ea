//! What the C interface adds to a call: 64 bytes of `mem://` read into memory of the caller, and
//! written from it, by the crate and through `libhydrant.so`, each on an engine that this thread
//! drives, so that no switch between threads hides it.
//!
//! `cargo bench -p hydrant-c-path --bench c_path`. The bar: at most 200 ns. That nothing is allocated
//! more is a test.

mod library;

use std::ffi::{c_char, c_void};
use std::hint::black_box;
use std::ptr::{null, null_mut};
use std::time::Duration;

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use hydrant::engine::Driven;
use hydrant::{Bytes, Hydrant, Store};
use library::Library;

/// `HYD_ENGINE_DRIVEN`
const DRIVEN: u32 = 4;
const BYTES: usize = 64;
const KEY: &str = "object";
const POOL_BYTES: usize = 64 << 20;
const URI: &str = "mem://bench";

type Handle = *mut c_void;
type Put = unsafe extern "C" fn(
    Handle,
    *const c_char,
    usize,
    *const c_void,
    usize,
    *const c_void,
    *mut c_void,
    *mut Handle,
) -> i32;
type GetRange = unsafe extern "C" fn(
    Handle,
    *const c_char,
    usize,
    *const c_void,
    u64,
    *mut c_void,
    usize,
    *mut usize,
    *mut Handle,
) -> i32;

fn crate_store() -> (Driven, Store) {
    let (hydrant, driven) =
        Hydrant::builder().pool_bytes(POOL_BYTES).build_here().expect("an engine");
    (driven, hydrant.store(URI).expect("a store"))
}

fn reads(c: &mut Criterion, library: &Library) {
    let mut group = c.benchmark_group("64 bytes of mem:// into memory");
    group.bench_function("the crate", |b| {
        let (_driven, store) = crate_store();
        store.put(KEY, Bytes::from_static(&[7; BYTES])).wait().expect("put");
        let mut memory = [0; BYTES];
        b.iter(|| store.get_into(black_box(KEY), 0, &mut memory).expect("read"));
        assert_eq!(memory, [7; BYTES]);
    });
    group.bench_function("through C", |b| read_through_c(library, b));
    group.finish();
}

fn writes(c: &mut Criterion, library: &Library) {
    let mut group = c.benchmark_group("64 bytes from memory to mem://");
    group.bench_function("the crate", |b| {
        let (_driven, store) = crate_store();
        let bytes = Bytes::from(vec![7; BYTES]);
        b.iter(|| store.put(black_box(KEY), bytes.clone()).wait().expect("put"));
    });
    group.bench_function("through C", |b| write_through_c(library, b));
    group.finish();
}

fn read_through_c(library: &Library, b: &mut Bencher<'_>) {
    let opened = library.start(DRIVEN, POOL_BYTES as u64, URI);
    let (key, content) = (KEY.as_ptr().cast(), [7_u8; BYTES]);
    let (mut memory, mut count) = ([0_u8; BYTES], 0);
    // SAFETY: the types are those of the header; OWN-3: all that is lent lives until the calls return.
    unsafe {
        let put: Put = library.function(c"hyd_put");
        let get_range: GetRange = library.function(c"hyd_get_range");
        let (store, data) = (opened.store, content.as_ptr().cast());
        assert_eq!(put(store, key, KEY.len(), data, BYTES, null(), null_mut(), null_mut()), 0);
        b.iter(|| {
            let (into, key) = (memory.as_mut_ptr().cast(), black_box(key));
            get_range(store, key, KEY.len(), null(), 0, into, BYTES, &mut count, null_mut())
        });
    }
    assert_eq!((count, memory), (BYTES, content));
}

fn write_through_c(library: &Library, b: &mut Bencher<'_>) {
    let opened = library.start(DRIVEN, POOL_BYTES as u64, URI);
    let (key, content) = (KEY.as_ptr().cast(), [7_u8; BYTES]);
    let mut status = -1;
    // SAFETY: as above.
    unsafe {
        let put: Put = library.function(c"hyd_put");
        let (store, data) = (opened.store, content.as_ptr().cast());
        b.iter(|| {
            let key = black_box(key);
            status = put(store, key, KEY.len(), data, BYTES, null(), null_mut(), null_mut());
        });
    }
    assert_eq!(status, 0);
}

fn both(c: &mut Criterion) {
    let library = Library::open();
    reads(c, &library);
    writes(c, &library);
}

criterion_group! {
    name = c_path;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = both
}
criterion_main!(c_path);
