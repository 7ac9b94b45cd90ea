//! `hyd_multipart`: an upload of S3 that is made by hand, part by part, by several threads or processes.
//!
//! Streams and large puts do the same by themselves; this is for those who have the parts from
//! elsewhere: of other objects, in another order, with their own checksums.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use hydrant::s3::{CreateMultipartUpload, ReadRange};

use crate::args::{self, Out};
use crate::error::{ErrorOut, Failure, c_text, hyd_error};
use crate::guard;
use crate::handle;
use crate::loan::lend;
use crate::multipart_upload::{Multipart, use_multipart};
use crate::object_options::{self, S3Read, hyd_get_options, hyd_put_options};
use crate::s3_copy::copy_source;
use crate::sized::{self, SizedStruct};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};
use crate::uploaded_part::{check_number, checksum_covering, hyd_uploaded_part};

/// An upload in parts.
pub struct hyd_multipart(());

/// Which bytes are copied into a part; 0 is the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_part_source {
    /// Set by the caller.
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// The first byte,
    pub offset: u64,
    /// and how many; 0 is the whole object, and `offset` 0 too.
    pub len: u64,
    /// Which version is copied and under which condition, and in `s3` its key of SSE-C, whose the bucket
    /// is and HYD_S3_REQUESTER_PAYS, which here and of the upload is the same; or NULL.
    pub get: *const hyd_get_options,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_part_source {
    const NAME: &'static str = "hyd_part_source";
    const BYTES_MIN: usize = 32;
}

/// Begins an upload, and waits until the server has; the caller closes the handle, and before that
/// completes the upload or aborts it: its parts are paid for until then. `options`, which may be NULL, say
/// what hyd_put() would be told; a condition in them is looked at when the upload is completed.
/// `checksum_algorithm` is HYD_CHECKSUM_*, which then goes with each part, and may have a bit that says what the
/// server's own covers; or 0 for what the store sends of itself.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_NOT_FOUND (no such bucket); HYD_E_INVALID,
/// HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_create(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_put_options,
    checksum_algorithm: u32,
    multipart: *mut *mut hyd_multipart,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, put, out) = unsafe {
            let key = args::text(key, key_len, "key")?;
            (key, object_options::put(options)?, Out::new(multipart, "multipart")?)
        };
        let (algorithm, kind) = checksum_covering(checksum_algorithm)?;
        let client = store.s3()?;
        let mut create = CreateMultipartUpload::new(key);
        create.object = (&put).into();
        (create.checksum_algorithm, create.checksum_kind) = (algorithm, kind);
        create.access = put.s3.as_ref().map(|s3| s3.access.clone()).unwrap_or_default();
        let created = client.send(create).wait()?;
        let (engine, key, id) =
            (Arc::clone(&store.engine), key.to_owned(), c_text(created.upload_id));
        let unsummed = false;
        let begun = Arc::new(Multipart { engine, client, key, id, algorithm, kind, unsummed, put });
        let given = handle::give(Arc::clone(&begun));
        // Nobody would know of it. One that cannot be aborted is in the listing of uploads.
        out.write(given.inspect_err(|_| drop(begun.abort()))?);
        Ok(())
    })
}

/// A handle for an upload that was begun before, here or elsewhere: hyd_uploads_next() and
/// hyd_multipart_id() tell its id. The rest is as at hyd_multipart_create(), of which what describes the
/// object has no effect any more, and `checksum_algorithm` is the one that the upload was begun with, or 0 if
/// it was begun with none: none goes with its parts then. Nothing is asked of the server yet.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, also without a key or an id.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_open(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    upload_id: *const c_char,
    upload_id_len: usize,
    options: *const hyd_put_options,
    checksum_algorithm: u32,
    multipart: *mut *mut hyd_multipart,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, id, put, out) = unsafe {
            let key = args::text(key, key_len, "key")?;
            let id = args::text(upload_id, upload_id_len, "upload_id")?;
            (key, id, object_options::put(options)?, Out::new(multipart, "multipart")?)
        };
        if key.is_empty() || id.is_empty() || id.contains('\0') {
            return Err(Failure::invalid("an upload has a key and an upload_id"));
        }
        let (algorithm, kind) = checksum_covering(checksum_algorithm)?;
        let client = store.s3()?;
        let (key, id) = (key.to_owned(), c_text(id.to_owned()));
        let (engine, unsummed) = (Arc::clone(&store.engine), algorithm.is_none());
        let begun = Multipart { engine, client, key, id, algorithm, kind, unsummed, put };
        out.write(handle::give(Arc::new(begun))?);
        Ok(())
    })
}

