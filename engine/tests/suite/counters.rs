//! What each core counts while it works.

use std::time::{Duration, Instant};

use hydrant_engine::sim::{Fault, SimConfig};
use hydrant_engine::{Direct, File, MetricsSnapshot, OpenOptions, RecvMode};

use crate::host::{Host, LIMIT, config, filled, hosts, join, kernels, lease};

const BYTES: usize = 64 << 10;

#[test]
fn bytes_are_counted_by_their_direction_and_what_carries_them() {
    for mut host in hosts(&config()) {
        let before = host.engine().metrics();
        host.run(|core, place| async move {
            let options = OpenOptions::new().read().write().create();
            let file = File::open(&core, &place.path("file"), &options).await.expect("made");
            let data = filled(&core, BYTES, 1).await;
            let (written, data) = file.write_at(&core, data, 0..BYTES, 0).await;
            written.expect("written");
            let (read, data) = file.read_at(&core, data, 0..BYTES / 4, 0).await;
            read.expect("read");
            let (near, far) = place.pair(&core).await;
            let room = lease(&core, BYTES).await;
            let sending = near.send(data, 0..BYTES / 2, false, LIMIT);
            let receiving = far.recv(room, 0..BYTES / 2, RecvMode::Fill, LIMIT);
            let ((sent, _), (received, _)) = join(sending, receiving).await;
            assert_eq!((sent.expect("sent"), received.expect("received")), (BYTES / 2, BYTES / 2));
        });
        let seen = host.engine().metrics().since(&before);
        assert_eq!((seen.file_bytes_written, seen.file_bytes_read), (65536, 16384));
        assert_eq!(seen.file_bytes_registered + seen.file_bytes_unregistered, 65536 + 16384);
        assert_eq!((seen.bytes_sent, seen.bytes_received), (32768, 32768));
        assert_eq!((seen.connections_opened, seen.bounces, seen.fallbacks_buffered), (1, 0, 0));
        // A file op, an open, a socket, a connect: each is at least one of each.
        assert!(seen.enters > 0 && seen.submissions >= 6 && seen.completions >= 6, "{seen:?}");
        host.finish();
    }
}

#[test]
fn bounces_are_counted() {
    for mut host in hosts(&config()) {
        let direct = host.run(|core, place| async move {
            let options = OpenOptions::new().read().write().create().direct(true);
            let file = File::open(&core, &place.path("file"), &options).await.expect("made");
            let data = filled(&core, BYTES, 1).await;
            file.write_at(&core, data, 0..BYTES, 0).await.0.expect("written");
            let room = lease(&core, BYTES).await;
            file.read_at(&core, room, 0..100, 1).await.0.expect("read");
            matches!(file.direct(), Direct::Yes { .. })
        });
        assert_eq!(host.engine().metrics().bounces, u64::from(direct));
        let of_core = host.engine().counters().of_core(0).expect("there is one");
        assert_eq!(of_core.copied_bounce, if direct { 100 } else { 0 });
        host.finish();
    }
}

#[test]
fn a_fallback_to_buffered_io_is_counted() {
    let mut world = SimConfig::calm();
    world.direct_io = false;
    let mut host = Host::simulated(1, world, config());
    host.run(|core, place| async move {
        let options = OpenOptions::new().write().create().direct(true);
        for name in ["one", "two"] {
            File::open(&core, &place.path(name), &options).await.expect("made");
        }
    });
    assert_eq!(host.engine().metrics().fallbacks_buffered, 2);
    host.finish();
}

#[test]
fn transfers_that_are_carried_on_are_counted() {
    let mut world = SimConfig::calm();
    (world.faults.short_read, world.faults.short_write) = (0.5, 0.5);
    let mut host = Host::simulated(1, world, config());
    let world = host.place().world.expect("a simulated one");
    host.run(|core, place| async move {
        let options = OpenOptions::new().read().write().create();
        let file = File::open(&core, &place.path("file"), &options).await.expect("made");
        let mut data = filled(&core, BYTES, 1).await.into();
        for _ in 0..20 {
            let written;
            (written, data) = file.write_at(&core, data, 0..BYTES, 0).await;
            assert_eq!(written.expect("written"), BYTES);
            let read;
            (read, data) = file.read_at(&core, data, 0..BYTES, 0).await;
            assert_eq!(read.expect("read"), BYTES);
        }
    });
    let met = world.faults_met();
    let short = met[Fault::ShortRead as usize] + met[Fault::ShortWrite as usize];
    assert!(short > 0, "none in 40 transfers");
    assert_eq!(host.engine().metrics().short_transfers, short);
    host.finish();
}

#[test]
fn wake_ups_of_a_core_that_sleeps_are_counted() {
    let mut config = config();
    config.core.spin_max = Duration::ZERO;
    for host in kernels(&config) {
        let engine = host.engine();
        let began = Instant::now();
        // A message that comes before the core sleeps wakes nobody.
        while engine.metrics().wakes == 0 {
            assert!(began.elapsed() < LIMIT, "never woken: {:?}", engine.metrics());
            std::thread::sleep(Duration::from_millis(1));
            engine.on_core(0, |_| async {}).expect("spawned").wait().expect("run");
        }
        host.finish();
    }
}

/// Of parts and of heads alike, once for each request, whatever it is polled.
#[test]
fn waits_for_the_pool_are_counted() {
    let mut config = config();
    config.pool.quarantine = false;
    config.pool.pool_bytes = 2 << 20;
    config.pool.head_share_bytes = Some(1 << 20);
    for mut host in hosts(&config) {
        host.run(|core, _| async move {
            let all = core.head_lease(1 << 20, "all").await.expect("it fits");
            let waiting = core.spawn({
                let core = core.clone();
                async move { core.head_lease(4096, "waits").await.map(drop) }
            });
            core.sleep(Duration::from_millis(1)).await;
            drop(all);
            waiting.expect("room").await.expect("no panic").expect("granted");
        });
        let MetricsSnapshot { pool_waits, .. } = host.engine().metrics();
        assert_eq!(pool_waits, 1);
        host.finish();
    }
}
