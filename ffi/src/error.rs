//! `hyd_error`: what went wrong in one call.

use std::any::Any;
use std::ffi::{CString, c_char};

use hydrant::{Class, Error, ErrorKind};

use crate::args;
use crate::guard;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::{self, Status};

/// Bits of `hyd_error_view.flags`.
pub const RETRIABLE: u32 = 1;
pub const FATAL: u32 = 2;

/// What a failed call hands out as `hyd_error`. It refers to nothing, so it outlives all handles.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    os_errno: i32,
    http_status: i32,
    attempts: u32,
    retriable: bool,
    message: CString,
    s3_code: CString,
    request_id: CString,
}

/// The last argument of an entry, `hyd_error **`: NULL, or lent by the caller for the time of the
/// call. It comes from C, and goes with the call.
#[repr(transparent)]
pub struct ErrorOut(*mut *mut Failure);

/// `hyd_error_view`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ErrorView {
    pub struct_size: u32,
    pub status: Status,
    pub os_errno: i32,
    pub http_status: i32,
    pub attempts: u32,
    pub flags: u32,
    pub message: *const c_char,
    pub message_len: usize,
    pub s3_code: *const c_char,
    pub s3_code_len: usize,
    pub request_id: *const c_char,
    pub request_id_len: usize,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding (the test of the header compares
// every offset), the size first.
unsafe impl SizedStruct for ErrorView {
    const NAME: &'static str = "hyd_error_view";
    const BYTES_MIN: usize = 72;
}

impl Failure {
    /// A failure of which there is nothing to say but this.
    pub fn new(status: Status, message: impl Into<String>) -> Failure {
        Failure {
            status,
            os_errno: 0,
            http_status: 0,
            attempts: 0,
            retriable: false,
            message: c_text(message.into()),
            s3_code: CString::default(),
            request_id: CString::default(),
        }
    }

    /// An argument that makes no sense.
    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(status::INVALID, message)
    }

    /// A panic that the guard caught.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Failure {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("it said nothing");
        let advice = "this is a mistake in the library; destroy the engine and report the message";
        Failure::new(status::PANIC, format!("a panic inside the library: {text}; {advice}"))
    }

    /// The status that the call returns.
    pub fn status(&self) -> Status {
        self.status
    }

    fn flags(&self) -> u32 {
        let fatal = [status::HANDLE, status::FORKED, status::PANIC, status::CANCELLED];
        let retriable = if self.retriable { RETRIABLE } else { 0 };
        retriable | if fatal.contains(&self.status) { FATAL } else { 0 }
    }

    fn view(&self) -> ErrorView {
        ErrorView {
            struct_size: sized::size_of::<ErrorView>(),
            status: self.status,
            os_errno: self.os_errno,
            http_status: self.http_status,
            attempts: self.attempts,
            flags: self.flags(),
            message: self.message.as_ptr(),
            message_len: self.message.count_bytes(),
            s3_code: self.s3_code.as_ptr(),
            s3_code_len: self.s3_code.count_bytes(),
            request_id: self.request_id.as_ptr(),
            request_id_len: self.request_id.count_bytes(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let mut failure = Failure::new(status::of(&error), error.to_string());
        failure.retriable = error.class() == Class::Temporary;
        match cause(&error).kind() {
            ErrorKind::Engine(engine) => failure.os_errno = engine.errno().unwrap_or(0),
            ErrorKind::S3(answer) => {
                failure.http_status = i32::from(answer.http_status);
                failure.attempts = answer.attempts;
                failure.s3_code = c_text(answer.code.clone());
                failure.request_id = c_text(answer.request_id.clone().unwrap_or_default());
            }
            ErrorKind::Http { attempts, .. } => failure.attempts = *attempts,
            _ => {}
        }
        failure
    }
}

/// What a transfer failed by; what it left behind is in the message.
fn cause(error: &Error) -> &Error {
    match error.kind() {
        ErrorKind::LeftBehind { error, .. } => cause(error),
        _ => error,
    }
}

/// Fills a view of an error.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_error_info(error: *const Failure, view: *mut ErrorView) -> Status {
    guard::entry(ErrorOut::NONE, |_| {
        // SAFETY: OWN-3. The caller says that `error` is NULL or an error not freed yet.
        let failure = unsafe { error.as_ref() };
        let failure = failure.ok_or_else(|| Failure::invalid("error is NULL"))?;
        // SAFETY: OWN-3. The caller lends `*view` for the time of the call.
        let view = unsafe { SizedOut::new(view, "view")? };
        view.write(failure.view());
        Ok(())
    })
}

/// Frees an error.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_error_free(error: *mut Failure) {
    guard::entry(ErrorOut::NONE, |_| {
        if !error.is_null() {
            // SAFETY: OWN-3. `hand_over` made it by `Box::into_raw`, and the caller frees it once.
            drop(unsafe { Box::from_raw(error) });
        }
        Ok(())
    });
}

impl ErrorOut {
    /// For functions that give a status alone.
    pub const NONE: ErrorOut = ErrorOut(std::ptr::null_mut());

    /// Gives a failure to the caller, who frees it, unless the caller does not want it.
    pub fn write(self, failure: Failure) {
        if args::is_usable(self.0) {
            let failure = Box::into_raw(Box::new(failure));
            // SAFETY: OWN-3. Neither NULL nor misaligned, and lent for the call, which is not over.
            unsafe { self.0.write(failure) };
        }
    }
}

/// C's texts end at the first NUL, so one inside is spelled out.
fn c_text(text: String) -> CString {
    let bytes = if text.contains('\0') { text.replace('\0', "\\0") } else { text };
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hydrant::engine::{Error as EngineError, OsError};

    use super::*;

    #[test]
    fn a_nul_does_not_cut_a_message() {
        let failure = Failure::invalid("a\0b");
        assert_eq!(failure.message.to_str(), Ok("a\\0b"));
    }

    #[test]
    fn an_error_object_is_given_on_failure_only() {
        let mut error = std::ptr::null_mut();
        let place = &raw mut error;
        assert_eq!(guard::entry(ErrorOut(place), |_| Ok(())), status::OK);
        assert!(error.is_null());
        let failing = guard::entry(ErrorOut(place), |_| Err(Failure::invalid("nonsense")));
        assert_eq!(failing, status::INVALID);
        assert!(!error.is_null());
        // SAFETY: OWN-3. It was given a line above and is freed once.
        unsafe { hyd_error_free(error) };
    }

    #[test]
    fn a_panic_is_fatal_and_says_what_it_said() {
        let failure = Failure::of_panic(&"index out of bounds");
        assert_eq!((failure.status(), failure.flags()), (status::PANIC, FATAL));
        assert!(failure.message.to_string_lossy().contains("index out of bounds"), "{failure:?}");
        let silent = Failure::of_panic(&7_u8);
        assert!(silent.message.to_string_lossy().contains("it said nothing"), "{silent:?}");
    }

    #[test]
    fn an_errno_comes_through_also_when_something_was_left_behind() {
        let os = |errno| Error::from(EngineError::from(OsError::new("write", "/x", errno)));
        let failure = Failure::from(os(28));
        assert_eq!((failure.status(), failure.os_errno), (status::DISK, 28));

        let left_behind = ErrorKind::LeftBehind { error: os(28), left: os(5) };
        let failure = Failure::from(Error::from(left_behind));
        assert_eq!((failure.status(), failure.os_errno), (status::DISK, 28));
        assert!(failure.message.to_string_lossy().contains("could not be cleaned up"));
    }
}
