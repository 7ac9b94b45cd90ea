//! `hyd_s3_about`: what S3 says besides of what it lists: whose it is, and how it is kept.

use std::ffi::c_char;

use hydrant::s3::VersionEntry;
use hydrant::s3::xml::{ListedObject, Owner};

use crate::buckets::{Buckets, hyd_buckets};
use crate::error::{ErrorOut, hyd_error};
use crate::guard;
use crate::handle;
use crate::list::{List, hyd_list};
use crate::multipart_parts::{UploadedParts, hyd_uploaded_parts};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::uploads::{Uploads, hyd_uploads};
use crate::versions::{Versions, hyd_versions};

/// hyd_s3_about.restore: an archived object is being restored.
pub const HYD_RESTORE_IN_PROGRESS: u32 = 1;
/// hyd_s3_about.restore: it was restored.
pub const HYD_RESTORE_DONE: u32 = 2;

/// What S3 says besides of what it lists. No NUL ends its texts; they have the length 0 where nothing was said.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_s3_about {
    /// Set by the caller.
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// Whose it is: a canonical id,
    pub owner_id: *const c_char,
    pub owner_id_len: usize,
    /// and a name for people, which AWS has stopped telling.
    pub owner_name: *const c_char,
    pub owner_name_len: usize,
    /// Who began an upload.
    pub initiator_id: *const c_char,
    pub initiator_id_len: usize,
    pub initiator_name: *const c_char,
    pub initiator_name_len: usize,
    /// "STANDARD", ...
    pub storage_class: *const c_char,
    pub storage_class_len: usize,
    /// "CRC32C", ...: the checksum that the parts of an upload have, or the first that is kept of an object or
    /// a version.
    pub checksum_algorithm: *const c_char,
    pub checksum_algorithm_len: usize,
    /// What that of an object covers: "FULL_OBJECT" or "COMPOSITE".
    pub checksum_type: *const c_char,
    pub checksum_type_len: usize,
    /// HYD_RESTORE_*, of an archived object, with HYD_S3_LIST_RESTORES.
    pub restore: u32,
    /// 0
    pub reserved_too: u32,
    /// Until when a restored object stays, in seconds since 1970, UTC; 0 where that was not said.
    pub restored_until_unix_s: i64,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_s3_about {
    const NAME: &'static str = "hyd_s3_about";
    const BYTES_MIN: usize = 104;
}

impl hyd_s3_about {
    fn of(
        owner: Option<&Owner>,
        initiator: Option<&Owner>,
        storage_class: Option<&String>,
        checksum_algorithm: Option<&String>,
    ) -> hyd_s3_about {
        let text = |text: Option<&String>| {
            let text = text.map_or("", String::as_str);
            (text.as_ptr().cast::<c_char>(), text.len())
        };
        let id = |owner: Option<&Owner>| text(owner.map(|owner| &owner.id));
        let name = |owner: Option<&Owner>| text(owner.and_then(|it| it.display_name.as_ref()));
        let (owner_id, owner_id_len) = id(owner);
        let (owner_name, owner_name_len) = name(owner);
        let (initiator_id, initiator_id_len) = id(initiator);
        let (initiator_name, initiator_name_len) = name(initiator);
        let (storage_class, storage_class_len) = text(storage_class);
        let (checksum_algorithm, checksum_algorithm_len) = text(checksum_algorithm);
        hyd_s3_about {
            struct_size: sized::size_of::<hyd_s3_about>(),
            reserved: 0,
            owner_id,
            owner_id_len,
            owner_name,
            owner_name_len,
            initiator_id,
            initiator_id_len,
            initiator_name,
            initiator_name_len,
            storage_class,
            storage_class_len,
            checksum_algorithm,
            checksum_algorithm_len,
            checksum_type: "".as_ptr().cast(),
            checksum_type_len: 0,
            restore: 0,
            reserved_too: 0,
            restored_until_unix_s: 0,
        }
    }

    fn of_object(object: &ListedObject) -> hyd_s3_about {
        let algorithm = object.checksum_algorithms.first();
        let covers = object.checksum_type.as_deref().unwrap_or_default();
        hyd_s3_about {
            checksum_type: covers.as_ptr().cast(),
            checksum_type_len: covers.len(),
            restore: match object.restore_in_progress {
                None => 0,
                Some(true) => HYD_RESTORE_IN_PROGRESS,
                Some(false) => HYD_RESTORE_DONE,
            },
            restored_until_unix_s: object.restore_expiry.map_or(0, |it| it.unix_seconds() as i64),
            ..hyd_s3_about::of(
                object.owner.as_ref(),
                None,
                object.storage_class.as_ref(),
                algorithm,
            )
        }
    }
}

