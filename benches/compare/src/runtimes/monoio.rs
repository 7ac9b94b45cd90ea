//! monoio: no registered buffers, and between threads a channel whose wakers its feature `sync`
//! lets cross.

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;

use io_uring_06::IoUring;
use monoio::buf::IoBufMut;
use monoio::fs::File;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder};

use super::Runtime;
use crate::work::{BLOCK_BYTES, Echo, Failure, HandOver, Lane, READS, Reads, aligned_block};

pub const RUNTIME: Runtime = Runtime { reads, echo, hand_over };

fn runtime() -> std::io::Result<monoio::Runtime<IoUringDriver>> {
    let mut ring = IoUring::builder();
    ring.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag();
    RuntimeBuilder::<IoUringDriver>::new().with_entries(256).uring_builder(ring).build()
}

fn reads(reads: Reads) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(reads.path())?;
        let file = Rc::new(File::from_std(file)?);
        let blocks: Vec<_> = (0..READS).map(|_| aligned_block()).collect();
        reads.begin();
        let start =
            |(number, block)| monoio::spawn(read(Rc::clone(&file), block, reads.lane(number)));
        let lanes: Vec<_> = blocks.into_iter().enumerate().map(start).collect();
        for lane in lanes {
            lane.await?;
        }
        Ok(())
    })
}

async fn read(file: Rc<File>, block: (Vec<u8>, usize), mut lane: Lane) -> Result<(), Failure> {
    let (memory, start) = block;
    let mut block = memory.slice_mut(start..start + BLOCK_BYTES);
    while let Some(offset) = lane.next() {
        let (read, back) = file.read_at(block, offset).await;
        lane.done(read)?;
        block = back;
    }
    Ok(())
}

fn echo(echo: Echo) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        echo.begin(listener.local_addr()?)?;
        let mut open = Vec::new();
        for _ in 0..echo.connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            open.push(monoio::spawn(answer(stream, echo.message_bytes)));
        }
        for connection in open {
            connection.await?;
        }
        Ok(())
    })
}

async fn answer(mut stream: TcpStream, message_bytes: usize) -> Result<(), Failure> {
    let mut memory: Vec<u8> = Vec::with_capacity(message_bytes);
    loop {
        memory.clear();
        let (received, back) = stream.read(memory).await;
        if received? == 0 {
            return Ok(());
        }
        let (sent, back) = stream.write_all(back).await;
        sent?;
        memory = back;
    }
}

fn hand_over(work: HandOver) -> Result<(), Failure> {
    let (sender, receiver) = flume::bounded::<flume::Sender<()>>(64);
    let thread = std::thread::spawn(move || {
        runtime().expect("it was to be had before").block_on(async {
            while let Ok(back) = receiver.recv_async().await {
                let _ = back.send(());
            }
        });
    });
    let (back, done) = flume::bounded(1);
    work.begin()?;
    while work.next() {
        sender.send(back.clone())?;
        done.recv()?;
    }
    drop(sender);
    thread.join().map_err(|_| "the runtime panicked".into())
}
