//! `hyd_s3_list_options`: what S3 alone can be asked for in a listing.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::SystemTime;

use hydrant::s3::xml::{ListPage, ListedObject};
use hydrant::s3::{Access, ListMultipartUploads, ListObjectVersions, ListObjectsV2};
use hydrant::{Etag, ListEntry, ObjectMeta};

use crate::args::{self, Out};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle;
use crate::list::{Listed, Page, hyd_list};
use crate::object_options::check_flags;
use crate::pages::{Asked, Pages};
use crate::queue::delimiter;
use crate::s3_options::{self, hyd_s3_get_options};
use crate::sized::{self, SizedStruct};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};
use crate::uploads::hyd_uploads;
use crate::versions::hyd_versions;

/// A bit of hyd_s3_list_options.flags, for objects: whose each is, which hyd_list_about() tells.
pub const HYD_S3_LIST_OWNERS: u32 = 1;
/// A bit of hyd_s3_list_options.flags, for objects: whether an archived one is being restored.
pub const HYD_S3_LIST_RESTORES: u32 = 2;

const OF_OBJECTS: u32 = HYD_S3_LIST_OWNERS | HYD_S3_LIST_RESTORES;

/// What S3 alone can be asked for in a listing; 0 is the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_s3_list_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_S3_LIST_*
    pub flags: u32,
    /// Who asks and pays, or NULL.
    pub s3: *const hyd_s3_get_options,
    /// Only keys behind this one; no NUL ends it.
    pub start_after: *const c_char,
    pub start_after_len: usize,
    /// Keys are rolled up behind this character, usually '/'; 0: none.
    pub delimiter: u32,
    /// Entries that are asked for at a time; 0: as many as the server gives, usually 1000.
    pub page_entries: u32,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_s3_list_options {
    const NAME: &'static str = "hyd_s3_list_options";
    const BYTES_MIN: usize = 40;
}

/// The same, read.
#[derive(Default)]
struct Asking {
    prefix: Option<String>,
    flags: u32,
    access: Access,
    start_after: Option<String>,
    delimiter: Option<String>,
    page_entries: Option<u32>,
}

impl Asking {
    /// # Safety
    /// `options` is NULL, or readable as far as it says, and so is what it names.
    unsafe fn read(
        prefix: &str,
        options: *const hyd_s3_list_options,
        known: u32,
    ) -> Result<Asking, Failure> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let prefix = some(prefix);
        if options.is_null() {
            return Ok(Asking { prefix, ..Asking::default() });
        }
        // SAFETY: OWN-3, by the contract of this function.
        let (raw, access, start_after) = unsafe {
            let raw = sized::read(options, "options")?;
            let behind = args::text(raw.start_after, raw.start_after_len, "options->start_after")?;
            (raw, s3_options::only_access(raw.s3)?, some(behind))
        };
        check_flags("options", raw.flags, known, 0)?;
        Ok(Asking {
            prefix,
            flags: raw.flags,
            access,
            start_after,
            delimiter: delimiter(raw.delimiter)?.map(String::from),
            page_entries: (raw.page_entries != 0).then_some(raw.page_entries),
        })
    }

    fn objects(self) -> ListObjectsV2 {
        let restores = self.flags & HYD_S3_LIST_RESTORES != 0;
        let mut ask = ListObjectsV2::default();
        ask.prefix = self.prefix;
        ask.delimiter = self.delimiter;
        ask.start_after = self.start_after;
        ask.max_keys = self.page_entries;
        ask.fetch_owner = self.flags & HYD_S3_LIST_OWNERS != 0;
        ask.optional_attributes = restores.then(|| "RestoreStatus".to_owned());
        ask.access = self.access;
        ask
    }

    fn uploads(self) -> ListMultipartUploads {
        let mut ask = ListMultipartUploads::default();
        ask.prefix = self.prefix;
        ask.delimiter = self.delimiter;
        ask.key_marker = self.start_after;
        ask.max_uploads = self.page_entries;
        ask.access = self.access;
        ask
    }

    fn versions(self) -> ListObjectVersions {
        let mut ask = ListObjectVersions::default();
        ask.prefix = self.prefix;
        ask.delimiter = self.delimiter;
        ask.key_marker = self.start_after;
        ask.max_keys = self.page_entries;
        ask.access = self.access;
        ask
    }
}

