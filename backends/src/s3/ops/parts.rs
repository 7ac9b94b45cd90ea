//! What an operation says, before it is signed: method, what it is about, query and headers.
//!
//! One of these is kept for each core and filled anew for each attempt, so that an operation costs
//! no allocation once the texts have found their room.

use std::fmt::{self, Display, Write};

use zeroize::Zeroize;

use crate::http1::request::Method;

/// What an operation is about: where in the path it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The account: ListBuckets.
    Service,
    /// The bucket of the client.
    Bucket,
    /// An object in it.
    Object(&'a str),
}

/// Why an operation cannot be asked for. Found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// An empty key. A server would take the request as one about the whole bucket.
    #[error("the key is empty; what is asked for would be taken as meant for the bucket")]
    EmptyKey,
    /// A field that no server could take.
    #[error("{field}: {problem}")]
    Field {
        /// As the API reference names it.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Method, target, query and headers of one request. Its `Debug` shows names only (SEC-1).
pub struct RequestParts {
    method: Method,
    about: About,
    /// Every text, one behind the other. It may hold a key of the customer, so it is wiped.
    text: String,
    key: Span,
    query: Vec<(Span, Span)>,
    headers: Vec<(Span, Span)>,
    has_secret: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Service,
    Bucket,
    Object,
}

type Span = (usize, usize);

/// Room for texts from the start: a text that grows leaves its old place behind, unwiped.
const TEXT_BYTES: usize = 8 << 10;

impl RequestParts {
    /// Nothing yet.
    pub fn new() -> RequestParts {
        RequestParts {
            method: Method::Get,
            about: About::Service,
            text: String::with_capacity(TEXT_BYTES),
            key: (0, 0),
            query: Vec::new(),
            headers: Vec::new(),
            has_secret: false,
        }
    }

    /// Starts a request, forgetting the one before.
    ///
    /// # Errors
    /// An empty key.
    pub fn start(&mut self, method: Method, target: Target<'_>) -> Result<(), InvalidRequest> {
        self.wipe();
        self.query.clear();
        self.headers.clear();
        self.has_secret = false;
        self.method = method;
        let (about, key) = match target {
            Target::Service => (About::Service, ""),
            Target::Bucket => (About::Bucket, ""),
            Target::Object("") => return Err(InvalidRequest::EmptyKey),
            Target::Object(key) => (About::Object, key),
        };
        self.about = about;
        self.key = self.push(key);
        Ok(())
    }

    /// Adds a pair to the query; a bare name such as `uploads` has an empty value.
    pub fn query(&mut self, name: &str, value: impl Display) {
        let pair = (self.push(name), self.push(value));
        self.query.push(pair);
    }

    /// Adds which upload it is about. Without one a server may take the request as one about the object:
    /// a part would replace it, and an abort delete it.
    ///
    /// # Errors
    /// [`InvalidRequest::Field`] where there is none.
    pub fn upload_id(&mut self, id: &str) -> Result<(), InvalidRequest> {
        if id.is_empty() {
            let problem = "it is empty; what is asked for would be taken as meant for the object";
            return Err(InvalidRequest::Field { field: "uploadId", problem });
        }
        self.query("uploadId", id);
        Ok(())
    }

    /// Adds a pair to the query, where there is a value.
    pub fn query_opt(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.query(name, value);
        }
    }

    /// Adds a header; its name is put in lower case.
    pub fn header(&mut self, name: impl Display, value: impl Display) {
        let name = self.push(name);
        self.text[name.0..name.1].make_ascii_lowercase();
        let value = self.push(value);
        self.headers.push((name, value));
    }

    /// The same where there is a value.
    pub fn header_opt(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.header(name, value);
        }
    }

    /// Adds a header that nobody between here and the server may read.
    pub(super) fn secret_header(&mut self, name: impl Display, value: impl Display) {
        self.has_secret = true;
        self.header(name, value);
    }

    /// Whether a header is one of those.
    pub(in crate::s3) fn has_secret(&self) -> bool {
        self.has_secret
    }

    /// Adds a word to a header that is a list, behind what it says already.
    pub(in crate::s3) fn header_word(&mut self, name: &str, word: &str) {
        match self.headers.iter().position(|(known, _)| self.at(*known) == name) {
            None => self.header(name, word),
            Some(place) => {
                let start = self.text.len();
                let (from, to) = self.headers[place].1;
                self.text.extend_from_within(from..to);
                self.text.push(',');
                self.text.push_str(word);
                self.headers[place].1 = (start, self.text.len());
            }
        }
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// What the request is about.
    pub fn target(&self) -> Target<'_> {
        match self.about {
            About::Service => Target::Service,
            About::Bucket => Target::Bucket,
            About::Object => Target::Object(self.at(self.key)),
        }
    }

    /// The pairs of the query, not encoded.
    pub fn query_pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (self.at(*name), self.at(*value)))
    }

    /// The headers that the operation sets; names in lower case.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (self.at(*name), self.at(*value)))
    }

    /// The texts alone: nothing was written behind them since the last time, and the room is far larger.
    fn wipe(&mut self) {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.as_mut_slice().zeroize();
        bytes.clear();
        self.text = String::from_utf8(bytes).unwrap_or_default();
    }

    fn push(&mut self, text: impl Display) -> Span {
        let start = self.text.len();
        write!(self.text, "{text}").expect("writing to a string does not fail");
        (start, self.text.len())
    }

    fn at(&self, span: Span) -> &str {
        &self.text[span.0..span.1]
    }
}

