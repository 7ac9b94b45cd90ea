//! What every store can do, as the pipelines see it.
//!
//! The calls run on a core of the engine and take and give buffers without copying. Each is a future that
//! [`Core::boxed`] has put behind a pointer: one a request, not one a submission to the kernel. People use
//! [`crate::Store`], which hands work to the cores from any thread.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

pub use hydrant_engine::LocalFuture;
use hydrant_engine::{Buf, Core, Lease};

use crate::checksum::{ChecksumAlgorithm, Crc64, Sum};
use crate::condition::ReadOptions;
use crate::error::{ErrorKind, Result};
use crate::object::{Etag, ListPage, ListRequest, ObjectMeta, PutOptions};
use crate::pipeline::{PartRequest, Progress};

/// A place for objects.
pub trait ObjectStore: Any + Send + Sync + fmt::Debug + 'static {
    /// The URI of a key in this store, for messages; without secrets.
    fn uri_of(&self, key: &str) -> String;

    /// The server, for stores whose URIs do not name it: two of those may have equal URIs.
    fn server(&self) -> Option<String> {
        None
    }

    /// What the store has to say about the limits of parts.
    fn part_rules(&self) -> PartRules;

    /// What is known of an object.
    fn head<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<ObjectMeta>>;

    /// The same with options.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for options that the store does not know.
    fn head_with<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        options: &'a ReadOptions,
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(async move {
            let uri = self.uri_of(key);
            let read_if = options.without_versions(&uri)?;
            let meta = self.head(core, key).await?;
            read_if.map_or(Ok(()), |read_if| read_if.check(&uri, meta.etag.as_ref()))?;
            Ok(meta)
        })
    }

    /// Something that reads parts of one object, on any core. Nothing is asked of the store before
    /// the first read.
    fn reader(&self, key: &str) -> Arc<dyn Reader>;

    /// The same with options, which the first read looks at.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for options that the store does not know.
    fn reader_with(&self, key: &str, options: &ReadOptions) -> Result<Arc<dyn Reader>> {
        if *options == ReadOptions::default() {
            return Ok(self.reader(key));
        }
        let text = format!("{} cannot be read under conditions", self.uri_of(key));
        Err(ErrorKind::Unsupported(text).into())
    }

    /// Writes a whole object from one buffer; the buffer comes back.
    fn put<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        buf: Buf,
        span: Range<usize>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, (Result<ObjectMeta>, Buf)>;

    /// Begins an upload in parts. Nothing is visible under the key before it is completed (DATA-3).
    ///
    /// `size_bytes` is the size of the object where it is known.
    fn begin_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        size_bytes: Option<u64>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Arc<dyn Upload>>>;

    /// Carries on the upload to `key` that an earlier transfer of the same `source` left behind, or
    /// begins one that can be carried on. What is given up stays until it is carried on or aborted.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] where the store keeps nothing.
    fn resume_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        _source: &'a UploadSource,
        _options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Resumed>> {
        core.boxed(async move {
            let text = format!("what was moved to {} cannot be carried on later", self.uri_of(key));
            Err(ErrorKind::Unsupported(text).into())
        })
    }

    /// Throws away what an earlier transfer to `key` left to be [carried
    /// on](ObjectStore::resume_upload), for one that goes without parts; tells why, where there was
    /// something.
    fn discard_kept<'a>(
        &'a self,
        core: &'a Core,
        _key: &'a str,
        _options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Option<String>>> {
        core.boxed(async { Ok(None) })
    }

    /// Copies the object `from` to `key` of this store without its bytes coming to this process, where
    /// both lie with the same server or on the same file system. What is said of the object goes
    /// along, and the copy is of one version of it (DATA-2).
    ///
    /// # Errors
    /// The copy was begun and failed; nothing of it is left.
    fn copy_within<'a>(
        &'a self,
        core: &'a Core,
        _from: &'a ObjectAt,
        _key: &'a str,
        _how: CopyWithin<'a>,
    ) -> LocalFuture<'a, Result<CopiedWithin>> {
        core.boxed(async { Ok(CopiedWithin::No(None)) })
    }

    /// Deletes an object. One that is not there is [`crate::ErrorKind::NotFound`] where the store
    /// tells; S3 does not.
    fn delete<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<()>>;

    /// Keys that [`ObjectStore::delete_batch`] deletes with one request; 1 where each is one. It may
    /// fall to 1 when a server turns out to take no more.
    fn delete_batch_max(&self) -> usize {
        1
    }

    /// Deletes several objects, at most [`ObjectStore::delete_batch_max`]; tells what came of each,
    /// in their order. An error of the call itself says nothing of any of them;
    /// [`crate::ErrorKind::Unsupported`] means that from now on each is a request of its own.
    fn delete_batch<'a>(
        &'a self,
        core: &'a Core,
        keys: &'a [String],
    ) -> LocalFuture<'a, Result<Vec<Result<()>>>> {
        core.boxed(async move {
            let mut outcomes = Vec::with_capacity(keys.len());
            for key in keys {
                outcomes.push(self.delete(core, key).await);
            }
            Ok(outcomes)
        })
    }

    /// One page of a listing. A page that fails is an error, never an empty page.
    fn list_page<'a>(
        &'a self,
        core: &'a Core,
        request: &'a ListRequest,
    ) -> LocalFuture<'a, Result<ListPage>>;
}

