//! Files that cores install in their rings: they are used through the ring, and the last handle
//! closes them there too, wherever it is dropped.

use std::path::Path;
use std::time::{Duration, Instant};

use hydrant_engine::testing::not_tested;
use hydrant_engine::{Core, DriverChoice, File, OpenOptions, Task};

use crate::host::{Host, LIMIT, check, config, filled, hosts, lease, memory};

const BLOCK: usize = 4096;
/// More than it takes until a file is installed.
const READS: u64 = 100;

#[test]
fn many_reads_and_writes_of_several_files_on_two_cores() {
    let mut config = config();
    config.cores = 2;
    // Fewer places than files: some never get one.
    config.ring.installed_files_max = 2;
    for mut host in hosts(&config) {
        let place = host.place();
        let tasks: Vec<_> = (0..2)
            .flat_map(|core| (0..3).map(move |name| (core, name)))
            .map(|(on, name)| {
                let path = place.path(&format!("{on}-{name}"));
                let spawned =
                    host.engine().on_core(on, move |core| async move { busy(&core, &path).await });
                spawned.expect("spawned")
            })
            .collect();
        for task in tasks {
            host.wait(task).expect("no error");
        }
        host.finish();
    }
}

async fn busy(core: &Core, path: &Path) {
    let options = OpenOptions::new().read().write().create().direct(true);
    for round in 0..3 {
        let file = File::open(core, path, &options).await.expect("made");
        for block in 0..READS {
            let (at, seed) = (block % 8 * BLOCK as u64, round * READS + block);
            let data = filled(core, BLOCK, seed).await;
            file.write_at(core, data, 0..BLOCK, at).await.0.expect("written");
            let room = lease(core, BLOCK).await;
            let (read, mut room) = file.read_at(core, room, 0..BLOCK, at).await;
            assert_eq!(read.expect("read"), BLOCK);
            check(&memory(&mut room)[..BLOCK], seed);
        }
    }
}

/// A file that is gone from its directory keeps its blocks until the last ring has let go of it.
#[test]
fn the_last_handle_closes_it_in_every_ring() {
    let mut config = config();
    config.cores = 2;
    let mut host = Host::kernel(DriverChoice::Auto, config);
    if !host.engine().capabilities().has("installed files") {
        return not_tested("files that the ring has installed, which it refuses here");
    }
    let path = host.place().path("file");
    let file = host.run({
        let path = path.clone();
        |core, _| async move {
            let options = OpenOptions::new().read().write().create().direct(true);
            let file = File::open(&core, &path, &options).await.expect("made");
            let data = filled(&core, 1 << 20, 1).await;
            file.write_at(&core, data, 0..1 << 20, 0).await.0.expect("written");
            file
        }
    });
    let reading: Vec<Task<()>> = (0..2)
        .map(|on| {
            let file = file.clone();
            let task = host.engine().on_core(on, |core| async move {
                for block in 0..READS {
                    let room = lease(&core, BLOCK).await;
                    let at = block * BLOCK as u64;
                    file.read_at(&core, room, 0..BLOCK, at).await.0.expect("read");
                }
            });
            task.expect("spawned")
        })
        .collect();
    for task in reading {
        host.wait(task).expect("no error");
    }
    std::fs::remove_file(&path).expect("removed");
    wait_for_rings(&path, 2);
    // Both cores sleep, and are roused.
    drop(file);
    wait_for_rings(&path, 0);
    host.finish();
}

fn wait_for_rings(path: &Path, wanted: usize) {
    let begun = Instant::now();
    // A ring that is just being used tells nothing of its table.
    while rings_with(path) != wanted {
        assert!(begun.elapsed() < LIMIT, "{} rings hold the file, not {wanted}", rings_with(path));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The rings of this process in whose tables a file of that directory is.
fn rings_with(path: &Path) -> usize {
    let dir = path.parent().and_then(Path::to_str).expect("plain");
    let rings = std::fs::read_dir("/proc/self/fdinfo").expect("proc is mounted");
    let told = rings.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    let holds = |told: &String| {
        let files = told.lines().skip_while(|line| !line.starts_with("UserFiles"));
        files.take_while(|line| !line.starts_with("UserBufs")).any(|line| line.contains(dir))
    };
    told.filter(holds).count()
}
