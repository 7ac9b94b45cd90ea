//! A vetted head: its fields, where its body ends, whether the connection lives on.

use std::fmt;

use memchr::memchr;

use super::HeadError;
use super::fields::{self, ContentRange, FieldError};
use crate::http1::request::Method;

/// Where the body of an answer ends (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body, whatever the head says: HEAD, 1xx, 204, 304.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks, the last of which is empty.
    Chunked,
    /// Until the peer closes. Such a body can be cut without a trace; only another word on its size
    /// (`Content-Range`, a checksum) tells a whole one from a short one (DATA-2).
    UntilClose,
}

/// The head of one answer, borrowed from the buffer it was received into. Small, and free to copy.
#[derive(Clone, Copy)]
pub struct ResponseHead<'a> {
    /// Header lines, each with its CRLF; the grammar has been checked, so walking them again cannot
    /// fail.
    lines: &'a [u8],
    /// Which names there may be, by [`mark_of`]: most that are asked for are not.
    marks: u64,
    version_minor: u8,
    status: u16,
    content_length: Option<u64>,
    chunked: bool,
    keep_alive: bool,
}

impl<'a> ResponseHead<'a> {
    /// The three digits, 100 to 599 and never 101.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub fn version_minor(&self) -> u8 {
        self.version_minor
    }

    /// An interim (1xx) head: no body, and another head follows.
    pub fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Header lines in the order received: name as sent, value without the white space around it.
    pub fn headers(&self) -> HeaderLines<'a> {
        HeaderLines(RawLines { rest: self.lines })
    }

    /// The first value of a header; names are compared without regard to case.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// A header that may stand there once only, as text.
    pub fn text(&self, name: &'static str) -> Result<Option<&'a str>, FieldError> {
        let mut values = self.all(name);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(FieldError::Repeated { name });
        }
        std::str::from_utf8(value).map(Some).map_err(|_| FieldError::NotText { name })
    }

    /// Where the body ends, for an answer to `method`.
    pub fn body_framing(&self, method: Method) -> BodyFraming {
        if method == Method::Head || self.is_interim() || matches!(self.status, 204 | 304) {
            BodyFraming::None
        } else if self.chunked {
            BodyFraming::Chunked
        } else if let Some(length) = self.content_length {
            BodyFraming::Length(length)
        } else {
            BodyFraming::UntilClose
        }
    }

    /// Whether the peer keeps the connection open after this answer (RFC 9112 section 9.3). Whether
    /// it may be *used* again depends on the body too: see
    /// [`BodyState::reusable`](crate::http1::body::BodyState::reusable).
    pub fn keep_alive(&self) -> bool {
        // A peer that announces a body where none may be (RFC 9110 sections 8.6 and 15.3.5) might
        // send it.
        let body_where_none_may_be = (self.is_interim() || self.status == 204)
            && (self.chunked || self.content_length.is_some_and(|length| length > 0));
        self.keep_alive && !body_where_none_may_be
    }

    /// `Content-Length` as announced; in an answer to HEAD the size of the object.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// `Content-Range` (RFC 9110 section 14.4).
    pub fn content_range(&self) -> Result<Option<ContentRange>, FieldError> {
        const NAME: &str = "Content-Range";
        let Some(text) = self.text(NAME)? else { return Ok(None) };
        let range = ContentRange::parse(text);
        range.map(Some).ok_or_else(|| FieldError::malformed(NAME, text))
    }

    /// `ETag` as sent, with its quotes.
    pub fn etag(&self) -> Result<Option<&'a str>, FieldError> {
        self.text("ETag")
    }

    /// `x-amz-request-id`, for error messages.
    pub fn request_id(&self) -> Option<&'a str> {
        self.get("x-amz-request-id").and_then(|id| std::str::from_utf8(id).ok())
    }

    /// `x-amz-id-2`, for error messages.
    pub fn host_id(&self) -> Option<&'a str> {
        self.get("x-amz-id-2").and_then(|id| std::str::from_utf8(id).ok())
    }

    /// A copy that outlives the buffer, for reading the fields once the body is there.
    pub(crate) fn keep(&self) -> KeptHead {
        KeptHead { lines: self.lines.to_vec(), facts: self.facts() }
    }

    /// What is known of it, without its bytes.
    pub(crate) fn facts(&self) -> HeadFacts {
        let head = ResponseHead { lines: &[], ..*self };
        HeadFacts { lines_bytes: self.lines.len(), head }
    }

    /// Reads the framing out of a head whose lines and grammar have been checked.
    pub(super) fn from_vetted_lines(
        raw: &'a [u8],
        version_minor: u8,
        status: u16,
    ) -> Result<Self, HeadError> {
        let (_status_line, lines) = split_line(raw).ok_or(HeadError::BadStatusLine)?;
        let lines = lines.strip_suffix(EMPTY_LINE).unwrap_or(lines);
        let (mut framing, mut marks) = (FramingFields::default(), 0);
        for (name, value) in (RawLines { rest: lines }) {
            framing.take(name, value)?;
            marks |= mark_of(name);
        }
        if framing.chunked && version_minor == 0 {
            return Err(HeadError::TransferEncodingInHttp10);
        }
        if framing.chunked && framing.content_length.is_some() {
            return Err(HeadError::LengthWithTransferEncoding);
        }
        Ok(Self {
            lines,
            marks,
            version_minor,
            status,
            content_length: framing.content_length,
            chunked: framing.chunked,
            keep_alive: !framing.says_close && (version_minor >= 1 || framing.says_keep_alive),
        })
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_bytes();
        let may_be_there = self.marks & mark_of(name) != 0;
        let lines = RawLines { rest: if may_be_there { self.lines } else { &[] } };
        lines
            .filter(move |(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_ascii())
    }
}

