//! The ring that owns the registration of the arena, and what each core has of it.
//!
//! It never submits. Cloning registered buffers out of another core's `SINGLE_ISSUER` ring fails
//! with `EEXIST`; from a plain ring it works, and a clone is not charged to the memory limit again
//! (Linux 6.12 and later). So the arena is registered here, and the cores clone.
//!
//! A slab is registered when an operation that gains by it first lies in it, and a core clones it when
//! it first meets it: pinning zeroes all of a slab, and most programs use little of their pool
//! (docs/decisions/0016-slabs.md). Where the kernel cannot clone into a table in use, all of them are
//! registered at the start.

use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use io_uring::{IoUring, Submitter};

use super::clone::{clone_into, clone_whole, into_tables_in_use, small_ring};
use super::system::{may_lock_memory, memlock_limit_bytes};
use crate::error::errno_text;
use crate::pool::Pool;
use crate::trace::event;

/// The registration of the arena, or why there is none.
pub(crate) struct ArenaRing {
    state: Result<Table, String>,
    /// Keeps the arena mapped for as long as the kernel may pin it.
    pool: Pool,
    /// Where the first refusal of a slab is told.
    report: fn(std::fmt::Arguments<'_>),
    told: AtomicBool,
}

struct Table {
    ring: IoUring,
    /// A core that needs a slab waits here for another that pins one, as it would for the lock of the
    /// ring: once for each slab, and for no longer than the kernel takes to zero it (CORE-1).
    slabs: Mutex<Vec<Slab>>,
    /// All are there from the start.
    whole: bool,
}

/// What became of one slab, in the ring or at one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slab {
    /// Nobody has needed it.
    Untouched,
    There,
    /// The kernel would not; operations use it all the same (FALL-1).
    Refused,
}

