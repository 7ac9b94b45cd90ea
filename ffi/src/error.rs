//! `hyd_error`: what went wrong in one call.

use std::any::Any;
use std::ffi::{CString, c_char};
use std::sync::Arc;

use hydrant::{Class, Error, ErrorKind};
use zeroize::Zeroize;

use crate::args::{self, Out};
use crate::guard;
use crate::handle::{self, kind};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::{self, hyd_status};

/// What went wrong in one call. It outlives the handles that the call was made with.
pub struct hyd_error(());

/// A bit of hyd_error_view.flags: the same call may work later.
pub const HYD_ERROR_RETRIABLE: u32 = 1;
/// A bit of hyd_error_view.flags: no call with this handle will work.
pub const HYD_ERROR_FATAL: u32 = 2;

/// What a failed call hands out as `hyd_error`. It refers to nothing, so it outlives all handles.
#[derive(Debug, Clone)]
pub struct Failure {
    status: hyd_status,
    os_errno: i32,
    http_status: i32,
    attempts: u32,
    retriable: bool,
    message: CString,
    s3_code: CString,
    request_id: CString,
    host_id: CString,
    region: CString,
    endpoint: CString,
}

kind!(Failure, hyd_error, 1, "error");

/// The last argument of an entry, `hyd_error **`: NULL, or lent by the caller for the time of the
/// call. It comes from C, and goes with the call.
pub struct ErrorOut(*mut *mut hyd_error);

/// The fields of an error. Texts are UTF-8 with a NUL after their length, and empty, never NULL,
/// where there is nothing to say. They never contain credentials.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_error_view {
    /// Set by the caller.
    pub struct_size: u32,
    /// What the call returned.
    pub status: hyd_status,
    /// The errno behind it, or 0.
    pub os_errno: i32,
    /// The HTTP status of the last answer, or 0.
    pub http_status: i32,
    /// Tries made, or 0 where nothing was tried.
    pub attempts: u32,
    /// HYD_ERROR_*
    pub flags: u32,
    /// Operation, object, cause and way out, in one line.
    pub message: *const c_char,
    pub message_len: usize,
    /// NoSuchKey; empty where the answer had none, as those to HEAD.
    pub s3_code: *const c_char,
    pub s3_code_len: usize,
    /// What the server calls the request.
    pub request_id: *const c_char,
    pub request_id_len: usize,
    /// What S3 calls it besides: `x-amz-id-2`.
    pub host_id: *const c_char,
    pub host_id_len: usize,
    /// The region of the bucket, where S3 told it with a refusal: also to who may not use the bucket.
    pub region: *const c_char,
    pub region_len: usize,
    /// The endpoint that S3 says to use. No credentials go there by themselves.
    pub endpoint: *const c_char,
    pub endpoint_len: usize,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding (the test of the header compares
// every offset), the size first.
unsafe impl SizedStruct for hyd_error_view {
    const NAME: &'static str = "hyd_error_view";
    const BYTES_MIN: usize = 72;
}

impl Failure {
    /// A failure of which there is nothing to say but this.
    pub fn new(status: hyd_status, message: impl Into<String>) -> Failure {
        Failure {
            status,
            os_errno: 0,
            http_status: 0,
            attempts: 0,
            retriable: false,
            message: c_text(message.into()),
            s3_code: CString::default(),
            request_id: CString::default(),
            host_id: CString::default(),
            region: CString::default(),
            endpoint: CString::default(),
        }
    }

    /// An argument that makes no sense.
    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(status::HYD_E_INVALID, message)
    }

    /// A panic that the guard caught.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Failure {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("it said nothing");
        let advice = "this is a mistake in the library; destroy the engine and report the message";
        Failure::new(status::HYD_E_PANIC, format!("a panic inside the library: {text}; {advice}"))
    }

    /// The status that the call returns.
    pub fn status(&self) -> hyd_status {
        self.status
    }

    fn flags(&self) -> u32 {
        let fatal = [
            status::HYD_E_HANDLE,
            status::HYD_E_FORKED,
            status::HYD_E_PANIC,
            status::HYD_E_CANCELLED,
        ];
        let retriable = if self.retriable { HYD_ERROR_RETRIABLE } else { 0 };
        retriable | if fatal.contains(&self.status) { HYD_ERROR_FATAL } else { 0 }
    }

    fn view(&self) -> hyd_error_view {
        hyd_error_view {
            struct_size: sized::size_of::<hyd_error_view>(),
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
            host_id: self.host_id.as_ptr(),
            host_id_len: self.host_id.count_bytes(),
            region: self.region.as_ptr(),
            region_len: self.region.count_bytes(),
            endpoint: self.endpoint.as_ptr(),
            endpoint_len: self.endpoint.count_bytes(),
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
                let text = |told: &Option<String>| c_text(told.clone().unwrap_or_default());
                failure.request_id = text(&answer.request_id);
                failure.host_id = text(&answer.host_id);
                failure.region = text(&answer.region);
                failure.endpoint = text(&answer.endpoint);
            }
            ErrorKind::Refused { status, attempts, .. } => {
                failure.http_status = i32::from(*status);
                failure.attempts = *attempts;
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
        ErrorKind::LeftBehind { error, .. }
        | ErrorKind::Kept { error, .. }
        | ErrorKind::NotAborted { source: error, .. } => cause(error),
        _ => error,
    }
}

