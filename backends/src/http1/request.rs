//! The head of a request, written into memory that the caller owns.
//!
//! A head is built in a fixed piece of memory (the head lease of a connection), line by line and
//! without allocating. Whatever could end a line early (CR, LF, NUL and the other control
//! characters) is refused with a typed error, so no key, no piece of metadata and no setting can
//! add a header or a second request (RFC 9112 section 11.1).

use thiserror::Error;

/// The request methods that the stores use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Read an object, a range of it, or a listing.
    Get,
    /// Ask what is known of an object; the answer has no body whatever its head says.
    Head,
    /// Store an object or a part.
    Put,
    /// Begin or complete an upload, delete many.
    Post,
    /// Delete an object or abort an upload.
    Delete,
}

impl Method {
    /// The method as it stands in the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Why a request head was not written. Header values appear in none of these: they may be secrets
/// (SEC-1).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The head does not fit into the memory given for it.
    #[error(
        "the request head does not fit into {limit_bytes} bytes; \
         shorten the key or the metadata, or raise the limit of request heads"
    )]
    HeadTooLarge {
        /// Size of the memory given for the head.
        limit_bytes: usize,
    },
    /// The path and query do not begin with `/`, or hold a byte that a request line cannot carry.
    #[error(
        "the request target cannot be sent: byte {byte:#04x} at offset {offset}; \
         it has to begin with '/' and be percent-encoded"
    )]
    BadTarget {
        /// Where the byte stands.
        offset: usize,
        /// The byte; 0 if the target is empty.
        byte: u8,
    },
    /// The host is empty or holds a byte that no host has.
    #[error("the host of the request is empty or holds a byte that no host name has")]
    BadHost,
    /// A header name that is empty or not a token (RFC 9110 section 5.1).
    #[error("{name:?} is no header name")]
    BadHeaderName {
        /// The name as given; control characters are escaped when it is printed.
        name: String,
    },
    /// A header value with a control character, CR, LF and NUL among them (RFC 9110 section 5.5).
    #[error(
        "the value of header {name} holds the control character {byte:#04x} at offset {offset}"
    )]
    BadHeaderValue {
        /// Name of the header.
        name: String,
        /// Where in the value the byte stands.
        offset: usize,
        /// The byte.
        byte: u8,
    },
    /// `Host`, `Content-Length` or `Transfer-Encoding` given as an ordinary header, or the length
    /// given twice: two of them are the shape of request smuggling.
    #[error("header {name} is written once, by the request writer itself")]
    ReservedHeader {
        /// Which one.
        name: &'static str,
    },
}

/// Headers that decide where a message goes and where it ends; only the writer sets them.
const RESERVED: [&str; 3] = ["Host", "Content-Length", "Transfer-Encoding"];

/// Writes one request head into a fixed slice: [`start`](Self::start), headers,
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct RequestWriter<'a> {
    out: Cursor<'a>,
    length_written: bool,
}

impl<'a> RequestWriter<'a> {
    /// Writes the request line and `Host`, which comes first (RFC 9110 section 7.2).
    ///
    /// `path_and_query` is in origin form and already percent-encoded; `host` is the name, with
    /// `:port` where the port is not the scheme's own. Nothing is kept in `buf` that is worth
    /// reading when any step fails.
    pub fn start(
        buf: &'a mut [u8],
        method: Method,
        path_and_query: &str,
        host: &str,
    ) -> Result<Self, RequestError> {
        check_target(path_and_query.as_bytes())?;
        check_host(host.as_bytes())?;
        let mut out = Cursor { buf, len: 0 };
        out.put(method.as_str().as_bytes())?;
        out.put(b" ")?;
        out.put(path_and_query.as_bytes())?;
        out.put(b" HTTP/1.1\r\nHost: ")?;
        out.put(host.as_bytes())?;
        out.put(b"\r\n")?;
        Ok(Self { out, length_written: false })
    }

