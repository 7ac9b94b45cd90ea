//! tokio-uring: registered buffers for files. Between threads it has what tokio has: channels.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};
use tokio_uring::buf::BoundedBuf;
use tokio_uring::buf::fixed::{FixedBuf, FixedBufRegistry};
use tokio_uring::fs::File;
use tokio_uring::net::{TcpListener, TcpStream};

use super::Runtime;
use crate::work::{BLOCK_BYTES, Echo, Failure, HandOver, Lane, READS, Reads};

pub const RUNTIME: Runtime = Runtime { reads, echo, hand_over };

/// Runs on a ring without interrupts for completions. `DEFER_TASKRUN` would stall: the runtime
/// waits in epoll, where nothing runs the deferred work.
fn start<T>(future: impl Future<Output = T>) -> T {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_single_issuer().setup_coop_taskrun().setup_cqsize(1024);
    tokio_uring::builder().entries(256).uring_builder(&ring).start(future)
}

fn reads(reads: Reads) -> Result<(), Failure> {
    start(async {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(reads.path())?;
        let file = Rc::new(File::from_std(file));
        let registry = FixedBufRegistry::new((0..READS).map(|_| vec![1u8; 2 * BLOCK_BYTES]));
        registry.register()?;
        reads.begin();
        let start = |number| {
            let block = registry.check_out(number).expect("nobody else has it");
            tokio_uring::spawn(read(Rc::clone(&file), block, reads.lane(number)))
        };
        let lanes: Vec<_> = (0..READS).map(start).collect();
        for lane in lanes {
            lane.await??;
        }
        Ok(())
    })
}

async fn read(file: Rc<File>, block: FixedBuf, mut lane: Lane) -> Result<(), Failure> {
    let start = block.as_ptr().align_offset(BLOCK_BYTES);
    let mut block = block.slice(start..start + BLOCK_BYTES);
    while let Some(offset) = lane.next() {
        let (read, back) = file.read_fixed_at(block, offset).await;
        lane.done(read)?;
        block = back;
    }
    Ok(())
}

fn echo(echo: Echo) -> Result<(), Failure> {
    start(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        echo.begin(listener.local_addr()?)?;
        let mut open = Vec::new();
        for _ in 0..echo.connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            open.push(tokio_uring::spawn(answer(stream, vec![0; echo.message_bytes])));
        }
        for connection in open {
            connection.await??;
        }
        Ok(())
    })
}

async fn answer(stream: TcpStream, mut memory: Vec<u8>) -> Result<(), Failure> {
    loop {
        let (received, back) = stream.read(memory).await;
        let received = received?;
        if received == 0 {
            return Ok(());
        }
        let (sent, back) = stream.write_all(back.slice(..received)).await;
        sent?;
        memory = back.into_inner();
    }
}

fn hand_over(work: HandOver) -> Result<(), Failure> {
    let (sender, mut receiver) = mpsc::channel::<oneshot::Sender<()>>(64);
    let thread = std::thread::spawn(move || {
        start(async {
            while let Some(back) = receiver.recv().await {
                let _ = back.send(());
            }
        });
    });
    work.begin()?;
    while work.next() {
        let (back, done) = oneshot::channel();
        sender.blocking_send(back)?;
        done.blocking_recv()?;
    }
    drop(sender);
    thread.join().map_err(|_| "the runtime panicked".into())
}
