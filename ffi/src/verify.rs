//! `hyd_verify`: whether two objects are the same bytes.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use hydrant::{VerifyOptions, VerifyReport, verify};

use crate::args;
use crate::callback::{Lent, ProgressFn, User, progress};
use crate::copy::hyd_progress_fn;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// How two objects are compared; 0 is the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_verify_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// Parts of each object under way at once, instead of as many as the first store has; more than 1,024
    /// count as so many.
    pub connections: u32,
    /// Bytes of a part, instead of those of the first store.
    pub part_size_bytes: u64,
    /// Told how far it is with the first object, until the call returns or the request is reaped; or NULL.
    pub progress: hyd_progress_fn,
    /// What `progress` is called with.
    pub user: *mut c_void,
}

// SAFETY: `repr(C)`, integers, a raw pointer and an optional function alone, no padding, the size first.
unsafe impl SizedStruct for hyd_verify_options {
    const NAME: &'static str = "hyd_verify_options";
    const BYTES_MIN: usize = 32;
}

/// What two objects that are the same are.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_verify_report {
    /// Set by the caller.
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// Of each.
    pub bytes: u64,
    /// The CRC-64/NVME of each.
    pub crc64nvme: u64,
    /// Parts that differed when they were read first and not when they were read again: something on
    /// the way is not to be trusted.
    pub healed_parts: u64,
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_verify_report {
    const NAME: &'static str = "hyd_verify_report";
    const BYTES_MIN: usize = 32;
}

impl hyd_verify_report {
    pub fn of(report: &VerifyReport) -> hyd_verify_report {
        hyd_verify_report {
            struct_size: sized::size_of::<hyd_verify_report>(),
            reserved: 0,
            bytes: report.bytes,
            crc64nvme: report.crc64nvme.0,
            healed_parts: report.healed_parts,
        }
    }
}

/// Options as C gave them: whoever compares says how long progress may be told.
pub struct Comparing {
    pub options: VerifyOptions,
    pub progress: Option<(ProgressFn, User)>,
}

/// How two objects are compared; NULL is the default.
///
/// # Safety
/// `from` is NULL, or readable as far as it says.
pub unsafe fn comparing(from: *const hyd_verify_options) -> Result<Comparing, Failure> {
    let mut options = VerifyOptions::default();
    if from.is_null() {
        return Ok(Comparing { options, progress: None });
    }
    // SAFETY: OWN-3, by the contract of this function.
    let raw = unsafe { sized::read(from, "options")? };
    options.part_size_bytes = (raw.part_size_bytes != 0).then_some(raw.part_size_bytes);
    options.connections = (raw.connections != 0).then_some(raw.connections as usize);
    Ok(Comparing { options, progress: raw.progress.map(|function| (function, User(raw.user))) })
}

/// Reads two objects, of any two stores of one engine, and compares their checksums part by part. A part
/// that differs is read once more from both. `options` and `report` may be NULL.
///
/// Errors: HYD_E_INTEGRITY where they differ, with a message that says where; those of reading;
/// HYD_E_INVALID for stores of different engines.
///
/// Threads: any, also many at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_verify(
    one_store: *const hyd_store,
    one: *const c_char,
    one_len: usize,
    other_store: *const hyd_store,
    other: *const c_char,
    other_len: usize,
    options: *const hyd_verify_options,
    report: *mut hyd_verify_report,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let (first, second) = (use_store(entry, one_store)?, use_store(entry, other_store)?);
        if !Arc::ptr_eq(&first.engine, &second.engine) {
            return Err(Failure::invalid("the stores belong to different engines"));
        }
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (one, other, comparing, report) = unsafe {
            (
                args::text(one, one_len, "one")?,
                args::text(other, other_len, "other")?,
                comparing(options)?,
                SizedOut::optional(report, "report")?,
            )
        };
        let (lent, leave) = Lent::new();
        let told = |function| progress(function, move |call| leave.call(call));
        let options = VerifyOptions { progress: comparing.progress.map(told), ..comparing.options };
        let same = verify(&first.locate(one)?, &second.locate(other)?, options).wait();
        drop(lent);
        let same = same?;
        if let Some(report) = report {
            report.write(hyd_verify_report::of(&same));
        }
        Ok(())
    })
}
