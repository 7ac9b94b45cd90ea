//! Small questions stay small: one connection for a listing, no HEAD before a GET.

use std::process::Stdio;

use hydrant::Bytes;
use hydrant_tests::{BUCKET, PART, World, noise, program, read_all};

#[test]
fn a_listing_of_several_pages_opens_one_connection() {
    let world = World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.limits.list_keys_max = 3;
    });
    for number in 0..10 {
        std::fs::write(world.object(&format!("object-{number}")), b"x").expect("an object");
    }
    let list = program(&world, &["ls", &format!("s3://{BUCKET}/")])
        .stderr(Stdio::piped())
        .output()
        .expect("the program");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let text = String::from_utf8(list.stdout).expect("text");
    assert_eq!(text.lines().count(), 10, "{text}");
    let stats = world.server().stats();
    assert_eq!((stats.connections_accepted, stats.requests()), (1, 4), "{stats:?}");
}

#[test]
fn no_head_goes_ahead_of_a_get() {
    let world = World::new();
    let hydrant = world.client();
    for size in [1, 3 * PART + 1] {
        let data = noise(1, size);
        std::fs::write(world.object("object"), &data).expect("an object");
        let before = world.server().stats();
        let at = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
        assert!(read_all(&at).expect("read") == data);
        let after = world.server().stats();
        assert_eq!((after.get - before.get, after.requests() - before.requests()), {
            let parts = size.div_ceil(PART) as u64;
            // Ranges are told no checksum: it is asked for once all of them are there.
            (parts, parts + u64::from(parts > 1))
        });
    }
}

#[test]
fn a_small_object_is_written_with_one_request_over_a_connection_that_is_kept() {
    let world = World::new();
    let hydrant = world.client_with(|builder| builder.cores(1));
    let at = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
    for _ in 0..5 {
        at.store.put(&at.key, Bytes::from_static(b"small")).wait().expect("put");
        assert_eq!(read_all(&at).expect("read"), b"small");
    }
    let stats = world.server().stats();
    assert_eq!((stats.put, stats.get, stats.requests()), (5, 5, 10), "{stats:?}");
    assert_eq!(stats.connections_accepted, 1, "{stats:?}");
}
