//! The other side of a server that answers every message with itself: so many connections, one
//! message under way on each. It is the load under which servers are compared, so it is raw and
//! cheap, and each answer is checked: a server that loses or mixes messages proves nothing.

use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use io_uring::{opcode, squeue, types};

use crate::arena::{Arena, Buffer};
use crate::connection::Connection;
use crate::failure::{Failure, Result};
use crate::report::{Report, Stopwatch};
use crate::ring::{POLL_FIRST, Ring};

/// The completion of a send, which is posted only when it failed.
const SEND_FAILED: u64 = 1 << 32;

/// One run.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The server.
    pub address: SocketAddr,
    /// Connections, each with one message under way.
    pub connections: usize,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// How long messages are begun.
    pub time: Duration,
}

/// One connection: its buffer is what comes back, beside it what goes out.
struct Exchange {
    connection: Connection,
    question: Buffer,
    asked: u64,
}

impl Ask {
    /// Asks until the time is over and all answers are there. The report counts the bytes of the
    /// answers.
    ///
    /// # Errors
    /// When the kernel refuses something, or an answer is not what was asked.
    pub fn run(&self) -> Result<Report> {
        if self.connections == 0 || u32::try_from(self.message_bytes).unwrap_or(0) == 0 {
            return Err(Failure::wrong("there must be a connection, and a byte to send"));
        }
        let arena = Arena::new(2 * self.connections, self.message_bytes)?;
        let exchanges = (0..self.connections)
            .map(|slot| {
                let connection = Connection::open(self.address, slot, arena.buffer(2 * slot))?;
                Ok(Exchange { connection, question: arena.buffer(2 * slot + 1), asked: 0 })
            })
            .collect::<Result<Vec<_>>>()?;
        // A run that fails midway leaves operations in flight. What they name is then leaked, never
        // freed (OWN-2).
        let mut lent = ManuallyDrop::new((arena, exchanges));
        let stopwatch = Stopwatch::new();
        let answers = self.drive(&mut lent.1)?;
        drop(ManuallyDrop::into_inner(lent));
        Ok(stopwatch.report("ask", answers * self.message_bytes as u64))
    }

    /// `Ok` says that nothing is in flight any more.
    fn drive(&self, exchanges: &mut [Exchange]) -> Result<u64> {
        let mut ring = Ring::new(u32::try_from(2 * exchanges.len()).unwrap_or(u32::MAX))?;
        let deadline = Instant::now() + self.time;
        for (slot, exchange) in exchanges.iter_mut().enumerate() {
            exchange.ask(slot, &mut ring)?;
        }
        let (mut running, mut answers, mut completions) = (exchanges.len(), 0, Vec::new());
        while running > 0 {
            ring.turn(&mut completions)?;
            let over = Instant::now() >= deadline;
            for completion in completions.drain(..) {
                let (tag, result) = (completion.user_data(), completion.result());
                if tag & SEND_FAILED != 0 || result < 0 {
                    return Err(Failure::completion("io_uring send or recv", result.min(0)));
                }
                let slot = usize::try_from(tag).expect("the tag is the index of a connection");
                exchanges[slot].check(result.unsigned_abs() as usize)?;
                answers += 1;
                match over {
                    true => running -= 1,
                    false => exchanges[slot].ask(slot, &mut ring)?,
                }
            }
        }
        Ok(answers)
    }
}

impl Exchange {
    /// Sends the next message and receives what comes back.
    fn ask(&mut self, slot: usize, ring: &mut Ring) -> Result<()> {
        self.asked += 1;
        // SAFETY: the answer is in, so nothing of this connection is in flight.
        unsafe { self.question.fill_start(&self.asked.to_le_bytes()) };
        let (socket, question) = (types::Fd(self.connection.descriptor()), self.question);
        let (answer, bytes) = (self.connection.buffer, question.len() as u32);
        let send = opcode::Send::new(socket, question.at(0), bytes)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build()
            .flags(squeue::Flags::IO_LINK | squeue::Flags::SKIP_SUCCESS)
            .user_data(SEND_FAILED | slot as u64);
        let receive = opcode::Recv::new(socket, answer.at(0), bytes)
            .flags(libc::MSG_WAITALL)
            .ioprio(POLL_FIRST)
            .build()
            .user_data(slot as u64);
        // SAFETY: both buffers are this connection's alone, nothing else of it is in flight, and
        // `run` frees the arena only when nothing is (OWN-2).
        unsafe { ring.push(&send).and_then(|()| ring.push(&receive)) }
    }

    fn check(&self, received: usize) -> Result<()> {
        let (answer, question) = (self.connection.buffer, self.question);
        // SAFETY: the arena is alive, and both operations of this connection are over.
        let same = unsafe { answer.filled(received) == question.filled(question.len()) };
        match same {
            true => Ok(()),
            false => Err(Failure::wrong(format!(
                "answer {} of connection {} is not what was sent",
                self.asked, self.connection.number
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Runs against a server that changes what it sends back by `change`.
    fn against(change: fn(&mut [u8])) -> Result<Report> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        // Nobody joins it: a run that fails leaks its connection, and the server waits on.
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the asker");
            let mut buffer = [0; 100];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                change(&mut buffer[..read]);
                if stream.write_all(&buffer[..read]).is_err() {
                    return;
                }
            }
        });
        let time = Duration::from_millis(5);
        Ask { address, connections: 1, message_bytes: 100, time }.run()
    }

    #[test]
    fn whole_answers_count_and_wrong_ones_end_the_run() {
        let report = against(|_| {}).expect("an echo");
        assert!(report.bytes > 0 && report.bytes.is_multiple_of(100), "{}", report.bytes);
        let failure = against(|answer| answer[answer.len() - 1] ^= 1).expect_err("no echo");
        assert!(failure.to_string().contains("answer 1 of connection 0"), "{failure}");
    }
}
