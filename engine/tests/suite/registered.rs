//! Memory of the caller as registered buffers: it comes and goes while operations are in flight, and
//! where it is refused the work is done without.

use std::path::Path;
use std::time::{Duration, Instant};

use hydrant_engine::testing::not_tested;
use hydrant_engine::{
    Core, DriverChoice, Engine, Error, File, OpenOptions, Region, RegionOwner, Registered,
};

use crate::host::{Host, LIMIT, check, config, drop_after, fill, filled, hosts, join};

const BLOCK: usize = 4096;
const MIB: usize = 1 << 20;

#[test]
fn file_bytes_go_through_registered_memory() {
    for mut host in hosts(&config()) {
        let engine = host.engine();
        let memory = engine.register_memory(vec![0u8; 4 * MIB + BLOCK]).expect("from outside");
        let refused = memory.registration().refused().map(str::to_owned);
        let driver = engine.capabilities().driver;
        if driver == "simulator" || engine.capabilities().buffers_registered() {
            // Where the pool is registered, this is too, but on kernels that lose entries of a table.
            let loses = |why: &String| why.contains("loses entries");
            assert!(refused.as_ref().is_none_or(loses), "{refused:?}");
        }
        if driver == "poll" {
            assert!(refused.is_some(), "it has none");
        }
        let before = engine.metrics();
        assert_eq!(before.fallbacks_unregistered_memory, u64::from(refused.is_some()));
        let (owner, region) = RegionOwner::new(memory);
        host.run(|core, place| async move { round_trip(&core, &place.path("file"), region).await });
        let counted = host.engine().metrics().since(&before);
        let through = match refused {
            None => (counted.file_bytes_registered, counted.file_bytes_unregistered),
            Some(_) => (counted.file_bytes_unregistered, counted.file_bytes_registered),
        };
        assert_eq!(through, (4 * MIB as u64, 0), "{driver}");
        assert_eq!(counted.bounces, 0);
        // The same again with the memory that came back.
        let memory = owner.try_into_inner().expect("every piece is back");
        let (owner, region) = RegionOwner::new(memory);
        host.run(|core, place| async move { round_trip(&core, &place.path("file"), region).await });
        let counted = host.engine().metrics().since(&before);
        let registered = if refused.is_none() { 8 * MIB as u64 } else { 0 };
        assert_eq!(counted.file_bytes_registered, registered, "{driver}");
        drop(owner.try_into_inner().expect("every piece is back").into_inner());
        host.finish();
    }
}

/// Writes 2 MiB from one half and reads them into the other.
async fn round_trip(core: &Core, path: &Path, region: Region) {
    let mut write = aligned(region);
    let read = write.split_off(2 * MIB);
    fill(write.as_mut_slice(), 1);
    let options = OpenOptions::new().read().write().create().direct(true);
    let file = File::open(core, path, &options).await.expect("made");
    let (wrote, _) = file.write_at(core, write, 0..2 * MIB, 0).await;
    assert_eq!(wrote.expect("written"), 2 * MIB);
    let (got, read) = file.read_at(core, read, 0..2 * MIB, 0).await;
    assert_eq!(got.expect("read"), 2 * MIB);
    check(&read.as_slice()[..2 * MIB], 1);
}

/// What is left from the first whole block on, without the last bytes.
fn aligned(mut region: Region) -> Region {
    let address = region.as_slice().as_ptr().addr();
    drop(region.split_to(address.next_multiple_of(BLOCK) - address));
    let whole = region.len() / BLOCK * BLOCK;
    drop(region.split_off(whole));
    region
}

/// More registrations than places, each with operations in flight while the next ones come and others
/// go: what was dropped in flight still ends in its own memory, and nothing ends in another's.
#[test]
fn registrations_come_and_go_while_operations_are_in_flight() {
    const ROUNDS: u64 = 40;
    let mut config = config();
    config.cores = 2;
    config.ring.caller_entries_max = 3;
    for mut host in hosts(&config) {
        let path = host.place().path("file");
        host.run({
            let path = path.clone();
            |core, _| async move { make_file(&core, &path).await }
        });
        let mut in_flight = std::collections::VecDeque::new();
        for round in 0..ROUNDS {
            let memory = vec![0u8; 64 * BLOCK + 2 * BLOCK];
            let memory = host.engine().register_memory(memory).expect("from outside");
            let (owner, region) = RegionOwner::new(memory);
            let mut pieces = aligned(region);
            let second = pieces.split_off(32 * BLOCK);
            let tasks = [pieces, second].into_iter().enumerate().map(|(on, piece)| {
                let path = path.clone();
                let task = host.engine().on_core(on, move |core| async move {
                    reads(&core, &path, piece, round).await
                });
                task.expect("spawned")
            });
            in_flight.push_back((owner, tasks.collect::<Vec<_>>()));
            // Four are alive at a time, and there is room for three.
            if in_flight.len() == 4 {
                let (owner, tasks) = in_flight.pop_front().expect("four");
                end(&mut host, owner, tasks);
            }
        }
        for (owner, tasks) in in_flight {
            end(&mut host, owner, tasks);
        }
        let counted = host.engine().metrics();
        if host.engine().capabilities().driver != "poll" {
            assert!(counted.fallbacks_unregistered_memory > 0, "there was room for all");
        }
        let registered = host.engine().capabilities().driver == "simulator"
            || host.engine().capabilities().buffers_registered();
        if registered {
            assert!(counted.file_bytes_registered > 0);
            assert!(counted.fallbacks_unregistered_memory < ROUNDS, "places come back");
        }
        host.finish();
    }
}

