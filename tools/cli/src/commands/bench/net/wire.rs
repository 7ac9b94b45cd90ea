//! What a client and a sink say to each other: a greeting of the client, then blocks one way, then
//! for a sink that received a count of what it has.
//!
//! A block begins with its number and whether it is the last, so nothing but blocks goes over the
//! connection while it is measured, and a block that is lost, doubled or mixed up is noticed.

use std::time::Duration;

use super::super::length::Until;
use super::super::setup::BLOCK_BYTES_MAX;

/// Bytes of a greeting, and of the count that ends a run.
pub const GREETING_BYTES: usize = 40;
pub const COUNT_BYTES: usize = 8;
/// Bytes at the start of a block that are no payload.
pub const MARK_BYTES: usize = 16;
/// The smallest block: a mark and as much again.
pub const BLOCK_BYTES_MIN: u64 = 32;

/// Names the protocol and its version.
const MAGIC: [u8; 8] = *b"hydnet/1";
const LAST: u64 = 1;

/// Which way the blocks go, as the client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Send,
    Receive,
}

/// How a sender hands blocks to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ZeroCopy {
    /// Without a copy, until the kernel says that it copies after all
    #[default]
    Auto,
    /// Without a copy, whatever the kernel says
    On,
    /// With a copy
    Off,
}

/// The first bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    pub way: Way,
    pub zero_copy: ZeroCopy,
    pub block_bytes: u64,
    /// When the sink, if it sends, ends.
    pub until: Until,
}

impl Greeting {
    /// As it goes over the wire: numbers with the low byte first.
    pub fn write(&self) -> [u8; GREETING_BYTES] {
        let (time, blocks) = match self.until {
            Until::Time(time) => (u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), 0),
            Until::Blocks(blocks) => (0, blocks),
        };
        let way = u64::from(self.way == Way::Receive) | (self.zero_copy as u64) << 8;
        let mut bytes = [0; GREETING_BYTES];
        let words = [u64::from_le_bytes(MAGIC), way, self.block_bytes, time, blocks];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    /// `None` for anything else than a greeting of this version.
    pub fn read(bytes: &[u8]) -> Option<Greeting> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let &[magic, way, block_bytes, time, blocks] = words else { return None };
        let number = u64::from_le_bytes;
        let block_bytes = number(block_bytes);
        if magic != MAGIC || !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&block_bytes) {
            return None;
        }
        let zero_copy = match number(way) >> 8 {
            0 => ZeroCopy::Auto,
            1 => ZeroCopy::On,
            2 => ZeroCopy::Off,
            _ => return None,
        };
        let way = match number(way) & 0xff {
            0 => Way::Send,
            1 => Way::Receive,
            _ => return None,
        };
        let until = match (number(time), number(blocks)) {
            (0, blocks @ 1..) => Until::Blocks(blocks),
            (time @ 1.., 0) => Until::Time(Duration::from_nanos(time)),
            _ => return None,
        };
        Some(Greeting { way, zero_copy, block_bytes, until })
    }
}

/// Marks a block.
pub fn mark(block: &mut [u8], number: u64, last: bool) {
    block[..8].copy_from_slice(&number.to_le_bytes());
    block[8..MARK_BYTES].copy_from_slice(&(u64::from(last) * LAST).to_le_bytes());
}

/// Whether the block is the last; `None` when it is not the one of this number.
pub fn read_mark(block: &[u8], number: u64) -> Option<bool> {
    let (words, _) = block.get(..MARK_BYTES)?.as_chunks::<8>();
    match (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])) {
        (found, flag @ (0 | LAST)) if found == number => Some(flag == LAST),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_read_as_it_was_written() {
        for way in [Way::Send, Way::Receive] {
            for zero_copy in [ZeroCopy::Auto, ZeroCopy::On, ZeroCopy::Off] {
                for until in [Until::Blocks(7), Until::Time(Duration::from_millis(1500))] {
                    let greeting = Greeting { way, zero_copy, block_bytes: 1 << 20, until };
                    assert_eq!(Greeting::read(&greeting.write()), Some(greeting));
                }
            }
        }
    }

    #[test]
    fn what_is_no_greeting_is_refused() {
        let until = Until::Blocks(7);
        let greeting =
            Greeting { way: Way::Send, zero_copy: ZeroCopy::Off, block_bytes: 4096, until };
        let good = greeting.write();
        for (at, wrong) in [(0, b'x'), (8, 2), (9, 3), (16, 1), (20, 1), (24, 1), (32, 0)] {
            let mut bytes = good;
            // The length of 4,096 becomes 4,097, which is one as well, so it is made too small.
            if at == 16 {
                bytes[17] = 0;
            }
            bytes[at] = wrong;
            assert_eq!(Greeting::read(&bytes), None, "byte {at}");
        }
        assert_eq!(Greeting::read(&good[..GREETING_BYTES - 1]), None);
        assert_eq!(Greeting::read(b"GET / HTTP/1.1\r\n"), None);
    }

    #[test]
    fn a_block_out_of_order_is_noticed() {
        let mut block = [0xab; 64];
        mark(&mut block, 5, true);
        assert_eq!(read_mark(&block, 5), Some(true));
        assert_eq!(read_mark(&block, 6), None);
        mark(&mut block, 6, false);
        assert_eq!(read_mark(&block, 6), Some(false));
        assert_eq!(read_mark(&[0xab; 64], 0), None);
        assert_eq!(read_mark(&block[..MARK_BYTES - 1], 6), None);
    }
}
