//! Copies: between stores, to files and from files.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use hydrant::{CopyOptions, CopyReport, CopyWay, Location, OnFailure, copy};

use crate::args::{self, fixed_text};
use crate::callback::{Lent, ProgressFn, User, progress};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::meta::hyd_object_meta;
use crate::object::tell;
use crate::object_options::{self, hyd_get_options};
use crate::s3_options::{self, hyd_s3_put_options};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A bit of hyd_copy_options.flags: where the copy fails or is killed, what has come stays, and the
/// same copy carries on from it. It stays as a temporary file with its journal, or on S3 as an upload
/// that hyd_uploads_open() lists, with a journal in $XDG_STATE_HOME/hydrant or
/// ~/.local/state/hydrant. HYD_E_UNSUPPORTED for the rest, for a source whose version has no strong tag,
/// and under a condition on a file that is written. Inside one S3 the server copies whatever has more
/// than one part in parts then, without its tags.
pub const HYD_COPY_KEEP: u32 = 1;
/// A bit of hyd_copy_options.flags: the bytes pass through this process even where the server or the
/// kernel could copy them, so that the report has their checksum.
pub const HYD_COPY_STREAMED: u32 = 2;
/// A bit of hyd_copy_options.flags: as HYD_PUT_IF_ABSENT.
pub const HYD_COPY_IF_ABSENT: u32 = 4;

const FLAGS: u32 = HYD_COPY_KEEP | HYD_COPY_STREAMED | HYD_COPY_IF_ABSENT;

/// hyd_copy_report.way: this process read and wrote the bytes.
pub const HYD_WAY_STREAMED: u32 = 1;
/// hyd_copy_report.way: the server copied inside itself.
pub const HYD_WAY_ON_SERVER: u32 = 2;
/// hyd_copy_report.way: the kernel copied inside one file system, which may share blocks.
pub const HYD_WAY_IN_KERNEL: u32 = 3;

/// A bit of hyd_copy_report.flags: the bytes passed through this process, and `crc64nvme` is their
/// CRC-64/NVME.
pub const HYD_COPIED_CRC64NVME: u32 = 1;

/// Is told how far it is after each part: bytes done, and the size of the object, or
/// HYD_SIZE_UNKNOWN. It runs on any thread of the engine, also on several at once, so that a number may
/// come behind a larger one, and must neither block nor call into the library.
pub type hyd_progress_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, done_bytes: u64, total_bytes: u64)>;

/// How an object is copied; 0 is the default everywhere. Under a condition, and of a version, the bytes
/// pass through this process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_copy_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_COPY_*
    pub flags: u32,
    /// Bytes of a part, instead of those of the store that is read.
    pub part_size_bytes: u64,
    /// Parts under way at once, instead of as many as the store that is read has; more than 1,024 count as
    /// so many.
    pub connections: u32,
    /// 0
    pub reserved: u32,
    /// Told how far the copy is, until the call returns or the request is reaped; or NULL.
    pub progress: hyd_progress_fn,
    /// What `progress` is called with.
    pub user: *mut c_void,
    /// Which version is read, and under which condition, or NULL.
    pub get: *const hyd_get_options,
    /// As hyd_put_options has it.
    pub if_match: *const c_char,
    /// What S3 is asked for where the copy is written, or NULL; then too the bytes pass through this
    /// process.
    pub s3: *const hyd_s3_put_options,
}

// SAFETY: `repr(C)`, integers, raw pointers and an optional function alone, no padding, the size first.
unsafe impl SizedStruct for hyd_copy_options {
    const NAME: &'static str = "hyd_copy_options";
    const BYTES_MIN: usize = 56;
}

/// What was copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_copy_report {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_COPIED_CRC64NVME
    pub flags: u32,
    /// Of the object.
    pub bytes: u64,
    /// Parts that it went in; 1 for a single write.
    pub parts: u64,
    /// Bytes that had come in an earlier copy, and were checked instead of fetched.
    pub resumed_bytes: u64,
    pub crc64nvme: u64,
    /// HYD_WAY_*
    pub way: u32,
    /// 0
    pub reserved: u32,
    /// Why the bytes had to pass through this process, where one would have thought otherwise; cut where
    /// it is longer, NUL-terminated.
    pub fell_back: [c_char; 256],
    /// Why what an earlier copy had left was not carried on; cut where it is longer, NUL-terminated.
    pub began_anew: [c_char; 256],
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_copy_report {
    const NAME: &'static str = "hyd_copy_report";
    const BYTES_MIN: usize = 560;
}

impl hyd_copy_report {
    pub fn of(report: &CopyReport) -> hyd_copy_report {
        hyd_copy_report {
            struct_size: sized::size_of::<hyd_copy_report>(),
            flags: if report.crc64nvme.is_some() { HYD_COPIED_CRC64NVME } else { 0 },
            bytes: report.bytes,
            parts: report.parts,
            resumed_bytes: report.resumed_bytes,
            crc64nvme: report.crc64nvme.map_or(0, |sum| sum.0),
            way: match report.way {
                CopyWay::OnServer => HYD_WAY_ON_SERVER,
                CopyWay::InKernel => HYD_WAY_IN_KERNEL,
                _ => HYD_WAY_STREAMED,
            },
            reserved: 0,
            fell_back: fixed_text(report.fell_back.as_deref().unwrap_or_default()),
            began_anew: fixed_text(report.began_anew.as_deref().unwrap_or_default()),
        }
    }
}

/// Options as C gave them: whoever copies says how long progress may be told.
pub struct Copying {
    pub options: CopyOptions,
    pub progress: Option<(ProgressFn, User)>,
}

