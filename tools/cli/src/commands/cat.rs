//! `hydrant cat`: objects one after another to stdout, each in order.

use hydrant::{GetOptions, Location, ReadOptions, TransferLimits};

use crate::exit::Failure;
use crate::options::{Options, Weight};
use crate::pipe::Output;
use crate::place::object;
use crate::progress::Progress;
use crate::tally::Tally;

/// Write objects to stdout, one after another
///
/// An object that fails is reported and the next one follows; then the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant cat s3://logs/2026/11/20.zst | zstd -dc | less
  hydrant cat s3://parts/a s3://parts/b > whole
  hydrant cat https://example.com/data.zst | zstd -dc | less

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct Args {
    /// The objects
    #[arg(value_name = "URI", required = true)]
    uris: Vec<String>,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    let uris: Vec<_> = args.uris.iter().map(|uri| object("URI", uri)).collect::<Result<_, _>>()?;
    let client = options.client(Weight::Payload(TransferLimits::default()))?;
    let mut output = Output::stdout()?;
    let mut tally = Tally::of(uris.len());
    for uri in uris {
        let from = client.open(uri)?;
        let progress = Progress::new("reading", true);
        let result = stream(&from, ReadOptions::default(), &mut output, &progress).await;
        tally.take(&from.to_string(), result.map(drop))?;
    }
    output.finish().await?;
    tally.finish()
}

/// Streams one object to stdout; the result is its bytes.
pub async fn stream(
    from: &Location,
    read: ReadOptions,
    output: &mut Output,
    progress: &Progress,
) -> Result<u64, Failure> {
    let options = GetOptions { read, ..GetOptions::default() };
    let mut chunks = from.store.get(&from.key, options)?;
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if bytes == 0
            && let Some(meta) = chunks.meta()
        {
            progress.expect(meta.size_bytes);
        }
        let len = chunk.len() as u64;
        output.write(chunk).await?;
        bytes += len;
        progress.add(len);
    }
    Ok(bytes)
}
