//! `hyd_writer`: an object written as a stream of unknown length.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::args::{self, Out};
use crate::buf::{hyd_buf, take_given};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle;
use crate::loan::lend;
use crate::meta::hyd_object_meta;
use crate::object::tell;
use crate::object_options::{self, hyd_put_options};
use crate::sized::SizedOut;
use crate::status::{HYD_E_CANCELLED, hyd_status};
use crate::store::{hyd_store, use_store};
use crate::stream::{Place, Stream, open, take, torn, use_writer};

/// A stream that becomes an object.
pub struct hyd_writer(());

/// A flag of hyd_writer_write(): the bytes are copied into the pool, a copy that the library counts as
/// borrowed; the call waits for room there alone.
pub const HYD_WRITE_COPY: u32 = 0;
/// A flag of hyd_writer_write(): whole parts are sent from where the bytes are, and the call waits
/// until they have been.
pub const HYD_WRITE_BORROW: u32 = 1;

/// Opens a stream for an object; the caller finishes or aborts it. Nothing is visible under the key
/// before it is finished. Parts go out while the stream is still written, a bounded number at a time.
/// The functions for writers wait; HYD_OP_WRITE and HYD_OP_FINISH are requests that do not. While such
/// a request is under way, the functions but hyd_writer_abort() give HYD_E_BUSY; where it was cancelled,
/// HYD_E_CANCELLED.
/// `options` may be NULL; conditions in them are looked at when the stream is finished.
///
/// Errors: HYD_E_INVALID; HYD_E_CONFIG.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_open(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_put_options,
    writer: *mut *mut hyd_writer,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, options, out) = unsafe {
            (
                args::text(key, key_len, "key")?,
                object_options::stream(options)?,
                Out::new(writer, "writer")?,
            )
        };
        let writer = store.calls().writer_with(key, options)?;
        out.write(handle::give(Arc::new(Stream::new(store, writer)))?);
        Ok(())
    })
}

/// Appends bytes, which are the library's until the call returns. `flags` say what becomes of them:
/// HYD_WRITE_COPY or HYD_WRITE_BORROW. Waits while as many parts are under way as the store allows.
///
/// Errors: the first failure of the upload, from every later call; HYD_E_BUSY while another thread is
/// in a call with the writer.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_write(
    writer: *mut hyd_writer,
    data: *const c_void,
    data_len: usize,
    flags: u32,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let stream = use_writer(entry, writer)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let bytes = unsafe { args::bytes(data, data_len, "data")? };
        let mut state = stream.lock()?;
        let state = open(&mut state)?;
        state.reserved_bytes = 0;
        match flags {
            HYD_WRITE_COPY => Ok(state.writer.write_wait(bytes)?),
            HYD_WRITE_BORROW => {
                let fills_a_part = data_len as u64 >= state.writer.next_part_bytes();
                let written = lend(bytes, |bytes| {
                    state.writer.write_owned_wait(bytes)?;
                    // A part that failed gave its memory back too: the call must not say it was sent.
                    if fills_a_part { state.writer.flush_wait() } else { Ok(()) }
                })?;
                Ok(written?)
            }
            _ => Err(Failure::invalid(format!("flags: there is no way {flags} to write"))),
        }
    })
}

/// Appends the first `data_len` bytes of a buffer and takes the buffer over, whatever becomes of the
/// call but for HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED, HYD_E_PANIC, HYD_E_BUSY, and HYD_E_CANCELLED of a
/// stream that misses bytes of a request that was cancelled. A whole part is sent from
/// where it is. Returns without waiting for it to be sent.
///
/// Errors: as hyd_writer_write(); HYD_E_BUSY also where the buffer has other references.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_give(
    writer: *mut hyd_writer,
    buf: *mut hyd_buf,
    data_len: usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let stream = use_writer(entry, writer)?;
        let mut state = stream.lock()?;
        let state = open(&mut state)?;
        let bytes = handle::get::<crate::buf::Buf>(buf)?.read_only(data_len)?;
        take_given(buf)?;
        state.reserved_bytes = 0;
        Ok(state.writer.write_owned_wait(bytes)?)
    })
}

/// Memory of the pool to produce into, without a copy: `capacity` bytes, up to the end of the part. It
/// is valid until the next call with this writer that is not hyd_writer_reserve(), which gives the
/// same again. Waits for memory.
///
/// Errors: HYD_E_CONFIG when no memory comes back within the pool's limit; HYD_E_BUSY.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_reserve(
    writer: *mut hyd_writer,
    data: *mut *mut c_void,
    capacity: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let stream = use_writer(entry, writer)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (data, capacity) =
            unsafe { (Out::new(data, "data")?, Out::new(capacity, "capacity")?) };
        let mut state = stream.lock()?;
        let state = open(&mut state)?;
        let wanted = usize::try_from(state.writer.next_part_bytes()).unwrap_or(usize::MAX);
        // Not committed, it stays where it is: the writer lends the same again.
        let mut room = state.writer.reserve_wait(wanted)?;
        data.write(room.as_mut_slice().as_mut_ptr().cast());
        capacity.write(room.len());
        state.reserved_bytes = room.len();
        Ok(())
    })
}

/// Appends the first `len` bytes of what was reserved. A part that is full goes out.
///
/// Errors: HYD_E_INVALID for more than was reserved, and then nothing is appended; as
/// hyd_writer_write().
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_commit(
    writer: *mut hyd_writer,
    len: usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let stream = use_writer(entry, writer)?;
        let mut state = stream.lock()?;
        let state = open(&mut state)?;
        if len > state.reserved_bytes {
            return Err(Failure::invalid(format!("{len} bytes are more than was reserved")));
        }
        state.reserved_bytes -= len;
        if len > 0 {
            state.writer.reserve_wait(len)?.commit_wait(len)?;
        }
        Ok(())
    })
}

