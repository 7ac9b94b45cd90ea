//! Where a redirect of S3 may lead: to a host of AWS that is named after a region, or to another endpoint
//! of the same store. No host is ever taken from an answer (SEC-3).
//! Source: Amazon S3 user guide, "Making requests using the REST API", "Request redirection".

use super::Endpoint;
use crate::http1::url::HttpUrl;

impl Endpoint {
    /// The region of the host of AWS that an answer names, where AWS is who was asked; `host` may be a URL.
    pub(crate) fn region_named_by<'a>(&self, host: &'a str) -> Option<&'a str> {
        if !self.is_aws {
            return None;
        }
        let host = host.strip_prefix("https://").unwrap_or(host);
        let host = host.split(['/', '?', ':']).next().unwrap_or_default();
        let name = [".amazonaws.com", ".amazonaws.com.cn"]
            .into_iter()
            .find_map(|domain| host.strip_suffix(domain))?;
        let mut labels = name.rsplit('.');
        let last = labels.next()?;
        let region = match last.strip_prefix("s3-") {
            // As hosts were named before 2019, and as they are in redirects.
            Some(region) => region,
            None => match labels.next() {
                Some("s3") => last,
                Some("dualstack") if labels.next() == Some("s3") => last,
                _ => return None,
            },
        };
        is_region(region).then_some(region)
    }

    /// Whether a URL is of the origin that is asked here.
    pub(crate) fn is_origin_of(&self, url: &HttpUrl) -> bool {
        let other = Endpoint::plain(url);
        (self.scheme, self.connect_host(), self.port)
            == (other.scheme, other.connect_host(), other.port)
    }
}

/// `us-east-1`, `us-gov-west-1`; and not what else stands behind `s3-`, such as `accelerate`,
/// `website-us-east-1` or `fips-us-east-1`.
fn is_region(name: &str) -> bool {
    let mut words = name.split('-');
    let is_word =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let area = words.next().filter(is_word).is_some_and(|area| (2..=4).contains(&area.len()));
    let mut rest = words.rev();
    let number = rest.next().is_some_and(|last| {
        (1..=2).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_digit())
    });
    let places = rest.clone().count();
    area && number && places > 0 && rest.all(|word| is_word(&word)) && !name.starts_with("fips-")
}

#[cfg(test)]
mod tests {
    use super::super::EndpointOptions;
    use super::*;

    fn endpoint(url: Option<&str>) -> Endpoint {
        let options = EndpointOptions { url: url.map(str::to_owned), ..EndpointOptions::default() };
        Endpoint::resolve("bucket", &options).expect("an endpoint")
    }

    #[test]
    fn hosts_of_regions_are_read_and_no_others() {
        let aws = endpoint(None);
        for (host, region) in [
            ("bucket.s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("bucket.s3-us-west-2.amazonaws.com", Some("us-west-2")),
            ("https://bucket.s3-us-west-2.amazonaws.com/key?a=b", Some("us-west-2")),
            ("https://a.dotted.bucket.s3.dualstack.ap-south-1.amazonaws.com", Some("ap-south-1")),
            ("s3.us-gov-west-1.amazonaws.com:443", Some("us-gov-west-1")),
            ("b.s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("bucket.s3.amazonaws.com", None),
            ("bucket.s3-accelerate.amazonaws.com", None),
            ("bucket.s3-external-1.amazonaws.com", None),
            ("bucket.s3-website-us-east-1.amazonaws.com", None),
            ("bucket.s3-fips-us-east-1.amazonaws.com", None),
            ("bucket.s3-fips.us-east-1.amazonaws.com", None),
            ("ec2-1-2-3-4.us-west-2.compute.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com.evil.example", None),
            ("evil.example/s3.eu-west-1.amazonaws.com", None),
            ("http://bucket.s3.eu-west-1.amazonaws.com/key", None),
            ("eu-west-1.amazonaws.com", None),
            ("", None),
        ] {
            assert_eq!(aws.region_named_by(host), region, "{host}");
        }
        let own = endpoint(Some("https://s3.example"));
        assert_eq!(own.region_named_by("bucket.s3.eu-west-1.amazonaws.com"), None);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let own = endpoint(Some("http://10.0.0.1:9000"));
        for (url, is_own) in [
            ("http://10.0.0.1:9000/bucket/key", true),
            ("https://10.0.0.1:9000/bucket/key", false),
            ("http://10.0.0.1/bucket/key", false),
            ("http://10.0.0.2:9000/", false),
        ] {
            assert_eq!(own.is_origin_of(&HttpUrl::parse(url).expect("a URL")), is_own, "{url}");
        }
    }
}
