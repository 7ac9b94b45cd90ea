//! `hyd_engine`: an engine with stores on top.

use std::ptr::null;
use std::sync::Arc;
use std::time::Duration;

use hydrant::engine::{Config, DriverChoice};
use hydrant::{Hydrant, HydrantBuilder, MemConfig, TransferLimits};

use crate::args::Out;
use crate::driven::{Driving, drive_here, wait_limit};
use crate::engine_limits::{self, hyd_engine_limits};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard::{self, Entry, Poison};
use crate::handle::{self, kind};
use crate::log;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::{HYD_E_AGAIN, hyd_status};

/// Threads, rings and the one pool that all payload memory of the library comes from.
pub struct hyd_engine(());

/// A bit of hyd_engine_config.flags: pin each core to a CPU of its own.
pub const HYD_ENGINE_PIN_CORES: u32 = 1;
/// A bit of hyd_engine_config.flags: sign no request, even where there are credentials: public
/// buckets.
pub const HYD_ENGINE_ANONYMOUS: u32 = 2;
/// A bit of hyd_engine_config.flags: no core threads. The thread that creates the engine drives it by
/// hyd_engine_run(), and is the only one that may destroy it. There is one core then, and a thread
/// drives one engine at most.
pub const HYD_ENGINE_DRIVEN: u32 = 4;
/// A bit of hyd_engine_config.flags: epoll and threads, even where io_uring is allowed.
pub const HYD_ENGINE_POLL: u32 = 8;

/// A bit of hyd_engine_config.flags: io_uring, or hyd_engine_create() fails and says why.
pub const HYD_ENGINE_URING: u32 = 16;
/// A bit of hyd_engine_config.flags: a core sleeps as soon as it has nothing to do.
pub const HYD_ENGINE_NO_SPIN: u32 = 32;

const FLAGS: u32 = HYD_ENGINE_PIN_CORES
    | HYD_ENGINE_ANONYMOUS
    | HYD_ENGINE_DRIVEN
    | HYD_ENGINE_POLL
    | HYD_ENGINE_URING
    | HYD_ENGINE_NO_SPIN;

/// Threads for file calls at most (LIMIT-1).
const FILE_THREADS_MAX: u32 = 1024;

/// What an engine is started with; 0 is the default everywhere.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hyd_engine_config {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_ENGINE_*
    pub flags: u32,
    /// Threads with a ring each; 0: one for each CPU the process may use.
    pub cores: u32,
    /// Parts of one transfer under way at once, each with a connection of its own; 0: 8. More than 1,024
    /// count as so many.
    pub connections: u32,
    /// Hard limit of payload memory in bytes; 0: 256 MiB.
    pub pool_bytes: u64,
    /// Bytes of a part; 0: 8 MiB.
    pub part_size_bytes: u64,
    /// Milliseconds that a call or request waits for memory of the pool before it fails with
    /// HYD_E_CONFIG: what the caller itself holds, in buffers and writers, would never come;
    /// 0: 30,000.
    pub pool_wait_ms: u64,
    /// Bytes of the pool for heads and small objects, which never wait behind parts; 0: a sixteenth of it,
    /// 256 KiB to 8 MiB.
    pub head_share_bytes: u64,
    /// Bytes of all objects in mem:// stores; 0: 4 GiB.
    pub mem_bytes: u64,
    /// Milliseconds that hyd_engine_destroy() gives clean-up, such as aborting uploads; 0: 5,000.
    pub cleanup_ms: u64,
    /// Milliseconds in which the kernel has to give back the last buffers then; what it still has is leaked.
    /// 0: 10,000.
    pub drain_ms: u64,
    /// Milliseconds for the look-up of a name; 0: 15,000.
    pub resolve_ms: u64,
    /// Sends from so many bytes on go without a copy; 0: 16 KiB.
    pub zero_copy_bytes_min: u64,
    /// mem:// stores at most; 0: 1,024.
    pub mem_stores: u32,
    /// Threads that make file calls where io_uring is refused; 0: 16. At most 1,024.
    pub file_threads: u32,
    /// Microseconds that a core looks out for messages before it sleeps, where that has paid; 0: 20. Not
    /// with HYD_ENGINE_NO_SPIN.
    pub spin_us: u32,
    /// Microseconds that a core that sleeps lets completions gather before one alone wakes it (Linux 6.12);
    /// 0: none.
    pub min_wait_us: u32,
    /// What a core and its ring may have, or NULL.
    pub limits: *const hyd_engine_limits,
}

/// What an engine handle holds.
pub struct Engine {
    pub hydrant: Hydrant,
    pub poison: Poison,
    pub driving: Option<Driving>,
}

kind!(Engine, hyd_engine, 2, "engine");

// SAFETY: `repr(C)`, integers and a raw pointer alone, no padding, the size first.
unsafe impl SizedStruct for hyd_engine_config {
    const NAME: &'static str = "hyd_engine_config";
    const BYTES_MIN: usize = 32;
}

