//! The framing `aws-chunked` of S3: a body in chunks, each with its length and perhaps a signature
//! before it, and a checksum behind the last. It lies inside HTTP's own framing, which knows the
//! length of all of it beforehand.
//!
//! What stands between the chunks is written into a little memory of the connection; the chunks are
//! sent from where they lie. Source: Amazon S3 API reference, "Signature calculations for the
//! Authorization header: Transferring payload in multiple chunks".

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::ops::Range;

use hydrant_engine::Buf;

use super::checksum::bytes_of;
use super::sign::{ChunkSigner, HexDigest, PayloadHash};
use crate::checksum::{ChecksumAlgorithm, Sum, Summing};
use crate::http1::BodyFrames;

/// Bytes of a chunk at most, but for the last at least: a part of the usual size is one. Some servers
/// hold a chunk in memory until it is whole, and refuse those of more than 16 MiB; and a chunk that is
/// sent without a copy waits for what acknowledges it before the next is begun.
const CHUNK_BYTES_MAX: usize = 8 << 20;

const SIGNATURE: &str = ";chunk-signature=";
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature:";
/// Digits of a signature.
const DIGITS: usize = 64;

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    /// The checksum behind the last chunk.
    pub(super) trailer: Option<ChecksumAlgorithm>,
    /// Whether each chunk is signed; there is a trailer or signatures, or both.
    pub(super) is_signed: bool,
}

/// What becomes known of a framed body while it goes out.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Signs the chunks of the attempt whose head was written last.
    pub(super) signer: RefCell<Option<ChunkSigner>>,
    /// The checksum, once an attempt has gone through all of it.
    pub(super) sum: Cell<Option<Sum>>,
}

/// Frames the body of one attempt.
pub(super) struct Framer<'a> {
    framing: Framing,
    progress: &'a Progress,
    summing: Option<Summing>,
    signer: Option<ChunkSigner>,
    chunk_bytes_max: usize,
    chunks: u64,
}

impl Framing {
    /// What is said of the body in `x-amz-content-sha256`.
    pub(super) fn payload(self) -> PayloadHash {
        match (self.is_signed, self.trailer) {
            (false, _) => PayloadHash::UnsignedChunksWithTrailer,
            (true, None) => PayloadHash::SignedChunks,
            (true, Some(_)) => PayloadHash::SignedChunksWithTrailer,
        }
    }

    /// Bytes of the framed body, of a body of so many bytes.
    pub(super) fn framed_bytes(self, body_bytes: u64) -> u64 {
        self.framed_in(body_bytes, CHUNK_BYTES_MAX as u64)
    }

    fn framed_in(self, body_bytes: u64, chunk_bytes: u64) -> u64 {
        let (full, rest) = (body_bytes / chunk_bytes, body_bytes % chunk_bytes);
        let signature = if self.is_signed { SIGNATURE.len() + DIGITS } else { 0 } as u64;
        let of_chunk = |bytes: u64| hex_digits(bytes) + signature + 2 + bytes + 2;
        let last = if rest > 0 { of_chunk(rest) } else { 0 };
        let trailer = self.trailer.map_or(0, |algorithm| {
            let value = algorithm.value_bytes().div_ceil(3) * 4;
            let line = algorithm.header().len() + 1 + value + 2;
            let signed = TRAILER_SIGNATURE.len() + DIGITS + 2;
            line + if self.is_signed { signed } else { 0 }
        });
        full * of_chunk(chunk_bytes) + last + 1 + signature + 2 + trailer as u64 + 2
    }
}

fn hex_digits(number: u64) -> u64 {
    u64::from(number.max(1).ilog2() / 4 + 1)
}

impl<'a> Framer<'a> {
    pub(super) fn new(framing: Framing, progress: &'a Progress) -> Framer<'a> {
        // An attempt before may have gone through all of it.
        let algorithm = framing.trailer.filter(|_| progress.sum.get().is_none());
        Framer {
            framing,
            progress,
            summing: algorithm.map(Summing::new),
            signer: None,
            chunk_bytes_max: CHUNK_BYTES_MAX,
            chunks: 0,
        }
    }

    /// What signs; the head has been written by now.
    fn signature(&mut self, bytes: &[u8]) -> Option<HexDigest> {
        if !self.framing.is_signed {
            return None;
        }
        if self.chunks == 0 {
            self.signer = self.progress.signer.take();
        }
        Some(self.signer.as_mut().expect("a signed head comes before a signed body").chunk(bytes))
    }

    fn sum(&mut self) -> Option<Sum> {
        if let Some(summing) = self.summing.take() {
            self.progress.sum.set(Some(summing.finish()));
        }
        self.progress.sum.get()
    }
}

impl BodyFrames for Framer<'_> {
    fn piece_bytes(&self, left: usize) -> usize {
        left.min(self.chunk_bytes_max)
    }

    fn before(&mut self, buf: &mut Buf, piece: Range<usize>, out: &mut [u8]) -> usize {
        let bytes = bytes_of(buf, piece);
        if let Some(summing) = &mut self.summing {
            summing.update(bytes);
        }
        let signature = self.signature(bytes);
        let end_of_last = if self.chunks == 0 { "" } else { "\r\n" };
        self.chunks += 1;
        written(out, |out| {
            write!(out, "{end_of_last}{:x}", bytes.len())?;
            write_signature(out, SIGNATURE, signature)?;
            write!(out, "\r\n")
        })
    }

    fn behind(&mut self, out: &mut [u8]) -> usize {
        let signature = self.signature(b"");
        let sum = self.sum();
        let trailer = self.framing.trailer.zip(sum).map(|(it, sum)| (it.header(), sum.to_string()));
        let signed = trailer.as_ref().zip(self.signer.as_mut());
        let signed = signed.map(|((name, value), signer)| signer.trailer(name, value));
        written(out, |out| {
            write!(out, "\r\n0")?;
            write_signature(out, SIGNATURE, signature)?;
            write!(out, "\r\n")?;
            if let Some((name, value)) = &trailer {
                write!(out, "{name}:{value}\r\n")?;
            }
            if signed.is_some() {
                write_signature(out, TRAILER_SIGNATURE, signed)?;
                write!(out, "\r\n")?;
            }
            write!(out, "\r\n")
        })
    }
}

fn write_signature(
    out: &mut &mut [u8],
    name: &str,
    signature: Option<HexDigest>,
) -> std::io::Result<()> {
    let Some(signature) = signature else { return Ok(()) };
    out.write_all(name.as_bytes())?;
    out.write_all(signature.as_bytes())
}

/// How many bytes were written.
fn written(out: &mut [u8], write: impl FnOnce(&mut &mut [u8]) -> std::io::Result<()>) -> usize {
    let room = out.len();
    let mut left = out;
    write(&mut left).expect("FRAME_BYTES_MAX holds any of them");
    room - left.len()
}

#[cfg(test)]
mod tests;
