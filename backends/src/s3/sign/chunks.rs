//! Signatures of the chunks of a body: each covers the one before it, the first that of the head.
//! Source: Amazon S3 API reference, "Signature calculations for the Authorization header: Transferring
//! payload in multiple chunks", with and without trailing headers.

use std::fmt;

use ::hmac::Mac;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::key::hmac;
use super::{HexDigest, MacSink, PayloadHash, Scope};
use crate::s3::encode::ByteSink;
use crate::s3::time::SigningTime;

/// Signs the chunks of one body, in order.
pub struct ChunkSigner {
    key: Zeroizing<[u8; 32]>,
    time: SigningTime,
    scope: String,
    previous: HexDigest,
}

impl ChunkSigner {
    pub(super) fn new(key: Zeroizing<[u8; 32]>, scope: &Scope<'_>, seed: HexDigest) -> ChunkSigner {
        ChunkSigner { key, time: scope.time, scope: scope.to_string(), previous: seed }
    }

    /// Signs the next chunk, which is empty behind the last; one pass over its bytes.
    pub fn chunk(&mut self, bytes: &[u8]) -> HexDigest {
        // Between the two stands what is said of headers, of which a chunk has none.
        let hash = HexDigest::new(&Sha256::digest(bytes).into());
        self.sign(b"AWS4-HMAC-SHA256-PAYLOAD", &[PayloadHash::Empty.as_bytes(), hash.as_bytes()])
    }

    /// Signs the header that stands behind the last chunk; its name is in lower case.
    pub fn trailer(&mut self, name: &str, value: &str) -> HexDigest {
        let mut hash = Sha256::new();
        for part in [name, ":", value, "\n"] {
            hash.update(part);
        }
        let hash = HexDigest::new(&hash.finalize().into());
        self.sign(b"AWS4-HMAC-SHA256-TRAILER", &[hash.as_bytes()])
    }

    fn sign(&mut self, what: &[u8], hashes: &[&[u8]]) -> HexDigest {
        let mut mac = MacSink(hmac(&*self.key));
        mac.put(what);
        for line in [&self.time.date_time()[..], self.scope.as_bytes(), self.previous.as_bytes()]
            .iter()
            .chain(hashes)
        {
            mac.put(b"\n");
            mac.put(line);
        }
        self.previous = HexDigest::new(&mac.0.finalize().into_bytes().into());
        self.previous
    }
}

impl fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigner").field("scope", &self.scope).finish_non_exhaustive()
    }
}
