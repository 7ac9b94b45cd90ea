//! Memory of the caller as registered buffers: pinned once, and put into the table of each core that
//! meets an operation on it.
//!
//! A registration has a ring of its own to clone from. In the arena's ring a core that clones would
//! wait for its lock while another thread pins, which takes a second for some 60 GiB of small pages
//! (CORE-1). The clone replaces a few places of a table in use; what is in flight keeps the entries
//! that it began with (Linux 6.13).

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::{Arc, Mutex, PoisonError};

use io_uring::Submitter;

use super::aside::aside;
use super::clone::{clone_into, into_tables_in_use, small_ring};
use super::system::memlock_limit_bytes;
use crate::error::errno_text;
use crate::op::{Op, Span};
use crate::pool::{Buf, ENTRY_BYTES, Registration};

/// Pins memory and answers with the ring to clone it from, or with the reason why there is none. It
/// takes as long as the pages need (CORE-1).
pub(crate) fn pin(start: usize, len: usize) -> Result<OwnedFd, String> {
    aside(move || pin_here(start, len))
}

fn pin_here(start: usize, len: usize) -> Result<OwnedFd, String> {
    // Before anything is pinned. Cores ask when it is too late to say why.
    into_tables_in_use()?;
    let source = small_ring()?;
    let entries: Vec<libc::iovec> = (0..len)
        .step_by(ENTRY_BYTES)
        .map(|offset| libc::iovec {
            iov_base: (start + offset) as *mut libc::c_void,
            iov_len: ENTRY_BYTES.min(len - offset),
        })
        .collect();
    // SAFETY: OWN-3. Registering pins pages and touches no byte; an operation names them only while
    // its `Region` lends them to it.
    let registered = unsafe { source.submitter().register_buffers(&entries) };
    registered.map_err(|error| why_refused(&error, len as u64))?;
    clone_into(&small_ring()?.submitter(), source.as_raw_fd(), 0..entries.len() as u32, 0)?;
    // SAFETY: OWN-2. The descriptor is the ring's, which is open until the end of this function.
    let fd = unsafe { BorrowedFd::borrow_raw(source.as_raw_fd()) };
    fd.try_clone_to_owned().map_err(|error| format!("no descriptor for the pinned memory: {error}"))
}

fn why_refused(error: &std::io::Error, need: u64) -> String {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let text = errno_text(errno);
    match (errno, memlock_limit_bytes()) {
        (libc::ENOMEM, Some(limit)) => format!(
            "{text}: {need} bytes are to be locked and the limit (`ulimit -l`, RLIMIT_MEMLOCK, for \
             each user, the engine's pool included) is {limit}; raise it, register less, or run with \
             CAP_IPC_LOCK"
        ),
        (libc::EOPNOTSUPP | libc::EFAULT, _) => {
            format!("{text}: only mapped, writable memory that is no file's can be registered")
        }
        _ => text,
    }
}

/// The table of one core, as the kernel or the simulator keeps it.
pub(super) trait CallerTable {
    /// Fills the places of a registration; `false` when that is refused.
    fn fill(&mut self, registration: &Registration) -> bool;
    /// Empties a place; what is in flight goes on with what it has.
    fn empty(&mut self, place: u32);
}

/// What one core has in its places for caller memory.
pub(super) struct CallerMemory {
    places: Vec<Place>,
    returned: Arc<Returned>,
    /// Empty but for the time of clearing.
    clearing: Vec<(u32, u64)>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// The registration that it holds; 0 is none.
    holds: u64,
    /// The last one that could not be put there.
    refused: u64,
}

/// What registrations that ended have given back to one core.
struct Returned {
    any: AtomicBool,
    places: Mutex<Vec<(u32, u64)>>,
    rouse: Arc<dyn Fn() + Send + Sync>,
}

impl CallerMemory {
    /// `rouse` ends the sleep of the core.
    pub(super) fn new(places_max: u32, rouse: Arc<dyn Fn() + Send + Sync>) -> CallerMemory {
        let returned = Returned { any: false.into(), places: Mutex::default(), rouse };
        CallerMemory {
            places: vec![Place::default(); places_max as usize],
            returned: Arc::new(returned),
            clearing: Vec::new(),
        }
    }

