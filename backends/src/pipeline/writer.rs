//! The streaming writer: a stream of unknown length becomes an object, part by part.
//!
//! Parts go out while the stream is still written. An object that fits one part goes out as a
//! single write where the store prefers that. The first failure ends the writer and is what every
//! later call returns; a writer that is dropped aborts its upload (DATA-3).

mod reserved;

use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Buf, CopyReason, Core, Engine, Lease, Task as EngineTask, block_on};

pub use reserved::Reserved;

use super::board::Board;
use super::fetch::fitting_part;
use super::limits::TransferLimits;
use super::plan::{PART_ALIGN_BYTES, PART_BYTES_MIN, PlanError, PutPlan};
use super::sending::{Part, Sending, State};
use super::workers::part_memory;
use crate::client::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{ObjectMeta, PutOptions};
use crate::store::ObjectStore;

/// How a stream is written.
#[derive(Debug, Clone, Default)]
pub struct WriterOptions {
    /// What is said of the object.
    pub put: PutOptions,
    /// How long the stream is, where that is known: parts are then as small as the store takes, and
    /// a file has its blocks reserved. A stream of another length fails (DATA-2).
    pub size_bytes: Option<u64>,
    /// Bytes of a part instead of the default.
    pub part_size_bytes: Option<u64>,
    /// Full parts at most that are not with the store yet, those waiting for a connection included;
    /// a write waits while there are as many. Default: two for each connection.
    pub max_in_flight: Option<usize>,
}

/// Writes one object as a stream. Made by [`crate::Store::writer`].
#[derive(Debug)]
pub struct Writer {
    engine: Engine,
    store: Arc<dyn ObjectStore>,
    key: String,
    options: PutOptions,
    size_bytes: Option<u64>,
    connections: usize,
    max_in_flight: usize,
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

impl Writer {
    pub(crate) fn new(
        engine: &Engine,
        store: Arc<dyn ObjectStore>,
        key: &str,
        options: WriterOptions,
        limits: TransferLimits,
    ) -> Result<Writer> {
        let limits = limits.with(options.part_size_bytes, None);
        let least = if store.part_rules().s3_limits { PART_BYTES_MIN } else { PART_ALIGN_BYTES };
        let part_bytes = fitting_part(engine, limits.part_size_bytes.max(least)).max(least);
        let max_in_flight = options.max_in_flight.unwrap_or(2 * limits.connections).max(1);
        let plan = PutPlan::with_least(part_bytes, options.size_bytes, least)?;
        Ok(Writer {
            engine: engine.clone(),
            store,
            key: key.to_owned(),
            options: options.put,
            size_bytes: options.size_bytes,
            connections: limits.connections.min(max_in_flight),
            max_in_flight,
            plan: plan.growing_to(largest_part(engine, part_bytes)),
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
    /// The first failure of the upload, which every later call returns too.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.begin_change()?;
        let result = self.append(bytes).await;
        self.end_change(result)
    }

    /// Appends bytes that are given away. What lines up with a part is sent without a copy.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn write_owned(&mut self, bytes: Bytes) -> Result<()> {
        self.begin_change()?;
        let result = self.append_owned(bytes).await;
        self.end_change(result)
    }

    /// Memory of the pool to be filled in place and then committed, without a copy: at least 1 byte
    /// and at most `len_bytes`, as much as is left of the part that is being filled.
    ///
    /// # Errors
    /// As [`Writer::write`]; a length of 0.
    pub async fn reserve(&mut self, len_bytes: usize) -> Result<Reserved<'_>> {
        self.check()?;
        if len_bytes == 0 {
            let text = "there is nothing to fill in 0 bytes; reserve at least 1";
            return Err(ErrorKind::InvalidInput(text.into()).into());
        }
        if let Err(error) = self.stage(len_bytes).await {
            self.board.fail(error.clone());
            return Err(error);
        }
        let len = len_bytes.min(self.room());
        Ok(Reserved::new(self, len))
    }

