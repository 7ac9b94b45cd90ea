//! Writing files: whole ones, and parts in any order from any core.

use std::ops::Range;
use std::sync::Arc;

use hydrant_engine::{Buf, Core};

use super::spot::Spot;
use super::temporary::{Guard, Temporary, or_left_behind};
use super::tree::Tree;
use crate::error::{ErrorKind, Result};
use crate::object::ObjectMeta;
use crate::pipeline::PartRequest;
use crate::store::{LocalFuture, PartTag, Upload};
use crate::upload::{Life, size_of_parts};

/// Writes an object from one buffer.
pub(super) async fn put(
    core: &Core,
    tree: &Arc<Tree>,
    key: &str,
    buf: Buf,
    span: Range<usize>,
) -> (Result<ObjectMeta>, Buf) {
    let guard = match create(core, tree, key).await {
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
) -> Result<Arc<dyn Upload>> {
    let guard = create(core, tree, key).await?;
    let temporary = guard.temporary();
    if let Some(size_bytes) = size_bytes
        && let Err(error) = temporary.told(temporary.file.allocate(core, size_bytes).await)
    {
        let removed = temporary.remove(core).await;
        guard.release();
        return Err(or_left_behind(error, removed));
    }
    let uri = tree.uri_of(key);
    Ok(Arc::new(FileUpload { uri, temporary: guard.release(), size_bytes, life: Life::default() }))
}

/// A file that is being written.
#[derive(Debug)]
struct FileUpload {
    uri: String,
    temporary: Temporary,
    size_bytes: Option<u64>,
    life: Life,
}

impl FileUpload {
    async fn write_part(
        &self,
        core: &Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
    ) -> (Result<PartTag>, Buf) {
        if let Err(error) = self.check(&part, &span) {
            return (Err(error), buf);
        }
        let (written, buf) = write(core, &self.temporary, buf, span, part.offset).await;
        (written.map(|()| PartTag { part, etag: None }), buf)
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
            Ok(size) => self.temporary.finish(core, size, self.size_bytes.unwrap_or(0)).await,
            Err(error) => Err(error),
        };
        match finished {
            Ok(meta) => {
                self.life.set_visible();
                Ok(meta)
            }
            Err(error) => Err(or_left_behind(error, self.throw_away(core).await)),
        }
    }

    async fn throw_away(&self, core: &Core) -> Result<()> {
        self.temporary.remove(core).await?;
        self.life.set_gone();
        Ok(())
    }
}

impl Upload for FileUpload {
    fn put_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, (Result<PartTag>, Buf)> {
        Box::pin(self.write_part(core, part, buf, span))
    }

    fn complete<'a>(
        &'a self,
        core: &'a Core,
        tags: &'a [PartTag],
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        Box::pin(self.finish(core, tags))
    }

    fn abort<'a>(&'a self, core: &'a Core) -> LocalFuture<'a, Result<()>> {
        Box::pin(async move {
            match self.life.begin_aborting(&self.uri)? {
                true => self.throw_away(core).await,
                false => Ok(()),
            }
        })
    }
}

async fn create(core: &Core, tree: &Arc<Tree>, key: &str) -> Result<Guard> {
    let spot = Spot::for_writing(core, tree, key).await?;
    Guard::create(core, tree, spot).await
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
