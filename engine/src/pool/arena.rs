//! The one mapping that all payload memory comes from.

use std::fs;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};

use super::fork;
use super::{PoolConfig, PoolError};

pub(super) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// What is pinned at once, when one of its bytes is first used for a file or a zero-copy send: what
/// costs the most memory that nobody uses, and keeps a core the longest from its turns.
pub(crate) const SLAB_BYTES_MIN: usize = 8 << 20;
/// The most that one registered buffer may have (io_uring_register(2), `EFAULT` beyond).
const SLAB_BYTES_MAX: usize = 1 << 30;
/// Half of the 16 384 entries that a registered table may have (io_uring_register(2)).
const SLABS_MAX: usize = 8192;

const THP_SWITCH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// The pages that the arena got. Registering 2 MiB pages takes the kernel about a tenth of the time of
/// as many bytes in 4 KiB pages, and O_DIRECT with them half the CPU (docs/decisions/0016-slabs.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArenaBacking {
    /// Pages of 2 MiB set aside by the administrator (`vm.nr_hugepages`).
    HugeTlb,
    /// Ordinary memory that the kernel may back with 2 MiB pages (`MADV_HUGEPAGE`).
    TransparentHuge,
    /// Pages of 4 KiB.
    Small,
}

/// One anonymous private mapping, aligned to 2 MiB, zeroed, and not inherited by children (FORK-1).
///
/// It is unmapped when its last `Arc` goes; in a forked child nothing happens then. Pages cost
/// memory once they are touched, except those of [`ArenaBacking::HugeTlb`], which are set aside
/// for the arena whole.
#[derive(Debug)]
pub struct Arena {
    base: NonNull<u8>,
    bytes: usize,
    slab_bytes: usize,
    backing: ArenaBacking,
    refusals: Vec<String>,
    generation: u64,
}

// SAFETY: POOL-2. The arena hands out addresses and never reads or writes through them itself;
// who may touch which bytes is decided by the blocks lent, each to one owner.
unsafe impl Send for Arena {}
// SAFETY: As above; nothing in it changes after it is made.
unsafe impl Sync for Arena {}

impl Arena {
    /// Maps `pool_bytes`, rounded up to 2 MiB, with the best pages to be had.
    pub(super) fn map(config: &PoolConfig) -> Result<Self, PoolError> {
        let bytes = config.pool_bytes.next_multiple_of(HUGE_PAGE_BYTES);
        let failed = |operation| {
            move |error: io::Error| PoolError::Arena {
                operation,
                bytes,
                errno: error.raw_os_error().unwrap_or(0),
            }
        };
        fork::watch().map_err(failed("pthread_atfork"))?;
        let mut refusals = Vec::new();
        let (base, backing) = match map_hugetlb(bytes) {
            Ok(base) => (base, ArenaBacking::HugeTlb),
            Err(error) => {
                refusals.push(format!("hugetlb: {error} (vm.nr_hugepages sets pages aside)"));
                let base = map_aligned(bytes).map_err(failed("mmap"))?;
                let backing = match ask_for_huge_pages(base, bytes) {
                    Ok(()) => ArenaBacking::TransparentHuge,
                    Err(error) => {
                        refusals.push(format!("transparent huge pages: {error} ({THP_SWITCH})"));
                        ArenaBacking::Small
                    }
                };
                (base, backing)
            }
        };
        let arena = Self {
            base,
            bytes,
            slab_bytes: slab_bytes(bytes),
            backing,
            refusals,
            generation: fork::generation(),
        };
        advise(base, bytes, libc::MADV_DONTFORK).map_err(failed("madvise(MADV_DONTFORK)"))?;
        Ok(arena)
    }

    /// Bytes mapped: the hard limit on payload memory (POOL-1).
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The pages that it got.
    pub fn backing(&self) -> ArenaBacking {
        self.backing
    }

    /// Which better pages were refused, and why (FALL-1).
    pub fn refusals(&self) -> &[String] {
        &self.refusals
    }

