//! What comes of many objects that are deleted: each told as it comes, and how many failed at the end.

use std::io::{self, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hydrant::{DeleteOptions, DeleteReport, OnDeleted, Outcome, Task};

use crate::exit::Failure;
use crate::human;
use crate::options::Options;

/// How often what was deleted is told.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Outcomes that wait to be told at most; more are counted and not named (LIMIT-1).
const UNTOLD_MAX: usize = 100_000;

/// What came of all of them.
#[derive(Debug, Default)]
pub struct Sum {
    deleted: u64,
    failed: u64,
    first: Option<String>,
}

impl Sum {
    /// Begins to delete some, and tells of each by the `name` of its key. The cores only hand over what
    /// came of it: they never wait for a terminal (CORE-1).
    pub async fn take(
        &mut self,
        begin: impl FnOnce(DeleteOptions) -> Task<DeleteReport>,
        name: impl Fn(&str) -> String,
        options: &Options,
    ) -> Result<(), Failure> {
        let (sender, outcomes) = mpsc::sync_channel::<Outcome>(UNTOLD_MAX);
        let untold = Arc::new(AtomicU64::new(0));
        let missed = Arc::clone(&untold);
        let on_deleted: OnDeleted = Arc::new(move |batch: &[Outcome]| {
            let lost = batch.iter().filter(|outcome| sender.try_send((*outcome).clone()).is_err());
            missed.fetch_add(lost.count() as u64, Relaxed);
        });
        let mut deleting = pin!(begin(DeleteOptions { on_deleted: Some(on_deleted) }));
        let mut ticks = tokio::time::interval(TELL_EVERY);
        let report = loop {
            let ended = tokio::select! {
                biased;
                ended = &mut deleting => Some(ended),
                _ = ticks.tick() => None,
            };
            for (key, outcome) in outcomes.try_iter() {
                tell(&name(&key), &outcome, options)?;
            }
            if let Some(ended) = ended {
                break ended?;
            }
        };
        let untold = untold.load(Relaxed);
        if untold > 0 {
            options.say(&format!("{untold} more came too fast to be named"));
        }
        self.deleted += report.deleted;
        self.failed += report.failed;
        if let (None, Some((key, error))) = (&self.first, report.failures.first()) {
            self.first = Some(told(&name(key), error));
        }
        Ok(())
    }

    /// Says how many there were.
    pub fn tell(&self, options: &Options) {
        options.say(&format!("{} deleted, {} failed", self.deleted, self.failed));
    }

    /// The result of the command.
    pub fn finish(self) -> Result<(), Failure> {
        match self.first {
            None => Ok(()),
            Some(first) => Err(Failure::Some {
                failed: self.failed as usize,
                of: (self.deleted + self.failed) as usize,
                first,
            }),
        }
    }
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
