//! A page of a listing, filled in the order of the keys' bytes, as S3 fills it.
//!
//! Stores that list by themselves walk their keys in order and offer each entry; the page says when
//! it is full. It never sorts and never looks at a store.

use crate::error::{ErrorKind, Result};
use crate::object::{ListEntry, ListPage, ListRequest};

/// Entries in a page where the request names no limit, as on S3.
pub(crate) const ENTRIES_DEFAULT: usize = 1_000;

/// Entries in a page at most (LIMIT-1): some 40 MB. Large pages pay where a page costs a walk.
pub(crate) const ENTRIES_MAX: usize = 100_000;

/// A page that is being filled.
#[derive(Debug)]
pub(crate) struct PageBuilder {
    entries: Vec<ListEntry>,
    entries_max: usize,
}

impl PageBuilder {
    /// An empty page for `request`.
    ///
    /// # Errors
    /// `InvalidInput` for a page of no entries, which would never end a listing.
    pub(crate) fn new(request: &ListRequest) -> Result<PageBuilder> {
        let asked = request.entries_max.map_or(ENTRIES_DEFAULT, |max| max as usize);
        if asked == 0 {
            let text = "a page of a listing holds at least 1 entry; entries_max is 0";
            return Err(ErrorKind::InvalidInput(text.into()).into());
        }
        Ok(PageBuilder { entries: Vec::new(), entries_max: asked.min(ENTRIES_MAX) })
    }

    /// Entries that still fit.
    pub(crate) fn room(&self) -> usize {
        self.entries_max - self.entries.len()
    }

    /// Adds what comes next in order. There has to be room.
    pub(crate) fn push(&mut self, entry: ListEntry) {
        assert!(self.room() > 0, "an entry for a full page");
        debug_assert!(self.entries.last().is_none_or(|last| last.key() < entry.key()));
        self.entries.push(entry);
    }

    /// The page after which nothing follows.
    pub(crate) fn last(self) -> ListPage {
        ListPage { entries: self.entries, continuation: None }
    }

    /// The page after which there is more: the next one begins behind its last key.
    pub(crate) fn cut(self) -> ListPage {
        let continuation = self.entries.last().map(|entry| entry.key().to_owned());
        ListPage { entries: self.entries, continuation }
    }
}

/// Up to where `key` is rolled up: behind the first delimiter at or after byte `from`.
pub(crate) fn rolled_up(key: &str, from: usize, delimiter: Option<char>) -> Option<usize> {
    let delimiter = delimiter?;
    let found = key.get(from..)?.find(delimiter)?;
    Some(from + found + delimiter.len_utf8())
}
