//! Versions of objects on S3: whether a bucket keeps them, and which there are.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::s3::{
    DeleteObject, GetBucketVersioning, ListObjectVersions, PutBucketVersioning, VersionEntry,
    VersionPage, Versioning,
};

use crate::args::{self, Out};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::meta::{HYD_TIME_UNKNOWN, unix_ns};
use crate::object_options::text;
use crate::pages::{Asked, Line, Pages, Source};
use crate::s3_options::{self, hyd_s3_get_options};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A listing of versions.
pub struct hyd_versions(());

/// The bucket never kept versions.
pub const HYD_VERSIONING_NEVER: u32 = 0;
/// It keeps them.
pub const HYD_VERSIONING_ENABLED: u32 = 1;
/// It did, and keeps those that it has.
pub const HYD_VERSIONING_SUSPENDED: u32 = 2;
/// A bit beside one of those: a version is deleted only with the code of a device.
pub const HYD_VERSIONING_MFA_DELETE: u32 = 4;
/// A bit beside one of those, to be set: it is deleted without.
pub const HYD_VERSIONING_NO_MFA_DELETE: u32 = 8;

/// A bit of hyd_version_entry.flags: the newest of its key.
pub const HYD_VERSION_LATEST: u32 = 1;
/// A bit of hyd_version_entry.flags: says that the object was deleted, and has no bytes.
pub const HYD_VERSION_DELETE_MARKER: u32 = 2;
/// A bit of hyd_version_entry.flags: what several keys have in common up to the delimiter of
/// hyd_s3_list_options, and no version: hyd_delete_objects() would take its key for that of an object.
pub const HYD_VERSION_PREFIX: u32 = 4;

/// A bit of the flags of hyd_version_delete(): in spite of a lock in governance mode.
pub const HYD_DELETE_BYPASS_GOVERNANCE: u32 = 1;

/// A version of an object. Its size is fixed. No NUL ends its texts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_version_entry {
    /// The whole key.
    pub key: *const c_char,
    pub key_len: usize,
    /// Which version; "null" for one from before the bucket kept them. hyd_get_options takes it with a NUL
    /// behind: copy it.
    pub version_id: *const c_char,
    pub version_id_len: usize,
    /// The tag, with its quotes. Of length 0 where there is none.
    pub etag: *const c_char,
    pub etag_len: usize,
    /// "STANDARD", ... Of length 0 where there is none.
    pub storage_class: *const c_char,
    pub storage_class_len: usize,
    pub size_bytes: u64,
    /// Nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
    pub modified_unix_ns: i64,
    /// HYD_VERSION_*
    pub flags: u32,
    /// 0
    pub reserved: u32,
}

/// What a versions handle holds.
pub type Versions = Pages<Asked<ListObjectVersions>>;

kind!(Versions, hyd_versions, 14, "listing of versions");

impl Source for Asked<ListObjectVersions> {
    type Page = Vec<Line<VersionEntry>>;
    type Entry = Line<VersionEntry>;
    type View = hyd_version_entry;

    fn next_page(&mut self) -> Option<Result<Vec<Line<VersionEntry>>, Failure>> {
        self.ask(|mut ask, page| {
            let VersionPage { entries, common_prefixes, .. } = page;
            let further = page.next_key_marker.is_some();
            (ask.key_marker, ask.version_id_marker) =
                (page.next_key_marker, page.next_version_id_marker);
            let lines = Line::merged(entries, common_prefixes, |entry| &entry.version().key);
            (lines, further.then_some(ask))
        })
    }

    fn entries(page: &Vec<Line<VersionEntry>>) -> &[Line<VersionEntry>] {
        page
    }

    fn view(line: &Line<VersionEntry>) -> hyd_version_entry {
        match line {
            Line::Entry(entry) => hyd_version_entry::of(entry),
            Line::Prefix(prefix) => hyd_version_entry::of_prefix(prefix),
        }
    }
}

impl hyd_version_entry {
    fn of(entry: &VersionEntry) -> hyd_version_entry {
        let version = entry.version();
        let etag = version.etag.as_ref().map_or("", |etag| etag.as_str());
        let storage_class = version.storage_class.as_deref().unwrap_or_default();
        let latest = if version.is_latest { HYD_VERSION_LATEST } else { 0 };
        let marker = match entry {
            VersionEntry::DeleteMarker(_) => HYD_VERSION_DELETE_MARKER,
            _ => 0,
        };
        hyd_version_entry {
            key: version.key.as_ptr().cast(),
            key_len: version.key.len(),
            version_id: version.version_id.as_ptr().cast(),
            version_id_len: version.version_id.len(),
            etag: etag.as_ptr().cast(),
            etag_len: etag.len(),
            storage_class: storage_class.as_ptr().cast(),
            storage_class_len: storage_class.len(),
            size_bytes: version.size,
            modified_unix_ns: version.last_modified.and_then(unix_ns).unwrap_or(HYD_TIME_UNKNOWN),
            flags: latest | marker,
            reserved: 0,
        }
    }

    fn of_prefix(prefix: &str) -> hyd_version_entry {
        let nothing = "".as_ptr().cast();
        hyd_version_entry {
            key: prefix.as_ptr().cast(),
            key_len: prefix.len(),
            version_id: nothing,
            version_id_len: 0,
            etag: nothing,
            etag_len: 0,
            storage_class: nothing,
            storage_class_len: 0,
            size_bytes: 0,
            modified_unix_ns: HYD_TIME_UNKNOWN,
            flags: HYD_VERSION_PREFIX,
            reserved: 0,
        }
    }
}

