//! No op allocates on the heap once the engine is warm: the data path runs on what was there before.

mod counting;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use counting::allocations;
use hydrant_engine::{
    Buf, Core, DriverChoice, Engine, File, OpenOptions, RecvMode, SendList, Service, TcpListener,
    TcpStream, ZeroCopyChoice,
};

const LIMIT: Duration = Duration::from_secs(60);
const WARM_UP: usize = 200;
const MEASURED: usize = 1000;

/// Both futures, at the same time.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(ready) = a.as_mut().poll(cx)
        {
            first = Some(ready);
        }
        if second.is_none()
            && let Poll::Ready(ready) = b.as_mut().poll(cx)
        {
            second = Some(ready);
        }
        if first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (first.expect("looked at above"), second.expect("looked at above"))
}

/// What `MEASURED` rounds ask the heap for on this thread, after a warm-up.
async fn count<F: Future<Output = ()>>(mut round: impl FnMut() -> F) -> u64 {
    for _ in 0..WARM_UP {
        round().await;
    }
    let before = allocations();
    for _ in 0..MEASURED {
        round().await;
    }
    allocations() - before
}

/// The counts are of the core's own thread, where all of this runs.
fn on_each_driver<F>(body: impl Fn(Core, std::path::PathBuf) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + 'static,
{
    for driver in [DriverChoice::Uring, DriverChoice::Poll] {
        let engine = Engine::builder().cores(1).pool_bytes(32 << 20).driver(driver);
        let engine = engine.start().expect("granted");
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let (body, path) = (body.clone(), dir.path().join("file"));
        let task = engine.on_core(0, move |core| body(core, path));
        task.expect("spawned").wait().expect("the body");
    }
}

#[test]
fn reads_and_writes_of_files() {
    on_each_driver(|core, path| async move {
        for direct in [true, false] {
            let options = OpenOptions::new().read().write().create().direct(direct);
            let file = File::open(&core, &path, &options).await.expect("made");
            let memory = core.pool().lease(1 << 20, "test").await.expect("room");
            let kept = Cell::new(Some(Buf::from(memory)));
            let (file, core, kept) = (&file, &core, &kept);
            let counted = count(|| async move {
                let buf = kept.take().expect("given back");
                let (written, buf) = file.write_at(core, buf, 0..1 << 20, 0).await;
                let (read, buf) = file.read_at(core, buf, 0..4096, 4096).await;
                assert_eq!((written.expect("written"), read.expect("read")), (1 << 20, 4096));
                kept.set(Some(buf));
            });
            assert_eq!(counted.await, 0, "direct: {direct}");
        }
    });
}

#[test]
fn sends_receives_leases_and_timers() {
    on_each_driver(|core, _| async move {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("loopback");
        let near =
            TcpStream::connect(&core, listener.local_addr(), LIMIT).await.expect("connected");
        let far = listener.accept(&core).await.expect("accepted");
        const LARGE: usize = 64 << 10;
        // Received for the most part with MSG_WAITALL, and its end by itself.
        const BULK: usize = (1 << 20) + 4097;
        let (on, off) = (ZeroCopyChoice::On, ZeroCopyChoice::Off);
        for (bytes, zero_copy) in [(1, off), (LARGE, off), (LARGE, on), (BULK, off)] {
            near.set_zero_copy(zero_copy);
            let (core, near, far) = (&core, &near, &far);
            let counted = count(|| async move {
                let out = core.pool().lease(bytes, "test").await.expect("room");
                let room = core.pool().lease(bytes, "test").await.expect("room");
                let send = near.send(out, 0..bytes, false, LIMIT);
                let receive = far.recv(room, 0..bytes, RecvMode::Fill, LIMIT);
                let ((sent, _), (received, _)) = both(send, receive).await;
                assert_eq!((sent.expect("sent"), received.expect("received")), (bytes, bytes));
                core.sleep(Duration::from_nanos(1)).await;
            });
            assert_eq!(counted.await, 0, "{bytes} bytes");
            let kept = Cell::new(Some(SendList::new()));
            let kept = &kept;
            let counted = count(|| async move {
                let mut list = kept.take().expect("given back");
                for _ in 0..2 {
                    let out = core.pool().lease(bytes, "test").await.expect("room");
                    list.push(out, 0..bytes.min(1024)).expect("room");
                }
                let wanted = list.bytes();
                let room = core.head_lease(wanted, "test").await.expect("room");
                let (sent, mut list) = near.send_list(list, LIMIT).await;
                let (received, _) = far.recv(room, 0..wanted, RecvMode::Fill, LIMIT).await;
                assert_eq!((sent.expect("sent"), received.expect("received")), (wanted, wanted));
                while list.pop().is_some() {}
                kept.set(Some(list));
            });
            assert_eq!(counted.await, 0, "{bytes} bytes in a list");
        }
    });
}

/// Connections that answer whatever comes, as the echo of a server does.
#[test]
fn an_echo_over_many_connections() {
    const CONNECTIONS: usize = 64;
    const BYTES: usize = 1024;
    on_each_driver(|core, _| async move {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("loopback");
        let mut near = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(&core, listener.local_addr(), LIMIT).await;
            let far = listener.accept(&core).await.expect("accepted");
            let mut buf = Buf::from(core.pool().lease(BYTES, "test").await.expect("room"));
            let echo = core.spawn(async move {
                loop {
                    let (received, back) = far.recv(buf, 0..BYTES, RecvMode::Some, LIMIT).await;
                    let Ok(len @ 1..) = received else { return };
                    let (sent, back) = far.send(back, 0..len, false, LIMIT).await;
                    assert_eq!(sent.expect("sent"), len);
                    buf = back;
                }
            });
            echo.expect("room").detach();
            let buf = Buf::from(core.pool().lease(BYTES, "test").await.expect("room"));
            near.push((stream.expect("connected"), Cell::new(Some(buf))));
        }
        let near = &near;
        // All ask before the first is answered.
        let mut round = || async move {
            for (stream, kept) in near {
                let buf = kept.take().expect("given back");
                let (sent, buf) = stream.send(buf, 0..BYTES, false, LIMIT).await;
                assert_eq!(sent.expect("sent"), BYTES);
                kept.set(Some(buf));
            }
            for (stream, kept) in near {
                let buf = kept.take().expect("given back");
                let (received, buf) = stream.recv(buf, 0..BYTES, RecvMode::Fill, LIMIT).await;
                assert_eq!(received.expect("received"), BYTES);
                kept.set(Some(buf));
            }
        };
        // As below: on a busy machine more may end at once than ever before, later than in the warm-up.
        let mut counted = Vec::new();
        while counted.last() != Some(&0) && counted.len() < 5 {
            counted.push(count(&mut round).await);
        }
        assert_eq!(counted.last(), Some(&0), "{counted:?}");
    });
}

