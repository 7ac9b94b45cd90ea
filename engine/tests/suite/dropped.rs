//! OWN-1: a future is dropped at every one of its awaits, and the quarantine watches its memory.

use std::future::Future;
use std::time::Duration;

use hydrant_engine::sim::{SimConfig, seeds};
use hydrant_engine::{Core, File, OpenOptions, RecvMode, SendList, TcpStream, ZeroCopyChoice};

use crate::host::{Host, LIMIT, Place, config, drop_after, filled, join, kernels, lease};

const KIB: usize = 1 << 10;

/// More polls than any of the scenarios needs.
const POLLS_MAX: usize = 200;

#[test]
fn on_the_kernel() {
    for mut host in kernels(&config()) {
        host.run(everything);
        host.finish();
    }
}

#[test]
fn in_worlds_where_cancels_lose_their_race() {
    seeds(100, |seed| {
        let mut host = Host::simulated(seed, SimConfig::choppy(), config());
        host.run(everything);
        host.finish();
    });
}

async fn everything(core: Core, place: Place) {
    let file = file(&core, &place, true).await;
    let buffered = self::file(&core, &place, false).await;
    for file in [&file, &buffered] {
        at_every_await(|| async {
            let room = lease(&core, 512 * KIB).await;
            file.read_at(&core, room, 0..512 * KIB, 0).await.0.expect("read");
        })
        .await;
        at_every_await(|| async {
            let data = filled(&core, 256 * KIB, 1).await;
            file.write_at(&core, data, 0..256 * KIB, 0).await.0.expect("written");
        })
        .await;
        at_every_await(|| async {
            let room = lease(&core, 64 * KIB).await;
            file.read_at(&core, room, 1..50_000, 3).await.0.expect("bounced");
        })
        .await;
        // Its first block through a bounce buffer, what follows straight.
        at_every_await(|| async {
            let room = lease(&core, 256 * KIB).await;
            file.read_at(&core, room, 3..200_003, 3).await.0.expect("in pieces");
        })
        .await;
        at_every_await(|| async {
            file.metadata(&core).await.expect("statx");
            file.sync_data(&core).await.expect("synced");
        })
        .await;
    }
    at_every_await(|| self::file(&core, &place, true)).await;
    at_its_awaits(|| core.sleep(Duration::from_millis(1))).await;
    if place.world.is_none() {
        // The control thread of a simulation answers at once.
        at_its_awaits(|| core.blocking(|| 1)).await;
    }
    for size in [4 * KIB, 256 * KIB] {
        at_every_await(|| receive(&core, &place, size)).await;
        at_every_await(|| send(&core, &place, size)).await;
        at_every_await(|| send_list(&core, &place, size)).await;
    }
    at_every_await(|| async {
        let listener = place.listen();
        let connected = TcpStream::connect(&core, listener.local_addr(), LIMIT).await;
        drop(connected.expect("connected"));
        listener.accept(&core).await.expect("accepted");
    })
    .await;
    at_every_await(|| async {
        let listener = place.listen();
        let address = listener.local_addr();
        let (far, near) =
            join(listener.accept(&core), TcpStream::connect(&core, address, LIMIT)).await;
        drop((far.expect("accepted"), near.expect("connected")));
    })
    .await;
}

/// Drops the future after its first poll, then after its second, and so on until it ends.
pub async fn at_every_await<F: Future>(scenario: impl Fn() -> F) {
    let polls = at_its_awaits(scenario).await;
    assert!(polls > 1, "a scenario that never waits shows nothing");
}

/// The same for one that another thread or the clock may have ended before it is first polled; tells
/// how many polls it took.
pub async fn at_its_awaits<F: Future>(scenario: impl Fn() -> F) -> usize {
    for polls in 1..POLLS_MAX {
        if drop_after(polls, scenario()).await.is_some() {
            return polls;
        }
    }
    panic!("it did not end within {POLLS_MAX} polls");
}

async fn file(core: &Core, place: &Place, direct: bool) -> File {
    let options = OpenOptions::new().read().write().create().direct(direct);
    let file = File::open(core, &place.path("file"), &options).await.expect("made");
    file.set_len(core, 512 << 10).await.expect("sized");
    file
}

/// The near end receives while the far end sends; both are dropped.
async fn receive(core: &Core, place: &Place, size: usize) {
    let (near, far) = place.pair(core).await;
    let data = filled(core, size, 1).await;
    let room = lease(core, size).await;
    let receiving = near.recv(room, 0..size, RecvMode::Fill, LIMIT);
    let (received, sent) = join(receiving, far.send(data, 0..size, false, LIMIT)).await;
    assert_eq!((received.0.expect("received"), sent.0.expect("sent")), (size, size));
}

/// The near end sends to a peer that reads a part of it only, and then closes.
async fn send(core: &Core, place: &Place, size: usize) {
    let (near, far) = place.pair(core).await;
    let data = filled(core, size, 2).await;
    let room = lease(core, size).await;
    let reading = async move {
        far.recv(room, 0..size / 2, RecvMode::Fill, LIMIT).await.0.expect("received");
    };
    let (sent, ()) = join(near.send(data, 0..size, false, LIMIT), reading).await;
    // The peer has closed with bytes unread, which resets the connection; or all had gone out.
    drop(sent);
}

/// The same with several buffers, which go out without a copy where they can.
async fn send_list(core: &Core, place: &Place, size: usize) {
    let (near, far) = place.pair(core).await;
    near.set_zero_copy(ZeroCopyChoice::On);
    let mut list = SendList::new();
    for seed in 0..3 {
        list.push(filled(core, size, seed).await, 0..size).expect("room");
    }
    let room = lease(core, size).await;
    let reading = async move {
        far.recv(room, 0..size, RecvMode::Fill, LIMIT).await.0.expect("received");
    };
    let (sent, ()) = join(near.send_list(list, LIMIT), reading).await;
    drop(sent);
}
