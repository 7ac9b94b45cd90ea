//! Calls about objects, each of which blocks until it is done.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void};
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use hydrant::engine::{Region, RegionOwner, block_on};
use hydrant::{CopyOptions, Error, Location, ObjectMeta, RangeInto, RangesOptions, Task, copy};

use crate::args::{self, Out};
use crate::buf::{Buf, Lent, hyd_buf};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle;
use crate::meta::hyd_object_meta;
use crate::object_options::{self, hyd_get_options, hyd_put_options};
use crate::sized::SizedOut;
use crate::status::{HYD_OK, hyd_status};
use crate::store::{hyd_store, use_store};

/// Deletes of one call under way at once (LIMIT-1).
const CALLS_MAX: usize = 64;

/// A text as pointer and length, where there are many.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_text {
    pub text: *const c_char,
    pub len: usize,
}

/// One of many ranges of an object. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_range {
    /// Where in the object.
    pub offset: u64,
    /// Memory for the bytes.
    pub data: *mut c_void,
    pub len: usize,
    /// Set by the call where `status` is HYD_OK: bytes that came, fewer only at the object's end.
    pub read_len: usize,
    /// Set by the call.
    pub status: hyd_status,
    /// 0
    pub reserved: u32,
}

/// Reads a whole object into a buffer of the pool, which the caller releases. One that fits a part
/// comes by one request. `options` and `meta` may be NULL.
///
/// Errors: HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_TEMPORARY, HYD_E_INTEGRITY, HYD_E_DISK, HYD_E_CANCELLED;
/// HYD_E_CONFIG also where the pool has no room for the object.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_get(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    buf: *mut *mut hyd_buf,
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, options, buf, meta) = unsafe {
            (
                args::text(key, key_len, "key")?,
                object_options::get(options)?,
                Out::new(buf, "buf")?,
                SizedOut::optional(meta, "meta")?,
            )
        };
        let (bytes, found) = store.calls().get_whole_with(key, &options).wait()?;
        buf.write(handle::give(Arc::new(Buf::of_bytes(bytes)))?);
        tell(meta, &found);
        Ok(())
    })
}

/// Fills `dst` with the object's bytes from `offset`, and waits for them. `read_len` tells how many
/// came: fewer than `dst_len` only at the object's end, 0 at or beyond it. The bytes are received
/// straight into `dst`, in several requests if it is large; all come from one version of the object.
/// `dst` belongs to the library until the call returns, which it does only when the kernel is done
/// with the memory. After a failure the content of `dst` is unspecified. `options` may be NULL.
///
/// Errors: HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_TEMPORARY, HYD_E_INTEGRITY, HYD_E_CONFIG, HYD_E_DISK,
/// HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_get_range(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    offset: u64,
    dst: *mut c_void,
    dst_len: usize,
    read_len: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call; `get_into`
        // returns only when the kernel is done with the memory, on unwinding too.
        let (key, options, dst, read_len) = unsafe {
            (
                args::text(key, key_len, "key")?,
                object_options::get(options)?,
                args::bytes_mut(dst, dst_len, "dst")?,
                Out::new(read_len, "read_len")?,
            )
        };
        read_len.write(store.calls().get_into_with(key, offset, dst, &options)?);
        Ok(())
    })
}

