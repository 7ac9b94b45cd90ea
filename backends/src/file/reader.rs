//! Reads parts of one file, all of the same version (DATA-2).

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use hydrant_engine::{Buf, Core, File, Lease};

use super::tree::Tree;
use super::version::Version;
use crate::condition::ReadIf;
use crate::error::{ErrorKind, Result};
use crate::object::ObjectMeta;
use crate::pipeline::{Back, Fitted};
use crate::store::{LocalFuture, PartRead, ReadInfo, Reader};

/// A file to be read. It is opened by the first read and stays open: what its path comes to mean
/// later does not matter, and a change in place is noticed.
#[derive(Debug)]
pub(super) struct FileReader {
    tree: Arc<Tree>,
    key: String,
    read_if: Option<ReadIf>,
    opened: OnceLock<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    version: Version,
}

impl FileReader {
    pub(super) fn new(tree: Arc<Tree>, key: String, read_if: Option<ReadIf>) -> FileReader {
        FileReader { tree, key, read_if, opened: OnceLock::new() }
    }

    async fn open(&self, core: &Core) -> Result<&Opened> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let file = self.tree.open(core, &self.key).await?;
        let metadata = file.metadata(core).await?;
        let uri = || self.tree.uri_of(&self.key);
        if metadata.is_dir {
            let text = format!("{} is a directory; name a file in it", uri());
            return Err(ErrorKind::InvalidInput(text).into());
        }
        if !metadata.is_file {
            let text = format!("{} is a pipe, a socket or a device, not a regular file", uri());
            return Err(ErrorKind::InvalidInput(text).into());
        }
        let version = Version::from(&metadata);
        if let Some(read_if) = &self.read_if {
            read_if.check(&uri(), version.meta().etag.as_ref())?;
        }
        // Several cores may come here at once, even with different files where one was replaced in
        // between: the first one is what all of them read.
        Ok(self.opened.get_or_init(|| Opened { file, version }))
    }

    /// The open file and its version.
    pub(super) async fn opened(&self, core: &Core) -> Result<(&File, Version)> {
        let Opened { file, version } = self.open(core).await?;
        Ok((file, *version))
    }

    /// # Errors
    /// `Changed` where the file is another one than when it was opened.
    pub(super) async fn check_unchanged(&self, core: &Core) -> Result<Version> {
        let Opened { file, version } = self.open(core).await?;
        let now = Version::from(&file.metadata(core).await?);
        match version.difference(&now) {
            None => Ok(now),
            Some(detail) => {
                Err(ErrorKind::Changed { object: self.tree.uri_of(&self.key), detail }.into())
            }
        }
    }

    async fn read_part(
        &self,
        core: &Core,
        offset: u64,
        mut memory: Fitted,
        span: Range<usize>,
    ) -> PartRead {
        let opened = match self.open(core).await {
            Ok(opened) => opened,
            Err(error) => return PartRead { buf: memory.into_buf(false), result: Err(error) },
        };
        let object_bytes = opened.version.size_bytes;
        let left = object_bytes.saturating_sub(offset);
        let wanted = usize::try_from(left).map_or(span.len(), |left| left.min(span.len()));
        if wanted == 0 {
            return PartRead {
                buf: memory.into_buf(false),
                result: Ok(ReadInfo { len_bytes: 0, object_bytes, sum: None }),
            };
        }
        let span = span.start..span.start + wanted;
        memory.fit(&span);
        let (read, back) = opened.file.read_at(core, memory.take(), span, offset).await;
        memory.put_back(back);
        let result = match read {
            Ok(read) => self.checked(core, read, wanted).await,
            Err(error) => Err(error.into()),
        };
        PartRead { buf: memory.into_buf(result.is_ok()), result }
    }

    /// Looks after each read whether the file is still the one that was opened: what was read
    /// before a change is one version, what was read during or after it may be two.
    async fn checked(&self, core: &Core, read: usize, wanted: usize) -> Result<ReadInfo> {
        let now = self.check_unchanged(core).await?;
        if read != wanted {
            let object = self.tree.uri_of(&self.key);
            let detail = format!("a read gave {read} of {wanted} bytes before the end of the file");
            return Err(ErrorKind::Integrity { object, detail }.into());
        }
        Ok(ReadInfo { len_bytes: read, object_bytes: now.size_bytes, sum: None })
    }
}

impl Reader for FileReader {
    fn read<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        core.boxed(self.read_part(core, offset, Fitted::new(buf, Back::Lent), span))
    }

    fn read_to_keep<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        lease: Lease,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        core.boxed(self.read_part(core, offset, Fitted::new(lease.into(), Back::Fitting), span))
    }

    fn gives_pieces(&self) -> bool {
        true
    }

    fn meta(&self) -> Option<ObjectMeta> {
        self.opened.get().map(|opened| opened.version.meta())
    }
}