/// One of 64 bits, the same for names that differ in case alone.
fn mark_of(name: &[u8]) -> u64 {
    let last = name.last().map_or(0, u8::to_ascii_lowercase);
    1 << ((7 * name.len() + usize::from(last)) % 64)
}

/// A head with a buffer of its own.
pub(crate) struct KeptHead {
    lines: Vec<u8>,
    facts: HeadFacts,
}

impl KeptHead {
    pub(crate) fn borrow(&self) -> ResponseHead<'_> {
        ResponseHead { lines: &self.lines, ..self.facts.head }
    }
}

/// What was found out about a head, so that it need not be vetted again.
pub(crate) struct HeadFacts {
    lines_bytes: usize,
    /// All of it but the lines.
    head: ResponseHead<'static>,
}

impl HeadFacts {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    /// The head again, given the bytes that it was read from, its empty line included.
    pub(crate) fn over<'a>(&self, raw: &'a [u8]) -> ResponseHead<'a> {
        debug_assert!(raw.ends_with(EMPTY_LINE), "a vetted head is whole");
        let end = raw.len() - EMPTY_LINE.len();
        ResponseHead { lines: &raw[end - self.lines_bytes..end], ..self.head }
    }
}

impl fmt::Debug for ResponseHead<'_> {
    // Names without values: a value may be a cookie or a token (SEC-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("version_minor", &self.version_minor)
            .field("content_length", &self.content_length)
            .field("chunked", &self.chunked)
            .field("keep_alive", &self.keep_alive)
            .field("headers", &names)
            .finish()
    }
}

/// What the framing fields say, gathered in one walk over the lines.
#[derive(Default)]
struct FramingFields {
    content_length: Option<u64>,
    chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl FramingFields {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        if name.eq_ignore_ascii_case(b"Content-Length") {
            let value = value.trim_ascii();
            let length = fields::decimal(value).ok_or(HeadError::BadContentLength)?;
            if self.content_length.replace(length).is_some() {
                return Err(HeadError::RepeatedContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
            if self.chunked {
                return Err(HeadError::RepeatedTransferEncoding);
            }
            if !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(HeadError::UnsupportedTransferCoding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"Connection") {
            for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                self.says_close |= option.eq_ignore_ascii_case(b"close");
                self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }
}

/// The header lines of a head; see [`ResponseHead::headers`].
#[derive(Clone)]
pub struct HeaderLines<'a>(RawLines<'a>);

impl<'a> Iterator for HeaderLines<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.next()?;
        Some((std::str::from_utf8(name).ok()?, value.trim_ascii()))
    }
}

impl fmt::Debug for HeaderLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(|(name, _)| name)).finish()
    }
}

/// The same before anything is made of it: a name, and what stands behind its colon.
#[derive(Clone)]
struct RawLines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RawLines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = split_line(self.rest)?;
        self.rest = rest;
        let colon = memchr(b':', line)?;
        Some((&line[..colon], &line[colon + 1..]))
    }
}

const EMPTY_LINE: &[u8] = b"\r\n";

/// The first line without its CRLF, and what follows it.
fn split_line(lines: &[u8]) -> Option<(&[u8], &[u8])> {
    let line_feed = memchr(b'\n', lines)?;
    let line = lines[..line_feed].strip_suffix(b"\r")?;
    Some((line, &lines[line_feed + 1..]))
}
