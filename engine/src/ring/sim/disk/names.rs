//! Names: open, create, rename, remove.

use super::content::Content;
use super::walk::{Place, ROOT};
use super::{Directory, Disk, InodeId, Node};
use crate::op::OpenHow;

impl Disk {
    /// `openat2(2)` as far as the inode; the descriptor is the caller's matter.
    pub(in crate::ring::sim) fn open(
        &mut self,
        base: Option<InodeId>,
        path: &[u8],
        how: &OpenHow,
        now_ns: u64,
    ) -> Result<InodeId, i32> {
        let flags = how.flags as i32;
        let creates = flags & libc::O_CREAT != 0;
        let wants_directory = flags & libc::O_DIRECTORY != 0;
        let unnamed = flags & libc::O_TMPFILE == libc::O_TMPFILE;
        if how.mode != 0 && !creates && !unnamed || creates && wants_directory {
            return Err(libc::EINVAL);
        }
        let place = self.walk(base, path, how.resolve)?;
        if unnamed {
            self.directory(place.existing(self)?)?;
            let file = Node::File(Content::default());
            return Ok(self.insert(file, how.mode as u32 & 0o7777, now_ns));
        }
        if creates && place.target.is_some() && flags & libc::O_EXCL != 0 {
            return Err(libc::EEXIST);
        }
        if creates && place.target.is_none() {
            if place.must_be_directory {
                return Err(libc::EISDIR);
            }
            let file = Node::File(Content::default());
            return self.create(place, file, how.mode as u32 & 0o7777, now_ns);
        }
        let target = place.existing(self)?;
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
        if self.is_directory(target) {
            return if writes || creates { Err(libc::EISDIR) } else { Ok(target) };
        }
        if wants_directory {
            return Err(libc::ENOTDIR);
        }
        if flags & libc::O_TRUNC != 0 && writes {
            self.truncate(target, 0, now_ns)?;
        }
        Ok(target)
    }

    /// Where a path leads now.
    pub(in crate::ring::sim) fn look_up(
        &self,
        base: Option<InodeId>,
        path: &[u8],
    ) -> Result<InodeId, i32> {
        self.walk(base, path, 0)?.existing(self)
    }

    pub(in crate::ring::sim) fn mkdir(
        &mut self,
        base: Option<InodeId>,
        path: &[u8],
        mode: u32,
        now_ns: u64,
    ) -> Result<(), i32> {
        let place = self.walk(base, path, 0)?;
        if place.target.is_some() {
            return Err(libc::EEXIST);
        }
        let node = Node::Directory(Directory { parent: place.parent, ..Directory::default() });
        self.create(place, node, mode & 0o7777, now_ns).map(drop)
    }

    /// Gives an open file one more name, or its first.
    pub(in crate::ring::sim) fn link(
        &mut self,
        id: InodeId,
        base: Option<InodeId>,
        path: &[u8],
        now_ns: u64,
    ) -> Result<(), i32> {
        let place = self.walk(base, path, 0)?;
        if place.target.is_some() {
            return Err(libc::EEXIST);
        }
        if self.is_directory(id) {
            return Err(libc::EPERM);
        }
        let name = place.name.filter(|_| !place.must_be_directory).ok_or(libc::ENOENT)?;
        self.add_entry(place.parent, name, id, now_ns)
    }

    pub(in crate::ring::sim) fn unlink(
        &mut self,
        base: Option<InodeId>,
        path: &[u8],
        directory: bool,
        now_ns: u64,
    ) -> Result<(), i32> {
        let place = self.walk(base, path, 0)?;
        let target = place.existing(self)?;
        match (directory, self.is_directory(target)) {
            (false, true) => return Err(libc::EISDIR),
            (true, false) => return Err(libc::ENOTDIR),
            (true, true) if !self.directory(target)?.entries.is_empty() => {
                return Err(libc::ENOTEMPTY);
            }
            _ => {}
        }
        let name = place.name.ok_or(libc::EBUSY)?;
        self.remove_entry(place.parent, &name, now_ns);
        Ok(())
    }

