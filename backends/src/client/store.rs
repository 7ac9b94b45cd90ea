//! One store, usable from any thread.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Engine, Region, block_on, borrow_all_blocking, borrow_blocking};

use super::{Hydrant, Task};
use crate::condition::ReadOptions;
use crate::error::Result;
use crate::object::{ListRequest, ObjectMeta, PutOptions};
use crate::pipeline::plan::WantedRange;
use crate::pipeline::{
    self, DeleteOptions, DeleteReport, GetOptions, GetStream, Keys, Listing, PieceStream,
    RangeInto, RangeRegion, RangesOptions, TransferLimits, Wanted, Writer, WriterOptions,
};
use crate::s3::S3Client;
use crate::store::{ObjectStore, Reader};

/// One place for objects: a bucket, the file system, a piece of memory. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    hydrant: Hydrant,
    inner: Arc<dyn ObjectStore>,
    limits: TransferLimits,
}

/// Ranges to be read, but for the memory.
struct PlannedRanges {
    readers: Vec<Arc<dyn Reader>>,
    places: Vec<WantedRange>,
    options: RangesOptions,
    limits: TransferLimits,
}

impl Store {
    pub(super) fn new(hydrant: &Hydrant, inner: Arc<dyn ObjectStore>) -> Store {
        Store { hydrant: hydrant.clone(), inner, limits: hydrant.inner.transfer }
    }

    /// The same store with other limits of transfers.
    pub fn with_transfer(self, limits: TransferLimits) -> Store {
        Store { limits, ..self }
    }

    /// A store of one's own making, to be used like the others.
    pub fn custom(hydrant: &Hydrant, store: Arc<dyn ObjectStore>) -> Store {
        Store::new(hydrant, store)
    }

    /// What is known of an object.
    pub fn head(&self, key: &str) -> Task<ObjectMeta> {
        let (store, key) = (Arc::clone(&self.inner), key.to_owned());
        Task::run(self.engine(), move |core| async move { store.head(&core, &key).await })
    }

    /// The same with options.
    pub fn head_with(&self, key: &str, options: &ReadOptions) -> Task<ObjectMeta> {
        let (store, key, options) = (Arc::clone(&self.inner), key.to_owned(), options.clone());
        Task::run(
            self.engine(),
            move |core| async move { store.head_with(&core, &key, &options).await },
        )
    }

    /// Streams an object, or a range of it, in order.
    ///
    /// # Errors
    /// A plan that makes no sense, or an engine that has stopped; the rest comes with the stream.
    pub fn get(&self, key: &str, options: GetOptions) -> Result<GetStream> {
        let limits = self.limits().with(options.part_size_bytes, options.connections);
        let reader = self.inner.reader_with(key, &options.read)?;
        let object = self.inner.uri_of(key);
        pipeline::start_get(self.engine(), reader, object, options.range, limits)
    }