impl hyd_engine_config {
    const DEFAULT: hyd_engine_config = hyd_engine_config {
        struct_size: sized::size_of::<hyd_engine_config>(),
        flags: 0,
        cores: 0,
        connections: 0,
        pool_bytes: 0,
        part_size_bytes: 0,
        pool_wait_ms: 0,
        head_share_bytes: 0,
        mem_bytes: 0,
        cleanup_ms: 0,
        drain_ms: 0,
        resolve_ms: 0,
        zero_copy_bytes_min: 0,
        mem_stores: 0,
        file_threads: 0,
        spin_us: 0,
        min_wait_us: 0,
        limits: null(),
    };

    fn check(&self) -> Result<(), Failure> {
        let unknown = self.flags & !FLAGS;
        if unknown != 0 {
            let message = format!("config->flags has bits {unknown:#x}, which nothing is known of");
            return Err(Failure::invalid(message));
        }
        if self.has(HYD_ENGINE_DRIVEN) && self.cores > 1 {
            return Err(Failure::invalid("a driven engine has one core: config->cores is more"));
        }
        if self.has(HYD_ENGINE_POLL) && self.has(HYD_ENGINE_URING) {
            return Err(Failure::invalid("config->flags: io_uring, and no io_uring"));
        }
        if self.has(HYD_ENGINE_NO_SPIN) && self.spin_us != 0 {
            return Err(Failure::invalid("config->spin_us is set, and HYD_ENGINE_NO_SPIN"));
        }
        if self.file_threads > FILE_THREADS_MAX {
            let text = format!("config->file_threads is more than {FILE_THREADS_MAX}");
            return Err(Failure::invalid(text));
        }
        Ok(())
    }

    /// Starts an engine as configured; 0 leaves a default alone.
    fn start(&self, limits: Option<hyd_engine_limits>) -> Result<Engine, Failure> {
        self.check()?;
        let builder = self.builder();
        let builder = match limits {
            Some(limits) => builder.engine(move |engine| limits.apply(engine)),
            None => builder,
        };
        let poison = Poison::default();
        if self.has(HYD_ENGINE_DRIVEN) {
            let (hydrant, driven) = builder.build_here()?;
            return Ok(Engine { hydrant, poison, driving: Some(drive_here(driven)?) });
        }
        Ok(Engine { hydrant: builder.build()?, poison, driving: None })
    }

    fn builder(&self) -> HydrantBuilder {
        let mut builder = Hydrant::builder().engine(|config| config.report = log::report);
        if self.cores != 0 {
            builder = builder.cores(self.cores as usize);
        }
        if self.pool_bytes != 0 {
            builder = builder.pool_bytes(usize::try_from(self.pool_bytes).unwrap_or(usize::MAX));
        }
        if self.has(HYD_ENGINE_PIN_CORES) {
            builder = builder.engine(|config| config.pin_cores = true);
        }
        if self.has(HYD_ENGINE_ANONYMOUS) {
            builder = builder.anonymous();
        }
        if self.has(HYD_ENGINE_POLL) {
            builder = builder.driver(DriverChoice::Poll);
        }
        if self.pool_wait_ms != 0 {
            let limit = Duration::from_millis(self.pool_wait_ms);
            builder = builder.engine(|config| config.pool.wait_limit = limit);
        }
        if self.has(HYD_ENGINE_URING) {
            builder = builder.driver(DriverChoice::Uring);
        }
        let (config, mem) = (*self, self.mem());
        builder = builder.engine(move |engine| config.apply(engine)).mem(mem);
        let part_size = (self.part_size_bytes != 0).then_some(self.part_size_bytes);
        let connections = (self.connections != 0).then_some(self.connections as usize);
        builder.transfer(TransferLimits::default().with(part_size, connections))
    }

    /// Limits of the engine; 0 leaves a default alone.
    fn apply(&self, engine: &mut Config) {
        let bytes = |asked: u64| usize::try_from(asked).unwrap_or(usize::MAX);
        let set = |limit: &mut Duration, asked: Duration| {
            if !asked.is_zero() {
                *limit = asked;
            }
        };
        if self.head_share_bytes != 0 {
            engine.pool.head_share_bytes = Some(bytes(self.head_share_bytes));
        }
        if self.zero_copy_bytes_min != 0 {
            engine.op.zero_copy_bytes_min = bytes(self.zero_copy_bytes_min);
        }
        if self.file_threads != 0 {
            engine.poll.file_threads = self.file_threads as usize;
        }
        set(&mut engine.stop.cleanup, Duration::from_millis(self.cleanup_ms));
        set(&mut engine.stop.drain, Duration::from_millis(self.drain_ms));
        set(&mut engine.control.resolve, Duration::from_millis(self.resolve_ms));
        set(&mut engine.ring.min_wait, Duration::from_micros(self.min_wait_us.into()));
        set(&mut engine.core.spin_max, Duration::from_micros(self.spin_us.into()));
        if self.has(HYD_ENGINE_NO_SPIN) {
            engine.core.spin_max = Duration::ZERO;
        }
    }