/// Tells the id of an upload, with a NUL behind; it is valid until the handle is closed. `id_len`, which
/// may be NULL, is its length without the NUL.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_id(
    multipart: *const hyd_multipart,
    id: *mut *const c_char,
    id_len: *mut usize,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let multipart = handle::get::<Multipart>(multipart)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (id, id_len) = unsafe { (Out::new(id, "id")?, Out::optional(id_len, "id_len")?) };
        id.write(multipart.id.as_ptr());
        Out::write_optional(id_len, multipart.id.as_bytes().len());
        Ok(())
    })
}

/// Uploads a part, and waits until the server has it. The bytes are sent from where they are, which the
/// library reads during the call only. All parts but the last have 5 MiB at least. A part of the same number
/// is replaced. `part`, which may be NULL, is what hyd_multipart_complete() wants of it.
///
/// Errors: HYD_E_INVALID for a number that is none; HYD_E_NOT_FOUND where the upload was completed or
/// aborted; HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one upload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_put(
    multipart: *const hyd_multipart,
    number: u32,
    data: *const c_void,
    data_len: usize,
    part: *mut hyd_uploaded_part,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let multipart = use_multipart(entry, multipart)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (data, part) =
            unsafe { (args::bytes(data, data_len, "data")?, Out::optional(part, "part")?) };
        check_number(number)?;
        Out::write_optional(part, lend(data, |bytes| multipart.put(number, bytes))??);
        Ok(())
    })
}

/// Has the server copy an object, or some bytes of it, into a part, and waits until it has. `from_store` is
/// a bucket of S3 in the same engine; the server of the upload looks for a bucket of that name. `source` and
/// `part` may be NULL.
///
/// Errors: as hyd_multipart_put(); HYD_E_NOT_FOUND also for the object; HYD_E_CONDITION; HYD_E_INVALID also
/// for stores of different engines and for bytes that are none.
///
/// Threads: any, also many at once with one upload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_copy(
    multipart: *const hyd_multipart,
    number: u32,
    from_store: *const hyd_store,
    from: *const c_char,
    from_len: usize,
    source: *const hyd_part_source,
    part: *mut hyd_uploaded_part,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let multipart = use_multipart(entry, multipart)?;
        let from_store = use_store(entry, from_store)?;
        if !Arc::ptr_eq(&multipart.engine, &from_store.engine) {
            return Err(Failure::invalid("upload and store belong to different engines"));
        }
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (from, (read, range), part) = unsafe {
            let from = args::text(from, from_len, "from")?;
            (from, copied_bytes(source)?, Out::optional(part, "part")?)
        };
        check_number(number)?;
        let (source, pays) = copy_source(&from_store, from, read)?;
        Out::write_optional(part, multipart.copy(number, source, range, pays)?);
        Ok(())
    })
}

/// # Safety
/// `from` is NULL, or readable as far as it says, and so is what it names.
unsafe fn copied_bytes(
    from: *const hyd_part_source,
) -> Result<(S3Read, Option<ReadRange>), Failure> {
    if from.is_null() {
        return Ok((S3Read::default(), None));
    }
    // SAFETY: OWN-3, by the contract of this function.
    let (raw, read) = unsafe {
        let raw = sized::read(from, "source")?;
        (raw, object_options::s3_read(raw.get)?)
    };
    object_options::check_flags("source", 0, 0, raw.reserved)?;
    let range = match (raw.offset, raw.len) {
        (0, 0) => None,
        (first, len) => {
            let last = len.checked_sub(1).and_then(|behind| first.checked_add(behind));
            let last =
                last.ok_or_else(|| Failure::invalid("source: offset and len are no bytes"))?;
            Some(ReadRange::Inclusive { first, last })
        }
    };
    Ok((read, range))
}

/// Throws away an upload with all its parts, and waits until the server has. The handle stays until it is
/// closed.
///
/// Errors: HYD_E_NOT_FOUND where it was completed or aborted before; HYD_E_TEMPORARY, HYD_E_CONFIG,
/// HYD_E_CANCELLED.
///
/// Threads: any; a part that another thread uploads at the time may come behind it and stay: abort once more
/// when all have ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_abort(
    multipart: *const hyd_multipart,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let multipart = use_multipart(entry, multipart)?;
        multipart.abort()
    })
}

/// Closes a handle of an upload; NULL is fine. The upload stays as it is: hyd_multipart_open() goes on with
/// it.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread reads the id.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_multipart_close(multipart: *mut hyd_multipart) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Multipart>(multipart).map(drop))
}