    /// Adds one header. `Host`, `Content-Length` and `Transfer-Encoding` are refused here.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, RequestError> {
        let value = value.as_ref();
        if let Some(reserved) = RESERVED.into_iter().find(|r| r.eq_ignore_ascii_case(name)) {
            return Err(RequestError::ReservedHeader { name: reserved });
        }
        check_field(name, value)?;
        self.line(name, value)?;
        Ok(self)
    }

    /// Adds `Content-Length`: how many body bytes follow the head. A request with a method that
    /// carries a body says so even for 0 (RFC 9110 section 8.6).
    pub fn content_length(mut self, body_bytes: u64) -> Result<Self, RequestError> {
        if self.length_written {
            return Err(RequestError::ReservedHeader { name: "Content-Length" });
        }
        self.length_written = true;
        let mut digits = [0u8; 20];
        let value = decimal(body_bytes, &mut digits);
        self.line("Content-Length", value)?;
        Ok(self)
    }

    /// Ends the head with its empty line and says how many bytes of the memory it takes.
    pub fn finish(mut self) -> Result<usize, RequestError> {
        self.out.put(b"\r\n")?;
        Ok(self.out.len)
    }

    fn line(&mut self, name: &str, value: &[u8]) -> Result<(), RequestError> {
        self.out.put(name.as_bytes())?;
        self.out.put(b": ")?;
        self.out.put(value)?;
        self.out.put(b"\r\n")
    }
}

struct Cursor<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl Cursor<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), RequestError> {
        let room = &mut self.buf[self.len..];
        if bytes.len() > room.len() {
            return Err(RequestError::HeadTooLarge { limit_bytes: self.buf.len() });
        }
        room[..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }
}

impl std::fmt::Debug for Cursor<'_> {
    // The head may hold an Authorization header (SEC-1), so its bytes are not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes", self.len, self.buf.len())
    }
}

fn check_target(target: &[u8]) -> Result<(), RequestError> {
    if target.first() != Some(&b'/') {
        let byte = target.first().copied().unwrap_or(0);
        return Err(RequestError::BadTarget { offset: 0, byte });
    }
    // A fragment is never sent (RFC 9112 section 3.2.1); a bare '#' is a key that was not encoded.
    match target.iter().position(|&b| !b.is_ascii_graphic() || b == b'#') {
        Some(offset) => Err(RequestError::BadTarget { offset, byte: target[offset] }),
        None => Ok(()),
    }
}

fn check_host(host: &[u8]) -> Result<(), RequestError> {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(b);
    if host.is_empty() || !host.iter().all(allowed) {
        return Err(RequestError::BadHost);
    }
    Ok(())
}

/// Whether a header can be sent: a name that is a token, a value without control characters.
///
/// # Errors
/// What speaks against it.
pub(crate) fn check_field(name: &str, value: &[u8]) -> Result<(), RequestError> {
    check_name(name)?;
    check_value(name, value)
}

fn check_name(name: &str) -> Result<(), RequestError> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(RequestError::BadHeaderName { name: name.to_owned() });
    }
    Ok(())
}

fn check_value(name: &str, value: &[u8]) -> Result<(), RequestError> {
    match value.iter().position(|&b| b.is_ascii_control() && b != b'\t') {
        Some(offset) => {
            Err(RequestError::BadHeaderValue { name: name.to_owned(), offset, byte: value[offset] })
        }
        None => Ok(()),
    }
}

