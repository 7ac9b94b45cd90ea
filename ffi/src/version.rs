//! Which library this is.

use std::ffi::{CStr, c_char};

/// The version of this library, as `HYD_VERSION` of its header: major, minor and patch in 8, 8 and 16
/// bits.
const VERSION: u32 = (number(env!("CARGO_PKG_VERSION_MAJOR")) << 24)
    | (number(env!("CARGO_PKG_VERSION_MINOR")) << 16)
    | number(env!("CARGO_PKG_VERSION_PATCH"));

const VERSION_TEXT: &CStr = match CStr::from_bytes_with_nul(
    concat!("hydrant ", env!("CARGO_PKG_VERSION"), "\0").as_bytes(),
) {
    Ok(text) => text,
    Err(_) => panic!("a version has no NUL"),
};

/// The version of the library at run time, packed as HYD_VERSION.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_version() -> u32 {
    VERSION
}

/// The name and version of the library as static text, "hydrant 0.1.0".
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_version_string() -> *const c_char {
    VERSION_TEXT.as_ptr()
}

const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("cargo gives numbers"),
    }
}
