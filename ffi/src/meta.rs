//! What is known of an object, as C sees it.

use std::ffi::c_char;
use std::time::{SystemTime, UNIX_EPOCH};

use hydrant::{ChecksumAlgorithm, Etag, ObjectMeta};

use crate::args::fixed_text;
use crate::sized::{self, SizedStruct};

/// A bit of hyd_object_meta.flags: the store keeps a checksum, and `crc64nvme` is it.
pub const HYD_META_CRC64NVME: u32 = 1;
/// hyd_object_meta.modified_unix_ns where the store does not tell.
pub const HYD_TIME_UNKNOWN: i64 = i64::MIN;

/// A kind of checksum: CRC-32 as in zip.
pub const HYD_CHECKSUM_CRC32: u32 = 1;
/// A kind of checksum: CRC-32C.
pub const HYD_CHECKSUM_CRC32C: u32 = 2;
/// A kind of checksum: CRC-64/NVME, S3's own default.
pub const HYD_CHECKSUM_CRC64NVME: u32 = 3;
/// A kind of checksum: SHA-1.
pub const HYD_CHECKSUM_SHA1: u32 = 4;
/// A kind of checksum: SHA-256.
pub const HYD_CHECKSUM_SHA256: u32 = 5;

/// Each with its number.
const ALGORITHMS: [(ChecksumAlgorithm, u32); 5] = [
    (ChecksumAlgorithm::Crc32, HYD_CHECKSUM_CRC32),
    (ChecksumAlgorithm::Crc32c, HYD_CHECKSUM_CRC32C),
    (ChecksumAlgorithm::Crc64Nvme, HYD_CHECKSUM_CRC64NVME),
    (ChecksumAlgorithm::Sha1, HYD_CHECKSUM_SHA1),
    (ChecksumAlgorithm::Sha256, HYD_CHECKSUM_SHA256),
];

/// A version and its NUL.
const VERSION_BYTES: usize = 128;
/// A tag and its NUL.
const ETAG_BYTES: usize = 128;
const _: () = assert!(Etag::BYTES_MAX < ETAG_BYTES);

/// What is known of an object.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_object_meta {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_META_*
    pub flags: u32,
    pub size_bytes: u64,
    /// Nanoseconds since 1970, UTC (S3 tells seconds); HYD_TIME_UNKNOWN.
    pub modified_unix_ns: i64,
    /// The tag of this version, with its quotes on S3; NUL-terminated, empty where there is none.
    pub etag: [c_char; 128],
    /// The CRC-64/NVME of all bytes, with HYD_META_CRC64NVME.
    pub crc64nvme: u64,
    /// What it is said to contain, cut where it is longer; NUL-terminated.
    pub content_type: [c_char; 128],
    /// Which version it is, where a bucket of S3 keeps them: after a write and of what was read.
    /// NUL-terminated; empty where there is none, and where it has more than 127 bytes.
    pub version_id: [c_char; 128],
    /// HYD_CHECKSUM_*, of `checksum`; 0 where there is none.
    pub checksum_algorithm: u32,
    /// 0
    pub reserved: u32,
    /// After a write to S3 the checksum of all bytes that went with it, in base64 as S3 has it, and
    /// elsewhere `crc64nvme` where that is known; NUL-terminated. None of an object in parts whose
    /// checksums do not combine (SHA).
    pub checksum: [c_char; 48],
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_object_meta {
    const NAME: &'static str = "hyd_object_meta";
    const BYTES_MIN: usize = 152;
}

