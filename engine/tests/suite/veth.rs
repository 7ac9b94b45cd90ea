//! Sockets over a link between two network namespaces, which is slow and loses packets, or all that is sent once it is
//! down. It takes root; elsewhere these tests say that they did nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener, TcpStream as Plain};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use hydrant_engine::testing::not_tested;
use hydrant_engine::{
    Buf, ConnectLimits, DriverChoice, Error, RecvMode, TcpStream, ZeroCopyChoice,
};

use crate::host::{Host, LIMIT, check, config, drivers, filled, join, lease, memory};

const MIB: usize = 1 << 20;
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Of the link's network, and nobody's: what is sent there is never answered.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 99);
const STALL: Duration = Duration::from_millis(300);

/// Prints the share that the kernel really sent without a copy. It says that it copied, too, where both
/// ends of a link are of one machine: what is handed to a receiver there is copied first
/// (`skb_orphan_frags_rx`).
#[test]
#[expect(clippy::print_stderr, reason = "the share depends on the kernel, and is to be known")]
fn zero_copy_sends_arrive_and_their_share_is_told() {
    const BYTES: usize = 32 * MIB;
    on_link(|link, driver| {
        let peer = link.peer(|mut stream| {
            let mut sum = 0u64;
            let mut room = vec![0; MIB];
            loop {
                match stream.read(&mut room).expect("read") {
                    0 => return sum,
                    got => sum += room[..got].iter().map(|byte| u64::from(*byte)).sum::<u64>(),
                }
            }
        });
        let mut host = Host::kernel(driver, config());
        let before = host.engine().metrics();
        let sent = host.run(move |core, _| async move {
            let stream = TcpStream::connect(&core, peer.address, LIMIT).await.expect("connected");
            stream.set_zero_copy(ZeroCopyChoice::On);
            let mut buf = Buf::from(filled(&core, MIB, 1).await);
            let sum: u64 = buf.as_slice().iter().map(|byte| u64::from(*byte)).sum();
            for _ in 0..BYTES / MIB {
                let (sent, back) = stream.send(buf, 0..MIB, false, LIMIT).await;
                assert_eq!(sent.expect("sent"), MIB);
                buf = back;
            }
            drop(stream);
            (sum * (BYTES / MIB) as u64, peer)
        });
        assert_eq!(sent.1.answer(), sent.0);
        let counted = host.engine().metrics().since(&before);
        assert_eq!(counted.bytes_sent, BYTES as u64);
        let (handed, copied) = (counted.bytes_sent_zero_copy, counted.bytes_sent_zero_copy_copied);
        assert!(copied <= handed && handed <= BYTES as u64);
        let really = (handed - copied) as f64 * 100.0 / BYTES as f64;
        eprintln!(
            "{driver:?}: {handed} bytes of {BYTES} sent by zero-copy sends, {really:.1} % uncopied"
        );
        host.finish();
    });
}

/// NET-1: no acknowledgement ever comes, and the kernel keeps the memory until the reset.
#[test]
fn the_memory_of_a_zero_copy_send_comes_back_from_a_black_hole() {
    on_link(|link, driver| {
        let peer = link.peer(drop);
        let down = link.far_end_down();
        let mut host = Host::kernel(driver, config());
        let address = peer.address;
        let ended = host.run(move |core, _| async move {
            let stream = TcpStream::connect(&core, address, LIMIT).await.expect("connected");
            stream.set_zero_copy(ZeroCopyChoice::On);
            down();
            let data = filled(&core, MIB, 1).await;
            let sending = stream.send(data, 0..MIB, false, LIMIT);
            let ended = core.timeout(Duration::from_millis(50), sending).await.is_ok();
            drop(stream);
            ended
        });
        let zero_copy = host.engine().capabilities().has("zero-copy send");
        assert!(!(ended && zero_copy), "the kernel gave the memory back by itself");
        // Waits for all that the kernel holds, and leaks what does not come back.
        host.finish();
        drop(peer);
    });
}

