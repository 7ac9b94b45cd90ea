//! `hyd_mem`: memory of the caller that requests use again and again.

use std::ffi::c_void;
use std::sync::Arc;

use hydrant::engine::Registration;

use crate::args::{self, Out};
use crate::buf::Lent;
use crate::engine::{hyd_engine, use_engine};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::status::{HYD_E_BUSY, hyd_status};

/// Memory of the caller that was made known to an engine: from malloc or mmap, on ordinary or huge
/// pages.
pub struct hyd_mem(());

/// What hyd_mem_register() tells: the kernel did not pin the memory. Bytes still go straight into it
/// and out of it; file I/O costs the kernel a little more.
pub const HYD_MEM_UNREGISTERED: u32 = 0;
/// What hyd_mem_register() tells: the kernel has pinned the memory, and ranges of files are read into
/// it as into buffers of the pool.
pub const HYD_MEM_REGISTERED: u32 = 1;

/// What a memory handle holds.
pub struct Mem {
    registration: Registration,
    start: usize,
    len: usize,
}

kind!(Mem, hyd_mem, 4, "registered memory");

impl Mem {
    /// What operations on a piece of it use.
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Refuses a piece that is not all within this memory.
    pub fn check(&self, start: *const u8, len: usize) -> Result<(), Failure> {
        let offset = start.addr().checked_sub(self.start);
        if offset.is_some_and(|offset| offset <= self.len && len <= self.len - offset) {
            return Ok(());
        }
        Err(Failure::invalid(format!("{len} bytes leave the memory of {} that is named", self.len)))
    }
}

/// Makes memory of the caller known to an engine, for requests that name it, and has the kernel pin
/// it, which takes the time of faulting its pages in. `state`, which may be NULL, tells what became of
/// it: HYD_MEM_REGISTERED, or HYD_MEM_UNREGISTERED where the kernel refuses, as by the limit on locked
/// memory (`ulimit -l`); the requests are the same. The memory stays the caller's and must stay mapped
/// until it is unregistered.
///
/// Memory that somebody else has pinned as well is registered as any other: what a device reads and
/// writes (cudaHostAlloc(), cudaHostRegister(), hipHostMalloc()), what mlock() holds, what is registered
/// with another engine. Of mappings of files, and those that a driver makes of memory of its own, the
/// kernel pins some and refuses others: HYD_MEM_UNREGISTERED then. Bytes are received into them and sent
/// from them as from all memory of the process; with direct:/// the kernel has to reach the pages at least
/// for the time of a read, and where it cannot (EFAULT), file:/// reads the same. Memory that the CPU
/// cannot address (cudaMalloc()) is none of the process: read into pinned memory, and have the device copy
/// from there.
///
/// Errors: HYD_E_INVALID for NULL, for no bytes and for a length that no memory has.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_mem_register(
    engine: *const hyd_engine,
    data: *mut c_void,
    len: usize,
    mem: *mut *mut hyd_mem,
    state: *mut u32,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        args::check_memory(data, len, "data")?;
        if len == 0 {
            return Err(Failure::invalid("len is 0: there is nothing to register"));
        }
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (mem, state) = unsafe { (Out::new(mem, "mem")?, Out::optional(state, "state")?) };
        let lent = Lent { start: data.cast(), len, registration: None, _then: () };
        let engine = engine.hydrant.engine();
        let memory = engine.register_memory(lent).map_err(hydrant::Error::from)?;
        // OWN-3: the caller keeps the memory mapped for as long as there is this.
        let registration = memory.registration().clone();
        let refused = registration.refused().is_some();
        mem.write(handle::give(Arc::new(Mem { registration, start: data.addr(), len }))?);
        Out::write_optional(state, if refused { HYD_MEM_UNREGISTERED } else { HYD_MEM_REGISTERED });
        Ok(())
    })
}

/// Forgets memory; NULL is fine. The caller may unmap it then. The kernel lets go of the pages with
/// the next turn of each core that used them.
///
/// Errors: HYD_E_BUSY while requests use it: reap them first; HYD_E_HANDLE; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_mem_unregister(mem: *mut hyd_mem) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let unused = |mem: &Arc<Mem>| match Arc::strong_count(mem) {
            1 => Ok(()),
            _ => Err(Failure::new(HYD_E_BUSY, "requests use this memory; reap them first")),
        };
        handle::retire_if::<Mem>(mem, unused).map(drop)
    })
}