    pub(in crate::ring::sim) fn rename(
        &mut self,
        from: (Option<InodeId>, &[u8]),
        to: (Option<InodeId>, &[u8]),
        no_replace: bool,
        now_ns: u64,
    ) -> Result<(), i32> {
        let from = self.walk(from.0, from.1, 0)?;
        let to = self.walk(to.0, to.1, 0)?;
        let moved = from.existing(self)?;
        if no_replace && to.target.is_some() {
            return Err(libc::EEXIST);
        }
        if self.is_directory(moved) && self.is_beneath(to.parent, moved) {
            return Err(libc::EINVAL);
        }
        if to.must_be_directory && !self.is_directory(moved) {
            return Err(libc::ENOTDIR);
        }
        let (Some(from_name), Some(to_name)) = (from.name, to.name) else {
            return Err(libc::EBUSY);
        };
        if let Some(replaced) = to.target {
            if replaced == moved {
                return Ok(());
            }
            self.check_replace(moved, replaced)?;
            self.remove_entry(to.parent, &to_name, now_ns);
        }
        // The new name comes first, so that the inode is never without one.
        self.add_entry(to.parent, to_name, moved, now_ns)?;
        self.remove_entry(from.parent, &from_name, now_ns);
        if let Ok(directory) = self.directory_mut(moved) {
            directory.parent = to.parent;
        }
        Ok(())
    }

    /// Makes a file with its directories as if they had always been there: all of it is durable. One that
    /// was there has been written to now.
    pub(in crate::ring::sim) fn install(
        &mut self,
        path: &str,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), i32> {
        let mut at = ROOT;
        let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let part = part.as_bytes();
            let last = parts.peek().is_none();
            if !last && self.walk(Some(at), part, 0)?.target.is_none() {
                self.mkdir(Some(at), part, 0o755, 0)?;
            }
            if last {
                let flags = (libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY) as u64;
                let how = OpenHow { flags, mode: 0o644, resolve: 0 };
                let is_new = self.walk(Some(at), part, 0)?.target.is_none();
                let written_ns = if is_new { 0 } else { now_ns };
                let file = self.open(Some(at), part, &how, written_ns)?;
                let written = self.write(file, 0, data, written_ns)?;
                if written < data.len() {
                    return Err(libc::ENOSPC);
                }
                self.sync(file);
            }
            self.sync(at);
            at = self.look_up(Some(at), part)?;
        }
        Ok(())
    }

    /// The paths of all files, in order.
    pub(in crate::ring::sim) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        let mut found = vec![(ROOT, String::new())];
        while let Some((id, path)) = found.pop() {
            match &self.inodes[&id].node {
                Node::File(_) => paths.push(path),
                Node::Directory(directory) => {
                    found.extend(directory.entries.iter().map(|(name, child)| {
                        (*child, format!("{path}/{}", String::from_utf8_lossy(name)))
                    }));
                }
            }
        }
        paths.sort();
        paths
    }

    fn create(&mut self, place: Place, node: Node, mode: u32, now_ns: u64) -> Result<InodeId, i32> {
        let name = place.name.ok_or(libc::EEXIST)?;
        let id = self.insert(node, mode, now_ns);
        self.add_entry(place.parent, name, id, now_ns)?;
        Ok(id)
    }

    fn add_entry(
        &mut self,
        parent: InodeId,
        name: Vec<u8>,
        id: InodeId,
        now_ns: u64,
    ) -> Result<(), i32> {
        self.directory_mut(parent)?.entries.insert(name, id);
        self.inode(parent).modified_ns = now_ns;
        self.inode(id).links += 1;
        Ok(())
    }

    fn remove_entry(&mut self, parent: InodeId, name: &[u8], now_ns: u64) {
        let removed = self.directory_mut(parent).ok().and_then(|dir| dir.entries.remove(name));
        let id = removed.expect("a walk has just found this name");
        self.inode(parent).modified_ns = now_ns;
        self.inode(id).links -= 1;
        self.drop_if_unused(id);
    }

    fn check_replace(&self, moved: InodeId, replaced: InodeId) -> Result<(), i32> {
        match (self.is_directory(moved), self.is_directory(replaced)) {
            (true, false) => Err(libc::ENOTDIR),
            (false, true) => Err(libc::EISDIR),
            (true, true) if !self.directory(replaced)?.entries.is_empty() => Err(libc::ENOTEMPTY),
            _ => Ok(()),
        }
    }

    fn is_beneath(&self, mut id: InodeId, ancestor: InodeId) -> bool {
        loop {
            if id == ancestor {
                return true;
            }
            match self.directory(id) {
                Ok(directory) if id != ROOT => id = directory.parent,
                _ => return false,
            }
        }
    }
}
