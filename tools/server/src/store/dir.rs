//! Steps through directories that never follow a link and never leave the root (SEC-2).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, Result};

/// New files and directories leave the permissions to the umask.
const FILE_MODE: Mode = Mode::from_bits_retain(0o666);
const DIR_MODE: Mode = Mode::from_bits_retain(0o777);

/// Opens the directory `name`; `NOTDIR` if it is anything else, a link to a directory too.
pub(crate) fn open_dir(at: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// Opens the directory at the end of `names`.
pub(crate) fn walk(at: impl AsFd, names: &[OsString]) -> Result<OwnedFd> {
    let mut dir = rustix::io::fcntl_dupfd_cloexec(at, 0)?;
    for name in names {
        dir = open_dir(&dir, name)?;
    }
    Ok(dir)
}

/// How far [`make_dirs`] came.
pub(crate) enum Made {
    /// The directory at the end of the names.
    All(OwnedFd),
    /// `name` in `parent` is something else than a directory.
    Blocked { parent: OwnedFd, name: OsString },
}

/// Like [`walk`], and makes what is missing.
pub(crate) fn make_dirs(at: impl AsFd, names: &[OsString], durable: bool) -> Result<Made> {
    let mut dir = rustix::io::fcntl_dupfd_cloexec(at, 0)?;
    for name in names {
        dir = loop {
            match open_dir(&dir, name) {
                Ok(next) => break next,
                // Whoever was first with the name, a look tells whether it is a directory now.
                Err(Errno::NOENT) => match rustix::fs::mkdirat(&dir, name, DIR_MODE) {
                    Ok(()) if durable => rustix::fs::fsync(&dir)?,
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                },
                Err(Errno::NOTDIR) => {
                    return Ok(Made::Blocked { parent: dir, name: name.clone() });
                }
                Err(error) => return Err(error),
            }
        };
    }
    Ok(Made::All(dir))
}

/// Opens a regular file for reading; `None` if there is none of that name.
pub(crate) fn open_file(at: impl AsFd, name: &OsStr) -> Result<Option<File>> {
    // NONBLOCK: a FIFO put there by other means must not hold the thread until somebody writes to it.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(at, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(error) if is_absence(error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    Ok((kind == FileType::RegularFile).then(|| File::from(file)))
}

/// Makes a file that must not exist yet, open for reading and writing.
pub(crate) fn create_file(at: impl AsFd, name: &OsStr) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, FILE_MODE)?.into())
}

/// What `name` is, without following it; `None` if there is nothing.
pub(crate) fn kind(at: impl AsFd, name: &OsStr) -> Result<Option<FileType>> {
    match rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(error) if is_absence(error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a directory; an existing one is an error.
pub(crate) fn make_dir(at: impl AsFd, name: &OsStr) -> Result<()> {
    rustix::fs::mkdirat(at, name, DIR_MODE)
}

/// Removes a file; whether there was one.
pub(crate) fn remove_file(at: impl AsFd, name: &OsStr) -> Result<bool> {
    match rustix::fs::unlinkat(at, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(error) if is_absence(error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an error says that the name leads nowhere: nothing there, a file on the way, or a link.
pub(crate) fn is_absence(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO)
}
