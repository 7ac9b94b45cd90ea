//! The client of a sink: connections over all cores, one block in flight on each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hydrant::engine::{Buf, Core, Engine, Error, Lease, LocalTask, RecvMode, TcpStream};
use tokio::sync::Barrier;

use super::super::length::Until;
use super::super::setup;
use super::blocks::{self, Moved, STALL_LIMIT};
use super::wire::{COUNT_BYTES, GREETING_BYTES, Greeting, Way};
use crate::exit::Failure;
use crate::options::Options;
use crate::progress::Progress;
use crate::took::{Stopwatch, Took};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What the client is to do.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    pub address: SocketAddr,
    pub connections: usize,
    /// Says what goes over one connection; its blocks are those of all of them together.
    pub greeting: Greeting,
    /// How blocks are received.
    pub mode: RecvMode,
}

impl Work {
    /// Does it with one lease for each connection. The clock runs from when all connections stand.
    pub async fn run(
        self,
        engine: &Engine,
        mut leases: Vec<Lease>,
        options: &Options,
    ) -> Result<(Moved, Took), Failure> {
        let cores = engine.cores().min(self.connections);
        let gate = Arc::new(Gate::of(cores));
        let start = |index| {
            let share = self.share(index, cores);
            let leases = setup::split(&mut leases, share.len());
            let gate = Arc::clone(&gate);
            engine.on_core(index, move |core| run_core(core, self, share, leases, gate))
        };
        let tasks = (0..cores).map(start).collect::<Result<Vec<_>, _>>()?;
        gate.standing.wait().await;
        let stopwatch = Stopwatch::start(engine)?;
        let before = engine.metrics();
        gate.go.wait().await;
        let running = async {
            let mut all = Moved::nothing();
            for task in tasks {
                all = all.and(&task.await??);
            }
            Ok::<_, Failure>(all)
        };
        let progress = Progress::new(self.label(), options.quiet);
        if let Until::Blocks(blocks) = self.greeting.until {
            progress.expect(blocks * self.greeting.block_bytes);
        }
        let counted = || {
            let now = engine.metrics().since(&before);
            now.bytes_sent + now.bytes_received
        };
        let moved = progress.during_counted(running, counted).await?;
        Ok((moved, stopwatch.stop(engine)?))
    }

    /// The greetings of the connections of one core.
    fn share(&self, index: usize, cores: usize) -> Vec<Greeting> {
        let of = self.connections as u64;
        (index..self.connections)
            .step_by(cores)
            .map(|connection| {
                let until = self.greeting.until.share(connection as u64, of);
                Greeting { until, ..self.greeting }
            })
            .collect()
    }

    fn label(&self) -> &'static str {
        match self.greeting.way {
            Way::Send => "sending",
            Way::Receive => "receiving",
        }
    }
}

/// Holds the cores until all connections stand and the clock runs.
struct Gate {
    standing: Barrier,
    go: Barrier,
}

impl Gate {
    /// For so many cores and the main thread.
    fn of(cores: usize) -> Gate {
        Gate { standing: Barrier::new(cores + 1), go: Barrier::new(cores + 1) }
    }
}

async fn run_core(
    core: Core,
    work: Work,
    greetings: Vec<Greeting>,
    leases: Vec<Lease>,
    gate: Arc<Gate>,
) -> Result<Moved, Error> {
    let connected = connect(&core, work.address, greetings.len()).await;
    // Whoever could not connect comes to the gate too: the others wait there.
    gate.standing.wait().await;
    gate.go.wait().await;
    let streams = connected?;
    let start = |((stream, lease), greeting)| {
        let task_core = core.clone();
        core.spawn(async move { carry(&task_core, &stream, lease, greeting, work.mode).await })
    };
    let connections = streams.into_iter().zip(leases).zip(greetings);
    let tasks: Vec<LocalTask<_>> = connections.map(start).collect::<Result<_, _>>()?;
    let mut all = Moved::nothing();
    for task in tasks {
        // None is a task that panicked, which the hook has told.
        all = all.and(&task.await.ok_or(Error::Cancelled)??);
    }
    Ok(all)
}

async fn connect(core: &Core, address: SocketAddr, count: usize) -> Result<Vec<TcpStream>, Error> {
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        streams.push(TcpStream::connect(core, address, CONNECT_LIMIT).await?);
    }
    Ok(streams)
}

/// One connection from the greeting to the end.
async fn carry(
    core: &Core,
    stream: &TcpStream,
    lease: Lease,
    greeting: Greeting,
    mode: RecvMode,
) -> Result<Moved, Error> {
    let mut head = core.head_lease(GREETING_BYTES, "greeting").await?;
    head.as_mut_slice()[..GREETING_BYTES].copy_from_slice(&greeting.write());
    let more = greeting.way == Way::Send;
    let (sent, head) = stream.send(head, 0..GREETING_BYTES, more, STALL_LIMIT).await;
    sent?;
    match greeting.way {
        Way::Send => {
            let (until, zero_copy) = (greeting.until, greeting.zero_copy);
            let moved = blocks::send(core, stream, lease, until, zero_copy).await?;
            expect_count(stream, head, moved.bytes).await?;
            Ok(moved)
        }
        Way::Receive => blocks::receive(core, stream, lease, mode).await,
    }
}

/// Sent is what the other end has, not what the kernel took.
async fn expect_count(stream: &TcpStream, head: Buf, sent: u64) -> Result<(), Error> {
    let (received, head) = stream.recv(head, 0..COUNT_BYTES, RecvMode::Fill, STALL_LIMIT).await;
    let complete = received? == COUNT_BYTES;
    let mut head = head.into_lease().expect("a lease comes back as one");
    let count = head.as_mut_slice().first_chunk().map(|count| u64::from_le_bytes(*count));
    match count {
        Some(count) if complete && count == sent => Ok(()),
        _ => Err(Error::InvalidInput(format!(
            "{} did not confirm the {sent} bytes that were sent to it",
            stream.peer()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::ZeroCopy;
    use super::*;

    #[test]
    fn connections_and_blocks_are_shared_out_whole() {
        let (block_bytes, until) = (4096, Until::Blocks(101));
        let greeting = Greeting { way: Way::Send, zero_copy: ZeroCopy::Auto, block_bytes, until };
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let work = Work { address, connections: 7, greeting, mode: RecvMode::Fill };
        let shares: Vec<Vec<Greeting>> = (0..3).map(|index| work.share(index, 3)).collect();
        assert_eq!(shares.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 2]);
        let blocks = |greeting: &Greeting| match greeting.until {
            Until::Blocks(blocks) => blocks,
            Until::Time(_) => unreachable!("blocks stay blocks"),
        };
        assert_eq!(shares.iter().flatten().map(blocks).sum::<u64>(), 101);
    }
}
