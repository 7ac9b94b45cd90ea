//! `hydrant verify`: whether two objects are the same bytes.

use std::io::{self, Write};

use hydrant::{TransferLimits, VerifyOptions};

use crate::exit::Failure;
use crate::human;
use crate::json::Line;
use crate::options::{Options, Weight};
use crate::place::object;
use crate::progress::Progress;
use crate::sizes;

/// Compare two objects, byte for byte
///
/// Both are read, and the checksums of their parts compared. A part that differs is read once more
/// from both; one that differs then too is told with its place, and the exit code is 6.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant verify ./disk.img s3://backup/disk.img
  hydrant verify --json s3://one/key s3://host:9000/two/key

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct Args {
    /// One object
    #[arg(value_name = "A")]
    one: String,

    /// The other
    #[arg(value_name = "B")]
    other: String,

    /// Bytes of one part, such as 8MiB [default: 8MiB]
    #[arg(long, value_name = "SIZE", value_parser = sizes::parse)]
    part_size: Option<u64>,

    /// A line of JSON (schema hydrant.verify/1)
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    let (one, other) = (object("A", &args.one)?, object("B", &args.other)?);
    let client = options.client(Weight::Payload(TransferLimits::default()))?;
    let (one, other) = (client.open(one)?, client.open(other)?);
    let progress = Progress::new("comparing", options.quiet);
    let how = VerifyOptions {
        part_size_bytes: args.part_size,
        progress: Some(progress.listener()),
        ..VerifyOptions::default()
    };
    let report = progress.during(hydrant::verify(&one, &other, how)).await?;
    let crc = report.crc64nvme.to_string();
    if report.healed_parts > 0 {
        options.say(&format!(
            "{} parts differed when they were read first, and not when they were read again",
            report.healed_parts
        ));
    }
    let line = match args.json {
        true => Line::new("hydrant.verify/1")
            .text("a", &one.to_string())
            .text("b", &other.to_string())
            .number("size_bytes", report.bytes)
            .text("crc64nvme", &crc)
            .number("healed_parts", report.healed_parts)
            .finish(),
        false => format!("same {} CRC-64/NVME {crc}", human::size(report.bytes)),
    };
    writeln!(io::stdout(), "{line}").map_err(Failure::stdout)
}
