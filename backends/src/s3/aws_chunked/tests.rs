//! The published examples, byte by byte, and what holds of any body.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::s3::credentials::Credentials;
use crate::s3::sign::{Scope, SigningKeyCache, SigningRequest, sign};
use crate::s3::time::{SigningTime, Timestamp};

/// The signer of the examples: its head has these headers besides its own.
fn example(payload: PayloadHash, seed: &str, own: &[(&str, &[u8])]) -> ChunkSigner {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).unwrap();
    let time = SigningTime::new(Timestamp::parse_iso8601("2013-05-24T00:00:00Z").unwrap());
    let common: [(&str, &[u8]); 6] = [
        ("content-encoding", b"aws-chunked"),
        ("host", b"s3.amazonaws.com"),
        ("x-amz-content-sha256", payload.as_bytes()),
        ("x-amz-date", time.date_time()),
        ("x-amz-decoded-content-length", b"66560"),
        ("x-amz-storage-class", b"REDUCED_REDUNDANCY"),
    ];
    let headers = [&common, own].concat();
    let path = b"/examplebucket/chunkObject.txt";
    let request = SigningRequest { method: "PUT", path, query: &[], headers: &headers, payload };
    let mut keys = SigningKeyCache::new();
    let scope = Scope { time, region: "us-east-1", service: "s3" };
    let signed = sign(&request, scope, &credentials, &mut keys).unwrap();
    assert_eq!(signed.signature().as_bytes(), seed.as_bytes());
    signed.chunks(&credentials, &mut keys)
}

/// The body as it goes out, in chunks of so many bytes.
fn framed(framing: Framing, progress: &Progress, body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut framer = Framer::new(framing, progress);
    framer.chunk_bytes_max = chunk_bytes;
    let (mut out, mut at) = (Vec::new(), 0);
    let mut buf = Buf::from(Bytes::copy_from_slice(body));
    let mut frame = [0; crate::http1::FRAME_BYTES_MAX];
    while at < body.len() {
        let piece = at..at + framer.piece_bytes(body.len() - at);
        let count = framer.before(&mut buf, piece.clone(), &mut frame);
        out.extend_from_slice(&frame[..count]);
        out.extend_from_slice(&body[piece.clone()]);
        at = piece.end;
    }
    let count = framer.behind(&mut frame);
    out.extend_from_slice(&frame[..count]);
    out
}

const CHUNK: usize = 64 << 10;

fn check(framing: Framing, signer: ChunkSigner, chunks: [&str; 3], trailer: &str) {
    let body = vec![b'a'; 66_560];
    let progress = Progress { signer: RefCell::new(Some(signer)), sum: Cell::default() };
    let sent = framed(framing, &progress, &body, CHUNK);
    let [first, second, last] = chunks;
    let expected = [
        format!("10000;chunk-signature={first}\r\n").into_bytes(),
        body[..CHUNK].to_vec(),
        format!("\r\n400;chunk-signature={second}\r\n").into_bytes(),
        body[CHUNK..].to_vec(),
        format!("\r\n0;chunk-signature={last}\r\n{trailer}\r\n").into_bytes(),
    ];
    assert!(sent == expected.concat(), "{}", String::from_utf8_lossy(&sent).replace("aaaa", ""));
    assert_eq!(framing.framed_in(66_560, CHUNK as u64), sent.len() as u64);
}

#[test]
fn the_published_example_without_a_trailer() {
    let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    let signer = example(PayloadHash::SignedChunks, seed, &[("content-length", b"66824")]);
    let chunks = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let framing = Framing { trailer: None, is_signed: true };
    assert_eq!(framing.framed_in(66_560, CHUNK as u64), 66_824);
    check(framing, signer, chunks, "");
}

#[test]
fn the_published_example_with_a_trailer() {
    let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    let own: [(&str, &[u8]); 1] = [("x-amz-trailer", b"x-amz-checksum-crc32c")];
    let signer = example(PayloadHash::SignedChunksWithTrailer, seed, &own);
    let chunks = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let trailer = "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:\
        d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
    let framing = Framing { trailer: Some(ChecksumAlgorithm::Crc32c), is_signed: true };
    check(framing, signer, chunks, trailer);
}

#[test]
fn a_checksum_that_is_known_is_not_taken_again() {
    let framing = Framing { trailer: Some(ChecksumAlgorithm::Crc64Nvme), is_signed: false };
    let progress = Progress::default();
    let first = framed(framing, &progress, b"hello", CHUNK);
    assert_eq!(progress.sum.get(), Some(Sum::of(ChecksumAlgorithm::Crc64Nvme, b"hello")));
    assert!(Framer::new(framing, &progress).summing.is_none());
    assert_eq!(framed(framing, &progress, b"hello", CHUNK), first);
}

/// Takes a framed body apart again.
fn unframed(mut sent: &[u8]) -> (Vec<u8>, String) {
    let mut body = Vec::new();
    loop {
        let end = sent.windows(2).position(|it| it == b"\r\n").expect("a line");
        let size = usize::from_str_radix(std::str::from_utf8(&sent[..end]).unwrap(), 16).unwrap();
        sent = &sent[end + 2..];
        if size == 0 {
            return (body, String::from_utf8(sent.to_vec()).unwrap());
        }
        body.extend_from_slice(&sent[..size]);
        assert_eq!(&sent[size..size + 2], b"\r\n");
        sent = &sent[size + 2..];
    }
}

const ALL: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

proptest! {
    #[test]
    fn any_body_comes_out_again_with_its_checksum(
        body in prop::collection::vec(any::<u8>(), 1..3000),
        chunk_bytes in 1_usize..400,
        algorithm in prop::sample::select(&ALL[..]),
    ) {
        let framing = Framing { trailer: Some(algorithm), is_signed: false };
        let progress = Progress::default();
        let sent = framed(framing, &progress, &body, chunk_bytes);
        prop_assert_eq!(framing.framed_in(body.len() as u64, chunk_bytes as u64), sent.len() as u64);
        let (back, trailer) = unframed(&sent);
        prop_assert!(back == body);
        let sum = Sum::of(algorithm, &body);
        prop_assert_eq!(trailer, format!("{}:{sum}\r\n\r\n", algorithm.header()));
        prop_assert_eq!(progress.sum.get(), Some(sum));
    }
}
