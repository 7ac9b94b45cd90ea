//! What is open: files, sockets, listeners, and who holds them.

use std::collections::BTreeMap;

use super::disk::InodeId;
use super::network::EndId;
use super::request::ObjectId;

/// The first number given out; below lie what a process calls its standard streams.
const FIRST: ObjectId = 3;

/// Everything open.
#[derive(Debug, Default)]
pub(super) struct Objects {
    table: BTreeMap<ObjectId, Object>,
}

#[derive(Debug)]
struct Object {
    kind: Kind,
    /// The descriptor, and each operation in flight.
    holds: u32,
}

#[derive(Debug)]
pub(super) enum Kind {
    File(OpenFile),
    Socket(Socket),
    Listener,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OpenFile {
    pub(super) inode: InodeId,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) direct: bool,
    pub(super) append: bool,
    /// Has the lock of its file.
    pub(super) locked: bool,
    /// Opened before a crash; every use is EIO.
    pub(super) stale: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Socket {
    pub(super) ipv6: bool,
    pub(super) end: Option<EndId>,
}

impl Objects {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Takes the lowest free number, as a process does, so that one used too long is noticed.
    pub(super) fn insert(&mut self, kind: Kind) -> ObjectId {
        let taken = self.table.keys().zip(FIRST..).take_while(|(key, id)| *key == id).count();
        let id = FIRST + taken as ObjectId;
        self.table.insert(id, Object { kind, holds: 1 });
        id
    }

    pub(super) fn hold(&mut self, id: ObjectId) -> Result<(), i32> {
        self.table.get_mut(&id).ok_or(libc::EBADF)?.holds += 1;
        Ok(())
    }

    /// Lets go; the last one to do so gets what is to be closed.
    pub(super) fn release(&mut self, id: ObjectId) -> Option<Kind> {
        let object = self.table.get_mut(&id).expect("held until now");
        object.holds -= 1;
        (object.holds == 0).then(|| self.table.remove(&id).expect("looked at above").kind)
    }

    /// An open file or directory.
    pub(super) fn file(&self, id: ObjectId) -> Result<OpenFile, i32> {
        match self.table.get(&id).map(|object| &object.kind) {
            Some(Kind::File(file)) if file.stale => Err(libc::EIO),
            Some(Kind::File(file)) => Ok(*file),
            _ => Err(libc::EBADF),
        }
    }

    /// Locks a file for this opening of it, unless another has it locked.
    pub(super) fn try_lock(&mut self, id: ObjectId) -> Result<bool, i32> {
        let inode = self.file(id)?.inode;
        let has_it = |kind: &Kind| matches!(kind, Kind::File(file) if file.inode == inode && file.locked && !file.stale);
        if self.table.iter().any(|(other, object)| *other != id && has_it(&object.kind)) {
            return Ok(false);
        }
        if let Some(Object { kind: Kind::File(file), .. }) = self.table.get_mut(&id) {
            file.locked = true;
        }
        Ok(true)
    }

    pub(super) fn socket(&mut self, id: ObjectId) -> Result<&mut Socket, i32> {
        match self.table.get_mut(&id).map(|object| &mut object.kind) {
            Some(Kind::Socket(socket)) => Ok(socket),
            Some(_) => Err(libc::ENOTSOCK),
            None => Err(libc::EBADF),
        }
    }

    pub(super) fn check_listener(&self, id: ObjectId) -> Result<(), i32> {
        match self.table.get(&id).map(|object| &object.kind) {
            Some(Kind::Listener) => Ok(()),
            Some(Kind::Socket(_)) => Err(libc::EINVAL),
            Some(Kind::File(_)) => Err(libc::ENOTSOCK),
            None => Err(libc::EBADF),
        }
    }

    pub(super) fn make_files_stale(&mut self) {
        for object in self.table.values_mut() {
            if let Kind::File(file) = &mut object.kind {
                file.stale = true;
            }
        }
    }
}
