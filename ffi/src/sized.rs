//! Structs that grow: the caller says how much of one it knows.

use crate::args;
use crate::error::Failure;

/// No version of a struct has as many bytes; a larger `struct_size` is memory that nobody set.
const STRUCT_BYTES_MAX: usize = 4096;

/// A struct of the header that begins with its size.
///
/// # Safety
/// It is `repr(C)`, has no padding, is valid for every bit pattern, and its first field is a `u32`,
/// the size. `BYTES_MIN` is at least 4 and at most its size.
pub unsafe trait SizedStruct: Copy {
    /// Its name in the header.
    const NAME: &'static str;
    /// The size that its first version had.
    const BYTES_MIN: usize;
}

/// The size of a struct as its first field has it.
pub const fn size_of<T>() -> u32 {
    std::mem::size_of::<T>() as u32
}

/// A struct that the caller has set; what the caller does not know is zero, the default.
///
/// # Safety
/// `from` is NULL, or its first 4 bytes are readable, and then as many as they say.
pub unsafe fn read<T: SizedStruct>(from: *const T, argument: &str) -> Result<T, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let bytes_set = unsafe { size_set::<T>(from, argument)? };
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: OWN-3. So many bytes are readable, and they fit; a `SizedStruct` is valid for all of
    // them and for zeros.
    unsafe {
        let bytes = bytes_set.min(std::mem::size_of::<T>());
        value.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(from.cast::<u8>(), bytes);
        Ok(value.assume_init())
    }
}

/// Sets the first `bytes` bytes of a struct, where a caller of another version ends.
///
/// # Safety
/// `to` is NULL, or so many bytes there are writable.
pub unsafe fn init<T: SizedStruct>(
    to: *mut T,
    value: T,
    bytes: usize,
    argument: &str,
) -> Result<(), Failure> {
    args::usable(to, argument)?;
    check_size::<T>(bytes)?;
    // SAFETY: OWN-3. Writable by the contract of this function; only what both sides know is copied,
    // and the size fits by `check_size`.
    unsafe {
        to.cast::<u8>().write_bytes(0, bytes);
        to.cast::<u8>().copy_from_nonoverlapping(
            (&raw const value).cast::<u8>(),
            bytes.min(std::mem::size_of::<T>()),
        );
        to.cast::<u32>().write(bytes as u32);
    }
    Ok(())
}

/// A struct of the caller that will be filled. It is checked before the work, so that the work is
/// not done in vain.
#[derive(Clone, Copy)]
pub struct SizedOut<T> {
    to: *mut T,
    bytes: usize,
}

// SAFETY: OWN-3. The struct is the library's until it is filled, on whatever thread.
unsafe impl<T: Send> Send for SizedOut<T> {}

impl<T: SizedStruct> SizedOut<T> {
    /// Checks the caller's struct.
    ///
    /// # Safety
    /// As for [`read`], and the bytes are writable as long as this lives.
    pub unsafe fn new(to: *mut T, argument: &str) -> Result<SizedOut<T>, Failure> {
        // SAFETY: OWN-3, by the contract of this function.
        let bytes = unsafe { size_set::<T>(to, argument)? };
        Ok(SizedOut { to, bytes })
    }

    /// The same for a struct that the caller may leave out.
    ///
    /// # Safety
    /// As for [`SizedOut::new`].
    pub unsafe fn optional(to: *mut T, argument: &str) -> Result<Option<SizedOut<T>>, Failure> {
        if to.is_null() {
            return Ok(None);
        }
        // SAFETY: OWN-3, by the contract of this function.
        unsafe { SizedOut::new(to, argument) }.map(Some)
    }

    /// Fills what the caller knows; its `struct_size` stays.
    pub fn write(self, value: T) {
        let size_field = std::mem::size_of::<u32>();
        let bytes = self.bytes.min(std::mem::size_of::<T>()) - size_field;
        // SAFETY: OWN-3. The caller's struct is writable by the contract of `new`, and both are as
        // long as said.
        unsafe {
            let from = (&raw const value).cast::<u8>().add(size_field);
            self.to.cast::<u8>().add(size_field).copy_from_nonoverlapping(from, bytes);
        }
    }
}