/// Completes the object, and ends the writer, also when it fails: what was uploaded is thrown away
/// then. `meta` may be NULL.
///
/// Errors: the first failure of the upload; HYD_E_CONDITION; HYD_E_PANIC of an engine that a panic has left
/// unusable, at once; HYD_E_BUSY while another thread is in a call with the writer, which stays then, as it
/// does with HYD_E_INVALID.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_finish(
    writer: *mut hyd_writer,
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let stream = handle::get::<Stream>(writer)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let meta = unsafe { SizedOut::optional(meta, "meta")? };
        let state = take(&stream)?;
        handle::retire::<Stream>(writer)?;
        let state = state.ok_or_else(torn)?;
        // Behind the end of the handle, so that nothing is left of it: no core may be there any more that
        // would complete the object.
        if let Err(failure) = entry.uses(&stream.engine().poison) {
            drop(state.writer);
            return Err(failure);
        }
        tell(meta, &state.writer.finish_wait()?);
        Ok(())
    })
}

/// Throws away what was written, waits until the store has, also for parts that are on their way, and ends the
/// writer; NULL is fine.
///
/// Errors: those of the store that keeps something of it, with a message that says what: an upload, which
/// hyd_uploads_next() tells and hyd_upload_abort() throws away. HYD_E_CANCELLED where nobody knows: a request of
/// the stream was cancelled, or the engine was destroyed. HYD_E_PANIC; HYD_E_HANDLE when it ended before;
/// HYD_E_FORKED. HYD_E_BUSY while another thread is in a call with the writer, or a request has it, which stays
/// then.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_writer_cancel(
    writer: *mut hyd_writer,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        if writer.is_null() {
            return Ok(());
        }
        let stream = handle::get::<Stream>(writer)?;
        let state = take(&stream)?;
        handle::retire::<Stream>(writer)?;
        // As it ends, nobody waits for a core that has gone.
        entry.uses(&stream.engine().poison)?;
        let unknown = || {
            let message = "a request of this stream was cancelled, and what was written thrown away \
                           behind it; the log says what is left";
            Failure::new(HYD_E_CANCELLED, message)
        };
        Ok(state.ok_or_else(unknown)?.writer.cancel_wait()?)
    })
}

/// Throws away what was written, and ends the writer; NULL is fine. What the store has of it is
/// cleaned up behind the call, and what stays there only the log hears: hyd_writer_cancel() tells. A
/// request of the stream that is under way goes on, completes as always, sooner where hyd_cancel()
/// cancels it, and has its memory until it is reaped; then the rest is thrown away.
///
/// Errors: HYD_E_HANDLE when it ended before; HYD_E_FORKED; HYD_E_BUSY while another thread is in a
/// call with the writer, which stays then.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_writer_abort(writer: *mut hyd_writer) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        if writer.is_null() {
            return Ok(());
        }
        let stream = handle::get::<Stream>(writer)?;
        let mut place = stream.lock()?;
        handle::retire::<Stream>(writer)?;
        let next = if matches!(*place, Place::AtWork) { Place::Aborted } else { Place::Ended };
        let was = std::mem::replace(&mut *place, next);
        drop(place);
        if let Place::Here(state) = was {
            drop(state.writer);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::ptr::{null, null_mut};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::engine::{
        hyd_engine, hyd_engine_config, hyd_engine_create, hyd_engine_destroy, use_engine,
    };
    use crate::guard::Entry;
    use crate::status::{HYD_E_HANDLE, HYD_E_PANIC, HYD_OK};
    use crate::store::{hyd_store_close, hyd_store_open};

    #[test]
    fn of_an_engine_that_a_panic_has_left_a_stream_ends_at_once() {
        let (mut engine, mut store) = (null_mut::<hyd_engine>(), null_mut::<hyd_store>());
        let (mut writer, mut error) = (null_mut(), null_mut());
        // SAFETY: everything that the pointers name is here, and lives to the end.
        unsafe {
            let mut config = std::mem::zeroed::<hyd_engine_config>();
            (config.struct_size, config.cores, config.pool_bytes) = (40, 1, 32 << 20);
            assert_eq!(hyd_engine_create(&config, &mut engine, &mut error), HYD_OK);
            let uri = c"mem://poisoned".as_ptr();
            assert_eq!(hyd_store_open(engine, uri, null(), &mut store, &mut error), HYD_OK);
            let key = c"key".as_ptr();
            let opened = hyd_writer_open(store, key, 3, null(), &mut writer, &mut error);
            assert_eq!(opened, HYD_OK);
            use_engine(&mut Entry::default(), engine).expect("it lives").poison.set();

            let began = Instant::now();
            assert_eq!(hyd_writer_finish(writer, null_mut(), null_mut()), HYD_E_PANIC);
            assert!(began.elapsed() < Duration::from_secs(5), "nobody is waited for");
            assert_eq!(hyd_writer_finish(writer, null_mut(), null_mut()), HYD_E_HANDLE);
        }
        assert_eq!(hyd_writer_abort(writer), HYD_E_HANDLE, "it has ended");
        assert_eq!(hyd_store_close(store), HYD_OK);
        assert_eq!(hyd_engine_destroy(engine), HYD_OK);
    }
}
