//! `hyd_store`: one place for objects.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::Hydrant;

use crate::args::{Out, c_text};
use crate::engine::Engine;
use crate::error::{ErrorOut, Failure};
use crate::guard;
use crate::handle::{Handle, Kind, Retired};
use crate::status::Status;

/// What a store handle holds.
pub struct Store {
    pub store: hydrant::Store,
    /// The engine beneath. Destroying it stops the work; what is left of it goes with the last store.
    pub engine: Arc<Engine>,
}

impl Kind for Store {
    const NAME: &'static str = "store";
    const MAGIC: u64 = u64::from_le_bytes(*b"hydstore");

    fn retired() -> &'static Retired<Store> {
        static RETIRED: Retired<Store> = Retired::new();
        &RETIRED
    }
}

/// Opens the store of a URI.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_store_open(
    engine: *const Handle<Engine>,
    uri: *const c_char,
    store: *mut *mut Handle<Store>,
    error: ErrorOut,
) -> Status {
    guard::entry(error, |entry| {
        // SAFETY: FORK-1. The caller says that it is NULL or a handle, perhaps destroyed of late.
        let engine = unsafe { Handle::get(engine)? };
        entry.uses(&engine.poison)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (uri, out) = unsafe { (c_text(uri, "uri")?, Out::new(store, "store")?) };
        let store = open(&engine.hydrant, uri)?;
        out.write(Handle::give(Arc::new(Store { store, engine })));
        Ok(())
    })
}

/// A URI with a key would be a store and an object; a caller who means the key to be a prefix must
/// not get the whole bucket in silence.
fn open(hydrant: &Hydrant, uri: &str) -> Result<hydrant::Store, Failure> {
    let location = hydrant.locate(uri)?;
    let root = if location.uri().scheme().is_path() { "/" } else { "" };
    if location.key != root {
        return Err(Failure::invalid(
            "the URI has a key: a store is opened as s3://bucket, s3://host:port/bucket, mem://name, \
             file:/// or direct:///, and each call is given its key, for files the path",
        ));
    }
    Ok(location.store)
}

/// Closes a store.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_store_close(store: *mut Handle<Store>) -> Status {
    guard::entry(ErrorOut::NONE, |_| {
        // SAFETY: FORK-1. The caller says that it is NULL or a handle, perhaps closed of late.
        drop(unsafe { Handle::retire(store)? });
        Ok(())
    })
}
