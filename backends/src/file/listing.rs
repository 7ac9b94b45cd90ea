//! Pages of a listing, read from directories in the order of the keys' bytes.
//!
//! The kernel gives names in no order, so a page reads each directory on its way as a whole and
//! keeps the smallest names that are still to come: memory is bounded by the page, whatever a
//! directory holds (LIMIT-1). The cost is that each page reads the directories it cuts through once
//! more: a directory of `n` files listed in pages of `p` is read `n / p` times, without looking at
//! the files. Whoever lists very large directories asks for large pages. Directories whose keys all
//! lie before the page are not opened.
//!
//! Regular files are objects. Links are not followed, temporaries are left out, and a directory is
//! rolled up without looking inside, so an empty one shows as a prefix. What cannot be read is an
//! error, never left out. All of this blocks, and belongs on the control thread (CORE-1).

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use hydrant_engine::OsError;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, StatxFlags, open, openat2};
use rustix::io::Errno;

use super::key;
use super::tree::{Tree, typed};
use super::version::Version;
use crate::error::{ErrorKind, Result};
use crate::object::{ListEntry, ListPage, ListRequest};
use crate::page::{PageBuilder, rolled_up};

/// Directories within each other that a listing follows, each with an open descriptor (LIMIT-1).
const DEPTH_MAX: usize = 512;

/// Names kept of one directory at least, so that small pages do not read it once for each entry.
const NAMES_KEPT_MIN: usize = 1024;

/// One page.
pub(super) fn page(tree: &Tree, request: &ListRequest) -> Result<ListPage> {
    let mut page = PageBuilder::new(request)?;
    let (directory, begin) = key::split(&request.prefix);
    key::check_directory(directory, tree.root_path().is_some())?;
    let Some(first) = open_first(tree, directory)? else { return Ok(page.last()) };
    let walk = Walk { tree, request };
    let mut levels = vec![Level::new(first, directory.to_owned(), begin.to_owned(), request)];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.next(&walk, page.room())? else {
            levels.pop();
            continue;
        };
        let key = format!("{}{}", level.key, name.text);
        if name.kind == Kind::Directory {
            let below =
                level.open(&walk, &name)?.map(|dir| Level::new(dir, key, String::new(), request));
            levels.extend(below);
            if levels.len() > DEPTH_MAX {
                return Err(too_deep(&walk, &levels));
            }
            continue;
        }
        let Some(entry) = level.entry(&walk, &name, key)? else { continue };
        if page.room() == 0 {
            return Ok(page.cut());
        }
        page.push(entry);
    }
    Ok(page.last())
}

/// An error of the system on a path.
pub(super) fn os_error(operation: &'static str, path: &str, errno: Errno) -> hydrant_engine::Error {
    OsError::new(operation, path, errno.raw_os_error()).into()
}

/// The version of a regular file; `None` for what is none.
pub(super) fn statx(dir: impl AsFd, path: &str, flags: AtFlags) -> Result<Option<Version>, Errno> {
    let statx = rustix::fs::statx(dir, path, flags, StatxFlags::BASIC_STATS)?;
    let is_file = FileType::from_raw_mode(statx.stx_mode.into()) == FileType::RegularFile;
    Ok(is_file.then(|| Version::of_statx(&statx)))
}

/// What stays the same during a page.
struct Walk<'a> {
    tree: &'a Tree,
    request: &'a ListRequest,
}

/// A directory that is being read.
struct Level {
    dir: Dir,
    /// What its keys begin with: nothing, or a path that ends in `/`.
    key: String,
    /// What its names have to begin with.
    begin: String,
    /// Where the page before ended, if that was within this directory.
    resumed: Option<String>,
    /// Names up to here have been gone through.
    passed: Option<String>,
    /// Names that come next, the first one last.
    names: Vec<Name>,
    /// Whether all names that come are in `names`.
    complete: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    /// As it stands in a key: a directory with its `/`.
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    File,
    Directory,
    Prefix,
}

impl Level {
    fn new(dir: Dir, key: String, begin: String, request: &ListRequest) -> Level {
        let continuation = request.behind();
        let resumed = continuation.and_then(|last| last.strip_prefix(&*key)).map(str::to_owned);
        // A page that ended before this directory has nothing to say of its names; one that ended
        // behind it shuts it out.
        let complete = resumed.is_none() && continuation.is_some_and(|last| last > &*key);
        Level { dir, key, begin, resumed, passed: None, names: Vec::new(), complete }
    }

    /// The next name in order.
    fn next(&mut self, walk: &Walk<'_>, room: usize) -> Result<Option<Name>> {
        if self.names.is_empty() && !self.complete {
            self.read_names(walk, NAMES_KEPT_MIN.max(room + 1))?;
        }
        let next = self.names.pop();
        if let Some(name) = &next {
            self.passed = Some(name.text.clone());
        }
        Ok(next)
    }

