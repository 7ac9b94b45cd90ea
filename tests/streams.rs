//! Streams of pieces, and consumers of every pace.

use std::time::Duration;

use hydrant::{GetOptions, PutOptions};
use hydrant_tests::{PART, World, noise, wait_until};

const SCHEMES: [&str; 4] = ["s3", "file", "direct", "mem"];

#[test]
fn pieces_in_any_order_are_the_object() {
    let world = World::new();
    let hydrant = world.client();
    for (scheme, size) in SCHEMES.iter().flat_map(|at| [0, 1, PART, 7 * PART + 5].map(|n| (at, n)))
    {
        let data = noise(size as u64, size);
        let at = hydrant.locate(&world.uri(scheme, &format!("pieces-{size}"))).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        writer.write_wait(&data).expect("write");
        writer.finish_wait().expect("finish");
        let cut = size / 5..size;
        let range = (size > 1).then_some(cut.start as u64..cut.end as u64);
        let begins = range.as_ref().map_or(0, |range| range.start as usize);
        for (range, begins) in [(None, 0), (range, begins)] {
            let options = GetOptions { range, ..GetOptions::default() };
            let mut stream = at.store.get_pieces(&at.key, options).expect("a stream");
            let (mut got, mut bytes) = (vec![0; size], 0);
            while let Some(piece) = stream.next_wait() {
                let piece = piece.expect("a piece");
                let offset = piece.offset as usize;
                got[offset..offset + piece.bytes.len()].copy_from_slice(&piece.bytes);
                bytes += piece.bytes.len();
            }
            assert_eq!(bytes, size - begins, "{at}: each byte once");
            assert!(got[begins..] == data[begins..], "{at}");
        }
    }
}

/// The wait for memory is much shorter than the consumer's pace: it is he who is waited for, so
/// nothing fails, and no more than the pool is held.
#[test]
fn a_slow_consumer_stops_the_sockets_and_not_the_stream() {
    let world = World::new();
    let hydrant = world.client_with(|builder| {
        builder.pool_bytes(34 << 20).engine(|config| {
            config.pool.wait_limit = Duration::from_millis(20);
            config.pool.head_share_bytes = Some(2 << 20);
        })
    });
    let data = noise(1, 9 * PART + 1);
    std::fs::write(world.object("object"), &data).expect("an object");
    let at = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
    let mut stream = at.store.get(&at.key, GetOptions::default()).expect("a stream");
    let mut got = Vec::new();
    while let Some(piece) = stream.next_wait() {
        std::thread::sleep(Duration::from_millis(100));
        got.extend_from_slice(&piece.expect("a slow consumer is no error"));
    }
    assert!(got == data);
}

#[test]
fn a_consumer_who_stays_away_holds_less_and_less() {
    let world = World::new();
    let hydrant = world.client_with(|builder| builder.pool_bytes(256 << 20));
    let data = noise(1, 30 * PART);
    std::fs::write(world.file("object"), &data).expect("a file");
    let at = hydrant.locate(&world.uri("file", "object")).expect("a URI");
    let mut stream = at.store.get(&at.key, GetOptions::default()).expect("a stream");
    let lent = || hydrant.engine().pool().stats().lent_bytes;
    let mut ahead = Vec::new();
    for _ in 0..22 {
        drop(stream.next_wait().expect("not the end").expect("a piece"));
        // Until the workers have filled all places and rest, and each core has had its turn since.
        let mut before = usize::MAX;
        wait_until("the workers rest", || {
            for core in 0..hydrant.engine().cores() {
                let turn = hydrant.engine().on_core(core, |_| async {}).expect("room");
                turn.wait().expect("no panic");
            }
            std::thread::sleep(Duration::from_millis(80));
            std::mem::replace(&mut before, lent()) == lent()
        });
        ahead.push(lent() / PART);
    }
    assert!(ahead[0] > 4, "{ahead:?}: a stream begins by reading well ahead");
    assert!(ahead[21] <= 3, "{ahead:?}: a consumer who never waits needs little");
}
