//! The ring that owns the registration of the arena, and what each core has of it.
//!
//! It never submits. Cloning registered buffers out of another core's `SINGLE_ISSUER` ring fails
//! with `EEXIST`; from a plain ring it works, and a clone is not charged to the memory limit again
//! (Linux 6.12 and later). So the arena is registered here, and the cores clone.
//!
//! A slab is registered when an operation that gains by it first lies in it, and a core clones it when
//! it first meets it: pinning zeroes all of a slab, and most programs use little of their pool
//! (docs/decisions/0016-slabs.md). A kernel that cannot clone into a table in use (before Linux 6.13)
//! registers all of them at the start.

use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

use io_uring::{IoUring, Submitter};

use super::caller_memory::{clone_into, small_ring};
use super::system::{may_lock_memory, memlock_limit_bytes};
use crate::error::errno_text;
use crate::pool::Pool;
use crate::trace::event;

/// The registration of the arena, or why there is none.
pub(crate) struct ArenaRing {
    state: Result<Table, String>,
    /// Keeps the arena mapped for as long as the kernel may pin it.
    pool: Pool,
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
    pub(crate) fn open(pool: &Pool) -> ArenaRing {
        let table = may_lock(pool).and_then(|()| by_slabs(pool).or_else(|_| whole(pool)));
        ArenaRing { state: table, pool: pool.clone() }
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
        if slabs[slab] == Slab::Untouched {
            slabs[slab] = match self.register(&table.ring, slab) {
                Ok(()) => Slab::There,
                Err(error) => {
                    let why = why_refused(&error, self.pool.arena().bytes());
                    event!(WARN, "slab {slab} of the pool is used unregistered: {why}");
                    Slab::Refused
                }
            };
        }
        (slabs[slab] == Slab::There).then(|| table.ring.as_raw_fd())
    }

    fn register(&self, ring: &IoUring, slab: usize) -> std::io::Result<()> {
        let arena = self.pool.arena();
        let entry = arena.slabs().nth(slab).ok_or(std::io::ErrorKind::InvalidInput)?;
        // SAFETY: the slab is of the arena, which `ArenaRing` keeps mapped as long as the ring lives.
        unsafe { ring.submitter().register_buffers_update(slab as u32, &[entry], None) }
    }
}

/// An empty table, from which a slab can be cloned into a table in use.
fn by_slabs(pool: &Pool) -> Result<Table, String> {
    let (ring, count) = (small_ring()?, pool.arena().slabs().len());
    let sparse = ring.submitter().register_buffers_sparse(count as u32);
    sparse.map_err(|error| format!("no table for the arena: {error}"))?;
    clone_into(&small_ring()?.submitter(), ring.as_raw_fd(), 0..1, 0)?;
    Ok(Table { ring, slabs: Mutex::new(vec![Slab::Untouched; count]), whole: false })
}

fn whole(pool: &Pool) -> Result<Table, String> {
    let ring = small_ring()?;
    let slabs: Vec<libc::iovec> = pool.arena().slabs().collect();
    // SAFETY: the slabs are the arena, which `ArenaRing` keeps mapped as long as the ring lives.
    let registered = unsafe { ring.submitter().register_buffers(&slabs) };
    registered.map_err(|error| why_refused(&error, pool.arena().bytes()))?;
    clone_whole(&small_ring()?.submitter(), ring.as_raw_fd())?;
    Ok(Table { ring, slabs: Mutex::new(vec![Slab::There; slabs.len()]), whole: true })
}

fn clone_whole(into: &Submitter<'_>, from: RawFd) -> Result<(), String> {
    into.register_buffers_clone(from).map_err(|error| {
        format!("the arena's registration cannot be cloned (Linux 6.12 can): {error}")
    })
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
            "{text}: {need} bytes are to be locked and the limit (`ulimit -l`, RLIMIT_MEMLOCK, for \
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
            Ok(_) => Ok(Slab::Untouched),
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
        if self.here[slab] == Slab::Untouched {
            let source = self.source.pin(slab);
            let range = slab as u32..slab as u32 + 1;
            let cloned = source.is_some_and(|fd| clone_into(into, fd, range, slab as u32).is_ok());
            self.here[slab] = if cloned { Slab::There } else { Slab::Refused };
            self.refused += u64::from(!cloned);
        }
        (self.here[slab] == Slab::There).then_some(slab as u32)
    }

    /// Slabs that the kernel refused when they were needed.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether all of these slabs are here.
    pub(super) fn hold(&self, slabs: Range<usize>) -> bool {
        self.here[slabs].iter().all(|slab| *slab == Slab::There)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::PoolConfig;

    const SLAB: usize = 8 << 20;

    fn pool(pool_bytes: usize) -> Pool {
        Pool::new(PoolConfig { pool_bytes, ..PoolConfig::default() }).expect("mapped")
    }

    /// A core's table; none where the kernel refuses to register.
    fn core(source: &Arc<ArenaRing>) -> Option<(IoUring, CoreSlabs)> {
        let ring = small_ring().ok()?;
        let (slabs, cloned) = CoreSlabs::new(&ring.submitter(), source);
        cloned.is_ok().then_some((ring, slabs))
    }

    #[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was tested")]
    fn not_tested(why: &str) {
        eprintln!("NOT TESTED: {why}");
    }

    #[test]
    fn a_slab_comes_when_it_is_needed_and_what_lies_in_two_goes_without() {
        let source = Arc::new(ArenaRing::open(&pool(3 * SLAB)));
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
        let source = Arc::new(ArenaRing { state: Ok(table), pool });
        let (ring, mut slabs) = core(&source).expect("what was tried when it was made");
        assert!(slabs.hold(0..2));
        assert_eq!(slabs.place(1..2, &ring.submitter()), Some(1));
    }

    #[test]
    fn a_refused_slab_is_used_without() {
        let source = Arc::new(ArenaRing::open(&pool(2 * SLAB)));
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
