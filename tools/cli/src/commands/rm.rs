//! `hydrant rm`: deletes the objects that were named, or all beneath a place, and nothing else.

mod outcomes;
mod recursive;

use std::collections::BTreeMap;
use std::io::{self, Write};

use hydrant::Location;
use hydrant::uri::Uri;

use self::outcomes::Sum;
use crate::exit::Failure;
use crate::human;
use crate::options::{Options, Weight};
use crate::place::object;

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
    let places: Vec<_> =
        uris.into_iter().map(|uri| client.open(uri)).collect::<hydrant::Result<_>>()?;
    match places.as_slice() {
        [only] => {
            only.store.delete(&only.key).await?;
            match options.quiet {
                true => Ok(()),
                false => writeln!(io::stdout(), "deleted {}", human::name(&only.to_string()))
                    .map_err(Failure::stdout),
            }
        }
        several => remove_each(several, options).await,
    }
}

/// Those of one store go together, with as few requests as it takes.
async fn remove_each(places: &[Location], options: &Options) -> Result<(), Failure> {
    let mut stores: Vec<Vec<&Location>> = Vec::new();
    for place in places {
        match stores.iter_mut().find(|known| is_same_store(known[0].uri(), place.uri())) {
            Some(known) => known.push(place),
            None => stores.push(vec![place]),
        }
    }
    let mut sum = Sum::default();
    for places in stores {
        let keys = places.iter().map(|place| place.key.clone()).collect();
        let names: BTreeMap<&str, &Location> =
            places.iter().map(|place| (&*place.key, *place)).collect();
        let name = |key: &str| names.get(key).map_or_else(|| key.to_owned(), ToString::to_string);
        sum.take(|how| places[0].store.delete_keys(keys, how), name, options).await?;
    }
    sum.finish()
}

fn is_same_store(one: &Uri, other: &Uri) -> bool {
    let store = |uri: &Uri| (uri.scheme(), uri.container().to_owned(), uri.authority().cloned());
    store(one) == store(other)
}
