//! Which version of a file one has seen.

use std::time::{Duration, SystemTime};

use hydrant_engine::Metadata;
use rustix::fs::Statx;

use crate::object::{Etag, ObjectMeta};

/// What tells two versions of a file apart without reading them: which file it is, its length, and
/// when its contents last changed.
///
/// The kernel keeps that time in ticks of 1 to 10 ms before Linux 6.13, so a change in place within
/// a tick that keeps the length is not seen. Files written by this store are new ones each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) size_bytes: u64,
    modified: SystemTime,
    identity: (u64, u64),
}

impl Version {
    /// From what `statx(2)` says, as the engine reads it too.
    pub(super) fn of_statx(statx: &Statx) -> Version {
        let time = &statx.stx_mtime;
        let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
        let since = match time.tv_sec {
            0.. => SystemTime::UNIX_EPOCH + seconds,
            _ => SystemTime::UNIX_EPOCH - seconds,
        };
        let device = u64::from(statx.stx_dev_major) << 32 | u64::from(statx.stx_dev_minor);
        Version {
            size_bytes: statx.stx_size,
            modified: since + Duration::from_nanos(time.tv_nsec.into()),
            identity: (device, statx.stx_ino),
        }
    }

    /// What the store says of the object.
    pub(super) fn meta(&self) -> ObjectMeta {
        ObjectMeta {
            etag: Some(self.etag()),
            modified: Some(self.modified),
            ..ObjectMeta::of_size(self.size_bytes)
        }
    }

    /// How `now` differs, in words; `None` when it does not.
    pub(super) fn difference(&self, now: &Version) -> Option<String> {
        if self == now {
            return None;
        }
        Some(match (self.size_bytes, now.size_bytes) {
            (was, is) if was != is => format!("it had {was} bytes and now has {is}"),
            _ => "its contents changed, its length did not".into(),
        })
    }

    fn etag(&self) -> Etag {
        let (device, inode) = self.identity;
        let size = self.size_bytes;
        let time = match self.modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => format!("{:x}", after.as_nanos()),
            Err(before) => format!("b{:x}", before.duration().as_nanos()),
        };
        Etag::new(&format!("\"{device:x}-{inode:x}-{size:x}-{time}\""))
            .expect("at most 75 hexadecimal digits")
    }
}

impl From<&Metadata> for Version {
    fn from(metadata: &Metadata) -> Version {
        Version {
            size_bytes: metadata.len_bytes,
            modified: metadata.modified,
            identity: metadata.identity,
        }
    }
}
