//! Copy between any two stores: inside the server or the file system where both are the same, else a
//! part is read into a lease and written from the same lease, or passes in pieces.

mod on_server;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hydrant_engine::{Core, Lease};

use on_server::InParts;

use super::each_part::{First, Sink, each_part};
use super::fetch::fitting_part;
use super::limits::TransferLimits;
use super::plan::{PART_ALIGN_BYTES, PART_BYTES_MIN, PartRequest, PutPlan};
use super::relay::Passage;
use super::upload::UploadGuard;
use crate::checksum::{Crc64, Sum, compose};
use crate::client::{Location, Task};
use crate::condition::{ReadOptions, WriteIf};
use crate::error::{ErrorKind, Result};
use crate::object::{Etag, ObjectMeta, PutOptions};
use crate::s3::S3PutOptions;
use crate::store::{
    CopiedWithin, CopyWay, CopyWithin, KeptPart, ObjectAt, ObjectStore, PartTag, Reader, Upload,
    UploadSource,
};

/// Told after each part: bytes done, and the size of the object once it is known.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// How an object is copied.
#[derive(Clone, Default)]
pub struct CopyOptions {
    /// Bytes of a part instead of the default, which is another one where a server copies.
    pub part_size_bytes: Option<u64>,
    /// Parts under way at once instead of the default.
    pub connections: Option<usize>,
    /// Called from the cores after each part; it must not block.
    pub progress: Option<Progress>,
    /// What becomes of what has come when the copy fails or is killed.
    pub on_failure: OnFailure,
    /// The bytes pass through this process even where the server or the kernel could copy them: the
    /// report then has their checksum, unless it is not [asked for](CopyOptions::unsummed).
    pub streamed: bool,
    /// No checksum is taken on the way for the report alone, which has none then. What the stores
    /// compare, and what [`OnFailure::Keep`] carries on by, is taken all the same.
    pub unsummed: bool,
    /// Which version is copied, what has to hold of it, and what S3 is asked for to read it. With any
    /// of that, here or below, the bytes pass through this process.
    pub read: ReadOptions,
    /// What has to hold of what stands at the destination. Not with [`OnFailure::Keep`] to files.
    pub write_if: Option<WriteIf>,
    /// What S3 is asked for where it is written to.
    pub s3_put: Option<Box<S3PutOptions>>,
}

/// What becomes of a copy that ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Nothing of it stays.
    #[default]
    Discard,
    /// It stays, under a temporary name or as an upload that S3 lists, and the same copy carries on
    /// from it: parts that have come are checked and not moved again, but for the first, which tells
    /// what the object is. Where the source has changed the copy begins anew, and says so. Inside one
    /// S3 the server copies whatever has more than one part in parts then: what is said of the object
    /// goes along, its tags and access control lists do not.
    Keep,
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
    /// Who moved the bytes.
    pub way: CopyWay,
    /// Why they had to pass through this process, where one would have thought otherwise (FALL-1).
    pub fell_back: Option<String>,
    /// The checksum of what was read and written, taken on the way; `None` where the bytes did not
    /// come here, or nobody took one because it was [not asked for](CopyOptions::unsummed).
    pub crc64nvme: Option<Crc64>,
    /// Bytes that had come in an earlier copy, and were checked instead of fetched.
    pub resumed_bytes: u64,
    /// Why what had come was thrown away: what an earlier copy had left could not be carried on, or the
    /// parts together were not the object and all were read once more.
    pub began_anew: Option<String>,
}

/// Copies an object. The destination shows it when it is whole, or not at all (DATA-3). What the
/// source says of the content goes along, to stores that can hold it.
///
/// Inside one S3 the server copies, and inside one file system the kernel; [`CopyReport::way`] tells.
pub fn copy(src: &Location, dst: &Location, options: CopyOptions) -> Task<CopyReport> {
    let server = |location: &Location| location.store.inner().server();
    if src.to_string() == dst.to_string() && server(src) == server(dst) {
        let text = format!("{} and {} are the same object", src, dst);
        return Task::failed(ErrorKind::InvalidInput(text).into());
    }
    let reader = match src.store.inner().reader_with(&src.key, &options.read) {
        Ok(reader) => reader,
        Err(error) => return Task::failed(error),
    };
    let mut job = Job {
        reader,
        from: ObjectAt { store: Arc::clone(src.store.inner()), key: src.key.clone() },
        streamed: options.streamed,
        unsummed: options.unsummed,
        source: src.to_string(),
        destination: Arc::clone(dst.store.inner()),
        key: dst.key.clone(),
        limits: src.store.limits().with(options.part_size_bytes, options.connections),
        part_size_bytes: options.part_size_bytes,
        progress: options.progress,
        on_failure: options.on_failure,
        read: options.read,
        write_if: options.write_if,
        s3_put: options.s3_put,
    };
    Task::run(src.store.engine(), move |core| async move { job.run(&core).await })
}

