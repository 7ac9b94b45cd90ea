//! The disk of a world: inodes in memory, and what of them a crash leaves.
//!
//! Data is durable once its file was synced, a name once its directory was. A crash takes back what
//! is not durable; each unsynced piece of data may have reached the disk all the same, and so may
//! the unsynced names, all or none of them, as a journal commits them. No name here is ever half
//! changed.

mod content;
mod names;
mod walk;

use std::collections::BTreeMap;

use content::Content;
use walk::ROOT;

use super::random::Random;

/// The number of a file or directory.
pub(super) type InodeId = u64;

/// All inodes.
#[derive(Debug)]
pub(super) struct Disk {
    inodes: BTreeMap<InodeId, Inode>,
    next_inode: InodeId,
    used_bytes: u64,
    capacity_bytes: u64,
}

/// What `statx` tells of an inode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    pub(super) inode: InodeId,
    pub(super) mode: u32,
    pub(super) links: u32,
    pub(super) size_bytes: u64,
    pub(super) modified_ns: u64,
}

#[derive(Debug)]
struct Inode {
    node: Node,
    permissions: u32,
    modified_ns: u64,
    /// Names that lead here now.
    links: u32,
    /// Names that would lead here after a crash.
    durable_links: u32,
    opens: u32,
}

#[derive(Debug)]
enum Node {
    File(Content),
    Directory(Directory),
}

#[derive(Debug, Default)]
struct Directory {
    parent: InodeId,
    entries: BTreeMap<Vec<u8>, InodeId>,
    durable: BTreeMap<Vec<u8>, InodeId>,
}

impl Disk {
    pub(super) fn new(capacity_bytes: u64) -> Disk {
        let root = Directory { parent: ROOT, ..Directory::default() };
        let mut root = Inode::new(Node::Directory(root), 0o755, 0);
        root.links = 1;
        root.durable_links = 1;
        Disk {
            inodes: BTreeMap::from([(ROOT, root)]),
            next_inode: ROOT + 1,
            used_bytes: 0,
            capacity_bytes,
        }
    }

    pub(super) fn is_directory(&self, id: InodeId) -> bool {
        matches!(self.inodes[&id].node, Node::Directory(_))
    }

    pub(super) fn stat(&self, id: InodeId) -> Stat {
        let inode = &self.inodes[&id];
        let (kind, size) = match &inode.node {
            Node::File(content) => (libc::S_IFREG, content.bytes().len()),
            Node::Directory(_) => (libc::S_IFDIR, 4096),
        };
        Stat {
            inode: id,
            mode: kind | inode.permissions,
            links: inode.links,
            size_bytes: size as u64,
            modified_ns: inode.modified_ns,
        }
    }

    pub(super) fn opened(&mut self, id: InodeId) {
        self.inode(id).opens += 1;
    }

    pub(super) fn closed(&mut self, id: InodeId) {
        self.inode(id).opens -= 1;
        self.drop_if_unused(id);
    }

    /// At most `len` bytes from `offset`; fewer at the end of the file.
    pub(super) fn read(&self, id: InodeId, offset: u64, len: usize) -> Result<&[u8], i32> {
        let Node::File(content) = &self.inodes[&id].node else { return Err(libc::EISDIR) };
        let bytes = content.bytes();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(&bytes[start..start.saturating_add(len).min(bytes.len())])
    }

    /// Writes as much of `data` as there is room for.
    pub(super) fn write(
        &mut self,
        id: InodeId,
        offset: u64,
        data: &[u8],
        now_ns: u64,
    ) -> Result<usize, i32> {
        if data.is_empty() {
            return Ok(0);
        }
        let size = self.stat(id).size_bytes;
        let end = offset.checked_add(data.len() as u64).ok_or(libc::EFBIG)?;
        let bound = end.min(size.saturating_add(self.room_bytes()));
        let count = bound.saturating_sub(offset) as usize;
        if count == 0 {
            return Err(libc::ENOSPC);
        }
        if bound > size {
            self.resize(id, bound)?;
        }
        let inode = self.inode(id);
        inode.modified_ns = now_ns;
        inode.content()?.write(offset as usize, &data[..count]);
        Ok(count)
    }

