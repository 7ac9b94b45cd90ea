//! What C hands in, read with care: pointers, texts, memory.
//!
//! The references made here live as long as the call that was given the pointers; every caller of
//! these functions is an entry that keeps them no longer.

use std::ffi::{CStr, c_char, c_void};

use crate::error::Failure;
use crate::status;

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

    /// The same for a place that the caller may leave out.
    ///
    /// # Safety
    /// As for [`Out::new`].
    pub unsafe fn optional(place: *mut T, argument: &str) -> Result<Option<Out<T>>, Failure> {
        if place.is_null() {
            return Ok(None);
        }
        // SAFETY: OWN-3, by the contract of this function.
        unsafe { Out::new(place, argument) }.map(Some)
    }

    /// Writes an output that the caller may have left out.
    pub fn write_optional(place: Option<Out<T>>, value: T) {
        if let Some(place) = place {
            place.write(value);
        }
    }

    /// Writes the output.
    pub fn write(self, value: T) {
        // SAFETY: OWN-3. Writable by the contract of `new`.
        unsafe { self.0.write(value) };
    }
}

/// A place of the caller for a text whose length it does not know.
pub struct TextOut<'a> {
    text: &'a mut [u8],
    need: Out<usize>,
}

impl TextOut<'_> {
    /// Checks the place.
    ///
    /// # Safety
    /// As for [`bytes_mut`] and [`Out::new`].
    pub unsafe fn new(
        text: *mut c_char,
        capacity: usize,
        need: *mut usize,
    ) -> Result<Self, Failure> {
        // SAFETY: OWN-3, by the contract of this function.
        let (text, need) =
            unsafe { (bytes_mut(text.cast(), capacity, "text")?, Out::new(need, "need")?) };
        Ok(TextOut { text, need })
    }

    /// Writes the text and its NUL where they fit, and what they need without the NUL.
    ///
    /// # Errors
    /// `AGAIN` when there is room, but too little.
    pub fn write(self, text: &str) -> Result<(), Failure> {
        self.need.write(text.len());
        if self.text.is_empty() {
            return Ok(());
        }
        if text.len() >= self.text.len() {
            let (need, capacity) = (text.len() + 1, self.text.len());
            let message = format!("the text needs {need} bytes with its NUL, and has {capacity}");
            return Err(Failure::new(status::HYD_E_AGAIN, message));
        }
        self.text[..text.len()].copy_from_slice(text.as_bytes());
        self.text[text.len()] = 0;
        Ok(())
    }
}

/// A text in a field of a struct, cut between two characters where it does not fit, with a NUL.
pub fn fixed_text<const BYTES: usize>(text: &str) -> [c_char; BYTES] {
    let mut fixed = [0; BYTES];
    let text = &text[..text.floor_char_boundary(BYTES - 1)];
    for (to, from) in fixed.iter_mut().zip(text.bytes()) {
        *to = from as c_char;
    }
    fixed
}

/// A text with a NUL at its end.
///
/// # Safety
/// `text` is NULL, or readable to its NUL and unchanged during the call.
pub unsafe fn c_text<'a>(text: *const c_char, argument: &str) -> Result<&'a str, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    unsafe { c_text_up_to(text, URI_BYTES_MAX, argument) }
}

/// The same of a text that may have so many bytes.
///
/// # Safety
/// As for [`c_text`].
pub unsafe fn c_text_up_to<'a>(
    text: *const c_char,
    bytes_max: usize,
    argument: &str,
) -> Result<&'a str, Failure> {
    usable(text, argument)?;
    // SAFETY: OWN-3, by the contract of this function.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    if bytes.len() > bytes_max {
        return Err(Failure::invalid(format!("{argument} has more than {bytes_max} bytes")));
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

