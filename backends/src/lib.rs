//! Object stores by URI, and pipelines that move objects between them, disks and memory.
//!
//! Hydrant moves bytes at the speed of the hardware, for little CPU and within a fixed amount of
//! memory: a part received from a socket lies in the very buffer that is written to a disk or
//! handed to the caller.
//!
//! - [`Hydrant`] is an engine with stores on top. It is made once and shared.
//! - [`Store`] is one place for objects, opened from a URI: `s3://`, `file://`, `direct://`,
//!   `mem://`, and `http://` and `https://` to read from.
//! - [`Store::get`] streams an object in order by ranged GETs; [`Store::get_into`] fills memory of
//!   the caller; [`Store::writer`] uploads a stream in parts; [`copy`] moves an object between any
//!   two stores.
//!
//! Calls return a [`Task`]: a future for any executor, or `.wait()` on a thread of one's own.
//!
//! ```
//! use hydrant::{Bytes, Hydrant};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hydrant = Hydrant::builder().cores(1).pool_bytes(32 << 20).build()?;
//! let store = hydrant.store("mem://example")?;
//! store.put("greeting", Bytes::from_static(b"hello")).wait()?;
//! let bytes = store.get_range("greeting", 1..4).wait()?;
//! assert_eq!(&bytes[..], b"ell");
//! # Ok(())
//! # }
//! ```
//!
//! What this crate never does: it never copies payload behind the caller's back (DATA-1), never
//! reports a short or mixed object as success (DATA-2), never shows an object before it is whole
//! (DATA-3). The rules stand in `docs/architecture.md`.

#![forbid(unsafe_code)]

mod checksum;
mod client;
mod condition;
mod error;
mod file;
mod http;
pub mod http1;
mod mem;
mod object;
mod page;
pub mod pipeline;
pub mod s3;
mod store;
mod upload;
pub mod uri;

// The public interface is:
pub use bytes::Bytes;
pub use checksum::{ChecksumAlgorithm, Crc64, Sum, compose};
pub use client::{Hydrant, HydrantBuilder, Location, Store, Task};
pub use condition::{ReadIf, ReadOptions, WriteIf};
pub use error::{Class, Error, ErrorKind, Result};
pub use file::{FileMode, FileStore};
pub use http::RedirectError;
pub use hydrant_engine as engine;
pub use mem::MemConfig;
pub use object::{Attributes, Etag, ListEntry, ListPage, ListRequest, ObjectMeta, PutOptions};
pub use pipeline::{
    CopyOptions, CopyReport, DeleteOptions, DeleteReport, GetOptions, GetStream, Listing,
    OnDeleted, OnFailure, Outcome, Piece, PieceStream, RangeInto, RangeRegion, RangesOptions,
    Reserved, TransferLimits, VerifyOptions, VerifyReport, Writer, WriterOptions, copy, verify,
};
pub use store::{
    CopiedWithin, CopyWay, CopyWithin, KeptPart, LocalFuture, ObjectAt, ObjectStore, PartRead,
    PartRules, PartTag, ReadInfo, Reader, Resumed, Upload, UploadSource,
};
