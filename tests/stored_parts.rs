//! Reads keep to the parts that an object was stored in, without a request that asks for them.

use std::collections::BTreeSet;

use hydrant::{Bytes, CopyOptions, GetOptions, Hydrant, Location, TransferLimits, copy};
use hydrant_tests::{BUCKET, Peer, World, noise};

const KIB: usize = 1 << 10;
const SIZE: usize = 7168 * KIB + 5;

/// What is asked for, by first and last byte, of an object with this tag by requests of 2 MiB.
fn asked(tag: &'static str, read: impl Fn(&World, &Hydrant, Location)) -> BTreeSet<(usize, usize)> {
    let data = noise(7, SIZE);
    let peer = Peer::start(move |seen, wire| {
        if seen.method == "HEAD" {
            // For the checksum of the whole, which a range does not tell: there is none.
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nETag: \"{tag}\"\r\n\r\n");
            return wire.send(head.as_bytes());
        }
        let (head, body) = seen.ranged(&data, &format!("\"{tag}\""));
        wire.send(head.as_bytes())?;
        wire.send(body)
    });
    let world = World::new();
    let limits = TransferLimits::default().with(Some(2 << 20), None);
    let hydrant = world.client_with(|builder| builder.transfer(limits));
    let uri = Hydrant::uri(&format!("s3://{BUCKET}/object")).expect("a URI");
    let at = hydrant.open_with(uri, |s3| s3.endpoint.url = Some(peer.url())).expect("a store");
    read(&world, &hydrant, at);
    peer.seen().iter().filter_map(|seen| seen.range()).collect()
}

fn by_stream(_: &World, _: &Hydrant, at: Location) {
    let mut stream = at.store.get(&at.key, GetOptions::default()).expect("a stream");
    let pieces: Vec<Bytes> =
        std::iter::from_fn(|| stream.next_wait()).map(|piece| piece.expect("a piece")).collect();
    assert!(pieces.concat() == noise(7, SIZE));
}

#[test]
fn a_stream_keeps_to_them() {
    // 3 MiB is the only length of whole MiB of which three make 7.
    let told = asked("9b2cf535f27731c974343645a3985328-3", by_stream);
    assert_eq!(told, with_end(&[2048, 3072, 4608, 6144]));
}

#[test]
fn where_nothing_is_told_parts_are_even() {
    for tag in
        ["9b2cf535f27731c974343645a3985328", "9b2cf535f27731c974343645a3985328-1", "any-7000"]
    {
        assert_eq!(asked(tag, by_stream), with_end(&[2048, 4096, 6144]), "{tag}");
    }
}

#[test]
fn memory_and_files_are_filled_by_them() {
    let tag = "9b2cf535f27731c974343645a3985328-3";
    let told = asked(tag, |_, _, at| {
        let mut memory = vec![0; SIZE];
        assert_eq!(at.store.get_into(&at.key, 0, &mut memory).expect("read"), SIZE);
        assert!(memory == noise(7, SIZE));
    });
    assert_eq!(told, with_end(&[2048, 3072, 4608, 6144]));
    for scheme in ["file", "direct"] {
        let told = asked(tag, |world, hydrant, at| {
            let to = hydrant.locate(&world.uri(scheme, "copy")).expect("a URI");
            let report = copy(&at, &to, CopyOptions::default()).wait().expect("copied");
            assert_eq!((report.bytes, report.parts), (SIZE as u64, 5));
            assert!(std::fs::read(world.file("copy")).expect("a file") == noise(7, SIZE));
        });
        assert_eq!(told, with_end(&[2048, 3072, 4608, 6144]), "{scheme}");
    }
}

/// S3 takes no part that is smaller than the others but the last.
#[test]
fn copies_to_s3_have_even_parts() {
    let told = asked("9b2cf535f27731c974343645a3985328-3", |world, hydrant, at| {
        let to = hydrant.locate(&world.uri("s3", "copy")).expect("a URI");
        copy(&at, &to, CopyOptions::default()).wait().expect("copied");
        assert!(std::fs::read(world.object("copy")).expect("an object") == noise(7, SIZE));
    });
    assert_eq!(told, with_end(&[5120]));
}

/// Requests that end at so many KiB, and the last with the object.
fn with_end(ends: &[usize]) -> BTreeSet<(usize, usize)> {
    let ends = [&[0], ends].concat().into_iter().map(|end| end * KIB).chain([SIZE]);
    let ends: Vec<_> = ends.collect();
    ends.windows(2).map(|pair| (pair[0], pair[1] - 1)).collect()
}