/// TIME-1, where the peer is not slow but gone.
#[test]
fn a_link_that_goes_down_stalls_what_is_under_way() {
    on_link(|link, driver| {
        let (say, told) = mpsc::channel::<()>();
        let peer = link.peer(move |mut stream| {
            stream.write_all(b"first").expect("sent");
            // It stays open.
            let _ = told.recv();
        });
        let down = link.far_end_down();
        let mut host = Host::kernel(driver, config());
        let address = peer.address;
        host.run(move |core, _| async move {
            let stream = TcpStream::connect(&core, address, LIMIT).await.expect("connected");
            let room = lease(&core, 4096).await;
            let (got, room) = stream.recv(room, 0..5, RecvMode::Fill, LIMIT).await;
            assert_eq!(got.expect("the link is up"), 5);
            down();
            let (got, _) = stream.recv(room, 0..4096, RecvMode::Some, STALL).await;
            let error = got.expect_err("nothing comes").error;
            assert!(matches!(error, Error::Stalled { operation: "recv", .. }), "{error}");
            let data = filled(&core, 16 * MIB, 2).await;
            let (sent, buf) = stream.send(data, 0..16 * MIB, false, STALL).await;
            let error = sent.expect_err("nobody acknowledges");
            assert!(matches!(error, Error::Stalled { operation: "send", .. }), "{error}");
            assert_eq!(buf.len(), 16 * MIB);
        });
        host.finish();
        drop((say, peer));
    });
}

/// There and back at the same time, with a copy and without: what is lost is sent again from memory that is still the kernel's.
#[test]
fn what_a_link_loses_arrives_all_the_same() {
    const BYTES: usize = 8 * MIB;
    on_link(|link, driver| {
        if let Err(why) = link.make_lossy() {
            return not_tested(format_args!("a link that loses packets: {why}"));
        }
        for zero_copy in [ZeroCopyChoice::Off, ZeroCopyChoice::On] {
            let peer = link.peer(|stream| {
                // More than a window is under way at a time.
                std::io::copy(&mut &stream, &mut &stream).expect("echoed")
            });
            let mut host = Host::kernel(driver, config());
            let address = peer.address;
            host.run(move |core, _| async move {
                let stream = TcpStream::connect(&core, address, LIMIT).await.expect("connected");
                stream.set_zero_copy(zero_copy);
                let (data, room) = (filled(&core, BYTES, 3).await, lease(&core, BYTES).await);
                let (sent, received) = join(
                    stream.send(data, 0..BYTES, false, LIMIT),
                    stream.recv(room, 0..BYTES, RecvMode::Fill, LIMIT),
                )
                .await;
                let counts = (sent.0.expect("sent"), received.0.expect("received"));
                assert_eq!(counts, (BYTES, BYTES));
                let mut back = received.1;
                check(&memory(&mut back)[..BYTES], 3);
            });
            host.finish();
            assert_eq!(peer.answer(), BYTES as u64);
        }
        assert!(link.lost() > 0, "the link lost nothing");
    });
}

#[test]
fn an_address_that_does_not_answer_is_passed_over() {
    on_link(|link, driver| {
        let peer = link.peer(drop);
        let mut host = Host::kernel(driver, config());
        let address = peer.address;
        host.run(move |core, _| async move {
            let limits = ConnectLimits::default();
            let silent = SocketAddr::from((NOBODY, address.port()));
            let stream = TcpStream::connect_any(&core, &[silent, address], &limits).await;
            assert_eq!(stream.expect("one of them answers").peer(), address);
            let error =
                TcpStream::connect(&core, silent, STALL).await.expect_err("nobody is there");
            assert!(matches!(error, Error::Stalled { operation: "connect", .. }), "{error}");
        });
        host.finish();
        drop(peer);
    });
}

/// Two namespaces and the link between them.
struct Link {
    near: String,
    far: String,
}

