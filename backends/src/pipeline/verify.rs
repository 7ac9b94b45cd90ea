//! Whether two objects are the same bytes: both are read, and their checksums compared part by part.

use std::fmt;
use std::sync::Arc;

use hydrant_engine::Core;

use super::copy::Progress;
use super::fetch::fitting_part;
use super::limits::TransferLimits;
use super::plan::PartRequest;
use super::sums::{Sums, sum_of_part};
use crate::checksum::Crc64;
use crate::client::{Location, Task};
use crate::error::{ErrorKind, Result};
use crate::store::Reader;

/// How two objects are compared.
#[derive(Clone, Default)]
pub struct VerifyOptions {
    /// Bytes of a part instead of the default.
    pub part_size_bytes: Option<u64>,
    /// Parts of each object under way at once instead of the default.
    pub connections: Option<usize>,
    /// Called from the cores after each part of the first object; it must not block.
    pub progress: Option<Progress>,
}

/// What two objects that are the same are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Bytes of each.
    pub bytes: u64,
    /// The checksum of each.
    pub crc64nvme: Crc64,
    /// Parts that differed when they were read first and not when they were read again: what lies
    /// in the stores is the same, but something on the way is not to be trusted.
    pub healed_parts: u64,
}

/// Compares two objects of any two stores. A part that differs is read once more from both; one
/// that differs then too is [`ErrorKind::Integrity`], which says where it lies.
pub fn verify(one: &Location, other: &Location, options: VerifyOptions) -> Task<VerifyReport> {
    let job = Job {
        one: Object::at(one),
        other: Object::at(other),
        limits: one.store.limits().with(options.part_size_bytes, options.connections),
        progress: options.progress,
    };
    Task::run(one.store.engine(), move |core| async move { job.run(&core).await })
}

struct Job {
    one: Object,
    other: Object,
    limits: TransferLimits,
    progress: Option<Progress>,
}

#[derive(Clone)]
struct Object {
    reader: Arc<dyn Reader>,
    name: String,
}

impl Object {
    fn at(location: &Location) -> Object {
        let reader = location.store.inner().reader(&location.key);
        Object { reader, name: location.to_string() }
    }

    async fn sums(
        self,
        core: &Core,
        part_bytes: u64,
        connections: usize,
        progress: Option<Progress>,
    ) -> Result<Sums> {
        Sums::read(core, self.reader, self.name, part_bytes, connections, progress).await
    }
}

impl Job {
    async fn run(self, core: &Core) -> Result<VerifyReport> {
        let part_bytes = fitting_part(&core.engine(), self.limits.part_size_bytes);
        let connections = self.limits.connections;
        let other = self.other.clone();
        let start =
            move |core: Core| async move { other.sums(&core, part_bytes, connections, None).await };
        let other = core.engine().on_core(core.index() + 1, start)?;
        let progress = self.progress.clone();
        let mut one = self.one.clone().sums(core, part_bytes, connections, progress).await?;
        let other = other.await??;
        if one.size_bytes != other.size_bytes {
            let detail = format!(
                "it has {} bytes, and {} has {}",
                other.size_bytes, self.one.name, one.size_bytes
            );
            return Err(ErrorKind::Integrity { object: self.other.name, detail }.into());
        }
        let differing: Vec<_> = one.differing(&other).collect();
        for part in &differing {
            one.parts[part.index as usize] = self.read_again(core, *part).await?;
        }
        let (bytes, healed_parts) = (one.size_bytes, differing.len() as u64);
        Ok(VerifyReport { bytes, crc64nvme: one.whole(), healed_parts })
    }

    /// Reads a part that differed once more from both; its sum, if they agree now.
    async fn read_again(&self, core: &Core, part: PartRequest) -> Result<Crc64> {
        let one = sum_of_part(core, &self.one.reader, part).await?;
        let other = sum_of_part(core, &self.other.reader, part).await?;
        if one == other {
            return Ok(one);
        }
        let (object, from, range) = (self.other.name.clone(), &self.one.name, part.range());
        let detail = format!(
            "bytes {}..{} differ from those of {from}: CRC-64/NVME {other}, not {one}",
            range.start, range.end
        );
        Err(ErrorKind::Integrity { object, detail }.into())
    }
}

impl fmt::Debug for VerifyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyOptions")
            .field("part_size_bytes", &self.part_size_bytes)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
