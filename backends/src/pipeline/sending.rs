//! The half of a writer that runs on the cores: begins the upload, sends parts, completes.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use hydrant_engine::{Buf, Core};

use super::board::Board;
use super::plan::PartRequest;
use super::upload::UploadGuard;
use super::workers::run_workers;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{ObjectMeta, PutOptions};
use crate::store::{ObjectStore, PartTag, Upload};
use crate::upload::size_of_parts;

/// What the writer and the workers share.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Parts that no worker has taken yet.
    queue: VecDeque<Part>,
    /// Parts that are being sent.
    sending: usize,
    /// No more parts will come, and this many bytes are in all of them.
    closed: Option<u64>,
    tags: Vec<PartTag>,
}

/// A part that is full.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) request: PartRequest,
    pub(super) buf: Buf,
    pub(super) span: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Sending {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) key: String,
    pub(super) size_bytes: Option<u64>,
    pub(super) options: PutOptions,
    pub(super) board: Arc<Board<State>>,
    pub(super) workers: usize,
}

impl State {
    /// Parts that were handed over and are not with the store yet.
    pub(super) fn in_flight(&self) -> usize {
        self.queue.len() + self.sending
    }

    pub(super) fn push(&mut self, part: Part) {
        self.queue.push_back(part);
    }

    pub(super) fn close(&mut self, written_bytes: u64) {
        self.closed = Some(written_bytes);
    }

    /// The next part; `Some(None)` when none will come.
    fn take(&mut self) -> Option<Option<Part>> {
        let part = self.queue.pop_front();
        self.sending += usize::from(part.is_some());
        (part.is_some() || self.closed.is_some()).then_some(part)
    }

    fn sent(&mut self, tag: PartTag) {
        self.sending -= 1;
        self.tags.push(tag);
    }
}

impl Sending {
    /// The writer waits for room on the board: it must hear of it when this ends in any other way
    /// than by success.
    pub(super) async fn run(self, core: &Core) -> Result<ObjectMeta> {
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
        let size_bytes = self.size_bytes;
        let begun = UploadGuard::begin(core, &self.store, &self.key, size_bytes, &self.options);
        let guard = begun.await?;
        match self.send_all(core, &guard).await {
            Ok(tags) => guard.complete(&tags).await,
            Err(error) => {
                self.give_back(&error);
                Err(guard.abort(error).await)
            }
        }
    }

    /// Ends the pipeline, and gives back the memory of parts that nobody will send (POOL-1).
    fn give_back(&self, error: &Error) {
        self.board.fail(error.clone());
        // Dropped outside of the lock: whoever lent the memory may be waiting for it.
        drop(self.board.look(|state| std::mem::take(&mut state.queue)));
    }

    /// The tags of all parts, which must be the whole of what was written (DATA-2).
    async fn send_all(&self, core: &Core, guard: &UploadGuard) -> Result<Vec<PartTag>> {
        let (board, upload) = (Arc::clone(&self.board), guard.upload());
        run_workers(core, &self.board, self.workers, move |core| {
            send(core, Arc::clone(&board), Arc::clone(&upload))
        })
        .await?;
        let (mut tags, written) =
            self.board.look(|state| (std::mem::take(&mut state.tags), state.closed));
        tags.sort_by_key(|tag| tag.part.index);
        size_of_parts(&self.store.uri_of(&self.key), &tags, written)?;
        Ok(tags)
    }
}

impl Drop for Sending {
    /// However this ended, if it was ever polled: no part stays behind, for the writer keeps the
    /// board. After a success the board is of no use to anybody, and failing it changes nothing.
    fn drop(&mut self) {
        self.give_back(&ErrorKind::Engine(hydrant_engine::Error::Cancelled).into());
    }
}

async fn send(core: Core, board: Arc<Board<State>>, upload: Arc<dyn Upload>) -> Result<()> {
    while let Some(Part { request, buf, span }) = board.wait(State::take).await? {
        let (tag, buf) = upload.put_part(&core, request, buf, span, None).await;
        // The memory is back before anybody hears that the part is gone.
        drop(buf);
        let tag = tag?;
        board.change(|state| state.sent(tag));
    }
    Ok(())
}