async fn make_file(core: &Core, path: &Path) {
    let options = OpenOptions::new().write().create().direct(true);
    let file = File::open(core, path, &options).await.expect("made");
    let data = filled(core, 64 * BLOCK, 7).await;
    file.write_at(core, data, 0..64 * BLOCK, 0).await.0.expect("written");
}

/// Reads the file into one half, and gives reads into the other half up while they are in flight.
async fn reads(core: &Core, path: &Path, mut piece: Region, round: u64) {
    let options = OpenOptions::new().read().direct(true);
    let file = File::open(core, path, &options).await.expect("there");
    let dropped = piece.split_off(16 * BLOCK);
    let polls = 1 + (round % 3) as usize;
    drop_after(polls, file.read_at(core, dropped, 0..16 * BLOCK, 0)).await;
    let (got, piece) = file.read_at(core, piece, 0..16 * BLOCK, 0).await;
    assert_eq!(got.expect("read"), 16 * BLOCK);
    check(&piece.as_slice()[..16 * BLOCK], 7);
}

fn end(
    host: &mut Host,
    owner: RegionOwner<Registered<Vec<u8>>>,
    tasks: Vec<hydrant_engine::Task<()>>,
) {
    for task in tasks {
        host.wait(task).expect("no error");
    }
    let task = host.engine().on_core(0, |_| async move { drop(owner.returned().await) });
    host.wait(task.expect("spawned")).expect("no error");
}

/// The kernel has the pages of a registration in the tables of the cores that used it, and nowhere
/// any more after its end, although those cores sleep.
#[test]
fn the_kernel_lets_go_of_what_is_no_longer_registered() {
    let mut host = Host::kernel(DriverChoice::Auto, config());
    let memory = host.engine().register_memory(vec![0u8; 4 * MIB + BLOCK]).expect("from outside");
    if let Some(why) = memory.registration().refused() {
        return not_tested(format_args!("memory of the caller that the kernel lets go of: {why}"));
    }
    let (owner, region) = RegionOwner::new(memory);
    let address = region.as_slice().as_ptr().addr();
    host.run(|core, place| async move { round_trip(&core, &place.path("file"), region).await });
    // The core's, and the one that it was taken from.
    wait_for_rings(address, 2);
    drop(owner);
    wait_for_rings(address, 0);
    host.finish();
}

fn wait_for_rings(address: usize, wanted: usize) {
    let begun = Instant::now();
    // A ring that is just being used tells nothing of its table.
    while rings_with(address) != wanted {
        let have = rings_with(address);
        assert!(begun.elapsed() < LIMIT, "{have} rings hold the memory, not {wanted}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The rings of this process with that memory in their tables.
fn rings_with(address: usize) -> usize {
    let rings = std::fs::read_dir("/proc/self/fdinfo").expect("proc is mounted");
    let told = rings.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    told.filter(|told| told.contains(&format!("{address:#x}/"))).count()
}

/// It has places of its own, which may be taken here.
#[test]
fn memory_that_another_engine_registered_is_used_all_the_same() {
    let other = Engine::builder().cores(1).pool_bytes(8 << 20).start().expect("started");
    let mut host = Host::kernel(DriverChoice::Auto, config());
    let lend = |engine: &Engine| {
        let memory = engine.register_memory(vec![0u8; 4 * MIB + BLOCK]).expect("from outside");
        RegionOwner::new(memory)
    };
    let (_ours, region) = lend(&host.engine());
    let (_theirs, foreign) = lend(&other);
    host.run(|core, place| async move {
        let (first, second) = (place.path("first"), place.path("second"));
        let (near, far) = (round_trip(&core, &first, region), round_trip(&core, &second, foreign));
        join(near, far).await
    });
    host.finish();
}

#[test]
fn what_cannot_be_registered_is_told() {
    let engine = Engine::builder().cores(1).pool_bytes(8 << 20).start().expect("started");
    let nothing = engine.register_memory(Vec::new()).expect("no error");
    assert_eq!(nothing.registration().refused(), Some("there is nothing to register"));
    assert_eq!(engine.metrics().fallbacks_unregistered_memory, 1);
    let task = engine.on_core(0, |core| async move {
        let refused = core.engine().register_memory(vec![0u8; BLOCK]);
        assert!(matches!(refused, Err(Error::WouldDeadlock)), "{refused:?}");
        let engine = core.engine();
        core.blocking(move || engine.register_memory(vec![0u8; BLOCK])).await
    });
    let registered = task.expect("spawned").wait().expect("no panic").expect("no panic");
    assert_eq!(registered.expect("off the core").into_inner(), vec![0u8; BLOCK]);
}
