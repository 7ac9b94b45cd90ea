//! Sequences of calls of the C library, right ones and wrong ones, played by a C program (`src/abi`)
//! against stores in memory and a server that is as often wrong as right. Nothing of it crashes, and what
//! is accepted completes once (FFI-2).
//!
//! A panic that the library would catch (FFI-1) ends the process here, so that it is found.

use std::cell::RefCell;
use std::ffi::{CString, c_char};

use hydrant_abi as _;

use super::faulty::Faulty;

thread_local! {
    /// The server of the sequence that is played, started when it is first asked for.
    static SERVER: RefCell<Server> = const { RefCell::new(Server { seed: 0, running: None }) };
}

struct Server {
    seed: u64,
    running: Option<(Faulty, CString)>,
}

unsafe extern "C" {
    fn abi_play(data: *const u8, len: usize);
}

pub fn run(data: &[u8]) {
    let seed = data.iter().fold(data.len() as u64, |seed, byte| {
        (seed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    SERVER.with_borrow_mut(|server| server.seed = seed);
    // SAFETY: OWN-3. It reads so many bytes, and is called by one thread.
    unsafe { abi_play(data.as_ptr(), data.len()) }
    drop(SERVER.with_borrow_mut(|server| server.running.take()));
}

/// Whether it runs.
#[unsafe(no_mangle)]
extern "C" fn faulty_is_asked() -> bool {
    SERVER.with_borrow(|server| server.running.is_some())
}

/// Its URL, which is valid until the sequence is over.
#[unsafe(no_mangle)]
extern "C" fn faulty_endpoint() -> *const c_char {
    SERVER.with_borrow_mut(|server| {
        let seed = server.seed;
        let (_, url) = server.running.get_or_insert_with(|| {
            let faulty = Faulty::start(seed);
            let url = CString::new(faulty.url()).expect("no NUL in a URL");
            (faulty, url)
        });
        url.as_ptr()
    })
}
