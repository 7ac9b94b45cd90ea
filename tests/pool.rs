//! The pool's size is a hard limit, and nobody waits for ever (POOL-1, POOL-2).

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hydrant::engine::{Error as EngineError, PoolError};
use hydrant::s3::ChecksumPolicy;
use hydrant::{Bytes, CopyOptions, ErrorKind, GetOptions, Hydrant, copy};
use hydrant_tests::{BUCKET, PART, Peer, World, client_with, noise, read_all, wait_until};

/// Parts that the pool holds.
const PARTS: usize = 4;

#[test]
fn opposite_pipelines_share_a_pool_of_four_parts() {
    let world = World::new();
    let hydrant = small(&world, Duration::from_secs(30));
    let (up, down) = (noise(1, 64 << 20), noise(2, 64 << 20));
    std::fs::write(world.file("up"), &up).expect("a file");
    std::fs::write(world.object("down"), &down).expect("an object");
    let at = |scheme, name| hydrant.locate(&world.uri(scheme, name)).expect("a URI");
    let tasks = [
        copy(&at("s3", "down"), &at("direct", "down"), CopyOptions::default()),
        copy(&at("direct", "up"), &at("s3", "up"), CopyOptions::default()),
    ];
    for task in tasks {
        assert_eq!(task.wait().expect("both end").bytes, 64 << 20);
    }
    assert!(std::fs::read(world.file("down")).expect("a file") == down);
    assert!(std::fs::read(world.object("up")).expect("an object") == up);
    expect_full(&hydrant);
}

#[test]
fn many_streams_share_a_pool_of_four_parts() {
    let world = World::new();
    let hydrant = small(&world, Duration::from_secs(30));
    let data = noise(3, 5 * PART + 1);
    std::fs::write(world.object("object"), &data).expect("an object");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let at = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
                assert!(read_all(&at).expect("read") == data);
            });
        }
    });
    expect_full(&hydrant);
}

/// A part on its way to a file holds two pieces and not itself: six come at once where three would fit.
#[test]
fn parts_on_their_way_to_a_file_need_little_of_the_pool() {
    const AT_ONCE: usize = 6;
    let data = noise(7, (AT_ONCE + 1) * PART);
    let (served, asked) = (data.clone(), Arc::new((Mutex::new(0), Condvar::new())));
    let peer = Peer::start(move |seen, wire| {
        let (head, body) = seen.ranged(&served, "\"v1\"");
        if seen.range().expect("a ranged GET").0 > 0 {
            let (count, changed) = &*asked;
            let mut count = count.lock().expect("not poisoned");
            *count += 1;
            changed.notify_all();
            let all = Duration::from_secs(60);
            let waited = changed.wait_timeout_while(count, all, |count| *count < AT_ONCE);
            assert!(!waited.expect("not poisoned").1.timed_out(), "too few at once");
        }
        wire.send(head.as_bytes())?;
        wire.send(body)
    });
    let hydrant = client_with(&peer.url(), |builder| {
        builder
            .cores(2)
            .pool_bytes((PARTS * 8) << 20)
            .s3(|s3| s3.checksums.answers = Some(ChecksumPolicy::Off))
    });
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("copy");
    let at = hydrant.locate(&format!("s3://{BUCKET}/key")).expect("a URI");
    let to = hydrant.locate(&format!("direct://{}", target.display())).expect("a URI");
    copy(&at, &to, CopyOptions::default()).wait().expect("copied");
    assert!(std::fs::read(&target).expect("a file") == data);
    expect_full(&hydrant);
}

#[test]
fn a_wait_for_memory_that_the_caller_holds_names_the_holders() {
    let world = World::new();
    let hydrant = small(&world, Duration::from_millis(300));
    std::fs::write(world.object("object"), noise(4, 8 * PART)).expect("an object");
    let at = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
    let mut stream = at.store.get(&at.key, GetOptions::default()).expect("a stream");
    let mut held = Vec::new();
    let error = loop {
        match stream.next_wait().expect("the pool is smaller than the object") {
            Ok(piece) => held.push(piece),
            Err(error) => break error,
        }
    };
    assert!(held.len() <= PARTS, "{} pieces of a pool of {PARTS} parts", held.len());
    let ErrorKind::Engine(EngineError::Pool(PoolError::Exhausted { holders, .. })) = error.kind()
    else {
        panic!("not exhausted: {error}");
    };
    let (label, bytes) = holders.first().expect("somebody holds the memory");
    assert_eq!((*label, *bytes >= held.len() * PART), ("part", true), "{error}");
    drop((stream, held));
    expect_full(&hydrant);
    assert_eq!(read_all(&at).expect("works again").len(), 8 * PART);
}

