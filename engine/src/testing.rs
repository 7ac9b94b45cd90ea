//! Saying aloud what could not be tested here.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;

/// The variable that names a file in which [`not_tested`] leaves a line.
pub const NOT_TESTED: &str = "HYDRANT_NOT_TESTED";

/// Tells what cannot be tested on this machine, and why. What a test prints by the macros, the harness
/// keeps to itself when the test passes; this goes past it, and to the file that [`NOT_TESTED`] names,
/// for whoever runs the tests to repeat at the end.
///
/// # Panics
/// When that file cannot be written.
pub fn not_tested(what: impl Display) {
    // A closed standard error leaves the file.
    let _ = std::io::stderr().write_all(format!("NOT TESTED: {what}\n").as_bytes());
    let Some(path) = std::env::var_os(NOT_TESTED) else { return };
    let noted = OpenOptions::new().append(true).create(true).open(&path);
    let noted = noted.and_then(|mut file| file.write_all(format!("{what}\n").as_bytes()));
    noted.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
