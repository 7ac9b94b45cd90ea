//! The document that a failed request is answered with.
//! Source: Amazon S3 API reference, "Error responses".

use super::walk::walk;
use super::{XmlError, XmlLimits, some_text};

/// The `<Error>` of a failed request. Parts of it that may hold secrets are not kept (SEC-1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorDocument {
    /// `NoSuchKey`, `SlowDown`, ...
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The request's name at the server.
    pub request_id: Option<String>,
    /// The second name that AWS support asks for.
    pub host_id: Option<String>,
    /// The path that the error is about.
    pub resource: Option<String>,
    /// The region that the bucket is in, where another one was asked.
    pub region: Option<String>,
    /// The endpoint to use instead, in a PermanentRedirect.
    pub endpoint: Option<String>,
}

/// Reads an error document.
pub fn parse_error(body: &[u8], limits: &XmlLimits) -> Result<ErrorDocument, XmlError> {
    let mut document = ErrorDocument::default();
    walk(body, limits, "Error", |leaf| {
        match leaf.path {
            "Code" => document.code = leaf.text.trim().to_owned(),
            "Message" => document.message = leaf.text.trim().to_owned(),
            "RequestId" => document.request_id = some_text(leaf.text),
            "HostId" => document.host_id = some_text(leaf.text),
            "Resource" => document.resource = some_text(leaf.text),
            "Region" => document.region = some_text(leaf.text),
            "Endpoint" => document.endpoint = some_text(leaf.text),
            _ => {}
        }
        Ok(())
    })?;
    if document.code.is_empty() {
        return Err(XmlError::Missing { element: "Code" });
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ErrorDocument, XmlError> {
        parse_error(text.as_bytes(), &XmlLimits::default())
    }

    #[test]
    fn an_error_is_read() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>PermanentRedirect</Code>\
            <Message>The bucket &apos;b&apos; is elsewhere.</Message><Endpoint>b.s3-eu</Endpoint>\
            <Region>eu-west-1</Region><Resource>/b/k</Resource><RequestId>4442587FB7D0A2F9</RequestId>\
            <HostId>id2</HostId><Extra><Code>no</Code></Extra></Error>";
        let document = parse(text).unwrap();
        assert_eq!(document.code, "PermanentRedirect");
        assert_eq!(document.message, "The bucket 'b' is elsewhere.");
        assert_eq!(document.endpoint.as_deref(), Some("b.s3-eu"));
        assert_eq!(document.region.as_deref(), Some("eu-west-1"));
        assert_eq!(document.resource.as_deref(), Some("/b/k"));
        assert_eq!(document.request_id.as_deref(), Some("4442587FB7D0A2F9"));
        assert_eq!(document.host_id.as_deref(), Some("id2"));
    }

    /// SEC-1
    #[test]
    fn a_token_that_the_server_repeats_is_not_kept() {
        let text = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>\
            <Token-0>FwoGZXIvYXdzEXAMPLETOKEN</Token-0></Error>";
        assert!(!format!("{:?}", parse(text).unwrap()).contains("FwoGZX"));
    }

    #[test]
    fn an_error_without_a_code_is_none() {
        let missing = Err(XmlError::Missing { element: "Code" });
        assert_eq!(parse("<Error><Message>m</Message></Error>"), missing);
        assert!(matches!(parse("<html></html>"), Err(XmlError::Root { .. })));
    }
}
