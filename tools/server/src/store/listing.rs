//! Keys in the order of their bytes, read from the tree of directories.
//!
//! In one directory an object stands for one key, a subdirectory for all keys that begin with its own: `a/` for the
//! directory `a`. No such beginning is the beginning of a sibling's (see `key` for long names), so taking the
//! siblings in the order of these strings, and each subdirectory whole in its place, is the order of the keys.
//! Memory is bounded: of a directory only the next [`BATCH_ENTRIES`] names are kept, and it is read again for more.

use std::collections::{BinaryHeap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use super::key::{decode_dir, decode_leaf};
use super::record::Version;
use super::{Store, StoreError, dir};

/// Names kept of one directory; more than a page, so that a flat bucket is read once a page.
const BATCH_ENTRIES: usize = 2048;

/// What to list.
#[derive(Debug, Default)]
pub(crate) struct ListQuery {
    pub prefix: String,
    /// Keys are rolled up to the end of the first delimiter after the prefix. Empty is none.
    pub delimiter: String,
    /// The first key that may be listed, as bytes: see [`after`] and [`past`].
    pub from: Vec<u8>,
    pub keys_max: usize,
}

/// A page.
#[derive(Debug)]
pub(crate) struct Listing {
    pub entries: Vec<Entry>,
    /// Where the next page begins, if there is one.
    pub next: Option<Vec<u8>>,
}

/// A line of a page.
#[derive(Debug)]
pub(crate) enum Entry {
    Object { key: String, size: u64, modified: SystemTime, etag: Option<String> },
    CommonPrefix(String),
}

/// The least string after `key`.
pub(crate) fn after(key: &str) -> Vec<u8> {
    [key.as_bytes(), b"\0"].concat()
}

/// The least string after all that begin with `prefix`. No byte of UTF-8 is 255, so the last one can grow.
pub(crate) fn past(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

impl Store {
    /// A page of a bucket's keys.
    pub(crate) fn list(&self, bucket: &str, query: &ListQuery) -> Result<Listing, StoreError> {
        let mut entries = Vec::new();
        let mut walker = Walker::new(self, bucket, query)?;
        while let Some(found) = walker.next()? {
            if entries.len() == query.keys_max {
                return Ok(Listing { entries, next: Some(walker.from) });
            }
            match common_prefix(&found.key, query) {
                Some(prefix) => {
                    walker.from = past(prefix);
                    entries.push(Entry::CommonPrefix(prefix.to_owned()));
                }
                None => {
                    walker.from = after(&found.key);
                    let etag = self.listed_etag(
                        bucket,
                        &found.key,
                        walker.top()?,
                        &found.name,
                        found.version,
                    )?;
                    let (size, modified) = (found.version.size, found.version.modified());
                    entries.push(Entry::Object { key: found.key, size, modified, etag });
                }
            }
        }
        Ok(Listing { entries, next: None })
    }
}

fn common_prefix<'a>(key: &'a str, query: &ListQuery) -> Option<&'a str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = &key[query.prefix.len()..];
    let end = rest.find(&query.delimiter)? + query.delimiter.len();
    Some(&key[..query.prefix.len() + end])
}

/// An object on the way.
struct Found {
    key: String,
    name: OsString,
    version: Version,
}

/// Goes through the tree in the order of keys.
struct Walker<'a> {
    bucket: &'a str,
    prefix: &'a [u8],
    /// Keys before this are passed over; it only grows.
    from: Vec<u8>,
    root: OwnedFd,
    frames: Vec<Frame>,
    /// The directory of the last frame. The others are opened again when the walk returns to them: a deep tree must
    /// not cost a descriptor a level.
    top: Option<OwnedFd>,
}

/// A directory on the way.
struct Frame {
    name: OsString,
    /// How all keys below begin.
    base: Vec<u8>,
    entries: VecDeque<Name>,
    /// Whether the directory has names beyond these.
    more: bool,
    /// The last one taken.
    last: Option<Vec<u8>>,
}

/// A name in a directory, in the order of what it stands for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    /// The key of an object, or how all keys below a directory begin.
    text: Vec<u8>,
    is_dir: bool,
    name: OsString,
}

impl<'a> Walker<'a> {
    fn new(store: &'a Store, bucket: &'a str, query: &'a ListQuery) -> Result<Self, StoreError> {
        let root = store.open_bucket(bucket)?;
        let first = Frame {
            name: OsString::new(),
            base: vec![],
            entries: VecDeque::new(),
            more: true,
            last: None,
        };
        let (prefix, from) = (query.prefix.as_bytes(), query.from.clone());
        Ok(Self { bucket, prefix, from, root, frames: vec![first], top: None })
    }

