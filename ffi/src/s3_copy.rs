//! `hyd_s3_copy`: a copy that the server of S3 makes, with all that it can be told.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::ObjectMeta;
use hydrant::s3::{CopyObject, CopySource, ObjectInfo};

use crate::args::{self, Out};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle;
use crate::meta::hyd_object_meta;
use crate::object::tell;
use crate::object_options::{self, S3Read, check_flags, hyd_get_options, hyd_put_options};
use crate::s3_object::{Told, hyd_s3_object};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::store::{Store, hyd_store, use_store};
use crate::uploaded_part;

/// A bit of hyd_s3_copy_options.flags: the copy has what `put` says of its content, and its metadata, not what
/// is said of the source.
pub const HYD_S3_COPY_REPLACE_METADATA: u32 = 1;
/// A bit of hyd_s3_copy_options.flags: the copy has the tags in `put`, or none, not those of the source.
pub const HYD_S3_COPY_REPLACE_TAGS: u32 = 2;

/// How a server of S3 copies; 0 is the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_s3_copy_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_S3_COPY_*
    pub flags: u32,
    /// Which version is copied and under which condition, and in `s3` its key of SSE-C, whose its bucket is
    /// and HYD_S3_REQUESTER_PAYS, which here and in `put` is the same; or NULL.
    pub get: *const hyd_get_options,
    /// What is said of the copy, and under which condition it is written: storage class, ACL, grants, encryption,
    /// lock; or NULL. What is said of its content needs HYD_S3_COPY_REPLACE_METADATA, tags need
    /// HYD_S3_COPY_REPLACE_TAGS.
    pub put: *const hyd_put_options,
    /// HYD_CHECKSUM_*, which the copy is to have; 0: what the source has.
    pub checksum_algorithm: u32,
    /// 0
    pub reserved: u32,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_s3_copy_options {
    const NAME: &'static str = "hyd_s3_copy_options";
    const BYTES_MIN: usize = 32;
}

/// What is copied, and whether who asks agrees to pay: a request with a copy has one payer for both ends.
///
/// # Errors
/// A store that is not S3.
pub fn copy_source(store: &Store, key: &str, read: S3Read) -> Result<(CopySource, bool), Failure> {
    let mut source = CopySource::new(store.s3()?.bucket(), key);
    (source.conditions, source.version_id) = (read.conditions, read.version_id);
    source.customer_key = read.customer_key;
    source.expected_bucket_owner = read.access.expected_bucket_owner;
    Ok((source, read.access.requester_pays))
}

/// Has the server of S3 copy an object of at most 5 GiB in one request, also onto itself: so what is said of an
/// object is changed, its storage class, its encryption. `from_store` is a bucket of S3 in the same engine; the
/// server of `to_store` looks for a bucket of that name. hyd_copy() copies anything anywhere, and needs none of
/// this. `options`, `meta` and `object` may be NULL. `meta` and `object` tell of the copy, but not its size,
/// which is 0 there; the caller frees `object`.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_NOT_FOUND; HYD_E_CONDITION; HYD_E_INVALID, also
/// for stores of different engines, for what would have no effect, and where the server wants something to be
/// changed of an object that is copied onto itself; HYD_E_OTHER where it refuses otherwise, larger objects among
/// them; HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_s3_copy(
    from_store: *const hyd_store,
    from: *const c_char,
    from_len: usize,
    to_store: *const hyd_store,
    to: *const c_char,
    to_len: usize,
    options: *const hyd_s3_copy_options,
    meta: *mut hyd_object_meta,
    object: *mut *mut hyd_s3_object,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let (source, target) = (use_store(entry, from_store)?, use_store(entry, to_store)?);
        if !Arc::ptr_eq(&source.engine, &target.engine) {
            return Err(Failure::invalid("the stores belong to different engines"));
        }
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (copy, meta, object) = unsafe {
            let from = args::text(from, from_len, "from")?;
            let to = args::text(to, to_len, "to")?;
            let meta = SizedOut::optional(meta, "meta")?;
            (copy(&source, from, to, options)?, meta, Out::optional(object, "object")?)
        };
        let content_type = copy.object.content_type.clone();
        let copied = target.s3()?.send(copy).wait()?;
        let mut made = ObjectMeta::of_size(0).kept_as(copied.version_id.clone(), None);
        (made.etag, made.modified, made.content_type) =
            (copied.etag, copied.last_modified, content_type);
        if let Some(object) = object {
            let mut info = ObjectInfo::default();
            (info.etag, info.last_modified) = (copied.etag, copied.last_modified);
            (info.version_id, info.expiration) = (copied.version_id, copied.expiration);
            (info.encrypted, info.checksums) = (copied.encrypted, copied.checksums);
            info.request_charged = copied.request_charged;
            object.write(handle::give(Arc::new(Told::of(info, copied.source_version_id)))?);
        }
        tell(meta, &made);
        Ok(())
    })
}

/// # Safety
/// `options` is NULL, or readable as far as it says, and so is what it names.
unsafe fn copy(
    source: &Store,
    from: &str,
    to: &str,
    options: *const hyd_s3_copy_options,
) -> Result<CopyObject, Failure> {
    if options.is_null() {
        let (source, _) = copy_source(source, from, S3Read::default())?;
        return Ok(CopyObject::new(to, source));
    }
    // SAFETY: OWN-3, by the contract of this function.
    let (raw, read, put) = unsafe {
        let raw = sized::read(options, "options")?;
        (raw, object_options::s3_read(raw.get)?, object_options::put(raw.put)?)
    };
    let known = HYD_S3_COPY_REPLACE_METADATA | HYD_S3_COPY_REPLACE_TAGS;
    check_flags("options", raw.flags, known, raw.reserved)?;
    let (source, pays) = copy_source(source, from, read)?;
    let mut copy = CopyObject::new(to, source);
    copy.replace_metadata = raw.flags & HYD_S3_COPY_REPLACE_METADATA != 0;
    copy.replace_tags = raw.flags & HYD_S3_COPY_REPLACE_TAGS != 0;
    let says_content = put.attributes.is_some() || put.content_type.is_some();
    copy.object = (&put).into();
    if says_content && !copy.replace_metadata || !copy.object.tags.is_empty() && !copy.replace_tags
    {
        let text = "options: without HYD_S3_COPY_REPLACE_METADATA or HYD_S3_COPY_REPLACE_TAGS the copy has what \
                    its source has, whatever `put` says of it";
        return Err(Failure::invalid(text));
    }
    copy.conditions = put.write_if.into();
    copy.checksum_algorithm = uploaded_part::checksum_algorithm(raw.checksum_algorithm)?;
    copy.access = put.s3.map(|s3| s3.access).unwrap_or_default();
    copy.access.requester_pays |= pays;
    Ok(copy)
}
