//! Reads parts of one object in memory.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use hydrant_engine::{Buf, Core};

use super::object::Object;
use super::store::Shared;
use crate::condition::ReadIf;
use crate::error::{ErrorKind, Result};
use crate::object::ObjectMeta;
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

    fn copy(
        &self,
        core: &Core,
        offset: u64,
        buf: &mut Buf,
        span: Range<usize>,
    ) -> Result<ReadInfo> {
        let object = self.object()?;
        let Some(to) = buf.as_mut_slice().and_then(|memory| memory.get_mut(span)) else {
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
        mut buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        core.boxed(async move {
            let result = self.copy(core, offset, &mut buf, span);
            PartRead { buf, result }
        })
    }

    fn meta(&self) -> Option<ObjectMeta> {
        self.pinned.get().map(|object| object.meta.clone())
    }
}
