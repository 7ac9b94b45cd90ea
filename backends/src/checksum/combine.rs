//! The CRC of a whole from those of its two halves, without their bytes.
//!
//! Bits of a message are coefficients of a polynomial over GF(2), and a CRC is its remainder modulo that of
//! the CRC. The first half is followed by the second, so it counts `x^(8 * length)` times: one
//! multiplication modulo the polynomial for that power, and one for each bit set in the length. The general
//! way of the library that sums takes far longer (decision 21).
//!
//! Every CRC that S3 knows begins with all bits set, ends by flipping all of them, and has its bits in
//! reflected order; the first two cancel out.

use super::ChecksumAlgorithm;

/// One for each bit of a length in bytes, behind x, x^2 and x^4.
const POWERS: usize = 64 + 3;

/// Arithmetic modulo the polynomial of one CRC. The highest bit of a value is the coefficient of `x^0`.
pub(super) struct Modulus {
    polynomial: u64,
    one: u64,
    /// `x^(2^n)`.
    powers: [u64; POWERS],
}

static CRC32: Modulus = Modulus::new(0xedb8_8320, 32);
static CRC32C: Modulus = Modulus::new(0x82f6_3b78, 32);
pub(super) static CRC64_NVME: Modulus = Modulus::new(0x9a6c_9329_ac4b_c9b5, 64);

impl Modulus {
    /// That of an algorithm, if it is a CRC.
    pub(super) fn of(algorithm: ChecksumAlgorithm) -> Option<&'static Modulus> {
        match algorithm {
            ChecksumAlgorithm::Crc32 => Some(&CRC32),
            ChecksumAlgorithm::Crc32c => Some(&CRC32C),
            ChecksumAlgorithm::Crc64Nvme => Some(&CRC64_NVME),
            ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
        }
    }

    /// The CRC of what `first` is the CRC of, and `len_bytes` more bytes with the CRC `next`.
    pub(super) fn combined(&self, first: u64, next: u64, len_bytes: u64) -> u64 {
        self.product(self.power_of_bytes(len_bytes), first) ^ next
    }

    /// `polynomial` without its highest term, reflected.
    const fn new(polynomial: u64, width_bits: u32) -> Modulus {
        let one = 1 << (width_bits - 1);
        let mut modulus = Modulus { polynomial, one, powers: [one >> 1; POWERS] };
        let mut n = 1;
        while n < POWERS {
            modulus.powers[n] = modulus.product(modulus.powers[n - 1], modulus.powers[n - 1]);
            n += 1;
        }
        modulus
    }

    const fn product(&self, a: u64, mut b: u64) -> u64 {
        let (mut product, mut term) = (0, self.one);
        while term != 0 {
            // Masks, for which bits are set is as good as random.
            product ^= b & 0u64.wrapping_sub((a & term != 0) as u64);
            b = (b >> 1) ^ (self.polynomial & 0u64.wrapping_sub(b & 1));
            term >>= 1;
        }
        product
    }

    /// `x^(8 * len_bytes)`.
    fn power_of_bytes(&self, mut len_bytes: u64) -> u64 {
        let mut power = self.one;
        for square in &self.powers[3..] {
            if len_bytes == 0 {
                break;
            }
            if len_bytes & 1 == 1 {
                power = self.product(*square, power);
            }
            len_bytes >>= 1;
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_more_changes_nothing() {
        assert_eq!(CRC32C.combined(0x1234_5678, 0, 0), 0x1234_5678);
        assert_eq!(CRC64_NVME.combined(0x1234_5678, 0, 0), 0x1234_5678);
    }
}
