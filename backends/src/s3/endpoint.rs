//! Where a bucket lives: scheme, host, port and how the bucket's name is put into the request.
//!
//! Two styles exist: `host/bucket/key` (path) and `bucket.host/key` (virtual host). AWS wants the
//! second, which fails for names with dots under TLS (the certificate covers one label); other
//! servers seldom have the wildcard name that it needs. Hence the defaults: path style for an
//! endpoint of one's own and for names that are no single DNS label, virtual host for AWS. Source:
//! Amazon S3 user guide, "Virtual hosting of general purpose buckets"; AWS SDKs and tools reference
//! guide, "Service-specific endpoints".

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::encode::{ByteSink, encode_path};
use crate::http1::url::HttpUrl;

mod elsewhere;
mod list;

pub use list::ENDPOINTS_MAX;

/// The region that is signed where none is named; most servers other than AWS take it.
pub const REGION_DEFAULT: &str = "us-east-1";
/// Longest bucket name, in bytes; AWS itself stops at 63, or 255 for old buckets.
pub const BUCKET_BYTES_MAX: usize = 255;

/// Where one bucket is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    base_path: String,
    style: AddressStyle,
    region: String,
    bucket: String,
    /// The host was made from the region, as AWS names its own.
    is_aws: bool,
    /// Where it was, from the name that has addresses of both families.
    is_dual_stack: bool,
    /// And from the name whose TLS is validated by FIPS 140.
    is_fips: bool,
    /// No S3, but any server of HTTP: keys are paths and queries as they are sent.
    is_plain: bool,
}

/// Plain HTTP or HTTP over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`, port 80 where none is named.
    Http,
    /// `https`, port 443 where none is named.
    Https,
}

/// Where the bucket's name stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressStyle {
    /// `https://host/bucket/key`
    Path,
    /// `https://bucket.host/key`
    VirtualHost,
}

/// What is known of an endpoint before a bucket is named; the unset parts take their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointOptions {
    /// `http://host:port`, `https://host`, with a path where the service lives beneath one. Unset
    /// is AWS. Several servers of one store are a list with commas, a template such as
    /// `http://10.0.0.{1...8}:9000`, or both: each attempt of a request goes to one of them
    /// ([`crate::s3::EndpointLimits`]).
    pub url: Option<String>,
    /// The region to sign for and, for AWS, to connect to. Unset is [`REGION_DEFAULT`].
    pub region: Option<String>,
    /// Unset picks as the module says.
    pub style: Option<AddressStyle>,
    /// Whether AWS is asked by the name that has IPv6 addresses beside those of IPv4. Unset is no; an
    /// endpoint of one's own has the addresses that it has.
    pub dual_stack: Option<bool>,
    /// Whether AWS is asked by the name of servers whose TLS is validated by FIPS 140, which it has in
    /// some regions; that of this side is not. Unset is no; an endpoint of one's own is what it is.
    pub fips: Option<bool>,
}

impl EndpointOptions {
    /// Reads `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`, `AWS_REGION`, else
    /// `AWS_DEFAULT_REGION`, `AWS_USE_DUALSTACK_ENDPOINT` and `AWS_USE_FIPS_ENDPOINT` through `lookup`.
    /// An empty variable counts as unset.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> EndpointOptions {
        let first = |names: [&str; 2]| {
            names.into_iter().find_map(|name| lookup(name).filter(|value| !value.is_empty()))
        };
        EndpointOptions {
            url: first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
            region: first(["AWS_REGION", "AWS_DEFAULT_REGION"]),
            style: None,
            dual_stack: lookup("AWS_USE_DUALSTACK_ENDPOINT").and_then(|it| says(&it)),
            fips: lookup("AWS_USE_FIPS_ENDPOINT").and_then(|it| says(&it)),
        }
    }
}

/// What a switch says; one that says neither counts as unset.
pub(super) fn says(word: &str) -> Option<bool> {
    let word = word.trim();
    [("true", true), ("false", false)]
        .into_iter()
        .find_map(|(known, means)| word.eq_ignore_ascii_case(known).then_some(means))
}