/// Checks a struct of the caller, and tells how much of it the caller has set.
///
/// # Safety
/// As for [`read`].
pub unsafe fn size_set<T: SizedStruct>(from: *const T, argument: &str) -> Result<usize, Failure> {
    args::usable(from, argument)?;
    // SAFETY: OWN-3. The first field is a `u32`, and readable.
    let bytes = unsafe { from.cast::<u32>().read() } as usize;
    check_size::<T>(bytes)?;
    let unknown = bytes.saturating_sub(std::mem::size_of::<T>());
    // SAFETY: OWN-3. The caller says by the size that the tail is readable.
    let tail =
        unsafe { std::slice::from_raw_parts(from.cast::<u8>().add(bytes - unknown), unknown) };
    if tail.iter().any(|&byte| byte != 0) {
        return Err(Failure::invalid(format!(
            "{argument} has fields set that this library does not know; use a newer library",
        )));
    }
    Ok(bytes)
}

fn check_size<T: SizedStruct>(bytes: usize) -> Result<(), Failure> {
    // A struct ends where its alignment says, so that no size cuts a pointer in two.
    let is_one = bytes.is_multiple_of(align_of::<T>());
    if is_one && (T::BYTES_MIN..=STRUCT_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "struct_size of {name} is {bytes}, which no version of it has (here it is {here}); begin with \
         the initializer of the header",
        name = T::NAME,
        here = std::mem::size_of::<T>(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The struct as the library knows it, …
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Known {
        struct_size: u32,
        first: u32,
        second: u64,
    }

    /// … and as a caller of a later version does.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Later {
        known: Known,
        third: u64,
    }

    // SAFETY: `repr(C)` without padding, integers alone, the size first.
    unsafe impl SizedStruct for Known {
        const NAME: &'static str = "known";
        const BYTES_MIN: usize = 8;
    }

    fn later(third: u64) -> Later {
        Later { known: Known { struct_size: 24, first: 1, second: 2 }, third }
    }

    #[test]
    fn a_caller_of_an_earlier_version_leaves_the_rest_at_its_default() {
        let set = Known { struct_size: 8, first: 1, second: 99 };
        // SAFETY: `set` has the 8 bytes that it speaks of.
        let read = unsafe { read(&raw const set, "set") }.expect("a good size");
        assert_eq!(read, Known { struct_size: 8, first: 1, second: 0 });
    }

    #[test]
    fn a_caller_of_a_later_version_may_not_use_what_it_knows_more() {
        for (third, good) in [(0, true), (7, false)] {
            let set = later(third);
            // SAFETY: `set` has the 24 bytes that it speaks of.
            let read = unsafe { read((&raw const set).cast::<Known>(), "set") };
            assert_eq!(read.is_ok(), good, "{third}");
        }
    }

    #[test]
    fn sizes_that_no_version_has_are_refused() {
        for struct_size in [0, 4, 7, 12, 17, 4097, u32::MAX] {
            let set = Known { struct_size, first: 0, second: 0 };
            // SAFETY: nothing but the size is read of a struct with a bad size.
            assert!(unsafe { read(&raw const set, "set") }.is_err(), "{struct_size}");
        }
        // SAFETY: NULL is allowed.
        assert!(unsafe { read(std::ptr::null::<Known>(), "set") }.is_err());
    }

    #[test]
    fn an_output_keeps_to_what_the_caller_knows() {
        let filled = Known { struct_size: 16, first: 5, second: 6 };
        let mut earlier = Known { struct_size: 8, first: 0, second: 99 };
        // SAFETY: `earlier` has the 8 bytes that it speaks of.
        unsafe { SizedOut::new(&raw mut earlier, "out") }.expect("a good size").write(filled);
        assert_eq!(earlier, Known { struct_size: 8, first: 5, second: 99 });

        let mut later = later(0);
        // SAFETY: `later` has the 24 bytes that it speaks of.
        unsafe { SizedOut::new((&raw mut later).cast::<Known>(), "out") }
            .expect("a good size")
            .write(filled);
        assert_eq!(later.known, Known { struct_size: 24, first: 5, second: 6 });
    }

    #[test]
    fn init_sets_as_much_as_the_caller_has() {
        let value = Known { struct_size: 16, first: 5, second: 6 };
        let mut out = Later { known: value, third: 9 };
        // SAFETY: `out` has 24 bytes.
        unsafe { init((&raw mut out).cast::<Known>(), value, 24, "out") }.expect("a good size");
        assert_eq!(out, Later { known: Known { struct_size: 24, first: 5, second: 6 }, third: 0 });
        // SAFETY: nothing is written for a bad size.
        assert!(unsafe { init((&raw mut out).cast::<Known>(), value, 3, "out") }.is_err());
    }
}