    /// The place of the memory of a submission; it may be filled by this call.
    pub(super) fn place(
        &mut self,
        op: &Op,
        span: Span,
        table: &mut dyn CallerTable,
    ) -> Option<u32> {
        let (Buf::Region(region), within) = memory_of(op, span)? else { return None };
        let (registration, place) = region.place_of(within.start, span.len)?;
        let number = registration.number();
        let there = self.places.get(place as usize)?;
        if there.holds == number {
            return Some(place);
        }
        if there.refused == number {
            return None;
        }
        self.clear_returned(table);
        self.fill(registration, table).then_some(place)
    }

    fn fill(&mut self, registration: &Registration, table: &mut dyn CallerTable) -> bool {
        let Some(places) = registration.places() else { return false };
        let (range, number) = (places.start as usize..places.end as usize, registration.number());
        let Some(ours) = self.places.get_mut(range) else { return false };
        // Of another engine: whatever had them in ours has given them back. A submission that names them
        // may still be on its way to the kernel.
        if ours.iter().any(|place| place.holds != 0) {
            return false;
        }
        let filled = table.fill(registration);
        for place in ours {
            match filled {
                true => place.holds = number,
                false => place.refused = number,
            }
        }
        if filled {
            let returned = Arc::clone(&self.returned);
            registration.at_end(Box::new(move || returned.give_back(places, number)));
        }
        filled
    }

    /// Whether operations on that memory use it as a registered buffer here.
    pub(super) fn holds(&self, buf: &Buf) -> bool {
        let Buf::Region(region) = buf else { return false };
        let Some(registration) = region.registration() else { return false };
        let first = registration.places().and_then(|places| self.places.get(places.start as usize));
        first.is_some_and(|place| place.holds == registration.number())
    }

    /// Empties the places of registrations that have ended.
    pub(super) fn clear_returned(&mut self, table: &mut dyn CallerTable) {
        if !self.returned.any.load(Acquire) {
            return;
        }
        let mut places = self.returned.lock();
        self.returned.any.store(false, Relaxed);
        std::mem::swap(&mut *places, &mut self.clearing);
        drop(places);
        for (place, number) in self.clearing.drain(..) {
            if self.places[place as usize].holds == number {
                self.places[place as usize] = Place::default();
                table.empty(place);
            }
        }
    }
}

/// The memory that a submission may use as a registered buffer, and which bytes of it; none where it
/// has not so many, of which the driver tells.
pub(super) fn memory_of(op: &Op, span: Span) -> Option<(&Buf, Range<usize>)> {
    let (Op::Read { buf, span: whole, .. }
    | Op::Write { buf, span: whole, .. }
    | Op::SendZc { buf, span: whole, .. }) = op
    else {
        return None;
    };
    let start = whole.start.checked_add(span.start)?;
    let end = start.checked_add(span.len)?;
    (end <= buf.capacity()).then_some((buf, start..end))
}

impl Returned {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u32, u64)>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, places: Range<u32>, number: u64) {
        self.lock().extend(places.map(|place| (place, number)));
        self.any.store(true, Release);
        (self.rouse)();
    }
}

/// A ring's table: the arena's slabs, and behind them the places for caller memory.
pub(super) struct RingTable<'a> {
    pub(super) submitter: Submitter<'a>,
    /// Where those begin.
    pub(super) first: u32,
}

impl CallerTable for RingTable<'_> {
    fn fill(&mut self, registration: &Registration) -> bool {
        let (Some(source), Some(places)) = (registration.source(), registration.places()) else {
            return false;
        };
        let (first, count) = (self.first + places.start, places.len() as u32);
        clone_into(&self.submitter, source, 0..count, first).is_ok()
    }

    fn empty(&mut self, place: u32) {
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: OWN-2. The kernel drops an entry, and no memory is named.
        let emptied =
            unsafe { self.submitter.register_buffers_update(self.first + place, &[nothing], None) };
        debug_assert!(emptied.is_ok(), "{emptied:?}");
    }
}