    /// Waits until every part that is full is with the store. What is staged of the next part stays:
    /// a store takes only the last part short.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn flush(&mut self) -> Result<()> {
        self.check()?;
        self.board.wait(|state| (state.in_flight() == 0).then_some(())).await
    }

    /// Completes the object and tells what it is.
    ///
    /// # Errors
    /// The first failure; the upload is aborted then.
    pub async fn finish(mut self) -> Result<ObjectMeta> {
        if let Err(error) = self.check() {
            return Err(self.failed(error).await);
        }
        let written = self.bytes_written;
        if let Some(announced) = self.size_bytes.filter(|size| *size != written) {
            let error =
                PlanError::SizeMismatch { announced_bytes: announced, given_bytes: written };
            return Err(self.failed(error.into()).await);
        }
        if self.upload.is_none() && self.store.part_rules().single_put {
            return self.put_whole().await;
        }
        if let Err(error) = self.submit_last().await {
            return Err(self.failed(error).await);
        }
        self.board.change(|state| state.close(written));
        self.ended = true;
        match self.upload.take().expect("started a few lines ago").await {
            Ok(result) => result,
            Err(error) => Err(error.into()),
        }
    }

    /// Throws away what was written, and waits until what is known of it is gone. Dropping the writer
    /// does the same behind the caller's back, and tells the log alone what could not be cleaned up.
    ///
    /// # Errors
    /// What is left, and why: [`ErrorKind::NotAborted`] and its kin (DATA-3); that nobody knows, as
    /// where the engine was stopped meanwhile.
    pub async fn cancel(mut self) -> Result<()> {
        self.board.fail(ErrorKind::Engine(hydrant_engine::Error::Cancelled).into());
        self.ended = true;
        let Some(upload) = self.upload.take() else { return Ok(()) };
        match upload.await? {
            Err(error) => match error.kind() {
                ErrorKind::LeftBehind { left, .. } => Err(left.clone()),
                _ => Ok(()),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Bytes that the part which is being filled still lacks. Where nothing is staged, so many given
    /// away in one piece are sent without a copy.
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
        block_on(self.write(bytes))?
    }

    /// [`Writer::write_owned`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn write_owned_wait(&mut self, bytes: Bytes) -> Result<()> {
        block_on(self.write_owned(bytes))?
    }

    /// [`Writer::reserve`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn reserve_wait(&mut self, len_bytes: usize) -> Result<Reserved<'_>> {
        block_on(self.reserve(len_bytes))?
    }

