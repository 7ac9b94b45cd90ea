//! `hyd_signer`: who signs the requests of a store.

use std::ffi::c_char;

use hydrant::s3::Signer;

use crate::args::fixed_text;
use crate::error::{ErrorOut, hyd_error};
use crate::guard;
use crate::meta::{HYD_TIME_UNKNOWN, unix_ns};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A bit of hyd_signer.flags: requests are signed.
pub const HYD_SIGNER_SIGNS: u32 = 1;

/// Who signs. Texts are cut where they are longer, and NUL-terminated.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_signer {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_SIGNER_SIGNS; without it the rest says nothing.
    pub flags: u32,
    /// When the keys end, in nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
    pub ends_unix_ns: i64,
    /// The public half of the pair.
    pub access_key_id: [c_char; 160],
    /// Where the pair comes from, for people.
    pub source: [c_char; 256],
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_signer {
    const NAME: &'static str = "hyd_signer";
    const BYTES_MIN: usize = 432;
}

impl hyd_signer {
    fn of(signer: &Signer) -> hyd_signer {
        let (flags, access_key_id, source, ends) = match signer {
            Signer::Nobody => (0, "", "", None),
            Signer::Keys { access_key_id, source, ends } => {
                (HYD_SIGNER_SIGNS, access_key_id.as_str(), source.as_str(), *ends)
            }
        };
        hyd_signer {
            struct_size: sized::size_of::<hyd_signer>(),
            flags,
            ends_unix_ns: ends.and_then(unix_ns).unwrap_or(HYD_TIME_UNKNOWN),
            access_key_id: fixed_text(access_key_id),
            source: fixed_text(source),
        }
    }
}

/// Finds out who signs the requests of a store, asking the source of credentials where none are held.
///
/// Errors: HYD_E_CONFIG where nobody gives credentials; HYD_E_UNSUPPORTED for a store that is not S3;
/// HYD_E_INVALID, HYD_E_TEMPORARY, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_store_signer(
    store: *const hyd_store,
    signer: *mut hyd_signer,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        let signer = unsafe { SizedOut::new(signer, "signer")? };
        signer.write(hyd_signer::of(&store.s3()?.who_signs().wait()?));
        Ok(())
    })
}
