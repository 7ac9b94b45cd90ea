//! `cargo xtask garage`: the tests against Garage, an S3 server of another make.
//!
//! Garage is under the AGPL and takes long to build, so nothing links it and no other chore asks for
//! it: it is installed once, beside what is built here, and run as a program.

use std::path::{Path, PathBuf};

use crate::debian::{self, Needed};
use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};

/// What the tests know the ways of.
const VERSION: &str = "2.5.0";

/// The variable that names one which is there already; the tests read it too.
const PROGRAM: &str = "HYDRANT_GARAGE";

/// It moves little, so with every assertion.
const TEST: &[&str] = &["test", "-p", "hydrant-tests", "--test", "system"];

/// What builds the C libraries within it, and what ends it with the test.
const NEEDED: &[Needed] = &[
    Needed { program: "cc", package: "gcc" },
    Needed { program: "make", package: "make" },
    Needed { program: "setpriv", package: "util-linux" },
];

/// # Errors
/// Garage does not build, or a test fails.
pub fn run(root: &Path) -> Result<()> {
    debian::need(NEEDED)?;
    let program = match std::env::var_os(PROGRAM).filter(|named| !named.is_empty()) {
        Some(named) => given(Path::new(&named))?,
        None => installed(root)?,
    };
    println!("    {}", shell::read(std::process::Command::new(&program).arg("--version"))?.trim());
    let mut test = cargo(root, TEST);
    test.args(["--", "--ignored", "--nocapture", "other_servers::garage"]);
    shell::run(test.env(PROGRAM, program))
}

/// Tests run in folders of their own.
fn given(named: &Path) -> Result<PathBuf> {
    std::path::absolute(named)
        .ok()
        .filter(|path| path.is_file())
        .ok_or_else(|| Failure::new(format!("{PROGRAM} is {}, which is no file", named.display())))
}

/// The program of that version, built where it was not; that takes some 20 minutes of two CPUs.
fn installed(root: &Path) -> Result<PathBuf> {
    let folder = root.join(shell::target_folder(root)).join(format!("garage-{VERSION}"));
    let program = folder.join("bin/garage");
    if !program.is_file() {
        let mut install = cargo(root, &["install", "garage", "--locked", "--version", VERSION]);
        install.arg("--root").arg(&folder).env("CARGO_TARGET_DIR", folder.join("build"));
        shell::run(&mut install)?;
    }
    given(&program)
}
