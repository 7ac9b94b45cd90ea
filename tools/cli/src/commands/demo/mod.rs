//! `hydrant demo`: a file up to an S3 server and down again, checked and measured.
//!
//! The server is a process of its own, so that the figures are the client's alone. What the client
//! wrote is read back by other means (`std::fs`) than it was written.

mod data;
mod folder;
mod leg;
mod server;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;

use hydrant::Hydrant;
use hydrant::engine::Direct;

use crate::exit::Failure;
use crate::human;
use crate::options::Options;
use crate::probe;
use crate::progress::Progress;
use crate::sizes;
use crate::usage;
use folder::Folder;
use leg::Leg;
use server::{BUCKET, Server};

const KEY: &str = "object";
/// The share of file bytes that must go through registered buffers where registration was granted.
const REGISTERED_SHARE_MIN: f64 = 0.95;

/// Measure this machine: a file to an S3 server and back, with checksums
///
/// Starts an S3 server on this machine, makes a file of random bytes, uploads it in parts,
/// downloads it by ranged GETs into a file, both with O_DIRECT, compares the SHA-256 checksums, and
/// prints what it took. Needs three times SIZE on the disk for as long as it runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant demo
  hydrant demo --size 4GiB --dir /mnt/nvme
  hydrant demo --cores 1 --pool 128MiB

The server has keys made for it; no AWS_* variable is read.")]
pub struct Args {
    /// Bytes of the file
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = sizes::parse)]
    size: u64,

    /// Where to make a directory for the files [default: the directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Keep the files
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    options.refuse_client("demo")?;
    let parent = args.dir.unwrap_or_else(std::env::temp_dir);
    let folder = Folder::make(&parent, args.size, args.keep)?;
    let server = Server::start(&folder.path("server"))?;
    let client = client(options, &server)?;
    let direct = probe::direct_io(client.engine(), &folder.path("")).await?;

    let source = folder.path("source");
    let made = during("making", options, |p| data::make(&source, args.size, p)).await?;
    let object = format!("s3://{BUCKET}/{KEY}");
    let up = leg::copy(&client, &direct_uri(&source)?, &object, "uploading", options).await?;
    let stored = server.path_of(KEY);
    let stored = during("checking", options, |p| data::checksum(&stored, p)).await?;
    expect_same("the uploaded object", &stored, &made)?;

    let copy = folder.path("copy");
    let down = leg::copy(&client, &object, &direct_uri(&copy)?, "downloading", options).await?;
    let read_back = during("checking", options, |p| data::checksum(&copy, p)).await?;
    expect_same("the downloaded file", &read_back, &made)?;

    let memory = usage::peak_memory();
    let text = table::render(&up, &down, &about(&client, direct, memory.as_ref(), &made));
    io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)?;
    expect_bytes(&up, args.size)?;
    expect_bytes(&down, args.size)?;
    expect_registered(&client, &[up, down])
}

/// A client of the demo's server and of nothing else, whatever the environment says.
fn client(options: &Options, server: &Server) -> Result<Hydrant, Failure> {
    let settings = server.settings();
    let lookup = move |name: &str| {
        settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    Ok(options.engine(Hydrant::builder()).env(lookup).build()?)
}

/// Work of the demo's own with a progress bar.
async fn during<F: Future<Output = Result<String, Failure>>>(
    label: &str,
    options: &Options,
    work: impl FnOnce(Progress) -> F,
) -> Result<String, Failure> {
    let progress = Progress::new(label, options.quiet);
    progress.during(work(progress.clone())).await
}

fn direct_uri(path: &std::path::Path) -> Result<String, Failure> {
    let text = path.to_str().ok_or_else(|| {
        Failure::Usage(format!("{} is no UTF-8, which locations are; see --dir", path.display()))
    })?;
    Ok(format!("direct://{text}"))
}

fn expect_same(what: &str, found: &str, made: &str) -> Result<(), Failure> {
    match found == made {
        true => Ok(()),
        false => Err(Failure::Differs(format!("{what} has SHA-256 {found}, the source {made}"))),
    }
}

fn expect_bytes(leg: &Leg, size: u64) -> Result<(), Failure> {
    match leg.bytes == size {
        true => Ok(()),
        false => Err(Failure::Differs(format!("{} bytes reported, {size} there", leg.bytes))),
    }
}

fn expect_registered(client: &Hydrant, legs: &[Leg]) -> Result<(), Failure> {
    let short = legs.iter().any(|leg| leg.took.registered_share() < REGISTERED_SHARE_MIN);
    match client.engine().capabilities().buffers_registered() && short {
        true => Err(Failure::Short(
            "less than 95 % of the file bytes went through registered buffers, although the kernel \
             granted them"
                .to_owned(),
        )),
        false => Ok(()),
    }
}

/// What holds for the whole run.
fn about(
    client: &Hydrant,
    direct: Direct,
    memory: Option<&usage::PeakMemory>,
    checksum: &str,
) -> Vec<(&'static str, String)> {
    let found = client.engine().capabilities();
    let registered = if found.buffers_registered() { "granted" } else { "refused" };
    let cores = client.engine().cores();
    let peak = memory.map_or("not told by /proc/self/status".to_owned(), |memory| {
        let (total, huge) = (memory.resident + memory.huge, memory.huge);
        format!("{} peak, of it huge pages set aside {}", human::size(total), human::size(huge))
    });
    vec![
        ("driver", format!("{}, cores: {cores}, Linux {}", found.driver, found.kernel)),
        ("registered buffers", registered.to_owned()),
        ("O_DIRECT", probe::spell(direct)),
        ("memory", peak),
        ("SHA-256, all three", checksum.to_owned()),
    ]
}
