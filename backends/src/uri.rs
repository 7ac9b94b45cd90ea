//! Where an object lives, as people write it down.
//!
//! ```text
//! s3://bucket/key               the store that the settings name
//! s3://host:port/bucket/key     the server at host:port; no port, no server
//! file:///abs/path              a file through the page cache
//! direct:///abs/path            a file with O_DIRECT
//! mem://name/key                memory of this process
//! https://host/path?query       what a server gives there, to be read; http:// too
//! ./x   /x   x                  a file (`parse_location` only)
//! ```
//!
//! Keys and paths are taken as typed. Nothing is percent-decoded and nothing is normalized: `//`, a
//! leading `/`, `.`, `..`, `?`, `#`, `%41`, spaces and emoji survive, because all of them are parts
//! of keys that exist in stores. Of URLs alone a fragment is cut off, and what a request line cannot
//! carry is refused. Keys and paths are UTF-8. What a path may reach is not decided
//! here but where it is opened (SEC-2).

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv6Addr;

use thiserror::Error;

use crate::http1::url::{HttpUrl, UrlError};

/// The kinds of places that objects live in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// An S3 store or one that speaks like it.
    S3,
    /// A file through the page cache.
    File,
    /// A file with `O_DIRECT`.
    Direct,
    /// Memory of this process.
    Mem,
    /// A URL, to be read.
    Http,
    /// The same over TLS.
    Https,
}

impl Scheme {
    /// Every scheme there is.
    pub const ALL: [Self; 6] =
        [Self::S3, Self::File, Self::Direct, Self::Mem, Self::Http, Self::Https];

    /// The scheme as it is written before `://`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::File => "file",
            Self::Direct => "direct",
            Self::Mem => "mem",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether the key is a path of the file system.
    pub const fn is_path(self) -> bool {
        matches!(self, Self::File | Self::Direct)
    }

    /// Whether it is that of a URL, whose key is the path without its first slash, and the query.
    pub const fn is_url(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A server: name or address, and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// Host name, IPv4 address, or IPv6 address in brackets, as typed.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a text names no place. None of these repeats the text: what stands before an `@`, or where a
/// port belongs, may be a password (SEC-1).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UriError {
    /// Nothing there.
    #[error("the location is empty")]
    Empty,
    /// No `scheme://` where one is required.
    #[error("no scheme: a URI begins with s3://, file://, direct://, mem://, http:// or https://")]
    NoScheme,
    /// A scheme that is not known.
    #[error(
        "unknown scheme {scheme:?}; known are s3, file, direct, mem, http and https \
         (write ./ before a path that looks like a URI)"
    )]
    UnknownScheme {
        /// The scheme as typed.
        scheme: String,
    },
    /// User info in front of a host.
    #[error(
        "'@' before the bucket: credentials do not go into a URI; \
         set them in the environment or a profile"
    )]
    UserInfo,
    /// What follows the colon is no port.
    #[error(
        "what follows ':' before the bucket is no port (1 to 65535): \
         write s3://host:port/bucket/key"
    )]
    BadPort,
    /// The host in front of a port is none.
    #[error("what stands before the port is no host name and no address (IPv6 goes in brackets)")]
    BadHost,
    /// No bucket, or no name of a `mem` store.
    #[error("no bucket or store name in the {scheme} URI")]
    EmptyContainer {
        /// Which scheme.
        scheme: Scheme,
    },
    /// A character that no bucket has and that would change the meaning of a URL.
    #[error("{character:?} cannot be in the name of a bucket or store")]
    BadContainer {
        /// The first such character.
        character: char,
    },
    /// `file://` or `direct://` with something other than an absolute path.
    #[error("{scheme}:// takes an absolute path, with a third slash: {scheme}:///path")]
    RelativePath {
        /// Which scheme.
        scheme: Scheme,
    },
    /// A URL that cannot be asked for.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A NUL, which neither a path nor a request can carry.
    #[error("NUL at byte {offset} of the location")]
    Nul {
        /// Where in the text.
        offset: usize,
    },
}

/// A place for an object, or with a key that is empty or ends in `/` a place for many.
///
/// `Display` writes it so that [`parse_location`] gives the same `Uri` back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    scheme: Scheme,
    authority: Option<HostPort>,
    container: String,
    key: String,
}

/// Reads a URI or a plain path: a text that does not begin with `scheme://` is the path of a file,
/// relative or not.
pub fn parse_location(text: &str) -> Result<Uri, UriError> {
    if text.is_empty() {
        return Err(UriError::Empty);
    }
    match split_scheme(text) {
        Some(_) => Uri::parse(text),
        None => Uri::file(text),
    }
}

