//! Writing files: whole ones, and parts in any order from any core.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use hydrant_engine::{Buf, Core, Error as EngineError};

use super::journal::{self, Journal};
use super::key;
use super::spot::Spot;
use super::temporary::{Guard, Temporary, or_left_behind};
use super::tree::Tree;
use crate::checksum::{Crc64, Sum};
use crate::condition::WriteIf;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{ObjectMeta, PutOptions};
use crate::pipeline::PartRequest;
use crate::store::{KeptPart, LocalFuture, PartTag, Resumed, Upload, UploadSource};
use crate::upload::{Life, size_of_parts};

/// Writes an object from one buffer.
pub(super) async fn put(
    core: &Core,
    tree: &Arc<Tree>,
    key: &str,
    buf: Buf,
    span: Range<usize>,
    options: &PutOptions,
) -> (Result<ObjectMeta>, Buf) {
    let guard = match create_if(core, tree, key, options).await {
        Ok(guard) => guard,
        Err(error) => return (Err(error), buf),
    };
    let temporary = guard.temporary();
    let size_bytes = span.len() as u64;
    let (written, buf) = write(core, &temporary, buf, span, 0).await;
    let result = match written {
        Ok(()) => temporary.finish(core, size_bytes, 0).await,
        Err(error) => Err(error),
    };
    let result = match result {
        Ok(meta) => Ok(meta),
        Err(error) => Err(or_left_behind(error, temporary.remove(core).await)),
    };
    guard.release();
    (result, buf)
}

/// Begins an upload in parts, with its blocks asked for ahead where the size is known.
pub(super) async fn begin(
    core: &Core,
    tree: &Arc<Tree>,
    key: &str,
    size_bytes: Option<u64>,
    options: &PutOptions,
) -> Result<Arc<dyn Upload>> {
    let guard = create_if(core, tree, key, options).await?;
    let temporary = guard.temporary();
    if let Some(size_bytes) = size_bytes
        && let Err(error) = temporary.told(temporary.file.allocate(core, size_bytes).await)
    {
        let removed = temporary.remove(core).await;
        guard.release();
        return Err(or_left_behind(error, removed));
    }
    let temporary = guard.release();
    let (uri, journal, life) = (tree.uri_of(key), None, Life::default());
    let lost = AtomicBool::new(false);
    Ok(Arc::new(FileUpload { uri, temporary, size_bytes, journal, life, lost }))
}

/// Carries on with a temporary that was kept, or begins one that can be carried on.
pub(super) async fn resume(
    core: &Core,
    tree: &Arc<Tree>,
    key: &str,
    source: &UploadSource,
) -> Result<Resumed> {
    let (upload, began_anew) = carry_on(core, tree, key, source).await?;
    Ok(Resumed { upload: Arc::new(upload), began_anew })
}