impl ArenaRing {
    /// Makes room for the arena; a refusal is kept and the engine goes on without (FALL-1).
    pub(crate) fn open(pool: &Pool, report: fn(std::fmt::Arguments<'_>)) -> ArenaRing {
        let state = may_lock(pool).and_then(|()| match into_tables_in_use() {
            Ok(()) => by_slabs(pool),
            Err(why) => {
                event!(INFO, "all of the pool is registered at the start: {why}");
                whole(pool)
            }
        });
        ArenaRing { state, pool: pool.clone(), report, told: AtomicBool::new(false) }
    }

    /// How many entries a table of the arena has.
    pub(crate) fn slabs(&self) -> u32 {
        self.pool.arena().slabs().len() as u32
    }

    /// Whether leases are registered buffers, or why not.
    pub(crate) fn state(&self) -> Result<(), &str> {
        self.state.as_ref().map(drop).map_err(String::as_str)
    }

    /// Registers a slab, unless that has been done; where it is, the descriptor to clone it from.
    fn pin(&self, slab: usize) -> Option<RawFd> {
        let table = self.state.as_ref().ok()?;
        let mut slabs = table.slabs.lock().unwrap_or_else(PoisonError::into_inner);
        let state = slabs.get_mut(slab)?;
        let mut refusal = None;
        if *state == Slab::Untouched {
            let registered = self.register(&table.ring, slab);
            *state = if registered.is_ok() { Slab::There } else { Slab::Refused };
            refusal = registered.err();
        }
        let is_there = *state == Slab::There;
        drop(slabs);
        if let Some(error) = refusal {
            let why = why_refused(&error, self.pool.arena().bytes());
            self.tell(slab, &why);
        }
        is_there.then(|| table.ring.as_raw_fd())
    }

    fn tell(&self, slab: usize, why: &str) {
        event!(WARN, "slab {slab} of the pool is used unregistered: {why}");
        if !self.told.swap(true, Relaxed) {
            (self.report)(format_args!("memory of the pool is used unregistered: {why}"));
        }
    }

    fn register(&self, ring: &IoUring, slab: usize) -> std::io::Result<()> {
        let arena = self.pool.arena();
        let entry = arena.slabs().nth(slab).ok_or(std::io::ErrorKind::InvalidInput)?;
        // SAFETY: OWN-2. The slab is of the arena, which `ArenaRing` keeps mapped as long as the ring lives.
        unsafe { ring.submitter().register_buffers_update(slab as u32, &[entry], None) }
    }
}

/// An empty table, from which a slab can be cloned into a table in use.
fn by_slabs(pool: &Pool) -> Result<Table, String> {
    let (ring, count) = (small_ring()?, pool.arena().slabs().len());
    let sparse = ring.submitter().register_buffers_sparse(count as u32);
    sparse.map_err(|error| format!("no table for the arena: {error}"))?;
    Ok(Table { ring, slabs: Mutex::new(vec![Slab::Untouched; count]), whole: false })
}

fn whole(pool: &Pool) -> Result<Table, String> {
    // An empty table first: what cannot be cloned need not be pinned.
    let empty = small_ring()?;
    let sparse = empty.submitter().register_buffers_sparse(1);
    sparse.map_err(|error| format!("no table for the arena: {error}"))?;
    clone_whole(&small_ring()?.submitter(), empty.as_raw_fd())?;
    let ring = small_ring()?;
    let slabs: Vec<libc::iovec> = pool.arena().slabs().collect();
    // SAFETY: OWN-2. The slabs are the arena, which `ArenaRing` keeps mapped as long as the ring lives.
    let registered = unsafe { ring.submitter().register_buffers(&slabs) };
    registered.map_err(|error| why_refused(&error, pool.arena().bytes()))?;
    Ok(Table { ring, slabs: Mutex::new(vec![Slab::There; slabs.len()]), whole: true })
}

/// The limit is for each user, so it may still be refused later. Until then nobody would know.
fn may_lock(pool: &Pool) -> Result<(), String> {
    let need = pool.arena().bytes();
    match may_lock_memory(need as u64) {
        true => Ok(()),
        false => Err(why_refused(&std::io::Error::from_raw_os_error(libc::ENOMEM), need)),
    }
}

fn why_refused(error: &std::io::Error, need: usize) -> String {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let text = errno_text(errno);
    match (errno, memlock_limit_bytes()) {
        (libc::ENOMEM, Some(limit)) => format!(
            "{text}: up to {need} bytes are to be locked and the limit (`ulimit -l`, RLIMIT_MEMLOCK, for \
             each user) is {limit}; raise it, choose a smaller pool, or run with CAP_IPC_LOCK"
        ),
        _ => text,
    }
}

/// The slabs in the table of one core.
pub(super) struct CoreSlabs {
    here: Vec<Slab>,
    /// How many the kernel refused when they were needed.
    refused: u64,
    source: Arc<ArenaRing>,
}

impl CoreSlabs {
    /// `into` is the fresh ring of the core.
    pub(super) fn new(
        into: &Submitter<'_>,
        source: &Arc<ArenaRing>,
    ) -> (CoreSlabs, Result<(), String>) {
        let cloned = match &source.state {
            Ok(table) if table.whole => {
                clone_whole(into, table.ring.as_raw_fd()).map(|()| Slab::There)
            }
            // Whether this ring can. As a rule the entry is empty yet.
            Ok(table) => {
                clone_into(into, table.ring.as_raw_fd(), 0..1, 0).map(|()| Slab::Untouched)
            }
            Err(why) => Err(why.clone()),
        };
        let state = *cloned.as_ref().unwrap_or(&Slab::Refused);
        let here = vec![state; source.slabs() as usize];
        (CoreSlabs { here, refused: 0, source: Arc::clone(source) }, cloned.map(drop))
    }