/// Refuses pieces of memory, each a start and a length, of which two share a byte.
pub fn refuse_overlaps(pieces: impl Iterator<Item = (usize, usize)>) -> Result<(), Failure> {
    let mut pieces: Vec<_> = pieces.filter(|(_, len)| *len > 0).collect();
    pieces.sort_unstable();
    match pieces.windows(2).any(|two| two[0].0.saturating_add(two[0].1) > two[1].0) {
        true => Err(Failure::invalid("the memory of two ranges overlaps")),
        false => Ok(()),
    }
}

/// Values that the caller has end to end.
///
/// # Safety
/// `first` is NULL, or `count` values there are readable and unchanged during the call.
pub unsafe fn array<'a, T>(
    first: *const T,
    count: usize,
    argument: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    check_array(first, count, argument)?;
    // SAFETY: OWN-3. Not NULL, aligned, not longer than an object can be; readable by the contract.
    Ok(unsafe { std::slice::from_raw_parts(first, count) })
}

/// The same, to be written to.
///
/// # Safety
/// As for [`array`], and writable, and used by nobody else during the call.
pub unsafe fn array_mut<'a, T>(
    first: *mut T,
    count: usize,
    argument: &str,
) -> Result<&'a mut [T], Failure> {
    if count == 0 {
        return Ok(&mut []);
    }
    check_array(first, count, argument)?;
    // SAFETY: OWN-3. As in `array`, and exclusive by the contract.
    Ok(unsafe { std::slice::from_raw_parts_mut(first, count) })
}

/// Room for `count` values, which need not be initialised.
///
/// # Safety
/// `first` is NULL, or `count` values there are writable during the call.
pub unsafe fn array_out<T>(first: *mut T, count: usize, argument: &str) -> Result<*mut T, Failure> {
    if count > 0 {
        check_array(first, count, argument)?;
    }
    Ok(first)
}

/// Room for values that are filled when the work is done.
pub struct ArrayOut<T> {
    first: *mut T,
    count: usize,
}

impl<T> Clone for ArrayOut<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ArrayOut<T> {}

// SAFETY: OWN-3. The room is the library's until it is filled, on whatever thread; the values, plain data of
// the header, are of the caller.
unsafe impl<T: Copy> Send for ArrayOut<T> {}

impl<T> ArrayOut<T> {
    /// Checks the room.
    ///
    /// # Safety
    /// `first` is NULL, or `count` values there are writable as long as this lives.
    pub unsafe fn new(first: *mut T, count: usize, argument: &str) -> Result<Self, Failure> {
        // SAFETY: OWN-3, by the contract of this function.
        unsafe { array_out(first, count, argument) }.map(|first| ArrayOut { first, count })
    }

    /// The same for room that the caller may leave out.
    ///
    /// # Safety
    /// As for [`ArrayOut::new`].
    pub unsafe fn optional(
        first: *mut T,
        count: usize,
        argument: &str,
    ) -> Result<Option<Self>, Failure> {
        // SAFETY: OWN-3, by the contract of this function.
        (!first.is_null()).then(|| unsafe { ArrayOut::new(first, count, argument) }).transpose()
    }

    /// How many there is room for.
    pub fn count(self) -> usize {
        self.count
    }

    /// The place at `index`, inside the room.
    pub fn at(self, index: usize) -> *mut T {
        assert!(index < self.count, "more values than there is room for");
        self.first.wrapping_add(index)
    }

    /// Writes the value at `index`.
    pub fn write(self, index: usize, value: T) {
        // SAFETY: OWN-3. Inside the room, which is writable by the contract of `new`.
        unsafe { self.at(index).write(value) };
    }

    /// Writes as many as there are.
    pub fn write_all(self, values: &[T])
    where
        T: Copy,
    {
        values.iter().enumerate().for_each(|(index, value)| self.write(index, *value));
    }
}

fn check_array<T>(first: *const T, count: usize, argument: &str) -> Result<(), Failure> {
    usable(first, argument)?;
    check_memory(first.cast(), count.saturating_mul(size_of::<T>()), argument)
}

/// Refuses memory that cannot be.
pub fn check_memory(data: *const c_void, len: usize, argument: &str) -> Result<(), Failure> {
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
