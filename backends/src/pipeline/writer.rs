//! The streaming writer: a stream of unknown length becomes an object, part by part.
//!
//! Parts go out while the stream is still written. An object that fits one part goes out as a
//! single write where the store prefers that. The first failure ends the writer and is what every
//! later call returns; a writer that is dropped aborts its upload (DATA-3).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Buf, CopyReason, Core, Engine, Lease, Task as EngineTask};

use super::board::Board;
use super::get::{fitting_part, memory};
use super::limits::TransferLimits;
use super::plan::{PART_BYTES_MIN, PartRequest, PutPlan};
use super::upload::UploadGuard;
use crate::client::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{ObjectMeta, PutOptions};
use crate::store::{ObjectStore, PartTag};
use crate::upload::size_of_parts;

/// Writes one object as a stream. Made by [`crate::Store::writer`].
#[derive(Debug)]
pub struct Writer {
    engine: Engine,
    store: Arc<dyn ObjectStore>,
    key: String,
    options: PutOptions,
    limits: TransferLimits,
    plan: PutPlan,
    staged: Option<Lease>,
    staged_bytes: usize,
    bytes_written: u64,
    board: Arc<Board<State>>,
    upload: Option<EngineTask<Result<ObjectMeta>>>,
    /// A write was dropped before it ended.
    torn: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Parts that no worker has taken yet; as many at most as there are workers.
    queue: VecDeque<Part>,
    /// No more parts will come, and this many bytes are in all of them.
    closed: Option<u64>,
    tags: Vec<PartTag>,
}

#[derive(Debug)]
struct Part {
    request: PartRequest,
    buf: Buf,
    span: Range<usize>,
}

impl Writer {
    pub(crate) fn new(
        engine: &Engine,
        store: Arc<dyn ObjectStore>,
        key: &str,
        options: PutOptions,
        limits: TransferLimits,
    ) -> Result<Writer> {
        let wanted = limits.part_size_bytes.max(PART_BYTES_MIN);
        let part_bytes = fitting_part(engine, wanted).max(PART_BYTES_MIN);
        Ok(Writer {
            engine: engine.clone(),
            store,
            key: key.to_owned(),
            options,
            limits,
            plan: PutPlan::new(part_bytes, None)?,
            staged: None,
            staged_bytes: 0,
            bytes_written: 0,
            board: Arc::new(Board::new(State::default())),
            upload: None,
            torn: false,
            ended: false,
        })
    }

