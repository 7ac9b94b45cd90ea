//! Names in directories: rename, unlink, mkdir, statx.
//!
//! `dir` is the directory that a path is taken from. These calls have no `RESOLVE_BENEATH` in the
//! kernel, so callers that must stay beneath a root open the parent with
//! [`File::open_beneath`](super::File::open_beneath) and pass a single name here (SEC-2).

use std::ffi::CString;
use std::path::Path;

use super::{File, Metadata, c_path, finish, os_error};
use crate::cores::Core;
use crate::error::Result;
use crate::op::{Handle, Op, StatxBuf};

/// Renames `from` to `to`, replacing what is there; with `no_replace` it fails with `EEXIST`
/// instead.
///
/// # Errors
/// The errno of `renameat2(2)`.
pub async fn rename(
    core: &Core,
    from_dir: Option<&File>,
    from: &Path,
    to_dir: Option<&File>,
    to: &Path,
    no_replace: bool,
) -> Result<()> {
    let op = Op::Rename {
        from_dir: from_dir.map(|dir| dir.handle.clone()),
        from: c_path(from)?,
        to_dir: to_dir.map(|dir| dir.handle.clone()),
        to: c_path(to)?,
        no_replace,
    };
    run(core, op, to).await
}

/// Gives an open file a name. By its descriptor alone that is for the privileged (`AT_EMPTY_PATH` of
/// linkat(2), before Linux 6.10); the way through procfs is everybody's.
pub(super) async fn link(core: &Core, file: &File, dir: &File, to: &Path) -> Result<()> {
    let from = file.handle.raw_fd().map_or(String::new(), |fd| format!("/proc/self/fd/{fd}"));
    let op = Op::Link {
        file: file.handle.clone(),
        from: c_path(from.as_ref())?,
        dir: Some(dir.handle.clone()),
        to: c_path(to)?,
    };
    run(core, op, to).await
}

/// Removes a file's name.
///
/// # Errors
/// The errno of `unlinkat(2)`.
pub async fn remove_file(core: &Core, dir: Option<&File>, path: &Path) -> Result<()> {
    unlink(core, dir, path, false).await
}

/// Removes an empty directory.
///
/// # Errors
/// The errno of `unlinkat(2)`.
pub async fn remove_dir(core: &Core, dir: Option<&File>, path: &Path) -> Result<()> {
    unlink(core, dir, path, true).await
}

/// Makes a directory (mode 0777 less the umask).
///
/// # Errors
/// The errno of `mkdirat(2)`.
pub async fn make_dir(core: &Core, dir: Option<&File>, path: &Path) -> Result<()> {
    let dir = dir.map(|dir| dir.handle.clone());
    run(core, Op::Mkdir { dir, path: c_path(path)?, mode: 0o777 }, path).await
}

/// What `statx(2)` says of a path; a symbolic link is not followed.
///
/// # Errors
/// The errno of `statx(2)`.
pub async fn metadata_beneath(core: &Core, dir: Option<&File>, path: &Path) -> Result<Metadata> {
    let handle = dir.map(|dir| &dir.handle);
    statx(core, handle, c_path(path)?, false, path).await.map(|out| Metadata::from_statx(&out))
}

pub(super) async fn statx(
    core: &Core,
    dir: Option<&Handle>,
    path: CString,
    follow: bool,
    shown: &Path,
) -> Result<Box<StatxBuf>> {
    let op = Op::Statx { dir: dir.cloned(), path, follow, out: StatxBuf::zeroed() };
    let outcome = finish(core.op(op).await).map_err(|errno| os_error("statx", shown, errno))?;
    match outcome.op {
        Op::Statx { out, .. } => Ok(out),
        _ => unreachable!("an op comes back as what it was"),
    }
}

async fn unlink(core: &Core, dir: Option<&File>, path: &Path, directory: bool) -> Result<()> {
    let dir = dir.map(|dir| dir.handle.clone());
    run(core, Op::Unlink { dir, path: c_path(path)?, directory }, path).await
}

async fn run(core: &Core, op: Op, path: &Path) -> Result<()> {
    let name = op.name();
    finish(core.op(op).await).map(drop).map_err(|errno| os_error(name, path, errno))
}
