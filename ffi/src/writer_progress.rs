//! How far a stream is, and waiting until it is.

use crate::args::Out;
use crate::error::{ErrorOut, hyd_error};
use crate::guard;
use crate::status::hyd_status;
use crate::stream::{open, use_writer};
use crate::writer::hyd_writer;

/// Waits until every part that is full is with the store. What is less than a part stays where it is: a store
/// takes only the last part short.
///
/// Errors: as hyd_writer_write().
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_flush(
    writer: *mut hyd_writer,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let stream = use_writer(entry, writer)?;
        let mut place = stream.lock()?;
        Ok(open(&mut place)?.writer.flush_wait()?)
    })
}

/// Tells how many bytes a stream has taken, and how many the part that is being filled still lacks. At a
/// part's boundary so many, written in one piece and borrowed or given, are sent without a copy; what completes
/// a part that is begun is copied to what waits of it. Both may be NULL.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the writer, or a request has it;
/// HYD_E_CANCELLED; HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_written(
    writer: *mut hyd_writer,
    written_bytes: *mut u64,
    next_part_bytes: *mut u64,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let stream = use_writer(entry, writer)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (written, next) = unsafe {
            let next = Out::optional(next_part_bytes, "next_part_bytes")?;
            (Out::optional(written_bytes, "written_bytes")?, next)
        };
        let mut place = stream.lock()?;
        let writer = &open(&mut place)?.writer;
        Out::write_optional(written, writer.bytes_written());
        Out::write_optional(next, writer.next_part_bytes());
        Ok(())
    })
}
