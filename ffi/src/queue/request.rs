//! `hyd_request`: what C submits, read once.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::Arc;

use hydrant::{PutOptions, ReadOptions};

use super::more::{self, More};
use super::op::{Op, hyd_op};
use super::outcome::Places;
use crate::args;
use crate::buf::{Buf, hyd_buf};
use crate::copy::{Copying, copying, hyd_copy_options, hyd_copy_report};
use crate::delete::{hyd_delete_report, hyd_deleted_fn};
use crate::error::Failure;
use crate::handle;
use crate::mem::{Mem, hyd_mem};
use crate::meta::hyd_object_meta;
use crate::object::hyd_text;
use crate::object_options::{self, hyd_get_options, hyd_put_options};
use crate::ranges::{hyd_object_range, hyd_ranges_options};
use crate::s3_list::hyd_s3_list_options;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::store::{Store, hyd_store};
use crate::stream::{Stream, Taken};
use crate::verify::{hyd_verify_options, hyd_verify_report};
use crate::writer::hyd_writer;

/// One request. What an op does not name has to be 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_request {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_OP_*
    pub op: hyd_op,
    /// Comes back in the event.
    pub user_data: u64,
    /// The object.
    pub key: *const c_char,
    pub key_len: usize,
    /// What else the op names.
    pub aux: *const c_char,
    pub aux_len: usize,
    /// Where in the object.
    pub offset: u64,
    /// Memory for the bytes, or with the bytes; the library's until the completion is reaped.
    pub data: *mut c_void,
    pub data_len: usize,
    /// A buffer to write from; the request has a reference of its own.
    pub buf: *const hyd_buf,
    /// The registered memory that `data` lies in, or the data of all ranges; or NULL. It cannot be unregistered meanwhile.
    pub mem: *const hyd_mem,
    /// The other store of COPY and VERIFY, or NULL.
    pub target: *const hyd_store,
    /// Filled when the completion is reaped with HYD_OK, of GET, PUT, HEAD, COPY, FINISH and the ops with
    /// files; or NULL. Of GET_RANGE only where `data_len` is not 0 and at most the size of a part:
    /// else it is left as it is.
    pub meta: *mut hyd_object_meta,
    /// Of a list: keys are rolled up behind this character, usually '/'; 0: none.
    pub delimiter: u32,
    /// Of a list: entries in the page at most; 0: 1000.
    pub entries_max: u32,
    /// Of PUT: how it is written, or NULL.
    pub put: *const hyd_put_options,
    /// Of GET, GET_RANGE and HEAD: how it is read, or NULL.
    pub get: *const hyd_get_options,
    /// Of a list: only keys behind this one.
    pub start_after: *const c_char,
    pub start_after_len: usize,
    /// Of WRITE and FINISH: the stream. They name no key.
    pub writer: *mut hyd_writer,
    /// Of COPY and the ops with files: how it is copied, or NULL.
    pub copy: *const hyd_copy_options,
    /// Of the same: filled when the completion is reaped with HYD_OK, or NULL.
    pub report: *mut hyd_copy_report,
    /// Of VERIFY: how it is compared, or NULL.
    pub verify: *const hyd_verify_options,
    /// Of VERIFY: filled when the completion is reaped with HYD_OK, or NULL.
    pub verify_report: *mut hyd_verify_report,
    /// Of GET_RANGES: `status` and `read_len` of each are set when the completion is reaped, whatever its
    /// status is. They are the library's until then.
    pub ranges: *mut hyd_object_range,
    /// Of GET_RANGES: how they are read, or NULL.
    pub ranges_options: *const hyd_ranges_options,
    /// Of DELETE_KEYS.
    pub keys: *const hyd_text,
    /// Of DELETE_KEYS: room for the status of each key, written when the completion is reaped, whatever its
    /// status is; or NULL.
    pub results: *mut hyd_status,
    /// How many `ranges` or `keys`.
    pub count: usize,
    /// Of DELETE_PREFIX: hears what came of each key, until the completion is reaped; or NULL.
    pub told: hyd_deleted_fn,
    /// What `told` is called with.
    pub user: *mut c_void,
    /// Of DELETE_PREFIX: filled when the completion is reaped, also where objects could not be deleted; or
    /// NULL.
    pub delete_report: *mut hyd_delete_report,
    /// Of a list of S3: what is asked for, `delimiter`, `entries_max` and `start_after` included, which are 0 in the
    /// request then; or NULL.
    pub s3_list: *const hyd_s3_list_options,
}