/// Asks whether the bucket of a store keeps versions: HYD_VERSIONING_*, with the bit HYD_VERSIONING_MFA_DELETE
/// where that is so. `options`, which may be NULL, say who asks.
///
/// Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
/// HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_bucket_versioning_get(
    store: *const hyd_store,
    options: *const hyd_s3_get_options,
    versioning: *mut u32,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut ask = GetBucketVersioning::default();
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let out = unsafe {
            ask.access = s3_options::only_access(options)?;
            Out::new(versioning, "versioning")?
        };
        let told = store.s3()?.send(ask).wait()?;
        let kept = match told.status {
            None => HYD_VERSIONING_NEVER,
            Some(Versioning::Enabled) => HYD_VERSIONING_ENABLED,
            Some(Versioning::Suspended) => HYD_VERSIONING_SUSPENDED,
        };
        let with_code = told.mfa_delete == Some(true);
        out.write(kept | if with_code { HYD_VERSIONING_MFA_DELETE } else { 0 });
        Ok(())
    })
}

/// Has the bucket of a store keep versions from now on, HYD_VERSIONING_ENABLED, or no longer,
/// HYD_VERSIONING_SUSPENDED, with a bit about codes of devices where that is to change, which takes the keys of
/// the account itself. `mfa` is NULL, or serial number and code of a device, with a NUL at the end,
/// where the bucket demands them. `options`, which may be NULL, say who asks.
///
/// Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
/// HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_bucket_versioning_set(
    store: *const hyd_store,
    options: *const hyd_s3_get_options,
    versioning: u32,
    mfa: *const c_char,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let codes = versioning & (HYD_VERSIONING_MFA_DELETE | HYD_VERSIONING_NO_MFA_DELETE);
        let mut put = PutBucketVersioning::new(match versioning & !codes {
            HYD_VERSIONING_ENABLED => Versioning::Enabled,
            HYD_VERSIONING_SUSPENDED => Versioning::Suspended,
            other => {
                return Err(Failure::invalid(format!("versioning: {other} cannot be asked for")));
            }
        });
        put.mfa_delete = match codes {
            0 => None,
            HYD_VERSIONING_MFA_DELETE => Some(true),
            HYD_VERSIONING_NO_MFA_DELETE => Some(false),
            _ => return Err(Failure::invalid("versioning: with codes of a device and without")),
        };
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe {
            put.access = s3_options::only_access(options)?;
            put.mfa = text(mfa, "mfa")?;
        }
        Ok(store.s3()?.send(put).wait()?)
    })
}

/// Deletes one version of an object of S3, or a delete marker, for good. hyd_delete() deletes no version:
/// where a bucket keeps them, it puts a marker before them. `version_id` as hyd_versions_next() tells it;
/// `mfa` is NULL, or serial number and code of a device, with a NUL at the end, where the bucket demands
/// them; `flags` are HYD_DELETE_*. `options`, which may be NULL, say who asks and pays.
///
/// Errors: HYD_E_NOT_FOUND for a bucket that is not there, and where the server tells, a version;
/// HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, also without a version;
/// HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_version_delete(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    version_id: *const c_char,
    version_id_len: usize,
    options: *const hyd_s3_get_options,
    mfa: *const c_char,
    flags: u32,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        if flags & !HYD_DELETE_BYPASS_GOVERNANCE != 0 {
            return Err(Failure::invalid(format!("flags: {flags:#x} has bits that are unknown")));
        }
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (mut delete, version) = unsafe {
            let mut delete = DeleteObject::new(args::text(key, key_len, "key")?);
            delete.access = s3_options::only_access(options)?;
            delete.mfa = text(mfa, "mfa")?;
            (delete, args::text(version_id, version_id_len, "version_id")?)
        };
        if version.is_empty() {
            // Without one it would be the object that goes.
            return Err(Failure::invalid("version_id: which version, is not said"));
        }
        delete.version_id = Some(version.to_owned());
        delete.bypass_governance = flags & HYD_DELETE_BYPASS_GOVERNANCE != 0;
        store.s3()?.send(delete).wait()?;
        Ok(())
    })
}

/// Lists the versions of objects whose keys begin with `prefix`, and the markers of those that were
/// deleted: by key, and the newest first. `options`, which may be NULL, say who asks and pays. The caller
/// closes the listing. Nothing is asked of the server yet.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_versions_open(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    options: *const hyd_s3_get_options,
    versions: *mut *mut hyd_versions,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut ask = ListObjectVersions::default();
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (prefix, out) = unsafe {
            ask.access = s3_options::only_access(options)?;
            (args::text(prefix, prefix_len, "prefix")?, Out::new(versions, "versions")?)
        };
        ask.prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        let asked = Asked::new(store.s3()?, ask);
        let pages = Pages::new(Arc::clone(&store.engine), asked, Vec::new());
        out.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}

/// The next versions, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
/// with this listing. Waits for a page of the server where that is needed.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
/// which the listing is at its end.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_versions_next(
    versions: *mut hyd_versions,
    entries: *mut hyd_version_entry,
    max: usize,
    count: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let versions = handle::get::<Versions>(versions)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe { versions.next(entry, entries, max, count) }
    })
}

/// Closes a listing of versions; NULL is fine. The texts of its entries are gone.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread uses entries of it.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_versions_close(versions: *mut hyd_versions) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Versions>(versions).map(drop))
}
