//! What the queue of the C interface costs over loopback S3: ranges of one object into buffers of the
//! pool, 64 under way at a time, by `hyd_submit` and `hyd_cq_wait`, and by `Store::get_range`. Both on an
//! engine with one core; the server is a process of its own. CPU seconds of this process, user and
//! system, in pairs of rotated order: the median of the ratios, and its 95 % bootstrap interval.
//!
//! `cargo bench -p hydrant-c-path --bench queue_s3 [-- PAIRS [SHARE]]`: 15 pairs, each side for some 10 s or 4 GiB; with
//! a share of 10, for a tenth of that.

#![allow(clippy::print_stdout, reason = "a program of figures speaks on its terminal")]

mod library;
mod pairs;

use std::collections::VecDeque;
use std::ffi::c_void;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::ptr::{null, null_mut};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hydrant::engine::block_on;
use hydrant::{Bytes, Hydrant, Store};
use hydrant_server::{Config, Credentials, Server};
use library::Library;
use pairs::{interval, median};

const OBJECT_BYTES: u64 = 64 << 20;
const UNDER_WAY: usize = 64;
const POOL_BYTES: usize = 64 << 20;
const KEY: &str = "object";
const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
const URI: &str = "s3://bench";

/// What one run reads, and how both sides wait for it.
struct Run {
    len: usize,
    count: u64,
    /// How many completions the queue waits for at least: with 1 for whichever is first.
    at_least: usize,
    by_crate: Awaits,
}

/// What the side of the crate waits for.
#[derive(Debug, Clone, Copy)]
enum Awaits {
    /// The oldest; others end meanwhile.
    Oldest,
    /// Whichever is first.
    First,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "serve") {
        return serve();
    }
    let mut numbers = arguments.iter().skip(1).filter_map(|text| text.parse().ok());
    let (pairs, share) = (numbers.next().unwrap_or(15), numbers.next().unwrap_or(1) as u64);
    let mut server = Served::start();
    server.be_found();
    let library = Library::open();
    for (len, count) in [(4 << 10, 600_000), (256 << 10, 16_000)] {
        for (at_least, by_crate) in [(1, Awaits::First), (16, Awaits::Oldest), (1, Awaits::Oldest)]
        {
            measure(&library, &Run { len, count: count / share, at_least, by_crate }, pairs);
        }
    }
}

fn measure(library: &Library, run: &Run, pairs: usize) {
    let &Run { len, count, at_least, by_crate: awaits } = run;
    let hydrant = Hydrant::builder().cores(1).pool_bytes(POOL_BYTES).build().expect("an engine");
    let store = hydrant.store(URI).expect("a store");
    let c = Queue::new(library);
    let by_crate = || {
        cpu_of(|| match awaits {
            Awaits::Oldest => oldest_first(&store, len, count),
            Awaits::First => whichever_is_first(&store, len, count),
        })
    };
    let by_queue = || cpu_of(|| c.read(len, count, at_least));
    by_crate();
    by_queue();
    let mut seconds = Vec::new();
    for pair in 0..pairs {
        // Whoever comes second finds other caches.
        let (one, other) = if pair % 2 == 0 {
            let one = by_crate();
            (one, by_queue())
        } else {
            let other = by_queue();
            (by_crate(), other)
        };
        seconds.push((one, other));
    }
    let ratios: Vec<f64> = seconds.iter().map(|(one, other)| other / one).collect();
    let (low, high) = interval(&ratios);
    let each = |of: fn(&(f64, f64)) -> f64| {
        median(&seconds.iter().map(of).collect::<Vec<_>>()) / count as f64 * 1e6
    };
    println!(
        "{len} bytes, {count} ranges, {at_least} at least, {pairs} pairs: CPU of a range {:.2} us by the crate ({awaits:?}), \
         {:.2} us by the queue; ratio {:.3} [{low:.3}, {high:.3}]",
        each(|pair| pair.0),
        each(|pair| pair.1),
        median(&ratios),
    );
}

fn offset(index: u64, len: usize) -> u64 {
    index.wrapping_mul(2_654_435_761) % (OBJECT_BYTES / len as u64) * len as u64
}

fn oldest_first(store: &Store, len: usize, count: u64) {
    let mut under_way = VecDeque::with_capacity(UNDER_WAY);
    let check = |bytes: Bytes| assert_eq!(bytes.len(), len);
    for index in 0..count {
        if under_way.len() == UNDER_WAY {
            let first: hydrant::Task<Bytes> = under_way.pop_front().expect("it is full");
            check(first.wait().expect("read"));
        }
        let at = offset(index, len);
        under_way.push_back(store.get_range(KEY, at..at + len as u64));
    }
    under_way.into_iter().for_each(|task| check(task.wait().expect("read")));
}

fn whichever_is_first(store: &Store, len: usize, count: u64) {
    let read = |index| {
        let at = offset(index, len);
        store.get_range(KEY, at..at + len as u64)
    };
    let mut under_way: FuturesUnordered<_> = (0..UNDER_WAY as u64).map(read).collect();
    let mut left = UNDER_WAY as u64..count;
    let all = block_on(async {
        while let Some(bytes) = under_way.next().await {
            assert_eq!(bytes.expect("read").len(), len);
            under_way.extend(left.next().map(read));
        }
    });
    all.expect("not on a core");
}

