//! `hyd_engine`: an engine with stores on top.

use std::sync::Arc;

use hydrant::Hydrant;

use crate::args::Out;
use crate::error::{ErrorOut, Failure};
use crate::guard::{self, Poison};
use crate::handle::{Handle, Kind, Retired};
use crate::sized::{self, SizedStruct};
use crate::status::Status;

/// Bits of `hyd_engine_config.flags`.
pub const PIN_CORES: u32 = 1;
pub const ANONYMOUS: u32 = 2;

/// What an engine handle holds.
pub struct Engine {
    pub hydrant: Hydrant,
    pub poison: Poison,
}

impl Kind for Engine {
    const NAME: &'static str = "engine";
    const MAGIC: u64 = u64::from_le_bytes(*b"hydengin");

    fn retired() -> &'static Retired<Engine> {
        static RETIRED: Retired<Engine> = Retired::new();
        &RETIRED
    }
}

/// `hyd_engine_config`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    pub struct_size: u32,
    pub flags: u32,
    pub cores: u32,
    pub reserved: u32,
    pub pool_bytes: u64,
}

// SAFETY: `repr(C)`, integers alone, no padding (the test of the header compares every offset), the
// size first.
unsafe impl SizedStruct for EngineConfig {
    const NAME: &'static str = "hyd_engine_config";
    const BYTES_MIN: usize = 24;
}

impl EngineConfig {
    const DEFAULT: EngineConfig = EngineConfig {
        struct_size: sized::size_of::<EngineConfig>(),
        flags: 0,
        cores: 0,
        reserved: 0,
        pool_bytes: 0,
    };

    fn check(&self) -> Result<(), Failure> {
        let unknown = self.flags & !(PIN_CORES | ANONYMOUS);
        if unknown != 0 {
            let message = format!("config->flags has bits {unknown:#x}, which nothing is known of");
            return Err(Failure::invalid(message));
        }
        if self.reserved != 0 {
            return Err(Failure::invalid("config->reserved must be 0"));
        }
        Ok(())
    }

    /// Starts an engine as configured; 0 leaves a default alone.
    fn start(&self) -> Result<Hydrant, Failure> {
        self.check()?;
        let mut builder = Hydrant::builder();
        if self.cores != 0 {
            builder = builder.cores(self.cores as usize);
        }
        if self.pool_bytes != 0 {
            builder = builder.pool_bytes(self.pool_bytes as usize);
        }
        if self.flags & PIN_CORES != 0 {
            builder = builder.engine(|config| config.pin_cores = true);
        }
        if self.flags & ANONYMOUS != 0 {
            builder = builder.anonymous();
        }
        Ok(builder.build()?)
    }
}

/// Sets a configuration to the defaults.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_config_init(config: *mut EngineConfig, size: usize) -> Status {
    guard::entry(ErrorOut::NONE, |_| {
        // SAFETY: OWN-3. The caller lends `size` bytes for the time of the call.
        unsafe { sized::init(config, EngineConfig::DEFAULT, size, "config") }
    })
}

/// Starts an engine.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_create(
    config: *const EngineConfig,
    engine: *mut *mut Handle<Engine>,
    error: ErrorOut,
) -> Status {
    guard::entry(error, |_| {
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (engine, config) = unsafe {
            let config = match config.is_null() {
                true => EngineConfig::DEFAULT,
                false => sized::read(config, "config")?,
            };
            (Out::new(engine, "engine")?, config)
        };
        let hydrant = config.start()?;
        engine.write(Handle::give(Arc::new(Engine { hydrant, poison: Poison::default() })));
        Ok(())
    })
}

/// Stops an engine.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_destroy(engine: *mut Handle<Engine>) -> Status {
    guard::entry(ErrorOut::NONE, |_| {
        // SAFETY: FORK-1. The caller says that it is NULL or a handle, perhaps destroyed of late.
        if let Some(engine) = unsafe { Handle::retire(engine)? } {
            engine.hydrant.stop()?;
        }
        Ok(())
    })
}
