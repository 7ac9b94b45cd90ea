//! A name with many addresses, and connections that have served enough.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use hydrant::{Hydrant, Store};
use hydrant_tests::{BUCKET, Peer, Seen, Wire, client_with, wait_until};

/// What the name has for addresses; one test asks.
static NAMED: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());

const FINE: &[u8] =
    b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/4\r\nContent-Length: 4\r\n\r\nfine";

fn fine(_: &Seen, wire: &mut Wire) -> std::io::Result<()> {
    wire.send(FINE)
}

fn look_up(name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    assert_eq!(name, "many.test");
    let mut found = NAMED.lock().expect("no panic").clone();
    found.iter_mut().for_each(|address| address.set_port(port));
    Ok(found)
}

/// A client of the name; each connection serves a few requests, so that there are many.
fn client_of(port: u16, requests_per_connection: u32) -> (Hydrant, Store) {
    let hydrant = client_with(&format!("http://many.test:{port}"), |builder| {
        builder.cores(1).engine(|engine| engine.look_up = look_up).s3(|s3| {
            s3.http.requests_per_connection_max = Some(requests_per_connection);
            s3.http.addresses.age_max = Duration::from_millis(1);
        })
    });
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    (hydrant, store)
}

fn read(store: &Store) {
    assert_eq!(store.get_range("key", 0..4).wait().expect("read")[..], *b"fine");
}

#[test]
fn a_name_with_many_addresses_is_spread_over_all_and_asked_again() {
    let first = Peer::start(fine);
    let port = first.addr().port();
    let at = |host: u8| SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), port));
    let mut peers = vec![first];
    peers.extend((2..=4).map(|host| Peer::start_at(at(host), fine)));
    *NAMED.lock().expect("no panic") = (1..=3).map(at).collect();
    let (_hydrant, store) = client_of(port, 2);
    (0..24).for_each(|_| read(&store));
    let connections: Vec<_> = peers.iter().map(Peer::connections).collect();
    assert_eq!(connections, [4, 4, 4, 0], "each its share, and no other");
    let served: Vec<_> = peers.iter().map(|peer| peer.seen().len()).collect();
    assert_eq!(served, [8, 8, 8, 0]);
    // By the name, whatever its address.
    let host = format!("many.test:{port}");
    assert!(peers.iter().flat_map(Peer::seen).all(|seen| seen.header("host") == Some(&host)));

    // The name leaves two machines and takes a new one.
    *NAMED.lock().expect("no panic") = vec![at(3), at(4)];
    wait_until("the new address is asked", || {
        read(&store);
        peers[3].connections() > 0
    });
    let left = [0, 1].map(|index| peers[index].connections());
    (0..8).for_each(|_| read(&store));
    assert_eq!([0, 1].map(|index| peers[index].connections()), left, "who has left is left alone");
}

#[test]
fn a_connection_that_has_served_enough_is_retired() {
    let peer = Peer::start(fine);
    let hydrant = client_with(&peer.url(), |builder| {
        builder.cores(1).s3(|s3| s3.http.requests_per_connection_max = Some(100))
    });
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    (0..250).for_each(|_| read(&store));
    let seen = peer.seen();
    let of = |connection| seen.iter().filter(|seen| seen.connection == connection).count();
    assert_eq!([0, 1, 2].map(of), [100, 100, 50]);
    assert_eq!(peer.connections(), 3);
}