    /// Appends bytes that are lent for the call; they are copied into the pool, which is counted.
    ///
    /// # Errors
    /// The first failure of the upload.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.check()?;
        // A future that is dropped in between loses a part or takes some of the bytes only: the
        // mark stays, and no later call can complete a torn object (DATA-2).
        self.torn = true;
        let result = self.append(bytes).await;
        self.torn = false;
        result
    }

    async fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let at = self.staged_bytes;
            let lease = self.stage().await?;
            let count = bytes.len().min(lease.capacity() - at);
            let (now, later) = bytes.split_at(count);
            let to = at..at + count;
            let metrics = self.engine.counters().clone();
            let lease = self.staged.as_mut().expect("staged a few lines ago");
            metrics.copy_payload(CopyReason::Borrowed, now, &mut lease.as_mut_slice()[to]);
            bytes = later;
            self.staged_bytes += count;
            self.bytes_written += count as u64;
            self.flush_full().await?;
        }
        Ok(())
    }

    /// Appends bytes that are given away. What lines up with a part is sent without a copy.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn write_owned(&mut self, bytes: Bytes) -> Result<()> {
        self.check()?;
        self.torn = true;
        let result = self.append_owned(bytes).await;
        self.torn = false;
        result
    }

    async fn append_owned(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let part_bytes = usize::try_from(self.plan.next_part_bytes()).unwrap_or(usize::MAX);
            if self.staged_bytes > 0 || bytes.len() < part_bytes {
                let room = part_bytes - self.staged_bytes;
                let copied = bytes.split_to(bytes.len().min(room));
                self.append(&copied).await?;
                continue;
            }
            let part = bytes.split_to(part_bytes);
            self.bytes_written += part.len() as u64;
            let request = self.cut(part.len(), false)?;
            let span = 0..part.len();
            self.submit(Part { request, buf: part.into(), span }).await?;
        }
        Ok(())
    }

    /// Completes the object and tells what it is.
    ///
    /// # Errors
    /// The first failure; the upload is aborted then.
    pub async fn finish(mut self) -> Result<ObjectMeta> {
        if let Err(error) = self.check() {
            return Err(self.failed(error).await);
        }
        let rules = self.store.part_rules();
        if self.upload.is_none() && rules.single_put {
            return self.put_whole().await;
        }
        if self.staged_bytes > 0 {
            let request = self.cut(self.staged_bytes, true)?;
            self.submit_staged(request).await?;
        }
        self.plan.finish()?;
        self.start_upload()?;
        let written = self.plan.cut_bytes();
        self.board.change(|state| state.closed = Some(written));
        self.ended = true;
        match self.upload.take().expect("started a few lines ago").await {
            Ok(result) => result,
            Err(error) => Err(error.into()),
        }
    }

    /// Throws away what was written. Dropping the writer does the same.
    pub fn cancel(self) {
        drop(self);
    }

    /// Bytes that the next part has. Given away in one piece they are sent without a copy.
    pub fn next_part_bytes(&self) -> u64 {
        self.plan.next_part_bytes() - self.staged_bytes as u64
    }

    /// Bytes taken so far.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// [`Writer::write`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn write_wait(&mut self, bytes: &[u8]) -> Result<()> {
        hydrant_engine::block_on(self.write(bytes))?
    }

    /// [`Writer::write_owned`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn write_owned_wait(&mut self, bytes: Bytes) -> Result<()> {
        hydrant_engine::block_on(self.write_owned(bytes))?
    }

    /// [`Writer::finish`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn finish_wait(self) -> Result<ObjectMeta> {
        hydrant_engine::block_on(self.finish())?
    }

    fn check(&self) -> Result<()> {
        if self.torn {
            let text = "an earlier write was dropped before it ended, so bytes are missing";
            return Err(ErrorKind::InvalidInput(text.into()).into());
        }
        self.board.failure().map_or(Ok(()), Err)
    }

    /// The error of an upload that has failed: what the abort says is part of it.
    async fn failed(&mut self, error: Error) -> Error {
        self.board.fail(error.clone());
        self.ended = true;
        match self.upload.take() {
            None => error,
            Some(upload) => match upload.await {
                Ok(Err(told)) => told,
                _ => error,
            },
        }
    }

    /// The lease that is being filled; waits in line for one when there is none.
    async fn stage(&mut self) -> Result<&mut Lease> {
        if self.staged.is_none() {
            let bytes = self.plan.next_part_bytes();
            let wait = move |core: Core| async move { memory(&core, bytes).await };
            self.staged = Some(Task::run(&self.engine, wait).await?);
            self.staged_bytes = 0;
        }
        Ok(self.staged.as_mut().expect("filled a line ago"))
    }

    async fn flush_full(&mut self) -> Result<()> {
        if self.staged_bytes as u64 == self.plan.next_part_bytes() {
            let request = self.cut(self.staged_bytes, false)?;
            self.submit_staged(request).await?;
        }
        Ok(())
    }

    fn cut(&mut self, bytes: usize, ended: bool) -> Result<PartRequest> {
        let cut = self.plan.cut(bytes as u64, ended)?;
        cut.ok_or_else(|| ErrorKind::InvalidInput("a part that is not full".into()).into())
    }

    async fn submit_staged(&mut self, request: PartRequest) -> Result<()> {
        let span = 0..std::mem::take(&mut self.staged_bytes);
        let mut lease = self.staged.take().expect("a part was staged");
        lease.set_len(span.end);
        self.submit(Part { request, buf: lease.into(), span }).await
    }

    /// Hands a part to the workers; waits while each of them has one more to do.
    async fn submit(&mut self, part: Part) -> Result<()> {
        self.start_upload()?;
        let queued_max = self.limits.connections;
        let mut part = Some(part);
        self.board
            .wait(|state| {
                if state.queue.len() < queued_max {
                    state.queue.extend(part.take());
                }
                part.is_none().then_some(())
            })
            .await
    }

    fn start_upload(&mut self) -> Result<()> {
        if self.upload.is_some() {
            return Ok(());
        }
        let job = Job {
            store: Arc::clone(&self.store),
            key: self.key.clone(),
            options: self.options.clone(),
            board: Arc::clone(&self.board),
            connections: self.limits.connections,
        };
        let task = self.engine.on_any_core(move |core| async move { job.run(&core).await })?;
        self.upload = Some(task);
        Ok(())
    }

    async fn put_whole(&mut self) -> Result<ObjectMeta> {
        let span = 0..self.staged_bytes;
        let buf: Buf = match self.staged.take() {
            Some(mut lease) => {
                lease.set_len(span.end);
                lease.into()
            }
            None => Bytes::new().into(),
        };
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let options = self.options.clone();
        self.ended = true;
        Task::run(&self.engine, move |core| async move {
            store.put(&core, &key, buf, span, &options).await.0
        })
        .await
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.ended {
            // The coordinator goes with its task, and its guard aborts the upload.
            let gone = ErrorKind::Engine(hydrant_engine::Error::Cancelled);
            self.board.fail(gone.into());
        }
    }
}

