//! `hydrant rm -r`: everything beneath a place, while the listing of it goes on.

use std::io::{self, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hydrant::uri::Uri;
use hydrant::{DeleteOptions, Location, OnDeleted, Outcome};

use crate::exit::Failure;
use crate::human;
use crate::options::{Options, Weight};
use crate::place::prefix;

/// How often what was deleted is told.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Outcomes that wait to be told at most; more are counted and not named (LIMIT-1).
const UNTOLD_MAX: usize = 100_000;

#[derive(Debug, Default)]
struct Sum {
    deleted: u64,
    failed: u64,
    first: Option<String>,
}

/// Deletes what lies beneath each of the places.
pub async fn run(uris: &[String], options: &Options) -> Result<(), Failure> {
    let places: Vec<_> = uris.iter().map(|uri| folder("URI", uri)).collect::<Result<_, _>>()?;
    let client = options.client(Weight::Questions)?;
    let mut sum = Sum::default();
    for place in places {
        remove_all(&client.open(place)?, options, &mut sum).await?;
    }
    options.say(&format!("{} deleted, {} failed", sum.deleted, sum.failed));
    match sum.first {
        None => Ok(()),
        Some(first) => Err(Failure::Some {
            failed: sum.failed as usize,
            of: (sum.deleted + sum.failed) as usize,
            first,
        }),
    }
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

/// The cores only hand over what came of each key: they never wait for a terminal (CORE-1).
async fn remove_all(place: &Location, options: &Options, sum: &mut Sum) -> Result<(), Failure> {
    let (sender, outcomes) = mpsc::sync_channel::<Outcome>(UNTOLD_MAX);
    let untold = Arc::new(AtomicU64::new(0));
    let missed = Arc::clone(&untold);
    let on_deleted: OnDeleted = Arc::new(move |batch: &[Outcome]| {
        let lost = batch.iter().filter(|outcome| sender.try_send((*outcome).clone()).is_err());
        missed.fetch_add(lost.count() as u64, Relaxed);
    });
    let how = DeleteOptions { on_deleted: Some(on_deleted) };
    let mut deleting = pin!(place.store.delete_prefix(&place.key, how));
    let mut ticks = tokio::time::interval(TELL_EVERY);
    let report = loop {
        let ended = tokio::select! {
            biased;
            ended = &mut deleting => Some(ended),
            _ = ticks.tick() => None,
        };
        for (key, outcome) in outcomes.try_iter() {
            tell(&place.store.uri_of(&key), &outcome, options)?;
        }
        if let Some(ended) = ended {
            break ended?;
        }
    };
    let untold = untold.load(Relaxed);
    if untold > 0 {
        options.say(&format!("{untold} more came too fast to be named"));
    }
    sum.deleted += report.deleted;
    sum.failed += report.failed;
    if let (None, Some((key, error))) = (&sum.first, report.failures.first()) {
        sum.first = Some(told(&place.store.uri_of(key), error));
    }
    Ok(())
}

fn tell(uri: &str, outcome: &hydrant::Result<()>, options: &Options) -> Result<(), Failure> {
    match outcome {
        Ok(()) if options.quiet => Ok(()),
        Ok(()) => writeln!(io::stdout(), "deleted {}", human::name(uri)).map_err(Failure::stdout),
        Err(error) => {
            // Where stderr is closed, the exit code still tells.
            let _ = writeln!(io::stderr(), "failed {}", told(uri, error));
            Ok(())
        }
    }
}

fn told(uri: &str, error: &hydrant::Error) -> String {
    format!("{}: {}", human::name(uri), human::name(&error.to_string()))
}
