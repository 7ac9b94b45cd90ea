//! Sequences of calls of the C library, right ones and wrong ones, played by a C program (`src/abi`)
//! against stores in memory. Nothing of it crashes, and what is accepted completes once (FFI-2).
//!
//! A panic that the library would catch (FFI-1) ends the process here, so that it is found.

use hydrant_abi as _;

unsafe extern "C" {
    fn abi_play(data: *const u8, len: usize);
}

pub fn run(data: &[u8]) {
    // SAFETY: OWN-3. It reads so many bytes, and is called by one thread.
    unsafe { abi_play(data.as_ptr(), data.len()) }
}
