//! The few blocks of a ticket: up to four in place, more in one allocation made beforehand.

use super::buddy::Block;

const INLINE: usize = 4;

#[derive(Debug)]
pub(super) enum Blocks {
    Inline { len: u8, blocks: [Block; INLINE] },
    Heap(Vec<Block>),
}

impl Blocks {
    /// Room for `count` blocks, so that filling it under a lock allocates nothing.
    pub(super) fn with_capacity(count: usize) -> Self {
        if count <= INLINE { Self::default() } else { Self::Heap(Vec::with_capacity(count)) }
    }

    /// `count` may not exceed what the list was made for.
    pub(super) fn push(&mut self, block: Block) {
        match self {
            Self::Inline { len, blocks } => {
                blocks[usize::from(*len)] = block;
                *len += 1;
            }
            Self::Heap(blocks) => blocks.push(block),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Block> {
        match self {
            Self::Inline { len, blocks } => {
                *len = len.checked_sub(1)?;
                Some(std::mem::take(&mut blocks[usize::from(*len)]))
            }
            Self::Heap(blocks) => blocks.pop(),
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Block] {
        match self {
            Self::Inline { len, blocks } => &mut blocks[..usize::from(*len)],
            Self::Heap(blocks) => blocks,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Inline { len, .. } => usize::from(*len),
            Self::Heap(blocks) => blocks.len(),
        }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Block> {
        std::iter::from_fn(|| self.pop())
    }
}

impl Default for Blocks {
    fn default() -> Self {
        Self::Inline { len: 0, blocks: Default::default() }
    }
}