/// Reads parts of one object. All reads see the same version of it, or fail (DATA-2).
pub trait Reader: Send + Sync + fmt::Debug + 'static {
    /// Fills `span` of `buf` from `offset`; short only at the end of the object. An offset at or
    /// beyond the end reads 0 bytes. The first read tells what the object is.
    fn read<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        buf: Buf,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead>;

    /// The same for bytes that somebody may keep: where much less comes than `lease` holds, what comes back may be
    /// another, of the size of what came.
    fn read_to_keep<'a>(
        &'a self,
        core: &'a Core,
        offset: u64,
        lease: Lease,
        span: Range<usize>,
    ) -> LocalFuture<'a, PartRead> {
        self.read(core, offset, lease.into(), span)
    }

    /// Reads all of a part piece by piece, into `buf` first, which has room for one. A piece that is full is given
    /// for memory for the next before anything is compared, so all of them may come once more.
    fn read_pieces<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        pieces: &'a mut dyn Pieces,
    ) -> LocalFuture<'a, Result<ReadInfo>> {
        core.boxed(read_one_by_one(self, core, part, buf, pieces))
    }

    /// Whether a part read piece by piece costs little more than one that is read whole.
    fn gives_pieces(&self) -> bool {
        false
    }

    /// Takes note of `len` bytes from `offset` that are not read, because they came in an earlier transfer:
    /// with them the reader may have all that it needs to compare the whole object (DATA-2). `sum_in`
    /// gives their checksum, where it can be had.
    ///
    /// # Errors
    /// [`crate::ErrorKind::IntegrityOfParts`]
    fn skip<'a>(
        &'a self,
        core: &'a Core,
        _object_bytes: u64,
        _offset: u64,
        _len: u64,
        _sum_in: &'a dyn Fn(ChecksumAlgorithm) -> Option<Sum>,
    ) -> LocalFuture<'a, Result<()>> {
        core.boxed(async { Ok(()) })
    }

    /// What the first read told.
    fn meta(&self) -> Option<ObjectMeta>;

    /// Whether the server gives the bytes in their order only, so that reads of several parts at once
    /// would only wait for each other. Known after the first read.
    fn is_in_order(&self) -> bool {
        false
    }

    /// Bytes of each of the parts but the last that the object was stored in, as far as the first read
    /// tells. Reads that keep to them are served faster.
    fn stored_part_bytes(&self) -> Option<u64> {
        None
    }

    /// When the head of the first answer had come, from a server.
    fn first_byte_at(&self) -> Option<Instant> {
        None
    }
}

/// Where a part goes while it is read.
pub trait Pieces {
    /// Bytes of every piece but the last.
    fn piece_bytes(&self) -> usize;

