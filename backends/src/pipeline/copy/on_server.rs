//! A copy whose parts the server makes.

use std::sync::Arc;

use hydrant_engine::Core;

use super::Progress;
use crate::error::Result;
use crate::object::{Etag, ObjectMeta, PutOptions};
use crate::pipeline::board::Board;
use crate::pipeline::plan::{PartRequest, PlanError, PutPlan};
use crate::pipeline::upload::UploadGuard;
use crate::pipeline::workers::{run_workers, workers_for};
use crate::store::{ObjectAt, ObjectStore, PartTag, Upload};

/// What is to be copied, and in which parts.
pub(super) struct InParts {
    pub(super) from: ObjectAt,
    /// What the source is: the version that all parts are of.
    pub(super) source: ObjectMeta,
    pub(super) part_size_bytes: u64,
    /// Parts that the server copies at once.
    pub(super) connections: usize,
    pub(super) progress: Option<Progress>,
}

struct State {
    plan: PutPlan,
    tags: Vec<PartTag>,
    done_bytes: u64,
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
    /// Copies; tells what the destination says, and in how many parts.
    ///
    /// # Errors
    /// `Unsupported` where the server turns out not to copy parts; nothing is left then.
    pub(super) async fn run(
        self,
        core: &Core,
        store: &Arc<dyn ObjectStore>,
        key: &str,
    ) -> Result<(ObjectMeta, u64)> {
        let size_bytes = self.source.size_bytes;
        let plan = PutPlan::new(self.part_size_bytes, Some(size_bytes))?;
        let options = PutOptions::like(&self.source);
        let guard = UploadGuard::begin(core, store, key, Some(size_bytes), &options).await?;
        let board = Arc::new(Board::new(State { plan, tags: Vec::new(), done_bytes: 0 }));
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
            return Err(guard.abort(error).await);
        }
        let mut tags = board.look(|state| std::mem::take(&mut state.tags));
        tags.sort_by_key(|tag| tag.part.index);
        let meta = guard.complete(&tags).await?;
        Ok((meta, tags.len() as u64))
    }
}

impl Worker {
    async fn work(self, core: Core) -> Result<()> {
        while let Some(part) = self.next().await? {
            let copied = self.upload.copy_part(&core, part, &self.from, &self.etag);
            let tag = self.board.unless_failed(copied).await?;
            let done_bytes = self.board.change(|state| {
                state.tags.push(tag);
                state.done_bytes += part.len;
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
