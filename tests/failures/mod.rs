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

/// Head and body of the answer to a ranged GET.
fn ranged<'a>(seen: &Seen, data: &'a [u8], etag: &str) -> (String, &'a [u8]) {
    let (first, last) = seen.range().expect("a ranged GET");
    let body = &data[first..(last + 1).min(data.len())];
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Length: {}\r\n\
         Content-Range: bytes {first}-{}/{}\r\n\r\n",
        body.len(),
        first + body.len() - 1,
        data.len()
    );
    (head, body)
}

/// A good answer to a ranged GET.
fn whole(seen: &Seen, wire: &mut Wire, data: &[u8]) -> io::Result<()> {
    let (head, body) = ranged(seen, data, ETAG);
    wire.send(head.as_bytes())?;
    wire.send(body)
}