impl Endpoint {
    /// Finds the endpoints of `bucket`, at least one, in the order in which they were named.
    ///
    /// # Errors
    /// As [`Endpoint::resolve`] for each; a bad list or template; endpoints that cannot be those of one
    /// store.
    pub fn resolve_all(
        bucket: &str,
        options: &EndpointOptions,
    ) -> Result<Vec<Endpoint>, EndpointError> {
        let Some(text) = &options.url else { return Ok(vec![Endpoint::resolve(bucket, options)?]) };
        let mut all: Vec<Endpoint> = Vec::new();
        for url in list::urls(text)? {
            let one = EndpointOptions { url: Some(url.clone()), ..options.clone() };
            let endpoint = Endpoint::resolve(bucket, &one)?;
            let bad = |problem| EndpointError::Url { url, problem };
            if all.contains(&endpoint) {
                return Err(bad("it is named twice"));
            }
            if all.first().is_some_and(|first| first.scheme != endpoint.scheme) {
                return Err(bad("the endpoints of one store are all http, or all https"));
            }
            all.push(endpoint);
        }
        Ok(all)
    }

    /// Finds the endpoint of `bucket`, where there is one.
    pub fn resolve(bucket: &str, options: &EndpointOptions) -> Result<Endpoint, EndpointError> {
        check_bucket(bucket)?;
        let region = options.region.as_deref().unwrap_or(REGION_DEFAULT);
        check_region(region)?;
        let is_dual_stack = options.url.is_none() && options.dual_stack == Some(true);
        let is_fips = options.url.is_none() && options.fips == Some(true);
        let origin = match &options.url {
            Some(url) => Origin::parse(url)?,
            None => Origin::aws(region, is_dual_stack, is_fips),
        };
        let fits_host = is_host_label(bucket) && !origin.host_is_address();
        let style = match options.style {
            Some(AddressStyle::VirtualHost) if !origin.takes_virtual_host(bucket) => {
                return Err(EndpointError::VirtualHost {
                    bucket: bucket.to_owned(),
                    host: origin.host,
                });
            }
            Some(style) => style,
            None if options.url.is_none() && fits_host => AddressStyle::VirtualHost,
            None => AddressStyle::Path,
        };
        let host = match style {
            AddressStyle::Path => origin.host,
            AddressStyle::VirtualHost => format!("{bucket}.{}", origin.host),
        };
        Ok(Endpoint {
            scheme: origin.scheme,
            host,
            port: origin.port,
            base_path: origin.base_path,
            style,
            region: region.to_owned(),
            bucket: bucket.to_owned(),
            is_aws: options.url.is_none(),
            is_dual_stack,
            is_fips,
            is_plain: false,
        })
    }

    /// The origin of a URL, whose objects are asked for by path and query as they stand there.
    pub(crate) fn plain(url: &HttpUrl) -> Endpoint {
        Endpoint {
            scheme: if url.is_tls() { Scheme::Https } else { Scheme::Http },
            host: url.host().to_owned(),
            port: url.port(),
            base_path: String::new(),
            style: AddressStyle::Path,
            region: REGION_DEFAULT.to_owned(),
            bucket: String::new(),
            is_aws: false,
            is_dual_stack: false,
            is_fips: false,
            is_plain: true,
        }
    }

    /// Whether it is the origin of a URL, and no S3.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The same bucket in another region: AWS is asked at that region's own host, any other server
    /// where it was asked before.
    pub fn in_region(&self, region: &str) -> Result<Endpoint, EndpointError> {
        check_region(region)?;
        if !self.is_aws {
            return Ok(Endpoint { region: region.to_owned(), ..self.clone() });
        }
        let options = EndpointOptions {
            url: None,
            region: Some(region.to_owned()),
            style: Some(self.style),
            dual_stack: Some(self.is_dual_stack),
            fips: Some(self.is_fips),
        };
        Endpoint::resolve(&self.bucket, &options)
    }

    /// Another bucket of the same service.
    pub fn with_bucket(&self, bucket: &str) -> Result<Endpoint, EndpointError> {
        check_bucket(bucket)?;
        let service = self.service();
        let fits_host = match self.scheme {
            // As where no style is asked for: a certificate covers one label.
            Scheme::Https => is_host_label(bucket),
            Scheme::Http => bucket.split('.').all(is_host_label),
        };
        let (style, host) = match self.style {
            AddressStyle::VirtualHost if fits_host => {
                (AddressStyle::VirtualHost, format!("{bucket}.{}", service.host))
            }
            _ => (AddressStyle::Path, service.host.clone()),
        };
        Ok(Endpoint { host, style, bucket: bucket.to_owned(), ..service })
    }

