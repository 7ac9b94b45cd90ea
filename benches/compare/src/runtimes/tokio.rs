//! tokio: one thread for sockets, its blocking threads for files.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

use super::Runtime;
use crate::work::{BLOCK_BYTES, Echo, Failure, HandOver, Lane, READS, Reads, aligned_block};

pub const RUNTIME: Runtime = Runtime { reads, echo, hand_over };

fn reads(reads: Reads) -> Result<(), Failure> {
    // `tokio::fs::File` would copy through a buffer of its own; this is what it does beneath.
    let runtime = Builder::new_current_thread().max_blocking_threads(READS).build()?;
    runtime.block_on(async {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(reads.path())?;
        let file = Arc::new(file);
        let blocks: Vec<_> = (0..READS).map(|_| aligned_block()).collect();
        reads.begin();
        let start =
            |(number, block)| tokio::spawn(read(Arc::clone(&file), block, reads.lane(number)));
        let lanes: Vec<_> = blocks.into_iter().enumerate().map(start).collect();
        for lane in lanes {
            lane.await??;
        }
        Ok(())
    })
}

async fn read(file: Arc<File>, block: (Vec<u8>, usize), mut lane: Lane) -> Result<(), Failure> {
    let (mut memory, start) = block;
    while let Some(offset) = lane.next() {
        let file = Arc::clone(&file);
        let (read, back) = spawn_blocking(move || {
            let read = file.read_at(&mut memory[start..start + BLOCK_BYTES], offset);
            (read, memory)
        })
        .await?;
        lane.done(read)?;
        memory = back;
    }
    Ok(())
}

fn echo(echo: Echo) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        echo.begin(listener.local_addr()?)?;
        let mut open = Vec::new();
        for _ in 0..echo.connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            open.push(tokio::spawn(answer(stream, vec![0; echo.message_bytes])));
        }
        for connection in open {
            connection.await??;
        }
        Ok(())
    })
}

async fn answer(mut stream: TcpStream, mut memory: Vec<u8>) -> io::Result<()> {
    loop {
        let received = stream.read(&mut memory).await?;
        if received == 0 {
            return Ok(());
        }
        stream.write_all(&memory[..received]).await?;
    }
}

fn hand_over(work: HandOver) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build()?;
    work.begin()?;
    while work.next() {
        runtime.block_on(runtime.spawn(async {}))?;
    }
    Ok(())
}
