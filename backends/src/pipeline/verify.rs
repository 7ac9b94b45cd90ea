//! Whether two objects are the same bytes: both are read, and their checksums compared part by part.

use std::fmt;
use std::sync::Arc;

use hydrant_engine::Core;

use super::copy::Progress;
use super::fetch::fitting_part;
use super::limits::TransferLimits;
use super::plan::PartRequest;
use super::sums::{Sums, Unsummed, sum_of_part};
use crate::checksum::Crc64;
use crate::client::{Location, Task};
use crate::error::{ErrorKind, Result};
use crate::store::{ObjectStore, Reader};

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
    /// Parts that came wrong when they were read first and right when they were read again: what lies
    /// in the stores is the same, but something on the way is not to be trusted.
    pub healed_parts: u64,
}

/// Compares two objects of any two stores. A part that differs is read once more from both; one
/// that differs then too is [`ErrorKind::Integrity`], which says where it lies. An object whose parts
/// together do not have the checksum that its store tells is read once more, too.
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
    store: Arc<dyn ObjectStore>,
    key: String,
    name: String,
}

/// What came of reading an object.
struct Summed {
    sums: Sums,
    /// Reads more of the version that was read.
    reader: Arc<dyn Reader>,
    healed_parts: u64,
}

impl Object {
    fn at(location: &Location) -> Object {
        let store = Arc::clone(location.store.inner());
        Object { store, key: location.key.clone(), name: location.to_string() }
    }

    async fn summed(
        &self,
        core: &Core,
        part_bytes: u64,
        connections: usize,
        progress: Option<Progress>,
    ) -> Result<Summed> {
        let read = async || {
            let (reader, name) = (self.store.reader(&self.key), self.name.clone());
            let source = Arc::clone(&reader);
            let sums =
                Sums::read(core, source, name, part_bytes, connections, progress.clone()).await;
            sums.map(|sums| Summed { sums, reader, healed_parts: 0 })
        };
        let Unsummed { error, parts } = match read().await {
            Err(unsummed) if unsummed.error.is_of_parts() => unsummed,
            result => return result.map_err(|unsummed| unsummed.error),
        };
        core.report(format_args!("{error}; all of it is read once more"));
        let summed = read().await.map_err(|unsummed| unsummed.error)?;
        let again = &summed.sums.parts;
        let came_wrong = |(at, sum): &&(u64, Crc64)| again.get(*at as usize) != Some(sum);
        // The one that ended the reading is not among them, and may have been the only one.
        let healed_parts = parts.iter().filter(came_wrong).count().max(1) as u64;
        Ok(Summed { healed_parts, ..summed })
    }
}

impl Job {
    async fn run(self, core: &Core) -> Result<VerifyReport> {
        let part_bytes = fitting_part(&core.engine(), self.limits.part_size_bytes);
        let connections = self.limits.connections;
        let other = self.other.clone();
        let start = move |core: Core| async move {
            other.summed(&core, part_bytes, connections, None).await
        };
        let other = core.engine().on_core(core.index() + 1, start)?;
        let progress = self.progress.clone();
        let mut one = self.one.summed(core, part_bytes, connections, progress).await?;
        let other = other.await??;
        let size_bytes = one.sums.size_bytes;
        if size_bytes != other.sums.size_bytes {
            let detail = format!(
                "it has {} bytes, and {} has {size_bytes}",
                other.sums.size_bytes, self.one.name
            );
            return Err(ErrorKind::Integrity { object: self.other.name, detail }.into());
        }
        let differing: Vec<_> = one.sums.differing(&other.sums).collect();
        for part in &differing {
            let readers = [&one.reader, &other.reader];
            one.sums.parts[part.index as usize] = self.read_again(core, readers, *part).await?;
        }
        let healed_parts = one.healed_parts + other.healed_parts + differing.len() as u64;
        Ok(VerifyReport { bytes: size_bytes, crc64nvme: one.sums.whole(), healed_parts })
    }

    /// Reads a part that differed once more from both; its sum, if they agree now.
    async fn read_again(
        &self,
        core: &Core,
        [one, other]: [&Arc<dyn Reader>; 2],
        part: PartRequest,
    ) -> Result<Crc64> {
        let one = sum_of_part(core, one, part).await?;
        let other = sum_of_part(core, other, part).await?;
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
