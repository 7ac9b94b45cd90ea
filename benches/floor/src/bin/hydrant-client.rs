//! Hydrant as the contestant of the floor: the same work through the public crate.
//!
//! `get` streams an object and releases each piece; `put` gives pieces of memory away to the
//! streaming writer. No signature, and no checksum unless it is asked for. It prints the line that `hydrant-floor` prints.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use hydrant::engine::TlsConfig;
use hydrant::s3::ChecksumPolicy;
use hydrant::{Bytes, GetOptions, Hydrant, PutOptions, Store, TransferLimits};
use hydrant_floor::report::Stopwatch;

/// The same transfers as `hydrant-floor`, through the crate `hydrant`.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Debug, Subcommand)]
enum Direction {
    /// Stream an object, again and again until the bytes are reached.
    Get(Work),
    /// Upload memory as one object.
    Put(Work),
}

#[derive(Debug, Clone, Args)]
struct Work {
    /// The server, such as http://127.0.0.1:8080, or https.
    #[arg(long)]
    endpoint: String,
    /// The bucket.
    #[arg(long)]
    bucket: String,
    /// The object.
    #[arg(long)]
    key: String,
    /// Bytes to move in all.
    #[arg(long)]
    bytes: u64,
    /// Connections, each with one part under way.
    #[arg(long)]
    connections: usize,
    /// Cores (threads with a ring each).
    #[arg(long)]
    cores: usize,
    /// Bytes of a part.
    #[arg(long)]
    range_bytes: u64,
    /// Bytes of the pool; by default a part for each connection and two to hand on for GET, and the
    /// least that parts of this size need for PUT, which gives memory away and stages nothing.
    #[arg(long)]
    pool_bytes: Option<usize>,
    /// Trust the certificates of this file (PEM) and no others.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Compare what is read with the checksum that the server keeps, and send one with what is
    /// written.
    #[arg(long)]
    sum: bool,
}

#[expect(clippy::print_stderr, reason = "a program tells its user there what went wrong")]
fn main() -> ExitCode {
    let result = match Cli::parse().direction {
        Direction::Get(work) => get(&work),
        Direction::Put(work) => put(&work),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hydrant-client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn get(work: &Work) -> Result<(), Box<dyn Error>> {
    let (_hydrant, store) = open(work, work.connections + 2)?;
    let watch = Stopwatch::new();
    let mut left = work.bytes;
    while left > 0 {
        let range = Some(0..left);
        let mut stream = store.get(&work.key, GetOptions { range, ..GetOptions::default() })?;
        while let Some(piece) = stream.next_wait() {
            left -= piece?.len() as u64;
        }
    }
    watch.report("get-hydrant", work.bytes).print()?;
    Ok(())
}

fn put(work: &Work) -> Result<(), Box<dyn Error>> {
    let (_hydrant, store) = open(work, 2)?;
    let piece = Bytes::from(vec![0x5a; work.range_bytes as usize]);
    let watch = Stopwatch::new();
    let mut writer = store.writer(&work.key, PutOptions::default())?;
    let mut left = work.bytes;
    while left > 0 {
        let len = left.min(work.range_bytes);
        writer.write_owned_wait(piece.slice(..len as usize))?;
        left -= len;
    }
    writer.finish_wait()?;
    watch.report("put-hydrant", work.bytes).print()?;
    Ok(())
}

fn open(work: &Work, parts: usize) -> Result<(Hydrant, Store), Box<dyn Error>> {
    // One more for the share of heads, which is carved from the pool.
    let pool = work.pool_bytes.unwrap_or((parts + 1) * work.range_bytes as usize);
    let mut limits = TransferLimits::default();
    limits.part_size_bytes = work.range_bytes;
    limits.connections = work.connections;
    let endpoint = work.endpoint.clone();
    let tls = work.ca.as_ref().map(trusting).transpose()?;
    let checksums = match work.sum {
        true => ChecksumPolicy::WhenSupported,
        false => ChecksumPolicy::Off,
    };
    let hydrant = Hydrant::builder()
        .cores(work.cores)
        .pool_bytes(pool)
        .transfer(limits)
        .anonymous()
        .s3(move |s3| {
            s3.endpoint.url = Some(endpoint);
            s3.tls = tls;
            s3.checksums.requests = Some(checksums);
            s3.checksums.answers = Some(checksums);
        })
        .build()?;
    let store = hydrant.store(&format!("s3://{}/", work.bucket))?;
    Ok((hydrant, store))
}

fn trusting(authority: &PathBuf) -> Result<TlsConfig, Box<dyn Error>> {
    let pem = std::fs::read(authority)?;
    Ok(TlsConfig::builder().roots_pem(pem).alpn(&["http/1.1"]).build()?)
}