/// Reads many ranges of one object at the same time, each into memory of its own, and waits for all.
/// The memory belongs to the library until the call returns. Near neighbours come by one request.
/// Every range tells its own status.
///
/// Errors: that of the first range that failed, also as an error object; HYD_E_INVALID where the
/// memory of two ranges overlaps, and then nothing is read.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_get_ranges(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    ranges: *mut hyd_range,
    count: usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, ranges) = unsafe {
            (args::text(key, key_len, "key")?, args::array_mut(ranges, count, "ranges")?)
        };
        args::refuse_overlaps(ranges.iter().map(|range| (range.data.addr(), range.len)))?;
        let mut wanted = Vec::with_capacity(ranges.len());
        for range in &*ranges {
            // SAFETY: OWN-3. As above; no two of them overlap.
            let into = unsafe { args::bytes_mut(range.data, range.len, "a range's data")? };
            wanted.push(RangeInto { key, offset: range.offset, into });
        }
        let outcomes = store.calls().get_ranges_into(&mut wanted, RangesOptions::default())?;
        let mut first = None;
        for (range, outcome) in ranges.iter_mut().zip(outcomes) {
            match outcome {
                Ok(read_len) => (range.status, range.read_len) = (HYD_OK, read_len),
                Err(error) => {
                    let failure = Failure::from(error);
                    range.status = failure.status();
                    first.get_or_insert(failure);
                }
            }
        }
        first.map_or(Ok(()), Err)
    })
}

/// Writes an object, and waits until the store has acknowledged it. It becomes visible whole or not
/// at all; an object of that key is replaced. A large one goes in parts. The bytes are sent from where
/// they are, which the library reads during the call only. `options` may be NULL. `meta` may be NULL;
/// else it tells what the store said of the object.
///
/// Errors: HYD_E_CONDITION, HYD_E_CONFIG, HYD_E_NOT_FOUND (no such bucket), HYD_E_TEMPORARY, HYD_E_DISK,
/// HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store; of two that write one key at once, the last wins.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_put(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    data: *const c_void,
    data_len: usize,
    options: *const hyd_put_options,
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        args::check_memory_or_empty(data, data_len, "data")?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, options, meta) = unsafe {
            (
                args::text(key, key_len, "key")?,
                object_options::put(options)?,
                SizedOut::optional(meta, "meta")?,
            )
        };
        let written = lend(data.cast_mut().cast(), data_len, |bytes| {
            store.calls().put_with(key, bytes, options).wait()
        })??;
        tell(meta, &written);
        Ok(())
    })
}

/// Tells what is known of an object.
///
/// Errors: HYD_E_NOT_FOUND, HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_stat(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, meta) =
            unsafe { (args::text(key, key_len, "key")?, SizedOut::new(meta, "meta")?) };
        meta.write(hyd_object_meta::of(&store.calls().head(key).wait()?));
        Ok(())
    })
}

/// Deletes objects, many at the same time, and waits for all. `results` has room for the status of
/// each key, or is NULL.
///
/// Errors: that of the first key that failed, also as an error object: HYD_E_NOT_FOUND where the
/// store tells (S3 does not: there it is success), HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK,
/// HYD_E_CANCELLED. HYD_E_INVALID for a key that is none, and then nothing is deleted.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_delete(
    store: *const hyd_store,
    keys: *const hyd_text,
    count: usize,
    results: *mut hyd_status,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (keys, results) = unsafe {
            let keys = args::array(keys, count, "keys")?;
            let keys = keys.iter().map(|key| args::text(key.text, key.len, "a key"));
            let keys: Vec<&str> = keys.collect::<Result<_, _>>()?;
            (keys, args::optional_array_out(results, count, "results")?)
        };
        let outcomes = each_of(count, |index| store.calls().delete(keys[index]));
        let mut first = None;
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let status = outcome.as_ref().err().map_or(HYD_OK, Failure::status);
            if let Some(results) = results {
                // SAFETY: OWN-3. Room for `count` of them, by the check above.
                unsafe { results.add(index).write(status) };
            }
            first = first.or(outcome.err());
        }
        first.map_or(Ok(()), Err)
    })
}

/// Copies an object, also from one store to another of the same engine, part by part through the
/// pool, and waits until it is there. It becomes visible whole or not at all. `meta` may be NULL.
///
/// Errors: those of reading and of writing; HYD_E_INVALID for an object onto itself and for stores of
/// different engines.
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
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let (source, target) = (use_store(entry, from_store)?, use_store(entry, to_store)?);
        if !Arc::ptr_eq(&source.engine, &target.engine) {
            return Err(Failure::invalid("the stores belong to different engines"));
        }
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (from, to, meta) = unsafe {
            (
                args::text(from, from_len, "from")?,
                args::text(to, to_len, "to")?,
                SizedOut::optional(meta, "meta")?,
            )
        };
        copied(meta, &source.root.with_key(from)?, &target.root.with_key(to)?)
    })
}

