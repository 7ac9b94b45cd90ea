//! The driver of clients whose requests are futures: one thread, as many requests under way as
//! there are connections, memory by parts.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::direct::DirectFile;
use crate::job::{Failure, Job, Work};

/// A client with a bucket.
pub trait Client {
    /// A range of an object or all of it, in the chunks that it came in: nothing is copied.
    fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> impl Future<Output = Result<Vec<Bytes>, Failure>>;

    /// An object in one request.
    fn put(&self, key: &str, bytes: Bytes) -> impl Future<Output = Result<(), Failure>>;

    /// How many keys there are beneath a prefix, each handed on with what is known of its object.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<u64, Failure>>;

    /// An object in parts, as many under way as the job has connections.
    fn put_parts(&self, job: &Job, source: &Source) -> impl Future<Output = Result<(), Failure>>;
}

/// Where the parts of an upload come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Always the same bytes, those of a part.
    Memory(Bytes),
    /// A file.
    File(Arc<DirectFile>),
}

impl Source {
    fn of(job: &Job) -> Result<Source, Failure> {
        Ok(match job.work {
            Work::PutFile => Source::File(Arc::new(DirectFile::open(job.file()?)?)),
            _ => {
                let len = job.part_bytes.min(job.bytes) as usize;
                Source::Memory(Bytes::from(vec![0x5a; len]))
            }
        })
    }

    /// One part.
    ///
    /// # Errors
    /// What the kernel says of the file.
    pub async fn part(&self, part: Range<u64>) -> Result<Bytes, Failure> {
        match self {
            Source::Memory(bytes) => Ok(bytes.slice(..(part.end - part.start) as usize)),
            Source::File(file) => {
                let file = Arc::clone(file);
                Ok(tokio::task::spawn_blocking(move || file.read(part)).await??)
            }
        }
    }
}

/// Does the job and says how many bytes have moved. `open` makes the client inside the runtime.
///
/// # Errors
/// The first of the client's.
pub fn run<C: Client>(
    job: &Job,
    open: impl AsyncFnOnce(&Job) -> Result<C, Failure>,
) -> Result<u64, Failure> {
    // One thread, as Hydrant has one core: it costs all of these clients less than several do.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = open(job).await?;
        match job.work {
            Work::GetStream => get_stream(&client, job).await,
            Work::GetBuffer => get_buffer(&client, job).await,
            Work::GetFile => get_file(&client, job).await,
            Work::PutMemory | Work::PutFile => {
                client.put_parts(job, &Source::of(job)?).await?;
                Ok(job.bytes)
            }
            Work::GetMany => get_many(&client, job).await,
            Work::PutMany => put_many(&client, job).await,
            Work::List => client.list(&format!("{}/", job.key)).await,
        }
    })
}

fn len(chunks: &[Bytes]) -> u64 {
    chunks.iter().map(|chunk| chunk.len() as u64).sum()
}

async fn get_stream(client: &impl Client, job: &Job) -> Result<u64, Failure> {
    stream::iter(job.parts())
        .map(|part| client.get(&job.key, Some(part)))
        .buffered(job.connections)
        .try_fold(0, async |moved, chunks| Ok(moved + len(&chunks)))
        .await
}

async fn get_buffer(client: &impl Client, job: &Job) -> Result<u64, Failure> {
    let mut buffer = job.touched_buffer()?;
    let places = buffer.chunks_mut(job.part_bytes as usize);
    stream::iter(job.parts().zip(places))
        .map(async |(part, place)| {
            let mut filled = 0;
            for chunk in client.get(&job.key, Some(part)).await? {
                place[filled..filled + chunk.len()].copy_from_slice(&chunk);
                filled += chunk.len();
            }
            Ok(filled as u64)
        })
        .buffer_unordered(job.connections)
        .try_fold(0, async |moved, filled| Ok(moved + filled))
        .await
}

async fn get_file(client: &impl Client, job: &Job) -> Result<u64, Failure> {
    let file = &Arc::new(DirectFile::create(job.file()?, job.bytes)?);
    stream::iter(job.parts())
        .map(async |part| {
            let (offset, file) = (part.start, Arc::clone(file));
            let chunks = client.get(&job.key, Some(part)).await?;
            let moved = len(&chunks);
            tokio::task::spawn_blocking(move || file.write(offset, &chunks)).await??;
            Ok(moved)
        })
        .buffer_unordered(job.connections)
        .try_fold(0, async |moved, written| Ok(moved + written))
        .await
}

async fn get_many(client: &impl Client, job: &Job) -> Result<u64, Failure> {
    stream::iter(job.keys())
        .map(async |key| client.get(&key, None).await)
        .buffer_unordered(job.connections)
        .try_fold(0, async |moved, chunks| Ok(moved + len(&chunks)))
        .await
}

async fn put_many(client: &impl Client, job: &Job) -> Result<u64, Failure> {
    let payload = Bytes::from(vec![0x5a; job.bytes as usize]);
    stream::iter(job.keys())
        .map(async |key| client.put(&key, payload.clone()).await)
        .buffer_unordered(job.connections)
        .try_fold(0, async |moved, ()| Ok(moved + job.bytes))
        .await
}