#[test]
fn whole_objects_are_read_where_no_part_is_free() {
    let world = World::new();
    let hydrant = small(&world, Duration::from_millis(300));
    let sizes = [0, 4 << 10, 64 << 10, (64 << 10) + 1, 3 << 20];
    for size in sizes {
        std::fs::write(world.object(&size.to_string()), noise(5, size)).expect("an object");
    }
    let pool = hydrant.engine().pool();
    let parts = (1..PARTS).map(|_| pool.try_lease(PART, "held").expect("a part"));
    let held = (Vec::from_iter(parts), pool.try_lease(4 << 20, "held").expect("half of the last"));
    assert!(pool.try_lease(PART, "one more").is_none());
    for size in sizes {
        let at = hydrant.locate(&world.uri("s3", &size.to_string())).expect("a URI");
        let (bytes, meta) = at.store.get_whole(&at.key).wait().expect("read");
        assert_eq!(meta.size_bytes, size as u64);
        assert!(bytes == noise(5, size), "{size} bytes");
    }
    drop(held);
    expect_full(&hydrant);
}

/// They lie side by side, and not each at the front of memory for a part.
#[test]
fn small_objects_that_are_kept_leave_room_for_parts() {
    let world = World::new();
    let hydrant = small(&world, Duration::from_secs(30));
    for scheme in ["s3", "file", "direct", "mem"] {
        let mut kept = Vec::new();
        for number in 0..32 {
            let data = noise(number, 5_000);
            let at = hydrant.locate(&world.uri(scheme, &number.to_string())).expect("a URI");
            at.store.put(&at.key, data.clone().into()).wait().expect("put");
            let (whole, _) = at.store.get_whole(&at.key).wait().expect("read");
            let mut stream = at.store.get(&at.key, GetOptions::default()).expect("a stream");
            let piece = stream.next_wait().expect("a piece").expect("read");
            assert!(whole == data && piece == data, "{scheme} {number}");
            kept.extend([whole, piece]);
        }
        let pool = hydrant.engine().pool();
        let parts: Vec<_> = std::iter::from_fn(|| pool.try_lease(PART, "a part")).collect();
        assert!(parts.len() >= PARTS - 1, "{scheme}: room for {} parts", parts.len());
    }
    expect_full(&hydrant);
}

#[test]
fn what_cannot_fit_is_refused_at_once() {
    let world = World::new();
    let hydrant = small(&world, Duration::from_secs(30));
    let at = hydrant.locate(&world.uri("mem", "object")).expect("a URI");
    at.store.put(&at.key, Bytes::from_static(b"small")).wait().expect("put");
    let total = hydrant.engine().pool().stats().total_bytes as u64;
    let error = at.store.get_range(&at.key, 0..total + 1).wait().expect_err("does not fit");
    let kind = error.kind();
    assert!(
        matches!(kind, ErrorKind::Engine(EngineError::Pool(PoolError::TooLarge { .. }))),
        "{error}"
    );
    drop(at);
    expect_full(&hydrant);
}

/// A client whose pool holds four parts.
fn small(world: &World, wait_limit: Duration) -> Hydrant {
    // A part of 5 MiB lies at a multiple of 8 MiB.
    let hydrant = world.client_with(|builder| {
        builder.pool_bytes(PARTS * (8 << 20) + (2 << 20)).engine(|config| {
            config.pool.wait_limit = wait_limit;
            config.pool.head_share_bytes = Some(2 << 20);
        })
    });
    assert_eq!(hydrant.engine().pool().capacity_for(PART), PARTS);
    hydrant
}

/// All is given back but what idle connections hold for heads.
fn expect_full(hydrant: &Hydrant) {
    let pool = hydrant.engine().pool();
    wait_until("all parts are given back", || {
        pool.capacity_for(PART) == PARTS && {
            let stats = pool.stats();
            assert_eq!(stats.free_bytes + stats.lent_bytes, stats.total_bytes);
            stats.lent_bytes < PART && stats.waiting_tickets == 0
        }
    });
}
