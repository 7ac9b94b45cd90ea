//! `hyd_buf`: pieces of the pool, lent to C and counted.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use hydrant::engine::{Lease, Registration, StableBuf};

use crate::args::Out;
use crate::engine::{hyd_engine, use_engine};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::status::{HYD_E_AGAIN, HYD_E_CONFIG, HYD_E_HANDLE, hyd_status};

/// A piece of an engine's pool, aligned to 4096 bytes where it was lent, and registered with the
/// kernel where that is allowed. It is counted, and goes back to the pool with the last reference,
/// the requests that use it among them.
pub struct hyd_buf(());

/// What a buffer handle holds.
pub struct Buf {
    start: *mut u8,
    len: usize,
    capacity: usize,
    references: AtomicU32,
    /// What keeps the bytes where they are: one of the two.
    _lease: Option<Lease>,
    _bytes: Bytes,
}

// SAFETY: OWN-3. The memory stays in place as long as this lives. Who reads and writes it when is the
// caller's part, as with any memory that threads of C share; this library writes to it only before
// it is handed out.
unsafe impl Send for Buf {}
// SAFETY: As above.
unsafe impl Sync for Buf {}

kind!(Buf, hyd_buf, 3, "buffer");

impl Buf {
    /// A buffer whose first `len` bytes are valid.
    pub fn of_lease(mut lease: Lease, len: usize) -> Buf {
        lease.set_len(len);
        let memory = lease.as_mut_slice();
        let (start, capacity) = (memory.as_mut_ptr(), memory.len());
        let references = 1.into();
        Buf { start, len, capacity, references, _lease: Some(lease), _bytes: Bytes::new() }
    }

    /// A buffer with these bytes, which nobody else has.
    pub fn of_bytes(bytes: Bytes) -> Buf {
        let (start, len) = (bytes.as_ptr().cast_mut(), bytes.len());
        let references = 1.into();
        Buf { start, len, capacity: len, references, _lease: None, _bytes: bytes }
    }

    /// Refuses more bytes than it has room for.
    pub fn check_len(&self, len: usize) -> Result<(), Failure> {
        if len <= self.capacity {
            return Ok(());
        }
        let capacity = self.capacity;
        Err(Failure::invalid(format!("{len} bytes of a buffer of {capacity}")))
    }

    /// The first `len` bytes, to be read as long as the result lives.
    pub fn read_only(self: &Arc<Buf>, len: usize) -> Result<Bytes, Failure> {
        self.check_len(len)?;
        Ok(Bytes::from_owner(Reading { buf: Arc::clone(self), len }))
    }
}

/// Bytes of a buffer that are being read; the buffer lives as long.
struct Reading {
    buf: Arc<Buf>,
    len: usize,
}

impl AsRef<[u8]> for Reading {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: OWN-3. The buffer keeps at least so many bytes in place, all initialised, and the
        // header has the caller write to none of them meanwhile.
        unsafe { std::slice::from_raw_parts(self.buf.start, self.len) }
    }
}

/// Lends a buffer of at least `size` bytes from the pool, without waiting and without memory from
/// anywhere else. Its content is unspecified. The caller releases it.
///
/// Errors: HYD_E_AGAIN when the pool has no such piece now: release buffers or reap completions;
/// HYD_E_CONFIG when it never has one; HYD_E_INVALID for a size of 0.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_buf_lend(
    engine: *const hyd_engine,
    size: usize,
    buf: *mut *mut hyd_buf,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let buf = unsafe { Out::new(buf, "buf")? };
        if size == 0 {
            return Err(Failure::invalid("size is 0: no buffer has so few bytes"));
        }
        let pool = engine.hydrant.engine().pool();
        if pool.capacity_for(size) == 0 {
            let message = format!("no piece of this pool has {size} bytes; raise pool_bytes");
            return Err(Failure::new(HYD_E_CONFIG, message));
        }
        let lease = pool.try_lease(size, "lent to C").ok_or_else(|| {
            let free = pool.stats().free_bytes;
            let message = format!("no {size} bytes in one piece; {free} are free: release some");
            Failure::new(HYD_E_AGAIN, message)
        })?;
        buf.write(handle::give(Arc::new(Buf::of_lease(lease, size)))?);
        Ok(())
    })
}

