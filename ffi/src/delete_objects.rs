//! `hyd_delete_objects`: deleting on S3 with all that S3 can be told, of each object its own outcome.

use std::ffi::c_char;

use hydrant::Etag;
use hydrant::s3::{DeleteObjects, Deleted, ObjectId};

use crate::args::{self, fixed_text};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::object_options::{check_flags, tag, text};
use crate::s3_options::{self, hyd_s3_get_options};
use crate::sized::{self, SizedStruct};
use crate::status::{HYD_OK, hyd_status};
use crate::store::{hyd_store, use_store};
use crate::versions::HYD_DELETE_BYPASS_GOVERNANCE;

/// A bit of hyd_delete_object.flags: a delete marker was made, or was what was deleted.
pub const HYD_DELETED_MARKER: u32 = 1;

/// An object that is to be deleted, and what came of it. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_delete_object {
    /// The whole key; no NUL ends it.
    pub key: *const c_char,
    pub key_len: usize,
    /// One version of it, for good, as hyd_versions_next() tells it; a length of 0 for the object: where the
    /// bucket keeps versions, a marker is put before them.
    pub version_id: *const c_char,
    pub version_id_len: usize,
    /// Only if it has this tag, as hyd_object_meta has it, with a NUL at the end; or NULL. Such objects are
    /// deleted one by one.
    pub if_match: *const c_char,
    /// What came of it; written by the call.
    pub status: hyd_status,
    /// HYD_DELETED_MARKER; written by the call.
    pub flags: u32,
    /// The version that was deleted, or that of the marker that was made; NUL-terminated, empty where none is
    /// told, and where it has more than 127 bytes. Written by the call.
    pub deleted_version_id: [c_char; 128],
}

/// How objects are deleted; 0 is the default everywhere. Texts end with a NUL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_delete_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_DELETE_*
    pub flags: u32,
    /// Serial number and code of a device, where the bucket demands them for versions, or NULL.
    pub mfa: *const c_char,
    /// Who asks and who pays, or NULL.
    pub s3: *const hyd_s3_get_options,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_delete_options {
    const NAME: &'static str = "hyd_delete_options";
    const BYTES_MIN: usize = 24;
}

/// A version and its NUL.
const VERSION_BYTES: usize = 128;

/// Deletes objects of S3, versions of them or delete markers, up to 1,000 with one request, and waits for
/// all. One that cannot be deleted stops none of the others: `status` of each tells what came of it, on
/// failure too, but not where the arguments make no sense (HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED,
/// HYD_E_UNSUPPORTED) and nothing was asked of the server. `options` may be NULL.
///
/// Errors: that of the first object that failed, also as an error object: HYD_E_CONDITION where one has
/// another tag than `if_match`; HYD_E_NOT_FOUND where one with `if_match` is not there; HYD_E_CONFIG,
/// HYD_E_TEMPORARY, HYD_E_OTHER, HYD_E_CANCELLED.
/// HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID for a key that is empty or no UTF-8, and then
/// nothing is deleted.
///
/// Threads: any, also many at once with one store; the objects are the library's until the call returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_delete_objects(
    store: *const hyd_store,
    objects: *mut hyd_delete_object,
    count: usize,
    options: *const hyd_delete_options,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (objects, mut how) =
            unsafe { (args::array_mut(objects, count, "objects")?, how(options)?) };
        // SAFETY: as above.
        let named = objects.iter().map(|object| unsafe { named(object) });
        how.objects = named.collect::<Result<_, _>>()?;
        let client = store.s3()?;
        if how.objects.is_empty() {
            return Ok(());
        }
        let told = client.delete_each(how).wait();
        let mut first = None;
        let outcomes = match told {
            Ok(outcomes) => outcomes,
            Err(error) => vec![Err(error); objects.len()],
        };
        for (object, outcome) in objects.iter_mut().zip(outcomes) {
            let failure = outcome.map(|deleted| tell(object, &deleted)).err().map(Failure::from);
            object.status = failure.as_ref().map_or(HYD_OK, Failure::status);
            if failure.is_some() {
                tell(object, &Deleted::default());
            }
            first = first.or(failure);
        }
        first.map_or(Ok(()), Err)
    })
}

/// # Safety
/// `from` is NULL, or readable as far as it says, and so is what it names.
unsafe fn how(from: *const hyd_delete_options) -> Result<DeleteObjects, Failure> {
    let mut how = DeleteObjects::default();
    if from.is_null() {
        return Ok(how);
    }
    // SAFETY: OWN-3, by the contract of this function.
    unsafe {
        let raw = sized::read(from, "options")?;
        check_flags("options", raw.flags, HYD_DELETE_BYPASS_GOVERNANCE, 0)?;
        how.bypass_governance = raw.flags & HYD_DELETE_BYPASS_GOVERNANCE != 0;
        how.mfa = text(raw.mfa, "mfa")?;
        how.access = s3_options::only_access(raw.s3)?;
    }
    Ok(how)
}

/// # Safety
/// What `object` names is readable.
unsafe fn named(object: &hyd_delete_object) -> Result<ObjectId, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let (key, version, if_match) = unsafe {
        let key = args::text(object.key, object.key_len, "a key")?;
        let version = args::text(object.version_id, object.version_id_len, "a version_id")?;
        (key, version, tag(object.if_match, "if_match")?)
    };
    if key.is_empty() {
        return Err(Failure::invalid("a key is empty"));
    }
    let mut named = ObjectId::new(key);
    named.version_id = (!version.is_empty()).then(|| version.to_owned());
    named.if_match = if_match.as_ref().map(Etag::to_string);
    Ok(named)
}

fn tell(object: &mut hyd_delete_object, deleted: &Deleted) {
    object.flags = if deleted.delete_marker { HYD_DELETED_MARKER } else { 0 };
    let version = deleted.marker_version_id.as_deref().or(deleted.version_id.as_deref());
    // What is cut names another version, or none.
    let version = version.filter(|id| id.len() < VERSION_BYTES).unwrap_or_default();
    object.deleted_version_id = fixed_text(version);
}
