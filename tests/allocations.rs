//! What a request to S3 asks the heap for once everything is warm, counted on the core that makes it.
//!
//! Nothing. Who says more of an object than its bytes, or is told more, pays for those strings.

#[path = "../engine/tests/counting/mod.rs"]
mod counting;

use counting::allocations;
use hydrant::engine::{Buf, Core};
use hydrant::{Hydrant, Location, PutOptions};
use hydrant_tests::World;

const WARM_UP: usize = 50;
const MEASURED: u64 = 200;
const SIZE: usize = 64 << 10;

/// What one round asks for, on average.
async fn count(mut buf: Buf, mut round: impl AsyncFnMut(Buf) -> Buf) -> f64 {
    for _ in 0..WARM_UP {
        buf = round(buf).await;
    }
    let before = allocations();
    for _ in 0..MEASURED {
        buf = round(buf).await;
    }
    (allocations() - before) as f64 / MEASURED as f64
}

async fn buffer(core: &Core) -> Buf {
    core.head_lease(SIZE, "test").await.expect("memory").into()
}

fn object(hydrant: &Hydrant, world: &World) -> Location {
    hydrant.locate(&world.uri("s3", "object")).expect("a URI")
}

fn client(world: &World) -> Hydrant {
    // Retired connections are made anew, which is no part of a request.
    world.client_with(|builder| builder.cores(1))
}

#[test]
fn a_range_of_an_object() {
    let world = World::new();
    std::fs::write(world.object("object"), vec![7; 2 * SIZE]).expect("an object");
    let hydrant = client(&world);
    let at = object(&hydrant, &world);
    let counted = hydrant.engine().on_core(0, move |core| async move {
        let reader = at.store.inner().reader(&at.key);
        count(buffer(&core).await, async |buf| {
            let read = reader.read(&core, 0, buf, 0..SIZE).await;
            assert_eq!(read.result.expect("read").len_bytes, SIZE);
            read.buf
        })
        .await
    });
    let counted = counted.expect("spawned").wait().expect("no panic");
    assert_eq!(counted, 0.0, "allocations a GET");
}

#[test]
fn an_object_of_one_part() {
    let world = World::new();
    let hydrant = client(&world);
    let at = object(&hydrant, &world);
    let counted = hydrant.engine().on_core(0, move |core| async move {
        let (store, options) = (at.store.inner(), PutOptions::default());
        count(buffer(&core).await, async |buf| {
            let (put, buf) = store.put(&core, &at.key, buf, 0..SIZE, &options).await;
            put.expect("put");
            buf
        })
        .await
    });
    let counted = counted.expect("spawned").wait().expect("no panic");
    assert_eq!(counted, 0.0, "allocations a PUT");
}
