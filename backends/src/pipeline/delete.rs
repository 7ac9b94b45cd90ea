//! Deleting many objects: while a listing still runs, each key's outcome told, slower while the
//! store is in trouble.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use hydrant_engine::{Core, Task as EngineTask};

use super::board::Board;
use super::plan::DeletePace;
use crate::error::{Class, Error, ErrorKind, Result};
use crate::object::{ListEntry, ListRequest};
use crate::store::ObjectStore;

/// Keys that were found and wait for a worker, at most; the listing waits then (LIMIT-1).
const QUEUED_MAX: usize = 10_000;

/// Failures that a report names; all of them are counted and told to the listener (LIMIT-1).
const FAILURES_NAMED_MAX: usize = 1_000;

/// Tries of a key that met trouble which may pass, besides those that the store makes by itself.
const TRIES_MAX: u32 = 5;

/// What came of one key.
pub type Outcome = (String, Result<()>);

/// Told what came of the keys of each batch.
pub type OnDeleted = Arc<dyn Fn(&[Outcome]) + Send + Sync>;

/// How objects are deleted.
#[derive(Clone, Default)]
pub struct DeleteOptions {
    /// Called from the cores after each batch, with what came of each of its keys; it must not
    /// block.
    pub on_deleted: Option<OnDeleted>,
}

/// What was deleted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeleteReport {
    /// Objects that are gone.
    pub deleted: u64,
    /// Objects that could not be deleted.
    pub failed: u64,
    /// The first of those, with the reason of each; 1,000 at most.
    pub failures: Vec<(String, Error)>,
}

/// Which objects.
#[derive(Debug)]
pub(crate) enum Keys {
    Named(Vec<String>),
    /// Everything that a listing finds.
    Listed(ListRequest),
}

/// Deletes. A listing that fails ends it; a key that cannot be deleted does not.
pub(crate) async fn delete(
    core: &Core,
    store: Arc<dyn ObjectStore>,
    keys: Keys,
    options: DeleteOptions,
) -> Result<DeleteReport> {
    let batch_max = store.delete_batch_max().max(1);
    let board = Arc::new(Board::new(State { batch_max, ..State::default() }));
    let mut job = Job { board: Arc::clone(&board), store, options, workers: Vec::new() };
    let found = match keys {
        Keys::Named(keys) => job.feed(core, keys).await,
        Keys::Listed(request) => job.feed_listing(core, request).await,
    };
    // What was found before a listing failed is deleted all the same, as it would have been had the
    // listing been a little slower; then the failure is told.
    board.change(|state| state.all_found = true);
    let employed = job.employ_to_the_end(core).await;
    for worker in job.workers {
        worker.await?;
    }
    if let Some(error) = board.failure() {
        return Err(error);
    }
    found.and(employed)?;
    Ok(board.look(|state| std::mem::take(&mut state.report)))
}

struct Job {
    board: Arc<Board<State>>,
    store: Arc<dyn ObjectStore>,
    options: DeleteOptions,
    workers: Vec<EngineTask<()>>,
}

#[derive(Default)]
struct State {
    /// Keys of one request; falls to 1 where the server turns out not to know such requests.
    batch_max: usize,
    queue: VecDeque<Wanted>,
    found: u64,
    all_found: bool,
    running: usize,
    pace: DeletePace,
    report: DeleteReport,
}

struct Wanted {
    key: String,
    tries: u32,
}

#[derive(Clone)]
struct Worker {
    board: Arc<Board<State>>,
    store: Arc<dyn ObjectStore>,
    options: DeleteOptions,
}

impl Job {
    async fn feed_listing(&mut self, core: &Core, mut request: ListRequest) -> Result<()> {
        loop {
            let page = self.board.unless_failed(self.store.list_page(core, &request)).await?;
            let keys = page.entries.into_iter().filter_map(|entry| match entry {
                ListEntry::Object { key, .. } => Some(key),
                ListEntry::Prefix(_) => None,
            });
            self.feed(core, keys.collect()).await?;
            request.continuation = page.continuation;
            if request.continuation.is_none() {
                return Ok(());
            }
        }
    }

    async fn feed(&mut self, core: &Core, mut keys: Vec<String>) -> Result<()> {
        let mut keys = keys.drain(..).peekable();
        self.board.look(|state| state.found += keys.len() as u64);
        while keys.peek().is_some() {
            let wanted = self.board.wait(|state| {
                let room = QUEUED_MAX.saturating_sub(state.queue.len());
                let wanted = keys.by_ref().take(room).map(|key| Wanted { key, tries: 0 });
                state.queue.extend(wanted);
                (room > 0).then(|| state.workers())
            });
            let wanted = wanted.await?;
            self.employ(core, wanted)?;
        }
        Ok(())
    }