/// A plain program at the far end, with one connection.
struct Peer<T> {
    address: SocketAddr,
    answer: std::thread::JoinHandle<T>,
}

/// Runs a body at the near end of a new link, for each driver.
fn on_link(body: impl Fn(&Link, DriverChoice) + Sync) {
    for driver in drivers() {
        match Link::new() {
            Ok(link) => link.at(&link.near, || body(&link, *driver)),
            Err(why) => {
                return not_tested(format_args!("a link between two namespaces: {why}"));
            }
        }
    }
}

impl Link {
    fn new() -> Result<Link, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = |end| format!("hydrant-{}-{number}-{end}", std::process::id());
        let link = Link { near: name("near"), far: name("far") };
        ip(&["netns", "add", &link.near])?;
        ip(&["netns", "add", &link.far])?;
        let (near, far) = (&*link.near, &*link.far);
        let ends = ["link", "add", "veth0", "netns", near, "type", "veth", "peer", "name", "veth0"];
        ip(&[&ends[..], &["netns", far]].concat())?;
        for (end, address) in [(near, NEAR), (far, FAR)] {
            ip(&["-n", end, "address", "add", &format!("{address}/24"), "dev", "veth0"])?;
            ip(&["-n", end, "link", "set", "veth0", "up"])?;
        }
        Ok(link)
    }

    /// Runs something in a namespace, on a thread of its own; threads that it starts are there too.
    fn at<T: Send>(&self, end: &str, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                enter(end);
                work()
            });
            there.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn peer<T: Send + 'static>(&self, serve: impl FnOnce(Plain) -> T + Send + 'static) -> Peer<T> {
        let listener = self.at(&self.far, || Listener::bind((FAR, 0)).expect("its own address"));
        let address = listener.local_addr().expect("bound");
        // A socket stays in the namespace that it was made in.
        let answer = std::thread::spawn(move || serve(listener.accept().expect("a caller").0));
        Peer { address, answer }
    }

    /// Delay and chance where the kernel has them (`netem`), and else a short queue before a slow link, which is full most of the
    /// time and drops what comes then.
    fn make_lossy(&self) -> Result<(), String> {
        const BY_CHANCE: &str = "netem delay 2ms 1ms loss 1%";
        const BY_QUEUE: &str = "tbf rate 400mbit burst 20kb limit 40kb";
        [&self.near, &self.far].into_iter().try_for_each(|end| {
            let add = |how: &str| {
                let words = format!("-n {end} qdisc add dev veth0 root {how}");
                run("tc", &words.split(' ').collect::<Vec<_>>()).map(drop)
            };
            add(BY_CHANCE).or_else(|_| add(BY_QUEUE))
        })
    }

    /// Packets that were dropped at the near end.
    fn lost(&self) -> u64 {
        let said = run("tc", &["-s", "-n", &self.near, "qdisc", "show", "dev", "veth0"]);
        let said = said.expect("made above");
        let count = said.split("dropped ").nth(1).and_then(|rest| rest.split(',').next());
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{said}"))
    }

    /// From the call of this on, what is sent is lost.
    fn far_end_down(&self) -> impl FnOnce() + Send + 'static {
        let far = self.far.clone();
        move || ip(&["-n", &far, "link", "set", "veth0", "down"]).expect("it was up")
    }
}

impl<T> Peer<T> {
    fn answer(self) -> T {
        self.answer.join().expect("no panic")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for end in [&self.near, &self.far] {
            // It may not have been made.
            let _ = ip(&["netns", "delete", end]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    run("ip", arguments).map(drop)
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new(program).args(arguments).output();
    let output = ran.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

fn enter(namespace: &str) {
    let path = format!("/run/netns/{namespace}");
    let file = std::fs::File::open(path).expect("made above");
    // SAFETY: it changes the namespace of this thread alone.
    let entered = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(entered, 0, "{}", std::io::Error::last_os_error());
}
