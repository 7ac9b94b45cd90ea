//! What goes over a connection: a greeting of the client, then blocks one way, then for who
//! receives as a sink a count of what it has. It is what `hydrant bench net` speaks; numbers go
//! with the low byte first.

/// Names the protocol and its version.
const MAGIC: [u8; 8] = *b"hydnet/1";

/// Bytes of a greeting, of the mark that starts a block, and of the count that ends a run.
pub(super) const GREETING_BYTES: usize = 40;
pub(super) const MARK_BYTES: usize = 16;
pub(super) const COUNT_BYTES: usize = 8;

/// Which way the blocks go, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the sink.
    Send,
    /// From it.
    Receive,
}

/// The first bytes of a connection: magic, way, bytes of a block, time, blocks. A run by time
/// has no blocks here, and only its client knows when it ends: a sink that sends needs blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) way: Way,
    pub(super) block_bytes: u64,
    pub(super) blocks: u64,
}

impl Greeting {
    pub(super) fn write(&self) -> [u8; GREETING_BYTES] {
        let words = [
            u64::from_le_bytes(MAGIC),
            u64::from(self.way == Way::Receive),
            self.block_bytes,
            0,
            self.blocks,
        ];
        let mut bytes = [0; GREETING_BYTES];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    /// `None` for anything else.
    pub(super) fn read(bytes: &[u8]) -> Option<Greeting> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let &[magic, way, block_bytes, _time, blocks] = words else { return None };
        // The second byte says how a sink is to send, which this one decides for itself.
        let way = match way[0] {
            0 => Way::Send,
            1 => Way::Receive,
            _ => return None,
        };
        let (block_bytes, blocks) = (u64::from_le_bytes(block_bytes), u64::from_le_bytes(blocks));
        let whole = block_bytes >= MARK_BYTES as u64 && (way == Way::Send || blocks > 0);
        (magic == MAGIC && whole).then_some(Greeting { way, block_bytes, blocks })
    }
}

/// The first bytes of block `number`.
pub(super) fn mark(number: u64, last: bool) -> [u8; MARK_BYTES] {
    let mut mark = [0; MARK_BYTES];
    mark[..8].copy_from_slice(&number.to_le_bytes());
    mark[8..].copy_from_slice(&u64::from(last).to_le_bytes());
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_read_as_it_was_written_and_nothing_else_is() {
        for way in [Way::Send, Way::Receive] {
            let greeting = Greeting { way, block_bytes: 4096, blocks: 3 };
            assert_eq!(Greeting::read(&greeting.write()), Some(greeting));
        }
        assert_eq!(Greeting::read(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:12345\r\n"), None);
        assert_eq!(Greeting::read(&[0; GREETING_BYTES]), None);
    }
}