/// Where a buffer is: its first byte, how many bytes are valid (all that was asked for where it was
/// lent), and how many may be written. Each may be NULL. What came from a GET may be written to as
/// well. The pointer is valid as long as the caller has a reference.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED: the memory is not there in a child.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_buf_view(
    buf: *const hyd_buf,
    data: *mut *mut c_void,
    len: *mut usize,
    capacity: *mut usize,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let buf = handle::get::<Buf>(buf)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (data, len, capacity) = unsafe {
            (
                Out::optional(data, "data")?,
                Out::optional(len, "len")?,
                Out::optional(capacity, "capacity")?,
            )
        };
        Out::write_optional(data, buf.start.cast());
        Out::write_optional(len, buf.len);
        Out::write_optional(capacity, buf.capacity);
        Ok(())
    })
}

/// Adds a reference, which is released by itself.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED; HYD_E_AGAIN at 2^31 references.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_buf_retain(buf: *const hyd_buf) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let buf = handle::get::<Buf>(buf)?;
        let one_more = |count: u32| (count > 0 && count < 1 << 31).then(|| count + 1);
        let order = Ordering::AcqRel;
        match buf.references.fetch_update(order, Ordering::Acquire, one_more) {
            Ok(_) => Ok(()),
            Err(0) => Err(Failure::new(HYD_E_HANDLE, "the buffer's last reference is gone")),
            Err(_) => Err(Failure::new(HYD_E_AGAIN, "a buffer has 2^31 references at most")),
        }
    })
}

/// Takes a reference away; NULL is fine. With the last one the handle ends, and the memory goes back
/// to the pool as soon as no request uses it.
///
/// Errors: HYD_E_HANDLE when there is no reference left; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_buf_release(buf: *mut hyd_buf) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        if buf.is_null() {
            return Ok(());
        }
        let content = handle::get::<Buf>(buf)?;
        let one_less = |count: u32| count.checked_sub(1);
        let (order, read) = (Ordering::AcqRel, Ordering::Acquire);
        match content.references.fetch_update(order, read, one_less) {
            Ok(1) => handle::retire::<Buf>(buf).map(drop),
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::new(HYD_E_HANDLE, "the buffer's last reference is gone")),
        }
    })
}

/// Takes a buffer over from a caller who gives it away: the last reference, and the handle with it.
pub fn take_given(buf: *mut hyd_buf) -> Result<Arc<Buf>, Failure> {
    let taken = handle::retire_if::<Buf>(buf, |content| {
        let last = content.references.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Acquire);
        let message = "a buffer is given away with its last reference, and there are others";
        last.map(drop).map_err(|_| Failure::new(crate::status::HYD_E_BUSY, message))
    })?;
    taken.ok_or_else(|| Failure::invalid("the buffer is NULL"))
}

/// Memory of the caller that an operation has, until this is dropped.
pub struct Lent<T> {
    pub start: *mut u8,
    pub len: usize,
    /// What it lies in, where the caller says so.
    pub registration: Option<Registration>,
    /// What is told, by its drop, that the memory is free.
    pub _then: T,
}

// SAFETY: OWN-3. Until this is dropped, the caller leaves the memory to whoever has this.
unsafe impl<T: Send> Send for Lent<T> {}

// SAFETY: OWN-3. The memory stays where it is, and is the operation's alone, until this is dropped;
// that it is initialised does not matter to integers that are only ever written.
unsafe impl<T: Send + 'static> StableBuf for Lent<T> {
    fn stable_ptr(&mut self) -> *mut u8 {
        self.start
    }

    fn stable_len(&self) -> usize {
        self.len
    }

    fn registration(&self) -> Option<Registration> {
        self.registration.clone()
    }
}

impl<T> AsRef<[u8]> for Lent<T> {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: OWN-3. Readable and unchanged until this is dropped.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}