    /// Sees to the end that there are as many workers as the requests that are left are worth.
    async fn employ_to_the_end(&mut self, core: &Core) -> Result<()> {
        loop {
            let employed = self.workers.len();
            let wanted = self.board.wait(|state| {
                let more = Some(state.workers()).filter(|wanted| *wanted > employed);
                if state.is_done() { Some(None) } else { more.map(Some) }
            });
            match wanted.await? {
                Some(wanted) => self.employ(core, wanted)?,
                None => return Ok(()),
            }
        }
    }

    /// Sees that there are so many workers.
    fn employ(&mut self, core: &Core, wanted: usize) -> Result<()> {
        while self.workers.len() < wanted {
            let (board, store) = (Arc::clone(&self.board), Arc::clone(&self.store));
            let worker = Worker { board, store, options: self.options.clone() };
            let start = move |core: Core| async move {
                let board = Arc::clone(&worker.board);
                board.run(worker.work(&core)).await;
            };
            self.workers.push(core.engine().on_core(core.index() + self.workers.len(), start)?);
        }
        Ok(())
    }
}

/// What came of a batch.
struct Noted {
    /// What is final of it.
    told: Vec<Outcome>,
    /// Keys that met trouble which may pass.
    again: Vec<Wanted>,
}

impl State {
    fn workers(&self) -> usize {
        DeletePace::wanted(self.found.div_ceil(self.batch_max as u64))
    }

    /// Whether no key is left or can come back.
    fn is_done(&self) -> bool {
        self.all_found && self.queue.is_empty() && self.running == 0
    }

    /// The next batch; `Some(None)` when there will be none.
    fn take(&mut self) -> Option<Option<Vec<Wanted>>> {
        let full = self.queue.len() >= self.batch_max || self.all_found;
        if !self.queue.is_empty() && full && self.running < self.pace.allowed() {
            self.running += 1;
            let count = self.queue.len().min(self.batch_max);
            return Some(Some(self.queue.drain(..count).collect()));
        }
        self.is_done().then_some(None)
    }

    /// Takes what came of a batch.
    fn note(&mut self, batch: Vec<Wanted>, outcomes: Vec<Result<()>>) -> Noted {
        let (mut told, mut again) = (Vec::with_capacity(batch.len()), Vec::new());
        let mut trouble = false;
        for (wanted, outcome) in batch.into_iter().zip(outcomes) {
            let passing = matches!(&outcome, Err(error) if error.class() == Class::Temporary);
            trouble |= passing;
            if passing && wanted.tries + 1 < TRIES_MAX {
                again.push(Wanted { tries: wanted.tries + 1, ..wanted });
                continue;
            }
            match &outcome {
                Ok(()) => self.report.deleted += 1,
                Err(error) => self.report.fail(&wanted.key, error),
            }
            told.push((wanted.key, outcome));
        }
        match trouble {
            true => self.pace.on_trouble(self.running),
            false => self.pace.on_success(),
        }
        Noted { told, again }
    }

    /// A batch has ended, but for these keys of it.
    fn end_batch(&mut self, again: Vec<Wanted>) {
        self.queue.extend(again);
        self.running -= 1;
    }
}

impl DeleteReport {
    fn fail(&mut self, key: &str, error: &Error) {
        self.failed += 1;
        if self.failures.len() < FAILURES_NAMED_MAX {
            self.failures.push((key.to_owned(), error.clone()));
        }
    }
}

impl Worker {
    async fn work(self, core: &Core) -> Result<()> {
        while let Some(batch) = self.board.wait(State::take).await? {
            let Some(outcomes) = self.delete(core, &batch).await else {
                self.board.change(|state| {
                    state.batch_max = 1;
                    state.end_batch(batch);
                });
                continue;
            };
            let Noted { told, again } = self.board.change(|state| state.note(batch, outcomes));
            if let Some(on_deleted) = self.options.on_deleted.as_ref().filter(|_| !told.is_empty())
            {
                on_deleted(&told);
            }
            if !again.is_empty() {
                let random = core.random_u64();
                core.sleep(self.board.look(|state| state.pace.pause(random))).await;
            }
            self.board.change(|state| state.end_batch(again));
        }
        Ok(())
    }

    /// What came of each key; `None` where the server does not know requests for many.
    async fn delete(&self, core: &Core, batch: &[Wanted]) -> Option<Vec<Result<()>>> {
        if let [only] = batch {
            return Some(vec![self.store.delete(core, &only.key).await]);
        }
        let keys: Vec<_> = batch.iter().map(|wanted| wanted.key.clone()).collect();
        match self.store.delete_batch(core, &keys).await {
            Ok(outcomes) => Some(outcomes),
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported(_)) => None,
            Err(error) => Some(vec![Err(error); batch.len()]),
        }
    }
}

impl fmt::Debug for DeleteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteOptions").finish_non_exhaustive()
    }
}
