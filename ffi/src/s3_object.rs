//! `hyd_s3_object`: all that S3 says of an object, or of one part of it.

use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::Arc;

use hydrant::ObjectMeta;
use hydrant::s3::{ChecksumKind, GetObject, HeadObject, ObjectInfo};

use crate::args::{self, Out};
use crate::buf::{Buf, hyd_buf};
use crate::error::{ErrorOut, Failure, c_text, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::meta::{hyd_object_meta, number_of};
use crate::object::tell;
use crate::object_options::{self, S3Read, hyd_get_options};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};
use crate::uploaded_part::HYD_PARTS_MAX;

/// What S3 says of an object.
pub struct hyd_s3_object(());

/// A bit of hyd_s3_object_view.flags: a key of the bucket saves requests to KMS.
pub const HYD_S3_OBJECT_BUCKET_KEY: u32 = 1;
/// A bit of hyd_s3_object_view.flags: it is a delete marker.
pub const HYD_S3_OBJECT_DELETE_MARKER: u32 = 2;
/// A bit of hyd_s3_object_view.flags: who asked pays.
pub const HYD_S3_OBJECT_CHARGED: u32 = 4;

/// hyd_s3_checksum.covers: all bytes of the object.
pub const HYD_COVERS_OBJECT: u32 = 1;
/// hyd_s3_checksum.covers: the checksums of its parts.
pub const HYD_COVERS_PARTS: u32 = 2;

/// A checksum that S3 keeps of an object. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_s3_checksum {
    /// HYD_CHECKSUM_*
    pub algorithm: u32,
    /// HYD_COVERS_*; 0 where that is not told.
    pub covers: u32,
    /// In base64, with a NUL at the end; of parts it may end in "-" and their number.
    pub value: *const c_char,
}

/// What S3 says of an object. Texts end with a NUL, are NULL where nothing was said, and are valid until the
/// handle is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_s3_object_view {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_S3_OBJECT_*
    pub flags: u32,
    /// Of what was asked for: the part, or the object.
    pub size_bytes: u64,
    /// In how many parts it was uploaded, where a part was asked for; 0: not told.
    pub parts: u64,
    /// How many tags it has.
    pub tags: u64,
    /// How many of the user's names no header can carry, and are left out.
    pub missing_metadata: u64,
    /// NULL is "STANDARD".
    pub storage_class: *const c_char,
    /// When a rule of the bucket will delete it: `x-amz-expiration`.
    pub expiration: *const c_char,
    /// Whether it is being brought back from an archive, and until when it is: `x-amz-restore`.
    pub restore: *const c_char,
    pub archive_status: *const c_char,
    pub replication_status: *const c_char,
    /// "GOVERNANCE" or "COMPLIANCE".
    pub lock_mode: *const c_char,
    /// Until when nobody may delete it, as sent.
    pub lock_until: *const c_char,
    /// "ON" or "OFF".
    pub legal_hold: *const c_char,
    pub website_redirect_location: *const c_char,
    /// "AES256", "aws:kms", "aws:kms:dsse".
    pub encryption: *const c_char,
    pub kms_key_id: *const c_char,
    /// In base64.
    pub kms_context: *const c_char,
    /// Of SSE-C.
    pub customer_algorithm: *const c_char,
    /// The MD5 of the key of SSE-C, in base64.
    pub customer_key_md5: *const c_char,
    /// Those that the server keeps.
    pub checksums: *const hyd_s3_checksum,
    pub checksums_count: usize,
    /// Of what hyd_s3_copy() tells: the version that was copied.
    pub source_version_id: *const c_char,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_s3_object_view {
    const NAME: &'static str = "hyd_s3_object_view";
    const BYTES_MIN: usize = 168;
}

/// What a handle of this holds.
pub struct Told {
    info: ObjectInfo,
    /// In the order of the view.
    texts: [Option<CString>; 15],
    checksums: Vec<hyd_s3_checksum>,
    _values: Vec<CString>,
}

// SAFETY: OWN-3. The pointers are to texts that this owns and nobody changes.
unsafe impl Send for Told {}
// SAFETY: As above.
unsafe impl Sync for Told {}

kind!(Told, hyd_s3_object, 19, "object of S3");

impl Told {
    /// What was told, and of a copy which version of its source.
    pub fn of(info: ObjectInfo, source_version_id: Option<String>) -> Told {
        let encrypted = &info.encrypted;
        let texts = [
            &info.storage_class,
            &info.expiration,
            &info.restore,
            &info.archive_status,
            &info.replication_status,
            &info.lock_mode,
            &info.lock_until,
            &info.legal_hold,
            &info.website_redirect_location,
            &encrypted.algorithm,
            &encrypted.kms_key_id,
            &encrypted.kms_context,
            &encrypted.customer_algorithm,
            &encrypted.customer_key_md5,
            &source_version_id,
        ];
        let texts = texts.map(|text| text.clone().map(c_text));
        let told = &info.checksums;
        let values: Vec<_> = told.values.iter().map(|it| c_text(it.value.clone())).collect();
        let covers = match told.kind {
            Some(ChecksumKind::FullObject) => HYD_COVERS_OBJECT,
            Some(ChecksumKind::Composite) => HYD_COVERS_PARTS,
            None => 0,
        };
        let each = told.values.iter().zip(&values).map(|(checksum, value)| hyd_s3_checksum {
            algorithm: number_of(checksum.algorithm),
            covers,
            // A text stays where it is when its owner moves.
            value: value.as_ptr(),
        });
        let checksums = each.collect();
        Told { info, texts, checksums, _values: values }
    }

