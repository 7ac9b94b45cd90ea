//! Where a redirect may lead (SEC-3). Pure (SANS-1).

use crate::http1::url::{HttpUrl, UrlError};

/// Why a redirect is not followed. Where it led is not repeated: a query may hold a signature (SEC-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// More of them, one after another, than the limit: most likely they lead in a circle.
    #[error("more than {limit} redirects (redirects_max)")]
    TooMany {
        /// `HttpLimits::redirects_max`.
        limit: u32,
    },
    /// From `https` to `http`: everybody on the way could change the bytes.
    #[error(
        "the server redirects from https to http, which is not followed; name the http URL if you trust the way"
    )]
    Downgrade,
    /// What it names is none.
    #[error("the server redirects to what is no URL to read from: {0}")]
    BadUrl(UrlError),
}

/// The statuses whose `Location` names where the same object is (RFC 9110 section 15.4).
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Where `from` redirects to, if it may; `followed` redirects came before this one.
pub(super) fn follow(
    from: &HttpUrl,
    location: &str,
    followed: u32,
    limit: u32,
) -> Result<HttpUrl, RedirectError> {
    if followed >= limit {
        return Err(RedirectError::TooMany { limit });
    }
    let to = from.resolve(location).map_err(RedirectError::BadUrl)?;
    if from.is_tls() && !to.is_tls() {
        return Err(RedirectError::Downgrade);
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_end_and_never_lead_out_of_tls() {
        let url = |text| HttpUrl::parse(text).expect(text);
        let (plain, tls) = (url("http://h/a"), url("https://h/a"));
        assert_eq!(follow(&plain, "https://h/b", 0, 1), Ok(url("https://h/b")));
        assert_eq!(follow(&tls, "//i/b", 0, 1), Ok(url("https://i/b")));
        assert_eq!(follow(&plain, "b", 1, 1), Err(RedirectError::TooMany { limit: 1 }));
        assert_eq!(follow(&tls, "http://h/a", 0, 1), Err(RedirectError::Downgrade));
        let refused = follow(&plain, "https://user:secret@h/", 0, 1).expect_err("credentials");
        assert!(matches!(refused, RedirectError::BadUrl(_)));
        assert!(!format!("{refused} {refused:?}").contains("secret"));
    }
}