// SAFETY: `repr(C)`, integers, raw pointers and an optional function alone, no padding, the size first.
unsafe impl SizedStruct for hyd_request {
    const NAME: &'static str = "hyd_request";
    const BYTES_MIN: usize = 112;
}

/// A request that makes sense.
pub struct Request<'a> {
    pub op: Op,
    pub user_data: u64,
    pub key: &'a str,
    pub aux: &'a str,
    pub offset: u64,
    pub memory: Option<Memory>,
    pub len: usize,
    pub buf: Option<Arc<Buf>>,
    pub mem: Option<Arc<Mem>>,
    pub target: Option<Arc<Store>>,
    pub places: Places,
    pub delimiter: Option<char>,
    pub entries_max: Option<u32>,
    /// Boxed, as most requests have none.
    pub put: Option<Box<PutOptions>>,
    pub get: Option<Box<ReadOptions>>,
    pub start_after: Option<String>,
    pub writer: Option<Taken>,
    pub copy: Option<Box<Copying>>,
    pub more: Option<Box<More>>,
    /// A handle that ends when the request is accepted.
    pub ends: *mut hyd_writer,
}

/// Memory of the caller, the library's from acceptance to being reaped.
#[derive(Clone, Copy)]
pub struct Memory {
    pub start: *mut u8,
    pub len: usize,
}

// SAFETY: OWN-3. The memory is the library's, on whatever thread.
unsafe impl Send for Memory {}

/// How far apart requests lie: as the first says.
///
/// # Safety
/// `first` is NULL, or a request that is readable as far as it says.
pub unsafe fn stride(first: *const hyd_request) -> Result<usize, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    unsafe { sized::size_set(first, "requests") }
}

/// Reads the request at `index` of those that lie end to end at `first`.
///
/// # Safety
/// `first` is NULL, or as many requests lie there as the caller says, each as long as the first says;
/// what they name is readable during the call, and the memory for bytes and whatever is filled are the
/// library's from here on, if the request is accepted.
pub unsafe fn read<'a>(
    first: *const hyd_request,
    index: usize,
    stride: usize,
) -> Result<Request<'a>, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let raw = unsafe { sized::read(first.wrapping_byte_add(index * stride), "a request")? };
    if raw.struct_size as usize != stride {
        return Err(Failure::invalid("all requests of a batch have one struct_size"));
    }
    let op = Op::of(raw.op)
        .ok_or_else(|| Failure::invalid(format!("request->op: there is no op {}", raw.op)))?;
    check_names(op, &raw)?;
    let mem = handle::get_optional::<Mem>(raw.mem)?;
    if let Some(mem) = mem.as_ref().filter(|_| op != Op::GetRanges) {
        mem.check(raw.data.cast(), raw.data_len)?;
    }
    let buf = handle::get_optional::<Buf>(raw.buf)?;
    if let Some(buf) = &buf {
        // Before a stream is taken, which a write that fails ends.
        buf.check_len(raw.data_len)?;
    }
    let memory = (!raw.data.is_null())
        .then(|| args::check_memory(raw.data, raw.data_len, "request->data"))
        .transpose()?
        .map(|()| Memory { start: raw.data.cast(), len: raw.data_len });
    // SAFETY: OWN-3, by the contract of this function.
    let (key, aux, start_after, meta, put, get, copy, (more, told)) = unsafe {
        let key = args::text(raw.key, raw.key_len, "request->key")?;
        (
            key,
            args::text(raw.aux, raw.aux_len, "request->aux")?,
            args::text(raw.start_after, raw.start_after_len, "request->start_after")?,
            SizedOut::optional(raw.meta, "request->meta")?,
            object_options::optional_put(raw.put)?,
            object_options::optional_get(raw.get)?,
            (!raw.copy.is_null()).then(|| copying(raw.copy)).transpose()?,
            more::read(op, &raw, key, mem.as_deref())?,
        )
    };
    Ok(Request {
        op,
        user_data: raw.user_data,
        key,
        aux,
        offset: raw.offset,
        memory,
        len: raw.data_len,
        buf,
        mem,
        target: handle::get_optional::<Store>(raw.target)?,
        places: Places { meta, told },
        delimiter: delimiter(raw.delimiter)?,
        entries_max: (raw.entries_max != 0).then_some(raw.entries_max),
        put,
        get,
        copy: copy.map(Box::new),
        more: more.map(Box::new),
        start_after: (!start_after.is_empty()).then(|| start_after.to_owned()),
        ends: if op == Op::Finish { raw.writer } else { null_mut() },
        // Last: it is put back where the request is refused.
        writer: handle::get_optional::<Stream>(raw.writer)?.map(Stream::take).transpose()?,
    })
}

