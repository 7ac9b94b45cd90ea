//! A checksum of any kind that S3 knows.

use std::fmt;

use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::{CrcAlgorithm, Digest as CrcDigest, checksum};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::Crc64;
use super::combine::Modulus;

/// A kind of checksum that S3 keeps with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// CRC-32 as in zip.
    Crc32,
    /// CRC-32C.
    Crc32c,
    /// CRC-64/NVME: S3's own default.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumAlgorithm {
    /// Bytes of a value.
    pub fn value_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Which CRC it is, if it is one: the values of neighbours combine to that of both.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// Whether the value of a whole can be computed from those of its parts.
    pub fn combines(self) -> bool {
        self.crc().is_some()
    }
}

/// The longest value.
const VALUE_BYTES_MAX: usize = 32;

/// A checksum of some bytes, held in place. `Display` writes it in base64, as S3 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    algorithm: ChecksumAlgorithm,
    /// Big-endian; zeros behind the value.
    value: [u8; VALUE_BYTES_MAX],
}

impl Sum {
    /// Sums bytes, which takes one pass over them.
    pub fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Sum {
        match (algorithm.crc(), algorithm) {
            (Some(crc), _) => Sum::of_crc(algorithm, checksum(crc, bytes)),
            (None, ChecksumAlgorithm::Sha1) => Sum::new(algorithm, &Sha1::digest(bytes)),
            (None, _) => Sum::new(algorithm, &Sha256::digest(bytes)),
        }
    }

    /// Reads a value in base64; `None` where it is none of this algorithm, such as a composite one,
    /// which ends in the count of its parts.
    pub fn parse(algorithm: ChecksumAlgorithm, text: &str) -> Option<Sum> {
        let mut value = [0; VALUE_BYTES_MAX + 4];
        let count = BASE64.decode_slice(text, &mut value).ok()?;
        (count == algorithm.value_bytes()).then(|| Sum::new(algorithm, &value[..count]))
    }

    /// The sum of what this one is the sum of, and `len_bytes` more bytes with the sum `next`.
    /// `None` for other algorithms than one CRC.
    pub fn then(self, next: Sum, len_bytes: u64) -> Option<Sum> {
        let modulus = Modulus::of(self.algorithm).filter(|_| self.algorithm == next.algorithm)?;
        let combined = modulus.combined(self.crc_value(), next.crc_value(), len_bytes);
        Some(Sum::of_crc(self.algorithm, combined))
    }