    /// The entry for memory in these slabs, which this call may bring here. None for what lies in two,
    /// which no entry covers.
    pub(super) fn place(&mut self, slabs: Range<usize>, into: &Submitter<'_>) -> Option<u32> {
        let slab = if slabs.len() == 1 { slabs.start } else { return None };
        let here = self.here.get_mut(slab)?;
        if *here == Slab::Untouched {
            let brought = bring(&self.source, slab, into);
            *here = if brought { Slab::There } else { Slab::Refused };
            self.refused += u64::from(!brought);
        }
        (*here == Slab::There).then_some(slab as u32)
    }

    /// Slabs that the kernel refused when they were needed.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether all of these slabs are here.
    pub(super) fn hold(&self, slabs: Range<usize>) -> bool {
        let here = self.here.get(slabs);
        here.is_some_and(|slabs| slabs.iter().all(|slab| *slab == Slab::There))
    }
}

fn bring(source: &ArenaRing, slab: usize, into: &Submitter<'_>) -> bool {
    let Some(fd) = source.pin(slab) else { return false };
    let cloned = clone_into(into, fd, slab as u32..slab as u32 + 1, slab as u32);
    cloned.inspect_err(|why| source.tell(slab, why)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::PoolConfig;
    use crate::testing::not_tested;

    const SLAB: usize = 8 << 20;

    fn pool(pool_bytes: usize) -> Pool {
        Pool::new(PoolConfig { pool_bytes, ..PoolConfig::default() }).expect("mapped")
    }

    fn open(pool: &Pool) -> ArenaRing {
        ArenaRing::open(pool, |_| {})
    }

    /// A core's table; none where the kernel refuses to register.
    fn core(source: &Arc<ArenaRing>) -> Option<(IoUring, CoreSlabs)> {
        let ring = small_ring().ok()?;
        let (slabs, cloned) = CoreSlabs::new(&ring.submitter(), source);
        cloned.is_ok().then_some((ring, slabs))
    }

    #[test]
    fn a_slab_comes_when_it_is_needed_and_what_lies_in_two_goes_without() {
        let source = Arc::new(open(&pool(3 * SLAB)));
        let Some((ring, mut slabs)) = core(&source) else { return not_tested("registration") };
        assert!(!slabs.hold(0..1) || source.state.as_ref().is_ok_and(|table| table.whole));
        assert_eq!(slabs.place(1..2, &ring.submitter()), Some(1));
        assert!(slabs.hold(1..2));
        assert_eq!(slabs.place(1..3, &ring.submitter()), None);
        let Some((other, mut others)) = core(&source) else { return not_tested("a second core") };
        assert_eq!(others.place(1..2, &other.submitter()), Some(1));
        assert_eq!(slabs.place(0..1, &ring.submitter()), Some(0));
        assert!(slabs.hold(0..2));
    }

    #[test]
    fn all_at_once_where_the_kernel_cannot_do_it_one_by_one() {
        let pool = pool(2 * SLAB);
        let Ok(table) = whole(&pool) else {
            return not_tested("registration of all slabs at once");
        };
        let source = Arc::new(ArenaRing { state: Ok(table), ..open(&pool) });
        let (ring, mut slabs) = core(&source).expect("what was tried when it was made");
        assert!(slabs.hold(0..2));
        assert_eq!(slabs.place(1..2, &ring.submitter()), Some(1));
    }

    #[test]
    fn a_refused_slab_is_used_without() {
        let source = Arc::new(open(&pool(2 * SLAB)));
        let Some((ring, mut slabs)) = core(&source) else { return not_tested("registration") };
        let table = source.state.as_ref().expect("as the core has it");
        table.slabs.lock().expect("nobody panicked")[1] = Slab::Refused;
        if !table.whole {
            assert_eq!(slabs.place(1..2, &ring.submitter()), None);
            assert!(!slabs.hold(1..2));
            assert_eq!(slabs.place(1..2, &ring.submitter()), None);
            assert_eq!(slabs.refused(), 1, "counted once");
        }
        assert_eq!(slabs.place(0..1, &ring.submitter()), Some(0));
    }
}
