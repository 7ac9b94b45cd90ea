//! What a request asks for, done on a core.

use std::sync::Arc;

use bytes::Bytes;
use hydrant::engine::{Buf as EngineBuf, Core, RegionOwner, TicketRequest};
use hydrant::{
    CopyOptions, Error, ListRequest, Location, ObjectMeta, PutOptions, ReadOptions, Reader, Result,
    copy,
};

use super::cq::Finish;
use super::more::{self, More};
use super::op::Op;
use super::outcome::{Outcome, Told};
use super::request::{Memory, Request};
use crate::buf::{Buf, Lent};
use crate::callback::progress;
use crate::copy::Copying;
use crate::error::Failure;
use crate::list::List;
use crate::mem::Mem;
use crate::store::Store;
use crate::stream::Taken;

/// A request that was accepted. It owns whatever it needs, but for the caller's memory.
pub struct Job {
    store: Arc<Store>,
    op: Op,
    key: String,
    aux: String,
    offset: u64,
    memory: Option<Memory>,
    len: usize,
    buf: Option<Arc<Buf>>,
    target: Option<Arc<Store>>,
    wants_meta: bool,
    delimiter: Option<char>,
    entries_max: Option<u32>,
    mem: Option<Arc<Mem>>,
    put: Option<Box<PutOptions>>,
    get: Option<Box<ReadOptions>>,
    start_after: Option<String>,
    writer: Option<Taken>,
    copy: Option<Box<Copying>>,
    more: Option<Box<More>>,
    /// Somebody is told what was copied.
    reports: bool,
}

/// What C is called under: the request does not complete meanwhile, nor while it may be called again.
pub fn while_held(finish: &Finish) -> impl Fn(&dyn Fn()) + Send + Sync + 'static {
    let held = finish.also();
    move |call| {
        let _held = &held;
        call();
    }
}

impl Job {
    /// `texts` lend their room.
    pub fn new(store: &Arc<Store>, request: &mut Request<'_>, mut texts: (String, String)) -> Job {
        texts.0.clear();
        texts.0.push_str(request.key);
        texts.1.clear();
        texts.1.push_str(request.aux);
        Job {
            store: Arc::clone(store),
            op: request.op,
            key: texts.0,
            aux: texts.1,
            offset: request.offset,
            memory: request.memory,
            len: request.len,
            buf: request.buf.clone(),
            target: request.target.clone(),
            wants_meta: request.places.meta.is_some(),
            delimiter: request.delimiter,
            entries_max: request.entries_max,
            mem: request.mem.clone(),
            put: request.put.take(),
            get: request.get.take(),
            start_after: request.start_after.take(),
            writer: request.writer.take().map(|mut taken| {
                taken.accept();
                taken
            }),
            copy: request.copy.take(),
            more: request.more.take(),
            reports: request.places.told.is_some(),
        }
    }

    /// Lets go of what is not begun after all; a stream is as it was.
    pub fn refuse(mut self) {
        self.writer.iter_mut().for_each(Taken::refuse);
    }

    /// What is to be written.
    fn bytes(&self, finish: &Finish) -> Result<Bytes, Failure> {
        Ok(match (&self.buf, self.memory) {
            (Some(buf), _) => buf.read_only(self.len)?,
            (None, Some(memory)) if memory.len > 0 => Bytes::from_owner(self.lend(memory, finish)),
            (None, _) => Bytes::new(),
        })
    }

    /// What reads the object.
    fn reader(&self) -> Result<Arc<dyn Reader>> {
        let store = self.store.calls().inner();
        match &self.get {
            None => Ok(store.reader(&self.key)),
            Some(options) => store.reader_with(&self.key, options),
        }
    }

    /// The store of the request.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The key of the request, or what stands in its place.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The object of the request, and the one that it names beside.
    pub fn two_objects(&self) -> Result<(Location, Location), Failure> {
        let target = self.target.as_ref().unwrap_or(&self.store);
        if !Arc::ptr_eq(&target.engine, &self.store.engine) {
            return Err(Failure::invalid("the target belongs to another engine"));
        }
        Ok((self.store.locate(&self.key)?, target.locate(&self.aux)?))
    }

    /// What the ops of [`More`] are asked for.
    pub fn take_more(&mut self) -> More {
        *self.more.take().expect("it was read with the op")
    }

    /// How the object is read, for calls that make a reader of their own.
    fn read_options(&self) -> ReadOptions {
        self.get.as_deref().cloned().unwrap_or_default()
    }