/// How an object is copied; NULL is the default.
///
/// # Safety
/// `from` is NULL, or readable as far as it says, and so is what it names.
pub unsafe fn copying(from: *const hyd_copy_options) -> Result<Copying, Failure> {
    let mut options = CopyOptions::default();
    if from.is_null() {
        return Ok(Copying { options, progress: None });
    }
    // SAFETY: OWN-3, by the contract of this function.
    let (raw, replaced) = unsafe {
        let raw = sized::read(from, "options")?;
        options.read = object_options::get(raw.get)?;
        options.s3_put = s3_options::put(raw.s3)?;
        (raw, object_options::tag(raw.if_match, "if_match")?)
    };
    object_options::check_flags("options", raw.flags, FLAGS, raw.reserved)?;
    let has = |flag| raw.flags & flag != 0;
    options.part_size_bytes = (raw.part_size_bytes != 0).then_some(raw.part_size_bytes);
    options.connections = (raw.connections != 0).then_some(raw.connections as usize);
    options.streamed = has(HYD_COPY_STREAMED);
    options.on_failure = if has(HYD_COPY_KEEP) { OnFailure::Keep } else { OnFailure::Discard };
    options.write_if = object_options::write_if(has(HYD_COPY_IF_ABSENT), replaced)?;
    Ok(Copying { options, progress: raw.progress.map(|function| (function, User(raw.user))) })
}

/// Copies an object, also from one store to another of the same engine, and waits until it is there.
/// Inside one S3 the server copies, inside one file system the kernel; else it goes part by part
/// through the pool. It becomes visible whole or not at all. `options`, `meta` and `report` may be
/// NULL; `meta` tells of the copy.
///
/// Errors: those of reading and of writing; HYD_E_CONDITION; HYD_E_INVALID for an object onto itself and
/// for stores of different engines.
///
/// Threads: any, also many at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_copy(
    from_store: *const hyd_store,
    from: *const c_char,
    from_len: usize,
    to_store: *const hyd_store,
    to: *const c_char,
    to_len: usize,
    options: *const hyd_copy_options,
    meta: *mut hyd_object_meta,
    report: *mut hyd_copy_report,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let (source, target) = (use_store(entry, from_store)?, use_store(entry, to_store)?);
        if !Arc::ptr_eq(&source.engine, &target.engine) {
            return Err(Failure::invalid("the stores belong to different engines"));
        }
        let names = [(from, from_len, "from"), (to, to_len, "to")];
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let ([from, to], asked) = unsafe { asked(names, options, meta, report)? };
        asked.copy(&source.locate(from)?, &target.locate(to)?)
    })
}

/// Reads an object into a file, which is there whole or not at all. `path` is absolute, or begins at
/// the working directory. The rest is as at hyd_copy(); `meta` tells of the file.
///
/// Errors: as hyd_get_range(); HYD_E_DISK also where the disk is full.
///
/// Threads: any, also many at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_get_to_file(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    path: *const c_char,
    path_len: usize,
    options: *const hyd_copy_options,
    meta: *mut hyd_object_meta,
    report: *mut hyd_copy_report,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let names = [(key, key_len, "key"), (path, path_len, "path")];
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let ([key, path], asked) = unsafe { asked(names, options, meta, report)? };
        asked.copy(&store.locate(key)?, &store.file(path)?)
    })
}

/// Writes an object from a file. `path` is as at hyd_get_to_file(), the rest as at hyd_copy(); `meta`
/// tells of the object.
///
/// Errors: as hyd_put(); HYD_E_NOT_FOUND also where there is no such file.
///
/// Threads: any, also many at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_put_from_file(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    path: *const c_char,
    path_len: usize,
    options: *const hyd_copy_options,
    meta: *mut hyd_object_meta,
    report: *mut hyd_copy_report,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let names = [(key, key_len, "key"), (path, path_len, "path")];
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let ([key, path], asked) = unsafe { asked(names, options, meta, report)? };
        asked.copy(&store.file(path)?, &store.locate(key)?)
    })
}

/// What a blocking copy is asked for, beside its two ends.
struct Asked {
    copying: Copying,
    meta: Option<SizedOut<hyd_object_meta>>,
    report: Option<SizedOut<hyd_copy_report>>,
}

/// The names of two ends, each a text, its length and what it is called, and the rest.
///
/// # Safety
/// What the pointers name is readable, and writable where it is told to, as long as these live.
unsafe fn asked<'a>(
    [one, other]: [(*const c_char, usize, &str); 2],
    options: *const hyd_copy_options,
    meta: *mut hyd_object_meta,
    report: *mut hyd_copy_report,
) -> Result<([&'a str; 2], Asked), Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    unsafe {
        let names = [args::text(one.0, one.1, one.2)?, args::text(other.0, other.1, other.2)?];
        let copying = copying(options)?;
        let meta = SizedOut::optional(meta, "meta")?;
        let report = SizedOut::optional(report, "report")?;
        Ok((names, Asked { copying, meta, report }))
    }
}

impl Asked {
    fn copy(self, from: &Location, to: &Location) -> Result<(), Failure> {
        let (lent, leave) = Lent::new();
        let told = |function| progress(function, move |call| leave.call(call));
        let Copying { options, progress: function } = self.copying;
        let unsummed = self.report.is_none();
        let options = CopyOptions { progress: function.map(told), unsummed, ..options };
        let copied = copy(from, to, options).wait();
        drop(lent);
        let copied = copied?;
        tell(self.meta, &copied.meta);
        if let Some(report) = self.report {
            report.write(hyd_copy_report::of(&copied));
        }
        Ok(())
    }
}
