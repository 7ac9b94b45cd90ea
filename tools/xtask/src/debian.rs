//! Programs from Debian packages: looked for, and installed where this process may.

use std::process::Command;

use crate::failure::{Failure, Result};
use crate::shell;

/// A program and the package that brings it.
#[derive(Clone, Copy)]
pub struct Needed {
    pub program: &'static str,
    pub package: &'static str,
}

/// The examples of the C interface are compiled and run, also against an installed library.
pub const FOR_TESTS: &[Needed] = &[
    Needed { program: "cc", package: "gcc" },
    Needed { program: "c++", package: "g++" },
    Needed { program: "clang", package: "clang" },
    Needed { program: "cmake", package: "cmake" },
    Needed { program: "ninja", package: "ninja-build" },
    Needed { program: "meson", package: "meson" },
    Needed { program: "pkg-config", package: "pkg-config" },
    Needed { program: "abidiff", package: "abigail-tools" },
    Needed { program: "valgrind", package: "valgrind" },
    Needed { program: "npm", package: "npm" },
    Needed { program: "ip", package: "iproute2" },
    Needed { program: "mkfs.ext4", package: "e2fsprogs" },
    Needed { program: "mkfs.xfs", package: "xfsprogs" },
    Needed { program: "mkfs.btrfs", package: "btrfs-progs" },
];

/// The server of the benches, the peer that bounds the floor, what makes the server's certificate,
/// and what ties the server to the bench.
pub const FOR_BENCHES: &[Needed] = &[
    Needed { program: "nginx", package: "nginx-light" },
    Needed { program: "curl", package: "curl" },
    Needed { program: "openssl", package: "openssl" },
    Needed { program: "setpriv", package: "util-linux" },
];

/// The peer of the engine on disks.
pub const FOR_DISK_BENCHES: &[Needed] = &[Needed { program: "fio", package: "fio" }];

/// What compiles AWS's Common Runtime in C beneath a peer, and reads its headers (libclang).
pub const FOR_COMMON_RUNTIME: &[Needed] = &[
    Needed { program: "cc", package: "gcc" },
    Needed { program: "cmake", package: "cmake" },
    Needed { program: "clang", package: "clang" },
];

/// Installs what is missing.
///
/// # Errors
/// When something is missing and this is not root, or apt-get fails. The message has the command to
/// type.
pub fn need(all: &[Needed]) -> Result<()> {
    let packages = missing(all, shell::has_program);
    if packages.is_empty() {
        return Ok(());
    }
    let advice = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !shell::is_root() || !shell::has_program("apt-get") {
        return Err(Failure::new(format!("programs are missing; as root: {advice}")));
    }
    shell::run(Command::new("apt-get").args(["update", "-q"]))?;
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    shell::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(install)
            .args(&packages),
    )?;
    match missing(all, shell::has_program).as_slice() {
        [] => Ok(()),
        still => Err(Failure::new(format!("still missing after {advice}: {}", still.join(" ")))),
    }
}

fn missing(all: &[Needed], has_program: impl Fn(&str) -> bool) -> Vec<&'static str> {
    all.iter().filter(|needed| !has_program(needed.program)).map(|needed| needed.package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_missing_programs_are_named() {
        assert_eq!(missing(FOR_TESTS, |program| program != "c++"), ["g++"]);
        assert!(missing(FOR_TESTS, |_| true).is_empty());
    }
}
