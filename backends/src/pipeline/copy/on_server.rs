//! A copy whose parts the server makes.

use std::sync::Arc;

use hydrant_engine::Core;

use super::{CopyReport, OnFailure, Progress, begin_upload, strong};
use crate::error::{ErrorKind, Result};
use crate::object::{Etag, ObjectMeta, PutOptions};
use crate::pipeline::board::Board;
use crate::pipeline::plan::{PartRequest, PlanError, PutPlan};
use crate::pipeline::upload::UploadGuard;
use crate::pipeline::workers::{run_workers, workers_for};
use crate::store::{CopyWay, ObjectAt, ObjectStore, PartTag, Upload, UploadSource};

/// What is to be copied where, and in which parts.
pub(super) struct InParts {
    pub(super) from: ObjectAt,
    /// What a later copy knows it by.
    pub(super) from_uri: String,
    /// What the source is: the version that all parts are of.
    pub(super) source: ObjectMeta,
    pub(super) part_size_bytes: u64,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) key: String,
    pub(super) on_failure: OnFailure,
    /// Parts that the server copies at once.
    pub(super) connections: usize,
    pub(super) progress: Option<Progress>,
}

struct State {
    plan: PutPlan,
    tags: Vec<PartTag>,
    done_bytes: u64,
    resumed_bytes: u64,
}

#[derive(Clone)]
struct Worker {
    board: Arc<Board<State>>,
    upload: Arc<dyn Upload>,
    from: ObjectAt,
    etag: Etag,
    progress: Option<Progress>,
    total_bytes: u64,
}

impl InParts {
    /// Copies.
    ///
    /// # Errors
    /// `Unsupported` where the server turns out not to copy parts, and nothing is left of it then; or
    /// where an earlier copy was streamed, and is to be carried on so.
    pub(super) async fn run(self, core: &Core) -> Result<CopyReport> {
        let size_bytes = self.source.size_bytes;
        let plan = PutPlan::new(self.part_size_bytes, Some(size_bytes))?;
        let (guard, began_anew) = self.begin(core).await?;
        let state = State { plan, tags: Vec::new(), done_bytes: 0, resumed_bytes: 0 };
        let board = Arc::new(Board::new(state));
        let worker = Worker {
            board: Arc::clone(&board),
            upload: guard.upload(),
            from: self.from,
            etag: self.source.etag.expect("a copy in parts is pinned to a tag"),
            progress: self.progress,
            total_bytes: size_bytes,
        };
        let workers = workers_for(size_bytes.div_ceil(self.part_size_bytes), self.connections);
        let copied = run_workers(core, &board, workers, move |core| worker.clone().work(core));
        if let Err(error) = copied.await {
            let has_copied = board.look(|state| !state.tags.is_empty());
            return Err(match error.kind() {
                // It will not do it the next time either. A server that has copied parts can, whatever
                // it says in between.
                ErrorKind::Unsupported(_) if !has_copied => guard.discard(error).await,
                _ => guard.abort(error).await,
            });
        }
        let (mut tags, resumed_bytes) =
            board.look(|state| (std::mem::take(&mut state.tags), state.resumed_bytes));
        tags.sort_by_key(|tag| tag.part.index);
        let meta = guard.complete(&tags).await?;
        let report = CopyReport::of(meta, tags.len() as u64);
        Ok(CopyReport { way: CopyWay::OnServer, resumed_bytes, began_anew, ..report })
    }

    async fn begin(&self, core: &Core) -> Result<(UploadGuard, Option<String>)> {
        let size_bytes = self.source.size_bytes;
        let options = PutOptions::like(&self.source);
        let kept = match self.on_failure {
            OnFailure::Discard => None,
            OnFailure::Keep => {
                let (uri, part_size_bytes) = (self.from_uri.clone(), self.part_size_bytes);
                let (etag, way) = (strong(self.source.etag, &uri)?, CopyWay::OnServer);
                Some(UploadSource { uri, etag, size_bytes, part_size_bytes, way })
            }
        };
        begin_upload(core, (&self.store, &self.key), size_bytes, &options, kept).await
    }
}

impl Worker {
    async fn work(self, core: Core) -> Result<()> {
        while let Some(part) = self.next().await? {
            let kept = self.board.unless_failed(self.upload.copied_part(&core, part)).await?;
            let resumed_bytes = if kept.is_some() { part.len } else { 0 };
            let tag = match kept {
                Some(tag) => tag,
                None => {
                    let copied = self.upload.copy_part(&core, part, &self.from, &self.etag);
                    self.board.unless_failed(copied).await?
                }
            };
            let done_bytes = self.board.change(|state| {
                state.tags.push(tag);
                state.done_bytes += part.len;
                state.resumed_bytes += resumed_bytes;
                state.done_bytes
            });
            if let Some(progress) = &self.progress {
                progress(done_bytes, Some(self.total_bytes));
            }
        }
        Ok(())
    }

    async fn next(&self) -> Result<Option<PartRequest>> {
        let next: Result<_, PlanError> =
            self.board.wait(|state| Some(state.plan.next_part())).await?;
        Ok(next?)
    }
}