    /// How the object is copied. What tells the caller how far it is holds the request open.
    fn copy_options(&mut self, finish: &Finish) -> CopyOptions {
        let unsummed = !self.reports;
        let Some(copying) = self.copy.take() else {
            return CopyOptions { unsummed, ..CopyOptions::default() };
        };
        let told = |function| progress(function, while_held(finish));
        CopyOptions { progress: copying.progress.map(told), unsummed, ..copying.options }
    }

    /// The caller's memory, for an operation. The request completes, and registered memory can go,
    /// when the last who has it is done (OWN-3).
    pub fn lend(&self, memory: Memory, finish: &Finish) -> Lent<(Option<Arc<Mem>>, Finish)> {
        let then = (self.mem.clone(), finish.also());
        let registration = self.mem.as_ref().map(|mem| mem.registration().clone());
        Lent { start: memory.start, len: memory.len, registration, _then: then }
    }
}

/// Does what a request asks for, and tells what became of it; the texts come back for their room. Dropped, it
/// is cancelled; either way the request completes when nobody has the caller's memory any more.
pub async fn run(core: Core, finish: Finish, mut job: Job) -> Settled {
    let outcome = match job.op {
        Op::GetRange => get_range(&core, &job, &finish).await,
        Op::Put => put(&core, &job, &finish).await,
        Op::Write => Box::pin(write(&mut job, &finish)).await,
        Op::Finish => Box::pin(finish_stream(&mut job)).await,
        // Rare or long enough for an allocation, which keeps the seats of the others small.
        Op::Copy | Op::GetToFile | Op::PutFromFile => Box::pin(copied(&mut job, &finish)).await,
        Op::Verify | Op::GetRanges | Op::DeleteKeys | Op::DeletePrefix => {
            Box::pin(more::run(&mut job, &finish)).await
        }
        // One that S3 alone lists.
        Op::ListPage if job.more.is_some() => Box::pin(more::run(&mut job, &finish)).await,
        _ => Box::pin(other(&core, &job)).await,
    };
    let outcome = outcome.unwrap_or_else(Outcome::failed);
    // What the request had goes with this, before anybody has the completion and may end it.
    Settled { outcome, texts: (std::mem::take(&mut job.key), std::mem::take(&mut job.aux)) }
}

/// What became of a request, and its texts.
pub struct Settled {
    pub outcome: Outcome,
    pub texts: (String, String),
}

async fn get_range(core: &Core, job: &Job, finish: &Finish) -> Result<Outcome, Failure> {
    let Some(memory) = job.memory else {
        return Ok(if job.len == 0 { Outcome::default() } else { get_lent(core, job).await? });
    };
    let calls = job.store.calls();
    let lent = job.lend(memory, finish);
    if memory.len == 0 {
        return Ok(Outcome::default());
    }
    let (_owner, region) = RegionOwner::new(lent);
    if memory.len as u64 > calls.limits().part_size_bytes {
        let options = job.read_options();
        let count = calls.get_region_with(&job.key, job.offset, region, &options).await?;
        return Ok(Outcome { bytes: count as u64, ..Outcome::default() });
    }
    let reader = job.reader()?;
    let read = reader.read(core, job.offset, region.into(), 0..memory.len).await;
    drop(read.buf);
    let info = read.result?;
    Ok(Outcome {
        bytes: info.len_bytes as u64,
        object_bytes: Some(info.object_bytes),
        meta: job.wants_meta.then(|| reader.meta()).flatten().map(Box::new),
        ..Outcome::default()
    })
}

/// Into a buffer of the pool.
async fn get_lent(core: &Core, job: &Job) -> Result<Outcome, Failure> {
    let calls = job.store.calls();
    let len = job.len;
    if len as u64 > calls.limits().part_size_bytes {
        let range = job.offset..job.offset.saturating_add(len as u64);
        let bytes = calls.get_range_with(&job.key, range, &job.read_options()).await?;
        return Ok(Outcome::of_bytes(bytes, None));
    }
    let request = TicketRequest { bytes_each: len, count: 1, label: "lent to C" };
    let mut ticket = core.ticket(request).await.map_err(Error::from)?;
    let lease = ticket.take().expect("a ticket of one grants one");
    let reader = job.reader()?;
    let read = reader.read_to_keep(core, job.offset, lease, 0..len).await;
    let info = read.result?;
    let mut lease = read.buf.into_lease().expect("a lease was lent and comes back");
    lease.shrink_to(info.len_bytes.max(1));
    Ok(Outcome {
        bytes: info.len_bytes as u64,
        object_bytes: Some(info.object_bytes),
        buf: Some(Arc::new(Buf::of_lease(lease, info.len_bytes))),
        meta: job.wants_meta.then(|| reader.meta()).flatten().map(Box::new),
        ..Outcome::default()
    })
}