    /// Which kind it is.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// The value, most significant byte first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.value[..self.algorithm.value_bytes()]
    }

    /// The same as the checksum that pipelines take on the way, if it is one.
    pub fn crc64nvme(&self) -> Option<Crc64> {
        (self.algorithm == ChecksumAlgorithm::Crc64Nvme).then(|| Crc64(self.crc_value()))
    }

    fn new(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Sum {
        let mut value = [0; VALUE_BYTES_MAX];
        value[..bytes.len()].copy_from_slice(bytes);
        Sum { algorithm, value }
    }

    fn of_crc(algorithm: ChecksumAlgorithm, crc: u64) -> Sum {
        Sum::new(algorithm, &crc.to_be_bytes()[8 - algorithm.value_bytes()..])
    }

    fn crc_value(&self) -> u64 {
        self.as_bytes().iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

/// A checksum of bytes that come one piece after the other.
#[derive(Debug)]
pub(crate) struct Summing {
    algorithm: ChecksumAlgorithm,
    state: State,
    len_bytes: usize,
}

#[derive(Debug)]
enum State {
    Crc(CrcDigest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Summing {
    /// Of nothing yet.
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Summing {
        let state = match (algorithm.crc(), algorithm) {
            (Some(crc), _) => State::Crc(CrcDigest::new(crc)),
            (None, ChecksumAlgorithm::Sha1) => State::Sha1(Sha1::new()),
            (None, _) => State::Sha256(Sha256::new()),
        };
        Summing { algorithm, state, len_bytes: 0 }
    }

    /// Bytes of all pieces so far.
    pub(crate) fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Takes the next piece, which costs one pass over it.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.len_bytes += bytes.len();
        match &mut self.state {
            State::Crc(crc) => crc.update(bytes),
            State::Sha1(sha) => sha.update(bytes),
            State::Sha256(sha) => sha.update(bytes),
        }
    }

    /// The checksum of all pieces.
    pub(crate) fn finish(self) -> Sum {
        match self.state {
            State::Crc(crc) => Sum::of_crc(self.algorithm, crc.finalize()),
            State::Sha1(sha) => Sum::new(self.algorithm, &sha.finalize()),
            State::Sha256(sha) => Sum::new(self.algorithm, &sha.finalize()),
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(self.as_bytes(), &BASE64).fmt(f)
    }
}

impl From<Crc64> for Sum {
    fn from(crc: Crc64) -> Sum {
        Sum::of_crc(ChecksumAlgorithm::Crc64Nvme, crc.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChecksumAlgorithm::*;
    use proptest::prelude::*;

    const ALL: [ChecksumAlgorithm; 5] = [Crc32, Crc32c, Crc64Nvme, Sha1, Sha256];

    /// The CRCs are the check values of the catalogue of parametrised CRC algorithms (reveng); the
    /// others come from `printf 123456789 | sha1sum`, and `sha256sum`.
    #[test]
    fn check_values() {
        let hex = |algorithm| {
            let sum = Sum::of(algorithm, b"123456789");
            sum.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(hex(Crc32), "cbf43926");
        assert_eq!(hex(Crc32c), "e3069283");
        assert_eq!(hex(Crc64Nvme), "ae8b14860a799888");
        assert_eq!(hex(Sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert_eq!(hex(Sha256), "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
        assert_eq!(Sum::of(Crc32, b"123456789").to_string(), "y/Q5Jg==");
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for algorithm in ALL {
            let text = Sum::of(algorithm, b"x").to_string();
            assert_eq!(Sum::parse(algorithm, &text), Some(Sum::of(algorithm, b"x")));
            assert_eq!(Sum::parse(algorithm, &format!("{text}-3")), None, "a composite one");
            assert_eq!(Sum::parse(algorithm, "AAAA"), None, "too short");
            assert_eq!(Sum::parse(algorithm, &"A".repeat(400)), None, "too long");
            assert_eq!(Sum::parse(algorithm, "%"), None);
        }
    }

    proptest! {
        #[test]
        fn neighbours_combine(bytes in prop::collection::vec(any::<u8>(), 0..3000), at in any::<prop::sample::Index>()) {
            let (one, two) = bytes.split_at(at.index(bytes.len() + 1));
            for algorithm in ALL {
                let whole = Sum::of(algorithm, &bytes);
                let both = Sum::of(algorithm, one).then(Sum::of(algorithm, two), two.len() as u64);
                prop_assert_eq!(both, algorithm.combines().then_some(whole));
            }
        }

        #[test]
        fn pieces_sum_to_what_all_of_it_does(
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len(), bytes.len()]);
            cuts.sort_unstable();
            for algorithm in ALL {
                let mut summing = Summing::new(algorithm);
                cuts.windows(2).for_each(|cut| summing.update(&bytes[cut[0]..cut[1]]));
                prop_assert_eq!(summing.len_bytes(), bytes.len());
                prop_assert_eq!(summing.finish(), Sum::of(algorithm, &bytes));
            }
        }

        // The library's general way is the oracle: any two values, any length.
        #[test]
        fn neighbours_combine_as_by_the_general_way(first in any::<u64>(), next in any::<u64>(), len in any::<u64>(), cut in 0..64u32) {
            for algorithm in ALL.into_iter().filter(|algorithm| algorithm.combines()) {
                let mask = u64::MAX >> (64 - 8 * algorithm.value_bytes());
                let (first, next, len) = (first & mask, next & mask, len >> cut);
                let general = crc_fast::checksum_combine(algorithm.crc().expect("a CRC"), first, next, len);
                let combined = Modulus::of(algorithm).expect("a CRC").combined(first, next, len);
                prop_assert_eq!(combined, general, "{:?}", algorithm);
            }
        }
    }
}
