//! The buffers of a run: mapped once, touched once, then only reused.

use std::ptr::{self, NonNull};

use crate::failure::{Failure, Result};

/// Huge pages of x86-64 and of arm64 with 4 KiB pages.
const HUGE_PAGE_BYTES: usize = 2 << 20;
const PAGE_BYTES: usize = 4096;

/// `count` page-aligned buffers of `bytes_each` in one anonymous mapping, on huge pages where the
/// kernel has them.
#[derive(Debug)]
pub struct Arena {
    start: NonNull<u8>,
    mapped_bytes: usize,
    bytes_each: usize,
    count: usize,
}

impl Arena {
    /// Maps and touches it, so that no page fault falls into the run.
    ///
    /// # Errors
    /// When the mapping is refused, or its size overflows.
    pub fn new(count: usize, bytes_each: usize) -> Result<Self> {
        let mapped_bytes = bytes_each
            .checked_next_multiple_of(PAGE_BYTES)
            .and_then(|stride| stride.checked_mul(count))
            .and_then(|bytes| bytes.max(1).checked_next_multiple_of(HUGE_PAGE_BYTES))
            .ok_or_else(|| Failure::wrong("arena: count times size is more than an address"))?;
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nobody's
        // memory.
        let address =
            unsafe { libc::mmap(ptr::null_mut(), mapped_bytes, protection, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(Failure::last_errno(format!("arena: mapping {mapped_bytes} bytes")));
        }
        // SAFETY: the range was mapped above and is this function's alone. Huge pages are a wish: a
        // refusal is fine.
        unsafe { libc::madvise(address, mapped_bytes, libc::MADV_HUGEPAGE) };
        // SAFETY: as above. Not zero, so that no layer below can take the pages for holes.
        unsafe { ptr::write_bytes(address.cast::<u8>(), 0xA5, mapped_bytes) };
        let start = NonNull::new(address.cast::<u8>())
            .expect("mmap does not return null without MAP_FIXED");
        Ok(Self { start, mapped_bytes, bytes_each, count })
    }

    /// Where buffer `index` starts. It stays valid as long as the arena.
    ///
    /// # Panics
    /// When there is no such buffer.
    pub fn buffer(&self, index: usize) -> Buffer {
        assert!(index < self.count, "buffer {index} of {}", self.count);
        let offset = index * self.bytes_each.next_multiple_of(PAGE_BYTES);
        // SAFETY: `index < count`, so the offset lies inside the mapping.
        let start = unsafe { self.start.add(offset) };
        Buffer { start, bytes: self.bytes_each }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is the arena's own. Buffers outlive it only in code that breaks the
        // rule of `Buffer`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.mapped_bytes) };
    }
}

/// One buffer of an [`Arena`], as an address: the kernel writes into it while nobody here looks at
/// it. Whoever holds it keeps the arena alive and gives each buffer to one connection.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    bytes: usize,
}

impl Buffer {
    /// Its length.
    #[expect(clippy::len_without_is_empty, reason = "a buffer of the floor is never empty")]
    pub fn len(self) -> usize {
        self.bytes
    }

    /// The address `offset` bytes in.
    ///
    /// # Panics
    /// When that is behind the end.
    pub fn at(self, offset: usize) -> *mut u8 {
        assert!(offset <= self.bytes);
        // SAFETY: inside the mapping, or one past its end, which pointer arithmetic allows.
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// Writes `bytes` at its start, as many as it has room for.
    ///
    /// # Safety
    /// The arena is alive, and no operation on this buffer is in flight (OWN-1).
    pub unsafe fn fill_start(self, bytes: &[u8]) {
        let count = bytes.len().min(self.bytes);
        // SAFETY: inside the mapping, which `bytes` is no part of; the caller vouches for the rest.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr(), count) };
    }

    /// Its first `bytes` as a slice.
    ///
    /// # Safety
    /// The arena is alive, and no operation that writes this buffer is in flight (OWN-1) while the
    /// slice lives.
    pub unsafe fn filled<'a>(self, bytes: usize) -> &'a [u8] {
        assert!(bytes <= self.bytes);
        // SAFETY: mapped and initialised by `Arena::new`; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), bytes) }
    }

    /// The same to write to.
    ///
    /// # Safety
    /// As [`Buffer::filled`], and no other slice of this buffer lives.
    pub unsafe fn filled_mut<'a>(self, bytes: usize) -> &'a mut [u8] {
        assert!(bytes <= self.bytes);
        // SAFETY: as in `filled`; the caller vouches that the slice is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_touched_and_apart() {
        let arena = Arena::new(3, 5000).expect("a small mapping");
        let addresses: Vec<usize> = (0..3).map(|i| arena.buffer(i).at(0) as usize).collect();
        assert!(addresses.iter().all(|address| address % PAGE_BYTES == 0));
        assert!(addresses.windows(2).all(|pair| pair[1] - pair[0] >= 5000));
        // SAFETY: the arena is alive and nothing is in flight.
        let bytes = unsafe { arena.buffer(2).filled(5000) };
        assert!(bytes.iter().all(|&byte| byte == 0xA5));
    }
}