fn decimal(mut value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(buf: &mut [u8]) -> Result<usize, RequestError> {
        RequestWriter::start(buf, Method::Put, "/b/k%20ey?partNumber=1", "host:9000")?
            .header("x-amz-date", "20260101T000000Z")?
            .content_length(0)?
            .finish()
    }

    const PUT: &[u8] = b"PUT /b/k%20ey?partNumber=1 HTTP/1.1\r\nHost: host:9000\r\n\
        x-amz-date: 20260101T000000Z\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_head_fits_its_memory_exactly_and_not_one_byte_less() {
        let mut buf = [0u8; 512];
        let len = put(&mut buf).unwrap();
        assert_eq!(&buf[..len], PUT);
        for limit_bytes in 0..len {
            let refused = put(&mut buf[..limit_bytes]);
            assert_eq!(refused, Err(RequestError::HeadTooLarge { limit_bytes }));
        }
        assert_eq!(put(&mut buf[..len]), Ok(len));
    }

    #[test]
    fn lengths_are_written_in_full() {
        for length in [0, 9, 10, 8_388_608, u64::MAX] {
            let mut buf = [0u8; 128];
            let len = RequestWriter::start(&mut buf, Method::Post, "/", "h")
                .and_then(|w| w.content_length(length))
                .and_then(RequestWriter::finish)
                .unwrap();
            let text = std::str::from_utf8(&buf[..len]).unwrap();
            assert!(text.ends_with(&format!("Content-Length: {length}\r\n\r\n")), "{text}");
        }
    }

    #[test]
    fn line_breaks_and_nul_are_refused_everywhere() {
        for bad in ["\r", "\n", "\0", "a\r\nb", "\u{7f}"] {
            let mut buf = [0u8; 256];
            let target = format!("/{bad}");
            let started = RequestWriter::start(&mut buf, Method::Get, &target, "h");
            assert!(matches!(started, Err(RequestError::BadTarget { .. })), "{bad:?}");
            let started = RequestWriter::start(&mut buf, Method::Get, "/", bad);
            assert!(matches!(started, Err(RequestError::BadHost)), "{bad:?}");
            let with = |name: &str, value: &str| {
                let mut buf = [0u8; 256];
                RequestWriter::start(&mut buf, Method::Get, "/", "h")
                    .and_then(|w| w.header(name, value))
                    .and_then(RequestWriter::finish)
            };
            assert!(matches!(with(bad, "v"), Err(RequestError::BadHeaderName { .. })));
            assert!(matches!(with("n", bad), Err(RequestError::BadHeaderValue { .. })));
        }
    }

    #[test]
    fn other_shapes_that_are_refused() {
        let mut buf = [0u8; 256];
        for target in ["", "key", "/a b", "/a#b", "/é", "http://h/"] {
            let refused = RequestWriter::start(&mut buf, Method::Get, target, "h");
            assert!(matches!(refused, Err(RequestError::BadTarget { .. })), "{target:?}");
        }
        for host in ["", "a b", "user@h", "h/p", "a,b"] {
            let refused = RequestWriter::start(&mut buf, Method::Get, "/", host);
            assert!(matches!(refused, Err(RequestError::BadHost)), "{host:?}");
        }
        for name in ["host", "CONTENT-LENGTH", "Transfer-Encoding"] {
            let writer = RequestWriter::start(&mut buf, Method::Get, "/", "h").unwrap();
            let refused = writer.header(name, "1");
            assert!(matches!(refused, Err(RequestError::ReservedHeader { .. })), "{name}");
        }
        let writer = RequestWriter::start(&mut buf, Method::Put, "/", "h").unwrap();
        let refused = writer.content_length(1).unwrap().content_length(1);
        assert!(matches!(refused, Err(RequestError::ReservedHeader { name: "Content-Length" })));
    }

    #[test]
    fn values_stay_out_of_errors_and_debug() {
        let mut buf = [0u8; 256];
        let writer = RequestWriter::start(&mut buf, Method::Get, "/", "h").unwrap();
        let writer = writer.header("Authorization", "canary").unwrap();
        assert!(!format!("{writer:?}").contains("canary"));
        let refused = writer.header("Authorization", "canary\n").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("canary"));
    }

    proptest! {
        #[test]
        fn any_header_is_refused_or_arrives_as_it_was(
            name in "[ -~]{0,12}",
            value in any::<Vec<u8>>(),
        ) {
            let mut buf = [0u8; 1024];
            let written = RequestWriter::start(&mut buf, Method::Get, "/", "h")
                .and_then(|w| w.header(&name, &value))
                .and_then(RequestWriter::finish);
            let Ok(len) = written else { return Ok(()) };
            let mut fields = [httparse::EMPTY_HEADER; 4];
            let mut request = httparse::Request::new(&mut fields);
            prop_assert_eq!(request.parse(&buf[..len]), Ok(httparse::Status::Complete(len)));
            prop_assert_eq!(request.headers.len(), 2);
            prop_assert_eq!(request.headers[1].name, name.as_str());
            let trimmed = value.trim_ascii();
            prop_assert_eq!(request.headers[1].value, trimmed);
        }
    }
}
