//! `hydrant rm`: deletes the objects that were named, or all beneath a place, and nothing else.

mod recursive;

use std::io::{self, Write};

use crate::exit::Failure;
use crate::human;
use crate::options::{Options, Weight};
use crate::place::object;
use crate::tally::Tally;

/// Delete objects
///
/// An object that cannot be deleted is reported and the next one follows; then the exit code is 1.
/// S3 does not tell whether there was anything to delete.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant rm s3://photos/2026/a.jpg
  hydrant rm s3://photos/a.jpg s3://photos/b.jpg
  hydrant rm -r s3://photos/2026/          all beneath 2026/, and not 2026-backup

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct Args {
    /// The objects
    #[arg(value_name = "URI", required = true)]
    uris: Vec<String>,

    /// Every object beneath each URI, which is taken for a folder whether it ends in `/` or not;
    /// directories of files stay
    #[arg(long, short)]
    recursive: bool,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    if args.recursive {
        return recursive::run(&args.uris, options).await;
    }
    let uris: Vec<_> = args.uris.iter().map(|uri| object("URI", uri)).collect::<Result<_, _>>()?;
    let client = options.client(Weight::Questions)?;
    let mut tally = Tally::of(uris.len());
    for uri in uris {
        let place = client.open(uri)?;
        let uri = place.to_string();
        let deleted = place.store.delete(&place.key).await.map_err(Failure::Store);
        if deleted.is_ok() && !options.quiet {
            let line = writeln!(io::stdout(), "deleted {}", human::name(&uri));
            line.map_err(Failure::stdout)?;
        }
        tally.take(&uri, deleted)?;
    }
    tally.finish()
}
