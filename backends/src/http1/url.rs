//! `http://` and `https://` URLs: where to connect, and what to ask for there.

use std::fmt;
use std::net::Ipv6Addr;

/// A URL in parts. It has no user info: credentials do not go into URLs.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    is_tls: bool,
    /// With the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Path and query, percent-encoded, beginning with `/`.
    target: String,
}

/// Why a text is no URL. The text is not repeated: a query may hold a signature (SEC-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no URL of the form http://host[:port][/path] or https://...: {0}")]
pub struct UrlError(&'static str);

impl fmt::Debug for HttpUrl {
    /// Without the query, which may hold a signature (SEC-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{path}", self.host, self.port)
    }
}

impl HttpUrl {
    /// Reads a URL. A fragment is cut off, because it is never sent (RFC 9110 section 4.2.5).
    ///
    /// # Errors
    /// Another scheme, no host, user info, a port that is none, bytes that a request line cannot carry.
    pub fn parse(text: &str) -> Result<HttpUrl, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError("there is no scheme"))?;
        let is_tls = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ => return Err(UrlError("the scheme is neither http nor https")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError("it names a user; credentials do not go into a URL"));
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        let target = match target.as_bytes().first() {
            Some(b'/') => target.to_owned(),
            _ => format!("/{target}"),
        };
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError("its path or query is not percent-encoded"));
        }
        Ok(HttpUrl { is_tls, host: host.to_ascii_lowercase(), port, target })
    }

    /// Whether it asks for TLS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The name or address to connect to; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as they go into the request line.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The value of `Host`: with the port where it is not the scheme's own.
    pub fn host_header(&self) -> String {
        if self.port == if self.is_tls { 443 } else { 80 } {
            return self.host.clone();
        }
        format!("{}:{}", self.host, self.port)
    }

    /// Whether both are at the same origin: scheme, host and port (RFC 6454 section 4).
    pub fn same_origin(&self, other: &HttpUrl) -> bool {
        (self.is_tls, self.port, &self.host) == (other.is_tls, other.port, &other.host)
    }

    /// What a reference in an answer of this URL names, such as a `Location` (RFC 3986 section 5.2).
    /// Bytes that a URL should have percent-encoded are, as servers forget it.
    ///
    /// # Errors
    /// As [`HttpUrl::parse`]; control characters.
    pub fn resolve(&self, reference: &str) -> Result<HttpUrl, UrlError> {
        if reference.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(UrlError("it holds a control character"));
        }
        let reference = encoded(reference);
        let reference = reference.split('#').next().unwrap_or_default();
        let end = reference.find(['/', '?', ':']).unwrap_or(reference.len());
        if reference[end..].starts_with(':') {
            return HttpUrl::parse(reference);
        }
        if reference.starts_with("//") {
            let scheme = if self.is_tls { "https" } else { "http" };
            return HttpUrl::parse(&format!("{scheme}:{reference}"));
        }
        let (own_path, _) = split_query(&self.target);
        let (path, query) = split_query(reference);
        let target = match path {
            "" if query.is_empty() => self.target.clone(),
            "" => format!("{own_path}{query}"),
            _ if path.starts_with('/') => format!("{}{query}", without_dots(path)),
            _ => {
                let folder = &own_path[..own_path.rfind('/').map_or(0, |at| at + 1)];
                format!("{}{query}", without_dots(&format!("{folder}{path}")))
            }
        };
        Ok(self.with_target(target))
    }

    /// Another path and query at the same origin.
    pub(crate) fn with_target(&self, target: String) -> HttpUrl {
        HttpUrl { target, ..self.clone() }
    }
}

impl fmt::Display for HttpUrl {
    /// Without the query, which may hold a signature (SEC-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.host_header())
    }
}

/// Path, and query with its question mark.
fn split_query(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

fn encoded(reference: &str) -> String {
    let mut text = String::with_capacity(reference.len());
    for byte in reference.bytes() {
        match byte.is_ascii_graphic() {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// An absolute path without its `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => {
            let (host, port) = authority.split_at(end + 1);
            let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let is_address = inside.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok());
            if !is_address {
                return Err(UrlError("what stands in brackets is no IPv6 address"));
            }
            (host, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_name = |host: &str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if host.is_empty() || !(host.ends_with(']') || is_name(host)) {
        return Err(UrlError("there is no host, or one with bytes that no name has"));
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| UrlError("the port is none"))?)
        }
        _ => return Err(UrlError("the port is none")),
    };
    if port == Some(0) {
        return Err(UrlError("the port is none"));
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, is_tls, host, port, target) in [
            ("http://h", false, "h", 80, "/"),
            ("HTTPS://H.example:8443/a%20b?c=d#e", true, "h.example", 8443, "/a%20b?c=d"),
            ("http://[fd00:ec2::23]/v1", false, "[fd00:ec2::23]", 80, "/v1"),
            ("http://[::1]:99?q", false, "[::1]", 99, "/?q"),
        ] {
            let url = HttpUrl::parse(text).expect(text);
            assert_eq!((url.is_tls(), url.host(), url.port()), (is_tls, host, port), "{text}");
            assert_eq!(url.target(), target);
        }
        let header = |text| HttpUrl::parse(text).expect(text).host_header();
        assert_eq!(header("http://h:80/"), "h");
        assert_eq!(header("https://h:80/"), "h:80");
    }

    #[test]
    fn what_is_no_url_is_refused_and_not_repeated() {
        for text in [
            "h/secret",
            "ftp://h/",
            "http://",
            "http:///p",
            "http://u:secret@h/",
            "http://h:0/",
            "http://h:70000/",
            "http://h:+1/",
            "http://h:/",
            "http://[h]/",
            "http://[::1/",
            "http://[h/",
            "http://[\r\nx: y/",
            "http://h/a b",
            "http://h/\r\nx",
            "http://a\u{e9}/",
            "http://h,i/",
        ] {
            let error = HttpUrl::parse(text).expect_err(text);
            assert!(!error.to_string().contains("secret"), "SEC-1");
        }
    }

    #[test]
    fn references_are_resolved() {
        // The base and most cases are those of RFC 3986 section 5.4, in the schemes of this client.
        let base = HttpUrl::parse("http://a/b/c/d;p?q").unwrap();
        for (reference, target) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("g?y/./x", "/b/c/g?y/./x"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            (";x", "/b/c/;x"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../g", "/g"),
            ("../../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            ("..g", "/b/c/..g"),
            ("./g/.", "/b/c/g/"),
            ("g/../h", "/b/c/h"),
            ("/a b\u{e9}", "/a%20b%C3%A9"),
            ("?x=http://y", "/b/c/d;p?x=http://y"),
        ] {
            let url = base.resolve(reference).expect(reference);
            assert!(url.same_origin(&base), "{reference}");
            assert_eq!(url.target(), target, "{reference}");
        }
        let elsewhere = base.resolve("//H:81/x").unwrap();
        assert_eq!((elsewhere.host(), elsewhere.port(), elsewhere.is_tls()), ("h", 81, false));
        assert!(base.resolve("https://h").unwrap().is_tls());
        for reference in ["ftp://h/", "mailto:x", "http://u:secret@h/", "/a\r\nx", "http://"] {
            let error = base.resolve(reference).expect_err(reference);
            assert!(!error.to_string().contains("secret"), "SEC-1");
        }
    }

    #[test]
    fn the_query_is_not_shown() {
        let url = HttpUrl::parse("https://h:1/p?X-Amz-Signature=secret").unwrap();
        assert_eq!(url.to_string(), "https://h:1/p");
    }
}