    /// [`Writer::cancel`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn cancel_wait(self) -> Result<()> {
        block_on(self.cancel())?
    }

    /// [`Writer::flush`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn flush_wait(&mut self) -> Result<()> {
        block_on(self.flush())?
    }

    /// [`Writer::finish`], blocking this thread.
    ///
    /// # Errors
    /// As there; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn finish_wait(self) -> Result<ObjectMeta> {
        block_on(self.finish())?
    }

    fn check(&self) -> Result<()> {
        if self.torn {
            let text = "an earlier write was dropped before it ended, so bytes are missing";
            return Err(ErrorKind::InvalidInput(text.into()).into());
        }
        self.board.failure().map_or(Ok(()), Err)
    }

    /// A future that is dropped in the middle of a change loses a part or takes some of the bytes
    /// only: the mark stays, and no later call can complete a torn object (DATA-2).
    fn begin_change(&mut self) -> Result<()> {
        self.check()?;
        self.torn = true;
        Ok(())
    }

    fn end_change(&mut self, result: Result<()>) -> Result<()> {
        self.torn = false;
        result.inspect_err(|error| self.board.fail(error.clone()))
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

    async fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            self.stage(bytes.len()).await?;
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            let to = self.staged_bytes..self.staged_bytes + now.len();
            let lease = self.staged.as_mut().expect("staged two lines ago");
            let memory = &mut lease.as_mut_slice()[to];
            self.engine.counters().copy_payload(CopyReason::Borrowed, now, memory);
            self.appended(now.len()).await?;
            bytes = later;
        }
        Ok(())
    }

    async fn append_owned(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let part_bytes = self.part_bytes(bytes.len())?;
            if self.staged_bytes > 0 || bytes.len() < part_bytes {
                let copied = bytes.split_to(bytes.len().min(part_bytes - self.staged_bytes));
                self.append(&copied).await?;
                continue;
            }
            // A part of one's own: memory that was reserved for it and not used goes back.
            self.staged = None;
            let buf: Buf = bytes.split_to(part_bytes).into();
            self.bytes_written += part_bytes as u64;
            self.submit(buf, part_bytes, false).await?;
        }
        Ok(())
    }

    /// Waits in line for memory to fill, unless there is some; `more_bytes` are about to come.
    async fn stage(&mut self, more_bytes: usize) -> Result<()> {
        let bytes = self.part_bytes(more_bytes)? as u64;
        if self.staged.is_none() {
            let board = Arc::clone(&self.board);
            let wait = move |core: Core| async move {
                part_memory(&core, &board, bytes, |state| state.in_flight() > 0).await
            };
            self.staged = Some(Task::run(&self.engine, wait).await?);
            self.staged_bytes = 0;
        }
        Ok(())
    }

    /// Bytes of the part that is being filled.
    fn part_bytes(&self, more_bytes: usize) -> Result<usize> {
        match self.plan.next_part_bytes() {
            0 => Err(PlanError::SizeMismatch {
                announced_bytes: self.bytes_written,
                given_bytes: self.bytes_written.saturating_add(more_bytes as u64),
            }
            .into()),
            bytes => Ok(usize::try_from(bytes).unwrap_or(usize::MAX)),
        }
    }

    /// Bytes that are left to fill of what is staged.
    fn room(&self) -> usize {
        self.plan.next_part_bytes() as usize - self.staged_bytes
    }

    /// Takes note of bytes behind those that were staged, and sends the part when it is full.
    async fn appended(&mut self, bytes: usize) -> Result<()> {
        self.staged_bytes += bytes;
        self.bytes_written += bytes as u64;
        match self.room() {
            0 => self.submit_staged(false).await,
            _ => Ok(()),
        }
    }

    async fn submit_last(&mut self) -> Result<()> {
        if self.staged_bytes > 0 {
            self.submit_staged(true).await?;
        }
        self.plan.finish()?;
        self.start_upload()
    }

    async fn submit_staged(&mut self, last: bool) -> Result<()> {
        let len = std::mem::take(&mut self.staged_bytes);
        let mut lease = self.staged.take().expect("a part was staged");
        lease.set_len(len);
        self.submit(lease.into(), len, last).await
    }

    /// Hands a part to the workers; waits while as many as may be are in flight.
    async fn submit(&mut self, buf: Buf, len: usize, last: bool) -> Result<()> {
        let request = self.plan.cut(len as u64, last)?.expect("a part is cut when it is full");
        self.start_upload()?;
        let (mut part, in_flight_max) =
            (Some(Part { request, buf, span: 0..len }), self.max_in_flight);
        self.board
            .wait(|state| {
                if state.in_flight() < in_flight_max {
                    part.take().into_iter().for_each(|part| state.push(part));
                }
                part.is_none().then_some(())
            })
            .await
    }

    fn start_upload(&mut self) -> Result<()> {
        if self.upload.is_some() {
            return Ok(());
        }
        let sending = Sending {
            store: Arc::clone(&self.store),
            key: self.key.clone(),
            size_bytes: self.size_bytes,
            options: self.options.clone(),
            board: Arc::clone(&self.board),
            workers: self.connections,
        };
        let task = self.engine.on_any_core(move |core| async move { sending.run(&core).await })?;
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

/// The largest part that parts may grow to: the pool holds two of them.
fn largest_part(engine: &Engine, part_bytes: u64) -> u64 {
    let fits = |bytes: u64| {
        usize::try_from(bytes).is_ok_and(|bytes| engine.pool().capacity_for(bytes) >= 2)
    };
    let grown = std::iter::successors(Some(part_bytes), |bytes| bytes.checked_mul(2));
    grown.take_while(|bytes| fits(*bytes)).last().unwrap_or(part_bytes)
}