    /// The slabs to register, in the order of their indices; the last one is what is left. The caller
    /// keeps an `Arc` of the arena for as long as a ring may use them.
    pub(crate) fn slabs(&self) -> impl ExactSizeIterator<Item = libc::iovec> {
        (0..self.bytes).step_by(self.slab_bytes).map(|offset| libc::iovec {
            iov_base: self.at(offset).cast(),
            iov_len: self.slab_bytes.min(self.bytes - offset),
        })
    }

    /// The indices of the slabs in which these bytes of the arena lie.
    pub(crate) fn slabs_of(&self, bytes: &Range<usize>) -> Range<usize> {
        bytes.start / self.slab_bytes..bytes.end.div_ceil(self.slab_bytes)
    }

    /// Whether this process is a child of the one that mapped it: nothing is mapped here then.
    pub(crate) fn forked(&self) -> bool {
        fork::generation() != self.generation
    }

    pub(super) fn at(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset < self.bytes);
        self.base.as_ptr().wrapping_add(offset)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if !self.forked() {
            unmap(self.base, self.bytes);
        }
    }
}

/// All pages are faulted in here, while a refusal is still an error: where a control group limits
/// huge pages, a touch beyond the limit is a `SIGBUS` in the middle of the work, although the
/// mapping succeeded. The pages are set aside for us anyway, so this costs time and no memory.
fn map_hugetlb(bytes: usize) -> io::Result<NonNull<u8>> {
    let base = map(bytes, libc::MAP_HUGETLB | libc::MAP_HUGE_2MB)?;
    advise(base, bytes, libc::MADV_POPULATE_WRITE).inspect_err(|_| unmap(base, bytes))?;
    Ok(base)
}

/// Maps 2 MiB too much and trims both ends to the alignment that huge pages need.
fn map_aligned(bytes: usize) -> io::Result<NonNull<u8>> {
    let raw = map(bytes + HUGE_PAGE_BYTES, 0)?;
    let address = raw.addr().get();
    let surplus_in_front = address.next_multiple_of(HUGE_PAGE_BYTES) - address;
    // SAFETY: POOL-2. Both addresses lie in the mapping just made, which is that much longer.
    let (base, end) = unsafe { (raw.add(surplus_in_front), raw.add(surplus_in_front + bytes)) };
    if surplus_in_front > 0 {
        unmap(raw, surplus_in_front);
    }
    unmap(end, HUGE_PAGE_BYTES - surplus_in_front);
    Ok(base)
}

/// As small as the number of slabs admits.
fn slab_bytes(arena_bytes: usize) -> usize {
    let least = arena_bytes.div_ceil(SLABS_MAX).next_power_of_two();
    least.clamp(SLAB_BYTES_MIN, SLAB_BYTES_MAX)
}

/// `MADV_HUGEPAGE` succeeds without effect where the administrator has said `never`.
fn ask_for_huge_pages(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    if fs::read_to_string(THP_SWITCH).is_ok_and(|switch| switch.contains("[never]")) {
        return Err(io::Error::other("switched off"));
    }
    advise(base, bytes, libc::MADV_HUGEPAGE)
}