    /// Streams an object, or a range of it, as pieces that say where they belong and come as soon as
    /// they are there.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_pieces(&self, key: &str, options: GetOptions) -> Result<PieceStream> {
        let limits = self.limits().with(options.part_size_bytes, options.connections);
        let reader = self.inner.reader_with(key, &options.read)?;
        let object = self.inner.uri_of(key);
        pipeline::start_pieces(self.engine(), reader, object, options.range, limits)
    }

    /// Reads a range into one buffer of the pool; shorter only where the object ends.
    pub fn get_range(&self, key: &str, range: Range<u64>) -> Task<Bytes> {
        self.get_range_with(key, range, &ReadOptions::default())
    }

    /// The same with options.
    pub fn get_range_with(
        &self,
        key: &str,
        range: Range<u64>,
        options: &ReadOptions,
    ) -> Task<Bytes> {
        let limits = self.limits();
        let (reader, object) = (self.inner.reader_with(key, options), self.inner.uri_of(key));
        Task::run(self.engine(), move |core| async move {
            pipeline::read_range(&core, reader?, object, range, limits).await
        })
    }

    /// Fills memory of the caller from `offset`, received straight into it; shorter only where the
    /// object ends. What the memory holds behind the count is not said: O_DIRECT reads whole blocks,
    /// and the kernel fills the last one with zeros (open(2)). Blocks this thread, and returns only
    /// when the kernel is done with the memory (OWN-3).
    ///
    /// # Errors
    /// The failure of any part; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn get_into(&self, key: &str, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.get_into_with(key, offset, into, &ReadOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Store::get_into`]; one of a condition that does not hold.
    pub fn get_into_with(
        &self,
        key: &str,
        offset: u64,
        into: &mut [u8],
        options: &ReadOptions,
    ) -> Result<usize> {
        refuse_on_a_core()?;
        borrow_blocking(into, |region| self.get_region_with(key, offset, region, options).wait())
    }

    /// Fills lent memory from `offset`, as [`Store::get_into`] does, without blocking. The count is
    /// short only where the object ends, and says nothing of the memory behind it; the memory is free
    /// once its owner has it back.
    pub fn get_region(&self, key: &str, offset: u64, region: Region) -> Task<usize> {
        self.get_region_with(key, offset, region, &ReadOptions::default())
    }

    /// The same with options.
    pub fn get_region_with(
        &self,
        key: &str,
        offset: u64,
        region: Region,
        options: &ReadOptions,
    ) -> Task<usize> {
        let limits = self.limits();
        let (reader, object) = (self.inner.reader_with(key, options), self.inner.uri_of(key));
        Task::run(self.engine(), move |core| async move {
            pipeline::read_into(&core, reader?, object, offset, region, limits).await
        })
    }

    /// Reads a whole object into one buffer of the pool. One that fits a part comes by one request; from S3 one that fits an
    /// eighth of what is free in the pool, too.
    pub fn get_whole(&self, key: &str) -> Task<(Bytes, ObjectMeta)> {
        self.get_whole_with(key, &ReadOptions::default())
    }

    /// The same with options.
    pub fn get_whole_with(&self, key: &str, options: &ReadOptions) -> Task<(Bytes, ObjectMeta)> {
        let limits = self.limits();
        let (reader, object) = (self.inner.reader_with(key, options), self.inner.uri_of(key));
        let rules = self.inner.part_rules();
        Task::run(self.engine(), move |core| async move {
            pipeline::read_whole(&core, reader?, object, limits, rules).await
        })
    }

    /// Fills many pieces of memory of the caller from as many ranges, of one object or of many, in
    /// one call. Near neighbours of one object are read with one request; the others are received
    /// straight into their places. What came of each is told in their order: bytes, short only where
    /// its object ends, or why it failed. Blocks this thread as [`Store::get_into`] does.
    ///
    /// # Errors
    /// None of the ranges is read; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn get_ranges_into(
        &self,
        ranges: &mut [RangeInto<'_>],
        options: RangesOptions,
    ) -> Result<Vec<Result<usize>>> {
        refuse_on_a_core()?;
        let named = ranges.iter().map(|range| (range.key, range.offset, range.into.len()));
        let planned = self.plan_ranges(named, options)?;
        let memory = ranges.iter_mut().map(|range| &mut *range.into).collect();
        borrow_all_blocking(memory, |regions| self.read_planned(planned, regions).wait())
    }

    /// Fills many pieces of lent memory, as [`Store::get_ranges_into`] does, without blocking. Each piece is
    /// free once its owner has it back.
    pub fn get_regions(
        &self,
        ranges: Vec<RangeRegion<'_>>,
        options: RangesOptions,
    ) -> Task<Vec<Result<usize>>> {
        let named = ranges.iter().map(|range| (range.key, range.offset, range.into.len()));
        match self.plan_ranges(named, options) {
            Ok(planned) => {
                self.read_planned(planned, ranges.into_iter().map(|range| range.into).collect())
            }
            Err(error) => Task::failed(error),
        }
    }

    /// Ranges by key, offset and length, each with the number of its reader.
    fn plan_ranges<'a>(
        &self,
        ranges: impl Iterator<Item = (&'a str, u64, usize)>,
        options: RangesOptions,
    ) -> Result<PlannedRanges> {
        let limits = self.limits().with(None, options.connections);
        let mut readers = Vec::new();
        let mut numbers = HashMap::new();
        let mut places = Vec::new();
        for (key, offset, len) in ranges {
            let object = match numbers.entry(key) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => {
                    readers.push(self.inner.reader_with(key, &options.read)?);
                    *place.insert(readers.len() - 1)
                }
            };
            places.push(WantedRange { object, offset, len: len as u64 });
        }
        Ok(PlannedRanges { readers, places, options, limits })
    }

    fn read_planned(
        &self,
        planned: PlannedRanges,
        regions: Vec<Region>,
    ) -> Task<Vec<Result<usize>>> {
        let PlannedRanges { readers, places, options, limits } = planned;
        let pairs = places.into_iter().zip(regions);
        let wanted = pairs.map(|(range, into)| Wanted { range, into }).collect();
        Task::run(self.engine(), move |core| async move {
            pipeline::read_ranges(&core, readers, wanted, &options, limits).await
        })
    }

    /// Writes a whole object from one piece of memory, without a copy.
    pub fn put(&self, key: &str, bytes: Bytes) -> Task<ObjectMeta> {
        self.put_with(key, bytes, PutOptions::default())
    }

    /// The same with options. What is larger than a part goes out in parts.
    pub fn put_with(&self, key: &str, bytes: Bytes, options: PutOptions) -> Task<ObjectMeta> {
        if bytes.len() as u64 > self.limits().part_size_bytes {
            let size_bytes = Some(bytes.len() as u64);
            let options = WriterOptions { put: options, size_bytes, ..WriterOptions::default() };
            let writer = self.writer_with(key, options);
            return Task::run(self.engine(), move |_| async move {
                let mut writer = writer?;
                writer.write_owned(bytes).await?;
                writer.finish().await
            });
        }
        let (store, key) = (Arc::clone(&self.inner), key.to_owned());
        Task::run(self.engine(), move |core| async move {
            let span = 0..bytes.len();
            store.put(&core, &key, bytes.into(), span, &options).await.0
        })
    }

    /// Writes an object as a stream of unknown length.
    ///
    /// # Errors
    /// Settings that make no sense; the rest comes with the writer.
    pub fn writer(&self, key: &str, options: PutOptions) -> Result<Writer> {
        self.writer_with(key, WriterOptions { put: options, ..WriterOptions::default() })
    }

    /// The same with a size that is known, or other limits.
    ///
    /// # Errors
    /// As [`Store::writer`].
    pub fn writer_with(&self, key: &str, options: WriterOptions) -> Result<Writer> {
        Writer::new(self.engine(), Arc::clone(&self.inner), key, options, self.limits())
    }

    /// Deletes an object.
    pub fn delete(&self, key: &str) -> Task<()> {
        let (store, key) = (Arc::clone(&self.inner), key.to_owned());
        Task::run(self.engine(), move |core| async move { store.delete(&core, &key).await })
    }

    /// Deletes the objects of these keys. One that cannot be deleted is in the report and stops none
    /// of the others.
    pub fn delete_keys(&self, keys: Vec<String>, options: DeleteOptions) -> Task<DeleteReport> {
        let store = Arc::clone(&self.inner);
        Task::run(self.engine(), move |core| async move {
            pipeline::delete(&core, store, Keys::Named(keys), options).await
        })
    }

    /// Deletes every object whose key begins with `prefix`, while the listing of them goes on. A
    /// page of the listing that fails is the error of the whole: what was found before is deleted,
    /// and nothing is known of the rest.
    pub fn delete_prefix(&self, prefix: &str, options: DeleteOptions) -> Task<DeleteReport> {
        let store = Arc::clone(&self.inner);
        let request = ListRequest { prefix: prefix.to_owned(), ..ListRequest::default() };
        Task::run(self.engine(), move |core| async move {
            pipeline::delete(&core, store, Keys::Listed(request), options).await
        })
    }

    /// Lists objects, a page at a time.
    pub fn list(&self, request: ListRequest) -> Listing {
        Listing::new(self.engine().clone(), Arc::clone(&self.inner), request)
    }

    /// The operations of S3 on the bucket, where this is one.
    pub fn s3(&self) -> Option<S3Client> {
        let store: &dyn Any = &*self.inner;
        Some(S3Client::new(self.engine(), store.downcast_ref()?))
    }

    /// The URI of a key in this store.
    pub fn uri_of(&self, key: &str) -> String {
        self.inner.uri_of(key)
    }

    /// The calls that run on a core.
    pub fn inner(&self) -> &Arc<dyn ObjectStore> {
        &self.inner
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.hydrant.engine()
    }

    /// How transfers with this store are cut.
    pub fn limits(&self) -> TransferLimits {
        self.limits
    }
}

/// On a core the end of a loan cannot be waited for: the work that has the memory may lie in the core's own
/// inbox. So nothing is lent there.
fn refuse_on_a_core() -> Result<()> {
    Ok(block_on(std::future::ready(()))?)
}