    fn next(&mut self) -> Result<Option<Found>, StoreError> {
        while let Some(frame) = self.frames.last_mut() {
            let Some(entry) = frame.entries.pop_front() else {
                match frame.more {
                    true => self.fill()?,
                    false => self.leave(),
                }
                continue;
            };
            frame.last = Some(entry.text.clone());
            if !self.wanted(&entry) {
                continue;
            }
            if entry.is_dir {
                self.enter(entry);
            } else if let Some(found) = self.look_at(entry)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn enter(&mut self, dir: Name) {
        self.top = None;
        let Name { text, name, .. } = dir;
        self.frames.push(Frame {
            name,
            base: text,
            entries: VecDeque::new(),
            more: true,
            last: None,
        });
    }

    fn leave(&mut self) {
        self.top = None;
        self.frames.pop();
    }

    /// Reads the next names of the last frame's directory. One that has gone is empty.
    fn fill(&mut self) -> Result<(), StoreError> {
        let mut names = BinaryHeap::new();
        let mut more = false;
        match self.top() {
            Ok(_) => {}
            Err(StoreError::Io { source, .. }) if is_gone(&source) => {
                self.leave();
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let bucket = self.bucket;
        let failed = |source: Errno| StoreError::io("list", bucket, source);
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let Some(top) = &self.top else { return Ok(()) };
        for entry in Dir::read_from(top).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => dir::kind(top, OsStr::from_bytes(bytes)).map_err(failed)?,
                kind => Some(kind),
            };
            let Some(name) = frame.interpret(bytes, kind) else { continue };
            let taken = frame.last.as_ref().is_some_and(|last| name.text <= *last);
            if taken || !self.wanted(&name) {
                continue;
            }
            names.push(name);
            if names.len() > BATCH_ENTRIES {
                names.pop();
                more = true;
            }
        }
        let mut names = names.into_sorted_vec();
        // An object both in its own place and aside is one put there by other means; either stands for the key.
        names.dedup_by(|a, b| a.text == b.text);
        if let Some(frame) = self.frames.last_mut() {
            frame.entries = names.into();
            frame.more = more;
        }
        Ok(())
    }

    /// Whether a key that may be listed can be at this name or below.
    fn wanted(&self, entry: &Name) -> bool {
        let text = entry.text.as_slice();
        if !entry.is_dir {
            return text >= self.from.as_slice() && text.starts_with(self.prefix);
        }
        let not_all_before = text >= self.from.as_slice() || self.from.starts_with(text);
        not_all_before && (text.starts_with(self.prefix) || self.prefix.starts_with(text))
    }

    /// What only the file itself can say; `None` if it has gone, or has no key that a request could name.
    fn look_at(&mut self, entry: Name) -> Result<Option<Found>, StoreError> {
        let Name { text, name, .. } = entry;
        let Ok(key) = String::from_utf8(text) else { return Ok(None) };
        let stat = match statat(self.top()?, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(error) if dir::is_absence(error) => return Ok(None),
            Err(error) => return Err(StoreError::io("list", key, error)),
        };
        let modified_nanos =
            i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
        let version = Version { size: u64::try_from(stat.st_size).unwrap_or(0), modified_nanos };
        Ok(Some(Found { key, name, version }))
    }

    /// The directory of the last frame.
    fn top(&mut self) -> Result<&OwnedFd, StoreError> {
        let top = match self.top.take() {
            Some(top) => top,
            None => {
                let names: Vec<OsString> =
                    self.frames.iter().skip(1).map(|frame| frame.name.clone()).collect();
                dir::walk(&self.root, &names)
                    .map_err(|source| StoreError::io("list", self.bucket, source))?
            }
        };
        Ok(self.top.insert(top))
    }
}

impl Frame {
    fn interpret(&self, name: &[u8], kind: Option<FileType>) -> Option<Name> {
        let is_dir = match kind? {
            FileType::Directory => true,
            FileType::RegularFile => false,
            _ => return None,
        };
        let own = if is_dir { decode_dir(name)? } else { decode_leaf(name)? };
        let text = [self.base.as_slice(), &own].concat();
        Some(Name { text, is_dir, name: OsStr::from_bytes(name).to_owned() })
    }
}

fn is_gone(error: &std::io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(dir::is_absence)
}
