//! The directory of one demo: there is room for it, and it goes when the demo goes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use crate::exit::Failure;
use crate::human;

/// The source, the copy, and the object on the server; while the server joins the parts of the
/// object there is no copy yet.
const COPIES: u64 = 3;
/// Room for directories and the server's own files.
const SPARE_BYTES: u64 = 64 << 20;

/// A directory that is removed when it is dropped, unless it is to be kept.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Makes one in `parent` after looking whether `COPIES` files of `size` fit.
    pub fn make(parent: &Path, size: u64, keep: bool) -> Result<Folder, Failure> {
        let doing = |what: &str| format!("{what} {}; see --dir", parent.display());
        let parent =
            fs::canonicalize(parent).map_err(Failure::local(doing("use the directory")))?;
        let free = free_bytes(&parent)?;
        let needed = needed_bytes(size);
        if free < needed {
            return Err(Failure::Disk(format!(
                "{} has {} free and the demo needs {}; choose another directory (--dir) or a \
                 smaller --size",
                parent.display(),
                human::size(free),
                human::size(needed)
            )));
        }
        let path = parent.join(format!("hydrant-demo-{}", std::process::id()));
        fs::create_dir(&path).map_err(Failure::local(doing("make a directory in")))?;
        Ok(Folder { path, keep })
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path = self.path.display();
        let said = match self.keep {
            true => Some(format!("kept {path}")),
            false => fs::remove_dir_all(&self.path)
                .err()
                .map(|error| format!("cannot remove {path}: {error}; remove it by hand")),
        };
        if let Some(line) = said {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

fn needed_bytes(size: u64) -> u64 {
    size.saturating_mul(COPIES).saturating_add(SPARE_BYTES)
}

fn free_bytes(dir: &Path) -> Result<u64, Failure> {
    let told = statvfs(dir).map_err(io::Error::from);
    let told = told.map_err(Failure::local(format!("ask for the room in {}", dir.display())))?;
    Ok(told.blocks_available().saturating_mul(told.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_does_not_fit_is_refused_and_leaves_nothing() {
        let parent = tempfile::tempdir().expect("a folder");
        let failure = Folder::make(parent.path(), 1 << 60, false).expect_err("an exbibyte");
        assert_eq!(failure.code(), crate::exit::DISK);
        assert_eq!(needed_bytes(u64::MAX), u64::MAX);
        assert_eq!(fs::read_dir(parent.path()).expect("listed").count(), 0);
    }

    #[test]
    fn it_goes_with_its_owner_unless_kept() {
        let parent = tempfile::tempdir().expect("a folder");
        for (keep, left) in [(false, 0), (true, 1)] {
            let folder = Folder::make(parent.path(), 1, keep).expect("there is room");
            fs::write(folder.path("x"), "x").expect("written");
            drop(folder);
            assert_eq!(fs::read_dir(parent.path()).expect("listed").count(), left);
        }
    }
}
