//! The detector detects: with the switch that frees early, the quarantine reports hits; without it
//! the very same run reports none.

use std::collections::BTreeMap;
use std::time::Duration;

use hydrant_engine::sim::SimConfig;
use hydrant_engine::{Buf, Config, Core, File, OpenOptions, PlantedBug, QuarantineHit};

use crate::host::{Host, Place, config, drop_after, filled, kernels, lease};

const BYTES: usize = 512 << 10;
const READS: usize = 32;

#[test]
fn a_buffer_freed_early_is_noticed_on_the_kernel() {
    noticed_with_the_mistake_alone(free_early, hits);
}

/// On each driver of the kernel. Whether a read still runs when its buffer is freed, or its ring closed, is
/// a race with the disk: on a busy machine all of a run are lost now and then.
fn noticed_with_the_mistake_alone(
    config: impl Fn(bool) -> Config,
    hits: impl Fn(Host) -> Vec<QuarantineHit>,
) {
    for host in kernels(&config(false)) {
        assert_eq!(hits(host), []);
    }
    let mut noticed = BTreeMap::new();
    for _ in 0..20 {
        for host in kernels(&config(true)) {
            let driver = host.engine().capabilities().driver;
            *noticed.entry(driver).or_insert(false) |= !hits(host).is_empty();
        }
        if noticed.values().all(|noticed| *noticed) {
            return;
        }
    }
    panic!("whether it was noticed: {noticed:?}");
}

#[test]
fn a_buffer_freed_early_is_noticed_in_the_simulator() {
    assert_eq!(hits(simulated(false)), []);
    assert_ne!(hits(simulated(true)), []);
}

/// Closing a ring is no barrier: without the drain the kernel writes to memory that is back in the
/// pool (OWN-2).
#[test]
fn a_ring_closed_without_its_drain_is_noticed() {
    noticed_with_the_mistake_alone(drain_skipped, hits_after_closing);
}

fn drain_skipped(on: bool) -> Config {
    let mut config = config();
    config.planted_bug = on.then_some(PlantedBug::DrainSkipped);
    config
}

/// What the quarantine finds after cores with reads in flight have ended.
fn hits_after_closing(mut host: Host) -> Vec<QuarantineHit> {
    let pool = host.pool();
    let place = host.place();
    let task = host.engine().on_core(0, move |core| read_for_ever(core, place)).expect("spawned");
    host.run(|core, _| async move { core.sleep(Duration::from_millis(5)).await });
    host.stop_cores();
    drop((task, host));
    // What the kernel still does is done by then.
    std::thread::sleep(Duration::from_millis(100));
    pool.quarantine_release()
}

async fn read_for_ever(core: Core, place: Place) {
    let options = OpenOptions::new().read().write().create().direct(true);
    let file = File::open(&core, &place.path("early"), &options).await.expect("made");
    let data = filled(&core, BYTES, 1).await;
    file.write_at(&core, data, 0..BYTES, 0).await.0.expect("written");
    for _ in 0..16 {
        let (file, reading) = (file.clone(), core.clone());
        let mut room = Buf::from(lease(&core, BYTES).await);
        let again = async move {
            loop {
                room = file.read_at(&reading, room, 0..BYTES, 0).await.1;
            }
        };
        core.spawn(again).expect("room").detach();
    }
}

fn free_early(on: bool) -> Config {
    let mut config = config();
    config.planted_bug = on.then_some(PlantedBug::FreeEarly);
    config
}

fn simulated(on: bool) -> Host {
    // Disk operations that ignore their cancel run to their end, as they do on a real disk.
    let mut world = SimConfig::calm();
    world.faults.cancel_ignored = 1.0;
    Host::simulated(1, world, free_early(on))
}

/// What the quarantine finds after reads in flight were dropped and the cores have drained.
fn hits(mut host: Host) -> Vec<QuarantineHit> {
    let pool = host.pool();
    host.run(drop_reads_in_flight);
    host.stop_cores();
    let hits = pool.quarantine_check();
    pool.quarantine_release();
    host.finish();
    hits
}

async fn drop_reads_in_flight(core: Core, place: Place) {
    let options = OpenOptions::new().read().write().create().direct(true);
    let file = File::open(&core, &place.path("early"), &options).await.expect("made");
    let data = filled(&core, BYTES, 1).await;
    file.write_at(&core, data, 0..BYTES, 0).await.0.expect("written");
    file.sync_all(&core).await.expect("synced");
    for number in 0..READS {
        let room = lease(&core, BYTES).await;
        let mut reading = Box::pin(file.read_at(&core, room, 0..BYTES, 0));
        assert!(drop_after(1, reading.as_mut()).await.is_none(), "it is in flight");
        if number % 2 == 0 {
            // A thread begins to read; on a ring that is so with the next turn.
            file.metadata(&core).await.expect("statx");
        }
        drop(reading);
        // The core turns and hands the read to the kernel; the file stays open until then.
        file.metadata(&core).await.expect("statx");
    }
}