impl Default for RequestParts {
    fn default() -> RequestParts {
        RequestParts::new()
    }
}

impl Drop for RequestParts {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for RequestParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query: Vec<_> = self.query_pairs().map(|(name, _)| name).collect();
        let headers: Vec<_> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("RequestParts")
            .field("method", &self.method)
            .field("target", &self.target())
            .field("query", &query)
            .field("headers", &headers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_back_and_the_next_one_starts_empty() {
        let mut parts = RequestParts::new();
        parts.start(Method::Put, Target::Object("a/b")).unwrap();
        parts.query("partNumber", 7);
        parts.query_opt("none", None::<&str>);
        parts.header("X-Amz-Meta-Name", "v");
        assert_eq!(parts.target(), Target::Object("a/b"));
        assert_eq!(parts.query_pairs().collect::<Vec<_>>(), [("partNumber", "7")]);
        assert_eq!(parts.headers().collect::<Vec<_>>(), [("x-amz-meta-name", "v")]);
        parts.start(Method::Get, Target::Bucket).unwrap();
        assert_eq!((parts.query_pairs().len(), parts.headers().len()), (0, 0));
    }

    #[test]
    fn an_upload_without_an_id_is_none() {
        let mut parts = RequestParts::new();
        parts.start(Method::Delete, Target::Object("a/")).unwrap();
        let refused = parts.upload_id("").unwrap_err().to_string();
        assert!(refused.starts_with("uploadId: it is empty"), "{refused}");
        parts.upload_id("id").unwrap();
        assert_eq!(parts.query_pairs().collect::<Vec<_>>(), [("uploadId", "id")]);
    }

    #[test]
    fn a_word_goes_behind_what_a_header_says_already() {
        let mut parts = RequestParts::new();
        parts.header("content-encoding", "gzip");
        parts.header_word("content-encoding", "aws-chunked");
        parts.header_word("vary", "a");
        let headers: Vec<_> = parts.headers().collect();
        assert_eq!(headers, [("content-encoding", "gzip,aws-chunked"), ("vary", "a")]);
    }

    #[test]
    fn an_empty_key_never_becomes_a_request_about_the_bucket() {
        let refused = RequestParts::new().start(Method::Delete, Target::Object(""));
        assert_eq!(refused, Err(InvalidRequest::EmptyKey));
    }

    /// SEC-1
    #[test]
    fn debug_shows_no_values() {
        let mut parts = RequestParts::new();
        parts.start(Method::Get, Target::Bucket).unwrap();
        parts.header("x-amz-server-side-encryption-customer-key", "canary");
        assert!(!format!("{parts:?}").contains("canary"));
    }
}
