//! Bodies in both directions, a bounded piece at a time: in memory are at most the chunk on its way through a file, the
//! one that waits, and what is left of the one in the socket.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use s3s::dto::StreamingBlob;
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{Body, S3Result, StdError};
use tokio::task::{JoinHandle, spawn_blocking};

use super::errors::unreadable_body;
use super::join;
use crate::store::{Sink, StoreError};

/// Writes a body into a sink, a batch being received while the one before is digested and written.
pub(crate) async fn receive(
    sink: Sink,
    mut body: StreamingBlob,
    batch_bytes: usize,
) -> S3Result<Sink> {
    let mut writing = spawn_blocking(move || Ok(sink));
    loop {
        let batch = next_batch(&mut body, batch_bytes).await;
        let mut sink: Sink = join(writing).await?;
        let batch = batch?;
        if batch.is_empty() {
            return Ok(sink);
        }
        writing = spawn_blocking(move || {
            batch.iter().try_for_each(|piece| sink.write(piece))?;
            Ok::<_, StoreError>(sink)
        });
    }
}

async fn next_batch(body: &mut StreamingBlob, batch_bytes: usize) -> S3Result<Vec<Bytes>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < batch_bytes {
        match body.next().await {
            Some(piece) => {
                let piece = piece.map_err(unreadable_body)?;
                bytes += piece.len();
                batch.push(piece);
            }
            None => break,
        }
    }
    Ok(batch)
}

/// Buffers for files on their way out, used again and again: fresh ones would cost a page fault every 4 KiB.
pub(crate) struct ChunkPool {
    chunk_bytes: usize,
    idle_max: usize,
    idle: Mutex<Vec<Vec<u8>>>,
}

impl ChunkPool {
    pub(crate) fn new(chunk_bytes: usize, idle_max: usize) -> Self {
        Self { chunk_bytes: chunk_bytes.max(1), idle_max, idle: Mutex::new(Vec::new()) }
    }

    /// Reads `range` of a file, or the beginning of it up to a chunk.
    fn read(self: &Arc<Self>, file: &File, range: &std::ops::Range<u64>) -> io::Result<Bytes> {
        let wanted =
            usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(self.chunk_bytes);
        let mut chunk = self.take(wanted);
        // A file that has become shorter ends the connection: the length is promised already.
        file.read_exact_at(&mut chunk.memory[..wanted], range.start)?;
        Ok(Bytes::from_owner(chunk))
    }

    fn take(self: &Arc<Self>, used: usize) -> Chunk {
        // A small body is not worth a whole chunk.
        if used < self.chunk_bytes / 4 {
            return Chunk { memory: vec![0; used], used, home: None };
        }
        let memory = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Chunk {
            memory: memory.unwrap_or_else(|| vec![0; self.chunk_bytes]),
            used,
            home: Some(self.clone()),
        }
    }
}

struct Chunk {
    memory: Vec<u8>,
    used: usize,
    home: Option<Arc<ChunkPool>>,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.used]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        let mut idle = home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < home.idle_max {
            idle.push(std::mem::take(&mut self.memory));
        }
    }
}

/// The beginning of a range of a file, read while the file was being opened anyway, and the way to the rest.
pub(crate) struct FileBody {
    chunks: Arc<ChunkPool>,
    first: Bytes,
    file: File,
    rest: std::ops::Range<u64>,
}

impl FileBody {
    /// Reads the first chunk. Blocks.
    pub(crate) fn open(
        chunks: Arc<ChunkPool>,
        file: File,
        range: std::ops::Range<u64>,
    ) -> Result<Self, StoreError> {
        let first = chunks
            .read(&file, &range)
            .map_err(|source| StoreError::io("read", "the object", source))?;
        let rest = range.start + first.len() as u64..range.end;
        Ok(Self { chunks, first, file, rest })
    }

    /// The body of an answer. Must be called on a thread of the runtime.
    pub(crate) fn into_blob(self) -> StreamingBlob {
        if self.rest.is_empty() {
            return StreamingBlob::from(Body::from(self.first));
        }
        let mut stream = FileStream {
            chunks: self.chunks,
            first: Some(self.first),
            to_read: self.rest,
            reading: None,
        };
        stream.read_ahead(self.file);
        StreamingBlob::new(stream)
    }
}

struct FileStream {
    chunks: Arc<ChunkPool>,
    first: Option<Bytes>,
    /// What was not yet handed out, less the first chunk.
    to_read: std::ops::Range<u64>,
    /// The chunk after the one handed out last; the file comes back with it.
    reading: Option<JoinHandle<io::Result<(File, Bytes)>>>,
}

impl FileStream {
    fn read_ahead(&mut self, file: File) {
        if !self.to_read.is_empty() {
            let (chunks, range) = (self.chunks.clone(), self.to_read.clone());
            self.reading = Some(spawn_blocking(move || {
                let bytes = chunks.read(&file, &range)?;
                Ok((file, bytes))
            }));
        }
    }
}

impl Stream for FileStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let outcome = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let (file, bytes) = outcome??;
        self.to_read.start += bytes.len() as u64;
        self.read_ahead(file);
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl ByteStream for FileStream {
    fn remaining_length(&self) -> RemainingLength {
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        let rest = self.to_read.end - self.to_read.start;
        usize::try_from(first + rest)
            .map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
