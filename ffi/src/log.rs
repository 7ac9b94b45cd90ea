//! `hyd_set_log`: where the library tells what nobody waits for.

use std::ffi::{c_char, c_void};
use std::sync::RwLock;

use crate::error::{ErrorOut, Failure};
use crate::guard;
use crate::status::hyd_status;

/// A level of hyd_set_log(): nothing.
pub const HYD_LOG_NOTHING: u32 = 0;
/// A level of hyd_set_log(): a clean-up that failed, a core that ended.
pub const HYD_LOG_WARNING: u32 = 1;

/// Is told a message: its level, and a text of `len` bytes in UTF-8, which is gone after the call.
/// It runs on any thread of an engine, also on several at once, and must neither block nor call into
/// the library.
pub type hyd_log_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, level: u32, text: *const c_char, len: usize)>;

struct Hook {
    call: unsafe extern "C" fn(user: *mut c_void, level: u32, text: *const c_char, len: usize),
    user: *mut c_void,
    level: u32,
}

// SAFETY: OWN-3. `user` is only handed back to the caller's function, which the header says runs on
// any thread.
unsafe impl Send for Hook {}
// SAFETY: As above; the header says that it runs on several at once.
unsafe impl Sync for Hook {}

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Has `log` told what nobody waits for, instead of standard error; for the whole process, also for
/// engines that run already. NULL goes back to standard error. Messages above `level` are dropped.
/// When the call returns, the function that was set before is not running any more and is not called
/// again. Messages never contain credentials.
///
/// Errors: HYD_E_INVALID for a level that is none.
///
/// Threads: any; never from within `log`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_set_log(log: hyd_log_fn, user: *mut c_void, level: u32) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        if level > HYD_LOG_WARNING {
            return Err(Failure::invalid(format!("there is no level {level}")));
        }
        let hook = log.map(|call| Hook { call, user, level });
        *HOOK.write().unwrap_or_else(std::sync::PoisonError::into_inner) = hook;
        Ok(())
    })
}

/// Tells a message; what engines are configured with.
pub fn report(message: std::fmt::Arguments<'_>) {
    // Never waited for: whoever sets a function meanwhile, or a lock that a fork left behind, costs
    // a message its way.
    let hook = HOOK.try_read().ok();
    match hook.as_ref().and_then(|hook| hook.as_ref()) {
        Some(hook) if hook.level == HYD_LOG_NOTHING => {}
        Some(hook) => {
            let text = message.to_string();
            // SAFETY: OWN-3. The caller said that the function may be called from any thread until
            // another one is set, which takes the lock that is held here.
            unsafe { (hook.call)(hook.user, HYD_LOG_WARNING, text.as_ptr().cast(), text.len()) };
        }
        None => to_standard_error(message),
    }
}

#[expect(clippy::print_stderr, reason = "the default where the embedder sets no function")]
fn to_standard_error(message: std::fmt::Arguments<'_>) {
    eprintln!("hydrant: {message}");
}