    /// From here on pieces come from the start of the part, in place of those that came before. `summed` is the
    /// checksum that whoever reads takes of them.
    fn begin(&mut self, summed: Option<ChecksumAlgorithm>) -> LocalFuture<'_, Result<()>>;

    /// Takes `buf[..len]`, which lies behind `at` bytes of the part, and gives memory for the next piece.
    fn take(&mut self, at: u64, buf: Buf, len: usize) -> LocalFuture<'_, Result<Buf>>;
}

/// [`Reader::read_pieces`] by a read for each.
async fn read_one_by_one<R: Reader + ?Sized>(
    reader: &R,
    core: &Core,
    part: PartRequest,
    mut buf: Buf,
    pieces: &mut dyn Pieces,
) -> Result<ReadInfo> {
    pieces.begin(None).await?;
    let mut at = 0;
    loop {
        let rest = usize::try_from(part.len - at).unwrap_or(usize::MAX);
        let len = rest.min(pieces.piece_bytes());
        let read = reader.read(core, part.offset + at, buf, 0..len).await;
        let info = read.result?;
        buf = pieces.take(at, read.buf, info.len_bytes).await?;
        at += info.len_bytes as u64;
        if info.len_bytes < len || at == part.len {
            // A sum is of this piece alone.
            return Ok(ReadInfo { len_bytes: at as usize, sum: None, ..info });
        }
    }
}

/// What a read gave; the buffer always comes back.
#[derive(Debug)]
pub struct PartRead {
    /// The buffer.
    pub buf: Buf,
    /// Bytes read, and the size of the whole object.
    pub result: Result<ReadInfo>,
}

/// What a read told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadInfo {
    /// Bytes read into the span, from its start.
    pub len_bytes: usize,
    /// Size of the whole object.
    pub object_bytes: u64,
    /// The checksum of those bytes, where the reader took one to compare it.
    pub sum: Option<Sum>,
}

/// An upload in parts that has begun.
pub trait Upload: Send + Sync + fmt::Debug + 'static {
    /// Writes one part from `span` of `buf`; the buffer comes back when no attempt needs it any
    /// more. Parts may go out in any order and from any core. `sum` is a checksum of the span, where
    /// whoever read it took one: it is sent and noted as it is, which spares another pass.
    fn put_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
        sum: Option<Sum>,
    ) -> LocalFuture<'a, (Result<PartTag>, Buf)>;

    /// Whether parts may be written in pieces; nobody looks for [kept ones](Upload::kept_part) then.
    fn takes_pieces(&self) -> bool {
        false
    }

    /// Writes `buf[..len]`, which lies behind `at` bytes of `part`, whole pages; the buffer comes back. A piece
    /// may be written again once it is. With all its pieces the part is as one that was put.
    fn put_piece<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        _at: u64,
        buf: Buf,
        _len: usize,
    ) -> LocalFuture<'a, (Result<()>, Buf)> {
        let text = format!("part {} cannot be written in pieces", part.index);
        core.boxed(async move { (Err(ErrorKind::Unsupported(text).into()), buf) })
    }

    /// Makes the object visible, whole. `tags` are those of all parts in order.
    fn complete<'a>(
        &'a self,
        core: &'a Core,
        tags: &'a [PartTag],
    ) -> LocalFuture<'a, Result<ObjectMeta>>;

    /// Lets the server copy a part from the same bytes of `from`, in the version with this tag.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] where it cannot.
    fn copy_part<'a>(
        &'a self,
        core: &'a Core,
        _part: PartRequest,
        from: &'a ObjectAt,
        _etag: &'a Etag,
    ) -> LocalFuture<'a, Result<PartTag>> {
        core.boxed(async move {
            let text = format!("the bytes of {} have to pass through this process", from.uri());
            Err(ErrorKind::Unsupported(text).into())
        })
    }

    /// Whether the server copied a part in an earlier transfer, and has it still.
    fn copied_part<'a>(
        &'a self,
        core: &'a Core,
        _part: PartRequest,
    ) -> LocalFuture<'a, Result<Option<PartTag>>> {
        core.boxed(async { Ok(None) })
    }

    /// Whether a part came in an earlier transfer and is still what it was then; `buf` is memory of
    /// the part's length to look with, and comes back.
    fn kept_part<'a>(
        &'a self,
        core: &'a Core,
        _part: PartRequest,
        buf: Buf,
    ) -> LocalFuture<'a, (Result<Option<KeptPart>>, Buf)> {
        core.boxed(async move { (Ok(None), buf) })
    }

    /// Where what has come lies, for an upload that can be carried on; `None` for others.
    fn kept_in(&self) -> Option<String> {
        None
    }

    /// Throws away what was uploaded (DATA-3).
    fn abort<'a>(&'a self, core: &'a Core) -> LocalFuture<'a, Result<()>>;
}