/// The part of a writer that runs on the cores.
struct Job {
    store: Arc<dyn ObjectStore>,
    key: String,
    options: PutOptions,
    board: Arc<Board<State>>,
    connections: usize,
}

impl Job {
    /// The writer waits for room on the board: it must hear of it when this ends in any other way
    /// than by success.
    async fn run(self, core: &Core) -> Result<ObjectMeta> {
        let mut result = None;
        self.board
            .run(async {
                let ended = self.run_inner(core).await;
                let failure = ended.as_ref().err().cloned();
                result = Some(ended);
                failure.map_or(Ok(()), Err)
            })
            .await;
        result.expect("set when the task ended")
    }

    async fn run_inner(&self, core: &Core) -> Result<ObjectMeta> {
        let begun = UploadGuard::begin(core, &self.store, &self.key, None, &self.options);
        let guard = begun.await?;
        match self.work_all(core, &guard).await {
            Ok(tags) => guard.complete(&tags).await,
            Err(error) => Err(guard.abort(error).await),
        }
    }

    /// The tags of all parts, which must be the whole of what was written (DATA-2).
    async fn work_all(&self, core: &Core, guard: &UploadGuard) -> Result<Vec<PartTag>> {
        let mut tasks = Vec::with_capacity(self.connections);
        for number in 0..self.connections {
            let (board, upload) = (Arc::clone(&self.board), guard.upload());
            let start = move |core: Core| async move {
                board.run(work(&core, &board, &*upload)).await;
            };
            tasks.push(core.engine().on_core(core.index() + number, start)?);
        }
        for task in tasks {
            task.await?;
        }
        if let Some(error) = self.board.failure() {
            return Err(error);
        }
        let (mut tags, written) =
            self.board.look(|state| (std::mem::take(&mut state.tags), state.closed));
        tags.sort_by_key(|tag| tag.part.index);
        size_of_parts(&self.store.uri_of(&self.key), &tags, written)?;
        Ok(tags)
    }
}

async fn work(core: &Core, board: &Board<State>, upload: &dyn crate::store::Upload) -> Result<()> {
    loop {
        let next = board.wait(|state| match state.queue.pop_front() {
            Some(part) => Some(Some(part)),
            None => state.closed.map(|_| None),
        });
        let Some(Part { request, buf, span }) = next.await? else { return Ok(()) };
        let (tag, buf) = upload.put_part(core, request, buf, span).await;
        drop(buf);
        let tag: Result<PartTag, Error> = tag;
        let tag = tag?;
        board.change(|state| state.tags.push(tag));
    }
}
