//! The quarantine of test builds: finds what the kernel writes to memory that was given back.
//!
//! AddressSanitizer sees our own reads and writes, not the kernel's. So with `quarantine` switched
//! on, a returned block is filled with a pattern and kept from the allocator; later the pattern is
//! compared. A difference is a write after the return: a breach of OWN-1. Memory of the caller
//! cannot be held this way, since a [`Region`](super::Region) goes back to whoever lent it.

use super::Pool;
use super::arena::Arena;
use super::buddy::Block;
use super::handle::ShareName;
use super::label::Label;

/// Something wrote to a block after it had been returned. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineHit {
    /// Where the block begins in the arena.
    pub offset: usize,
    /// The first changed byte of the block.
    pub first_bad: usize,
    /// From the first changed byte to behind the last one.
    pub len: usize,
}

impl Pool {
    /// Compares all blocks in quarantine with the pattern, and keeps them.
    pub fn quarantine_check(&self) -> Vec<QuarantineHit> {
        let mut hits = Vec::new();
        for share in self.shares_here() {
            self.share(share).for_each_held(|block| hits.extend(check(self.arena(), block)));
        }
        hits
    }

    /// Compares all blocks in quarantine with the pattern, and gives them to the allocator.
    pub fn quarantine_release(&self) -> Vec<QuarantineHit> {
        let mut hits = Vec::new();
        let label = self.quarantine_label();
        for share in self.shares_here() {
            let held = self.share(share).take_held();
            hits.extend(held.iter().filter_map(|block| check(self.arena(), block)));
            self.share(share).put_back(label, held);
        }
        hits
    }

    pub(super) fn quarantine(
        &self,
        share: ShareName,
        label: Label,
        blocks: impl IntoIterator<Item = Block>,
    ) {
        let quarantine = self.quarantine_label();
        for block in blocks {
            fill(self.arena(), &block);
            self.share(share).hold(label, quarantine, block);
        }
    }

    /// Blocks in quarantine stay lent, to this holder.
    fn quarantine_label(&self) -> Label {
        self.labels().intern("quarantine")
    }

    /// None in a forked child, where the arena is not mapped.
    fn shares_here(&self) -> impl Iterator<Item = ShareName> + use<> {
        let here = !self.forked();
        [ShareName::Parts, ShareName::Heads].into_iter().filter(move |_| here)
    }
}

/// Words of the pattern before it begins again: a prime, so that what was moved within the arena by pages
/// or powers of two is noticed too.
const PATTERN_WORDS: usize = 4093;

static PATTERN: [u64; PATTERN_WORDS] = {
    let (mut words, mut i) = ([0; PATTERN_WORDS], 0);
    while i < PATTERN_WORDS {
        words[i] = 0xD7D7_D7D7_D7D7_D7D7 ^ (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        i += 1;
    }
    words
};

/// The pieces of a block in which the pattern does not begin again, each with its part of the pattern.
fn pieces(arena: &Arena, block: &Block) -> impl Iterator<Item = (*mut u64, &'static [u64])> {
    let (mut word, end) = (block.offset() / 8, (block.offset() + block.bytes()) / 8);
    std::iter::from_fn(move || {
        let from = word % PATTERN_WORDS;
        let to = PATTERN_WORDS.min(from + end - word);
        let start = (word < end).then(|| arena.at(word * 8).cast())?;
        word += to - from;
        Some((start, &PATTERN[from..to]))
    })
}

fn fill(arena: &Arena, block: &Block) {
    for (start, pattern) in pieces(arena, block) {
        // SAFETY: POOL-2. The block has been given back and not lent again; a piece lies inside of it.
        unsafe { libc::memcpy(start.cast(), pattern.as_ptr().cast(), size_of_val(pattern)) };
    }
}

fn check(arena: &Arena, block: &Block) -> Option<QuarantineHit> {
    let (mut first, mut end, mut at) = (None, 0, 0);
    for (start, pattern) in pieces(arena, block) {
        // SAFETY: POOL-2. The block is in quarantine. If the kernel writes to it at this moment, that is
        // the fault being looked for, and the C library sees some of it.
        let differs = unsafe {
            libc::memcmp(start.cast(), pattern.as_ptr().cast(), size_of_val(pattern)) != 0
        };
        for (i, expected) in pattern.iter().enumerate().filter(|_| differs) {
            // SAFETY: as above, and the word lies in the piece.
            let changed = unsafe { start.add(i).read_volatile() } ^ expected;
            for (byte, _) in changed.to_ne_bytes().iter().enumerate().filter(|(_, it)| **it != 0) {
                first.get_or_insert(at + i * 8 + byte);
                end = at + i * 8 + byte + 1;
            }
        }
        at += size_of_val(pattern);
    }
    first.map(|first_bad| QuarantineHit { offset: block.offset(), first_bad, len: end - first_bad })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{KIB, MIB, lease, pool_with};
    use super::super::{Buf, PoolError};
    use super::*;

    fn quarantined() -> Pool {
        pool_with(|config| config.quarantine = true)
    }

    #[test]
    fn a_write_after_the_return_is_found() {
        let pool = quarantined();
        let _first = lease(&pool, MIB);
        let mut buf = Buf::from(lease(&pool, MIB));
        let span = buf.raw(&(0..MIB)).expect("inside");
        drop(buf);
        assert_eq!(pool.quarantine_check(), []);
        // SAFETY: POOL-2 is broken here on purpose; the block is in quarantine and still mapped.
        unsafe {
            let byte = span.ptr.add(70_001);
            byte.write_volatile(!byte.read_volatile());
            let byte = span.ptr.add(70_019);
            byte.write_volatile(!byte.read_volatile());
        }
        let offset = span.ptr.addr() - pool.arena().at(0).addr();
        let hit = QuarantineHit { offset, first_bad: 70_001, len: 19 };
        assert_eq!(pool.quarantine_check(), [hit]);
        assert_eq!(pool.quarantine_release(), [hit]);
        assert_eq!(pool.quarantine_check(), []);
    }

    #[test]
    fn what_is_held_is_lent_until_the_release() {
        let pool = quarantined();
        let mut part = lease(&pool, MIB);
        part.shrink_to(4 * KIB);
        let head = pool.head(4 * KIB).expect("free");
        drop((part, head));
        assert_eq!(pool.stats().lent_bytes, MIB + 4 * KIB);
        let request = super::super::tests::request(7 * MIB, 1);
        let PoolError::Exhausted { holders, .. } = pool.exhausted_error(&request) else {
            panic!("an exhausted pool");
        };
        assert_eq!(holders, [("quarantine", MIB)]);
        let mut waiting = pool.ticket(request);
        assert_eq!(pool.quarantine_release(), []);
        assert!(super::super::tests::poll_once(&mut waiting).is_ready());
        drop(waiting);
        assert_eq!(pool.stats().lent_bytes, 7 * MIB, "dropped by its ticket into quarantine");
    }
}