/// Tells more of an object that hyd_s3_list_open(), or HYD_OP_LIST_PAGE with `s3_list`, listed: of that at
/// `index` of those which the last hyd_list_next() gave. Of what is rolled up, and in listings of
/// hyd_list_open(), nothing more is known. The texts of `about` are valid until the next call of
/// hyd_list_next().
///
/// Errors: HYD_E_INVALID where it gave no such entry; HYD_E_BUSY while another thread is in a call with the list.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_list_about(
    list: *const hyd_list,
    index: usize,
    about: *mut hyd_s3_about,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let list = handle::get::<List>(list)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let about = unsafe { SizedOut::new(about, "about")? };
        let state = list.lock(entry)?;
        let object = state.page.besides.get(state.place_of(index)?);
        let nothing = || hyd_s3_about::of(None, None, None, None);
        about.write(object.map_or_else(nothing, hyd_s3_about::of_object));
        Ok(())
    })
}

/// Tells more of an upload: of that at `index` of those which the last hyd_uploads_next() gave. The texts of
/// `about` are valid until the next call of it.
///
/// Errors: HYD_E_INVALID where it gave no such upload; HYD_E_BUSY while another thread is in a call with the
/// listing.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_uploads_about(
    uploads: *const hyd_uploads,
    index: usize,
    about: *mut hyd_s3_about,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let uploads = handle::get::<Uploads>(uploads)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let about = unsafe { SizedOut::new(about, "about")? };
        let state = uploads.lock(entry)?;
        let upload = state.given(index)?.entry();
        about.write(hyd_s3_about::of(
            upload.and_then(|it| it.owner.as_ref()),
            upload.and_then(|it| it.initiator.as_ref()),
            upload.and_then(|it| it.storage_class.as_ref()),
            upload.and_then(|it| it.checksum_algorithm.as_ref()),
        ));
        Ok(())
    })
}

/// Tells more of the upload whose parts are listed, as the page said from which hyd_uploaded_parts_next() gave
/// parts last. The texts of `about` are valid until the next call of it.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the listing; HYD_E_INVALID, HYD_E_HANDLE,
/// HYD_E_FORKED.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_uploaded_parts_about(
    parts: *const hyd_uploaded_parts,
    about: *mut hyd_s3_about,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let parts = handle::get::<UploadedParts>(parts)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let about = unsafe { SizedOut::new(about, "about")? };
        let page = &parts.lock(entry)?.page;
        about.write(hyd_s3_about::of(
            page.owner.as_ref(),
            page.initiator.as_ref(),
            page.storage_class.as_ref(),
            page.checksum_algorithm.as_ref(),
        ));
        Ok(())
    })
}

/// Tells more of a version: of that at `index` of those which the last hyd_versions_next() gave. The texts of
/// `about` are valid until the next call of it.
///
/// Errors: as hyd_uploads_about().
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_versions_about(
    versions: *const hyd_versions,
    index: usize,
    about: *mut hyd_s3_about,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let versions = handle::get::<Versions>(versions)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let about = unsafe { SizedOut::new(about, "about")? };
        let state = versions.lock(entry)?;
        let version = state.given(index)?.entry().map(VersionEntry::version);
        about.write(hyd_s3_about::of(
            version.and_then(|it| it.owner.as_ref()),
            None,
            version.and_then(|it| it.storage_class.as_ref()),
            version.and_then(|it| it.checksum_algorithms.first()),
        ));
        Ok(())
    })
}

/// Tells whose the buckets are that are listed, as the page said from which hyd_buckets_next() gave buckets
/// last. The texts of `about` are valid until the next call of it.
///
/// Errors: as hyd_uploaded_parts_about().
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_buckets_about(
    buckets: *const hyd_buckets,
    about: *mut hyd_s3_about,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let buckets = handle::get::<Buckets>(buckets)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let about = unsafe { SizedOut::new(about, "about")? };
        let page = &buckets.lock(entry)?.page;
        about.write(hyd_s3_about::of(page.owner.as_ref(), None, None, None));
        Ok(())
    })
}
