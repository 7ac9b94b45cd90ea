//! `hyd_uploaded_parts`: the parts that a server has of an upload that is not complete.

use std::sync::Arc;

use hydrant::s3::{ListParts, ListedPart, PartPage};

use crate::args::Out;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::multipart::hyd_multipart;
use crate::multipart_upload::Multipart;
use crate::pages::{Asked, Pages, Source};
use crate::status::hyd_status;
use crate::uploaded_part::{hyd_uploaded_part, uploaded};

/// A listing of the parts of an upload.
pub struct hyd_uploaded_parts(());

/// What a handle of uploaded parts holds.
pub type UploadedParts = Pages<Asked<ListParts>>;

kind!(UploadedParts, hyd_uploaded_parts, 18, "listing of uploaded parts");

impl Source for Asked<ListParts> {
    type Page = PartPage;
    type Entry = ListedPart;
    type View = hyd_uploaded_part;

    fn next_page(&mut self) -> Option<Result<PartPage, Failure>> {
        self.ask(|mut ask, page| {
            ask.part_number_marker = page.next_part_number_marker;
            let further = ask.part_number_marker.is_some();
            (page, further.then_some(ask))
        })
    }

    fn entries(page: &PartPage) -> &[ListedPart] {
        &page.parts
    }

    fn view(part: &ListedPart) -> hyd_uploaded_part {
        uploaded(part.number, part.size, part.etag.as_ref(), part.checksums.values.first())
    }
}

/// Lists the parts that the server has of an upload, by their numbers: what is told of them is what
/// hyd_multipart_complete() takes. The caller closes the listing. Nothing is asked of the server yet.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_uploaded_parts_open(
    multipart: *const hyd_multipart,
    parts: *mut *mut hyd_uploaded_parts,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let multipart = handle::get::<Multipart>(multipart)?;
        entry.uses(&multipart.engine.poison)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let out = unsafe { Out::new(parts, "parts")? };
        let asked = Asked::new(multipart.client.clone(), multipart.list_parts());
        let pages = Pages::new(Arc::clone(&multipart.engine), asked, PartPage::default());
        out.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}

/// The next parts, `max` at most; `count` of 0 is the end. They are the caller's, as they name nothing.
/// Waits for a page of the server where that is needed.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
/// which the listing is at its end: HYD_E_NOT_FOUND where the upload was completed or aborted.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_uploaded_parts_next(
    parts: *mut hyd_uploaded_parts,
    entries: *mut hyd_uploaded_part,
    max: usize,
    count: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let parts = handle::get::<UploadedParts>(parts)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe { parts.next(entry, entries, max, count) }
    })
}

/// Closes a listing of uploaded parts; NULL is fine.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_uploaded_parts_close(parts: *mut hyd_uploaded_parts) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<UploadedParts>(parts).map(drop))
}
