//! cargo-deny: installed once, in a version that is named here, and asked about the dependencies.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};
use crate::steps::Outcome;

/// The version that the answers of [`check`] are known of.
const VERSION: &str = "0.20.2";

/// Installs it among what cargo builds, unless it is there. It runs for seconds, so it is built without
/// optimizations, which would take longer.
pub fn install(root: &Path) -> Result<Outcome> {
    if is_installed(root) {
        return Ok(Outcome::Passed);
    }
    let mut command = cargo(root, &["install", "--quiet", "--debug", "--locked", "cargo-deny"]);
    command.args(["--version", VERSION, "--root"]).arg(folder(root));
    command.arg("--target-dir").arg(folder(root).join("build"));
    let installed = shell::run(&mut command);
    // Half a gigabyte that nobody needs again; what is left of it does no harm.
    let _ = std::fs::remove_dir_all(folder(root).join("build"));
    Ok(match installed {
        Ok(()) => Outcome::Passed,
        Err(failure) => Outcome::NotDone(format!("cargo-deny could not be installed: {failure}")),
    })
}

/// Licences, bans and sources always; advisories where their database can be fetched.
pub fn check(root: &Path) -> Result<Outcome> {
    if !is_installed(root) {
        let reason = "cargo-deny is not installed, so nobody looked at licences and advisories; \
                      `cargo xtask check --install` installs it";
        return Ok(Outcome::NotDone(reason.to_owned()));
    }
    shell::run(deny(root).args(["check", "licenses", "bans", "sources"]))?;
    let output = shell::attempt(deny(root).args(["check", "advisories"]))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(Outcome::Passed)
    } else if said.contains("failed to fetch advisory database") {
        Ok(Outcome::NotDone(format!(
            "no advisory was read: the database cannot be fetched\n{}",
            said.trim_end()
        )))
    } else {
        Err(Failure::new(format!("cargo deny check advisories:\n{}", said.trim_end())))
    }
}

fn is_installed(root: &Path) -> bool {
    let mut version = deny(root);
    shell::read(version.arg("--version")).is_ok_and(|said| said.trim().ends_with(VERSION))
}

fn deny(root: &Path) -> Command {
    let mut command = Command::new(folder(root).join("bin/cargo-deny"));
    command.current_dir(root).args(["--log-level", "error"]);
    command
}

fn folder(root: &Path) -> PathBuf {
    shell::target_folder(root).join("cargo-deny")
}
