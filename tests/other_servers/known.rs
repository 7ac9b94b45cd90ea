//! What each server does in a way of its own, and keys that are odd to some.

use hydrant::s3::endpoint::REGION_DEFAULT;

/// What a server does in a way of its own.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// What it takes signatures for.
    pub(super) region: &'static str,
    /// Keys of [`ODD`] that it finds no place for.
    pub(super) refuses: &'static [&'static str],
    /// Keys that it takes for others.
    pub(super) renames: &'static [(&'static str, &'static str)],
    /// It answers a range of an empty object with a byte that never comes.
    pub(super) empty_ranges_break: bool,
    /// Whether it gives a listing in pages. Where not, it answers 500 to who wants it so.
    pub(super) lists_in_pages: bool,
    /// Keys that a copy cannot be made of.
    pub(super) copies_none_of: &'static [&'static str],
    /// Whether it tells which uploads were begun, and aborts them.
    pub(super) lists_uploads: bool,
    /// Whether it keeps versions and tags, and tells the attributes of objects.
    pub(super) keeps_versions: bool,
    /// Whether it reads `aws-chunked` bodies. Where not, it keeps the framing as a part of the object,
    /// which nothing in its answer tells.
    pub(super) reads_trailers: bool,
    /// It refuses checksums behind the body that are signed: it takes another text to be signed than S3
    /// publishes, one that begins as for a chunk.
    pub(super) refuses_signed_trailers: bool,
}

/// The server behind werkzeug, which matches paths by lines.
pub(super) const MOTO: Known = Known {
    region: REGION_DEFAULT,
    refuses: &["new\nline"],
    renames: &[],
    empty_ranges_break: false,
    lists_in_pages: true,
    copies_none_of: &[],
    lists_uploads: true,
    keeps_versions: true,
    reads_trailers: true,
    refuses_signed_trailers: false,
};

/// It keeps objects in files of their names.
pub(super) const S3RVER: Known = Known {
    region: REGION_DEFAULT,
    refuses: &["a//b", "/lead"],
    renames: &[("dots/./x", "dots/x"), ("dots/../y", "y")],
    empty_ranges_break: true,
    lists_in_pages: false,
    copies_none_of: &["copies/+"],
    lists_uploads: false,
    keeps_versions: false,
    reads_trailers: false,
    refuses_signed_trailers: false,
};

/// It takes a key to begin behind all slashes that are there.
pub(super) const GARAGE: Known = Known {
    region: "garage",
    refuses: &[],
    renames: &[("/lead", "lead")],
    empty_ranges_break: false,
    lists_in_pages: true,
    copies_none_of: &[],
    lists_uploads: true,
    keeps_versions: false,
    reads_trailers: true,
    refuses_signed_trailers: true,
};

pub(super) const ODD: [&str; 17] = [
    "a b",
    "a+b",
    "a%20b",
    "ü/é",
    "a//b",
    "/lead",
    "dots/./x",
    "dots/../y",
    "new\nline",
    "emoji 🦀",
    "trailing/",
    "q?x=1&y#z",
    "a&b<c>\"d'",
    "tilde~*!()",
    "back\\slash",
    "k=v;w,x:y@z$",
    LONG,
];

/// As long as a key may be, in names that a file may have.
pub(super) const LONG: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "01234567890123",
);
