//! Programs of others that tests run: installed from their registries once, next to the test programs.
//! Where that cannot be done, a test says so and why.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// One installation at a time: they share their folders.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A Python that has `module`, which comes with `packages`.
pub fn python_with(module: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boto3-venv");
    let python = venv.join("bin/python");
    let import = format!("import {module}");
    if run(Command::new(&python).args(["-c", &import])).is_ok() {
        return Ok(python);
    }
    if run(Command::new(&python).args(["-c", "import pip"])).is_err() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    }
    // What is compiled beforehand is mostly never used.
    let pip = ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"];
    run(Command::new(&python).args(pip).args(["--timeout", "20"]).args(packages))?;
    Ok(python)
}

/// A folder of Node's modules that has `package`, in that version.
pub fn node_modules_with(package: &str, version: &str) -> Result<PathBuf, String> {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
    let modules = folder.join("node_modules");
    let check = format!(
        "require('{package}'); if (require('{package}/package.json').version !== '{version}') process.exit(1)"
    );
    let is_there = || run(Command::new("node").args(["-e", &check]).env("NODE_PATH", &modules));
    if is_there().is_err() {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let quiet = ["install", "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund"];
        let mut npm = Command::new("npm");
        npm.args(quiet).args(["--no-save", "--prefix"]).arg(&folder);
        run(npm.arg(format!("{package}@{version}")))?;
        is_there()?;
    }
    Ok(modules)
}

fn run(command: &mut Command) -> Result<(), String> {
    let named = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{named}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}