    /// The service that the bucket belongs to, for listing all of them.
    pub fn service(&self) -> Endpoint {
        let host = match self.style {
            AddressStyle::Path => self.host.clone(),
            AddressStyle::VirtualHost => self.host[self.bucket.len() + 1..].to_owned(),
        };
        Endpoint { host, style: AddressStyle::Path, bucket: String::new(), ..self.clone() }
    }

    /// Whether the host is one of AWS, also where it was named, as those of interfaces in a private
    /// network are.
    pub(crate) fn is_amazon(&self) -> bool {
        let domains = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
        self.is_aws || domains.into_iter().any(|domain| self.host.ends_with(domain))
    }

    /// Plain HTTP or TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The name or address to connect to, without port; an IPv6 address stands without brackets.
    pub fn connect_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// Whether nobody between here and the server can read what is sent: by TLS, or because the server is
    /// on this machine.
    pub fn is_confidential(&self) -> bool {
        let host = self.connect_host();
        let is_here = match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            // Names beneath it may be asked of a server of names, which may say anything.
            Err(_) => host == "localhost",
        };
        self.scheme == Scheme::Https || is_here
    }

    /// The TCP port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path or virtual host.
    pub fn style(&self) -> AddressStyle {
        self.style
    }

    /// The region in the signature's scope.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The value of the `host` header: the port is left out where it is the scheme's own, as it is
    /// by whoever checks the signature.
    pub fn host_header(&self) -> String {
        if self.port == self.scheme.default_port() {
            return self.host.clone();
        }
        format!("{}:{}", self.host, self.port)
    }

    /// Writes the path of an object, encoded as it is signed and sent.
    pub fn write_object_path(&self, key: &str, sink: &mut impl ByteSink) {
        if self.is_plain {
            return sink.put(key.as_bytes());
        }
        sink.put(self.base_path.as_bytes());
        if self.style == AddressStyle::Path {
            sink.put(b"/");
            sink.put(self.bucket.as_bytes());
        }
        sink.put(b"/");
        encode_path(key.as_bytes(), sink);
    }

    /// Writes the path of the bucket itself, for listings.
    pub fn write_bucket_path(&self, sink: &mut impl ByteSink) {
        sink.put(self.base_path.as_bytes());
        sink.put(b"/");
        if self.style == AddressStyle::Path {
            sink.put(self.bucket.as_bytes());
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.host_header(), self.base_path)
    }
}

