//! Other programs: run them where they can be seen, or for what they print.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::failure::{Failure, Result};

/// Runs `command` with its output on the terminal.
///
/// # Errors
/// When it cannot be started or ends with a status other than 0; the message repeats the command.
pub fn run(command: &mut Command) -> Result<()> {
    println!("    $ {}", line(command));
    let status = command
        .status()
        .map_err(|cause| Failure::io(format!("starting {}", line(command)), cause))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("{} ended with {status}", line(command))))
    }
}

/// Runs `command` and gives what it printed on standard output.
///
/// # Errors
/// As [`run`]; the message carries what it said on standard error.
pub fn read(command: &mut Command) -> Result<String> {
    let output = attempt(command)?;
    if output.status.success() {
        return String::from_utf8(output.stdout)
            .map_err(|_| Failure::new(format!("{} printed no UTF-8", line(command))));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!(
        "{} ended with {}:\n{}",
        line(command),
        output.status,
        said.trim_end()
    )))
}

/// Runs `command` to its end, whatever that is.
///
/// # Errors
/// When it cannot be started.
pub fn attempt(command: &mut Command) -> Result<Output> {
    command.output().map_err(|cause| Failure::io(format!("starting {}", line(command)), cause))
}

/// The cargo that runs us, in `root`.
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(arguments).env("HYDRANT_NOT_TESTED", not_tested(root));
    command
}

/// The file in which tests leave a line for what they could not test here.
pub fn not_tested(root: &Path) -> PathBuf {
    // Tests run in the folders of their packages.
    root.join(target_folder(root)).join("not-tested.txt")
}

/// What makes cargo say what it builds, one message a line.
pub const JSON: &str = "--message-format=json";

/// Runs a build of cargo, which has [`JSON`] among its arguments: the path of the last program it
/// names.
///
/// # Errors
/// As [`read`]; and when it names none.
pub fn executable(build: &mut Command) -> Result<PathBuf> {
    let messages = read(build)?;
    named(&messages).ok_or_else(|| Failure::new(format!("{} names no program", line(build))))
}

/// The path in cargo's messages, which are JSON, one a line.
fn named(messages: &str) -> Option<PathBuf> {
    let after = messages.lines().rev().find_map(|line| line.split_once("\"executable\":\""))?.1;
    Some(PathBuf::from(after.split_once('"')?.0))
}

/// Where cargo builds.
pub fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The platform of the compiler, such as `x86_64-unknown-linux-gnu`.
///
/// # Errors
/// No compiler.
pub fn host_triple() -> Result<String> {
    let version = read(Command::new("rustc").arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("rustc -vV names no host"))
}

/// Whether a program of this name lies in one of the folders of `PATH`, or where Debian keeps
/// daemons.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .any(|folder| folder.join(name).is_file())
}

/// Whether this process may install packages and change users.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The command as one would type it, without its folder and environment.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or(command.get_program()))
        .chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_named_with_its_status() {
        let failure = run(&mut Command::new("false")).expect_err("false fails");
        assert!(failure.to_string().contains("false ended with exit status: 1"));
        assert_eq!(read(Command::new("echo").arg("x")).expect("echo"), "x\n");
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-anywhere"));
    }

    #[test]
    fn the_program_is_found_among_the_messages() {
        let messages = "{\"executable\":null}\n{\"a\":1,\"executable\":\"/t/suite-1\",\"b\":2}\n{}";
        assert_eq!(named(messages), Some(PathBuf::from("/t/suite-1")));
    }
}
