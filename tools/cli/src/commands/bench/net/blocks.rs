//! Blocks over one connection, either way; client and sink do the same.

use std::time::{Duration, Instant};

use hydrant::engine::{Buf, Core, Error, Lease, RecvMode, TcpStream, ZeroCopyChoice};

use super::super::latency::Latency;
use super::super::length::Until;
use super::wire::{self, MARK_BYTES, ZeroCopy};

/// How long a peer may do nothing.
pub const STALL_LIMIT: Duration = Duration::from_secs(30);

/// What went over a connection.
#[derive(Debug)]
pub struct Moved {
    pub blocks: u64,
    pub bytes: u64,
    /// Of a block: from handing it to the engine to its result.
    pub latency: Latency,
}

impl Moved {
    /// Nothing yet.
    pub fn nothing() -> Moved {
        Moved { blocks: 0, bytes: 0, latency: Latency::new() }
    }

    /// With what went over another connection.
    pub fn and(mut self, other: &Moved) -> Moved {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
        self.latency.merge(&other.latency);
        self
    }

    fn add(&mut self, bytes: usize, took: Duration) {
        self.blocks += 1;
        self.bytes += bytes as u64;
        self.latency.record(took);
    }
}

/// Sends blocks until the end, and marks the last one.
pub async fn send(
    core: &Core,
    stream: &TcpStream,
    lease: Lease,
    until: Until,
    zero_copy: ZeroCopy,
) -> Result<Moved, Error> {
    stream.set_zero_copy(match zero_copy {
        ZeroCopy::Auto => ZeroCopyChoice::Auto,
        ZeroCopy::On => ZeroCopyChoice::On,
        ZeroCopy::Off => ZeroCopyChoice::Off,
    });
    let (mut moved, mut buf) = (Moved::nothing(), Buf::from(lease));
    let mut begun = core.now();
    let ends = End::of(until, begun);
    loop {
        let last = ends.after(moved.blocks + 1, begun);
        let block = buf.as_mut_slice().expect("a lease can be written");
        wire::mark(block, moved.blocks, last);
        let len = buf.len();
        let (sent, back) = stream.send(buf, 0..len, false, STALL_LIMIT).await;
        buf = back;
        // The end of one block is the beginning of the next: the clock is read once for each.
        let ended = core.now();
        moved.add(sent?, ended.saturating_duration_since(begun));
        begun = ended;
        if last {
            return Ok(moved);
        }
    }
}

/// Receives blocks up to the last; with [`RecvMode::Some`] in pieces, each to the beginning of the lease.
pub async fn receive(
    core: &Core,
    stream: &TcpStream,
    lease: Lease,
    mode: RecvMode,
) -> Result<Moved, Error> {
    let (mut moved, mut buf) = (Moved::nothing(), Buf::from(lease));
    let mut block = Block::of(buf.len());
    let mut begun = core.now();
    loop {
        let len = buf.len();
        let (received, back) = stream.recv(buf, 0..len, mode, STALL_LIMIT).await;
        buf = back;
        let received = received?;
        if received == 0 || mode == RecvMode::Fill && received < len {
            return Err(broken(stream, moved.blocks, block.at + received, len));
        }
        let mut piece = &buf.as_slice()[..received];
        while !piece.is_empty() {
            piece = block.take(piece);
            if block.at < block.len {
                continue;
            }
            let last = wire::read_mark(&block.mark, moved.blocks);
            let last = last.ok_or_else(|| broken(stream, moved.blocks, len, len))?;
            let ended = core.now();
            moved.add(len, ended.saturating_duration_since(begun));
            if last {
                return Ok(moved);
            }
            (begun, block.at) = (ended, 0);
        }
    }
}

/// What has come of a block.
struct Block {
    len: usize,
    at: usize,
    mark: [u8; MARK_BYTES],
}

impl Block {
    fn of(len: usize) -> Block {
        Block { len, at: 0, mark: [0; MARK_BYTES] }
    }

    /// Takes what is of this block, and gives the rest back.
    fn take<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let (ours, rest) = piece.split_at(piece.len().min(self.len - self.at));
        if let Some(missing) = self.mark.get_mut(self.at..) {
            let count = missing.len().min(ours.len());
            missing[..count].copy_from_slice(&ours[..count]);
        }
        self.at += ours.len();
        rest
    }
}

fn broken(stream: &TcpStream, number: u64, received: usize, wanted: usize) -> Error {
    let peer = stream.peer();
    Error::InvalidInput(match received == wanted {
        true => format!("{peer} sent something else than block {number}"),
        false => format!("{peer} closed the connection after {received} bytes of block {number}"),
    })
}

/// When a sender ends.
struct End {
    deadline: Option<Instant>,
    blocks: u64,
}

impl End {
    fn of(until: Until, now: Instant) -> End {
        match until {
            Until::Time(time) => End { deadline: now.checked_add(time), blocks: u64::MAX },
            Until::Blocks(blocks) => End { deadline: None, blocks },
        }
    }

    /// Whether the block of this number, from 1, that begins now is the last.
    fn after(&self, number: u64, now: Instant) -> bool {
        number >= self.blocks || self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_by_count_or_by_time() {
        let now = Instant::now();
        let count = End::of(Until::Blocks(3), now);
        assert!(!count.after(2, now) && count.after(3, now));
        let time = End::of(Until::Time(Duration::from_secs(1)), now);
        assert!(!time.after(1 << 40, now) && time.after(1, now + Duration::from_secs(1)));
    }

    #[test]
    fn a_mark_is_read_however_it_is_cut() {
        let mut stream = [0; 2 * 40];
        let (first, second) = stream.split_at_mut(40);
        wire::mark(first, 6, false);
        wire::mark(second, 7, true);
        for size in 1..=80 {
            let (mut block, mut marks) = (Block::of(40), Vec::new());
            for mut piece in stream.chunks(size) {
                while !piece.is_empty() {
                    piece = block.take(piece);
                    if block.at == 40 {
                        marks.push(wire::read_mark(&block.mark, 6 + marks.len() as u64));
                        block.at = 0;
                    }
                }
            }
            assert_eq!(marks, [Some(false), Some(true)], "{size} bytes a piece");
        }
    }

    #[test]
    fn what_connections_moved_adds_up() {
        let mut one = Moved::nothing();
        one.add(32, Duration::from_micros(5));
        one.add(32, Duration::from_micros(7));
        let both = Moved::nothing().and(&one).and(&one);
        assert_eq!((both.blocks, both.bytes), (4, 128));
    }
}
