//! Copy between any two stores: a part is read into a lease and written from the same lease.

use std::fmt;
use std::sync::Arc;

use hydrant_engine::{Buf, Core, Lease};

use super::board::Board;
use super::get::{fitting_part, memory, whole};
use super::limits::TransferLimits;
use super::plan::{GetPlan, GetPlanConfig, PartRequest, PutPlan};
use super::upload::UploadGuard;
use crate::client::{Location, Task};
use crate::error::{ErrorKind, Result};
use crate::object::{ObjectMeta, PutOptions};
use crate::store::{ObjectStore, PartTag, ReadInfo, Reader, Upload};

/// Told after each part: bytes done, and the size of the object once it is known.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// How an object is copied.
#[derive(Clone, Default)]
pub struct CopyOptions {
    /// Bytes of a part instead of the default.
    pub part_size_bytes: Option<u64>,
    /// Parts under way at once instead of the default.
    pub connections: Option<usize>,
    /// Called from the cores after each part; it must not block.
    pub progress: Option<Progress>,
}

/// What was copied.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CopyReport {
    /// Bytes of the object.
    pub bytes: u64,
    /// Parts that it went in; 1 for a single write.
    pub parts: u64,
    /// What the destination says of it.
    pub meta: ObjectMeta,
}

/// Copies an object. The destination shows it when it is whole, or not at all (DATA-3).
pub fn copy(src: &Location, dst: &Location, options: CopyOptions) -> Task<CopyReport> {
    let limits = src.store.limits().with(options.part_size_bytes, options.connections);
    let job = Job {
        reader: src.store.inner().reader(&src.key),
        source: src.to_string(),
        destination: Arc::clone(dst.store.inner()),
        key: dst.key.clone(),
        limits,
        progress: options.progress,
    };
    if src.to_string() == dst.to_string() {
        let text = format!("{} and {} are the same object", src, dst);
        return Task::failed(ErrorKind::InvalidInput(text).into());
    }
    Task::run(src.store.engine(), move |core| async move { job.run(&core).await })
}

struct Job {
    reader: Arc<dyn Reader>,
    source: String,
    destination: Arc<dyn ObjectStore>,
    key: String,
    limits: TransferLimits,
    progress: Option<Progress>,
}

#[derive(Clone)]
struct Worker {
    board: Arc<Board<State>>,
    reader: Arc<dyn Reader>,
    upload: Arc<dyn Upload>,
    source: String,
    progress: Option<Progress>,
}

struct State {
    plan: GetPlan,
    tags: Vec<PartTag>,
    done_bytes: u64,
}

impl Job {
    async fn run(&self, core: &Core) -> Result<CopyReport> {
        let part_bytes = fitting_part(&core.engine(), self.limits.part_size_bytes);
        let (lease, info) = self.read_first(core, part_bytes).await?;
        let rules = self.destination.part_rules();
        let total = info.object_bytes;
        if rules.single_put && info.len_bytes as u64 == total {
            return self.put_whole(core, lease, total).await;
        }
        let needed = if rules.s3_limits {
            PutPlan::new(part_bytes, Some(total))?.part_size_at(1)
        } else {
            part_bytes
        };
        if needed == part_bytes {
            return self.in_parts(core, part_bytes, lease, info).await;
        }
        // Too many parts of this size: read the first one again, larger.
        drop(lease);
        let (lease, info) = self.read_first(core, needed).await?;
        if rules.single_put && info.len_bytes as u64 == info.object_bytes {
            return self.put_whole(core, lease, info.object_bytes).await;
        }
        self.in_parts(core, needed, lease, info).await
    }

    async fn read_first(&self, core: &Core, part_bytes: u64) -> Result<(Lease, ReadInfo)> {
        let lease = memory(core, part_bytes).await?;
        let read = self.reader.read(core, 0, lease.into(), 0..part_bytes as usize).await;
        let info = read.result?;
        Ok((filled(read.buf, info.len_bytes), info))
    }

    async fn put_whole(&self, core: &Core, mut lease: Lease, total: u64) -> Result<CopyReport> {
        lease.shrink_to((total as usize).max(1));
        let options = PutOptions::default();
        let span = 0..total as usize;
        let put = self.destination.put(core, &self.key, lease.into(), span, &options);
        let meta = put.await.0?;
        self.tell(total, total);
        Ok(CopyReport { bytes: total, parts: 1, meta })
    }

