//! Opening files, with and without O_DIRECT.

use std::path::Path;

use super::{AccessHint, Direct, File, c_path, finish, hint, os_error, paths};
use crate::cores::Core;
use crate::error::{Error, Result};
use crate::metrics::add;
use crate::op::{Handle, Op, OpenHow};
use crate::trace::event;

/// How a file is opened; starts with nothing allowed.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    create: bool,
    create_new: bool,
    truncate: bool,
    directory: bool,
    direct: bool,
    hint: AccessHint,
    unnamed: bool,
}

impl OpenOptions {
    /// Nothing allowed yet.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// Allows reading.
    pub fn read(mut self) -> Self {
        self.read = true;
        self
    }

    /// Allows writing.
    pub fn write(mut self) -> Self {
        self.write = true;
        self
    }

    /// Makes the file if it is not there (mode 0666 less the umask).
    pub fn create(mut self) -> Self {
        self.create = true;
        self
    }

    /// Makes the file, and fails with `EEXIST` if it is there.
    pub fn create_new(mut self) -> Self {
        self.create_new = true;
        self
    }

    /// Cuts the file to length 0.
    pub fn truncate(mut self) -> Self {
        self.truncate = true;
        self
    }

    /// Opens a directory, to take paths beneath it or to sync it.
    pub fn directory(mut self) -> Self {
        self.directory = true;
        self
    }

    /// Asks to pass the page cache by.
    pub fn direct(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    /// Tells how the file will be read and written, where that goes through the page cache.
    pub fn hint(mut self, hint: AccessHint) -> Self {
        self.hint = hint;
        self
    }

    /// The same for a file that is made without a name.
    pub(super) fn unnamed(&self) -> OpenOptions {
        OpenOptions {
            read: self.read,
            write: true,
            direct: self.direct,
            hint: self.hint,
            unnamed: true,
            ..OpenOptions::default()
        }
    }

    fn flags(&self) -> i32 {
        let access = match (self.read, self.write) {
            (true, true) => libc::O_RDWR,
            (false, true) => libc::O_WRONLY,
            _ => libc::O_RDONLY,
        };
        let when = |on: bool, flag: i32| if on { flag } else { 0 };
        access
            | libc::O_CLOEXEC
            | when(self.create || self.create_new, libc::O_CREAT)
            | when(self.create_new, libc::O_EXCL)
            | when(self.truncate, libc::O_TRUNC)
            | when(self.directory, libc::O_DIRECTORY)
            | when(self.unnamed, libc::O_TMPFILE)
    }
}

/// Block size assumed until `statx(2)` has told.
const ASSUMED_ALIGN: u32 = 4096;

pub(super) async fn open(
    core: &Core,
    dir: Option<&File>,
    path: &Path,
    options: &OpenOptions,
) -> Result<File> {
    if !options.direct {
        let handle = open_once(core, dir, path, options.flags(), 0).await?;
        return buffered(core, path, options, handle, Direct::Buffered).await;
    }
    let flags = options.flags() | libc::O_DIRECT;
    match open_once(core, dir, path, flags, ASSUMED_ALIGN).await {
        Ok(handle) => with_alignment(core, dir, path, options, handle).await,
        // The file may have been made by the call that was refused (ext4 and ramfs differ).
        Err(Error::Os(error)) if error.errno == libc::EINVAL => {
            reopen_buffered(core, dir, path, options).await
        }
        Err(error) => Err(error),
    }
}

/// Reads the alignment that the file asks for. Zero means that O_DIRECT is not supported although
/// the open succeeded (statx(2), `STATX_DIOALIGN`, Linux 6.1).
async fn with_alignment(
    core: &Core,
    dir: Option<&File>,
    path: &Path,
    options: &OpenOptions,
    handle: Handle,
) -> Result<File> {
    let out = paths::statx(core, Some(&handle), c"".to_owned(), true, path).await?;
    let told = out.0.stx_mask & libc::STATX_DIOALIGN != 0;
    if told && out.0.stx_dio_offset_align == 0 {
        drop(handle);
        return reopen_buffered(core, dir, path, options).await;
    }
    let (memory_align, offset_align) = if told {
        (out.0.stx_dio_mem_align.max(1), out.0.stx_dio_offset_align)
    } else {
        (ASSUMED_ALIGN, ASSUMED_ALIGN)
    };
    handle.set_direct_align(offset_align);
    let direct = Direct::Yes { memory_align, offset_align };
    Ok(File { handle, path: path.into(), direct, hint: AccessHint::Normal })
}

async fn reopen_buffered(
    core: &Core,
    dir: Option<&File>,
    path: &Path,
    options: &OpenOptions,
) -> Result<File> {
    let again = OpenOptions {
        create: options.create || options.create_new,
        create_new: false,
        ..options.clone()
    };
    let handle = open_once(core, dir, path, again.flags(), 0).await?;
    add(&core.counters().fallbacks_buffered, 1);
    event!(INFO, "{} is opened through the page cache: O_DIRECT is refused", path.display());
    buffered(core, path, options, handle, Direct::Refused).await
}

async fn buffered(
    core: &Core,
    path: &Path,
    options: &OpenOptions,
    handle: Handle,
    direct: Direct,
) -> Result<File> {
    let hint = match options.directory {
        true => AccessHint::Normal,
        false => hint::give(core, &handle, path, options.hint).await?,
    };
    Ok(File { handle, path: path.into(), direct, hint })
}

async fn open_once(
    core: &Core,
    dir: Option<&File>,
    path: &Path,
    flags: i32,
    direct_align: u32,
) -> Result<Handle> {
    let creates = flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE;
    let how = OpenHow {
        flags: flags as u32 as u64,
        mode: if creates { 0o666 } else { 0 },
        resolve: if dir.is_some() { libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS } else { 0 },
    };
    let op = Op::Open {
        dir: dir.map(|dir| dir.handle.clone()),
        path: c_path(path)?,
        how: Box::new(how),
        direct_align,
    };
    let outcome = finish(core.op(op).await).map_err(|errno| os_error("open", path, errno))?;
    outcome.handle.ok_or_else(|| os_error("open", path, libc::EBADF))
}
