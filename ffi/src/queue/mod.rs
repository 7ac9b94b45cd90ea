//! Completion queues: requests go in as batches, completions come out as batches, and a descriptor
//! tells a loop when to look.
//!
//! - `request` reads what C submits; nothing of it is needed once it is accepted, but the memory for
//!   the bytes (OWN-3).
//! - `slots` holds the requests: as many as the queue is deep, from acceptance to being reaped. So a
//!   completion always has its place, and an accepted request completes exactly once (FFI-2).
//! - `cq` is what a handle names: it takes requests into slots, has threads, loops and drivers wait, and
//!   moves completions out.
//! - `lane` runs them: one task on each core, which holds the futures of its requests in seats that
//!   are used again. A request costs no allocation here; what the store itself allocates for it is
//!   the store's.
//! - `more` has the ops about many objects, or about two.
//! - `job` does what a request asks for, and `outcome` tells what became of it.
//!
//! What this room never does: it knows no protocol, and calls nothing of C.

mod cq;
mod job;
mod lane;
mod more;
mod op;
mod outcome;
mod request;
mod signal;
mod slots;

use std::sync::Arc;

pub use cq::Queue;
pub use outcome::{HYD_SIZE_UNKNOWN, hyd_event};
pub use request::{delimiter, hyd_request};

use crate::args::{self, ArrayOut, Out};
use crate::driven::deadline;
use crate::engine::{hyd_engine, use_engine};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard::{self, Entry};
use crate::handle::{self, kind};
use crate::status::{HYD_E_NOT_FOUND, hyd_status};
use crate::store::{hyd_store, use_store};
use crate::stream::Stream;

/// A completion queue.
pub struct hyd_cq(());

kind!(Queue, hyd_cq, 7, "completion queue");

/// Requests of a queue at most.
pub const HYD_CQ_DEPTH_MAX: u32 = 65536;
/// Requests of a queue where the caller names no depth.
const DEPTH_DEFAULT: u32 = 1024;

fn use_queue(entry: &mut Entry, handle: *const hyd_cq) -> Result<Arc<Queue>, Failure> {
    let queue = handle::get::<Queue>(handle)?;
    entry.uses(&queue.engine().poison)?;
    Ok(queue)
}

/// Makes a completion queue, which the caller destroys. `depth` is how many requests it takes before
/// their completions are reaped; 0 is 1024.
///
/// Errors: HYD_E_INVALID above HYD_CQ_DEPTH_MAX; HYD_E_AGAIN when a core has no room for its task;
/// HYD_E_CANCELLED once the engine was destroyed.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_cq_create(
    engine: *const hyd_engine,
    depth: u32,
    cq: *mut *mut hyd_cq,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let cq = unsafe { Out::new(cq, "cq")? };
        let depth = if depth == 0 { DEPTH_DEFAULT } else { depth };
        if depth > HYD_CQ_DEPTH_MAX {
            let message = format!("a queue takes {HYD_CQ_DEPTH_MAX} requests, not {depth}");
            return Err(Failure::invalid(message));
        }
        let queue = Queue::start(engine, depth)?;
        cq.write(handle::give(Arc::clone(&queue)).inspect_err(|_| queue.end())?);
        Ok(())
    })
}

/// An eventfd for poll, epoll and their like: readable while completions wait to be reaped, and after
/// hyd_cq_wake(). It belongs to the queue: the caller neither reads nor closes it.
///
/// Errors: HYD_E_CONFIG when the process has no descriptors left.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_cq_fd(
    cq: *const hyd_cq,
    fd: *mut i32,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let queue = use_queue(entry, cq)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let fd = unsafe { Out::new(fd, "fd")? };
        fd.write(queue.descriptor()?);
        Ok(())
    })
}

/// Reaps completions: waits until there are `min` of them, `timeout_ms` have passed (below 0: no
/// limit) or hyd_cq_wake() was called, and moves up to `max` into `events`, oldest first. `min` of 0
/// never waits. `reaped` tells how many; 0 is no error.
///
/// What an event carries is the caller's from here on: `buf` to release, `list` to close, `error` to
/// free. What a request named to be filled is filled in this call: its hyd_object_meta, its report, the
/// `status` of each range, the `results` of keys. On the thread that drives
/// the queue's engine, waiting drives it. A `min` above what is under way waits for requests of other
/// threads, for hyd_cq_wake(), or for the time.
///
/// Errors: HYD_E_INVALID for a `min` above `max` or the queue's depth, which never come at once; HYD_E_HANDLE once the queue was destroyed.
///
/// Threads: any; several may wait, and each completion goes to one of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_cq_wait(
    cq: *const hyd_cq,
    events: *mut hyd_event,
    max: usize,
    min: usize,
    timeout_ms: i32,
    reaped: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        // Completions are reaped of a poisoned engine too: they say what became of the requests.
        let queue = handle::get::<Queue>(cq)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (events, reaped) =
            unsafe { (args::array_out(events, max, "events")?, Out::new(reaped, "reaped")?) };
        if min > max {
            return Err(Failure::invalid(format!("min is {min}, more than max, {max}")));
        }
        if min > queue.depth() {
            let depth = queue.depth();
            return Err(Failure::invalid(format!("min is {min}, more than the depth, {depth}")));
        }
        reaped.write(queue.reap(events, max, min, deadline(timeout_ms))?);
        Ok(())
    })
}