pub(super) async fn carry_on(
    core: &Core,
    tree: &Arc<Tree>,
    key: &str,
    source: &UploadSource,
) -> Result<(FileUpload, Option<String>)> {
    let head = journal::head_of(source, &[])?;
    let spot = Spot::for_writing(core, tree, key).await?;
    let (name, journal_name) = key::kept_names(&spot.name);
    let journal = Journal::open(core, &spot, journal_name, &spot.path_of(&spot.name)).await?;
    let found = journal.head(core).await?;
    let mut began_anew = journal::difference(&found, &head).filter(|_| !found.is_empty());
    let mut kept = None;
    if found == head {
        match Temporary::open_kept(core, tree, &spot, &name).await {
            Ok(temporary) => kept = Some(temporary),
            Err(error) if error.errno() == Some(libc::ENOENT) => {
                began_anew = Some("what had come is gone".into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let temporary = match kept {
        Some(temporary) => temporary,
        None => {
            journal.clear(core).await?;
            let temporary = Temporary::begin_kept(core, tree, &spot, &name).await?;
            let allocated = temporary.file.allocate(core, source.size_bytes).await;
            if let Err(error) = temporary.told(allocated) {
                // Nothing has come yet, so nothing is to be kept.
                let removed = temporary.remove(core).await.and(journal.remove(core).await);
                return Err(or_left_behind(error, removed));
            }
            journal.begin(core, head).await?;
            temporary
        }
    };
    let (uri, size_bytes) = (tree.uri_of(key), Some(source.size_bytes));
    let (journal, life, lost) = (Some(journal), Life::default(), AtomicBool::new(false));
    Ok((FileUpload { uri, temporary, size_bytes, journal, life, lost }, began_anew))
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct FileUpload {
    uri: String,
    temporary: Temporary,
    size_bytes: Option<u64>,
    /// For a file that is kept when its writing ends early.
    journal: Option<Journal>,
    life: Life,
    /// What was written may not be on disk though it reads back, so nothing is to be carried on.
    lost: AtomicBool,
}

impl FileUpload {
    async fn write_part(
        &self,
        core: &Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
        sum: Option<Sum>,
    ) -> (Result<PartTag>, Buf) {
        if let Err(error) = self.check(&part, &span) {
            return (Err(error), buf);
        }
        // Summed before the write: direct writes may pad the buffer behind the span.
        let summed = || Crc64::known_or_of(sum, &buf.as_slice()[span.clone()]);
        let crc = self.journal.as_ref().map(|_| summed());
        let (written, buf) = write(core, &self.temporary, buf, span, part.offset).await;
        let noted = match (written, &self.journal, crc) {
            (Ok(()), Some(journal), Some(crc)) => journal.note(core, part.index, crc, "").await,
            (written, _, _) => written,
        };
        (noted.map(|()| PartTag { part, etag: None, sum: None }), buf)
    }

    async fn write_piece(
        &self,
        core: &Core,
        part: PartRequest,
        at: u64,
        buf: Buf,
        len: usize,
    ) -> (Result<()>, Buf) {
        let piece = PartRequest { offset: part.offset + at, len: len as u64, ..part };
        match self.check(&piece, &(0..len)) {
            Ok(()) => write(core, &self.temporary, buf, 0..len, piece.offset).await,
            Err(error) => (Err(error), buf),
        }
    }

    /// Looks whether a part came before: its checksum is in the journal, and what lies in the
    /// temporary has it.
    async fn look_for(
        &self,
        core: &Core,
        part: PartRequest,
        buf: Buf,
    ) -> (Result<Option<KeptPart>>, Buf) {
        let noted = match &self.journal {
            None => Ok(None),
            Some(journal) => journal.sum_of(core, part.index, "").await,
        };
        let sum = match noted {
            Ok(Some(sum)) => sum,
            other => return (other.map(|_| None), buf),
        };
        let span = 0..part.len as usize;
        let read = self.temporary.file.read_at(core, buf, span.clone(), part.offset).await;
        let (read, mut buf) = read;
        let kept = self.temporary.told(read).map(|read| {
            let memory = buf.as_mut_slice().and_then(|memory| memory.get(span));
            let whole = memory.filter(|_| read as u64 == part.len);
            let is_there = whole.is_some_and(|bytes| Crc64::of(bytes) == sum);
            let tag = PartTag { part, etag: None, sum: None };
            is_there.then_some(KeptPart { tag, crc64nvme: sum, in_memory: true })
        });
        (kept, buf)
    }

    fn check(&self, part: &PartRequest, span: &Range<usize>) -> Result<()> {
        self.life.check_open(&self.uri)?;
        let uri = &self.uri;
        if span.len() as u64 != part.len {
            let text =
                format!("part {} of {uri} has {} bytes, not {}", part.index, part.len, span.len());
            return Err(ErrorKind::InvalidInput(text).into());
        }
        let end = part.offset.checked_add(part.len);
        if end.is_none_or(|end| self.size_bytes.is_some_and(|size| end > size)) {
            let text =
                format!("part {} of {uri} lies beyond the size that was announced", part.index);
            return Err(ErrorKind::InvalidInput(text).into());
        }
        Ok(())
    }

    async fn finish(&self, core: &Core, tags: &[PartTag]) -> Result<ObjectMeta> {
        self.life.begin_completing(&self.uri)?;
        let finished = match size_of_parts(&self.uri, tags, self.size_bytes) {
            Ok(size_bytes) => self.make_visible(core, size_bytes).await,
            Err(error) => Err(error),
        };
        self.conclude(core, finished).await
    }

    async fn make_visible(&self, core: &Core, size_bytes: u64) -> Result<ObjectMeta> {
        // What was kept may have been padded by whoever began it, past the page cache.
        let allocated = if self.journal.is_some() { Some(u64::MAX) } else { self.size_bytes };
        self.temporary.cut(core, size_bytes, allocated.unwrap_or(0)).await?;
        self.temporary.sync(core).await.map_err(|error| self.not_synced(error))?;
        self.temporary.give_name(core, size_bytes).await
    }

    /// The sync failed. Where it was refused by the kernel, the checksums of a copy that is carried
    /// on would find in memory what the disk does not have, and no later sync would tell.
    pub(super) fn not_synced(&self, error: EngineError) -> Error {
        if self.journal.is_none() || error.errno().is_none() {
            return error.into();
        }
        self.lost.store(true, SeqCst);
        ErrorKind::Lost { object: self.temporary.path(), source: error }.into()
    }

    /// What becomes of the temporary and its journal.
    pub(super) async fn conclude(
        &self,
        core: &Core,
        finished: Result<ObjectMeta>,
    ) -> Result<ObjectMeta> {
        match finished {
            Ok(meta) => {
                self.life.set_visible();
                self.forget_journal(core).await;
                Ok(meta)
            }
            // It has its name; there is nothing to throw away or to carry on.
            Err(error) if matches!(error.kind(), ErrorKind::NotDurable { .. }) => {
                self.life.set_visible();
                self.forget_journal(core).await;
                Err(error)
            }
            // It can be carried on: whoever wanted it kept asks for the rest.
            Err(error) if self.kept_in().is_some() => Err(error),
            Err(error) => Err(or_left_behind(error, self.throw_away(core).await)),
        }
    }

    async fn throw_away(&self, core: &Core) -> Result<()> {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.clear(core).await
        {
            // Removing both does as well; where that fails too, it is what is told.
            core.report(format_args!("a journal could not be cleared: {error}"));
        }
        // The journal last: until its name goes nobody else begins a copy under these names.
        self.temporary.remove(core).await?;
        if let Some(journal) = &self.journal {
            journal.remove(core).await?;
        }
        self.life.set_gone();
        Ok(())
    }

    async fn forget_journal(&self, core: &Core) {
        if let Some(journal) = &self.journal {
            journal.forget(core).await;
        }
    }
}

impl Upload for FileUpload {
    fn put_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
        sum: Option<Sum>,
    ) -> LocalFuture<'a, (Result<PartTag>, Buf)> {
        core.boxed(self.write_part(core, part, buf, span, sum))
    }

    fn takes_pieces(&self) -> bool {
        // A part is noted with a checksum, once all of it is there.
        self.journal.is_none()
    }

    fn put_piece<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        at: u64,
        buf: Buf,
        len: usize,
    ) -> LocalFuture<'a, (Result<()>, Buf)> {
        core.boxed(self.write_piece(core, part, at, buf, len))
    }

    fn complete<'a>(
        &'a self,
        core: &'a Core,
        tags: &'a [PartTag],
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(self.finish(core, tags))
    }

    fn kept_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
    ) -> LocalFuture<'a, (Result<Option<KeptPart>>, Buf)> {
        core.boxed(self.look_for(core, part, buf))
    }

    fn kept_in(&self) -> Option<String> {
        let kept = self.journal.is_some() && !self.lost.load(SeqCst);
        kept.then(|| self.temporary.path())
    }

    fn abort<'a>(&'a self, core: &'a Core) -> LocalFuture<'a, Result<()>> {
        core.boxed(async move {
            match self.life.begin_aborting(&self.uri)? {
                true => self.throw_away(core).await,
                false => Ok(()),
            }
        })
    }
}

