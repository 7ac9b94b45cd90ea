//! stdin and stdout as streams of chunks. Each has a thread of its own: a pipe that nobody writes
//! to or reads from must not keep a signal from being heard.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::thread;

use hydrant::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::exit::Failure;

/// Bytes of one chunk of stdin.
const CHUNK_BYTES: u64 = 256 << 10;
/// Chunks on their way between the threads, so that neither waits for the other at each.
const CHUNKS_IN_FLIGHT_MAX: usize = 2;

/// Chunks of stdin, in order.
#[derive(Debug)]
pub struct Input(mpsc::Receiver<io::Result<Vec<u8>>>);

impl Input {
    /// Begins to read.
    pub fn stdin() -> Result<Input, Failure> {
        let (sender, chunks) = mpsc::channel(CHUNKS_IN_FLIGHT_MAX);
        start("hydrant-stdin", move || read_all(io::stdin().lock(), &sender))?;
        Ok(Input(chunks))
    }

    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, Failure>> {
        let chunk = self.0.recv().await?;
        Some(chunk.map_err(Failure::local("read standard input")))
    }
}

/// Chunks go out to stdout in the order in which they came.
#[derive(Debug)]
pub struct Output {
    chunks: mpsc::Sender<Bytes>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    /// Takes stdout.
    pub fn stdout() -> Result<Output, Failure> {
        let (chunks, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT_MAX);
        let (tell, ended) = oneshot::channel();
        let write = move || {
            // Nobody listens any more when a signal ended the command.
            let _ = tell.send(write_payload(receiver));
        };
        start("hydrant-stdout", write)?;
        Ok(Output { chunks, ended })
    }

    /// Hands over a chunk; the memory is the chunk's owner's again when it is written.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), Failure> {
        match self.chunks.send(chunk).await {
            Ok(()) => Ok(()),
            Err(_) => outcome((&mut self.ended).await),
        }
    }

    /// Waits until everything is written.
    pub async fn finish(self) -> Result<(), Failure> {
        drop(self.chunks);
        outcome(self.ended.await)
    }
}

fn outcome(ended: Result<io::Result<()>, oneshot::error::RecvError>) -> Result<(), Failure> {
    let gone = |_| io::Error::other("the thread that writes it has ended");
    ended.unwrap_or_else(|error| Err(gone(error))).map_err(Failure::stdout)
}

fn read_all(mut input: impl Read, chunks: &mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES as usize);
        let read = input.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk);
        let ends = !matches!(read, Ok(read) if read > 0);
        let next = match read {
            Ok(0) => return,
            Ok(_) => Ok(chunk),
            Err(error) => Err(error),
        };
        if chunks.blocking_send(next).is_err() || ends {
            return;
        }
    }
}

/// By a descriptor of its own: the standard library's stdout looks for line feeds and would keep
/// what follows the last one in a buffer.
fn write_payload(mut chunks: mpsc::Receiver<Bytes>) -> io::Result<()> {
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    while let Some(chunk) = chunks.blocking_recv() {
        output.write_all(&chunk)?;
    }
    Ok(())
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(Failure::local("start a thread"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives `left` bytes in small pieces, then fails.
    struct Breaks {
        left: usize,
    }

    impl Read for Breaks {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let piece = buf.len().min(self.left).min(1000);
            self.left -= piece;
            match piece {
                0 => Err(io::Error::from_raw_os_error(libc::EIO)),
                piece => Ok(piece),
            }
        }
    }

    #[test]
    fn chunks_are_whole_but_for_the_last() {
        let bytes: Vec<u8> = (0..CHUNK_BYTES + 7).map(|byte| byte as u8).collect();
        let (sender, mut chunks) = mpsc::channel(4);
        read_all(&bytes[..], &sender);
        drop(sender);
        let mut read = Vec::new();
        while let Some(chunk) = chunks.blocking_recv() {
            read.push(chunk.expect("no failure"));
        }
        assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [CHUNK_BYTES as usize, 7]);
        assert_eq!(read.concat(), bytes);
    }

    #[test]
    fn a_broken_input_is_an_error_and_no_end() {
        let (sender, mut chunks) = mpsc::channel(4);
        read_all(Breaks { left: CHUNK_BYTES as usize + 1 }, &sender);
        drop(sender);
        assert!(chunks.blocking_recv().is_some_and(|chunk| chunk.is_ok()));
        assert!(chunks.blocking_recv().is_some_and(|chunk| chunk.is_err()));
        assert!(chunks.blocking_recv().is_none());
    }
}
