//! What uploads in parts have in common where the store keeps the parts itself: they end once, and
//! they end whole.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use crate::error::{Error, ErrorKind, Result};
use crate::store::PartTag;

/// How far an upload is. It takes parts until it is completed or aborted, and it ends once.
#[derive(Debug, Default)]
pub(crate) struct Life(AtomicU8);

const OPEN: u8 = 0;
const COMPLETING: u8 = 1;
const VISIBLE: u8 = 2;
const GONE: u8 = 3;

impl Life {
    /// # Errors
    /// `InvalidInput` once the upload is being completed or has ended: a late part must not reach
    /// an object that is visible.
    pub(crate) fn check_open(&self, uri: &str) -> Result<()> {
        match self.0.load(SeqCst) {
            OPEN => Ok(()),
            _ => Err(ended(uri)),
        }
    }

    /// Ends the taking of parts.
    ///
    /// # Errors
    /// `InvalidInput` where that has happened before.
    pub(crate) fn begin_completing(&self, uri: &str) -> Result<()> {
        let before = self.0.compare_exchange(OPEN, COMPLETING, SeqCst, SeqCst);
        before.map(drop).map_err(|_| ended(uri))
    }

    /// The object can be seen.
    pub(crate) fn set_visible(&self) {
        self.0.store(VISIBLE, SeqCst);
    }

    /// Nothing is left of the upload.
    pub(crate) fn set_gone(&self) {
        self.0.store(GONE, SeqCst);
    }

    /// Ends the taking of parts; whether something may be left to throw away.
    ///
    /// # Errors
    /// `InvalidInput` where the object is visible already.
    pub(crate) fn begin_aborting(&self, uri: &str) -> Result<bool> {
        let ends = |state| (state == OPEN || state == COMPLETING).then_some(COMPLETING);
        match self.0.fetch_update(SeqCst, SeqCst, ends) {
            Ok(_) => Ok(true),
            Err(GONE) => Ok(false),
            Err(_) => Err(ended(uri)),
        }
    }
}

/// The size of the object that the parts make, if they lie end to end from its first byte and give
/// the size that was announced (DATA-2).
///
/// # Errors
/// `Integrity`.
pub(crate) fn size_of_parts(uri: &str, tags: &[PartTag], announced: Option<u64>) -> Result<u64> {
    let broken = |detail| Error::from(ErrorKind::Integrity { object: uri.to_owned(), detail });
    let mut size_bytes = 0u64;
    for tag in tags {
        let part = tag.part;
        if part.offset != size_bytes {
            let index = part.index;
            let text = format!("part {index} begins at {} instead of {size_bytes}", part.offset);
            return Err(broken(text));
        }
        let end = part.offset.checked_add(part.len);
        size_bytes = end.ok_or_else(|| broken(format!("part {} has no end", part.index)))?;
    }
    match announced {
        Some(announced) if announced != size_bytes => {
            Err(broken(format!("{size_bytes} bytes came where {announced} were announced")))
        }
        _ => Ok(size_bytes),
    }
}

fn ended(uri: &str) -> Error {
    ErrorKind::InvalidInput(format!("the upload to {uri} was completed or aborted before")).into()
}
