//! Hydrant's engine: one core, leases of its registered pool.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hydrant_engine::{
    Buf, Core, Engine, Error, File, Lease, OpenOptions, RecvMode, Service, TcpListener, TcpStream,
};

use super::Runtime;
use crate::work::{BLOCK_BYTES, Echo, Failure, HandOver, Lane, READS, Reads};

pub const RUNTIME: Runtime = Runtime { reads, echo, hand_over };

const STALL_LIMIT: Duration = Duration::from_secs(30);

fn engine() -> Result<Engine, Error> {
    Engine::builder().cores(1).pool_bytes(16 << 20).start()
}

fn reads(reads: Reads) -> Result<(), Failure> {
    let engine = engine()?;
    let task = engine.on_core(0, |core| async move {
        let options = OpenOptions::new().read().direct(true);
        let file = File::open(&core, reads.path(), &options).await?;
        let mut leases = Vec::new();
        for _ in 0..READS {
            leases.push(core.pool().lease(BLOCK_BYTES, "read").await.map_err(Error::from)?);
        }
        reads.begin();
        let start = |(number, lease)| {
            core.spawn(read(core.clone(), file.clone(), lease, reads.lane(number)))
        };
        let lanes = leases.into_iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
        for lane in lanes {
            lane.await.ok_or("a task panicked")??;
        }
        Ok(())
    })?;
    task.wait()?
}

async fn read(core: Core, file: File, lease: Lease, mut lane: Lane) -> Result<(), Failure> {
    let mut buf = Buf::from(lease);
    while let Some(offset) = lane.next() {
        let (read, back) = file.read_at(&core, buf, 0..BLOCK_BYTES, offset).await;
        lane.done(read)?;
        buf = back;
    }
    Ok(())
}

fn echo(echo: Echo) -> Result<(), Failure> {
    let engine = engine()?;
    let task = engine.on_core(0, |core| async move {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        echo.begin(listener.local_addr())?;
        let mut open = Vec::new();
        for _ in 0..echo.connections {
            let stream = listener.accept(&core).await?;
            let lease = core.head_lease(echo.message_bytes, "echo").await?;
            open.push(core.spawn(answer(stream, lease, echo.message_bytes))?);
        }
        for connection in open {
            connection.await.ok_or("a task panicked")??;
        }
        Ok(())
    })?;
    task.wait()?
}

async fn answer(stream: TcpStream, lease: Lease, message_bytes: usize) -> Result<(), Failure> {
    let mut buf = Buf::from(lease);
    loop {
        let (received, back) =
            stream.recv(buf, 0..message_bytes, RecvMode::Some, STALL_LIMIT).await;
        let received = received?;
        if received == 0 {
            return Ok(());
        }
        let (sent, back) = stream.send(back, 0..received, false, STALL_LIMIT).await;
        sent?;
        buf = back;
    }
}

fn hand_over(work: HandOver) -> Result<(), Failure> {
    let engine = engine()?;
    let service = Service::start(&engine, 0, 1, |_core, ()| async {})?;
    work.begin()?;
    while work.next() {
        service.ask(()).map_err(|(error, ())| error)?.wait()?;
    }
    Ok(())
}
