//! `hydrant cp`: one object from anywhere to anywhere, stdin and stdout included.

use std::time::Instant;

use hydrant::uri::Uri;
use hydrant::{CopyOptions, CopyWay, Hydrant, OnFailure, PutOptions, ReadOptions, TransferLimits};

use super::cat;
use crate::exit::Failure;
use crate::human;
use crate::options::{Options, Weight};
use crate::pipe::{Input, Output};
use crate::place::{Place, destination_for, object, same_object};
use crate::progress::Progress;
use crate::s3_args::S3Args;
use crate::sizes;

/// Copy one object between any two stores, files and pipes
///
/// The object is moved in parts over several connections, and is not visible under its name before
/// it is whole. Inside one S3 the server copies it, and inside one file system the kernel. A
/// destination that ends in `/`, or is a directory, takes the source's file name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant cp ./disk.img s3://backup/            to s3://backup/disk.img
  hydrant cp s3://backup/disk.img direct:///srv/disk.img
  hydrant cp s3://one/key s3://host:9000/two/key
  hydrant cp https://example.com/disk.img s3://backup/
  zstd -c big | hydrant cp - s3://backup/big.zst --part-size 64MiB
  hydrant cp s3://backup/big.zst - | zstd -dc > big

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct Args {
    /// What to copy; `-` is stdin
    #[arg(value_name = "SRC")]
    source: String,

    /// Where to; `-` is stdout
    #[arg(value_name = "DST")]
    destination: String,

    /// Bytes of one part, such as 8MiB [default: 8MiB, larger where 10,000 would not do]
    #[arg(long, value_name = "SIZE", value_parser = sizes::parse)]
    part_size: Option<u64>,

    /// Parts on their way at the same time, each on a connection [default: 8]
    #[arg(long, value_name = "N", value_parser = parse_connections)]
    connections: Option<usize>,

    /// Keep what has come when the copy fails or is killed, and carry on from what an earlier one
    /// kept; `hydrant uploads` shows what S3 keeps, and XDG_STATE_HOME is where it is noted
    #[arg(long)]
    resume: bool,

    #[command(flatten)]
    s3: S3Args,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    let started = Instant::now();
    let source = Place::parse("SRC", &args.source)?;
    let destination = Place::parse("DST", &args.destination)?;
    if args.resume && (source == Place::Pipe || destination == Place::Pipe) {
        return Err(Failure::Usage("--resume means nothing to a pipe".to_owned()));
    }
    let (bytes, to) = match (source, destination) {
        (Place::Pipe, Place::Pipe) => {
            return Err(Failure::Usage("from stdin to stdout nothing is to be done".to_owned()));
        }
        (Place::Pipe, Place::At(_)) => {
            let to = object("DST", &args.destination)?;
            (upload_stdin(&args, options, &to).await?, to.to_string())
        }
        (Place::At(_), Place::Pipe) => {
            let from = object("SRC", &args.source)?;
            (download_stdout(&args, options, &from).await?, "standard output".to_owned())
        }
        (Place::At(_), Place::At(to)) => {
            let from = object("SRC", &args.source)?;
            let to = destination_for(&from, &to)?;
            (copy(&args, options, &from, &to).await?, to.to_string())
        }
    };
    let time = started.elapsed();
    options.say(&format!(
        "copied {} in {} ({}) to {}",
        human::size(bytes),
        human::span(time),
        human::rate(bytes, time),
        human::name(&to)
    ));
    Ok(())
}

async fn copy(args: &Args, options: &Options, from: &Uri, to: &Uri) -> Result<u64, Failure> {
    if same_object(from, to) {
        return Err(Failure::Usage("SRC and DST are the same object".into()));
    }
    let client = client(args, options)?;
    let (from, to) = (client.open(from.clone())?, client.open(to.clone())?);
    let progress = Progress::new("copying", options.quiet);
    let on_failure = if args.resume { OnFailure::Keep } else { OnFailure::Discard };
    let mut read = ReadOptions::default();
    read.s3 = args.s3.of_source(Some(from.uri().scheme()));
    let how = CopyOptions {
        part_size_bytes: args.part_size,
        progress: Some(progress.listener()),
        on_failure,
        // Nobody is shown it here; what a store keeps is compared all the same.
        unsummed: true,
        read,
        s3_put: args.s3.of_destination(Some(to.uri().scheme()))?,
        ..CopyOptions::default()
    };
    let report = progress.during(hydrant::copy(&from, &to, how)).await?;
    match (report.way, report.fell_back) {
        (CopyWay::OnServer, _) => options.say("the server copied it; no byte came here"),
        (CopyWay::InKernel, _) => options.say("the kernel copied it inside the file system"),
        (_, Some(why)) => options.say(&format!("it went through here: {}", human::name(&why))),
        _ => {}
    }
    if let Some(why) = report.began_anew {
        options.say(&format!("began anew: {}", human::name(&why)));
    }
    if report.resumed_bytes > 0 {
        options.say(&format!("carried on: {} had come before", human::size(report.resumed_bytes)));
    }
    Ok(report.bytes)
}

async fn upload_stdin(args: &Args, options: &Options, to: &Uri) -> Result<u64, Failure> {
    let client = client(args, options)?;
    let to = client.open(to.clone())?;
    let mut put = PutOptions::default();
    put.s3 = args.s3.of_destination(Some(to.uri().scheme()))?;
    let mut writer = to.store.writer(&to.key, put)?;
    let mut input = Input::stdin()?;
    let progress = Progress::new("uploading", options.quiet);
    let upload = async {
        while let Some(chunk) = input.next().await {
            let chunk = chunk?;
            writer.write(&chunk).await?;
            progress.add(chunk.len() as u64);
        }
        Ok(writer.finish().await?.size_bytes)
    };
    progress.during(upload).await
}

async fn download_stdout(args: &Args, options: &Options, from: &Uri) -> Result<u64, Failure> {
    let client = client(args, options)?;
    let from = client.open(from.clone())?;
    args.s3.of_destination(None)?;
    let mut read = ReadOptions::default();
    read.s3 = args.s3.of_source(Some(from.uri().scheme()));
    let mut output = Output::stdout()?;
    let progress = Progress::new("downloading", options.quiet);
    let bytes = progress.during(cat::stream(&from, read, &mut output, &progress)).await?;
    output.finish().await?;
    Ok(bytes)
}

fn client(args: &Args, options: &Options) -> Result<Hydrant, Failure> {
    let limits = TransferLimits::default().with(args.part_size, args.connections);
    options.client(Weight::Payload(limits))
}

fn parse_connections(text: &str) -> Result<usize, String> {
    const CONNECTIONS_MAX: usize = 1024;
    let number = text.parse::<usize>().ok().filter(|n| (1..=CONNECTIONS_MAX).contains(n));
    number.ok_or_else(|| format!("connections are a number from 1 to {CONNECTIONS_MAX}"))
}
