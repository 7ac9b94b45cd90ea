//! glommio: its registered DMA buffers, and its shared channels between two executors.

use std::net::Ipv4Addr;
use std::rc::Rc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::channels::shared_channel;
use glommio::io::{DmaFile, OpenOptions};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use super::Runtime;
use crate::work::{BLOCK_BYTES, Echo, Failure, HandOver, Lane, READS, Reads};

pub const RUNTIME: Runtime = Runtime { reads, echo, hand_over };

fn builder() -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(Placement::Unbound).ring_depth(256)
}

fn executor() -> Result<LocalExecutor, Failure> {
    builder().make().map_err(|error| error.to_string().into())
}

fn reads(reads: Reads) -> Result<(), Failure> {
    executor()?.run(async {
        let file = OpenOptions::new().read(true).dma_open(reads.path()).await;
        let file = Rc::new(file.map_err(|error| error.to_string())?);
        reads.begin();
        let start =
            |number| glommio::spawn_local(read(Rc::clone(&file), reads.lane(number))).detach();
        let lanes: Vec<_> = (0..READS).map(start).collect();
        for lane in lanes {
            lane.await.ok_or("a task panicked")??;
        }
        Ok(())
    })
}

/// The memory comes from the executor's registered share, and goes back to it with each result.
async fn read(file: Rc<DmaFile>, mut lane: Lane) -> Result<(), Failure> {
    while let Some(offset) = lane.next() {
        let read = file.read_at_aligned(offset, BLOCK_BYTES).await;
        lane.done(read.map(|read| read.len()).map_err(|error| error.to_string()))?;
    }
    Ok(())
}

fn echo(echo: Echo) -> Result<(), Failure> {
    executor()?.run(async {
        let failed = |error: glommio::GlommioError<()>| error.to_string();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        echo.begin(listener.local_addr().map_err(failed)?)?;
        let mut open = Vec::new();
        for _ in 0..echo.connections {
            let stream = listener.accept().await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            open.push(glommio::spawn_local(answer(stream, vec![0; echo.message_bytes])).detach());
        }
        for connection in open {
            connection.await.ok_or("a task panicked")??;
        }
        Ok(())
    })
}

async fn answer(mut stream: TcpStream, mut memory: Vec<u8>) -> Result<(), Failure> {
    loop {
        let received = stream.read(&mut memory).await?;
        if received == 0 {
            return Ok(());
        }
        stream.write_all(&memory[..received]).await?;
    }
}

fn hand_over(work: HandOver) -> Result<(), Failure> {
    let (sender, receiver) = shared_channel::new_bounded::<()>(64);
    let (back, done) = shared_channel::new_bounded::<()>(64);
    let core = builder().spawn(move || async move {
        let (receiver, back) = (receiver.connect().await, back.connect().await);
        while let Some(()) = receiver.recv().await {
            if back.send(()).await.is_err() {
                return;
            }
        }
    });
    let core = core.map_err(|error| error.to_string())?;
    executor()?.run(async move {
        let (sender, done) = (sender.connect().await, done.connect().await);
        work.begin()?;
        while work.next() {
            sender.send(()).await.map_err(|_| "the core is gone")?;
            done.recv().await.ok_or("the core is gone")?;
        }
        Ok::<_, Failure>(())
    })?;
    core.join().map_err(|error| error.to_string().into())
}