impl Scheme {
    /// `http` or `https`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that needs no naming.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Why there is no such endpoint. URLs are shown without user and password (SEC-1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The URL of the endpoint cannot be used.
    #[error("endpoint {url:?}: {problem}; write it as http://host:port or https://host")]
    Url {
        /// The URL as given, without user and password.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bucket's name cannot be one.
    #[error("bucket name {bucket:?}: {problem}")]
    Bucket {
        /// The name as given.
        bucket: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The region cannot stand in a signature.
    #[error("region {region:?} is empty or holds other than letters, digits, '-', '_' and '.'")]
    Region {
        /// The region as given.
        region: String,
    },
    /// Virtual-host style was asked for where it cannot work.
    #[error("bucket {bucket:?} cannot stand before host {host:?}; use path style")]
    VirtualHost {
        /// The bucket.
        bucket: String,
        /// The host before which it was to stand.
        host: String,
    },
}

/// An endpoint's URL, taken apart.
struct Origin {
    scheme: Scheme,
    /// In lower case; an IPv6 address in brackets.
    host: String,
    port: u16,
    /// Empty, or `/path` without a slash at the end.
    base_path: String,
}

impl Origin {
    /// Source of the names: Amazon S3 user guide, "Using dual-stack endpoints"; AWS general reference,
    /// "Amazon S3 endpoints and quotas".
    fn aws(region: &str, is_dual_stack: bool, is_fips: bool) -> Origin {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let service = match (is_fips, is_dual_stack) {
            (false, false) => "s3",
            (false, true) => "s3.dualstack",
            (true, false) => "s3-fips",
            (true, true) => "s3-fips.dualstack",
        };
        Origin {
            scheme: Scheme::Https,
            host: format!("{service}.{region}.{domain}").to_ascii_lowercase(),
            port: Scheme::Https.default_port(),
            base_path: String::new(),
        }
    }

    fn parse(url: &str) -> Result<Origin, EndpointError> {
        Origin::parse_parts(url)
            .map_err(|problem| EndpointError::Url { url: without_user(url), problem })
    }

    fn parse_parts(url: &str) -> Result<Origin, &'static str> {
        if url.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err("it holds a space, a control or a non-ASCII character");
        }
        let (scheme, rest) = url.split_once("://").ok_or("the scheme is missing")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err("the scheme is neither http nor https"),
        };
        if rest.contains(['?', '#']) {
            return Err("it has a query or a fragment");
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("it names a user; hand credentials over separately");
        }
        let (host, port) = parse_authority(authority)?;
        Ok(Origin {
            scheme,
            host,
            port: port.unwrap_or(scheme.default_port()),
            base_path: parse_base_path(path)?,
        })
    }

    fn host_is_address(&self) -> bool {
        let last_label = self.host.rsplit('.').next().unwrap_or_default();
        self.host.starts_with('[') || last_label.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether `bucket.host` is a name. Dots are allowed to whoever asks for this style.
    fn takes_virtual_host(&self, bucket: &str) -> bool {
        !self.host_is_address() && bucket.split('.').all(is_host_label)
    }
}

fn parse_authority(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, after) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or("the bracket of the IPv6 address is not closed")?;
        let (host, after) = authority.split_at(end + 1);
        let address = host[1..end].parse::<Ipv6Addr>().map_err(|_| "the IPv6 address is wrong")?;
        (format!("[{address}]"), after)
    } else {
        let (host, after) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        (parse_host(host)?, after)
    };
    let port = match after.strip_prefix(':') {
        None if after.is_empty() => None,
        None => return Err("something follows the IPv6 address that is not a port"),
        Some(digits) => Some(parse_port(digits)?),
    };
    Ok((host, port))
}

fn parse_host(host: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.len() > 253 || !host.bytes().all(allowed) || host.split('.').any(str::is_empty) {
        return Err("the host is not a name or an address");
    }
    Ok(host.to_ascii_lowercase())
}

fn parse_port(digits: &str) -> Result<u16, &'static str> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(port) if all_digits && port > 0 => Ok(port),
        _ => Err("the port is not a number from 1 to 65535"),
    }
}

fn parse_base_path(path: &str) -> Result<String, &'static str> {
    let path = path.trim_end_matches('/');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
    if !path.bytes().all(allowed) {
        return Err("its path holds a character that must be written as %XX");
    }
    Ok(path.to_owned())
}

/// The URL as an error may show it: a `user:password@` goes, whatever else is wrong with the text.
fn without_user(url: &str) -> String {
    let Some(at) = url.rfind('@') else { return url.to_owned() };
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let shown = if scheme.contains('@') { "" } else { scheme };
    format!("{shown}://<redacted>{}", &url[at..])
}

fn check_bucket(bucket: &str) -> Result<(), EndpointError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let problem = if bucket.is_empty() {
        "it is empty"
    } else if bucket.len() > BUCKET_BYTES_MAX {
        "it is longer than 255 bytes"
    } else if bucket.starts_with("arn:") {
        "ARNs of access points are not supported; use the access point's alias"
    } else if !bucket.bytes().all(allowed) {
        "it holds other than letters, digits, '-', '_' and '.'"
    } else if bucket == "." || bucket == ".." {
        "it would be a step in the path"
    } else {
        return Ok(());
    };
    Err(EndpointError::Bucket { bucket: bucket.to_owned(), problem })
}

fn check_region(region: &str) -> Result<(), EndpointError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if region.is_empty() || !region.bytes().all(allowed) {
        return Err(EndpointError::Region { region: region.to_owned() });
    }
    Ok(())
}

/// One DNS label in lower case (RFC 1123 section 2.1), as AWS asks of bucket names.
fn is_host_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests;
