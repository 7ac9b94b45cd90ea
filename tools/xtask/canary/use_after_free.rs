//! Reads memory after it was freed. `cargo xtask test` builds it with AddressSanitizer and fails
//! unless it is caught: a sanitizer that sleeps would pass everything.

fn main() {
    let freed = Box::into_raw(Box::new(7u8));
    // SAFETY: none, on purpose. The box is freed here and read below; that is the fault to be
    // found.
    let read = unsafe {
        drop(Box::from_raw(freed));
        freed.read_volatile()
    };
    println!("nobody noticed that {read} was read from freed memory");
}