fn map(bytes: usize, flags: libc::c_int) -> io::Result<NonNull<u8>> {
    // SAFETY: POOL-1. A new anonymous mapping at an address of the kernel's choice touches no
    // memory that exists.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

fn advise(base: NonNull<u8>, bytes: usize, advice: libc::c_int) -> io::Result<()> {
    // SAFETY: POOL-1. The range is a mapping of ours, and none of the advices used here discards
    // contents.
    match unsafe { libc::madvise(base.as_ptr().cast(), bytes, advice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn unmap(base: NonNull<u8>, bytes: usize) {
    // SAFETY: POOL-2. The range is ours and nobody has an address in it: it was either never
    // handed out, or every lease, frozen `Bytes` and ring that kept the arena alive is gone.
    let result = unsafe { libc::munmap(base.as_ptr().cast(), bytes) };
    debug_assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

#[cfg(test)]
mod tests {
    use super::super::tests::in_child;
    use super::*;

    fn arena(pool_bytes: usize) -> Arena {
        Arena::map(&PoolConfig { pool_bytes, ..PoolConfig::default() }).expect("mapped")
    }

    fn resident_bytes(arena: &Arena) -> usize {
        let mut pages = vec![0u8; arena.bytes() / 4096];
        // SAFETY: POOL-1. The range is the arena's mapping, the vector has a byte for each page.
        let result =
            unsafe { libc::mincore(arena.at(0).cast(), arena.bytes(), pages.as_mut_ptr()) };
        assert_eq!(result, 0);
        pages.iter().filter(|page| **page & 1 == 1).count() * 4096
    }

    #[test]
    fn it_is_aligned_rounded_and_costs_what_is_touched() {
        let arena = arena((16 << 20) + 1);
        assert_eq!(arena.bytes(), 18 << 20);
        assert_eq!(arena.at(0) as usize % HUGE_PAGE_BYTES, 0);
        if arena.backing() == ArenaBacking::HugeTlb {
            return;
        }
        assert_eq!(resident_bytes(&arena), 0);
        // SAFETY: POOL-2. The arena is this test's alone.
        unsafe { arena.at(5 << 20).write(1) };
        assert!(resident_bytes(&arena) <= HUGE_PAGE_BYTES);
    }

    #[test]
    fn what_was_refused_is_told() {
        let arena = arena(2 << 20);
        let expected = match arena.backing() {
            ArenaBacking::HugeTlb => 0,
            ArenaBacking::TransparentHuge => 1,
            ArenaBacking::Small => 2,
        };
        assert_eq!(arena.refusals().len(), expected, "{:?}", arena.refusals());
    }

    #[test]
    fn slabs_cover_it() {
        let arena = arena(22 << 20);
        let slabs: Vec<libc::iovec> = arena.slabs().collect();
        let lengths: Vec<usize> = slabs.iter().map(|slab| slab.iov_len).collect();
        assert_eq!(lengths, [8 << 20, 8 << 20, 6 << 20]);
        for (i, slab) in slabs.iter().enumerate() {
            let (start, len) = (i << 23, slab.iov_len);
            assert_eq!(slab.iov_base.cast(), arena.at(start));
            assert_eq!(arena.slabs_of(&(start..start + len)), i..i + 1);
            assert_eq!(arena.slabs_of(&(start + len - 1..start + len)), i..i + 1);
        }
        assert_eq!(arena.slabs_of(&((8 << 20) - 1..(8 << 20) + 1)), 0..2);
    }

    #[test]
    fn slabs_grow_with_the_arena_and_a_table_holds_them() {
        let of = |gib: usize| slab_bytes(gib << 30);
        assert_eq!(
            [of(1), of(64), of(65), of(1024), of(8192)].map(|bytes| bytes >> 20),
            [8, 8, 16, 128, 1024]
        );
    }

    #[test]
    fn it_is_unmapped_when_it_goes() {
        // In a child, where no other test maps anything to the same address.
        assert!(in_child(|| {
            let arena = arena(2 << 20);
            let base = arena.at(0);
            assert!(is_mapped(base));
            drop(arena);
            !is_mapped(base)
        }));
    }

    #[test]
    fn a_child_does_not_inherit_it_and_leaves_it_alone() {
        let arena = arena(2 << 20);
        // SAFETY: POOL-2. The arena is this test's alone.
        unsafe { arena.at(0).write(7) };
        let base = arena.at(0);
        assert!(in_child(|| arena.forked() && !is_mapped(base)));
        assert!(!arena.forked() && is_mapped(base));
    }

    fn is_mapped(address: *mut u8) -> bool {
        let mut page = 0u8;
        // SAFETY: POOL-1. mincore only looks whether the address is mapped.
        unsafe { libc::mincore(address.cast(), 4096, &mut page) == 0 }
    }
}
