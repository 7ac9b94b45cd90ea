//! Blocks over one connection, either way; client and sink do the same.

use std::time::{Duration, Instant};

use hydrant::engine::{Buf, Core, Error, Lease, RecvMode, TcpStream, ZeroCopyChoice};

use super::super::latency::Latency;
use super::super::length::Until;
use super::wire::{self, ZeroCopy};

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

/// Receives blocks up to the last.
pub async fn receive(core: &Core, stream: &TcpStream, lease: Lease) -> Result<Moved, Error> {
    let (mut moved, mut buf) = (Moved::nothing(), Buf::from(lease));
    let mut begun = core.now();
    loop {
        let len = buf.len();
        let (received, back) = stream.recv(buf, 0..len, RecvMode::Fill, STALL_LIMIT).await;
        buf = back;
        let ended = core.now();
        let received = received?;
        let last = match wire::read_mark(buf.as_slice(), moved.blocks) {
            Some(last) if received == len => last,
            _ => return Err(broken(stream, moved.blocks, received, len)),
        };
        moved.add(received, ended.saturating_duration_since(begun));
        begun = ended;
        if last {
            return Ok(moved);
        }
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
    fn what_connections_moved_adds_up() {
        let mut one = Moved::nothing();
        one.add(32, Duration::from_micros(5));
        one.add(32, Duration::from_micros(7));
        let both = Moved::nothing().and(&one).and(&one);
        assert_eq!((both.blocks, both.bytes), (4, 128));
    }
}
