//! An engine that is stopped in the midst of its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hydrant_engine::sim::Faults;
use hydrant_engine::{
    Core, Error, File, OpenOptions, RecvMode, Simulation, Task, TcpStream, remove_file,
};

use super::connections::black_hole;
use crate::host::{LIMIT, Place, filled, lease};

const BYTES: usize = 12 << 10;

/// Puts work in flight on each core, and stops in the midst of it (OWN-2): all is drained and comes
/// back, whoever waits hears of it, and what tidies up gets its time.
pub(super) fn stop_in_the_midst(mut simulation: Simulation, seed: u64) {
    // No stalls, which last longer than a drain may; but all that the engine absorbs.
    simulation.world().set_faults(Faults::transient());
    let (engine, counts) = (simulation.engine(), Arc::new(Counts::default()));
    let place = Place { dir: "/".into(), world: Some(simulation.world().clone()) };
    let tasks: Vec<Task<()>> = (0..engine.cores())
        .map(|index| {
            let (place, counts) = (place.clone(), Arc::clone(&counts));
            let spawned = engine.on_core(index, move |core| in_flight(core, place, counts));
            spawned.expect("room")
        })
        .collect();
    let moment = Duration::from_micros(seed.wrapping_mul(0x9e37_79b9) % 3000);
    simulation.run_for(moment).expect("a simulated ring");
    simulation.stop_cores().expect("a simulated ring");
    for task in tasks {
        let ended = simulation.run(task);
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    }
    let (begun, tidied) = (counts.begun.load(Relaxed), counts.tidied.load(Relaxed));
    assert_eq!(tidied, begun, "each that had begun has tidied up");
    drop((engine, place));
    simulation.stop().expect("a simulated ring");
}

#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    tidied: AtomicUsize,
}

/// A file that is read for ever, a receive and a connect that nobody answers, and tidying up.
async fn in_flight(core: Core, place: Place, counts: Arc<Counts>) {
    let _tidy = Tidy::new(&core, &place, counts);
    let connecting = core.clone();
    let connect = async move {
        drop(TcpStream::connect(&connecting, black_hole(), LIMIT).await);
    };
    core.spawn(connect).expect("room").detach();
    let options = OpenOptions::new().read().write().create().direct(true);
    let file = File::open(&core, &place.path("midst"), &options).await.expect("made");
    let reading = core.clone();
    let read = async move {
        let data = filled(&reading, BYTES, 1).await;
        let (written, mut buf) = file.write_at(&reading, data, 0..BYTES, 0).await;
        written.expect("written");
        loop {
            buf = file.read_at(&reading, buf, 0..BYTES, 0).await.1;
        }
    };
    core.spawn(read).expect("room").detach();
    let (_near, far) = place.pair(&core).await;
    let room = lease(&core, BYTES).await;
    drop(far.recv(room, 0..BYTES, RecvMode::Fill, LIMIT).await);
    unreachable!("nobody sends");
}

/// Starts a clean-up when it is dropped.
struct Tidy {
    core: Core,
    place: Place,
    counts: Arc<Counts>,
}

impl Tidy {
    fn new(core: &Core, place: &Place, counts: Arc<Counts>) -> Tidy {
        counts.begun.fetch_add(1, Relaxed);
        Tidy { core: core.clone(), place: place.clone(), counts }
    }
}

impl Drop for Tidy {
    fn drop(&mut self) {
        let (core, path) = (self.core.clone(), self.place.path("midst"));
        let counts = Arc::clone(&self.counts);
        let tidy = async move {
            // Another core may have been first, or this one not so far.
            drop(remove_file(&core, None, &path).await);
            counts.tidied.fetch_add(1, Relaxed);
        };
        // A test that fails drops this after its core has ended.
        let _ = self.core.spawn_cleanup(tidy);
    }
}