/// Fills `view`, whose texts are valid until the error is freed.
///
/// Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
///
/// Threads: any; not while another thread frees the same error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_error_info(
    error: *const hyd_error,
    view: *mut hyd_error_view,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let failure = handle::get::<Failure>(error)?;
        // SAFETY: OWN-3. The caller lends `*view` for the time of the call.
        let view = unsafe { SizedOut::new(view, "view")? };
        view.write(failure.view());
        Ok(())
    })
}

/// Another handle of an error, freed by itself: to keep one beyond the place that it came from.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED; HYD_E_AGAIN when there are too many.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_error_dup(
    error: *const hyd_error,
    copy: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let failure = handle::get::<Failure>(error)?;
        // SAFETY: OWN-3. The caller lends `*copy` for the time of the call.
        let copy = unsafe { Out::new(copy, "copy")? };
        copy.write(handle::give(Arc::new(Failure::clone(&failure)))?);
        Ok(())
    })
}

/// Frees an error; NULL is fine, and so is one that was freed before.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_error_free(error: *mut hyd_error) {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Failure>(error).map(drop));
}

impl ErrorOut {
    /// For functions that give a status alone.
    pub const NONE: ErrorOut = ErrorOut(std::ptr::null_mut());

    /// The place that the caller lends.
    pub fn new(place: *mut *mut hyd_error) -> ErrorOut {
        ErrorOut(place)
    }

    /// Gives a failure to the caller, who frees it, unless the caller does not want it.
    pub fn write(self, failure: Failure) {
        if args::is_usable(self.0) {
            let error = handle::give(Arc::new(failure)).unwrap_or(std::ptr::null_mut());
            // SAFETY: OWN-3. Neither NULL nor misaligned, and lent for the call, which is not over.
            unsafe { self.0.write(error) };
        }
    }
}

/// C's texts end at the first NUL, so one inside is spelled out.
pub fn c_text(text: String) -> CString {
    let bytes = if text.contains('\0') { text.replace('\0', "\\0") } else { text };
    CString::new(bytes).unwrap_or_default()
}

/// The same of a secret: its room is made once, as a buffer that grew would leave a copy behind (SEC-1).
pub fn secret_c_text(text: &str) -> CString {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend(text.bytes().filter(|&byte| byte != 0));
    bytes.push(0);
    CString::from_vec_with_nul(bytes).unwrap_or_default()
}

/// Wipes a text that was one.
pub fn wipe(text: &mut CString) {
    std::mem::take(text).into_bytes_with_nul().zeroize();
}

#[cfg(test)]
mod tests {
    use hydrant::engine::{Error as EngineError, OsError};
    use hydrant::s3::xml::XmlLimits;
    use hydrant::s3::{ErrorContext, S3Error};

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
        assert_eq!(guard::entry(ErrorOut(place), |_| Ok(())), status::HYD_OK);
        assert!(error.is_null());
        let failing = guard::entry(ErrorOut(place), |_| Err(Failure::invalid("nonsense")));
        assert_eq!(failing, status::HYD_E_INVALID);
        assert!(!error.is_null());
        hyd_error_free(error);
        hyd_error_free(error);
    }

    #[test]
    fn a_panic_is_fatal_and_says_what_it_said() {
        let failure = Failure::of_panic(&"index out of bounds");
        assert_eq!((failure.status(), failure.flags()), (status::HYD_E_PANIC, HYD_ERROR_FATAL));
        assert!(failure.message.to_string_lossy().contains("index out of bounds"), "{failure:?}");
        let silent = Failure::of_panic(&7_u8);
        assert!(silent.message.to_string_lossy().contains("it said nothing"), "{silent:?}");
    }

    /// Who may not use a bucket is told where it is all the same.
    #[test]
    fn a_refusal_tells_the_region() {
        let context = ErrorContext {
            operation: "HeadBucket",
            bucket: "b",
            key: None,
            http_status: 403,
            request_id: Some("r"),
            host_id: Some("h"),
            bucket_region: Some("eu-west-1"),
        };
        let refused = S3Error::from_answer(&context, b"", &XmlLimits::default());
        let failure = Failure::from(Error::from(ErrorKind::S3(refused)));
        assert_eq!((failure.status(), failure.http_status), (status::HYD_E_CONFIG, 403));
        let texts = [&failure.request_id, &failure.host_id, &failure.region, &failure.endpoint];
        assert_eq!(texts.map(|text| text.to_str()), ["r", "h", "eu-west-1", ""].map(Ok));
    }

    #[test]
    fn an_errno_comes_through_also_when_something_was_left_behind() {
        let os = |errno| Error::from(EngineError::from(OsError::new("write", "/x", errno)));
        let failure = Failure::from(os(28));
        assert_eq!((failure.status(), failure.os_errno), (status::HYD_E_DISK, 28));

        let left_behind = ErrorKind::LeftBehind { error: os(28), left: os(5) };
        let failure = Failure::from(Error::from(left_behind));
        assert_eq!((failure.status(), failure.os_errno), (status::HYD_E_DISK, 28));
        assert!(failure.message.to_string_lossy().contains("could not be cleaned up"));
    }
}
