//! From a path to an inode.

use super::{Directory, Disk, InodeId, Node};

/// The root directory, which is also the working directory.
pub(super) const ROOT: InodeId = 1;

const NAME_BYTES_MAX: usize = 255;
const RESOLVE_KNOWN: u64 = libc::RESOLVE_NO_XDEV
    | libc::RESOLVE_NO_MAGICLINKS
    | libc::RESOLVE_NO_SYMLINKS
    | libc::RESOLVE_BENEATH
    | libc::RESOLVE_IN_ROOT
    | libc::RESOLVE_CACHED;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    /// The directory of the last name.
    pub(super) parent: InodeId,
    /// The last name; `None` where the path ends in a directory that it does not name, as `.` does.
    pub(super) name: Option<Vec<u8>>,
    /// What is there.
    pub(super) target: Option<InodeId>,
    /// The path ends in a slash, so it can only be a directory.
    pub(super) must_be_directory: bool,
}

impl Place {
    /// What is there, or why it is not.
    pub(super) fn existing(&self, disk: &Disk) -> Result<InodeId, i32> {
        let target = self.target.ok_or(libc::ENOENT)?;
        if self.must_be_directory && !disk.is_directory(target) {
            return Err(libc::ENOTDIR);
        }
        Ok(target)
    }
}

impl Disk {
    /// Walks `path` from `base`, or from the root; `resolve` is that of openat2(2).
    pub(super) fn walk(
        &self,
        base: Option<InodeId>,
        path: &[u8],
        resolve: u64,
    ) -> Result<Place, i32> {
        if resolve & !RESOLVE_KNOWN != 0 {
            return Err(libc::EINVAL);
        }
        if path.is_empty() {
            return Err(libc::ENOENT);
        }
        let beneath = resolve & libc::RESOLVE_BENEATH != 0;
        let in_root = resolve & libc::RESOLVE_IN_ROOT != 0;
        let base = base.unwrap_or(ROOT);
        let absolute = path[0] == b'/';
        if absolute && beneath {
            return Err(libc::EXDEV);
        }
        let start = if absolute && !in_root { ROOT } else { base };
        let mut place = Place {
            parent: start,
            name: None,
            target: Some(start),
            must_be_directory: path.ends_with(b"/"),
        };
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let here = place.target.ok_or(libc::ENOENT)?;
            let directory = self.directory(here)?;
            // A directory that was removed while it was open has neither names nor a parent.
            if self.inodes[&here].links == 0 {
                return Err(libc::ENOENT);
            }
            let (name, target) = match part {
                b"." => (None, Some(here)),
                b".." if here == base && beneath => return Err(libc::EXDEV),
                b".." if here == base && in_root => (None, Some(here)),
                b".." => (None, Some(directory.parent)),
                _ if part.len() > NAME_BYTES_MAX => return Err(libc::ENAMETOOLONG),
                _ => (Some(part.to_vec()), directory.entries.get(part).copied()),
            };
            let must_be_directory = place.must_be_directory;
            place = Place { parent: here, name, target, must_be_directory };
        }
        Ok(place)
    }

    pub(super) fn directory(&self, id: InodeId) -> Result<&Directory, i32> {
        match &self.inodes[&id].node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(libc::ENOTDIR),
        }
    }

    pub(super) fn directory_mut(&mut self, id: InodeId) -> Result<&mut Directory, i32> {
        match &mut self.inode(id).node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(libc::ENOTDIR),
        }
    }
}
