//! Blocks over TCP connections, one way, without any protocol around them: what a network costs
//! when nothing is asked and nothing answered. One thread (one ring) does all connections, with one
//! reused buffer each.
//!
//! It talks to [`sink`], and so does `hydrant bench net`: both measure against the same raw peer.

pub mod sink;
mod threads;
mod uring;
mod wire;

use std::mem::ManuallyDrop;
use std::net::SocketAddr;

use crate::Engine;
use crate::arena::Arena;
use crate::connection::Connection;
use crate::failure::{Failure, Result};
use crate::report::{Report, Stopwatch, Usage};

pub use wire::Way;
use wire::{COUNT_BYTES, Greeting, MARK_BYTES};

/// One run. All sizes are bytes.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// Which way, as seen from here.
    pub way: Way,
    /// By which system calls.
    pub engine: Engine,
    /// The sink.
    pub address: SocketAddr,
    /// Payload in all: whole blocks.
    pub bytes: u64,
    /// The reused buffer of each connection, which is one block.
    pub block_bytes: usize,
    /// Connections, all of one thread.
    pub connections: usize,
    /// Let the kernel return from a receive only when the block is there (`MSG_WAITALL`).
    pub wait_all: bool,
}

/// One connection and the blocks that it is to move.
struct Lane {
    connection: Connection,
    blocks: u64,
    moved_blocks: u64,
    /// Bytes of the block under way.
    moved_bytes: usize,
}

impl Blocks {
    /// Does it, and checks that every block came in its order, or was confirmed by the sink.
    ///
    /// # Errors
    /// When the kernel refuses something, or a block is not the one that it should be.
    pub fn run(&self) -> Result<Report> {
        self.validate()?;
        let arena = Arena::new(self.connections, self.block_bytes)?;
        let lanes = (0..self.connections)
            .map(|number| Lane::open(self, number, &arena))
            .collect::<Result<Vec<_>>>()?;
        // Buffers and connections stand: their making is not what is measured.
        let (stopwatch, before) = (Stopwatch::new(), Usage::of_self());
        // A run that fails midway leaves operations in flight. What they name is then leaked, never
        // freed (OWN-2).
        let mut lent = ManuallyDrop::new((arena, lanes));
        match self.engine {
            Engine::Threads => threads::run(self, &mut lent.1)?,
            Engine::Uring => uring::run(self, &mut lent.1)?,
        }
        let (_arena, lanes) = ManuallyDrop::into_inner(lent);
        if self.way == Way::Send {
            lanes.iter().try_for_each(|lane| lane.expect_count(self.block_bytes))?;
        }
        let way = match self.way {
            Way::Send => "send",
            Way::Receive => "receive",
        };
        let report = stopwatch.report(format!("{way}-{}", self.engine), self.bytes);
        Ok(Report { usage: report.usage.since(before), ..report })
    }

    fn validate(&self) -> Result<()> {
        let wrong = |what: &str| Err(Failure::wrong(what));
        if self.block_bytes < 2 * MARK_BYTES || u32::try_from(self.block_bytes).is_err() {
            return wrong("a block has 32 bytes at least, and under 4 GiB");
        }
        if !self.bytes.is_multiple_of(self.block_bytes as u64) {
            return wrong("the payload is no multiple of a block");
        }
        if self.connections == 0 || self.bytes / (self.block_bytes as u64) < self.connections as u64
        {
            return wrong("there must be a connection, and a block for each");
        }
        Ok(())
    }

    /// Blocks of connection `number`.
    fn share(&self, number: usize) -> u64 {
        let (all, of) = (self.bytes / self.block_bytes as u64, self.connections as u64);
        all / of + u64::from((number as u64) < all % of)
    }
}

impl Lane {
    fn open(work: &Blocks, number: usize, arena: &Arena) -> Result<Lane> {
        let connection = Connection::open(work.address, number, arena.buffer(number))?;
        let blocks = work.share(number);
        let greeting = Greeting { way: work.way, block_bytes: work.block_bytes as u64, blocks };
        connection.send_all(&greeting.write(), 0)?;
        Ok(Lane { connection, blocks, moved_blocks: 0, moved_bytes: 0 })
    }

    fn is_over(&self) -> bool {
        self.moved_blocks == self.blocks
    }

    /// Writes the mark of the next block.
    ///
    /// # Safety
    /// Nothing of this lane is in flight (OWN-1).
    unsafe fn mark(&self) {
        let mark = wire::mark(self.moved_blocks, self.moved_blocks + 1 == self.blocks);
        // SAFETY: the caller vouches for it; lanes live shorter than the arena.
        unsafe { self.connection.buffer.fill_start(&mark) };
    }

    /// Takes in `count` more bytes of the block under way; true when that completes it.
    ///
    /// # Safety
    /// Nothing of this lane is in flight (OWN-1).
    unsafe fn moved(&mut self, way: Way, count: usize) -> Result<bool> {
        let (buffer, number) = (self.connection.buffer, self.connection.number);
        self.moved_bytes += count;
        if count == 0 {
            return Err(Failure::wrong(format!("connection {number} was closed midway")));
        }
        if self.moved_bytes < buffer.len() {
            return Ok(false);
        }
        let expected = wire::mark(self.moved_blocks, self.moved_blocks + 1 == self.blocks);
        // SAFETY: the caller vouches for it.
        if way == Way::Receive && unsafe { buffer.filled(MARK_BYTES) } != expected {
            let block = self.moved_blocks;
            return Err(Failure::wrong(format!("connection {number}: not block {block}")));
        }
        self.moved_bytes = 0;
        self.moved_blocks += 1;
        Ok(true)
    }

    /// Sent is what the sink has.
    fn expect_count(&self, block_bytes: usize) -> Result<()> {
        let received = self.connection.receive(0..COUNT_BYTES, libc::MSG_WAITALL)?;
        // SAFETY: the receive has returned, and nothing else is in flight at the end of a run.
        let count = unsafe { self.connection.buffer.filled(COUNT_BYTES) };
        let expected = self.blocks * block_bytes as u64;
        match received == COUNT_BYTES && count == expected.to_le_bytes() {
            true => Ok(()),
            false => Err(Failure::wrong("the sink did not confirm what was sent to it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_arrives_either_way_by_either_engine() {
        let sink = sink::Sink::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let address = sink.address();
        std::thread::spawn(move || sink.serve());
        for (way, wait_all) in [(Way::Send, false), (Way::Receive, false), (Way::Receive, true)] {
            for engine in [Engine::Threads, Engine::Uring] {
                let (bytes, block_bytes) = (7 * 3000, 3000);
                let work =
                    Blocks { way, engine, address, bytes, block_bytes, connections: 3, wait_all };
                let report = work.run().expect("a run on loopback");
                assert_eq!(report.bytes, bytes, "{way:?} {engine}");
            }
        }
    }

    #[test]
    fn blocks_are_shared_out_whole() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let work = Blocks {
            way: Way::Send,
            engine: Engine::Uring,
            address,
            bytes: 100 * 64,
            block_bytes: 64,
            connections: 7,
            wait_all: false,
        };
        work.validate().expect("whole blocks");
        assert_eq!((0..7).map(|number| work.share(number)).sum::<u64>(), 100);
        assert!(Blocks { bytes: 100 * 64 + 1, ..work.clone() }.validate().is_err());
        assert!(Blocks { connections: 101, ..work }.validate().is_err());
    }
}
