//! Objects whose checksum is made of those of their parts.

use hydrant::Class;
use hydrant::s3::GetObject;
use hydrant_tests::{BUCKET, Peer, Seen, Wire, client, read_all};

/// `part` in standard base64, by CRC32 as anybody computes it.
const CRC32_OF_PART: &str = "SQ9wxg==";

/// The object is twice `part`.
fn serve(seen: &Seen, wire: &mut Wire, part: &[u8; 4]) -> std::io::Result<()> {
    let (range, sum, body) = match seen.target.contains("partNumber=2") {
        true => ("4-7/8", CRC32_OF_PART.to_owned(), part.to_vec()),
        // Of both parts, so it is nothing that the bytes could be held against.
        false => ("0-7/8", "AAAAAA==-2".to_owned(), [*part, *part].concat()),
    };
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: \"e-2\"\r\nContent-Range: bytes {range}\r\n\
         x-amz-checksum-crc32: {sum}\r\nx-amz-checksum-type: COMPOSITE\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    wire.send(head.as_bytes())?;
    wire.send(&body)
}

#[test]
fn a_composite_checksum_is_not_held_against_the_bytes() {
    let peer = Peer::start(|seen, wire| serve(seen, wire, b"part"));
    let hydrant = client(&peer.url());
    let at = hydrant.locate(&format!("s3://{BUCKET}/key")).expect("a URI");
    assert_eq!(read_all(&at).expect("whole"), b"partpart");
}

#[test]
fn that_of_a_part_is() {
    for (part, is_right) in [(b"part", true), (b"pbrt", false)] {
        let peer = Peer::start(move |seen, wire| serve(seen, wire, part));
        let client = client(&peer.url());
        let bucket = client.s3(BUCKET).expect("a bucket");
        let mut get = GetObject::new("key");
        get.part_number = Some(2);
        match bucket.get_object(get, 100).wait() {
            Ok((_, bytes)) => assert!(is_right && bytes == part[..]),
            Err(error) => {
                assert!(!is_right, "{error}");
                assert_eq!(error.class(), Class::Integrity, "{error}");
            }
        }
        // A wrong one is asked for once more.
        assert_eq!(peer.seen().len(), if is_right { 1 } else { 2 });
    }
}
