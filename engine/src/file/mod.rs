//! Files: O_DIRECT and buffered, opened, read, written, made durable, renamed.
//!
//! Every call is an op of the ring. Paths may be taken beneath a directory that was opened before,
//! without ever leaving it or following a symbolic link (SEC-2). What alignment O_DIRECT asks for
//! is read from `statx(2)` when a file is opened; a file system that refuses it gets buffered I/O,
//! and [`File::direct`] tells. This room knows nothing of objects.

mod direct;
mod hint;
mod open;
mod paths;
mod transfer;
mod unnamed;

use std::ffi::CString;
use std::fs::TryLockError;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use hint::AccessHint;
pub use open::OpenOptions;
pub use paths::{make_dir, metadata_beneath, remove_dir, remove_file, rename};
pub use unnamed::Unnamed;

use crate::cores::Core;
use crate::error::{Error, OsError, Result};
#[cfg(any(test, feature = "testing"))]
use crate::op::Descriptor;
use crate::op::{Handle, Op, Outcome, StatxBuf};
use crate::pool::Buf;
use crate::ring::LateOpcode;

/// The result of an op with a buffer: the buffer always comes back.
pub type BufResult<T, E = Error> = (Result<T, E>, Buf);

/// An open file or directory. Clones share it, and any core may use it.
#[derive(Debug, Clone)]
pub struct File {
    handle: Handle,
    path: Arc<Path>,
    direct: Direct,
    /// What the kernel was told; never [`AccessHint::Auto`].
    hint: AccessHint,
}

/// How a file is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direct {
    /// Through the page cache, as asked.
    Buffered,
    /// Past the page cache (O_DIRECT), with these alignments.
    Yes {
        /// Bytes that addresses in memory must be multiples of.
        memory_align: u32,
        /// Bytes that offsets and lengths must be multiples of.
        offset_align: u32,
    },
    /// O_DIRECT was asked for and refused by the file system; buffered I/O is used instead.
    Refused,
}

/// What `statx(2)` says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes.
    pub len_bytes: u64,
    /// Time of the last change of the contents.
    pub modified: SystemTime,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Device and inode: together they name the file, whatever its path.
    pub identity: (u64, u64),
}

impl File {
    /// Opens a path, relative ones from the working directory.
    ///
    /// # Errors
    /// The errno of `openat2(2)` with the path. A refusal of O_DIRECT is no error: see
    /// [`File::direct`].
    pub async fn open(core: &Core, path: &Path, options: &OpenOptions) -> Result<File> {
        open::open(core, None, path, options).await
    }

    /// Opens a path beneath this directory: never above it, never through a symbolic link
    /// (`RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`, Linux 5.6; SEC-2).
    ///
    /// # Errors
    /// As [`File::open`]; `EXDEV` and `ELOOP` when the path would leave.
    pub async fn open_beneath(
        &self,
        core: &Core,
        path: &Path,
        options: &OpenOptions,
    ) -> Result<File> {
        open::open(core, Some(self), path, options).await
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the page cache is passed by.
    pub fn direct(&self) -> Direct {
        self.direct
    }

    /// Fills `span` of `buf` from `offset`. The count is short only at the end of the file.
    ///
    /// On O_DIRECT files a whole block may be read: up to a block's worth of bytes behind the span is
    /// overwritten where the buffer has room for it. Of a span that begins within a block, or ends in one
    /// without such room, the parts of these two blocks go through a small bounce buffer; all of it
    /// does where the next block would come to lie at memory that is not aligned, and up to 64 KiB from
    /// within a block, for which one read is less than three. What is bounced is counted.
    ///
    /// # Errors
    /// The errno with path and offset, or no memory for a bounce buffer.
    pub fn read_at<'a>(
        &'a self,
        core: &'a Core,
        buf: impl Into<Buf>,
        span: Range<usize>,
        offset: u64,
    ) -> impl Future<Output = BufResult<usize>> {
        direct::read(core, self, buf.into(), span, offset)
    }