    async fn in_parts(
        &self,
        core: &Core,
        part_size_bytes: u64,
        lease: Lease,
        info: ReadInfo,
    ) -> Result<CopyReport> {
        let window_parts = 4 * self.limits.connections + 1;
        let mut plan = GetPlan::new(GetPlanConfig { part_size_bytes, window_parts }, None)?;
        plan.next_part().expect("a fresh plan has a first part");
        let first = plan.on_first(info.object_bytes)?;
        whole(&self.source, first, info.len_bytes)?;
        let options = PutOptions::default();
        let total = info.object_bytes;
        let guard =
            UploadGuard::begin(core, &self.destination, &self.key, Some(total), &options).await?;
        let worker = Worker {
            board: Arc::new(Board::new(State { plan, tags: Vec::new(), done_bytes: 0 })),
            reader: Arc::clone(&self.reader),
            upload: guard.upload(),
            source: self.source.clone(),
            progress: self.progress.clone(),
        };
        if let Err(error) = worker.run(core, first, lease, self.limits.connections).await {
            return Err(guard.abort(error).await);
        }
        let mut tags = worker.board.look(|state| std::mem::take(&mut state.tags));
        tags.sort_by_key(|tag| tag.part.index);
        let meta = guard.complete(&tags).await?;
        Ok(CopyReport { bytes: total, parts: tags.len() as u64, meta })
    }

    fn tell(&self, done: u64, total: u64) {
        if let Some(progress) = &self.progress {
            progress(done, Some(total));
        }
    }
}

impl Worker {
    /// Writes the first part while other workers start on the rest.
    async fn run(
        &self,
        core: &Core,
        first: PartRequest,
        lease: Lease,
        connections: usize,
    ) -> Result<()> {
        let parts = self.board.look(|state| state.plan.parts()).unwrap_or(0);
        let others = connections.min(usize::try_from(parts).unwrap_or(usize::MAX));
        let mut tasks = Vec::with_capacity(others);
        for number in 1..others {
            let worker = self.clone();
            let start = move |core: Core| async move { worker.work(&core).await };
            tasks.push(core.engine().on_core(core.index() + number, start)?);
        }
        let wrote = if first.len > 0 { self.write(core, first, lease).await } else { Ok(()) };
        match wrote {
            Ok(()) => self.work(core).await,
            Err(error) => self.board.fail(error),
        }
        for task in tasks {
            task.await?;
        }
        self.board.failure().map_or(Ok(()), Err)
    }

    async fn work(&self, core: &Core) {
        self.board.run(self.work_inner(core)).await;
    }

    async fn work_inner(&self, core: &Core) -> Result<()> {
        let part_bytes = self.board.look(|state| state.plan.part_size_bytes());
        loop {
            if self.board.look(|state| state.plan.all_planned()) {
                return Ok(());
            }
            // Memory first, then a part: whoever has a part can end it (POOL-1).
            let lease = memory(core, part_bytes).await?;
            let next = self.board.wait(|state| match state.plan.next_part() {
                Some(part) => Some(Some(part)),
                None => state.plan.all_planned().then_some(None),
            });
            let Some(part) = next.await? else { return Ok(()) };
            let span = 0..part.len as usize;
            let read = self.reader.read(core, part.offset, lease.into(), span).await;
            whole(&self.source, part, read.result?.len_bytes)?;
            let lease = filled(read.buf, part.len as usize);
            self.write(core, part, lease).await?;
        }
    }

    async fn write(&self, core: &Core, part: PartRequest, lease: Lease) -> Result<()> {
        let span = 0..part.len as usize;
        let (tag, buf) = self.upload.put_part(core, part, lease.into(), span).await;
        drop(buf);
        let tag = tag?;
        let (done, total) = self.board.change(|state| {
            state.tags.push(tag);
            state.done_bytes += part.len;
            state.plan.on_done(part.index).map(|()| (state.done_bytes, state.plan.size_bytes()))
        })?;
        if let Some(progress) = &self.progress {
            progress(done, total);
        }
        Ok(())
    }
}

/// The lease that was lent to a read, marked with what it holds now.
fn filled(buf: Buf, len_bytes: usize) -> Lease {
    let mut lease = buf.into_lease().expect("a lease was lent and comes back");
    lease.set_len(len_bytes);
    lease
}

impl fmt::Debug for CopyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOptions")
            .field("part_size_bytes", &self.part_size_bytes)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
