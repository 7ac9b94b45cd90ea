//! `hyd_list`: a listing, entry by entry.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::s3::ListObjectsV2;
use hydrant::s3::xml::ListedObject;
use hydrant::{Etag, ListEntry, ListPage, ListRequest, Listing};

use crate::args::{self, Out};
use crate::engine::Engine;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::meta::{HYD_TIME_UNKNOWN, modified};
use crate::pages::{Asked, Pages, Source};
use crate::queue::delimiter;
use crate::s3_list;
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A listing, or one page of it.
pub struct hyd_list(());

/// A bit of hyd_list_entry.flags: what several keys have in common up to the delimiter, and no object.
pub const HYD_ENTRY_PREFIX: u32 = 1;

/// One line of a listing. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_list_entry {
    /// The whole key; no NUL ends it.
    pub key: *const c_char,
    pub key_len: usize,
    /// The tag, with its quotes on S3; no NUL ends it. Of length 0 where there is none.
    pub etag: *const c_char,
    pub etag_len: usize,
    pub size_bytes: u64,
    /// Nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
    pub modified_unix_ns: i64,
    /// HYD_ENTRY_*
    pub flags: u32,
    /// 0
    pub reserved: u32,
}

/// What a list handle holds.
pub type List = Pages<Listed>;

/// Where further pages come from.
pub enum Listed {
    /// From nowhere: a page was asked for alone.
    Alone,
    Store(Listing),
    S3(Asked<ListObjectsV2>),
}

/// One page.
#[derive(Default)]
pub struct Page {
    pub entries: Vec<ListEntry>,
    pub continuation: Option<String>,
    /// What S3 says besides of each entry; none where it was asked as any other store.
    pub besides: Vec<ListedObject>,
}

kind!(List, hyd_list, 8, "list");

impl List {
    /// A list that ends with its page.
    pub fn of_page(engine: Arc<Engine>, page: Page) -> List {
        Pages::new(engine, Listed::Alone, page)
    }
}

impl Source for Listed {
    type Page = Page;
    type Entry = ListEntry;
    type View = hyd_list_entry;

    fn next_page(&mut self) -> Option<Result<Page, Failure>> {
        match self {
            Listed::Alone => None,
            Listed::Store(listing) => {
                Some(listing.next_page_wait()?.map(Page::from).map_err(Failure::from))
            }
            Listed::S3(asked) => asked.ask(s3_list::page),
        }
    }

    fn entries(page: &Page) -> &[ListEntry] {
        &page.entries
    }

    fn view(entry: &ListEntry) -> hyd_list_entry {
        hyd_list_entry::of(entry)
    }
}

impl From<ListPage> for Page {
    fn from(page: ListPage) -> Page {
        Page { entries: page.entries, continuation: page.continuation, besides: Vec::new() }
    }
}

impl hyd_list_entry {
    fn of(entry: &ListEntry) -> hyd_list_entry {
        let key = entry.key();
        let meta = match entry {
            ListEntry::Object { meta, .. } => Some(meta),
            ListEntry::Prefix(_) => None,
        };
        let etag = meta.and_then(|meta| meta.etag.as_ref()).map_or("", Etag::as_str);
        hyd_list_entry {
            key: key.as_ptr().cast(),
            key_len: key.len(),
            etag: etag.as_ptr().cast(),
            etag_len: etag.len(),
            size_bytes: meta.map_or(0, |meta| meta.size_bytes),
            modified_unix_ns: meta.map_or(HYD_TIME_UNKNOWN, modified),
            flags: if meta.is_none() { HYD_ENTRY_PREFIX } else { 0 },
            reserved: 0,
        }
    }
}

/// Lists the keys that begin with `prefix`, in the order of their bytes; the caller closes the list.
/// Where `start_after` is not empty, only keys behind it: whether that which it is rolled up to comes
/// once more is up to the store.
/// `delimiter_char` rolls up keys behind a character, usually '/'; 0 does not. `page_entries` are asked
/// for at a time; 0: 1000. Nothing is asked of the store yet.
///
/// Errors: HYD_E_INVALID.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_list_open(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    start_after: *const c_char,
    start_after_len: usize,
    delimiter_char: u32,
    page_entries: u32,
    list: *mut *mut hyd_list,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (prefix, behind, list) = unsafe {
            (
                args::text(prefix, prefix_len, "prefix")?,
                args::text(start_after, start_after_len, "start_after")?,
                Out::new(list, "list")?,
            )
        };
        let request = ListRequest {
            prefix: prefix.to_owned(),
            delimiter: delimiter(delimiter_char)?,
            start_after: (!behind.is_empty()).then(|| behind.to_owned()),
            continuation: None,
            entries_max: (page_entries != 0).then_some(page_entries),
        };
        let source = Listed::Store(store.calls().list(request));
        let pages = Pages::new(Arc::clone(&store.engine), source, Page::default());
        list.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}

/// The next entries, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
/// with this list. Waits for a page of the store where that is needed.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the list; those of the store, after which
/// the list is at its end.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_list_next(
    list: *mut hyd_list,
    entries: *mut hyd_list_entry,
    max: usize,
    count: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let list = handle::get::<List>(list)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe { list.next(entry, entries, max, count) }
    })
}

/// What the page behind this one is asked for with, as HYD_OP_LIST_PAGE takes it: text that no NUL
/// ends, valid until the next call with this list. Of length 0 after the last page.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the list.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_list_token(
    list: *const hyd_list,
    token: *mut *const c_char,
    token_len: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let list = handle::get::<List>(list)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (token, token_len) =
            unsafe { (Out::new(token, "token")?, Out::new(token_len, "token_len")?) };
        let state = list.lock(entry)?;
        let text = state.page.continuation.as_deref().unwrap_or("");
        token.write(text.as_ptr().cast());
        token_len.write(text.len());
        Ok(())
    })
}

/// Closes a list; NULL is fine. The texts of its entries are gone.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread uses entries of it.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_list_close(list: *mut hyd_list) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<List>(list).map(drop))
}
