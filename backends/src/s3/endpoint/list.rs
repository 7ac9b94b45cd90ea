//! Several endpoints of one store in one text: a list with commas, and templates.
//!
//! `http://10.0.0.{1...8}:9000` stands for eight servers, `node{01...16}` keeps its zeros, and
//! several templates in one URL stand for every combination, the last one counting fastest: the
//! notation in which MinIO names the members of a cluster.

use super::{EndpointError, without_user};

/// Endpoints of one store.
pub const ENDPOINTS_MAX: usize = 256;

/// The URLs that a text stands for, each to be read for itself.
///
/// # Errors
/// A template that is none, a list with a gap, more than [`ENDPOINTS_MAX`] URLs.
pub(super) fn urls(text: &str) -> Result<Vec<String>, EndpointError> {
    if text.contains('@') {
        // Refused as a whole by whoever reads it: of a password with a comma or a brace no part may
        // be shown (SEC-1).
        return Ok(vec![text.to_owned()]);
    }
    let mut urls = Vec::new();
    for url in text.split(',').map(str::trim) {
        let bad = |problem| EndpointError::Url { url: without_user(url), problem };
        if url.is_empty() && text.contains(',') {
            return Err(bad("there is nothing between two commas, or behind the last"));
        }
        let room = ENDPOINTS_MAX - urls.len();
        urls.extend(expand(url, room).map_err(bad)?);
    }
    Ok(urls)
}

/// Every URL that a template stands for, at most `room`.
fn expand(url: &str, room: usize) -> Result<Vec<String>, &'static str> {
    const TOO_MANY: &str = "there are more than 256 endpoints";
    let scheme_end = url.find("://").map_or(0, |at| at + 3);
    let end = url[scheme_end..].find('/').map_or(url.len(), |at| scheme_end + at);
    let (mut rest, path) = url.split_at(end);
    if path.contains(['{', '}']) {
        return Err("a template stands in the path, and belongs into the host or the port");
    }
    let mut urls = vec![String::new()];
    while let Some((before, after)) = rest.split_once('{') {
        let (range, after) =
            after.split_once('}').ok_or("the brace of a template is not closed")?;
        let range = Range::parse(range)?;
        if urls.len().saturating_mul(range.count()) > room {
            return Err(TOO_MANY);
        }
        urls = urls
            .iter()
            .flat_map(|start| range.numbers().map(move |it| format!("{start}{before}{it}")))
            .collect();
        rest = after;
    }
    if rest.contains('}') {
        return Err("a brace is closed that was not opened");
    }
    if urls.len() > room {
        return Err(TOO_MANY);
    }
    Ok(urls.into_iter().map(|start| format!("{start}{rest}{path}")).collect())
}

/// `{first...last}`, both included.
struct Range {
    first: usize,
    last: usize,
    digits: usize,
}

impl Range {
    fn parse(text: &str) -> Result<Range, &'static str> {
        const FORM: &str = "a template is written {1...8} or {01...16}, with three dots";
        let (first, last) = text.split_once("...").ok_or(FORM)?;
        let number = |text: &str| {
            let fits = (1..=9).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
            text.parse::<usize>().ok().filter(|_| fits).ok_or(FORM)
        };
        // Zeros in front ask for as many digits everywhere.
        let padded = first.starts_with('0') && first.len() > 1;
        let digits = if padded { first.len() } else { 1 };
        let range = Range { first: number(first)?, last: number(last)?, digits };
        match range.first <= range.last {
            true => Ok(range),
            false => Err("a template counts down; write the smaller number first"),
        }
    }

    fn count(&self) -> usize {
        self.last - self.first + 1
    }

    fn numbers(&self) -> impl Iterator<Item = String> + '_ {
        (self.first..=self.last).map(|number| format!("{number:0digits$}", digits = self.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_and_templates_are_written_out() {
        for (text, all) in [
            ("http://one:9000", vec!["http://one:9000"]),
            ("http://a , https://b/x", vec!["http://a", "https://b/x"]),
            ("http://h{1...3}:9/x", vec!["http://h1:9/x", "http://h2:9/x", "http://h3:9/x"]),
            ("http://h{9...11}", vec!["http://h9", "http://h10", "http://h11"]),
            ("http://h{09...10}", vec!["http://h09", "http://h10"]),
            ("http://[::{1...2}]:9", vec!["http://[::1]:9", "http://[::2]:9"]),
            ("http://h:900{0...1}", vec!["http://h:9000", "http://h:9001"]),
            (
                "http://r{1...2}n{0...1}",
                vec!["http://r1n0", "http://r1n1", "http://r2n0", "http://r2n1"],
            ),
            ("http://h{5...5},http://i", vec!["http://h5", "http://i"]),
        ] {
            assert_eq!(urls(text).expect(text), all, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_says_why() {
        for (text, problem) in [
            ("http://h{1...3", "not closed"),
            ("http://h1...3}", "not opened"),
            ("http://h{1..3}", "three dots"),
            ("http://h{1,3}", "not closed"),
            ("http://h{a...c}", "three dots"),
            ("http://h{-1...3}", "three dots"),
            ("http://h{1...}", "three dots"),
            ("http://h{1...9999999999}", "three dots"),
            ("http://h{}", "three dots"),
            ("http://h{3...1}", "counts down"),
            ("http://h{1...257}", "more than 256"),
            ("http://h{1...200},http://i{1...57}", "more than 256"),
            ("http://h{1...100}{1...100}{1...100}", "more than 256"),
            ("http://h{1...999999999}", "more than 256"),
            ("http://h/{1...2}", "path"),
            ("http://a,", "between two commas"),
            (",http://a", "between two commas"),
            ("http://a,,http://b", "between two commas"),
        ] {
            let error = urls(text).expect_err(text).to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn it_never_panics_and_keeps_the_limit(text in "[a-z0-9{},.:/@]{0,40}") {
            if let Ok(all) = urls(&text) {
                prop_assert!((1..=ENDPOINTS_MAX).contains(&all.len()));
            }
        }

        #[test]
        fn a_template_stands_for_each_number_once(first in 0..1000usize, count in 1..=256usize) {
            let last = first + count - 1;
            let all = urls(&format!("http://h{{{first}...{last}}}:9000")).expect("a template");
            let expected: Vec<_> = (first..=last).map(|it| format!("http://h{it}:9000")).collect();
            prop_assert_eq!(all, expected);
        }
    }
}
