//! `hyd_presigned`: a request that carries its own signature, with all that has to be sent.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use hydrant::s3::Presigned;

use crate::attributes::Pairs;
use crate::error::{ErrorOut, Failure, c_text, secret_c_text, wipe};
use crate::guard;
use crate::handle::{self, kind};
use crate::object_options::hyd_pair;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;

/// A presigned request.
pub struct hyd_presigned(());

/// What a presigned request is made of. Texts end with a NUL, and are valid until it is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_presigned_view {
    /// Set by the caller.
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// "GET", "PUT", ...
    pub method: *const c_char,
    /// Signature included: a secret as long as it lives.
    pub url: *const c_char,
    pub url_len: usize,
    /// Headers that are signed too, and have to be sent with just these values; `Host`, which every
    /// request has, is not among them.
    pub headers: *const hyd_pair,
    pub headers_count: usize,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_presigned_view {
    const NAME: &'static str = "hyd_presigned_view";
    const BYTES_MIN: usize = 48;
}

/// What a handle of a presigned request holds; wiped when it goes (SEC-1).
pub struct Request {
    method: CString,
    url: CString,
    headers: Pairs,
}

impl Drop for Request {
    fn drop(&mut self) {
        wipe(&mut self.url);
        self.headers.wipe();
    }
}

kind!(Request, hyd_presigned, 16, "presigned request");

/// Fills `view`, whose texts are valid until the request is freed.
///
/// Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_presigned_info(
    presigned: *const hyd_presigned,
    view: *mut hyd_presigned_view,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let request = handle::get::<Request>(presigned)?;
        // SAFETY: OWN-3. The caller lends `*view` for the time of the call.
        let view = unsafe { SizedOut::new(view, "view")? };
        let (headers, headers_count) = request.headers.view();
        view.write(hyd_presigned_view {
            struct_size: sized::size_of::<hyd_presigned_view>(),
            reserved: 0,
            method: request.method.as_ptr(),
            url: request.url.as_ptr(),
            url_len: request.url.as_bytes().len(),
            headers,
            headers_count,
        });
        Ok(())
    })
}

/// Frees a presigned request, and wipes it; NULL is fine. Its texts are gone.
///
/// Errors: HYD_E_HANDLE when it was freed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread reads a view of it.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_presigned_free(presigned: *mut hyd_presigned) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Request>(presigned).map(drop))
}

/// A handle for the caller, who frees it.
pub fn give(signed: Presigned) -> Result<*mut hyd_presigned, Failure> {
    handle::give(Arc::new(Request {
        method: c_text(signed.method.as_str().to_owned()),
        url: secret_c_text(&signed.url),
        headers: Pairs::of_secrets(&signed.headers),
    }))
}
