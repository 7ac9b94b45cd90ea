//! Copies inside one file system: the kernel moves the bytes, or shares them where the file system
//! can (copy_file_range(2), since Linux 4.5; on Btrfs and XFS it clones).

use std::os::fd::OwnedFd;
use std::sync::Arc;

use hydrant_engine::{Core, Error as EngineError, OsError};
use rustix::fs::copy_file_range;
use rustix::io::Errno;

use super::reader::FileReader;
use super::temporary::{Temporary, or_left_behind};
use super::tree::Tree;
use super::upload::create;
use super::version::Version;
use crate::error::{ErrorKind, Result};
use crate::object::ObjectMeta;
use crate::pipeline::Progress;
use crate::store::{CopiedWithin, CopyWay};

/// Bytes of one call. It runs on the control thread, where others wait behind it, and nobody can
/// stop it: the time between two of them is the longest that a cancel takes.
const CALL_BYTES: usize = 16 << 20;

/// How far the kernel came.
enum Moved {
    All,
    /// It does not copy between these two.
    Refused(Errno),
}

/// Copies a file to `key` of `tree`, with the same guarantees as a write of it.
///
/// # Errors
/// `Changed` where the source was written to meanwhile.
pub(super) async fn copy(
    core: &Core,
    tree: &Arc<Tree>,
    from: &FileReader,
    key: &str,
    progress: Option<&Progress>,
) -> Result<CopiedWithin> {
    let (source, version) = from.opened(core).await?;
    let source_fd = source.duplicate()?;
    let guard = create(core, tree, key).await?;
    let temporary = guard.temporary();
    let moved = match move_all(core, source_fd, &temporary, version.size_bytes, progress).await {
        Ok(Moved::All) => finish(core, from, &temporary, &version).await.map(Ok),
        Ok(Moved::Refused(errno)) => Ok(Err(errno)),
        Err(error) => Err(error),
    };
    let copied = match moved {
        Ok(Ok(meta)) => Ok(CopiedWithin::Done { meta, way: CopyWay::InKernel }),
        Ok(Err(errno)) => temporary.remove(core).await.map(|()| {
            let text = format!("the kernel does not copy between these files ({errno})");
            CopiedWithin::No(Some(text))
        }),
        Err(error) if matches!(error.kind(), ErrorKind::NotDurable { .. }) => Err(error),
        Err(error) => Err(or_left_behind(error, temporary.remove(core).await)),
    };
    guard.release();
    copied
}

async fn move_all(
    core: &Core,
    mut source: OwnedFd,
    temporary: &Temporary,
    size_bytes: u64,
    progress: Option<&Progress>,
) -> Result<Moved> {
    let mut target = temporary.file.duplicate()?;
    let mut done = 0;
    while done < size_bytes {
        let call_bytes = usize::try_from(size_bytes - done).unwrap_or(usize::MAX).min(CALL_BYTES);
        let (moved, from, to) = core
            .blocking(move || {
                let (mut at, mut into) = (done, done);
                let moved =
                    copy_file_range(&source, Some(&mut at), &target, Some(&mut into), call_bytes);
                (moved, source, target)
            })
            .await?;
        (source, target) = (from, to);
        match moved {
            // Either the file was cut short, which its version tells, or the kernel cannot.
            Ok(0) if done == 0 => return Ok(Moved::Refused(Errno::INVAL)),
            Ok(0) => break,
            Ok(moved) => done += moved as u64,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) if done == 0 && is_refusal(errno) => return Ok(Moved::Refused(errno)),
            Err(errno) => {
                let error = OsError::new("copy_file_range", temporary.path(), errno.raw_os_error());
                return Err(EngineError::from(error).into());
            }
        }
        if let Some(progress) = progress {
            progress(done, Some(size_bytes));
        }
    }
    Ok(Moved::All)
}

/// Two file systems, one that cannot, a kernel without the call, a swap file or the like.
fn is_refusal(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::TXTBSY
    )
}

async fn finish(
    core: &Core,
    from: &FileReader,
    temporary: &Temporary,
    version: &Version,
) -> Result<ObjectMeta> {
    from.check_unchanged(core).await?;
    temporary.finish(core, version.size_bytes, 0).await
}