/// An object in a store.
#[derive(Debug, Clone)]
pub struct ObjectAt {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Its key.
    pub key: String,
}

impl ObjectAt {
    /// Its URI, for messages.
    pub fn uri(&self) -> String {
        self.store.uri_of(&self.key)
    }
}

/// How [`ObjectStore::copy_within`] is to copy.
#[derive(Clone, Copy, Default)]
pub struct CopyWithin<'a> {
    /// What has come is to be kept when the copy ends early. A store that can copies in parts then,
    /// and one whose copies cannot be carried on, and could be if they were streamed, does not copy.
    pub keep: bool,
    /// Bytes of a part, where it is made in parts, instead of what the store would take.
    pub part_size_bytes: Option<u64>,
    /// Told how far it is.
    pub progress: Option<&'a Progress>,
}

/// What became of [`ObjectStore::copy_within`].
#[derive(Debug)]
pub enum CopiedWithin {
    /// The copy is there.
    Done {
        /// What the store says of it.
        meta: ObjectMeta,
        /// Who made it.
        way: CopyWay,
    },
    /// It is to be made in parts, by [`Upload::copy_part`].
    InParts {
        /// What the source is; it has a tag.
        source: ObjectMeta,
        /// Bytes of all parts but the last.
        part_size_bytes: u64,
    },
    /// The bytes have to pass through this process: why, where one would have thought otherwise.
    No(Option<String>),
}

/// Who moved the bytes of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyWay {
    /// This process: read from the one store and written to the other.
    Streamed,
    /// The server, inside itself; no byte came here.
    OnServer,
    /// The kernel, inside one file system, which may share blocks instead of copying them.
    InKernel,
}

/// What is uploaded, as exactly as it takes to carry on later with the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadSource {
    /// The object that is read.
    pub uri: String,
    /// Its version.
    pub etag: Etag,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Bytes of all parts but the last.
    pub part_size_bytes: u64,
    /// Who moves the bytes. Parts that a server has copied were seen by nobody else, so their checksums
    /// are not known: what was begun in one way is not carried on in another.
    pub way: CopyWay,
}

/// An upload that can be carried on.
#[derive(Debug)]
pub struct Resumed {
    /// The upload.
    pub upload: Arc<dyn Upload>,
    /// Why what was there could not be carried on; `None` where it can, or where nothing was there.
    pub began_anew: Option<String>,
}

/// A part that came in an earlier transfer.
#[derive(Debug, Clone, Copy)]
pub struct KeptPart {
    /// As [`Upload::put_part`] would give it.
    pub tag: PartTag,
    /// The checksum of its bytes.
    pub crc64nvme: Crc64,
    /// Whether the memory that was lent to look with holds its bytes now.
    pub in_memory: bool,
}

/// What a store gave for one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartTag {
    /// Which part, and which bytes.
    pub part: PartRequest,
    /// The tag that completing asks for, on S3.
    pub etag: Option<Etag>,
    /// The checksum that went with the part, where one did.
    pub sum: Option<Sum>,
}

/// What a store demands of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartRules {
    /// Whether S3's limits hold: 10,000 parts, 5 MiB at least but for the last.
    pub s3_limits: bool,
    /// Whether an object that fits one part is better written by [`ObjectStore::put`].
    pub single_put: bool,
}
