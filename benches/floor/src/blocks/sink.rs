//! The other end of the blocks: a thread for each connection, blocking calls, one buffer. It keeps
//! nothing of what it receives, and sends the same bytes again and again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::wire::{self, GREETING_BYTES, Greeting, MARK_BYTES, Way};
use crate::failure::{Failure, Result};

/// The largest block that a client may ask for.
const BLOCK_BYTES_MAX: u64 = 64 << 20;

/// A sink that listens.
#[derive(Debug)]
pub struct Sink {
    listener: TcpListener,
    address: SocketAddr,
}

impl Sink {
    /// Listens; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn bind(address: SocketAddr) -> Result<Sink> {
        let failed = |cause| Failure::refused(format!("listening on {address}"), cause);
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Sink { listener, address })
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends. What goes wrong with a connection, its client notices.
    ///
    /// # Errors
    /// When no more connections can be taken.
    pub fn serve(&self) -> Result<()> {
        loop {
            let (stream, _) =
                self.listener.accept().map_err(|cause| Failure::refused("accept", cause))?;
            std::thread::spawn(move || attend(stream));
        }
    }
}

fn attend(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut greeting = [0; GREETING_BYTES];
    stream.read_exact(&mut greeting)?;
    let greeting =
        Greeting::read(&greeting).filter(|greeting| greeting.block_bytes <= BLOCK_BYTES_MAX);
    let Some(Greeting { way, block_bytes, blocks }) = greeting else { return Ok(()) };
    let mut block = vec![0xA5; block_bytes as usize];
    match way {
        Way::Send => {
            let received = receive(&mut stream, &mut block)?;
            stream.write_all(&received.to_le_bytes())
        }
        Way::Receive => {
            for number in 0..blocks {
                block[..MARK_BYTES].copy_from_slice(&wire::mark(number, number + 1 == blocks));
                stream.write_all(&block)?;
            }
            Ok(())
        }
    }
}

/// Takes blocks up to the last one.
fn receive(stream: &mut TcpStream, block: &mut [u8]) -> io::Result<u64> {
    for number in 0.. {
        stream.read_exact(block)?;
        match &block[..MARK_BYTES] {
            mark if *mark == wire::mark(number, false) => {}
            mark if *mark == wire::mark(number, true) => {
                return Ok((number + 1) * block.len() as u64);
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    unreachable!("nobody sends 2^64 blocks")
}