async fn put(core: &Core, job: &Job, finish: &Finish) -> Result<Outcome, Failure> {
    let bytes = job.bytes(finish)?;
    let len = bytes.len();
    let calls = job.store.calls();
    let default = PutOptions::default();
    let options = job.put.as_deref().unwrap_or(&default);
    let meta = if len as u64 > calls.limits().part_size_bytes {
        calls.put_with(&job.key, bytes, options.clone()).await?
    } else {
        let buf = EngineBuf::from(bytes);
        let (put, buf) = calls.inner().put(core, &job.key, buf, 0..len, options).await;
        drop(buf);
        put?
    };
    Ok(Outcome::of_meta(len as u64, meta))
}

async fn write(job: &mut Job, finish: &Finish) -> Result<Outcome, Failure> {
    let bytes = job.bytes(finish)?;
    let len = bytes.len() as u64;
    let taken = job.writer.take().expect("a write names a stream");
    taken.write(bytes, job.buf.is_none()).await?;
    Ok(Outcome { bytes: len, ..Outcome::default() })
}

async fn finish_stream(job: &mut Job) -> Result<Outcome, Failure> {
    let taken = job.writer.take().expect("a finish names a stream");
    let meta = taken.finish().await?;
    Ok(Outcome::of_meta(meta.size_bytes, meta))
}

async fn other(core: &Core, job: &Job) -> Result<Outcome, Failure> {
    let calls = job.store.calls();
    match job.op {
        Op::Get => {
            let (bytes, meta) = calls.get_whole_with(&job.key, &job.read_options()).await?;
            Ok(Outcome::of_bytes(bytes, Some(meta)))
        }
        Op::Head => {
            let meta = calls.inner().head_with(core, &job.key, &job.read_options()).await?;
            Ok(Outcome::of_meta(0, meta))
        }
        Op::Delete => {
            calls.inner().delete(core, &job.key).await?;
            Ok(Outcome::default())
        }
        Op::ListPage => list_page(core, job).await,
        _ => unreachable!("done by the caller"),
    }
}

async fn copied(job: &mut Job, finish: &Finish) -> Result<Outcome, Failure> {
    let options = job.copy_options(finish);
    let (from, to) = match job.op {
        Op::GetToFile => (job.store.locate(&job.key)?, job.store.file(&job.aux)?),
        Op::PutFromFile => (job.store.file(&job.aux)?, job.store.locate(&job.key)?),
        _ => job.two_objects()?,
    };
    let report = copy(&from, &to, options).await?;
    let outcome = Outcome::of_meta(report.bytes, report.meta.clone());
    Ok(Outcome { told: Some(Box::new(Told::Copied(Box::new(report)))), ..outcome })
}

async fn list_page(core: &Core, job: &Job) -> Result<Outcome, Failure> {
    let request = ListRequest {
        prefix: job.key.clone(),
        delimiter: job.delimiter,
        start_after: job.start_after.clone(),
        continuation: (!job.aux.is_empty()).then(|| job.aux.clone()),
        entries_max: job.entries_max,
    };
    let page = job.store.calls().inner().list_page(core, &request).await?;
    let engine = Arc::clone(&job.store.engine);
    Ok(Outcome { list: Some(Arc::new(List::of_page(engine, page.into()))), ..Outcome::default() })
}

impl Outcome {
    fn of_meta(bytes: u64, meta: ObjectMeta) -> Outcome {
        let object_bytes = Some(meta.size_bytes);
        Outcome { bytes, object_bytes, meta: Some(Box::new(meta)), ..Outcome::default() }
    }

    fn of_bytes(bytes: Bytes, meta: Option<ObjectMeta>) -> Outcome {
        Outcome {
            bytes: bytes.len() as u64,
            object_bytes: meta.as_ref().map(|meta| meta.size_bytes),
            buf: Some(Arc::new(Buf::of_bytes(bytes))),
            meta: meta.map(Box::new),
            ..Outcome::default()
        }
    }
}
