//! `hydrant rm -r`: everything beneath a place, while the listing of it goes on.

use hydrant::uri::Uri;

use super::outcomes::Sum;
use crate::exit::Failure;
use crate::options::{Options, Weight};
use crate::place::prefix;

/// Deletes what lies beneath each of the places.
pub async fn run(uris: &[String], options: &Options) -> Result<(), Failure> {
    let places: Vec<_> = uris.iter().map(|uri| folder("URI", uri)).collect::<Result<_, _>>()?;
    let client = options.client(Weight::Questions)?;
    let mut sum = Sum::default();
    for place in places {
        let place = client.open(place)?;
        let deleting = |how| place.store.delete_prefix(&place.key, how);
        sum.take(deleting, |key| place.store.uri_of(key), options).await?;
    }
    sum.tell(options);
    sum.finish()
}

/// A place for many objects. A prefix without its `/` would take its siblings along.
fn folder(what: &str, text: &str) -> Result<Uri, Failure> {
    let uri = prefix(what, text)?;
    if uri.key().is_empty() || uri.ends_with_slash() {
        return Ok(uri);
    }
    let key = format!("{}/", uri.key());
    uri.with_key(&key).map_err(|error| Failure::Usage(format!("{what}: {error}")))
}
