//! Living on a core: futures that are not `Send`, tasks beside each other, a value for each core.
//!
//! `cargo run -p hydrant-engine --example on_core`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::time::Duration;

use hydrant_engine::{Core, Engine, Error, RecvMode, TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(10);

/// How many echoes this core has answered; no atomics, because nobody else sees it.
#[derive(Default)]
struct Answered(Cell<u32>);

async fn answer(core: Core, stream: TcpStream) -> Result<(), Error> {
    let mut lease = core.head_lease(64, "echo").await?;
    loop {
        let (received, buf) = stream.recv(lease, 0..64, RecvMode::Some, LIMIT).await;
        let length = received?;
        if length == 0 {
            return Ok(());
        }
        let (sent, buf) = stream.send(buf, 0..length, false, LIMIT).await;
        sent?;
        let answered = core.local(Answered::default);
        answered.0.set(answered.0.get() + 1);
        lease = buf.into_lease().expect("it went in as a lease");
    }
}

async fn serve_and_ask(core: Core) -> Result<u32, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = listener.local_addr();
    let server = core.clone();
    let serving = core.spawn(async move {
        let stream = listener.accept(&server).await?;
        answer(server.clone(), stream).await
    })?;
    let stream = TcpStream::connect(&core, address, LIMIT).await?;
    for _ in 0..3 {
        let mut question = core.head_lease(64, "echo").await?;
        question.as_mut_slice()[..4].copy_from_slice(b"ping");
        let (sent, _) = stream.send(question, 0..4, false, LIMIT).await;
        sent?;
        let room = core.head_lease(64, "echo").await?;
        let (received, room) = stream.recv(room, 0..4, RecvMode::Fill, LIMIT).await;
        let mut answer = room.into_lease().expect("it went in as a lease");
        answer.set_len(received?);
        assert_eq!(answer.as_slice(), b"ping");
    }
    drop(stream);
    serving.await.expect("it did not panic")?;
    Ok(core.local(Answered::default).0.get())
}

/// Runs it.
pub fn main() -> Result<(), Error> {
    let engine = Engine::builder().cores(1).pool_bytes(8 << 20).start()?;
    let answered = engine.on_core(0, serve_and_ask)?.wait()??;
    assert_eq!(answered, 3);
    println!("{answered} echoes on one core");
    Ok(())
}