/// Reads an object into a file, which is there whole or not at all. `path` is absolute, or begins at
/// the working directory. `meta` may be NULL; else it tells of the file.
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
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, path, meta) = unsafe {
            (
                args::text(key, key_len, "key")?,
                args::text(path, path_len, "path")?,
                SizedOut::optional(meta, "meta")?,
            )
        };
        copied(meta, &store.root.with_key(key)?, &store.file(path)?)
    })
}

/// Writes an object from a file. `path` is as at hyd_get_to_file(). `meta` may be NULL; else it tells
/// of the object.
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
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, path, meta) = unsafe {
            (
                args::text(key, key_len, "key")?,
                args::text(path, path_len, "path")?,
                SizedOut::optional(meta, "meta")?,
            )
        };
        copied(meta, &store.file(path)?, &store.root.with_key(key)?)
    })
}

/// Tells a caller who wants to know what an object is.
pub fn tell(place: Option<SizedOut<hyd_object_meta>>, meta: &ObjectMeta) {
    if let Some(place) = place {
        place.write(hyd_object_meta::of(meta));
    }
}

/// Lends memory of the caller as bytes, and neither returns nor unwinds before they are all back.
///
/// # Errors
/// HYD_E_THREAD where that cannot be waited for; then nothing was lent.
pub fn lend<R>(start: *mut u8, len: usize, work: impl FnOnce(Bytes) -> R) -> Result<R, Failure> {
    if len == 0 {
        return Ok(work(Bytes::new()));
    }
    let (_memory, region) = LentMemory::new(start, len)?;
    Ok(work(Bytes::from_owner(Readable(region))))
}

fn copied(
    meta: Option<SizedOut<hyd_object_meta>>,
    from: &Location,
    to: &Location,
) -> Result<(), Failure> {
    tell(meta, &copy(from, to, CopyOptions::default()).wait()?.meta);
    Ok(())
}

/// Makes `count` calls, [`CALLS_MAX`] at a time, and waits for all.
fn each_of<T: Send + 'static>(
    count: usize,
    mut call: impl FnMut(usize) -> Task<T>,
) -> Vec<Result<T, Failure>> {
    let mut under_way = VecDeque::with_capacity(CALLS_MAX);
    let mut outcomes = Vec::with_capacity(count);
    for index in 0..count {
        if under_way.len() == CALLS_MAX {
            outcomes.extend(under_way.pop_front().map(wait));
        }
        under_way.push_back(call(index));
    }
    outcomes.extend(under_way.into_iter().map(wait));
    outcomes
}

fn wait<T: Send + 'static>(task: Task<T>) -> Result<T, Failure> {
    Ok(task.wait()?)
}

/// Memory of the caller that operations have; dropping this waits until none does (OWN-1).
struct LentMemory(Option<RegionOwner<Lent<()>>>);

impl LentMemory {
    /// Refused on a core, as from a log callback: nothing may wait there, so the memory could not be
    /// waited for (OWN-3).
    fn new(start: *mut u8, len: usize) -> Result<(LentMemory, Region), Failure> {
        block_on(ready(())).map_err(Error::from)?;
        let start = if len == 0 { std::ptr::dangling_mut() } else { start };
        let (owner, region) = RegionOwner::new(Lent { start, len, registration: None, _then: () });
        Ok((LentMemory(Some(owner)), region))
    }
}

impl Drop for LentMemory {
    fn drop(&mut self) {
        if let Some(owner) = self.0.take() {
            // It was not lent on a core, so this thread may wait.
            let _ = block_on(owner.returned());
        }
    }
}

struct Readable(Region);

impl AsRef<[u8]> for Readable {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}
