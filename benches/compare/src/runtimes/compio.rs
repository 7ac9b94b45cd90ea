//! compio: its dispatcher between threads. It has no registered buffers for files.

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;

use compio::BufResult;
use compio::buf::IoBuf;
use compio::dispatcher::Dispatcher;
use compio::driver::ProactorBuilder;
use compio::fs::{File, OpenOptions};
use compio::io::{AsyncRead, AsyncReadAt, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use futures::executor::block_on;

use super::Runtime;
use crate::work::{BLOCK_BYTES, Echo, Failure, HandOver, Lane, READS, Reads, aligned_block};

pub const RUNTIME: Runtime = Runtime { reads, echo, hand_over };

fn proactor() -> ProactorBuilder {
    let mut proactor = ProactorBuilder::new();
    proactor.single_issuer(true).defer_taskrun(true).taskrun_flag(true);
    proactor
}

fn runtime() -> std::io::Result<compio::runtime::Runtime> {
    compio::runtime::Runtime::builder().with_proactor(proactor()).build()
}

fn reads(reads: Reads) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(libc::O_DIRECT).open(reads.path()).await?;
        let blocks: Vec<_> = (0..READS).map(|_| aligned_block()).collect();
        reads.begin();
        let start =
            |(number, block)| compio::runtime::spawn(read(file.clone(), block, reads.lane(number)));
        let lanes: Vec<_> = blocks.into_iter().enumerate().map(start).collect();
        for lane in lanes {
            lane.await.map_err(|_| "a task panicked")??;
        }
        Ok(())
    })
}

async fn read(file: File, block: (Vec<u8>, usize), mut lane: Lane) -> Result<(), Failure> {
    let (memory, start) = block;
    let mut block = memory.slice(start..start + BLOCK_BYTES);
    while let Some(offset) = lane.next() {
        let BufResult(read, back) = file.read_at(block, offset).await;
        lane.done(read)?;
        block = back;
    }
    Ok(())
}

fn echo(echo: Echo) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        echo.begin(listener.local_addr()?)?;
        let mut open = Vec::new();
        for _ in 0..echo.connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            open.push(compio::runtime::spawn(answer(stream, echo.message_bytes)));
        }
        for connection in open {
            connection.await.map_err(|_| "a task panicked")??;
        }
        Ok(())
    })
}

async fn answer(mut stream: TcpStream, message_bytes: usize) -> Result<(), Failure> {
    let mut memory = Vec::with_capacity(message_bytes);
    loop {
        memory.clear();
        let BufResult(received, back) = stream.read(memory).await;
        if received? == 0 {
            return Ok(());
        }
        let BufResult(sent, back) = stream.write_all(back).await;
        sent?;
        memory = back;
    }
}

fn hand_over(work: HandOver) -> Result<(), Failure> {
    let threads = NonZeroUsize::MIN;
    let dispatcher =
        Dispatcher::builder().worker_threads(threads).proactor_builder(proactor()).build()?;
    work.begin()?;
    while work.next() {
        let done = dispatcher.dispatch(|| async {}).map_err(|_| "the core is gone")?;
        block_on(done)?;
    }
    Ok(block_on(dispatcher.join())?)
}
