//! The engine and the C library under AddressSanitizer, and the proof that the sanitizer is awake.
//!
//! It sees what our code reads and writes, never what the kernel writes: freed op buffers are the
//! quarantine's to find.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};
use crate::steps::Outcome;

/// Sanitizers are a nightly flag; this makes a stable compiler take it.
pub const BOOTSTRAP: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");
pub const SANITIZE: &str = "-Zsanitizer=address";
/// No search for leaks: what does not drain in time is leaked on purpose (OWN-2).
pub const OPTIONS: (&str, &str) =
    ("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=1");

/// Compiles a program that reads freed memory with the flags of [`engine`]; it must be caught.
pub fn canary(root: &Path) -> Result<Outcome> {
    let target = target_folder(root);
    std::fs::create_dir_all(&target).map_err(|cause| Failure::io(target.display(), cause))?;
    let (source, program) =
        (root.join("tools/xtask/canary/use_after_free.rs"), target.join("use_after_free"));
    let mut compiler = Command::new("rustc");
    compiler
        .env(BOOTSTRAP.0, BOOTSTRAP.1)
        .args([SANITIZE, "--edition", "2024", "-o"])
        .arg(&program)
        .arg(source);
    shell::run(&mut compiler)?;
    let output = shell::attempt(Command::new(&program).env(OPTIONS.0, OPTIONS.1))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains("heap-use-after-free") {
        return Err(Failure::new(format!(
            "a planted use after free was not found ({}), so the sanitizer proves nothing:\n{said}",
            output.status
        )));
    }
    Ok(Outcome::Passed)
}

/// All tests of the engine but those of its documentation, which are built without the flags.
pub fn engine(root: &Path) -> Result<Outcome> {
    // The full number of seeds runs without the sanitizer, which slows each down tenfold.
    let tests = ["-p", "hydrant-engine", "--features", "testing", "--lib", "--tests"];
    shell::run(test(root)?.args(tests).env("HYDRANT_SEEDS", "100"))?;
    Ok(Outcome::Passed)
}

/// C programs of the tests and the library that they are linked with: what either does to the other's
/// memory shows.
pub fn c_programs(root: &Path) -> Result<Outcome> {
    let tests = ["-p", "hydrant-ffi", "--test", "suite", "--", "address_sanitizer"];
    let said = shell::read(test(root)?.args(tests))?;
    match said.contains(" 1 passed;") {
        true => Ok(Outcome::Passed),
        false => Err(Failure::new(format!("not one test was run:\n{said}"))),
    }
}

/// `cargo test` with the sanitizer. A target is named, although it is the host's own, so that build
/// scripts and macros stay without it.
fn test(root: &Path) -> Result<Command> {
    let mut command = cargo(root, &["test", "--quiet", "--target", &shell::host_triple()?]);
    command.arg("--target-dir").arg(target_folder(root));
    command.env(BOOTSTRAP.0, BOOTSTRAP.1).env("RUSTFLAGS", SANITIZE).env(OPTIONS.0, OPTIONS.1);
    Ok(command)
}

/// Apart from the other builds: other flags would make cargo build everything anew each time.
fn target_folder(root: &Path) -> PathBuf {
    shell::target_folder(root).join("asan")
}