struct Job {
    reader: Arc<dyn Reader>,
    from: ObjectAt,
    streamed: bool,
    unsummed: bool,
    source: String,
    destination: Arc<dyn ObjectStore>,
    key: String,
    limits: TransferLimits,
    /// What was asked for.
    part_size_bytes: Option<u64>,
    progress: Option<Progress>,
    on_failure: OnFailure,
    read: ReadOptions,
    write_if: Option<WriteIf>,
    s3_put: Option<Box<S3PutOptions>>,
}

/// What came of asking the stores to copy by themselves.
enum Within {
    Copied(Box<CopyReport>),
    No(Option<String>),
}

/// Writes parts, and remembers what came of them.
#[derive(Clone)]
struct Writing {
    upload: Arc<dyn Upload>,
    written: Arc<Mutex<Written>>,
    even_parts: bool,
    unsummed: bool,
    piece_bytes: usize,
    progress: Option<Progress>,
    total_bytes: u64,
}

#[derive(Default)]
struct Written {
    parts: Vec<(PartTag, Option<Crc64>)>,
    bytes: u64,
    resumed_bytes: u64,
}

impl Job {
    async fn run(&mut self, core: &Core) -> Result<CopyReport> {
        let fell_back = match self.streamed {
            true => None,
            false => match self.within(core).await? {
                Within::Copied(report) => return Ok(*report),
                Within::No(why) => why,
            },
        };
        Ok(CopyReport { fell_back, ..self.stream(core).await? })
    }

