//! Fuzz targets of what reads bytes that others wrote, in one program: `HYDRANT_FUZZ` names the target.
//! `cargo xtask fuzz` builds and runs it.
//!
//! A target does more than not to panic: it says what has to hold of any input.

#![no_main]

mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(|data: &[u8]| TARGET.get_or_init(chosen)(data));

fn chosen() -> fn(&[u8]) {
    let name = std::env::var("HYDRANT_FUZZ").unwrap_or_default();
    let found = targets::ALL.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("HYDRANT_FUZZ={name} names no target")).1
}