type Handle = *mut c_void;
type CqCreate = unsafe extern "C" fn(Handle, u32, *mut Handle, *mut Handle) -> i32;
type CqDestroy = unsafe extern "C" fn(Handle) -> i32;
type BufRelease = unsafe extern "C" fn(Handle) -> i32;
type Submit = unsafe extern "C" fn(
    Handle,
    Handle,
    *const Request,
    usize,
    *mut u64,
    *mut usize,
    *mut Handle,
) -> i32;
type CqWait =
    unsafe extern "C" fn(Handle, *mut Event, usize, usize, i32, *mut usize, *mut Handle) -> i32;

/// `hyd_request` as its first version had it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Request {
    struct_size: u32,
    op: u32,
    user_data: u64,
    key: *const u8,
    key_len: usize,
    aux: *const u8,
    aux_len: usize,
    offset: u64,
    data: Handle,
    data_len: usize,
    buf: Handle,
    mem: Handle,
    target: Handle,
    meta: Handle,
    delimiter: u32,
    entries_max: u32,
}

/// `hyd_event`
#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    user_data: u64,
    id: u64,
    status: i32,
    op: u32,
    bytes: u64,
    object_bytes: u64,
    buf: Handle,
    list: Handle,
    error: Handle,
}

/// `HYD_OP_GET_RANGE` of the object.
fn request(index: u64, len: usize) -> Request {
    Request {
        struct_size: size_of::<Request>() as u32,
        op: 1,
        user_data: index,
        key: KEY.as_ptr(),
        key_len: KEY.len(),
        aux: null(),
        aux_len: 0,
        offset: offset(index, len),
        data: null_mut(),
        data_len: len,
        buf: null_mut(),
        mem: null_mut(),
        target: null_mut(),
        meta: null_mut(),
        delimiter: 0,
        entries_max: 0,
    }
}

/// A queue of the C interface, with an engine and a store.
struct Queue<'a> {
    opened: library::Opened<'a>,
    cq: Handle,
    submit: Submit,
    wait: CqWait,
    release: BufRelease,
    destroy: CqDestroy,
}

impl<'a> Queue<'a> {
    fn new(library: &'a Library) -> Queue<'a> {
        let opened = library.start(0, POOL_BYTES as u64, URI);
        let mut cq = null_mut();
        // SAFETY: the types are those of the header; OWN-3: what is lent lives until the call returns.
        unsafe {
            let create: CqCreate = library.function(c"hyd_cq_create");
            assert_eq!(create(opened.engine, 0, &mut cq, null_mut()), 0);
            Queue {
                opened,
                cq,
                submit: library.function(c"hyd_submit"),
                wait: library.function(c"hyd_cq_wait"),
                release: library.function(c"hyd_buf_release"),
                destroy: library.function(c"hyd_cq_destroy"),
            }
        }
    }

    fn read(&self, len: usize, count: u64, at_least: usize) {
        let mut events = [Event { ..unset() }; UNDER_WAY];
        let mut requests = Vec::with_capacity(UNDER_WAY);
        let (mut next, mut done, mut under_way) = (0, 0, 0);
        while done < count {
            requests.clear();
            while under_way + requests.len() < UNDER_WAY && next < count {
                requests.push(request(next, len));
                next += 1;
            }
            under_way += requests.len();
            let (mut accepted, mut reaped) = (0, 0);
            // SAFETY: as above; the requests name no memory.
            let reaped = unsafe {
                let (store, first) = (self.opened.store, requests.as_ptr());
                let (ids, error) = (null_mut(), null_mut());
                let many = requests.len();
                assert_eq!(
                    (self.submit)(store, self.cq, first, many, ids, &mut accepted, error),
                    0
                );
                let room = events.as_mut_ptr();
                let least = at_least.min(under_way);
                assert_eq!((self.wait)(self.cq, room, UNDER_WAY, least, -1, &mut reaped, error), 0);
                reaped
            };
            for event in &events[..reaped] {
                assert_eq!((event.status, event.bytes), (0, len as u64));
                // SAFETY: as above; the event's buffer is this one's.
                assert_eq!(unsafe { (self.release)(event.buf) }, 0);
            }
            (done, under_way) = (done + reaped as u64, under_way - reaped);
        }
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        // SAFETY: as above; nothing is under way.
        assert_eq!(unsafe { (self.destroy)(self.cq) }, 0);
    }
}

fn unset() -> Event {
    let none = null_mut();
    let (buf, list, error) = (none, none, none);
    Event { user_data: 0, id: 0, status: -1, op: 0, bytes: 0, object_bytes: 0, buf, list, error }
}

/// CPU seconds that this process takes for something.
fn cpu_of(work: impl FnOnce()) -> f64 {
    let before = cpu();
    work();
    cpu() - before
}

fn cpu() -> f64 {
    // SAFETY: zeros are a value of it, and the kernel writes no more than it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// The server, in a process of its own.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start() -> Served {
        let executable = std::env::current_exe().expect("the path of this bench");
        let mut command = Command::new(executable);
        command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let mut url = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut url).expect("its address");
        Served { child, url: url.trim().to_owned() }
    }

    /// Has both libraries find it, as programs find theirs.
    fn be_found(&mut self) {
        for (name, value) in [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ] {
            // SAFETY: no other thread runs yet.
            unsafe { std::env::set_var(name, value) };
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn serve() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("bench")).expect("a bucket");
    let object = std::fs::File::create(folder.path().join("bench").join(KEY)).expect("an object");
    object.set_len(OBJECT_BYTES).expect("its bytes");
    let server = Server::start(Config {
        credentials: Some(Credentials::new(ACCESS_KEY, SECRET)),
        durable: false,
        ..Config::new(folder.path())
    });
    let server = server.expect("a server");
    println!("{}", server.url());
    std::io::stdout().flush().expect("a pipe");
    let _ = std::io::stdin().read_line(&mut String::new());
}
