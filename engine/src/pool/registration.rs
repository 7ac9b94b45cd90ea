//! Memory of the caller that the kernel has been asked to pin, so that it need not look the pages up
//! for each operation.
//!
//! A [`Registration`] names places of a table that each core fills when it first meets an operation
//! on that memory. Every operation in flight holds the registration, so the places are given back
//! when the last of them has ended (OWN-1). Its number is never used again: a core compares it before
//! it names a place, so that an operation never reaches the memory of an earlier registration.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::{StableBuf, fork};

/// The most that one registered buffer may have (io_uring_register(2), `EFAULT` beyond).
pub(crate) const ENTRY_BYTES: usize = 1 << 30;

/// A buffer of the caller, known to the kernel where that is allowed. It is lent to operations by a
/// [`RegionOwner`](super::RegionOwner) like the buffer itself, as often as one likes.
///
/// Dropping it, or taking the buffer out, ends the registration once no operation uses it; each core
/// forgets it with its next turn.
#[derive(Debug)]
pub struct Registered<B> {
    buf: B,
    registration: Registration,
}

/// What was registered. A clone keeps it registered, and does not keep the buffer.
#[derive(Clone)]
pub struct Registration(Arc<Inner>);

struct Inner {
    /// Of this registration alone, in the life of the process; never 0.
    number: u64,
    start: usize,
    len: usize,
    granted: Result<Granted, String>,
    at_end: Mutex<Vec<AtEnd>>,
    fork_generation: u64,
}

/// Done when a registration ends, by whoever drops it last.
pub(crate) type AtEnd = Box<dyn FnOnce() + Send>;

/// Places in the tables of the cores, and what they are filled from.
struct Granted {
    places: Places,
    /// A ring that holds the pages and nothing else; there is none in the simulator.
    source: Option<OwnedFd>,
}

impl<B: StableBuf> Registered<B> {
    pub(crate) fn new(buf: B, registration: Registration) -> Self {
        Self { buf, registration }
    }

    /// What was registered.
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The buffer, no longer registered.
    pub fn into_inner(self) -> B {
        self.buf
    }
}

// SAFETY: OWN-3. As the buffer that it wraps.
unsafe impl<B: StableBuf> StableBuf for Registered<B> {
    fn stable_ptr(&mut self) -> *mut u8 {
        self.buf.stable_ptr()
    }

    fn stable_len(&self) -> usize {
        self.buf.stable_len()
    }

    fn registration(&self) -> Option<Registration> {
        Some(self.registration.clone())
    }
}

impl Registration {
    /// Memory that was pinned, or why it was not. `source` is `None` where there is no kernel.
    pub(crate) fn new(
        memory: (usize, usize),
        granted: Result<(Places, Option<OwnedFd>), String>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (start, len) = memory;
        Self(Arc::new(Inner {
            number: NEXT.fetch_add(1, Relaxed),
            start,
            len,
            granted: granted.map(|(places, source)| Granted { places, source }),
            at_end: Mutex::default(),
            fork_generation: fork::generation(),
        }))
    }

    /// Why the memory is not registered; operations use it all the same (FALL-1).
    pub fn refused(&self) -> Option<&str> {
        self.0.granted.as_ref().err().map(String::as_str)
    }

    /// Address and length of what was registered.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn memory(&self) -> (usize, usize) {
        (self.0.start, self.0.len)
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Whether all of these bytes were registered, or tried.
    pub(crate) fn covers(&self, start: usize, len: usize) -> bool {
        let offset = start.checked_sub(self.0.start);
        offset.is_some_and(|offset| offset <= self.0.len && len <= self.0.len - offset)
    }

    /// The places of its entries in a table.
    pub(crate) fn places(&self) -> Option<std::ops::Range<u32>> {
        let places = &self.0.granted.as_ref().ok()?.places;
        Some(places.first..places.first + places.count)
    }

    /// The place of the entry that all of these bytes lie in; `None` where they straddle two, which is
    /// one submission in each GiB.
    pub(crate) fn place_of(&self, start: usize, len: usize) -> Option<u32> {
        let granted = self.0.granted.as_ref().ok()?;
        if !self.covers(start, len) {
            return None;
        }
        let offset = start - self.0.start;
        let entry = offset / ENTRY_BYTES;
        let last = offset + len.max(1) - 1;
        (entry == last / ENTRY_BYTES).then_some(granted.places.first + entry as u32)
    }