/// The temporary of an object that will be `key`.
pub(super) async fn create(core: &Core, tree: &Arc<Tree>, key: &str) -> Result<Guard> {
    let spot = Spot::for_writing(core, tree, key).await?;
    Guard::create(core, tree, spot).await
}

/// The same under a condition.
async fn create_if(
    core: &Core,
    tree: &Arc<Tree>,
    key: &str,
    options: &PutOptions,
) -> Result<Guard> {
    if let Some(WriteIf::Is(_)) = options.write_if {
        let uri = tree.uri_of(key);
        let text = format!("{uri} cannot be compared and replaced in one step, as no file can");
        return Err(ErrorKind::Unsupported(text).into());
    }
    let mut guard = create(core, tree, key).await?;
    guard.replaces = options.write_if.is_none();
    Ok(guard)
}

/// Writes all of `span`.
async fn write(
    core: &Core,
    temporary: &Temporary,
    buf: Buf,
    span: Range<usize>,
    offset: u64,
) -> (Result<()>, Buf) {
    if span.is_empty() {
        return (Ok(()), buf);
    }
    let wanted = span.len();
    let (written, buf) = temporary.file.write_at(core, buf, span, offset).await;
    let result = temporary.told(written).and_then(|written| match written == wanted {
        true => Ok(()),
        false => {
            let object = temporary.path();
            let detail = format!("{written} of {wanted} bytes were written at offset {offset}");
            Err(ErrorKind::Integrity { object, detail }.into())
        }
    });
    (result, buf)
}