    /// Lets the server or the kernel copy, where they can.
    async fn within(&self, core: &Core) -> Result<Within> {
        let is_plain = self.write_if.is_none() && self.s3_put.is_none();
        if !is_plain || self.read != ReadOptions::default() {
            let why = "servers and kernels copy what stands under a key, under no condition, and what \
                       else S3 is asked for goes with requests of this process";
            return Ok(Within::No(Some(why.to_owned())));
        }
        let keep = self.on_failure == OnFailure::Keep;
        let (part_size_bytes, progress) = (self.part_size_bytes, self.progress.as_ref());
        let how = CopyWithin { keep, part_size_bytes, progress };
        let report = match self.destination.copy_within(core, &self.from, &self.key, how).await? {
            CopiedWithin::No(why) => return Ok(Within::No(why)),
            CopiedWithin::Done { meta, way } => {
                let began_anew = self.without_kept(core, &PutOptions::default()).await?;
                CopyReport { way, began_anew, ..CopyReport::of(meta, 1) }
            }
            CopiedWithin::InParts { source, part_size_bytes } => {
                match self.on_server(source, part_size_bytes).run(core).await {
                    Ok(report) => report,
                    Err(error) if matches!(error.kind(), ErrorKind::Unsupported(_)) => {
                        return Ok(Within::No(Some(error.to_string())));
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        if let (Some(progress), 1) = (&self.progress, report.parts) {
            progress(report.bytes, Some(report.bytes));
        }
        Ok(Within::Copied(Box::new(report)))
    }

    fn on_server(&self, source: ObjectMeta, part_size_bytes: u64) -> InParts {
        InParts {
            from: self.from.clone(),
            from_uri: self.source.clone(),
            source,
            part_size_bytes,
            store: Arc::clone(&self.destination),
            key: self.key.clone(),
            on_failure: self.on_failure,
            connections: self.limits.connections,
            progress: self.progress.clone(),
        }
    }

    /// Moves the bytes, and if its parts are not the object, once more: nothing of them has been shown to
    /// anybody.
    async fn stream(&mut self, core: &Core) -> Result<CopyReport> {
        let error = match self.stream_once(core).await {
            Err(error) if error.is_of_parts() => error,
            result => return result,
        };
        core.report(format_args!("{error}; all of it is read once more"));
        self.reader = self.from.store.reader_with(&self.from.key, &self.read)?;
        let report = self.stream_once(core).await?;
        Ok(CopyReport { began_anew: Some(error.to_string()), ..report })
    }

    async fn stream_once(&self, core: &Core) -> Result<CopyReport> {
        let rules = self.destination.part_rules();
        let least_bytes = if rules.s3_limits { PART_BYTES_MIN } else { 0 };
        let part_bytes = fitting_part(&core.engine(), self.limits.part_size_bytes).max(least_bytes);
        let mut first = First::read(core, &self.reader, part_bytes).await?;
        if rules.s3_limits && !first.is_whole() {
            let needed = PutPlan::new(part_bytes, Some(first.info.object_bytes))?.part_size_at(1);
            if needed != part_bytes {
                // Too many parts of this size: read the first one again, larger.
                drop(first);
                first = First::read(core, &self.reader, needed).await?;
            }
        }
        match rules.single_put && first.is_whole() {
            true => self.put_whole(core, first).await,
            false => self.in_parts(core, first).await,
        }
    }

    async fn put_whole(&self, core: &Core, first: First) -> Result<CopyReport> {
        let First { mut lease, info, .. } = first;
        let total = info.object_bytes;
        lease.shrink_to((total as usize).max(1));
        let told = self.told(core, total).await?;
        let (span, options) = (0..total as usize, self.put_options(told.as_ref()));
        let began_anew = self.without_kept(core, &options).await?;
        let put = self.destination.put(core, &self.key, lease.into(), span, &options);
        let (meta, buf) = put.await;
        let meta = meta?;
        let taken = meta.crc64nvme.or_else(|| info.sum?.crc64nvme());
        let crc64nvme = taken.or_else(|| (!self.unsummed).then(|| Crc64::of(buf.as_slice())));
        drop(buf);
        if let Some(progress) = &self.progress {
            progress(total, Some(total));
        }
        Ok(CopyReport { bytes: total, crc64nvme, began_anew, ..CopyReport::of(meta, 1) })
    }

    async fn in_parts(&self, core: &Core, first: First) -> Result<CopyReport> {
        let total = first.info.object_bytes;
        let (guard, began_anew) = self.begin(core, &first).await?;
        let writing = Writing {
            upload: guard.upload(),
            written: Arc::default(),
            even_parts: self.destination.part_rules().s3_limits,
            unsummed: self.unsummed,
            piece_bytes: self.limits.piece_size_bytes,
            progress: self.progress.clone(),
            total_bytes: total,
        };
        let (reader, source) = (Arc::clone(&self.reader), self.source.clone());
        let connections = self.limits.connections;
        let moved = each_part(core, reader, source, first, connections, writing.clone()).await;
        if let Err(error) = moved {
            return Err(match error.is_of_parts() {
                true => guard.discard(error).await,
                false => guard.abort(error).await,
            });
        }
        let Written { mut parts, resumed_bytes, .. } = std::mem::take(&mut *writing.written());
        parts.sort_by_key(|(tag, _)| tag.part.index);
        let sums: Option<Vec<_>> =
            parts.iter().map(|(tag, crc)| Some(((*crc)?, tag.part.len))).collect();
        let crc64nvme = sums.map(compose);
        let tags: Vec<_> = parts.into_iter().map(|(tag, _)| tag).collect();
        let meta = guard.complete(&tags).await?;
        let report = CopyReport::of(meta, tags.len() as u64);
        Ok(CopyReport { bytes: total, crc64nvme, resumed_bytes, began_anew, ..report })
    }

    async fn begin(&self, core: &Core, first: &First) -> Result<(UploadGuard, Option<String>)> {
        let size_bytes = first.info.object_bytes;
        let told = self.told(core, size_bytes).await?;
        let options = self.put_options(told.as_ref());
        let kept = match self.on_failure {
            OnFailure::Discard => None,
            OnFailure::Keep => {
                let etag = told.and_then(|meta| meta.etag);
                let (uri, part_size_bytes) = (self.source.clone(), first.part_size_bytes);
                let (etag, way) = (strong(etag, &uri)?, CopyWay::Streamed);
                Some(UploadSource { uri, etag, size_bytes, part_size_bytes, way })
            }
        };
        begin_upload(core, (&self.destination, &self.key), size_bytes, &options, kept).await
    }

    /// What an earlier copy has left is of no use to one without parts, and nobody else would ever
    /// take it away.
    async fn without_kept(&self, core: &Core, options: &PutOptions) -> Result<Option<String>> {
        match self.on_failure {
            OnFailure::Discard => Ok(None),
            OnFailure::Keep => self.destination.discard_kept(core, &self.key, options).await,
        }
    }

    /// What is said of the object.
    async fn told(&self, core: &Core, size_bytes: u64) -> Result<Option<ObjectMeta>> {
        Ok(match size_bytes {
            // S3 refuses ranges of an empty object, and a refusal tells nothing of it.
            0 => Some(self.from.store.head_with(core, &self.from.key, &self.read).await?),
            _ => self.reader.meta(),
        })
    }

    /// The same is to be said of the copy.
    fn put_options(&self, told: Option<&ObjectMeta>) -> PutOptions {
        let options = told.map_or_else(PutOptions::default, PutOptions::like);
        PutOptions { write_if: self.write_if, s3: self.s3_put.clone(), ..options }
    }
}

/// Begins the upload of a copy, or carries on with one of that source that was kept; why it could not.
async fn begin_upload(
    core: &Core,
    (store, key): (&Arc<dyn ObjectStore>, &str),
    size_bytes: u64,
    options: &PutOptions,
    kept: Option<UploadSource>,
) -> Result<(UploadGuard, Option<String>)> {
    let Some(source) = kept else {
        let guard = UploadGuard::begin(core, store, key, Some(size_bytes), options).await?;
        return Ok((guard, None));
    };
    let resumed = store.resume_upload(core, key, &source, options).await?;
    Ok((UploadGuard::of_kept(core, resumed.upload), resumed.began_anew))
}

/// A tag by which a later copy knows the version of `source`.
fn strong(etag: Option<Etag>, source: &str) -> Result<Etag> {
    etag.filter(Etag::is_strong).ok_or_else(|| {
        let text =
            format!("{source} has no strong tag of its version, so no later copy can tell it");
        ErrorKind::Unsupported(text).into()
    })
}

impl CopyReport {
    fn of(meta: ObjectMeta, parts: u64) -> CopyReport {
        CopyReport {
            bytes: meta.size_bytes,
            parts,
            meta,
            way: CopyWay::Streamed,
            fell_back: None,
            crc64nvme: None,
            resumed_bytes: 0,
            began_anew: None,
        }
    }
}

impl Sink for Writing {
    fn wants_even_parts(&self) -> bool {
        self.even_parts
    }

    async fn has(
        &self,
        core: &Core,
        part: PartRequest,
        lease: Lease,
    ) -> (Result<Option<KeptPart>>, Lease) {
        let (kept, buf) = self.upload.kept_part(core, part, lease.into()).await;
        let lease = buf.into_lease().expect("a lease was lent and comes back");
        if let Ok(Some(kept)) = &kept {
            self.written().resumed_bytes += part.len;
            self.note(kept.tag, Some(kept.crc64nvme));
        }
        (kept, lease)
    }

    fn passage(&self, part_bytes: u64) -> Option<Passage<'_>> {
        let whole_pages = |bytes: u64| bytes.max(1).checked_next_multiple_of(PART_ALIGN_BYTES);
        let piece_bytes = whole_pages(self.piece_bytes as u64)?;
        let saves = piece_bytes <= part_bytes / 4 && self.upload.takes_pieces();
        let (upload, wants_crc) = (&*self.upload, !self.unsummed);
        saves.then_some(Passage { upload, piece_bytes: piece_bytes as usize, wants_crc })
    }

    fn passed(&self, part: PartRequest, crc: Option<Crc64>) {
        self.note(PartTag { part, etag: None, sum: None }, crc);
    }

    async fn take(
        &self,
        core: &Core,
        part: PartRequest,
        lease: Lease,
        sum: Option<Sum>,
    ) -> Result<()> {
        let span = 0..part.len as usize;
        let sending = self.upload.put_part(core, part, lease.into(), span.clone(), sum);
        let (tag, buf) = sending.await;
        let tag = tag?;
        // Either store may have taken it already.
        let taken = [sum, tag.sum].into_iter().flatten().find_map(|sum| sum.crc64nvme());
        let crc = taken.or_else(|| (!self.unsummed).then(|| Crc64::of(&buf.as_slice()[span])));
        drop(buf);
        self.note(tag, crc);
        Ok(())
    }
}

impl Writing {
    fn note(&self, tag: PartTag, crc: Option<Crc64>) {
        let done_bytes = {
            let mut written = self.written();
            written.parts.push((tag, crc));
            written.bytes += tag.part.len;
            written.bytes
        };
        if let Some(progress) = &self.progress {
            progress(done_bytes, Some(self.total_bytes));
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CopyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOptions")
            .field("part_size_bytes", &self.part_size_bytes)
            .field("connections", &self.connections)
            .field("on_failure", &self.on_failure)
            .field("streamed", &self.streamed)
            .field("unsummed", &self.unsummed)
            .field("read", &self.read)
            .field("write_if", &self.write_if)
            .field("s3_put", &self.s3_put)
            .finish_non_exhaustive()
    }
}