    /// Writes all of `span` of `buf` at `offset`.
    ///
    /// On O_DIRECT files `offset` must be aligned, and a length that is not is padded with zeros to
    /// the next block, in the buffer too where it has room, and over what the file had there:
    /// [`File::set_len`] cuts a file to its true length afterwards (decision 18 has the reasons).
    ///
    /// # Errors
    /// The errno with path and offset; nothing is known of the bytes after it.
    pub fn write_at<'a>(
        &'a self,
        core: &'a Core,
        buf: impl Into<Buf>,
        span: Range<usize>,
        offset: u64,
    ) -> impl Future<Output = BufResult<usize>> {
        direct::write(core, self, buf.into(), span, offset)
    }

    /// Makes contents and metadata durable. A failure is never retried as a success: the kernel may
    /// have dropped the pages, so the file has to be written again.
    ///
    /// # Errors
    /// The errno of `fsync(2)`.
    pub async fn sync_all(&self, core: &Core) -> Result<()> {
        self.simple(core, Op::Sync { file: self.handle.clone(), data_only: false }).await
    }

    /// Makes contents durable, and of the metadata what is needed to read them.
    ///
    /// # Errors
    /// As [`File::sync_all`].
    pub async fn sync_data(&self, core: &Core) -> Result<()> {
        self.simple(core, Op::Sync { file: self.handle.clone(), data_only: true }).await
    }

    /// Asks for blocks ahead; `false` where the file system cannot.
    ///
    /// # Errors
    /// `ENOSPC` and other errnos of `fallocate(2)`.
    pub async fn allocate(&self, core: &Core, len_bytes: u64) -> Result<bool> {
        if len_bytes == 0 {
            return Ok(true);
        }
        let op = Op::Allocate { file: self.handle.clone(), offset: 0, len: len_bytes };
        match self.simple(core, op).await {
            Err(Error::Os(error)) if error.errno == libc::EOPNOTSUPP => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// The errno of `ftruncate(2)`.
    pub async fn set_len(&self, core: &Core, len_bytes: u64) -> Result<()> {
        if core.supports(LateOpcode::Truncate) {
            let op = Op::Truncate { file: self.handle.clone(), len: len_bytes };
            return self.simple(core, op).await;
        }
        let copy = self.duplicate()?;
        let result = core.blocking(move || std::fs::File::from(copy).set_len(len_bytes)).await?;
        result.map_err(|e| OsError::from_io("ftruncate", self.path.display(), &e).into())
    }

    /// Takes the exclusive lock of flock(2) for whoever has this open file, without waiting for
    /// anybody; whether it is ours. It goes with the last clone, and with the process, however that
    /// ends.
    ///
    /// # Errors
    /// The errno of `flock(2)`.
    pub async fn try_lock(&self, core: &Core) -> Result<bool> {
        #[cfg(any(test, feature = "testing"))]
        if let Descriptor::Sim(simulated) = self.handle.descriptor() {
            return simulated.try_lock().map_err(|errno| self.error("flock", errno));
        }
        // The lock belongs to what both descriptors have open, so it stays when this one goes.
        let copy = std::fs::File::from(self.duplicate()?);
        match core.blocking(move || copy.try_lock()).await? {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(e)) => {
                Err(OsError::from_io("flock", self.path.display(), &e).into())
            }
        }
    }

    /// A descriptor of its own for the same open file, for calls that the engine has no op for. What may block belongs into [`Core::blocking`] (CORE-1).
    ///
    /// # Errors
    /// The errno of `dup(2)`; the simulator has no descriptors.
    pub fn duplicate(&self) -> Result<OwnedFd> {
        let copy = self.handle.duplicate();
        copy.map_err(|e| OsError::from_io("dup", self.path.display(), &e).into())
    }

    /// What `statx(2)` says now.
    ///
    /// # Errors
    /// The errno of `statx(2)`.
    pub async fn metadata(&self, core: &Core) -> Result<Metadata> {
        let statx = paths::statx(core, Some(&self.handle), c"".to_owned(), true, &self.path);
        statx.await.map(|out| Metadata::from_statx(&out))
    }

    async fn simple(&self, core: &Core, op: Op) -> Result<()> {
        let name = op.name();
        finish(core.op(op).await).map(drop).map_err(|errno| self.error(name, errno))
    }

    fn error(&self, operation: &'static str, errno: i32) -> Error {
        os_error(operation, &self.path, errno)
    }
}

impl Metadata {
    fn from_statx(out: &StatxBuf) -> Metadata {
        let out = &out.0;
        let kind = u32::from(out.stx_mode) & libc::S_IFMT;
        let seconds = Duration::from_secs(out.stx_mtime.tv_sec.unsigned_abs());
        let since = if out.stx_mtime.tv_sec >= 0 {
            SystemTime::UNIX_EPOCH + seconds
        } else {
            SystemTime::UNIX_EPOCH - seconds
        };
        Metadata {
            len_bytes: out.stx_size,
            modified: since + Duration::from_nanos(out.stx_mtime.tv_nsec.into()),
            is_file: kind == libc::S_IFREG,
            is_dir: kind == libc::S_IFDIR,
            identity: (
                u64::from(out.stx_dev_major) << 32 | u64::from(out.stx_dev_minor),
                out.stx_ino,
            ),
        }
    }
}

/// An outcome as a result; a core that stops answers `ECANCELED`.
fn finish(outcome: Outcome) -> Result<Outcome, i32> {
    match outcome.error {
        Some(errno) => Err(errno),
        None => Ok(outcome),
    }
}

fn os_error(operation: &'static str, path: &Path, errno: i32) -> Error {
    match errno {
        libc::ECANCELED => Error::Cancelled,
        _ => OsError::new(operation, path.display(), errno).into(),
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::InvalidInput(format!("the path {path:?} contains a NUL byte")))
}
