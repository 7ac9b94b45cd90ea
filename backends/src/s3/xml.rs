//! The XML documents of S3: walked with limits, and written. What an answer means is said where its
//! operation is; listings and errors, which several share, are read here.
//!
//! What a server sends is not trusted: depth, text and entries have limits ([`XmlLimits`]), a
//! DOCTYPE and entities of its own are refused, and a document that ends early is an error, never a
//! short listing (DATA-2). Elements that are not known are skipped, and namespaces are not looked
//! at, because servers disagree on them. Source: Amazon S3 API reference, the response syntax of
//! each operation.

mod error_document;
mod list;
mod plain;
mod walk;
mod write;

use super::encode::DecodeError;

pub use error_document::{ErrorDocument, parse_error};
pub use list::{ListPage, ListedObject, Owner, parse_list_page};
pub(super) use list::{Listed, parse_bool, parse_listed, parse_number};
pub(super) use walk::{Leaf, walk};
pub(super) use write::{can_be_written, write_element};

/// What a document may cost. The body's own size is limited by whoever receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlLimits {
    /// Elements inside each other; S3's own documents need four.
    pub depth_max: usize,
    /// Bytes of text in one element. A SignatureDoesNotMatch repeats the canonical request, so a
    /// few KiB.
    pub text_bytes_max: usize,
    /// Entries of one page, of whatever kind; S3 sends at most 1000 keys and 10,000 buckets, some
    /// servers more.
    pub entries_max: usize,
}

impl Default for XmlLimits {
    fn default() -> XmlLimits {
        XmlLimits { depth_max: 20, text_bytes_max: 64 << 10, entries_max: 10_000 }
    }
}

impl XmlLimits {
    pub(super) fn check_entries(&self, entries: usize) -> Result<(), XmlError> {
        if entries > self.entries_max {
            return Err(XmlError::Limit { limit: "entries_max", value: self.entries_max });
        }
        Ok(())
    }
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It is no XML, or no UTF-8.
    #[error("not well-formed XML at byte {offset}: {problem}")]
    Malformed {
        /// Where reading stopped.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// It ends before its root element does: the answer was cut short.
    #[error("the XML document is cut short")]
    Truncated,
    /// Its root is another element.
    #[error("expected an XML document <{expected}>, found <{found}>")]
    Root {
        /// The element asked for.
        expected: &'static str,
        /// The element found.
        found: String,
    },
    /// A limit of [`XmlLimits`] is exceeded.
    #[error("the XML document exceeds the limit {limit} of {value}")]
    Limit {
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        value: usize,
    },
    /// An element that cannot be done without is missing or empty.
    #[error("the XML document has no <{element}>")]
    Missing {
        /// The element's name.
        element: &'static str,
    },
    /// An element's text is not of its kind.
    #[error("the XML element <{element}> holds {text:?}, which is no {kind}")]
    Value {
        /// The element's name.
        element: &'static str,
        /// Its text, cut to 100 characters.
        text: String,
        /// What it should be.
        kind: &'static str,
    },
    /// A key that should be URL-encoded is not.
    #[error("the XML element <{element}> is not URL-encoded: {source}")]
    Encoding {
        /// The element's name.
        element: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// The text without blanks around it, where anything is left.
pub(super) fn some_text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
