//! What C hands in, read with care: pointers, texts, memory.
//!
//! The references made here live as long as the call that was given the pointers; every caller of
//! these functions is an entry that keeps them no longer.

use std::ffi::{CStr, c_char, c_void};

use crate::error::Failure;

/// The longest URI that is read; a longer text is no URI, or has no NUL.
const URI_BYTES_MAX: usize = 64 << 10;

/// Whether a pointer can be used at all.
pub fn is_usable<T>(pointer: *const T) -> bool {
    !pointer.is_null() && pointer.is_aligned()
}

/// Refuses a pointer that cannot be used.
pub fn usable<T>(pointer: *const T, argument: &str) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::invalid(format!("{argument} is NULL")));
    }
    if !pointer.is_aligned() {
        return Err(Failure::invalid(format!("{argument} is not aligned; is it a wrong pointer?")));
    }
    Ok(())
}

/// A place of the caller for an output, checked before the work; written on success only.
pub struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Checks the place.
    ///
    /// # Safety
    /// `place` is NULL, or writable as long as this lives.
    pub unsafe fn new(place: *mut T, argument: &str) -> Result<Out<T>, Failure> {
        usable(place, argument)?;
        Ok(Out(place))
    }

    /// Writes the output.
    pub fn write(self, value: T) {
        // SAFETY: OWN-3. Writable by the contract of `new`.
        unsafe { self.0.write(value) };
    }
}

/// A text with a NUL at its end.
///
/// # Safety
/// `text` is NULL, or readable to its NUL and unchanged during the call.
pub unsafe fn c_text<'a>(text: *const c_char, argument: &str) -> Result<&'a str, Failure> {
    usable(text, argument)?;
    // SAFETY: OWN-3, by the contract of this function.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    if bytes.len() > URI_BYTES_MAX {
        return Err(Failure::invalid(format!("{argument} has more than {URI_BYTES_MAX} bytes")));
    }
    utf8(bytes, argument)
}

/// A text as pointer and length.
///
/// # Safety
/// As for [`bytes`].
pub unsafe fn text<'a>(
    text: *const c_char,
    len: usize,
    argument: &str,
) -> Result<&'a str, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let bytes = unsafe { bytes(text.cast(), len, argument)? };
    utf8(bytes, argument)
}

/// Memory of the caller, to read.
///
/// # Safety
/// `data` is NULL, or `len` bytes there are readable and unchanged during the call.
pub unsafe fn bytes<'a>(
    data: *const c_void,
    len: usize,
    argument: &str,
) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    check_memory(data, len, argument)?;
    // SAFETY: OWN-3. Not NULL, and not longer than an object can be; readable by the contract.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// Memory of the caller, to write. It need not be initialised: integers are only ever written to it,
/// by the kernel or by a copy.
///
/// # Safety
/// `data` is NULL, or `len` bytes there are writable and used by nobody else during the call.
pub unsafe fn bytes_mut<'a>(
    data: *mut c_void,
    len: usize,
    argument: &str,
) -> Result<&'a mut [u8], Failure> {
    if len == 0 {
        return Ok(&mut []);
    }
    check_memory(data, len, argument)?;
    // SAFETY: OWN-3. Not NULL, and not longer than an object can be; exclusive by the contract.
    Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), len) })
}

fn check_memory(data: *const c_void, len: usize, argument: &str) -> Result<(), Failure> {
    usable(data, argument)?;
    let ends = data.addr().checked_add(len).is_some();
    if len > isize::MAX as usize || !ends {
        return Err(Failure::invalid(format!(
            "{argument} cannot have {len} bytes; is the length negative?"
        )));
    }
    Ok(())
}

fn utf8<'a>(bytes: &'a [u8], argument: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        Failure::invalid(format!("{argument} is not UTF-8 at byte {}", error.valid_up_to()))
    })
}

#[cfg(test)]
mod tests {
    use std::ptr::null;

    use super::*;

    #[test]
    fn texts_are_utf8_of_a_length() {
        let key = b"caf\xc3\xa9";
        let read = |len| {
            // SAFETY: `key` has five bytes.
            unsafe { text(key.as_ptr().cast(), len, "key") }
        };
        assert_eq!(read(5).expect("all of it"), "café");
        assert!(read(4).is_err(), "half a character");
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { text(null(), 0, "key") }.expect("empty"), "");
        // SAFETY: as above.
        assert!(unsafe { text(null(), 1, "key") }.is_err());
    }

    #[test]
    fn lengths_that_no_memory_has_are_refused() {
        let byte = 0_u8;
        for len in [usize::MAX, isize::MAX as usize + 1] {
            // SAFETY: nothing is read for such a length.
            assert!(unsafe { bytes((&raw const byte).cast(), len, "data") }.is_err(), "{len}");
        }
    }
}
