//! The head of an answer, found and vetted in the bytes received so far.
//!
//! Two steps, neither of which allocates. A scan walks each received byte once, wherever the pieces
//! are cut, and refuses what must not be in a head at all: bare CR or LF, NUL, folded lines, a head
//! beyond its limits. When the empty line has come, `httparse` checks the grammar and the fields
//! that decide where the body ends are vetted: every shape on which two readers could disagree is
//! refused, not repaired (RFC 9112 sections 6.3 and 11.2; RUSTSEC-2021-0078 is what leniency
//! costs).

mod fields;
mod head;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use memchr::memchr3;
use thiserror::Error;

pub use fields::{ContentRange, FieldError};
pub use head::{BodyFraming, HeaderLines, ResponseHead};
pub(crate) use head::{HeadFacts, KeptHead};

/// Header lines that one head can have at most, whatever the limits say: the parser's table has
/// this size.
pub const HEADERS_CAP: usize = 128;

/// What an answer's head may cost (LIMIT-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Size of one head in bytes, empty line included. Default 64 KiB.
    pub head_bytes_max: usize,
    /// Header lines in one head. Default 100; more than [`HEADERS_CAP`] counts as that.
    pub headers_max: usize,
    /// Interim (1xx) heads before the final one. Default 8.
    pub interim_heads_max: u32,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head_bytes_max: 64 << 10, headers_max: 100, interim_heads_max: 8 }
    }
}

/// How far the bytes received so far go.
#[derive(Debug, Clone, Copy)]
pub enum HeadProgress<'a> {
    /// Nothing wrong yet, and no end: receive more behind what is there.
    Partial,
    /// The head is whole. What follows `head_len` in the buffer belongs to the body, or after an
    /// interim head to the next head.
    Complete {
        /// The head, borrowing from the buffer.
        head: ResponseHead<'a>,
        /// Bytes of the buffer that the head takes, its empty line included.
        head_len: usize,
    },
}

/// Why an answer's head was refused. The connection is closed after each of these: where the answer
/// ends is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadError {
    /// The answer does not begin with `HTTP/1.`: another protocol (TLS on a plain port, HTTP/2) or
    /// the rest of an older answer.
    #[error("the peer does not answer in HTTP/1: is the port right, and does it expect TLS?")]
    NotHttp1,
    /// No end within the limit.
    #[error(
        "the answer's head has no end within the limit of {limit_bytes} bytes (head_bytes_max)"
    )]
    TooLarge {
        /// `HeadLimits::head_bytes_max`.
        limit_bytes: usize,
    },
    /// More header lines than the limit.
    #[error("the answer has more than {limit} header lines (headers_max)")]
    TooManyHeaders {
        /// `HeadLimits::headers_max`.
        limit: usize,
    },
    /// More interim heads than the limit.
    #[error("the answer has more than {limit} interim (1xx) heads (interim_heads_max)")]
    TooManyInterimHeads {
        /// `HeadLimits::interim_heads_max`.
        limit: u32,
    },
    /// LF without CR before it. RFC 9112 section 2.2 lets a reader accept it; readers that differ
    /// there can be played against each other.
    #[error("bare line feed at byte {offset} of the answer's head")]
    BareLf {
        /// Where in the head.
        offset: usize,
    },
    /// CR without LF after it.
    #[error("bare carriage return at byte {offset} of the answer's head")]
    BareCr {
        /// Where in the head.
        offset: usize,
    },
    /// NUL (RFC 9110 section 5.5).
    #[error("NUL at byte {offset} of the answer's head")]
    Nul {
        /// Where in the head.
        offset: usize,
    },
    /// A line that begins with white space (RFC 9112 section 5.2).
    #[error("folded header line at byte {offset} of the answer's head")]
    ObsFold {
        /// Where the line begins in the head.
        offset: usize,
    },
    /// The status line is not `HTTP/1.0` or `HTTP/1.1`, three digits, a reason.
    #[error("malformed status line")]
    BadStatusLine,
    /// A status outside 100 to 599 (RFC 9110 section 15).
    #[error("status {0} is outside 100 to 599")]
    BadStatus(u16),
    /// 101, although no upgrade is ever asked for.
    #[error("the peer switches protocols (101), which was not asked for")]
    UnexpectedUpgrade,
    /// A header line without a colon, with no token before it, or with white space before it (RFC
    /// 9112 section 5.1).
    #[error("malformed header name, or white space before its colon")]
    BadHeaderName,
    /// A control character in a value.
    #[error("control character in a header value")]
    BadHeaderValue,
    /// `Content-Length` that is not one plain decimal number up to 2^64 - 1.
    #[error("Content-Length is not one plain decimal number")]
    BadContentLength,
    /// More than one `Content-Length`. RFC 9110 section 8.6 lets equal ones pass; no store has a
    /// reason to send them.
    #[error("more than one Content-Length")]
    RepeatedContentLength,
    /// Both `Content-Length` and `Transfer-Encoding`.
    #[error("Content-Length together with Transfer-Encoding")]
    LengthWithTransferEncoding,
    /// More than one `Transfer-Encoding`.
    #[error("more than one Transfer-Encoding")]
    RepeatedTransferEncoding,
    /// A `Transfer-Encoding` other than exactly `chunked`.
    #[error("Transfer-Encoding other than chunked, which no request here allows")]
    UnsupportedTransferCoding,
    /// `Transfer-Encoding` from an HTTP/1.0 peer (RFC 9112 section 6.1).
    #[error("Transfer-Encoding in an HTTP/1.0 answer")]
    TransferEncodingInHttp10,
}

