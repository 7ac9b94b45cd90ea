//! `hyd_uploads`: what was begun on S3 and neither completed nor aborted.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::s3::{AbortMultipartUpload, ListMultipartUploads, ListedUpload, UploadPage};

use crate::args::{self, Out};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::meta::{HYD_TIME_UNKNOWN, unix_ns};
use crate::pages::{Asked, Line, Pages, Source};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A listing of uploads.
pub struct hyd_uploads(());

/// An upload that was begun. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_upload {
    /// The whole key; no NUL ends it.
    pub key: *const c_char,
    pub key_len: usize,
    /// Which upload, as hyd_upload_abort() takes it; no NUL ends it, as hyd_presign_options wants it. Of length 0
    /// where `key` is what several keys have in common up to the delimiter of hyd_s3_list_options, and no upload.
    pub upload_id: *const c_char,
    pub upload_id_len: usize,
    /// When it was begun, in nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
    pub initiated_unix_ns: i64,
}

/// What an uploads handle holds.
pub type Uploads = Pages<Asked<ListMultipartUploads>>;

kind!(Uploads, hyd_uploads, 11, "listing of uploads");

impl Source for Asked<ListMultipartUploads> {
    type Page = Vec<Line<ListedUpload>>;
    type Entry = Line<ListedUpload>;
    type View = hyd_upload;

    fn next_page(&mut self) -> Option<Result<Vec<Line<ListedUpload>>, Failure>> {
        self.ask(|mut ask, page| {
            let UploadPage { uploads, common_prefixes, .. } = page;
            let further = page.next_key_marker.is_some();
            (ask.key_marker, ask.upload_id_marker) =
                (page.next_key_marker, page.next_upload_id_marker);
            let lines = Line::merged(uploads, common_prefixes, |upload| &upload.key);
            (lines, further.then_some(ask))
        })
    }

    fn entries(page: &Vec<Line<ListedUpload>>) -> &[Line<ListedUpload>] {
        page
    }

    fn view(line: &Line<ListedUpload>) -> hyd_upload {
        match line {
            Line::Entry(upload) => {
                let begun = upload.initiated.and_then(unix_ns);
                hyd_upload::of(&upload.key, &upload.upload_id, begun)
            }
            Line::Prefix(prefix) => hyd_upload::of(prefix, "", None),
        }
    }
}

impl hyd_upload {
    fn of(key: &str, upload_id: &str, initiated_unix_ns: Option<i64>) -> hyd_upload {
        hyd_upload {
            key: key.as_ptr().cast(),
            key_len: key.len(),
            upload_id: upload_id.as_ptr().cast(),
            upload_id_len: upload_id.len(),
            initiated_unix_ns: initiated_unix_ns.unwrap_or(HYD_TIME_UNKNOWN),
        }
    }
}

/// Lists uploads to keys that begin with `prefix` which were begun and neither completed nor aborted:
/// streams that a process left when it was killed, copies that were kept, and those that run. They are
/// paid for and no listing shows them. The caller closes the listing. Nothing is asked of the server
/// yet.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_uploads_open(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    uploads: *mut *mut hyd_uploads,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (prefix, out) =
            unsafe { (args::text(prefix, prefix_len, "prefix")?, Out::new(uploads, "uploads")?) };
        let mut ask = ListMultipartUploads::default();
        ask.prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        let asked = Asked::new(store.s3()?, ask);
        let pages = Pages::new(Arc::clone(&store.engine), asked, Vec::new());
        out.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}

/// The next uploads, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
/// with this listing. Waits for a page of the server where that is needed.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
/// which the listing is at its end.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_uploads_next(
    uploads: *mut hyd_uploads,
    entries: *mut hyd_upload,
    max: usize,
    count: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let uploads = handle::get::<Uploads>(uploads)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe { uploads.next(entry, entries, max, count) }
    })
}

/// Closes a listing of uploads; NULL is fine. The texts of its entries are gone.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread uses entries of it.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_uploads_close(uploads: *mut hyd_uploads) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Uploads>(uploads).map(drop))
}

/// Throws away an upload that hyd_uploads_next() told of, with all its parts, and waits until the server
/// has. Whoever still writes to it fails.
///
/// Errors: HYD_E_NOT_FOUND where it was completed or aborted meanwhile; HYD_E_UNSUPPORTED for a store
/// that is not S3; HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_upload_abort(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    upload_id: *const c_char,
    upload_id_len: usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, id) = unsafe {
            (args::text(key, key_len, "key")?, args::text(upload_id, upload_id_len, "upload_id")?)
        };
        Ok(store.s3()?.send(AbortMultipartUpload::new(key, id)).wait()?)
    })
}
