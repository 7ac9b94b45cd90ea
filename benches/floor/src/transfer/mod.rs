//! Ranged GETs and PUTs over kept-alive HTTP/1.1 connections: one request outstanding a connection,
//! one reused buffer each. A GET discards the body in place; a PUT sends the same buffer again and
//! again. GETs may come over TLS: the buffer then takes the records. What they bring may be summed, and
//! is then compared.
//!
//! This room knows nothing of S3 and never retries.

mod answer;
mod line;
mod moved;
mod sealed;
mod threads;
mod uring;

use std::net::SocketAddr;
use std::ops::Range;

use hydrant::Crc64;

use crate::Engine;
use crate::failure::{Failure, Result};
use crate::report::{Report, Stopwatch};
use crate::tls::{Sessions, Tls};
use crate::work::Ranges;
use answer::{Answer, Expected};
use moved::Moved;
use sealed::RECORDS_BYTES_MIN;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the server, by ranged GETs of one object.
    Get,
    /// To the server, by PUTs to one URL a connection.
    Put,
}

/// One run. All sizes are bytes.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Which way.
    pub direction: Direction,
    /// By which system calls.
    pub engine: Engine,
    /// The server.
    pub address: SocketAddr,
    /// The path of the object. PUT appends `.` and the number of the connection.
    pub path: String,
    /// Payload in all.
    pub bytes: u64,
    /// Payload a request.
    pub range_bytes: u64,
    /// The reused buffer of each connection.
    pub buffer_bytes: usize,
    /// Connections in all.
    pub connections: usize,
    /// Threads the connections are dealt to.
    pub threads: usize,
    /// Let the kernel return from a receive only when the buffer is full (`MSG_WAITALL`).
    pub wait_all: bool,
    /// Speak TLS, which GETs alone do.
    pub tls: Option<Tls>,
    /// Sum what arrives, and find this; of the whole, which GETs alone have.
    pub sum: Option<Crc64>,
}

impl Transfer {
    /// Does it, and checks that every byte was answered for.
    ///
    /// # Errors
    /// When the kernel refuses something, or an answer is not what it should be.
    pub fn run(&self) -> Result<Report> {
        self.validate()?;
        let stopwatch = Stopwatch::new();
        let ranges = Ranges::new(self.bytes, self.range_bytes);
        let sessions = self.tls.as_ref().map(Sessions::new).transpose()?;
        let moved = std::thread::scope(|scope| {
            let running: Vec<_> = (0..self.threads)
                .map(|thread| {
                    let (mine, ranges) = (self.connections_of(thread), &ranges);
                    let sessions = sessions.as_ref();
                    scope.spawn(move || match self.engine {
                        Engine::Threads => threads::run(self, sessions, &mine, ranges),
                        Engine::Uring => uring::run(self, sessions, &mine, ranges),
                    })
                })
                .collect();
            let finished = running.into_iter().map(|thread| thread.join());
            finished
                .map(|joined| joined.expect("a thread of the floor does not panic"))
                .try_fold(Moved::default(), |all, moved| Ok(all.join(moved?)))
        })?;
        let moved_bytes = moved.bytes;
        if moved_bytes != self.bytes {
            return Err(Failure::wrong(format!(
                "{moved_bytes} of {} bytes were moved",
                self.bytes
            )));
        }
        if let Some(told) = self.sum {
            let found = moved.sum();
            if found != told {
                return Err(Failure::wrong(format!("the sum is {found} and not {told}")));
            }
        }
        let direction = match self.direction {
            Direction::Get => "get",
            Direction::Put => "put",
        };
        let tls = if self.tls.is_some() { "-tls" } else { "" };
        let sum = if self.sum.is_some() { "-sum" } else { "" };
        Ok(stopwatch.report(format!("{direction}-{}{tls}{sum}", self.engine), moved_bytes))
    }

    fn validate(&self) -> Result<()> {
        let wrong = |what: &str| Err(Failure::wrong(what));
        if self.threads == 0 || self.connections < self.threads {
            return wrong("there must be a thread, and a connection for each thread");
        }
        if self.range_bytes == 0 || self.buffer_bytes == 0 || self.bytes == 0 {
            return wrong("sizes must be more than 0");
        }
        if u32::try_from(self.buffer_bytes).is_err() {
            return wrong("a buffer is at most 4 GiB, the longest operation io_uring takes");
        }
        if self.tls.is_some() && self.direction == Direction::Put {
            return wrong("PUTs do not speak TLS here");
        }
        if self.sum.is_some() && self.direction == Direction::Put {
            return wrong("PUTs are not summed here");
        }
        if self.tls.is_some() && self.buffer_bytes < RECORDS_BYTES_MIN {
            return wrong("a buffer for TLS has 32 KiB at least");
        }
        Ok(())
    }

    /// The numbers of the connections of one thread.
    fn connections_of(&self, thread: usize) -> Vec<usize> {
        (thread..self.connections).step_by(self.threads).collect()
    }

    /// The head of the request for `range` on connection `number`.
    fn request_head(&self, number: usize, range: &Range<u64>) -> String {
        let Self { path, address, .. } = self;
        match self.direction {
            Direction::Get => format!(
                "GET {path} HTTP/1.1\r\nHost: {address}\r\nRange: bytes={}-{}\r\n\r\n",
                range.start,
                range.end - 1
            ),
            Direction::Put => format!(
                "PUT {path}.{number} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n",
                range.end - range.start
            ),
        }
    }

    /// Nothing yet of the answer to the request for `range`.
    fn answer(&self, range: &Range<u64>) -> Answer {
        match (self.direction, self.sum) {
            (Direction::Get, None) => Answer::new(Expected::Partial(range.end - range.start)),
            (Direction::Get, _) => Answer::summed(Expected::Partial(range.end - range.start)),
            (Direction::Put, _) => Answer::new(Expected::Stored),
        }
    }

    /// How many bytes of body the request for `range` carries.
    fn body_bytes(&self, range: &Range<u64>) -> u64 {
        match self.direction {
            Direction::Get => 0,
            Direction::Put => range.end - range.start,
        }
    }
}