impl hyd_object_meta {
    pub fn of(meta: &ObjectMeta) -> hyd_object_meta {
        hyd_object_meta {
            struct_size: sized::size_of::<hyd_object_meta>(),
            flags: if meta.crc64nvme.is_some() { HYD_META_CRC64NVME } else { 0 },
            size_bytes: meta.size_bytes,
            modified_unix_ns: modified(meta),
            etag: fixed_text(meta.etag.as_ref().map_or("", Etag::as_str)),
            crc64nvme: meta.crc64nvme.map_or(0, |sum| sum.0),
            content_type: fixed_text(meta.content_type.as_deref().unwrap_or_default()),
            version_id: fixed_text(version(meta)),
            checksum_algorithm: meta.checksum().map_or(0, |sum| number_of(sum.algorithm())),
            reserved: 0,
            checksum: meta.checksum().map_or([0; 48], |sum| fixed_text(&sum.to_string())),
        }
    }
}

/// What is cut names another version, or none.
fn version(meta: &ObjectMeta) -> &str {
    meta.version_id().filter(|id| id.len() < VERSION_BYTES).unwrap_or_default()
}

/// The number of a kind of checksum.
pub fn number_of(algorithm: ChecksumAlgorithm) -> u32 {
    ALGORITHMS.iter().find(|(known, _)| *known == algorithm).map_or(0, |(_, number)| *number)
}

/// The kind of checksum with a number, as `HYD_CHECKSUM_*` has it.
pub fn algorithm_of(number: u32) -> Option<ChecksumAlgorithm> {
    ALGORITHMS.iter().find(|(_, known)| *known == number).map(|(algorithm, _)| *algorithm)
}

/// When an object was written.
pub fn modified(meta: &ObjectMeta) -> i64 {
    meta.modified.and_then(unix_ns).unwrap_or(HYD_TIME_UNKNOWN)
}

/// Nanoseconds since 1970; `None` beyond the years 1677 and 2262.
pub fn unix_ns(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|ns| -ns),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longest_tag_keeps_its_nul() {
        let longest = "x".repeat(Etag::BYTES_MAX);
        let mut meta = ObjectMeta::of_size(7);
        meta.etag = Etag::new(&longest);
        let view = hyd_object_meta::of(&meta);
        assert!(view.etag[..Etag::BYTES_MAX].iter().all(|&byte| byte == b'x' as c_char));
        assert_eq!(view.etag[Etag::BYTES_MAX..], [0; ETAG_BYTES - Etag::BYTES_MAX]);
        assert_eq!((view.size_bytes, view.modified_unix_ns), (7, HYD_TIME_UNKNOWN));
    }

    #[test]
    fn a_version_is_whole_or_not_told() {
        let view = |id: String| {
            hyd_object_meta::of(&ObjectMeta::of_size(7).kept_as(Some(id), None)).version_id
        };
        let longest = view("v".repeat(VERSION_BYTES - 1));
        assert!(longest[..VERSION_BYTES - 1].iter().all(|&byte| byte == b'v' as c_char));
        assert_eq!(longest[VERSION_BYTES - 1], 0);
        assert_eq!(view("v".repeat(VERSION_BYTES)), [0; VERSION_BYTES]);
    }

    #[test]
    fn a_checksum_is_told_with_its_kind() {
        let sum = hydrant::Sum::of(ChecksumAlgorithm::Crc32c, b"123456789");
        let view = hyd_object_meta::of(&ObjectMeta::of_size(9).kept_as(None, Some(sum)));
        assert_eq!(view.checksum_algorithm, HYD_CHECKSUM_CRC32C);
        // The check value of CRC-32C, e3069283, in base64.
        assert_eq!(view.checksum[..9], b"4waSgw==\0".map(|byte| byte as c_char));
        assert_eq!(algorithm_of(view.checksum_algorithm), Some(ChecksumAlgorithm::Crc32c));
        assert_eq!(algorithm_of(0), None);
    }

    #[test]
    fn times_before_and_after_1970() {
        let second = Duration::from_secs(1);
        assert_eq!(unix_ns(UNIX_EPOCH + second), Some(1_000_000_000));
        assert_eq!(unix_ns(UNIX_EPOCH - second), Some(-1_000_000_000));
        assert_eq!(unix_ns(UNIX_EPOCH + Duration::from_secs(1 << 40)), None);
    }
}