    /// Limits of stores in memory.
    fn mem(&self) -> MemConfig {
        let mut mem = MemConfig::default();
        if self.mem_bytes != 0 {
            mem.mem_bytes_max = self.mem_bytes;
        }
        if self.mem_stores != 0 {
            mem.mem_stores_max = self.mem_stores as usize;
        }
        mem
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// The engine of a handle; a panic of this entry poisons it.
pub fn use_engine(entry: &mut Entry, handle: *const hyd_engine) -> Result<Arc<Engine>, Failure> {
    let engine = handle::get::<Engine>(handle)?;
    entry.uses(&engine.poison)?;
    Ok(engine)
}

/// Sets the first `size` bytes of `config` to the defaults, for languages without HYD_*_INIT; `size`
/// is the size of the struct that the caller was compiled with.
///
/// Errors: HYD_E_INVALID for NULL, or a size that no version of the struct has.
///
/// Threads: any; not concurrently with other uses of `config`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_config_init(
    config: *mut hyd_engine_config,
    size: usize,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        // SAFETY: OWN-3. The caller lends `size` bytes for the time of the call.
        unsafe { sized::init(config, hyd_engine_config::DEFAULT, size, "config") }
    })
}

/// Starts an engine, which the caller destroys. `config` may be NULL for the defaults, and is not
/// needed after the call.
///
/// Errors: HYD_E_INVALID, also on a thread that drives another engine; HYD_E_CONFIG when the kernel
/// refuses rings or memory.
///
/// Threads: any; the one that creates a driven engine drives it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_create(
    config: *const hyd_engine_config,
    engine: *mut *mut hyd_engine,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (engine, config, limits) = unsafe {
            let config = match config.is_null() {
                true => hyd_engine_config::DEFAULT,
                false => sized::read(config, "config")?,
            };
            let limits = engine_limits::read(config.limits)?;
            (Out::new(engine, "engine")?, config, limits)
        };
        engine.write(handle::give(Arc::new(config.start(limits)?))?);
        Ok(())
    })
}

/// What of an engine has not ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_engine_left {
    /// Set by the caller.
    pub struct_size: u32,
    /// Threads that run: they cancel, clean up, or wait for the kernel.
    pub cores: u32,
    /// Bytes of the pool that somebody has: requests, or the caller in buffers and writers.
    pub pool_bytes_lent: u64,
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_engine_left {
    const NAME: &'static str = "hyd_engine_left";
    const BYTES_MIN: usize = 16;
}

/// Does the first part of hyd_engine_destroy(), and waits for its end for at most `timeout_ms` (below
/// 0: no limit). The engine takes no more work from here on, and what ran ends with HYD_E_CANCELLED;
/// the handle stays until hyd_engine_destroy(), which waits for what is left. `left`, which may be
/// NULL, is written with HYD_OK and with HYD_E_AGAIN.
///
/// Errors: HYD_E_AGAIN when threads still run after the time: they end by themselves, and the same call
/// waits on; HYD_E_INVALID for an engine that a thread drives, which hyd_engine_destroy() ends.
///
/// Threads: any, also several at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_stop(
    engine: *const hyd_engine,
    timeout_ms: i32,
    left: *mut hyd_engine_left,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        let engine = handle::get::<Engine>(engine)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let left = unsafe { SizedOut::optional(left, "left")? };
        if engine.driving.is_some() {
            return Err(Failure::invalid("a driven engine is ended by hyd_engine_destroy()"));
        }
        let cores = match wait_limit(timeout_ms) {
            Some(limit) => engine.hydrant.stop_within(limit)?,
            None => engine.hydrant.stop().map(|()| 0)?,
        };
        let lent_bytes = engine.hydrant.engine().pool().stats().lent_bytes;
        if let Some(left) = left {
            left.write(hyd_engine_left {
                struct_size: sized::size_of::<hyd_engine_left>(),
                cores: cores as u32,
                pool_bytes_lent: lent_bytes as u64,
            });
        }
        if cores > 0 {
            let message = format!("{cores} threads have not ended, {lent_bytes} bytes are lent");
            return Err(Failure::new(HYD_E_AGAIN, message));
        }
        Ok(())
    })
}

/// Cancels what runs, gives clean-up its time (some 15 s at most, usually none), ends the threads and
/// frees the engine; NULL is fine. Calls that run in other threads end with HYD_E_CANCELLED, and
/// their memory is no longer touched when they return; requests on queues complete with it. Stores,
/// queues, writers and listings stay handles until they are closed; all calls with them give
/// HYD_E_CANCELLED. Buffers stay readable until they are released.
///
/// Errors: HYD_E_HANDLE when it was destroyed before; HYD_E_FORKED; HYD_E_THREAD when another thread
/// drives it, and the engine stays as it is.
///
/// Threads: any; of two at once, one gets HYD_E_HANDLE. A driven one: its own thread, in which
/// the kernel may interrupt a call some milliseconds later (EINTR), as it lets go of the ring.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_engine_destroy(engine: *mut hyd_engine) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let may = |engine: &Arc<Engine>| engine.driving.as_ref().map_or(Ok(()), Driving::check_end);
        let Some(engine) = handle::retire_if::<Engine>(engine, may)? else { return Ok(()) };
        if let Some(driving) = &engine.driving {
            driving.end()?;
        }
        Ok(engine.hydrant.stop()?)
    })
}
