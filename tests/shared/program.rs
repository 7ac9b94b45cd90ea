//! The program `hydrant`, as people run it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::World;

/// A call of the program with the environment of a client of `world`, and no other setting of
/// whoever runs the tests.
pub fn program(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(built());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(world.env()).stdin(Stdio::null());
    command
}

/// Where the program is. It is built first, with the profile of the tests: `cargo test` builds the
/// programs of a package for that package's tests only.
fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // The test lies in TARGET/PROFILE/deps.
        let test = std::env::current_exe().expect("a test has a path");
        let folder = test.parent().and_then(|deps| deps.parent()).expect("two folders above");
        let target = folder.parent().expect("the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "hydrant-cli", "--target-dir"]).arg(target);
        cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo starts").success(), "the program is not built");
        folder.join("hydrant")
    })
}
