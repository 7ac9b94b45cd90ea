//! An arena of pages that the administrator has set aside: `sysctl vm.nr_hugepages=64` before the run
//! makes this test do something.

use std::time::Duration;

use hydrant_engine::testing::not_tested;
use hydrant_engine::{ArenaBacking, Core, DriverChoice, File, OpenOptions};

use crate::host::{Host, Place, check, config, drivers, filled, lease, memory};

const MIB: usize = 1 << 20;
const PAGE: usize = 2 * MIB;
const POOL: usize = 24 * MIB;

#[test]
#[expect(clippy::print_stderr, reason = "whoever looks wants to know what was tested")]
fn files_are_written_and_read_from_huge_pages() {
    for driver in drivers() {
        let Some(mut host) = with_huge_pages(*driver) else {
            let free = free_pages();
            return not_tested(format_args!("huge pages, of which {free} are free"));
        };
        let engine = host.engine();
        assert_eq!(engine.pool().arena().refusals(), [""; 0]);
        let before = engine.metrics();
        host.run(|core, place| async move { round_trip(&core, &place).await });
        let counted = engine.metrics().since(&before);
        let bytes = 6 * MIB as u64;
        assert_eq!(counted.file_bytes_registered + counted.file_bytes_unregistered, bytes);
        if engine.capabilities().buffers_registered() {
            assert_eq!(counted.file_bytes_registered, bytes);
        }
        drop(engine);
        host.finish();
        eprintln!("{driver:?}: an arena of {} huge pages", POOL / PAGE);
    }
}

/// Other tests take pages and give them back at the same time, so one refusal says nothing.
fn with_huge_pages(driver: DriverChoice) -> Option<Host> {
    for _ in 0..1000 {
        if free_pages() * PAGE < POOL {
            return None;
        }
        let mut config = config();
        config.pool.pool_bytes = POOL;
        let host = Host::kernel(driver, config);
        if host.engine().capabilities().arena == ArenaBacking::HugeTlb {
            return Some(host);
        }
        host.finish();
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("pages are free, and the arena never gets them");
}

async fn round_trip(core: &Core, place: &Place) {
    let options = OpenOptions::new().read().write().create().direct(true);
    let file = File::open(core, &place.path("file"), &options).await.expect("made");
    // Across the border of two pages.
    let data = filled(core, 3 * MIB, 5).await;
    file.write_at(core, data, 0..3 * MIB, 0).await.0.expect("written");
    let room = lease(core, 3 * MIB).await;
    let (read, mut room) = file.read_at(core, room, 0..3 * MIB, 0).await;
    assert_eq!(read.expect("read"), 3 * MIB);
    check(&memory(&mut room)[..3 * MIB], 5);
}

/// Free, and not promised to somebody.
fn free_pages() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").expect("proc is mounted");
    let number = |name: &str| -> usize {
        let line = text.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        // A kernel without them has no such line.
        number.map_or(0, |number| number.parse().expect("a number"))
    };
    number("HugePages_Free:").saturating_sub(number("HugePages_Rsvd:"))
}
