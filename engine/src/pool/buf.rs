//! `Buf`: the memory that an operation is given and gives back.

use std::ops::Range;

use bytes::Bytes;

use super::{Lease, Region};

/// Owned memory for an operation. It belongs to the operation until the last completion (OWN-1)
/// and comes back with the result.
#[derive(Debug)]
pub enum Buf {
    /// A piece of the arena: registered with the kernel where that is allowed.
    Lease(Lease),
    /// A piece of the caller's memory.
    Region(Region),
    /// Shared bytes; they can be sent or written out, not received into.
    Bytes(Bytes),
}

/// A checked place in a [`Buf`], for the ring. Nothing may be written to it unless
/// [`Buf::is_writable`].
#[derive(Debug)]
pub(crate) struct RawSpan {
    /// Valid for as long as the `Buf` lives, wherever that is moved.
    pub(crate) ptr: *mut u8,
    /// Bytes.
    pub(crate) len: usize,
}

impl Buf {
    /// Valid bytes: a lease's [`len`](Lease::len), all of a region or of shared bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Lease(lease) => lease.len(),
            Self::Region(region) => region.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether no byte is valid.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that a span may name: all of a lease, valid or not.
    pub fn capacity(&self) -> usize {
        match self {
            Self::Lease(lease) => lease.capacity(),
            Self::Region(region) => region.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether an operation may write into it.
    pub fn is_writable(&self) -> bool {
        !matches!(self, Self::Bytes(_))
    }

    /// The valid bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Lease(lease) => lease.as_slice(),
            Self::Region(region) => region.as_slice(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// All bytes, for writing; `None` for shared bytes.
    pub fn as_mut_slice(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::Lease(lease) => Some(lease.as_mut_slice()),
            Self::Region(region) => Some(region.as_mut_slice()),
            Self::Bytes(_) => None,
        }
    }

    /// The lease, or the buffer back if it is none.
    pub fn into_lease(self) -> Result<Lease, Self> {
        match self {
            Self::Lease(lease) => Ok(lease),
            other => Err(other),
        }
    }

    /// The region, or the buffer back if it is none.
    pub fn into_region(self) -> Result<Region, Self> {
        match self {
            Self::Region(region) => Ok(region),
            other => Err(other),
        }
    }

    /// The shared bytes, or the buffer back if it has none. A lease becomes `Bytes` by
    /// [`Lease::freeze`].
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(other),
        }
    }

    /// The place of `span`; `None` if it leaves the capacity, or in a forked child.
    pub(crate) fn raw(&mut self, span: &Range<usize>) -> Option<RawSpan> {
        if span.start > span.end || span.end > self.capacity() {
            return None;
        }
        let start = match self {
            Self::Lease(lease) => lease.raw()?,
            Self::Region(region) => region.start(),
            Self::Bytes(bytes) => bytes.as_ptr().cast_mut(),
        };
        Some(RawSpan { ptr: start.wrapping_add(span.start), len: span.len() })
    }
}

impl From<Lease> for Buf {
    fn from(lease: Lease) -> Self {
        Self::Lease(lease)
    }
}

impl From<Region> for Buf {
    fn from(region: Region) -> Self {
        Self::Region(region)
    }
}

impl From<Bytes> for Buf {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::RegionOwner;
    use super::super::tests::{MIB, lease, pool};
    use super::*;

    #[test]
    fn a_span_lies_within_the_capacity() {
        let pool = pool();
        let _first = lease(&pool, MIB);
        let mut buf = Buf::from(lease(&pool, 8192));
        let start = buf.as_mut_slice().expect("writable").as_mut_ptr();
        let span = buf.raw(&(4096..8192)).expect("inside");
        assert_eq!((span.ptr, span.len), (start.wrapping_add(4096), 4096));
        assert!(buf.raw(&(0..8193)).is_none());
        #[expect(clippy::reversed_empty_ranges, reason = "what is refused here")]
        let reversed = 5..4;
        assert!(buf.raw(&reversed).is_none());
        assert_eq!(buf.raw(&(8192..8192)).expect("empty, at the end").len, 0);
    }

    #[test]
    fn each_kind_says_what_it_can_do() {
        let (_owner, region) = RegionOwner::new(vec![1u8; 100]);
        let lease = lease(&pool(), 4096);
        let kinds = [Buf::from(lease), Buf::from(region), Buf::from(Bytes::from_static(b"ab"))];
        let seen = kinds.map(|mut buf| {
            (buf.len(), buf.capacity(), buf.is_writable(), buf.as_mut_slice().is_some())
        });
        assert_eq!(seen, [(0, 4096, true, true), (100, 100, true, true), (2, 2, false, false)]);
    }

    #[test]
    fn it_turns_back_into_what_it_was() {
        let buf = Buf::from(Bytes::from_static(b"ab"));
        let buf = buf.into_lease().expect_err("no lease");
        let buf = buf.into_region().expect_err("no region");
        assert_eq!(buf.into_bytes().expect("bytes"), "ab");
        assert!(Buf::from(lease(&pool(), 1)).into_lease().is_ok());
    }
}