/// Parts as the pipelines have them, several submissions each.
#[test]
fn large_parts_of_a_direct_file() {
    const PART: usize = 8 << 20;
    on_each_driver(|core, path| async move {
        let options = OpenOptions::new().read().write().create().direct(true);
        let file = File::open(&core, &path, &options).await.expect("made");
        let kept = Cell::new(Some(Buf::from(core.pool().lease(PART, "test").await.expect("room"))));
        let (file, core, kept) = (&file, &core, &kept);
        let round = || async move {
            let buf = kept.take().expect("given back");
            let (written, buf) = file.write_at(core, buf, 0..PART, 0).await;
            let (read, buf) = file.read_at(core, buf, 0..PART, 0).await;
            assert_eq!((written.expect("written"), read.expect("read")), (PART, PART));
            kept.set(Some(buf));
        };
        round().await;
        let before = allocations();
        for _ in 0..10 {
            round().await;
        }
        assert_eq!(allocations() - before, 0);
    });
}

/// As many at once as a benchmark of a disk has in flight.
#[test]
fn many_reads_at_once() {
    const DEPTH: usize = 64;
    const BYTES: usize = 4096;
    on_each_driver(|core, path| async move {
        let options = OpenOptions::new().read().write().create().direct(true);
        let file = File::open(&core, &path, &options).await.expect("made");
        let all = core.pool().lease(DEPTH * BYTES, "test").await.expect("room");
        file.write_at(&core, all, 0..DEPTH * BYTES, 0).await.0.expect("written");
        let (done, stop) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let mut reading = Vec::new();
        for number in 0..DEPTH {
            let (core, file) = (core.clone(), file.clone());
            let (done, stop) = (Rc::clone(&done), Rc::clone(&stop));
            let mut buf = Buf::from(core.pool().lease(BYTES, "test").await.expect("room"));
            reading.push(core.clone().spawn(async move {
                while !stop.get() {
                    let offset = (number * BYTES) as u64;
                    let (read, back) = file.read_at(&core, buf, 0..BYTES, offset).await;
                    assert_eq!(read.expect("read"), BYTES);
                    buf = back;
                    done.set(done.get() + 1);
                }
            }));
        }
        let reach = async |count: usize| {
            while done.get() < count {
                core.sleep(Duration::from_millis(1)).await;
            }
        };
        reach(DEPTH * 20).await;
        // A queue grows when more ends at once than ever before, which on a busy machine may be late.
        let mut counted = Vec::new();
        while counted.last() != Some(&0) && counted.len() < 10 {
            let before = allocations();
            reach(done.get() + DEPTH * 20).await;
            counted.push(allocations() - before);
        }
        assert_eq!(counted.last(), Some(&0), "{counted:?}");
        stop.set(true);
        for task in reading {
            task.expect("room").await.expect("no panic");
        }
    });
}

/// Neither who asks nor the core, whether it looks out for the next question or is woken for it.
#[test]
fn work_that_is_handed_to_a_core() {
    for spin_max in [Duration::ZERO, Duration::from_micros(20)] {
        let engine = Engine::builder().cores(1).pool_bytes(32 << 20);
        let engine = engine.configure(|config| config.core.spin_max = spin_max);
        let engine = engine.start().expect("granted");
        let counted = Service::start(&engine, 0, 1, |_, ()| async { allocations() });
        let counted = counted.expect("started");
        let ask = || counted.ask(()).expect("vacant").wait().expect("answered");
        (0..WARM_UP).for_each(|_| _ = ask());
        let before = (allocations(), ask());
        (0..MEASURED).for_each(|_| _ = ask());
        assert_eq!((allocations(), ask()), before, "{spin_max:?}");
    }
}