/// Has one hyd_cq_wait() return, which may be the next one, with what there is.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_cq_wake(cq: *const hyd_cq) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        handle::get::<Queue>(cq)?.wake();
        Ok(())
    })
}

/// Ends a queue; NULL is fine. Completions that were not reaped are thrown away with what they carry.
///
/// Errors: HYD_E_BUSY while requests are under way: cancel them, and reap; HYD_E_HANDLE when it was
/// destroyed before; HYD_E_FORKED.
///
/// Threads: any. Calls that wait in other threads end with HYD_E_HANDLE.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_cq_destroy(cq: *mut hyd_cq) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        if let Some(queue) = handle::retire_if::<Queue>(cq, |queue| queue.close())? {
            queue.end();
        }
        Ok(())
    })
}

/// Submits `count` requests, which lie end to end at `requests`, each with the `struct_size` of the
/// first. They are taken in order up to the first that is refused; `accepted` tells how many were, on
/// failure too. An accepted request completes exactly once on `cq`, a refused one never. `ids` has
/// room for `count` ids for hyd_cancel(), or is NULL.
///
/// The requests, their texts and options are not needed after the call. The memory for bytes, and whatever is
/// filled (hyd_object_meta, reports, `ranges`, `results`), is the library's until the completion has been
/// reaped, cancelled or not. Requests run at the same time and complete in any order.
///
/// Errors, of the first that is refused: HYD_E_INVALID, HYD_E_HANDLE; HYD_E_BUSY while somebody else uses
/// the writer; HYD_E_AGAIN when the queue has no room: reap, and submit the rest; HYD_E_CANCELLED once the engine was destroyed.
///
/// Threads: any, also many at once with one queue.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_submit(
    store: *const hyd_store,
    cq: *const hyd_cq,
    requests: *const hyd_request,
    count: usize,
    ids: *mut u64,
    accepted: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    let mut done = 0;
    let status = guard::entry(ErrorOut::new(error), |entry| {
        let (store, queue) = (use_store(entry, store)?, use_queue(entry, cq)?);
        if !Arc::ptr_eq(&store.engine, queue.engine()) {
            return Err(Failure::invalid("store and queue belong to different engines"));
        }
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let ids = unsafe { ArrayOut::optional(ids, count, "ids")? };
        // SAFETY: as above.
        let stride = if count > 0 { unsafe { request::stride(requests)? } } else { 0 };
        for index in 0..count {
            // SAFETY: OWN-3. The caller says that so many requests lie there, and lends them and what
            // they name for the time of the call.
            let mut request = unsafe { request::read(requests, index, stride)? };
            let of_writer = request.writer.as_ref().map(|taken| taken.stream().engine());
            if of_writer.is_some_and(|engine| !Arc::ptr_eq(engine, queue.engine())) {
                return Err(Failure::invalid("writer and queue belong to different engines"));
            }
            let id = queue.submit(&store, &mut request)?;
            // It was accepted; another thread may have ended the handle meanwhile.
            let _ = handle::retire::<Stream>(request.ends);
            done += 1;
            if let Some(ids) = ids {
                ids.write(index, id);
            }
        }
        Ok(())
    });
    if args::is_usable(accepted) {
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        unsafe { accepted.write(done) };
    }
    status
}

/// Cancels a request that was submitted to this queue, as far as it goes: its completion comes as
/// always, soon, with HYD_E_CANCELLED or with its result. Until it is reaped, the memory stays the
/// library's. What a cancelled PUT had begun is thrown away, or was there already, whole.
///
/// Errors: HYD_E_NOT_FOUND when no such request is under way any more, which is no mistake;
/// HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any. It never waits.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_cancel(cq: *const hyd_cq, id: u64) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let queue = handle::get::<Queue>(cq)?;
        let message = "no such request is under way";
        queue.cancel(id).then_some(()).ok_or_else(|| Failure::new(HYD_E_NOT_FOUND, message))
    })
}
