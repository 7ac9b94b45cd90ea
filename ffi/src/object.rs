//! Calls about objects, each of which blocks until it is done.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use hydrant::{ObjectMeta, PutOptions};

use crate::args::{self, Out};
use crate::attributes::{self, hyd_attributes};
use crate::buf::{Buf, hyd_buf};
use crate::error::{ErrorOut, hyd_error};
use crate::guard;
use crate::handle;
use crate::loan::lend;
use crate::meta::hyd_object_meta;
use crate::object_options::{self, hyd_get_options, hyd_put_options};
use crate::sized::SizedOut;
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A text as pointer and length, where there are many.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_text {
    pub text: *const c_char,
    pub len: usize,
}

/// Reads a whole object into a buffer of the pool, which the caller releases. One that fits a part
/// comes by one request, from S3 one that fits an eighth of what is free in the pool, too. `options` and
/// `meta` may be NULL.
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
/// with the memory. After a failure the content of `dst` is unspecified, and so is what is behind
/// `read_len`: direct I/O reads whole blocks. `options` may be NULL.
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
                object_options::optional_get(options)?,
                args::bytes_mut(dst, dst_len, "dst")?,
                Out::new(read_len, "read_len")?,
            )
        };
        let calls = store.calls();
        read_len.write(match options {
            None => calls.get_into(key, offset, dst)?,
            Some(options) => calls.get_into_with(key, offset, dst, &options)?,
        });
        Ok(())
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
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, data, options, meta) = unsafe {
            (
                args::text(key, key_len, "key")?,
                args::bytes(data, data_len, "data")?,
                object_options::optional_put(options)?,
                SizedOut::optional(meta, "meta")?,
            )
        };
        let written = lend(data, |bytes| {
            store
                .calls()
                .put_with(key, bytes, options.map_or_else(PutOptions::default, |it| *it))
                .wait()
        })??;
        tell(meta, &written);
        Ok(())
    })
}

/// Tells what is known of an object. `options` may be NULL. `attributes` may be NULL; else what is said
/// of the object's content comes there in full, which the caller frees.
///
/// Errors: HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_stat(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    meta: *mut hyd_object_meta,
    attributes: *mut *mut hyd_attributes,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, options, meta, attributes) = unsafe {
            (
                args::text(key, key_len, "key")?,
                object_options::get(options)?,
                SizedOut::new(meta, "meta")?,
                Out::optional(attributes, "attributes")?,
            )
        };
        let told = store.calls().head_with(key, &options).wait()?;
        if let Some(attributes) = attributes {
            attributes.write(attributes::give(&told)?);
        }
        meta.write(hyd_object_meta::of(&told));
        Ok(())
    })
}

/// Tells a caller who wants to know what an object is.
pub fn tell(place: Option<SizedOut<hyd_object_meta>>, meta: &ObjectMeta) {
    if let Some(place) = place {
        place.write(hyd_object_meta::of(meta));
    }
}