    fn view(&self) -> hyd_s3_object_view {
        let text = |index: usize| self.texts[index].as_ref().map_or(null(), |it| it.as_ptr());
        let info = &self.info;
        let flags = [
            (info.encrypted.bucket_key, HYD_S3_OBJECT_BUCKET_KEY),
            (info.delete_marker, HYD_S3_OBJECT_DELETE_MARKER),
            (info.request_charged, HYD_S3_OBJECT_CHARGED),
        ];
        let none = self.checksums.is_empty();
        hyd_s3_object_view {
            struct_size: sized::size_of::<hyd_s3_object_view>(),
            flags: flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum(),
            size_bytes: info.content_length.unwrap_or(0),
            parts: info.parts.unwrap_or(0),
            tags: info.tags.unwrap_or(0),
            missing_metadata: info.missing_metadata,
            storage_class: text(0),
            expiration: text(1),
            restore: text(2),
            archive_status: text(3),
            replication_status: text(4),
            lock_mode: text(5),
            lock_until: text(6),
            legal_hold: text(7),
            website_redirect_location: text(8),
            encryption: text(9),
            kms_key_id: text(10),
            kms_context: text(11),
            customer_algorithm: text(12),
            customer_key_md5: text(13),
            checksums: if none { null() } else { self.checksums.as_ptr() },
            checksums_count: self.checksums.len(),
            source_version_id: text(14),
        }
    }
}

/// What is asked for with these options, of one part or of all.
fn asked(key: &str, read: S3Read, part_number: u32) -> Result<GetObject, Failure> {
    if part_number > HYD_PARTS_MAX {
        let text = format!("part_number: there are {HYD_PARTS_MAX} parts at most");
        return Err(Failure::invalid(text));
    }
    let mut get = GetObject::new(key);
    (get.conditions, get.version_id) = (read.conditions, read.version_id);
    (get.customer_key, get.access) = (read.customer_key, read.access);
    get.part_number = (part_number != 0).then_some(part_number);
    Ok(get)
}

/// Asks for all that S3 says of an object, or with a `part_number` from 1 to HYD_PARTS_MAX of a part of it, as
/// it was uploaded; 0 is the object. The caller frees what is told. `options` and `meta` may be NULL; `meta`
/// is as hyd_stat() has it, and of a part its `size_bytes` is that of the part.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_NOT_FOUND, HYD_E_CONDITION, HYD_E_INVALID,
/// HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED; of a part that is not there what the server answers.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_s3_stat(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    part_number: u32,
    meta: *mut hyd_object_meta,
    object: *mut *mut hyd_s3_object,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, read, meta, out) = unsafe {
            let key = args::text(key, key_len, "key")?;
            let meta = SizedOut::optional(meta, "meta")?;
            (key, object_options::s3_read(options)?, meta, Out::new(object, "object")?)
        };
        let mut head = HeadObject(asked(key, read, part_number)?);
        head.0.checksum_mode = true;
        let info = store.s3()?.send(head).wait()?;
        let known = of_part(&info);
        out.write(handle::give(Arc::new(Told::of(info, None)))?);
        tell(meta, &known);
        Ok(())
    })
}

/// Reads one part of an object, as it was uploaded, into a buffer of the pool, which the caller releases. A
/// part with more than `bytes_max` bytes is refused: so much of the pool is taken before it is asked for.
/// `options` and `meta` may be NULL; `size_bytes` of `meta` is that of the part. Its bytes are compared with no
/// checksum: hyd_s3_stat() tells the one that the server has of it.
///
/// Errors: as hyd_s3_stat(); HYD_E_INVALID also for a `part_number` of 0 and for a part that is larger, or
/// larger than the pool; HYD_E_UNSUPPORTED also from a server that takes no notice of part numbers.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_s3_get_part(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    part_number: u32,
    bytes_max: usize,
    buf: *mut *mut hyd_buf,
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, read, meta, out) = unsafe {
            let key = args::text(key, key_len, "key")?;
            let meta = SizedOut::optional(meta, "meta")?;
            (key, object_options::s3_read(options)?, meta, Out::new(buf, "buf")?)
        };
        if part_number == 0 {
            return Err(Failure::invalid("part_number: parts are counted from 1"));
        }
        let get = asked(key, read, part_number)?;
        let (info, bytes) = store.s3()?.get_object(get, bytes_max).wait()?;
        out.write(handle::give(Arc::new(Buf::of_bytes(bytes)))?);
        tell(meta, &of_part(&info));
        Ok(())
    })
}

fn of_part(info: &ObjectInfo) -> ObjectMeta {
    let mut known = ObjectMeta::from(info.clone());
    known.size_bytes = info.content_length.unwrap_or(known.size_bytes);
    known
}

/// Fills `view`, whose texts are valid until the handle is freed.
///
/// Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_s3_object_info(
    object: *const hyd_s3_object,
    view: *mut hyd_s3_object_view,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let told = handle::get::<Told>(object)?;
        // SAFETY: OWN-3. The caller lends `*view` for the time of the call.
        unsafe { SizedOut::new(view, "view")? }.write(told.view());
        Ok(())
    })
}

/// Frees what was told of an object; NULL is fine. The texts of its views are gone.
///
/// Errors: HYD_E_HANDLE when it was freed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread reads a view of it.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_s3_object_free(object: *mut hyd_s3_object) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Told>(object).map(drop))
}
