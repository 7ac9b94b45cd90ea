//! The file of a bench on disks, which goes with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::server::write_object;
use crate::failure::{Failure, Result};

/// A file of random bytes. Dropping it removes it.
pub struct Scratch {
    pub path: PathBuf,
}

impl Scratch {
    /// Makes it in `dir`, on the disk and not on its way there: that would be charged to the first
    /// run.
    ///
    /// # Errors
    /// When there is no room.
    pub fn make(dir: &Path, bytes: u64, seed: u64) -> Result<Scratch> {
        let path = dir.join(format!("hydrant-bench-{}", std::process::id()));
        let scratch = Scratch { path };
        write_object(&scratch.path, bytes, seed)?;
        let synced = File::open(&scratch.path).and_then(|file| file.sync_all());
        synced.map_err(|cause| Failure::io(scratch.path.display(), cause))?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(cause) = fs::remove_file(&self.path) {
            eprintln!("remove {} by hand: {cause}", self.path.display());
        }
    }
}