/// Finds and vets the heads of one answer: first the interim ones, then the final one.
///
/// It remembers how far it has looked, so a head that trickles in byte by byte costs no more than
/// one that comes at once.
#[derive(Debug, Clone)]
pub struct HeadParser {
    limits: HeadLimits,
    /// Bytes of the current head already looked at.
    scanned: usize,
    line_start: usize,
    lines: usize,
    interim_heads: u32,
}

impl HeadParser {
    /// A parser for one answer.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits, scanned: 0, line_start: 0, lines: 0, interim_heads: 0 }
    }

    /// Looks at what has come. `buf` is everything received since the current head began: each call
    /// sees the same bytes as the call before, and new ones behind them.
    pub fn parse<'a>(&mut self, buf: &'a [u8]) -> Result<HeadProgress<'a>, HeadError> {
        match self.scan(buf)? {
            None => Ok(HeadProgress::Partial),
            Some(head_len) => {
                let head = vet(&buf[..head_len])?;
                Ok(HeadProgress::Complete { head, head_len })
            }
        }
    }

    /// Starts over behind an interim head: the next `buf` begins after its `head_len`.
    pub fn skip_interim(&mut self) -> Result<(), HeadError> {
        if self.interim_heads == self.limits.interim_heads_max {
            return Err(HeadError::TooManyInterimHeads { limit: self.limits.interim_heads_max });
        }
        *self = Self { interim_heads: self.interim_heads + 1, ..Self::new(self.limits) };
        Ok(())
    }

    /// Walks the new bytes; `Some` is the length of the head once its empty line is there.
    fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, HeadError> {
        let limit_bytes = self.limits.head_bytes_max;
        while self.scanned < buf.len().min(limit_bytes) {
            let offset = self.scanned;
            let begins_line = offset == self.line_start;
            let after_cr = !begins_line && buf[offset - 1] == b'\r';
            match buf[offset] {
                byte if offset < HTTP1.len() && byte != HTTP1[offset] => {
                    return Err(HeadError::NotHttp1);
                }
                b'\n' if after_cr => {
                    if offset == self.line_start + 1 {
                        return Ok(Some(offset + 1));
                    }
                    self.end_line(offset)?;
                }
                b'\n' => return Err(HeadError::BareLf { offset }),
                _ if after_cr => return Err(HeadError::BareCr { offset: offset - 1 }),
                0 => return Err(HeadError::Nul { offset }),
                b' ' | b'\t' if begins_line => return Err(HeadError::ObsFold { offset }),
                b'\r' => {}
                _ if offset >= HTTP1.len() => {
                    // Up to the next byte that is looked at above.
                    let rest = &buf[offset + 1..buf.len().min(limit_bytes)];
                    self.scanned += memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
                }
                _ => {}
            }
            self.scanned += 1;
        }
        if self.scanned >= limit_bytes {
            return Err(HeadError::TooLarge { limit_bytes });
        }
        Ok(None)
    }

    fn end_line(&mut self, line_feed: usize) -> Result<(), HeadError> {
        let limit = self.limits.headers_max.min(HEADERS_CAP);
        // The first line is the status line.
        if self.lines > limit {
            return Err(HeadError::TooManyHeaders { limit });
        }
        self.lines += 1;
        self.line_start = line_feed + 1;
        Ok(())
    }
}

/// Parses a head from everything received so far, without memory of earlier calls.
///
/// For a buffer that holds the whole head; where it comes in pieces [`HeadParser`] looks at each
/// byte once only.
pub fn parse_head<'a>(buf: &'a [u8], limits: &HeadLimits) -> Result<HeadProgress<'a>, HeadError> {
    HeadParser::new(*limits).parse(buf)
}

const HTTP1: &[u8] = b"HTTP/1.";

/// Grammar and framing of a whole head whose lines all end in CRLF.
fn vet(raw: &[u8]) -> Result<ResponseHead<'_>, HeadError> {
    let mut table = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; HEADERS_CAP];
    let mut parsed = httparse::Response::new(&mut []);
    let whole = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, raw, &mut table)
        .map_err(grammar_error)?;
    let (Some(version_minor), Some(status)) = (parsed.version, parsed.code) else {
        return Err(HeadError::BadStatusLine);
    };
    if whole != httparse::Status::Complete(raw.len()) {
        return Err(HeadError::BadStatusLine);
    }
    match status {
        101 => return Err(HeadError::UnexpectedUpgrade),
        100..=599 => {}
        _ => return Err(HeadError::BadStatus(status)),
    }
    ResponseHead::from_vetted_lines(raw, version_minor, status)
}

fn grammar_error(error: httparse::Error) -> HeadError {
    use httparse::Error;
    match error {
        Error::HeaderName => HeadError::BadHeaderName,
        Error::HeaderValue => HeadError::BadHeaderValue,
        // The scan has counted the lines, so the table cannot be too small.
        Error::TooManyHeaders => HeadError::TooManyHeaders { limit: HEADERS_CAP },
        Error::Status | Error::Version | Error::Token | Error::NewLine => HeadError::BadStatusLine,
    }
}
