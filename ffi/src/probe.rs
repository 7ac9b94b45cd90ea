//! What the kernel grants, asked without an engine and of one (FALL-1).

use std::fmt::Write;

use hydrant::Hydrant;
use hydrant::engine::{ArenaBacking, Capabilities, FeatureState};

use crate::args::{TextOut, fixed_text};
use crate::engine::{hyd_engine, use_engine};
use crate::error::{ErrorOut, hyd_error};
use crate::guard;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use std::ffi::c_char;

/// A bit of hyd_caps.flags: io_uring carries the I/O out; else epoll and threads do.
pub const HYD_CAP_IO_URING: u32 = 1;
/// A bit of hyd_caps.flags: the pool is registered with the kernel.
pub const HYD_CAP_REGISTERED_BUFFERS: u32 = 2;
/// A bit of hyd_caps.flags: sends without a copy.
pub const HYD_CAP_ZERO_COPY_SEND: u32 = 4;
/// A bit of hyd_caps.flags: the pool lies on huge pages, or may.
pub const HYD_CAP_HUGE_PAGES: u32 = 8;

/// What the kernel and its limits allow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_caps {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_CAP_*
    pub flags: u32,
    /// The soft limit of locked memory in bytes; UINT64_MAX is none.
    pub memlock_limit_bytes: u64,
    /// The kernel's release; NUL-terminated.
    pub kernel: [c_char; 64],
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_caps {
    const NAME: &'static str = "hyd_caps";
    const BYTES_MIN: usize = 80;
}

/// The least pool that an engine starts with.
const POOL_BYTES: usize = 2 << 20;

impl hyd_caps {
    fn of(found: &Capabilities) -> hyd_caps {
        let huge = found.arena != ArenaBacking::Small;
        let flags = [
            (HYD_CAP_IO_URING, found.driver == "io_uring"),
            (HYD_CAP_REGISTERED_BUFFERS, found.buffers_registered()),
            (HYD_CAP_ZERO_COPY_SEND, found.has("zero-copy send")),
            (HYD_CAP_HUGE_PAGES, huge),
        ];
        hyd_caps {
            struct_size: sized::size_of::<hyd_caps>(),
            flags: flags.iter().filter(|(_, has)| *has).map(|(flag, _)| flag).sum(),
            memlock_limit_bytes: found.memlock_limit_bytes.unwrap_or(u64::MAX),
            kernel: fixed_text(&found.kernel),
        }
    }
}

/// Tells what the kernel and the limits of this process allow, by starting a small engine and ending
/// it: some milliseconds.
///
/// Errors: HYD_E_INVALID; HYD_E_CONFIG where not even the fallbacks start.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_probe(caps: *mut hyd_caps, error: *mut *mut hyd_error) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        // SAFETY: OWN-3. The caller lends `*caps` for the time of the call.
        let caps = unsafe { SizedOut::new(caps, "caps")? };
        let small = Hydrant::builder().cores(1).pool_bytes(POOL_BYTES).build()?;
        caps.write(hyd_caps::of(small.engine().capabilities()));
        Ok(small.stop()?)
    })
}

/// The same of an engine that runs.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_caps(
    engine: *const hyd_engine,
    caps: *mut hyd_caps,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends `*caps` for the time of the call.
        let caps = unsafe { SizedOut::new(caps, "caps")? };
        caps.write(hyd_caps::of(engine.hydrant.engine().capabilities()));
        Ok(())
    })
}

/// Text for people: a line for each feature of the kernel, with whether it is used and else why not.
/// `need` is set to the bytes of the text without its NUL. The text is written where `capacity` has
/// room for it and the NUL; call with 0 first to learn the size.
///
/// Errors: HYD_E_AGAIN when `capacity` is too small, but not 0; `need` is set all the same.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_report(
    engine: *const hyd_engine,
    text: *mut c_char,
    capacity: usize,
    need: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let out = unsafe { TextOut::new(text, capacity, need)? };
        out.write(&report(engine.hydrant.engine().capabilities()))
    })
}

fn report(found: &Capabilities) -> String {
    let mut text = format!("driver: {}\nkernel: {}\n", found.driver, found.kernel);
    for feature in &found.features {
        // Writing to a string cannot fail.
        let _ = match &feature.state {
            FeatureState::Granted => writeln!(text, "{}: used", feature.name),
            FeatureState::Refused(why) => writeln!(text, "{}: not used: {why}", feature.name),
        };
    }
    text
}
