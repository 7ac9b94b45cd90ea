//! What the kernel is told of how a buffered file will be read and written.
//!
//! A hint never changes what is read or written. One that is refused is counted, and the file is
//! used as it is (FALL-1).

use std::path::Path;

use super::{File, paths};
use crate::cores::Core;
use crate::error::Result;
use crate::metrics;
use crate::op::{Handle, Op};

/// How a buffered file will be read and written. O_DIRECT leaves the kernel nothing to be told, so
/// hints are for files that go through the page cache, those that were refused O_DIRECT included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessHint {
    /// Nothing is told: the kernel finds out by itself.
    #[default]
    Normal,
    /// From the start to the end: the kernel reads ahead twice as far (`POSIX_FADV_SEQUENTIAL`).
    Sequential,
    /// Here and there: the kernel reads nothing ahead (`POSIX_FADV_RANDOM`).
    Random,
    /// Once: a transfer leaves nothing in the page cache that was not there before (`RWF_DONTCACHE`,
    /// Linux 6.14, on file systems that have it). Elsewhere each transfer is followed by
    /// `POSIX_FADV_DONTNEED` for its bytes, which also drops what was there before and keeps what is
    /// not written to the disk yet; [`crate::MetricsSnapshot::uncached_refused`] counts those files.
    DontNeed,
    /// `Sequential` for files that have [`crate::FileLimits::sequential_bytes_min`] when they are
    /// opened, else `Normal`. Costs a `statx(2)`.
    Auto,
}

/// Tells the kernel, and what became of [`AccessHint::Auto`].
pub(super) async fn give(
    core: &Core,
    handle: &Handle,
    path: &Path,
    hint: AccessHint,
) -> Result<AccessHint> {
    let hint = match hint {
        AccessHint::Auto => by_size(core, handle, path).await?,
        chosen => chosen,
    };
    match hint {
        AccessHint::Sequential => advise(core, handle, 0, 0, libc::POSIX_FADV_SEQUENTIAL).await,
        AccessHint::Random => advise(core, handle, 0, 0, libc::POSIX_FADV_RANDOM).await,
        AccessHint::DontNeed => handle.set_uncached(true),
        AccessHint::Normal | AccessHint::Auto => {}
    }
    Ok(hint)
}

async fn by_size(core: &Core, handle: &Handle, path: &Path) -> Result<AccessHint> {
    let statx = paths::statx(core, Some(handle), c"".to_owned(), true, path).await?;
    let large = statx.0.stx_size >= core.engine().config().file.sequential_bytes_min;
    Ok(if large { AccessHint::Sequential } else { AccessHint::Normal })
}

/// Whether a transfer that was to leave nothing in the page cache was refused for that:
/// `EOPNOTSUPP` by a file system, `EINVAL` or `EOPNOTSUPP` by a kernel before 6.14.
pub(super) fn refuses_uncached(errno: i32) -> bool {
    matches!(errno, libc::EOPNOTSUPP | libc::EINVAL)
}

/// From now on bytes are dropped after each transfer.
pub(super) fn note_uncached_refused(core: &Core, file: &File) {
    file.handle.set_uncached(false);
    metrics::add(&core.counters().uncached_refused, 1);
}

/// Whether a transfer leaves in the page cache what is to be dropped from it: the kernel could not do
/// without it.
pub(super) fn leaves_cached(file: &File) -> bool {
    file.hint == AccessHint::DontNeed && !file.handle.is_uncached()
}

/// Drops what a transfer has left in the page cache.
pub(super) async fn drop_cached(core: &Core, file: &File, offset: u64, bytes: usize) {
    if bytes > 0 {
        advise(core, &file.handle, offset, bytes as u64, libc::POSIX_FADV_DONTNEED).await;
    }
}

async fn advise(core: &Core, handle: &Handle, offset: u64, len: u64, advice: i32) {
    let outcome = core.op(Op::Advise { file: handle.clone(), offset, len, advice }).await;
    if outcome.error.is_some() {
        metrics::add(&core.counters().hints_refused, 1);
    }
}
