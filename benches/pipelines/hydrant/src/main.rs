//! The pipelines of Hydrant, on one core, by the calls that a user would take: a thread of the engine's own for
//! large objects, which are received while the one before is taken; for small ones the thread that asks, as
//! with the clients that it is compared with.

use std::process::ExitCode;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use hydrant::engine::block_on;
use hydrant::s3::ChecksumPolicy;
use hydrant::{
    CopyOptions, GetOptions, Hydrant, HydrantBuilder, ListEntry, ListRequest, PutOptions, Store,
    TransferLimits,
};
use hydrant::{WriterOptions, copy};
use pipelines_job::{Failure, Job, Moved, Row, Work};

/// Bytes of the pool that a small object takes, with what is received before it.
const SMALL_BYTES: usize = 64 << 10;
const POOL_BYTES_MIN: usize = 16 << 20;

fn main() -> ExitCode {
    pipelines_job::main(run)
}

fn run(job: &Job) -> Result<Moved, Failure> {
    let builder = builder(job);
    // Waits of this thread drive the engine then.
    let (hydrant, _here) = match job.row() {
        Row::One => (builder.build()?, None),
        Row::Many => builder.build_here().map(|(hydrant, here)| (hydrant, Some(here)))?,
    };
    let bytes = work(&hydrant, job)?;
    Ok(Moved { bytes, copied_bytes: Some(hydrant.engine().metrics().copied_bytes()) })
}

fn work(hydrant: &Hydrant, job: &Job) -> Result<u64, Failure> {
    let store = hydrant.store(&format!("s3://{}/", job.bucket))?;
    let (object, file) = (format!("s3://{}/{}", job.bucket, job.key), || {
        Ok::<_, Failure>(format!("direct://{}", job.file()?.display()))
    });
    match job.work {
        Work::GetStream => get_stream(&store, job),
        Work::GetBuffer => {
            let mut buffer = job.touched_buffer()?;
            Ok(store.get_into(&job.key, 0, &mut buffer)? as u64)
        }
        Work::GetFile => copy_between(hydrant, &object, &file()?),
        Work::PutFile => copy_between(hydrant, &file()?, &object),
        Work::PutMemory => put_memory(&store, job),
        Work::List => list(&store, &job.key),
        Work::GetMany => block_on(
            stream::iter(job.keys())
                .map(|key| store.get_whole(&key))
                .buffer_unordered(job.connections)
                .try_fold(0, async |moved, (bytes, _)| Ok(moved + bytes.len() as u64)),
        )?
        .map_err(Into::into),
        Work::PutMany => {
            let payload = Bytes::from(vec![0x5a; job.bytes as usize]);
            block_on(
                stream::iter(job.keys())
                    .map(|key| store.put(&key, payload.clone()))
                    .buffer_unordered(job.connections)
                    .try_fold(0, async |moved, meta| Ok(moved + meta.size_bytes)),
            )?
            .map_err(Into::into)
        }
    }
}

/// Beside what it keeps for heads, the pool holds a part for each connection and one to hand on. An object whose size nobody knows yet takes
/// memory for a part, and some of its own size.
fn builder(job: &Job) -> HydrantBuilder {
    let mut limits = TransferLimits::default();
    limits.part_size_bytes = job.part_bytes;
    limits.connections = job.connections;
    let pool_bytes = match (job.row(), job.work) {
        // Memory that is sent is the caller's, and so is what is received into his buffer.
        (Row::One, Work::PutMemory | Work::GetBuffer) => 3 * job.part_bytes as usize,
        (Row::One, _) => (job.connections + 2) * job.part_bytes as usize,
        (Row::Many, Work::GetMany) => (job.connections + 3) * job.part_bytes as usize,
        (Row::Many, _) => (job.connections + 3) * SMALL_BYTES.max(2 * job.bytes as usize),
    };
    let endpoint = job.endpoint.clone();
    Hydrant::builder().cores(1).pool_bytes(pool_bytes.max(POOL_BYTES_MIN)).transfer(limits).s3(
        move |s3| {
            s3.endpoint.url = Some(endpoint);
            s3.checksums.requests = Some(ChecksumPolicy::Off);
            s3.checksums.answers = Some(ChecksumPolicy::Off);
        },
    )
}

fn get_stream(store: &Store, job: &Job) -> Result<u64, Failure> {
    let mut stream = store.get(&job.key, GetOptions::default())?;
    let mut moved = 0;
    while let Some(piece) = stream.next_wait() {
        moved += piece?.len() as u64;
    }
    Ok(moved)
}

fn put_memory(store: &Store, job: &Job) -> Result<u64, Failure> {
    let piece = Bytes::from(vec![0x5a; job.part_bytes.min(job.bytes) as usize]);
    let size_bytes = Some(job.bytes);
    let options =
        WriterOptions { put: PutOptions::default(), size_bytes, ..WriterOptions::default() };
    let mut writer = store.writer_with(&job.key, options)?;
    for part in job.parts() {
        writer.write_owned_wait(piece.slice(..(part.end - part.start) as usize))?;
    }
    Ok(writer.finish_wait()?.size_bytes)
}

fn list(store: &Store, folder: &str) -> Result<u64, Failure> {
    let prefix = format!("{folder}/");
    let mut listing = store.list(ListRequest { prefix, ..ListRequest::default() });
    let mut count = 0;
    while let Some(page) = listing.next_page_wait() {
        let known = |entry: &ListEntry| match entry {
            ListEntry::Object { meta, .. } => meta.etag.is_some(),
            ListEntry::Prefix(_) => false,
        };
        count += page?.entries.iter().filter(|entry| known(entry)).count() as u64;
    }
    Ok(count)
}

fn copy_between(hydrant: &Hydrant, from: &str, to: &str) -> Result<u64, Failure> {
    let (from, to) = (hydrant.locate(from)?, hydrant.locate(to)?);
    let options = CopyOptions { unsummed: true, ..CopyOptions::default() };
    Ok(copy(&from, &to, options).wait()?.bytes)
}