    /// Makes room up to `end`, and the file at least that long (fallocate(2), mode 0).
    pub(super) fn allocate(&mut self, id: InodeId, end: u64) -> Result<(), i32> {
        if end > self.stat(id).size_bytes {
            self.resize(id, end)?;
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, id: InodeId, len: u64, now_ns: u64) -> Result<(), i32> {
        self.resize(id, len)?;
        self.inode(id).modified_ns = now_ns;
        Ok(())
    }

    /// Makes data or names durable.
    pub(super) fn sync(&mut self, id: InodeId) {
        let inode = self.inode(id);
        match &mut inode.node {
            Node::File(content) => content.sync(),
            Node::Directory(directory) => {
                let entries = directory.entries.clone();
                let old = std::mem::replace(&mut directory.durable, entries.clone());
                for child in entries.into_values() {
                    self.inode(child).durable_links += 1;
                }
                for child in old.into_values() {
                    self.unlink_durable(child);
                }
            }
        }
    }

    /// A failed fsync: what was dirty counts as clean, and is not on the disk.
    pub(super) fn fail_sync(&mut self, id: InodeId) {
        if let Node::File(content) = &mut self.inode(id).node {
            content.forget_dirty();
        }
    }

    /// The power fails and comes back; nothing is open any more.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let names_survive = random.chance(0.5);
        for inode in self.inodes.values_mut() {
            inode.opens = 0;
            inode.links = 0;
            inode.durable_links = 0;
            match &mut inode.node {
                Node::File(content) => content.crash(random),
                Node::Directory(directory) if names_survive => {
                    directory.durable = directory.entries.clone();
                }
                Node::Directory(directory) => directory.entries = directory.durable.clone(),
            }
        }
        self.recount();
    }

    fn room_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.used_bytes)
    }

    fn resize(&mut self, id: InodeId, len: u64) -> Result<(), i32> {
        let old = self.inode(id).content()?.bytes().len() as u64;
        if len > old && len - old > self.room_bytes() {
            return Err(libc::ENOSPC);
        }
        self.used_bytes = self.used_bytes - old + len;
        self.inode(id).content()?.resize(len as usize);
        Ok(())
    }

    fn inode(&mut self, id: InodeId) -> &mut Inode {
        self.inodes.get_mut(&id).expect("an inode stays while a name or a descriptor leads to it")
    }

    fn insert(&mut self, node: Node, permissions: u32, now_ns: u64) -> InodeId {
        let id = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(id, Inode::new(node, permissions, now_ns));
        id
    }

    fn unlink_durable(&mut self, id: InodeId) {
        self.inode(id).durable_links -= 1;
        self.drop_if_unused(id);
    }

    /// Frees the room of what nobody can reach, and forgets it unless a crash could bring it back.
    fn drop_if_unused(&mut self, id: InodeId) {
        let inode = self.inode(id);
        if inode.links > 0 || inode.opens > 0 {
            return;
        }
        let forgotten = inode.durable_links == 0;
        if let Node::File(content) = &mut inode.node {
            let freed = content.bytes().len() as u64;
            content.forget_dirty();
            content.drop_bytes();
            self.used_bytes -= freed;
        }
        if !forgotten {
            return;
        }
        if let Some(Inode { node: Node::Directory(directory), .. }) = self.inodes.remove(&id) {
            directory.durable.into_values().for_each(|child| self.unlink_durable(child));
        }
    }

    /// Finds what the root leads to, counts names and room anew, and forgets the rest.
    fn recount(&mut self) {
        self.inode(ROOT).links = 1;
        self.inode(ROOT).durable_links = 1;
        let mut found = vec![ROOT];
        while let Some(id) = found.pop() {
            let Node::Directory(directory) = &mut self.inode(id).node else { continue };
            let mut entries = std::mem::take(&mut directory.entries);
            entries.retain(|_, child| self.recount_name(id, *child, &mut found));
            if let Ok(directory) = self.directory_mut(id) {
                directory.durable = entries.clone();
                directory.entries = entries;
            }
        }
        self.inodes.retain(|_, inode| inode.links > 0);
        self.used_bytes = self.inodes.keys().map(|id| self.file_bytes(*id)).sum();
    }

    /// Counts one name. A directory that was moved between two syncs may be found twice; like a
    /// file system check, this keeps one of the names.
    fn recount_name(&mut self, parent: InodeId, id: InodeId, found: &mut Vec<InodeId>) -> bool {
        let inode = self.inode(id);
        if let Node::Directory(directory) = &mut inode.node {
            if inode.links > 0 {
                return false;
            }
            directory.parent = parent;
        }
        inode.links += 1;
        inode.durable_links += 1;
        found.push(id);
        true
    }

    fn file_bytes(&self, id: InodeId) -> u64 {
        match &self.inodes[&id].node {
            Node::File(content) => content.bytes().len() as u64,
            Node::Directory(_) => 0,
        }
    }
}

impl Inode {
    fn new(node: Node, permissions: u32, now_ns: u64) -> Inode {
        Inode { node, permissions, modified_ns: now_ns, links: 0, durable_links: 0, opens: 0 }
    }

    fn content(&mut self) -> Result<&mut Content, i32> {
        match &mut self.node {
            Node::File(content) => Ok(content),
            Node::Directory(_) => Err(libc::EISDIR),
        }
    }
}