/// A character that keys are rolled up behind.
pub fn delimiter(code: u32) -> Result<Option<char>, Failure> {
    if code == 0 {
        return Ok(None);
    }
    let found = char::from_u32(code).map(Some);
    found.ok_or_else(|| Failure::invalid(format!("delimiter: {code:#x} is no character")))
}

fn check_names(op: Op, raw: &hyd_request) -> Result<(), Failure> {
    let lists = raw.delimiter != 0 || raw.entries_max != 0 || raw.start_after_len != 0;
    let set = [
        ("aux", raw.aux_len != 0),
        ("offset", raw.offset != 0),
        ("data", !raw.data.is_null() || raw.data_len != 0),
        ("buf", !raw.buf.is_null()),
        ("mem", !raw.mem.is_null()),
        ("target", !raw.target.is_null()),
        ("meta", !raw.meta.is_null()),
        ("list", lists),
        ("put", !raw.put.is_null()),
        ("get", !raw.get.is_null()),
        ("writer", !raw.writer.is_null()),
        ("copy", !raw.copy.is_null() || !raw.report.is_null()),
        ("verify", !raw.verify.is_null() || !raw.verify_report.is_null()),
        ("ranges", !raw.ranges.is_null() || !raw.ranges_options.is_null()),
        ("keys", !raw.keys.is_null() || !raw.results.is_null()),
        ("count", raw.count != 0),
        ("s3_list", !raw.s3_list.is_null()),
        ("told", raw.told.is_some() || !raw.user.is_null() || !raw.delete_report.is_null()),
    ];
    let foreign = set.iter().find(|(name, is_set)| *is_set && !op.names().contains(name));
    if let Some((name, _)) = foreign {
        return Err(Failure::invalid(format!(
            "request->{name} is set, and {op:?} has no use for it"
        )));
    }
    let missing = match op {
        Op::Put | Op::Write if raw.data.is_null() && raw.data_len != 0 && raw.buf.is_null() => {
            "data or buf"
        }
        Op::Put | Op::Write if !raw.data.is_null() && !raw.buf.is_null() => {
            "one of data and buf alone"
        }
        Op::GetRange if raw.data_len == 0 && !raw.get.is_null() => "bytes to ask for",
        Op::ListPage if lists && !raw.s3_list.is_null() => "all of it in s3_list",
        Op::Head if raw.meta.is_null() => "meta",
        Op::Write | Op::Finish if raw.writer.is_null() => "writer",
        Op::Write | Op::Finish | Op::DeleteKeys if raw.key_len != 0 => "no key",
        Op::Verify | Op::Copy | Op::GetToFile | Op::PutFromFile if raw.aux_len == 0 => "aux",
        _ => return Ok(()),
    };
    Err(Failure::invalid(format!("request: {op:?} needs {missing}")))
}
