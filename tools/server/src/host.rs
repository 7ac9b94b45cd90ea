//! Which bucket a `Host` header names.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// Takes `bucket.DOMAIN` (with any port) as virtual-hosted style and every other host as path style, so that one
/// server answers to its address, to its name and to each bucket's name.
pub(crate) struct BaseDomain {
    domain: String,
}

impl BaseDomain {
    pub(crate) fn new(domain: &str) -> Self {
        Self { domain: domain.to_ascii_lowercase() }
    }
}

impl S3Host for BaseDomain {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.to_ascii_lowercase();
        let bucket = name.strip_suffix(&self.domain).and_then(|rest| rest.strip_suffix('.'));
        let virtual_host = VirtualHost::new(&self.domain);
        Ok(match bucket {
            Some(bucket) if !bucket.is_empty() => virtual_host.with_bucket(bucket.to_owned()),
            _ => virtual_host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_subdomain_names_a_bucket() {
        let base = BaseDomain::new("localhost");
        let bucket = |host: &str| base.parse_host_header(host).unwrap().bucket().map(str::to_owned);
        assert_eq!(bucket("photos.localhost:9000"), Some("photos".into()));
        assert_eq!(bucket("my.photos.LOCALHOST"), Some("my.photos".into()));
        assert_eq!(bucket("localhost:9000"), None);
        assert_eq!(bucket("notlocalhost"), None);
        assert_eq!(bucket("example.org:80"), None);
    }
}
