//! What is known of an object, as C sees it.

use std::ffi::c_char;
use std::time::{SystemTime, UNIX_EPOCH};

use hydrant::{Etag, ObjectMeta};

use crate::args::fixed_text;
use crate::sized::{self, SizedStruct};

/// A bit of hyd_object_meta.flags: the store keeps a checksum, and `crc64nvme` is it.
pub const HYD_META_CRC64NVME: u32 = 1;
/// hyd_object_meta.modified_unix_ns where the store does not tell.
pub const HYD_TIME_UNKNOWN: i64 = i64::MIN;

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
        }
    }
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
    fn times_before_and_after_1970() {
        let second = Duration::from_secs(1);
        assert_eq!(unix_ns(UNIX_EPOCH + second), Some(1_000_000_000));
        assert_eq!(unix_ns(UNIX_EPOCH - second), Some(-1_000_000_000));
        assert_eq!(unix_ns(UNIX_EPOCH + Duration::from_secs(1 << 40)), None);
    }
}
