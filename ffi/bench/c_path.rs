//! What the C interface adds to a call: 64 bytes of `mem://` read into memory of the caller, and
//! written from it, by the crate and through `libhydrant.so`, each on an engine that this thread
//! drives, so that no switch between threads hides it. The two sides are one after the other for
//! criterion, and then in turn, a few calls each, so that what the machine does besides falls on both:
//! that decides the bar of at most 200 ns more. That nothing is allocated more is a test.
//!
//! `cargo bench -p hydrant-c-path --bench c_path`

#![allow(clippy::print_stdout, reason = "a program of figures speaks on its terminal")]

mod library;
mod pairs;

use std::ffi::{c_char, c_void};
use std::hint::black_box;
use std::ptr::{null, null_mut};
use std::time::Duration;

use criterion::Criterion;
use hydrant::engine::Driven;
use hydrant::{Bytes, Hydrant, Store};
use library::{Library, Opened};
use pairs::{interval, median};

/// `HYD_ENGINE_DRIVEN`
const DRIVEN: u32 = 4;
const BYTES: usize = 64;
const CONTENT: [u8; BYTES] = [7; BYTES];
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

/// A call of one side.
type Call<'a> = Box<dyn FnMut() + 'a>;

fn main() {
    let library = Library::open();
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let (_driven, store) = crate_store();
    store.put(KEY, Bytes::from_static(&CONTENT)).wait().expect("put");
    let opened = library.start(DRIVEN, POOL_BYTES as u64, URI);
    let c = OfC::new(&library, &opened);
    c.put();
    for (name, mut by_crate, mut through_c) in [
        ("64 bytes of mem:// into memory", read_by_crate(&store), c.reading()),
        ("64 bytes from memory to mem://", write_by_crate(&store), c.writing()),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("the crate", |b| b.iter(&mut by_crate));
        group.bench_function("through C", |b| b.iter(&mut through_c));
        group.finish();
        in_turn(name, &mut by_crate, &mut through_c);
    }
    criterion.final_summary();
}

fn read_by_crate(store: &Store) -> Call<'_> {
    let mut memory = [0; BYTES];
    Box::new(move || {
        let count = store.get_into(black_box(KEY), 0, &mut memory).expect("read");
        assert_eq!((count, memory), (BYTES, CONTENT));
    })
}

/// From memory that is borrowed, as C lends it: the crate takes bytes that are owned.
fn write_by_crate(store: &Store) -> Call<'_> {
    Box::new(move || {
        let bytes = Bytes::copy_from_slice(black_box(&CONTENT));
        store.put(black_box(KEY), bytes).wait().expect("put");
    })
}

/// The calls of C on a store.
struct OfC<'a> {
    opened: &'a Opened<'a>,
    put: Put,
    get_range: GetRange,
}

impl<'a> OfC<'a> {
    fn new(library: &Library, opened: &'a Opened<'a>) -> OfC<'a> {
        // SAFETY: the types are those of the header.
        let (put, get_range) =
            unsafe { (library.function(c"hyd_put"), library.function(c"hyd_get_range")) };
        OfC { opened, put, get_range }
    }

    fn put(&self) {
        let (key, data) = (black_box(KEY).as_ptr().cast(), black_box(&CONTENT).as_ptr().cast());
        // SAFETY: OWN-3. All that is lent lives until the call returns.
        let status = unsafe {
            let none = (null(), null_mut(), null_mut());
            (self.put)(self.opened.store, key, KEY.len(), data, BYTES, none.0, none.1, none.2)
        };
        assert_eq!(status, 0);
    }

    fn writing(&self) -> Call<'_> {
        Box::new(|| self.put())
    }

    fn reading(&self) -> Call<'_> {
        let mut memory = [0; BYTES];
        Box::new(move || {
            let (key, into) = (black_box(KEY).as_ptr().cast(), memory.as_mut_ptr().cast());
            let mut count = 0;
            // SAFETY: OWN-3. All that is lent lives until the call returns.
            let status = unsafe {
                let (store, none) = (self.opened.store, null());
                (self.get_range)(
                    store,
                    key,
                    KEY.len(),
                    none,
                    0,
                    into,
                    BYTES,
                    &mut count,
                    null_mut(),
                )
            };
            assert_eq!((status, count, memory), (0, BYTES, CONTENT));
        })
    }
}

/// Pairs of rotated order: CPU time of this thread, which does all of it.
fn in_turn(name: &str, by_crate: &mut Call<'_>, through_c: &mut Call<'_>) {
    const PAIRS: usize = 1000;
    const CALLS: usize = 500;
    let each_ns = |call: &mut Call<'_>| {
        let before = thread_cpu_ns();
        (0..CALLS).for_each(|_| call());
        (thread_cpu_ns() - before) / CALLS as f64
    };
    let (mut ones, mut more) = (Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS));
    for pair in 0..PAIRS {
        let (one, other) = if pair % 2 == 0 {
            let one = each_ns(by_crate);
            (one, each_ns(through_c))
        } else {
            let other = each_ns(through_c);
            (each_ns(by_crate), other)
        };
        ones.push(one);
        more.push(other - one);
    }
    let (low, high) = interval(&more);
    println!(
        "{name}: {:.0} ns of CPU by the crate, {:.0} more through C [{low:.0}, {high:.0}], {PAIRS} pairs \
         of {CALLS} calls\n",
        median(&ones),
        median(&more),
    );
}

fn thread_cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes no more than it.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
