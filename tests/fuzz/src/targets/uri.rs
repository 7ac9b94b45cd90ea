//! Locations and URLs: what is read is read again from how it is shown.

use hydrant::http1::url::HttpUrl;
use hydrant::uri::{Uri, parse_location};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(location) = parse_location(text) {
        let _ = (location.file_name(), location.authority(), location.ends_with_slash());
    }
    if let Ok(uri) = Uri::parse(text) {
        let shown = uri.to_string();
        assert_eq!(Uri::parse(&shown).as_ref(), Ok(&uri), "{shown:?}");
    }
    if let Ok(url) = HttpUrl::parse(text) {
        assert!(url.target().starts_with('/') && url.port() != 0);
        assert!(
            url.host_header().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
        );
        assert!(url.target().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(url.same_origin(&url));
    }
}
