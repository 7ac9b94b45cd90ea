//! When submissions are handed over and completions gathered is a matter of speed alone.

use std::time::Duration;

use hydrant_engine::{Core, File, OpenOptions, RecvMode};

use crate::host::{LIMIT, Place, check, config, filled, hosts, join, lease, memory};

const BLOCK: usize = 4096;
const LOOPS: usize = 40;

#[test]
fn every_batch_moves_the_same_bytes() {
    for (submit_batch, min_wait) in [(0, 0), (1, 0), (3, 500), (1000, 500)] {
        let mut config = config();
        config.ring.submit_batch = submit_batch;
        config.ring.submit_batch_files = submit_batch / 2;
        config.ring.submit_send_bytes = 2048 * submit_batch;
        config.ring.min_wait = Duration::from_micros(min_wait);
        config.ring.min_wait_completions = 8;
        config.ring.harvests_max = submit_batch.min(4);
        // A queue that is full before a large batch is.
        config.ring.submission_entries = 8;
        for mut host in hosts(&config) {
            let capabilities = host.engine().capabilities().clone();
            let mut features = capabilities.features.iter();
            let noted = features.any(|feature| feature.name == "minimum wait");
            assert_eq!(noted, capabilities.driver == "io_uring" && min_wait > 0);
            host.run(side_by_side);
            // From another thread, to a core that sleeps and lets completions gather.
            assert_eq!(host.run(|core, _| async move { core.index() }), 0);
            host.finish();
        }
    }
}

async fn side_by_side(core: Core, place: Place) {
    let options = OpenOptions::new().read().write().create().direct(true);
    let file = File::open(&core, &place.path("file"), &options).await.expect("made");
    let one = |at: usize| {
        let (core, file, place) = (core.clone(), file.clone(), place.clone());
        async move {
            let (near, far) = place.pair(&core).await;
            for round in 0..4 {
                let (offset, seed) = ((at * BLOCK) as u64, (at * 4 + round) as u64);
                let data = filled(&core, BLOCK, seed).await;
                file.write_at(&core, data, 0..BLOCK, offset).await.0.expect("written");
                let room = lease(&core, BLOCK).await;
                let (read, mut room) = file.read_at(&core, room, 0..BLOCK, offset).await;
                assert_eq!(read.expect("read"), BLOCK);
                check(&memory(&mut room)[..BLOCK], seed);
                let back = lease(&core, BLOCK).await;
                let sending = near.send(room, 0..BLOCK, false, LIMIT);
                let receiving = far.recv(back, 0..BLOCK, RecvMode::Fill, LIMIT);
                let ((sent, _), (received, mut back)) = join(sending, receiving).await;
                assert_eq!((sent.expect("sent"), received.expect("received")), (BLOCK, BLOCK));
                check(&memory(&mut back)[..BLOCK], seed);
            }
        }
    };
    let loops: Vec<_> = (0..LOOPS).map(|at| core.spawn(one(at)).expect("room")).collect();
    for task in loops {
        task.await.expect("no panic");
    }
}