    /// Reads the directory and keeps the `kept_max` smallest of the names that are still to come.
    fn read_names(&mut self, walk: &Walk<'_>, kept_max: usize) -> Result<()> {
        let mut kept = BTreeSet::new();
        self.complete = true;
        self.dir.rewind();
        while let Some(entry) = self.dir.read() {
            let entry = entry.map_err(|errno| self.broken(walk, "read directory", "", errno))?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." || !bytes.starts_with(self.begin.as_bytes()) {
                continue;
            }
            let Some(is_directory) = self.is_directory(walk, &entry)? else { continue };
            let Ok(text) = std::str::from_utf8(bytes) else {
                return Err(self.not_text(walk, bytes));
            };
            let Some(name) = self.name(walk, text, is_directory) else { continue };
            if kept.len() == kept_max {
                self.complete = false;
                if kept.last().is_some_and(|last| *last <= name) {
                    continue;
                }
            }
            kept.insert(name);
            if kept.len() > kept_max {
                kept.pop_last();
            }
        }
        self.names = kept.into_iter().rev().collect();
        Ok(())
    }

    /// Whether an entry is a directory or a regular file; `None` for everything else.
    fn is_directory(&self, walk: &Walk<'_>, entry: &rustix::fs::DirEntry) -> Result<Option<bool>> {
        match entry.file_type() {
            FileType::Directory => Ok(Some(true)),
            FileType::RegularFile => Ok(Some(false)),
            FileType::Unknown => {
                let name = entry.file_name();
                let found = self.dir.fd().and_then(|dir| file_type(dir, name));
                let broken = |errno| self.broken(walk, "statx", &name.to_string_lossy(), errno);
                Ok(match found.map_err(broken)? {
                    Some(FileType::Directory) => Some(true),
                    Some(FileType::RegularFile) => Some(false),
                    _ => None,
                })
            }
            _ => Ok(None),
        }
    }

    /// The name as it stands in the listing, unless it does not, or did before.
    fn name(&self, walk: &Walk<'_>, text: &str, is_directory: bool) -> Option<Name> {
        if !is_directory && key::is_temporary(text) {
            return None;
        }
        let mut text = text.to_owned();
        let mut kind = Kind::File;
        if is_directory {
            text.push('/');
            kind = Kind::Directory;
        }
        if let Some(end) = rolled_up(&text, self.begin.len(), walk.request.delimiter) {
            text.truncate(end);
            kind = Kind::Prefix;
        }
        // The page before may have ended within a directory, which then goes on.
        let within = |last: &str| kind == Kind::Directory && last.starts_with(&text);
        let was_before =
            self.resumed.as_deref().is_some_and(|last| *text <= *last && !within(last));
        let is_passed = self.passed.as_deref().is_some_and(|passed| *text <= *passed);
        (!was_before && !is_passed).then_some(Name { text, kind })
    }

    /// Opens a directory in this one; `None` if it is none any more.
    fn open(&self, walk: &Walk<'_>, name: &Name) -> Result<Option<Dir>> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let broken = |errno| self.broken(walk, "open", &name.text, errno);
        let dir = self.dir.fd().map_err(broken)?;
        match openat2(dir, name.text.as_str(), flags, Mode::empty(), beneath()) {
            Ok(dir) => Dir::new(dir).map(Some).map_err(broken),
            Err(errno) if is_absent(errno) => Ok(None),
            Err(errno) => Err(broken(errno)),
        }
    }

    /// The line of a file or a prefix; `None` if the file is none any more.
    fn entry(&self, walk: &Walk<'_>, name: &Name, key: String) -> Result<Option<ListEntry>> {
        if name.kind == Kind::Prefix {
            return Ok(Some(ListEntry::Prefix(key)));
        }
        let dir = self.dir.fd();
        let found = dir.and_then(|dir| statx(dir, name.text.as_str(), AtFlags::SYMLINK_NOFOLLOW));
        match found {
            Ok(found) => Ok(found.map(|found| ListEntry::Object { key, meta: found.meta() })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.broken(walk, "statx", &name.text, errno)),
        }
    }

    fn broken(
        &self,
        walk: &Walk<'_>,
        operation: &'static str,
        name: &str,
        errno: Errno,
    ) -> crate::Error {
        os_error(operation, &walk.tree.shown(&format!("{}{name}", self.key)), errno).into()
    }

    fn not_text(&self, walk: &Walk<'_>, bytes: &[u8]) -> crate::Error {
        let path = walk.tree.shown(&format!("{}{}", self.key, bytes.escape_ascii()));
        let text = format!("{path} is not UTF-8, and keys are; rename it");
        ErrorKind::Unsupported(text).into()
    }
}

/// The directory that a prefix begins in; `None` where no key can begin so.
fn open_first(tree: &Tree, directory: &str) -> Result<Option<Dir>> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Some(root) = tree.root_path() else {
        return match open(typed(directory), flags, Mode::empty()) {
            Ok(dir) => read(dir, tree, directory).map(Some),
            Err(errno) => Err(tree.absent(directory, os_error("open", directory, errno))),
        };
    };
    let root = open(root, flags, Mode::empty())
        .map_err(|errno| tree.absent("", os_error("open", &tree.shown(""), errno)))?;
    if directory.is_empty() {
        return read(root, tree, directory).map(Some);
    }
    match openat2(root, directory, flags, Mode::empty(), beneath()) {
        Ok(dir) => read(dir, tree, directory).map(Some),
        Err(errno) if is_absent(errno) => Ok(None),
        Err(errno) => Err(os_error("open", &tree.shown(directory), errno).into()),
    }
}

/// What a name stands for; `None` if it is gone.
fn file_type(dir: impl AsFd, name: &CStr) -> Result<Option<FileType>, Errno> {
    match rustix::fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE) {
        Ok(statx) => Ok(Some(FileType::from_raw_mode(statx.stx_mode.into()))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn read(dir: OwnedFd, tree: &Tree, directory: &str) -> Result<Dir> {
    Dir::new(dir).map_err(|errno| os_error("open", &tree.shown(directory), errno).into())
}

/// Never above the directory and never through a link (SEC-2).
fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS
}

/// Whether a directory is not there, or is none or a link.
fn is_absent(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

fn too_deep(walk: &Walk<'_>, levels: &[Level]) -> crate::Error {
    let path = walk.tree.shown(levels.last().map_or("", |level| &level.key));
    let text = format!("{path} lies more than {DEPTH_MAX} directories deep; list a part of it");
    ErrorKind::Unsupported(text).into()
}
