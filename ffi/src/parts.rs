//! `hyd_parts`: the parts in which an object of S3 was uploaded, with their checksums. Never their bytes:
//! those are a range of the object.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::s3::{Conditions, GetObjectAttributes, ObjectAttributes, ObjectPart};

use crate::args::{self, Out};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::object_options::{self, hyd_get_options};
use crate::pages::{Asked, Pages, Source};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A listing of the parts of an object.
pub struct hyd_parts(());

/// A part of an object. Its size is fixed. No NUL ends its texts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_part {
    /// Counted from 1.
    pub number: u32,
    /// 0
    pub reserved: u32,
    pub size_bytes: u64,
    /// "CRC64NVME", "SHA256", ...
    pub algorithm: *const c_char,
    pub algorithm_len: usize,
    /// The checksum of the part by that algorithm, in base64. Of length 0 where there is none.
    pub checksum: *const c_char,
    pub checksum_len: usize,
}

/// What a parts handle holds.
pub type Parts = Pages<Asked<GetObjectAttributes>>;

kind!(Parts, hyd_parts, 15, "listing of parts");

impl Source for Asked<GetObjectAttributes> {
    type Page = Vec<ObjectPart>;
    type Entry = ObjectPart;
    type View = hyd_part;

    fn next_page(&mut self) -> Option<Result<Vec<ObjectPart>, Failure>> {
        self.ask(|ask, page| {
            let next = following(ask, &page);
            (page.parts, next)
        })
    }

    fn entries(page: &Vec<ObjectPart>) -> &[ObjectPart] {
        page
    }

    fn view(part: &ObjectPart) -> hyd_part {
        let kept = part.checksums.values.first();
        let (algorithm, checksum) =
            kept.map_or(("", ""), |kept| (kept.algorithm.name(), kept.value.as_str()));
        hyd_part {
            number: part.number,
            reserved: 0,
            size_bytes: part.size,
            algorithm: algorithm.as_ptr().cast(),
            algorithm_len: algorithm.len(),
            checksum: checksum.as_ptr().cast(),
            checksum_len: checksum.len(),
        }
    }
}

/// What asks for the parts behind those of a page. A server that names no later part is at its end.
fn following(mut ask: GetObjectAttributes, page: &ObjectAttributes) -> Option<GetObjectAttributes> {
    let before = ask.part_number_marker.unwrap_or(0);
    ask.part_number_marker = Some(page.next_part_number_marker.filter(|next| *next > before)?);
    Some(ask)
}

/// Asks in which parts an object of S3 was uploaded. `total`, which may be NULL, is how many they are, and
/// 0 for one that was uploaded whole. The listing, which the caller closes, has those of which the
/// server keeps checksums: AWS has none of the others. `options`, which may be NULL, name a version, and in
/// `s3` who asks and who pays, and the key of SSE-C.
///
/// Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
/// HYD_E_CONFIG, HYD_E_CANCELLED. Of a server that does not know GetObjectAttributes, what it answers:
/// HYD_E_TEMPORARY (501), HYD_E_OTHER, or HYD_E_INTEGRITY where it sends the object instead.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_parts_open(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    parts: *mut *mut hyd_parts,
    total: *mut u64,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, read, out, total) = unsafe {
            let key = args::text(key, key_len, "key")?;
            let total = Out::optional(total, "total")?;
            (key, object_options::s3_read(options)?, Out::new(parts, "parts")?, total)
        };
        if read.conditions != Conditions::default() {
            return Err(Failure::invalid("options: parts are asked for without a condition"));
        }
        let mut ask = GetObjectAttributes::new(key);
        (ask.version_id, ask.customer_key, ask.access) =
            (read.version_id, read.customer_key, read.access);
        let client = store.s3()?;
        let first = client.send(ask.clone()).wait()?;
        let (count, next) = (first.parts_count.unwrap_or(0), following(ask, &first));
        let rest = Asked::behind(client, next);
        let pages = Pages::new(Arc::clone(&store.engine), rest, first.parts);
        out.write(handle::give(Arc::new(pages))?);
        Out::write_optional(total, count);
        Ok(())
    })
}

/// The next parts, `max` at most, by their numbers; `count` of 0 is the end. Their texts are valid until
/// the next call with this listing. Waits for a page of the server where that is needed.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
/// which the listing is at its end.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_parts_next(
    parts: *mut hyd_parts,
    entries: *mut hyd_part,
    max: usize,
    count: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let parts = handle::get::<Parts>(parts)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe { parts.next(entry, entries, max, count) }
    })
}

/// Closes a listing of parts; NULL is fine. The texts of its entries are gone.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread uses entries of it.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_parts_close(parts: *mut hyd_parts) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Parts>(parts).map(drop))
}