    /// The descriptor of the ring to clone the entries from.
    pub(crate) fn source(&self) -> Option<RawFd> {
        self.0.granted.as_ref().ok()?.source.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Has something done when the last clone is gone, and with it every operation on the memory.
    pub(crate) fn at_end(&self, then: AtEnd) {
        self.0.at_end.lock().unwrap_or_else(PoisonError::into_inner).push(then);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The rings are the parent's, and a lock may be held by a thread that is not here (FORK-1).
        if fork::generation() != self.fork_generation {
            return;
        }
        let at_end = self.at_end.get_mut().unwrap_or_else(PoisonError::into_inner);
        at_end.drain(..).for_each(|then| then());
        if let Ok(granted) = &self.granted {
            granted.places.give_back();
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("bytes", &self.0.len)
            .field("refused", &self.refused())
            .finish_non_exhaustive()
    }
}

/// The places for caller memory in the table of each core, the same on all of them.
#[derive(Clone)]
pub(crate) struct PlaceMap(Arc<Mutex<Vec<bool>>>);

/// Neighbouring places that are taken.
pub(crate) struct Places {
    first: u32,
    count: u32,
    map: PlaceMap,
}

impl PlaceMap {
    pub(crate) fn new(places_max: u32) -> PlaceMap {
        PlaceMap(Arc::new(Mutex::new(vec![false; places_max as usize])))
    }

    /// Places for `bytes`; the error tells what there is.
    pub(crate) fn take(&self, bytes: usize) -> Result<Places, String> {
        let count = bytes.div_ceil(ENTRY_BYTES).max(1);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.windows(count).position(|places| !places.contains(&true));
        let Some(first) = first else {
            let max = taken.len();
            return Err(format!(
                "{count} entries of 1 GiB are needed, and too few of {max} are free \
                 (ring.caller_entries_max)"
            ));
        };
        taken[first..first + count].fill(true);
        Ok(Places { first: first as u32, count: count as u32, map: self.clone() })
    }
}

impl Places {
    fn give_back(&self) {
        let mut taken = self.map.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken[self.first as usize..(self.first + self.count) as usize].fill(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(map: &PlaceMap, start: usize, len: usize) -> Registration {
        Registration::new((start, len), map.take(len).map(|places| (places, None)))
    }

    #[test]
    fn bytes_have_a_place_unless_they_straddle_two_entries() {
        let map = PlaceMap::new(4);
        let first = registration(&map, 4096, 8192);
        assert_eq!(first.place_of(4096, 8192), Some(0));
        assert_eq!(first.place_of(4095, 2), None);
        assert_eq!(first.place_of(12_287, 2), None);
        assert_eq!(first.place_of(12_288, 0), Some(0), "nothing, at the end");
        let large = registration(&map, 0x1000, 2 * ENTRY_BYTES + 1);
        assert_eq!(large.places(), Some(1..4));
        assert_eq!(large.place_of(0x1000 + ENTRY_BYTES - 1, 1), Some(1));
        assert_eq!(large.place_of(0x1000 + ENTRY_BYTES - 1, 2), None);
        assert_eq!(large.place_of(0x1000 + 2 * ENTRY_BYTES, 1), Some(3));
    }

    #[test]
    fn places_come_back_with_the_last_clone_and_numbers_never() {
        let map = PlaceMap::new(2);
        let first = registration(&map, 4096, 1);
        let (number, kept) = (first.number(), first.clone());
        let refused = registration(&map, 4096, ENTRY_BYTES + 1);
        assert!(refused.refused().expect("no room").contains("ring.caller_entries_max"));
        assert_eq!((refused.places(), refused.place_of(4096, 1)), (None, None));
        let told = Arc::new(Mutex::new(0));
        first.at_end({
            let told = Arc::clone(&told);
            Box::new(move || *told.lock().expect("unpoisoned") += 1)
        });
        drop(first);
        assert_eq!(*told.lock().expect("unpoisoned"), 0);
        drop(kept);
        assert_eq!(*told.lock().expect("unpoisoned"), 1);
        let next = registration(&map, 4096, ENTRY_BYTES + 1);
        assert_eq!(next.places(), Some(0..2));
        assert!(next.number() > number);
    }
}
