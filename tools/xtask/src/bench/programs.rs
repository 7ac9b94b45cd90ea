//! The programs of a bench, built for release.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};

/// Where cargo put them.
pub struct Built {
    folder: PathBuf,
}

/// Builds the programs of one package.
///
/// # Errors
/// When they do not build.
pub fn build(root: &Path, package: &str) -> Result<Built> {
    shell::run(&mut cargo(root, &["build", "--quiet", "--release", "-p", package, "--bins"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(Built { folder: root.join(target).join("release") })
}

impl Built {
    /// The folder that they lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        let program = self.folder.join(name);
        match program.is_file() {
            true => Ok(program),
            false => Err(Failure::new(format!("no {}", program.display()))),
        }
    }
}
