//! `hyd_sum`: checksums of bytes, and of bytes behind one another.

use std::ffi::{c_char, c_void};

use hydrant::Sum;

use crate::args::{self, Out, fixed_text};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::meta::{algorithm_of, number_of};
use crate::status::{HYD_E_UNSUPPORTED, hyd_status};
use crate::uploaded_part::fixed;

/// A checksum. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_sum {
    /// HYD_CHECKSUM_*
    pub algorithm: u32,
    /// 0
    pub reserved: u32,
    /// In base64, as S3 has it and hyd_object_meta tells it; NUL-terminated.
    pub value: [c_char; 48],
}

impl hyd_sum {
    fn of(sum: &Sum) -> hyd_sum {
        let algorithm = number_of(sum.algorithm());
        hyd_sum { algorithm, reserved: 0, value: fixed_text(&sum.to_string()) }
    }

    fn read(&self, argument: &str) -> Result<Sum, Failure> {
        let sum = algorithm_of(self.algorithm)
            .and_then(|algorithm| Sum::parse(algorithm, &fixed(&self.value)?));
        sum.ok_or_else(|| Failure::invalid(format!("{argument} is no checksum")))
    }
}

/// Takes the checksum of bytes; `algorithm` is HYD_CHECKSUM_*.
///
/// Errors: HYD_E_INVALID, also for an algorithm that is none.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_sum_of(
    algorithm: u32,
    data: *const c_void,
    len: usize,
    sum: *mut hyd_sum,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (data, out) = unsafe { (args::bytes(data, len, "data")?, Out::new(sum, "sum")?) };
        let known = algorithm_of(algorithm);
        let known =
            known.ok_or_else(|| Failure::invalid(format!("algorithm: there is no {algorithm}")))?;
        out.write(hyd_sum::of(&Sum::of(known, data)));
        Ok(())
    })
}

/// Makes the checksum of bytes out of those of its two halves, of which the second has `next_len` bytes. `both`
/// may be one of them.
///
/// Errors: HYD_E_INVALID where one is no checksum, or they are of two kinds; HYD_E_UNSUPPORTED for SHA-1 and
/// SHA-256, which do not combine.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_sum_then(
    one: *const hyd_sum,
    next: *const hyd_sum,
    next_len: u64,
    both: *mut hyd_sum,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (one, next, out) = unsafe {
            let one = args::array(one, 1, "one")?[0].read("one")?;
            let next = args::array(next, 1, "next")?[0].read("next")?;
            (one, next, Out::new(both, "both")?)
        };
        if one.algorithm() != next.algorithm() {
            return Err(Failure::invalid("one and next are checksums of two kinds"));
        }
        let both = one.then(next, next_len);
        let text = "checksums of this kind do not combine";
        out.write(hyd_sum::of(&both.ok_or_else(|| Failure::new(HYD_E_UNSUPPORTED, text))?));
        Ok(())
    })
}