/// What asks for the page behind `token`, or for the first one where that is empty.
///
/// # Safety
/// `options` is NULL, or readable as far as it says, and so is what it names.
pub unsafe fn asking_for(
    prefix: &str,
    token: &str,
    options: *const hyd_s3_list_options,
) -> Result<ListObjectsV2, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let mut ask = unsafe { Asking::read(prefix, options, OF_OBJECTS)? }.objects();
    ask.continuation_token = (!token.is_empty()).then(|| token.to_owned());
    Ok(ask)
}

/// A page as C reads it, and what asks for the one behind it.
pub fn page(mut ask: ListObjectsV2, page: ListPage) -> (Page, Option<ListObjectsV2>) {
    let prefix = |prefix| (ListEntry::Prefix(prefix), ListedObject::default());
    let objects = page.objects.into_iter().map(entry);
    let mut lines: Vec<_> = objects.chain(page.common_prefixes.into_iter().map(prefix)).collect();
    lines.sort_by(|(a, _), (b, _)| a.key().cmp(b.key()));
    let (entries, besides) = lines.into_iter().unzip();
    let continuation = page.next_continuation_token;
    ask.continuation_token.clone_from(&continuation);
    let further = continuation.is_some().then_some(ask);
    (Page { entries, continuation, besides }, further)
}

/// What every store lists of an object, and what is left.
fn entry(mut object: ListedObject) -> (ListEntry, ListedObject) {
    let mut meta = ObjectMeta::of_size(object.size);
    meta.etag = object.etag.take().and_then(|tag| Etag::new(tag.trim()));
    meta.modified = object.last_modified.map(SystemTime::from);
    (ListEntry::Object { key: std::mem::take(&mut object.key), meta }, object)
}

/// Lists objects of S3 as hyd_list_open() does, with what `options`, which may be NULL, ask for besides:
/// hyd_list_about() tells it of each. The caller closes the list. Nothing is asked of the server yet.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_s3_list_open(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    options: *const hyd_s3_list_options,
    list: *mut *mut hyd_list,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (ask, out) = unsafe {
            let prefix = args::text(prefix, prefix_len, "prefix")?;
            (asking_for(prefix, "", options)?, Out::new(list, "list")?)
        };
        let asked = Listed::S3(Asked::new(store.s3()?, ask));
        let pages = Pages::new(Arc::clone(&store.engine), asked, Page::default());
        out.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}

/// Lists uploads as hyd_uploads_open() does. `options`, which may be NULL, say who asks and pays, and what is
/// rolled up: hyd_uploads_next() tells that as an entry whose `upload_id_len` is 0.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, also for flags, which are for objects.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_s3_uploads_open(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    options: *const hyd_s3_list_options,
    uploads: *mut *mut hyd_uploads,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (asking, out) = unsafe {
            let prefix = args::text(prefix, prefix_len, "prefix")?;
            (Asking::read(prefix, options, 0)?, Out::new(uploads, "uploads")?)
        };
        let asked = Asked::new(store.s3()?, asking.uploads());
        let pages = Pages::new(Arc::clone(&store.engine), asked, Vec::new());
        out.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}

/// Lists versions as hyd_versions_open() does. `options`, which may be NULL, say who asks and pays, and what is
/// rolled up: hyd_versions_next() tells that as an entry with HYD_VERSION_PREFIX.
///
/// Errors: as hyd_s3_uploads_open().
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_s3_versions_open(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    options: *const hyd_s3_list_options,
    versions: *mut *mut hyd_versions,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (asking, out) = unsafe {
            let prefix = args::text(prefix, prefix_len, "prefix")?;
            (Asking::read(prefix, options, 0)?, Out::new(versions, "versions")?)
        };
        let asked = Asked::new(store.s3()?, asking.versions());
        let pages = Pages::new(Arc::clone(&store.engine), asked, Vec::new());
        out.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}
