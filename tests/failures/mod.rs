//! Servers that misbehave: what can be mended is mended, what cannot is an error, and a mixture of
//! two versions or a short object is never reported as success (DATA-2).

mod answers;
mod bodies;
mod connections;
mod writes;

use std::io;

use hydrant::{Hydrant, Location};
use hydrant_tests::{BUCKET, Peer, Seen, Wire, client};

const ETAG: &str = "\"version-1\"";

/// An object on a peer, and the client that asks for it.
fn object(peer: &Peer) -> (Hydrant, Location) {
    let hydrant = client(&peer.url());
    let at = locate(&hydrant);
    (hydrant, at)
}

fn locate(hydrant: &Hydrant) -> Location {
    hydrant.locate(&format!("s3://{BUCKET}/object")).expect("a URI")
}

/// A good answer to a ranged GET.
fn whole(seen: &Seen, wire: &mut Wire, data: &[u8]) -> io::Result<()> {
    let (head, body) = seen.ranged(data, ETAG);
    wire.send(head.as_bytes())?;
    wire.send(body)
}
