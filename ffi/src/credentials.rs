//! `hyd_options_set_credentials`: credentials that the program provides when they are needed.

use std::ffi::{c_char, c_void};
use std::sync::{Mutex, PoisonError};

use hydrant::s3::credentials::{Credentials, CredentialsError, CredentialsProvider, Provider};
use hydrant::s3::time::Timestamp;

use crate::args::c_text;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle;
use crate::options::{Options, hyd_options};
use crate::status::{HYD_OK, hyd_status};

/// What a function of hyd_options_set_credentials() fills in. The texts end with a NUL and are read
/// when it has returned: they stay as they are until it is called again.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_credentials {
    /// Set by the library.
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    pub access_key_id: *const c_char,
    pub secret_access_key: *const c_char,
    /// NULL where the keys are not temporary.
    pub session_token: *const c_char,
    /// When they end, in seconds since 1970, UTC; 0 where that is not known.
    pub expires_unix_s: i64,
}

/// Gives credentials that are good now, or a status that says why not. Threads: a thread of the
/// library, one call at a time; it may block, but names are looked up by the same
/// thread. It calls nothing of the library.
pub type hyd_credentials_fn = Option<
    unsafe extern "C" fn(user: *mut c_void, credentials: *mut hyd_credentials) -> hyd_status,
>;

/// Told once, when `user` is not needed any more. Threads: any; it calls nothing of the library.
pub type hyd_release_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

struct Callback {
    provide: unsafe extern "C" fn(*mut c_void, *mut hyd_credentials) -> hyd_status,
    release: hyd_release_fn,
    user: *mut c_void,
    /// Held while the function runs and its texts are copied: several engines may ask.
    one_at_a_time: Mutex<()>,
}

// SAFETY: OWN-3. `user` is only handed back to the caller's functions, which the header says run on
// threads of the library.
unsafe impl Send for Callback {}
// SAFETY: As above.
unsafe impl Sync for Callback {}

impl CredentialsProvider for Callback {
    fn provide(&self) -> Result<Credentials, CredentialsError> {
        let mut given = hyd_credentials {
            struct_size: size_of::<hyd_credentials>() as u32,
            reserved: 0,
            access_key_id: std::ptr::null(),
            secret_access_key: std::ptr::null(),
            session_token: std::ptr::null(),
            expires_unix_s: 0,
        };
        let _alone = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: OWN-3. The caller said that the function may be called until `user` is released,
        // which the drop of this does; `given` is lent to it for the time of the call.
        let status = unsafe { (self.provide)(self.user, &mut given) };
        if status != HYD_OK {
            let text = format!("the function of hyd_options_set_credentials() returned {status}");
            return Err(CredentialsError::provider(text));
        }
        let text = |text: *const c_char, name: &'static str| {
            // SAFETY: OWN-3. The texts stay as they are until the next call, and are copied here.
            unsafe { c_text(text, name) }.map(str::to_owned).map_err(|_| {
                CredentialsError::provider(format!("{name} of hyd_credentials is NULL or no text"))
            })
        };
        let token = match given.session_token.is_null() {
            true => None,
            false => Some(text(given.session_token, "session_token")?),
        };
        let end = u64::try_from(given.expires_unix_s).ok().filter(|&end| end > 0);
        Credentials::new(
            text(given.access_key_id, "access_key_id")?,
            text(given.secret_access_key, "secret_access_key")?,
            token,
            end.map(Timestamp::from_unix_seconds),
        )
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: OWN-3. Told once: this is the last that knows `user`.
            unsafe { release(self.user) };
        }
    }
}

/// Has `provide` asked for credentials: before the first request of S3, five minutes before what it
/// gave ends, and once when a server calls that expired. Keys that are set by hyd_options_set() come
/// before it. A status that is not HYD_OK is told by the requests that wait for credentials, as
/// HYD_E_CONFIG; what was given before serves until its end, and the function is asked again after a
/// second, then two, up to a minute. All stores that are opened with these options share what it gives.
///
/// `release` may be NULL. It is called once `user` is not needed any more: after the options were freed
/// and the stores closed that were opened with them, and what still ran with them has ended.
///
/// Errors: HYD_E_INVALID where `provide` is NULL; `release` is not called then, nor is it for other
/// errors.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_options_set_credentials(
    options: *mut hyd_options,
    provide: hyd_credentials_fn,
    user: *mut c_void,
    release: hyd_release_fn,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        let options = handle::get::<Options>(options)?;
        let provide = provide.ok_or_else(|| Failure::invalid("provide is NULL"))?;
        options.set_provider(Provider::new(Callback {
            provide,
            release,
            user,
            one_at_a_time: Mutex::new(()),
        }));
        Ok(())
    })
}
