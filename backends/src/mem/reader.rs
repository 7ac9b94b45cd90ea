//! Reads parts of one object in memory.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use hydrant_engine::{Buf, Core, Lease};

use super::object::Object;
use super::store::Shared;
use crate::condition::ReadIf;
use crate::error::{ErrorKind, Result};
use crate::object::ObjectMeta;
use crate::pipeline::{Back, Fitted};
use crate::store::{LocalFuture, PartRead, ReadInfo, Reader};

/// An object to be read. The first read pins the version; replacing or deleting the object later
/// does not matter (DATA-2).
#[derive(Debug)]
pub(super) struct MemReader {
    shared: Arc<Shared>,
    key: String,
    read_if: Option<ReadIf>,
    pinned: OnceLock<Arc<Object>>,
}

impl MemReader {
    pub(super) fn new(shared: Arc<Shared>, key: String, read_if: Option<ReadIf>) -> MemReader {
        MemReader { shared, key, read_if, pinned: OnceLock::new() }
    }

    fn object(&self) -> Result<&Arc<Object>> {
        if let Some(object) = self.pinned.get() {
            return Ok(object);
        }
        let object = self.shared.find(&self.key)?;
        if let Some(read_if) = &self.read_if {
            read_if.check(&self.shared.uri_of(&self.key), object.meta.etag.as_ref())?;
        }
        Ok(self.pinned.get_or_init(|| object))
    }

    fn read_part(
        &self,
        core: &Core,
        offset: u64,
        mut memory: Fitted,
        span: Range<usize>,
    ) -> PartRead {
        let result = self.copy(core, offset, &mut memory, span);
        PartRead { buf: memory.into_buf(result.is_ok()), result }
    }

    fn copy(
        &self,
        core: &Core,
        offset: u64,
        memory: &mut Fitted,
        span: Range<usize>,
    ) -> Result<ReadInfo> {
        let object = self.object()?;
        let left = object.meta.size_bytes.saturating_sub(offset);
        let wanted = usize::try_from(left).map_or(span.len(), |left| left.min(span.len()));
        let span = span.start..span.start + wanted;
        memory.fit(&span);
        let Some(to) = memory.as_mut().as_mut_slice().and_then(|memory| memory.get_mut(span))
        else {
            let text = "a read needs a buffer that can be written, and a span inside it";
            return Err(ErrorKind::InvalidInput(text.into()).into());
        };
        let len_bytes = object.copy_out(core.metrics(), offset, to);
        Ok(ReadInfo { len_bytes, object_bytes: object.meta.size_bytes, sum: None })
    }
}

impl Reader for MemReader {
    fn read<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        let memory = Fitted::new(buf, Back::Lent);
        core.boxed(async move { self.read_part(core, offset, memory, span) })
    }

    fn read_to_keep<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        lease: Lease,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        let memory = Fitted::new(lease.into(), Back::Fitting);
        core.boxed(async move { self.read_part(core, offset, memory, span) })
    }

    fn meta(&self) -> Option<ObjectMeta> {
        self.pinned.get().map(|object| object.meta.clone())
    }
}