impl Uri {
    /// Reads a URI with its scheme.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.is_empty() {
            return Err(UriError::Empty);
        }
        refuse_nul(text)?;
        let (scheme, rest) = split_scheme(text).ok_or(UriError::NoScheme)?;
        let known = Scheme::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(scheme));
        match known {
            Some(Scheme::S3) => Self::parse_s3(rest),
            Some(Scheme::Mem) => Self::parse_mem(rest),
            Some(scheme @ (Scheme::Http | Scheme::Https)) => Self::parse_url(scheme, rest),
            Some(scheme @ (Scheme::File | Scheme::Direct)) if rest.starts_with('/') => {
                Ok(Self::of_path(scheme, rest.to_owned()))
            }
            Some(scheme) => Err(UriError::RelativePath { scheme }),
            None => Err(UriError::UnknownScheme { scheme: scheme.to_owned() }),
        }
    }

    /// A file by its path, relative to the working directory or absolute.
    pub fn file(path: &str) -> Result<Self, UriError> {
        if path.is_empty() {
            return Err(UriError::Empty);
        }
        refuse_nul(path)?;
        Ok(Self::of_path(Scheme::File, path.to_owned()))
    }

    /// The kind of place.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The server, where one is written.
    pub fn authority(&self) -> Option<&HostPort> {
        self.authority.as_ref()
    }

    /// The bucket, the name of a `mem` store, or the server of a URL with its port; empty for files.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// The key, or for files the path. The key may be empty, a path never is.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same store with another key, say one that a listing told. A path that is empty is
    /// refused.
    pub fn with_key(&self, key: &str) -> Result<Self, UriError> {
        refuse_nul(key)?;
        if self.scheme.is_url() {
            return Self::parse_url(self.scheme, &format!("{}/{key}", self.container));
        }
        if !self.scheme.is_path() {
            return Ok(Self { key: key.to_owned(), ..self.clone() });
        }
        match (self.scheme, key.as_bytes().first()) {
            (_, None) => Err(UriError::Empty),
            (Scheme::Direct, Some(first)) if *first != b'/' => {
                Err(UriError::RelativePath { scheme: self.scheme })
            }
            _ => Ok(Self::of_path(self.scheme, key.to_owned())),
        }
    }

    /// Appends `suffix` as typed, with one `/` between unless the key is empty or ends with one. An
    /// empty suffix changes nothing.
    ///
    /// `..` and a leading `/` in the suffix are not interpreted.
    pub fn join(&self, suffix: &str) -> Result<Self, UriError> {
        if suffix.is_empty() {
            return Ok(self.clone());
        }
        let separator = if self.ends_with_slash() { "" } else { "/" };
        self.with_key(&format!("{}{separator}{suffix}", self.key))
    }

    /// What follows the last `/` of the key, as typed (so it may be `..`); `None` where that is
    /// empty.
    pub fn file_name(&self) -> Option<&str> {
        self.path().rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// Whether it names a place for many objects: the key is empty (a whole bucket) or ends with
    /// `/`.
    pub fn ends_with_slash(&self) -> bool {
        self.key.is_empty() || self.path().ends_with('/')
    }

    /// The key, of URLs without the query.
    fn path(&self) -> &str {
        match self.scheme.is_url() {
            true => self.key.split('?').next().unwrap_or_default(),
            false => &self.key,
        }
    }

    fn parse_url(scheme: Scheme, rest: &str) -> Result<Self, UriError> {
        if rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
            return Err(UriError::UserInfo);
        }
        let url = HttpUrl::parse(&format!("{scheme}://{rest}"))?;
        let (container, key) = (url.host_header(), url.target()[1..].to_owned());
        Ok(Self { scheme, authority: None, container, key })
    }

    fn parse_s3(rest: &str) -> Result<Self, UriError> {
        let (first, after) = split_segment(rest);
        if first.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (authority, container, key) = if first.contains(':') {
            let (bucket, key) = split_segment(after);
            (Some(parse_host_port(first)?), bucket, key)
        } else {
            (None, first, after)
        };
        Self::of_store(Scheme::S3, authority, container, key)
    }

    fn parse_mem(rest: &str) -> Result<Self, UriError> {
        let (name, key) = split_segment(rest);
        Self::of_store(Scheme::Mem, None, name, key)
    }

    fn of_store(
        scheme: Scheme,
        authority: Option<HostPort>,
        container: &str,
        key: &str,
    ) -> Result<Self, UriError> {
        let forbidden = |c: char| c.is_control() || c.is_whitespace() || "/\\?#@:%[]".contains(c);
        if container.is_empty() {
            return Err(UriError::EmptyContainer { scheme });
        }
        // Names beyond these are the store's to judge; these would put the bucket into another part
        // of the request's URL.
        if let Some(character) = container.chars().find(|&c| forbidden(c)) {
            return Err(UriError::BadContainer { character });
        }
        Ok(Self { scheme, authority, container: container.to_owned(), key: key.to_owned() })
    }

    fn of_path(scheme: Scheme, path: String) -> Self {
        // A relative path such as `s3://x` would come back from `Display` as something else.
        let key = if split_scheme(&path).is_some() { format!("./{path}") } else { path };
        Self { scheme, authority: None, container: String::new(), key }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme.is_path() {
            let relative = !self.key.starts_with('/');
            return match relative {
                true => f.write_str(&self.key),
                false => write!(f, "{}://{}", self.scheme, self.key),
            };
        }
        write!(f, "{}://", self.scheme)?;
        if let Some(server) = &self.authority {
            write!(f, "{server}/")?;
        }
        write!(f, "{}/{}", self.container, self.key)
    }
}

/// `scheme` and what follows `://`, if the text begins like a URI (RFC 3986 section 3.1).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    let begins = scheme.bytes().next()?.is_ascii_alphabetic();
    (begins && scheme.bytes().all(legal)).then_some((scheme, rest))
}

/// What stands before the first `/`, and what follows it.
fn split_segment(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or((text, ""))
}

fn parse_host_port(text: &str) -> Result<HostPort, UriError> {
    let (host, port) = text.rsplit_once(':').ok_or(UriError::BadPort)?;
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|&port| digits && port > 0);
    let port = port.ok_or(UriError::BadPort)?;
    if !is_host(host) {
        return Err(UriError::BadHost);
    }
    Ok(HostPort { host: host.to_owned(), port })
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn refuse_nul(text: &str) -> Result<(), UriError> {
    match text.bytes().position(|b| b == 0) {
        Some(offset) => Err(UriError::Nul { offset }),
        None => Ok(()),
    }
}
