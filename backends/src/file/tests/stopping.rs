//! The store of files in a simulated world, whose engine stops in the middle.

use std::sync::Arc;
use std::time::Duration;

use hydrant_engine::sim::{SimConfig, World, seeds};
use hydrant_engine::{Config, Simulation};

use super::super::{FileMode, FileStore};
use super::{lease_of, pattern};
use crate::object::PutOptions;
use crate::store::ObjectStore;

/// The kernel may create a file after the task that asked for it has ended, up to the last moment of
/// the core's clean-up.
#[test]
fn a_stop_at_any_time_leaves_no_temporary() {
    seeds(300, |seed| {
        let world = World::new(seed, SimConfig::choppy());
        let mut config = Config::default();
        config.pool.pool_bytes = 4 << 20;
        let mut simulation = Simulation::new(world.clone(), config).expect("an arena");
        let mode = if seed % 2 == 0 { FileMode::Buffered } else { FileMode::Direct };
        let task = simulation.engine().on_core(0, move |core| async move {
            let store = Arc::new(FileStore::at_root("/", mode));
            let (buf, span) = lease_of(&core, &pattern(10_000)).await;
            let options = PutOptions::default();
            store.put(&core, "object", buf, span, &options).await.0.expect("put");
        });
        let task = task.expect("a place");
        let moment = Duration::from_micros(world.random_u64() % 2_000);
        simulation.run_for(moment).expect("a simulated ring");
        simulation.stop_cores().expect("a simulated ring");
        drop(task);
        let left = world.paths();
        assert!(left.iter().all(|path| path == "/object"), "after {moment:?}: {left:?}");
        simulation.stop().expect("all is back");
    });
}
