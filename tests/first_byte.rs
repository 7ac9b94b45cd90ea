//! The wait for the answer to a part: as long as the answers before it say, once, and as any wait
//! otherwise.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hydrant::s3::*;
use hydrant::{Bytes, Hydrant};
use hydrant_tests::{BUCKET, Peer, Seen, Wire, client_with};

/// Longer than the test may take.
const FOR_EVER: Duration = Duration::from_secs(600);

const STORED: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n";

/// A client of one core that learns from four answers.
fn learning(peer: &Peer, above_mean: Duration) -> (Hydrant, S3Client) {
    let hydrant = client_with(&peer.url(), |builder| {
        builder.cores(1).s3(|s3| {
            s3.http.connections_per_core_max = 2;
            s3.http.stall = FOR_EVER;
            s3.first_byte.learnt_from = 4;
            s3.first_byte.least = Duration::from_millis(1);
            s3.first_byte.above_mean = above_mean;
            s3.first_byte.most = FOR_EVER;
        })
    });
    let client = hydrant.s3(BUCKET).expect("a bucket");
    (hydrant, client)
}

fn write_part(client: &S3Client, number: u32) {
    let part = UploadPart::new("key", "U", number, Bytes::from_static(b"part"));
    client.send(part).wait().expect("stored");
}

fn asked_for(peer: &Peer, number: u32) -> Vec<Seen> {
    let wanted = format!("partNumber={number}&");
    peer.seen().into_iter().filter(|seen| seen.target.contains(&wanted)).collect()
}

#[test]
fn a_part_that_is_never_answered_is_written_again_over_another_connection() {
    let tries = AtomicUsize::new(0);
    let peer = Peer::start(move |seen: &Seen, wire: &mut Wire| {
        wire.receive_body()?;
        if seen.target.contains("partNumber=12&") {
            match tries.fetch_add(1, SeqCst) {
                // Until the client goes away.
                0 => return wire.receive_rest().map(drop),
                // Much later than those before: it is waited for all the same.
                _ => std::thread::sleep(Duration::from_millis(500)),
            }
        }
        wire.send(STORED)
    });
    let (_hydrant, client) = learning(&peer, Duration::from_millis(100));
    (1..=13).for_each(|number| write_part(&client, number));
    let tries = asked_for(&peer, 12);
    assert_eq!(tries.len(), 2, "{tries:?}");
    assert_ne!(tries[0].connection, tries[1].connection);
}

/// What is no part is waited for as ever, and so is what would do harm when it is asked again.
#[test]
fn only_parts_are_given_up_early() {
    let peer = Peer::start(move |seen: &Seen, wire: &mut Wire| {
        wire.receive_body()?;
        if !seen.target.contains("partNumber=") {
            std::thread::sleep(Duration::from_millis(300));
        }
        wire.send(STORED)
    });
    let (_hydrant, client) = learning(&peer, Duration::from_millis(20));
    (1..=10).for_each(|number| write_part(&client, number));
    let before = peer.seen().len();
    client.send(PutObject::new("key", &b"object"[..])).wait().expect("stored");
    client.send(DeleteObject::new("key")).wait().expect("deleted");
    assert_eq!(peer.seen().len(), before + 2);
}

/// The wait begins when the part is out, and not when the socket has taken it.
#[test]
fn a_part_that_is_on_its_way_for_long_is_not_late() {
    let slow = Duration::from_secs(4);
    let peer = Peer::start(move |seen: &Seen, wire: &mut Wire| {
        if seen.target.contains("partNumber=9&") {
            // Less than all of it finds room at this end meanwhile.
            std::thread::sleep(slow);
        }
        wire.receive_body()?;
        wire.send(STORED)
    });
    let (_hydrant, client) = learning(&peer, slow / 2);
    (1..=8).for_each(|number| write_part(&client, number));
    let part = UploadPart::new("key", "U", 9, Bytes::from(vec![7; 1 << 20]));
    client.send(part).wait().expect("stored");
    assert_eq!(asked_for(&peer, 9).len(), 1, "it was asked for again");
}

#[test]
fn a_slow_and_steady_server_is_never_given_up() {
    let peer = Peer::start(move |_: &Seen, wire: &mut Wire| {
        wire.receive_body()?;
        std::thread::sleep(Duration::from_millis(50));
        wire.send(STORED)
    });
    // Whatever this machine does meanwhile, answers vary by less than a minute.
    let (_hydrant, client) = learning(&peer, Duration::from_secs(60));
    (1..=20).for_each(|number| write_part(&client, number));
    assert_eq!(peer.seen().len(), 20);
}
