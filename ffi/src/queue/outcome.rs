//! What became of a request, and the event that tells it.

use std::ptr::null_mut;
use std::sync::Arc;

use hydrant::{CopyReport, DeleteReport, ObjectMeta, VerifyReport};

use crate::args::ArrayOut;
use crate::buf::{Buf, hyd_buf};
use crate::copy::hyd_copy_report;
use crate::delete::hyd_delete_report;
use crate::error::{Failure, hyd_error};
use crate::handle;
use crate::list::{List, hyd_list};
use crate::meta::hyd_object_meta;
use crate::ranges::hyd_object_range;
use crate::sized::SizedOut;
use crate::status::{HYD_E_CANCELLED, HYD_OK, hyd_status};
use crate::verify::hyd_verify_report;

/// hyd_event.object_bytes where it was not told.
pub const HYD_SIZE_UNKNOWN: u64 = u64::MAX;

/// One completion. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_event {
    /// Of the request.
    pub user_data: u64,
    /// As hyd_submit() gave it.
    pub id: u64,
    /// HYD_OK, or why the request failed.
    pub status: hyd_status,
    /// HYD_OP_* of the request.
    pub op: u32,
    /// Bytes that were read or written.
    pub bytes: u64,
    /// Bytes of the whole object where it was told, else HYD_SIZE_UNKNOWN.
    pub object_bytes: u64,
    /// What was read, where the request named no memory; else NULL. The caller releases it.
    pub buf: *mut hyd_buf,
    /// The page of a list; else NULL. The caller closes it.
    pub list: *mut hyd_list,
    /// Why the request failed; NULL with HYD_OK. The caller frees it.
    pub error: *mut hyd_error,
}

impl hyd_event {
    /// Of a request that brought nothing.
    pub fn of(user_data: u64, id: u64, op: u32) -> hyd_event {
        let (buf, list, error) = (null_mut(), null_mut(), null_mut());
        let (bytes, object_bytes) = (0, HYD_SIZE_UNKNOWN);
        hyd_event { user_data, id, status: HYD_OK, op, bytes, object_bytes, buf, list, error }
    }
}

/// What became of a request.
#[derive(Default)]
pub struct Outcome {
    pub bytes: u64,
    pub object_bytes: Option<u64>,
    pub buf: Option<Arc<Buf>>,
    pub list: Option<Arc<List>>,
    /// Boxed, as are the others: most requests have none of them, and an outcome is moved about.
    pub meta: Option<Box<ObjectMeta>>,
    pub told: Option<Box<Told>>,
    pub failure: Option<Box<Failure>>,
}

/// What some ops tell beside.
pub enum Told {
    Copied(Box<CopyReport>),
    Compared(VerifyReport),
    Deleted(DeleteReport),
    /// A status for each key.
    Keys(Vec<hyd_status>),
    /// A status for each range, and the bytes that came.
    Ranges(Vec<(hyd_status, usize)>),
}

/// Places of the caller that are filled when the completion is reaped.
#[derive(Default, Clone, Copy)]
pub struct Places {
    pub meta: Option<SizedOut<hyd_object_meta>>,
    pub told: Option<Place>,
}

/// The place for what some ops tell beside.
#[derive(Clone, Copy)]
pub enum Place {
    Copied(SizedOut<hyd_copy_report>),
    Compared(SizedOut<hyd_verify_report>),
    Deleted(SizedOut<hyd_delete_report>),
    Keys(ArrayOut<hyd_status>),
    Ranges(ArrayOut<hyd_object_range>),
}

impl Outcome {
    /// A request that came to this.
    pub fn failed(failure: Failure) -> Outcome {
        Outcome { failure: Some(Box::new(failure)), ..Outcome::default() }
    }

    /// A request that nobody settled.
    pub fn cancelled() -> Outcome {
        let message = "the request was cancelled, or the engine was destroyed";
        Outcome::failed(Failure::new(HYD_E_CANCELLED, message))
    }

    /// Gives the caller what the request brought.
    pub fn hand_over(self, event: &mut hyd_event, places: Places) {
        event.bytes = self.bytes;
        event.object_bytes = self.object_bytes.unwrap_or(HYD_SIZE_UNKNOWN);
        if let Err(failure) = self.give(event, places) {
            event.status = failure.status();
            event.error = handle::give(Arc::new(failure)).unwrap_or(null_mut());
        }
    }

    fn give(self, event: &mut hyd_event, places: Places) -> Result<(), Failure> {
        if let Some(place) = places.told {
            let status = self.failure.as_ref().map_or(HYD_OK, |failure| failure.status());
            place.fill(self.told.as_deref(), status);
        }
        if let Some(failure) = self.failure {
            return Err(*failure);
        }
        if let Some(buf) = self.buf {
            event.buf = handle::give(buf)?;
        }
        if let Some(list) = self.list {
            event.list = handle::give(list)?;
        }
        if let (Some(to), Some(meta)) = (places.meta, self.meta) {
            to.write(hyd_object_meta::of(&meta));
        }
        Ok(())
    }
}

impl Place {
    /// Where nothing was told of any, what came of the request came of each.
    fn fill(self, told: Option<&Told>, status: hyd_status) {
        match (self, told) {
            (Place::Copied(to), Some(Told::Copied(it))) => to.write(hyd_copy_report::of(it)),
            (Place::Compared(to), Some(Told::Compared(it))) => to.write(hyd_verify_report::of(it)),
            (Place::Deleted(to), Some(Told::Deleted(it))) => to.write(hyd_delete_report::of(it)),
            (Place::Keys(to), Some(Told::Keys(statuses))) => to.write_all(statuses),
            (Place::Keys(to), _) => (0..to.count()).for_each(|index| to.write(index, status)),
            (Place::Ranges(to), told) => {
                for index in 0..to.count() {
                    let each = match told {
                        Some(Told::Ranges(each)) => each[index],
                        _ => (status, 0),
                    };
                    // SAFETY: OWN-3. The caller's range, which was read when it was submitted, and is
                    // the library's until the completion is reaped.
                    let range = unsafe { &mut (*to.at(index)).range };
                    (range.status, range.read_len) = each;
                }
            }
            // A failure has no report.
            (Place::Copied(_) | Place::Compared(_) | Place::Deleted(_), _) => {}
        }
    }
}
