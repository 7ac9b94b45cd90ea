//! The checksums of an object, part by part, and of the whole.

use std::sync::{Arc, Mutex, PoisonError};

use hydrant_engine::{Core, Lease};

use super::copy::Progress;
use super::each_part::{First, Sink, each_part};
use super::plan::PartRequest;
use super::workers::memory;
use crate::checksum::{Crc64, Sum, compose};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{KeptPart, Reader};

/// Sums of all parts of an object, which are of one size but for the last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) size_bytes: u64,
    pub(super) part_size_bytes: u64,
    pub(super) parts: Vec<Crc64>,
}

/// An object that was not read to its end, or whose parts together are not the object.
#[derive(Debug)]
pub(super) struct Unsummed {
    pub(super) error: Error,
    /// The sums of parts that had come, by their number.
    pub(super) parts: Vec<(u64, Crc64)>,
}

impl From<Error> for Unsummed {
    fn from(error: Error) -> Unsummed {
        Unsummed { error, parts: Vec::new() }
    }
}

impl Sums {
    /// Reads an object and sums it.
    pub(super) async fn read(
        core: &Core,
        reader: Arc<dyn Reader>,
        object: String,
        part_size_bytes: u64,
        connections: usize,
        progress: Option<Progress>,
    ) -> Result<Sums, Unsummed> {
        let first = First::read(core, &reader, part_size_bytes).await?;
        let size_bytes = first.info.object_bytes;
        let summing = Summing { sums: Arc::default(), size_bytes, progress };
        let sums = Arc::clone(&summing.sums);
        let read = each_part(core, reader, object, first, connections, summing).await;
        let sums = std::mem::take(&mut *sums.lock().unwrap_or_else(PoisonError::into_inner));
        match read {
            Ok(()) => Ok(Sums::of_parts(size_bytes, part_size_bytes, sums.parts)?),
            Err(error) => Err(Unsummed { error, parts: sums.parts }),
        }
    }

    /// From the sums of parts in any order.
    pub(super) fn of_parts(
        size_bytes: u64,
        part_size_bytes: u64,
        mut parts: Vec<(u64, Crc64)>,
    ) -> Result<Sums> {
        parts.sort_by_key(|(index, _)| *index);
        let whole = size_bytes.div_ceil(part_size_bytes) == parts.len() as u64;
        if !whole || parts.iter().enumerate().any(|(at, (index, _))| at as u64 != *index) {
            let text = format!("sums of {} parts are not those of {size_bytes} bytes", parts.len());
            return Err(ErrorKind::InvalidInput(text).into());
        }
        let parts = parts.into_iter().map(|(_, sum)| sum).collect();
        Ok(Sums { size_bytes, part_size_bytes, parts })
    }

    /// The sum of the whole object.
    pub(super) fn whole(&self) -> Crc64 {
        compose(self.parts.iter().enumerate().map(|(at, sum)| (*sum, self.part(at as u64).len)))
    }

    /// Where a part lies.
    pub(super) fn part(&self, index: u64) -> PartRequest {
        let offset = index * self.part_size_bytes;
        PartRequest { index, offset, len: self.part_size_bytes.min(self.size_bytes - offset) }
    }

    /// The parts whose sums differ from those of another object of the same size.
    pub(super) fn differing(&self, other: &Sums) -> impl Iterator<Item = PartRequest> {
        let pairs = self.parts.iter().zip(&other.parts).enumerate();
        pairs.filter(|(_, (one, other))| one != other).map(|(at, _)| self.part(at as u64))
    }
}

/// Reads one part and sums it.
pub(super) async fn sum_of_part(
    core: &Core,
    reader: &Arc<dyn Reader>,
    part: PartRequest,
) -> Result<Crc64> {
    let lease = memory(core, part.len).await?;
    let read = reader.read(core, part.offset, lease.into(), 0..part.len as usize).await;
    let len_bytes = read.result?.len_bytes;
    let mut lease = read.buf.into_lease().expect("a lease was lent and comes back");
    lease.set_len(len_bytes);
    Ok(Crc64::of(lease.as_slice()))
}

#[derive(Clone)]
struct Summing {
    sums: Arc<Mutex<Collected>>,
    size_bytes: u64,
    progress: Option<Progress>,
}

#[derive(Default)]
struct Collected {
    parts: Vec<(u64, Crc64)>,
    bytes: u64,
}

impl Sink for Summing {
    /// Those of another object are compared part by part.
    fn wants_even_parts(&self) -> bool {
        true
    }

    async fn has(
        &self,
        _: &Core,
        _: PartRequest,
        lease: Lease,
    ) -> (Result<Option<KeptPart>>, Lease) {
        (Ok(None), lease)
    }

    async fn take(
        &self,
        _: &Core,
        part: PartRequest,
        lease: Lease,
        sum: Option<Sum>,
    ) -> Result<()> {
        let taken = sum.and_then(|sum| sum.crc64nvme());
        let sum = taken.unwrap_or_else(|| Crc64::of(&lease.as_slice()[..part.len as usize]));
        drop(lease);
        let done = {
            let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums.parts.push((part.index, sum));
            sums.bytes += part.len;
            sums.bytes
        };
        if let Some(progress) = &self.progress {
            progress(done, Some(self.size_bytes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_put_in_order_and_none_may_be_missing() {
        let (a, b) = (Crc64::of(b"abcd"), Crc64::of(b"ef"));
        let sums = Sums::of_parts(6, 4, vec![(1, b), (0, a)]).expect("all of them");
        assert_eq!(sums.whole(), Crc64::of(b"abcdef"));
        let other = Sums::of_parts(6, 4, vec![(0, a), (1, a)]).expect("all of them");
        let differing: Vec<_> = sums.differing(&other).collect();
        assert_eq!(differing, [PartRequest { index: 1, offset: 4, len: 2 }]);
        for parts in [vec![(0, a)], vec![(0, a), (0, b)], vec![(0, a), (1, b), (2, b)]] {
            assert!(Sums::of_parts(6, 4, parts).is_err());
        }
        assert_eq!(Sums::of_parts(0, 4, vec![]).expect("nothing").whole(), Crc64::OF_NOTHING);
    }
}
