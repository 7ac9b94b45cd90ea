//! Multipart uploads: what is answered when one begins and completes, and the list of parts that
//! completes it. Source: Amazon S3 API reference, CreateMultipartUpload and
//! CompleteMultipartUpload.

use super::error_document::{ErrorDocument, parse_error};
use super::walk::walk;
use super::{XmlError, XmlLimits, some_text};
use crate::s3::encode::ByteSink;

/// How CompleteMultipartUpload ended. Its 200 is sent before the outcome is known, so only the body
/// tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompleteOutcome {
    /// The object is there.
    Done {
        /// Its ETag, with quotes.
        etag: String,
    },
    /// The object is not there, although the status was 200.
    Failed(ErrorDocument),
}

/// A part for CompleteMultipartUpload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedPart<'a> {
    /// 1 to 10 000, ascending.
    pub number: u32,
    /// As UploadPart answered it, with quotes.
    pub etag: &'a str,
}

/// Reads the upload id that CreateMultipartUpload answers.
pub fn parse_initiate_multipart(body: &[u8], limits: &XmlLimits) -> Result<String, XmlError> {
    const ROOT: &str = "InitiateMultipartUploadResult";
    let mut upload_id = None;
    walk(body, limits, ROOT, |leaf| {
        if leaf.path == "UploadId" {
            upload_id = some_text(leaf.text);
        }
        Ok(())
    })?;
    upload_id.ok_or(XmlError::Missing { element: "UploadId" })
}

/// Reads what CompleteMultipartUpload answers with status 200: the object's ETag, or an error all
/// the same.
pub fn parse_complete_multipart(
    body: &[u8],
    limits: &XmlLimits,
) -> Result<CompleteOutcome, XmlError> {
    let mut etag = None;
    let result = walk(body, limits, "CompleteMultipartUploadResult", |leaf| {
        if leaf.path == "ETag" {
            etag = some_text(leaf.text);
        }
        Ok(())
    });
    match result {
        Err(XmlError::Root { found, .. }) if found == "Error" => {
            parse_error(body, limits).map(CompleteOutcome::Failed)
        }
        Err(error) => Err(error),
        Ok(()) => {
            let etag = etag.ok_or(XmlError::Missing { element: "ETag" })?;
            Ok(CompleteOutcome::Done { etag })
        }
    }
}

/// Writes the body of CompleteMultipartUpload.
pub fn write_complete_multipart<'a>(
    parts: impl IntoIterator<Item = CompletedPart<'a>>,
    sink: &mut impl ByteSink,
) {
    sink.put(b"<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for part in parts {
        sink.put(b"<Part><PartNumber>");
        sink.put(part.number.to_string().as_bytes());
        sink.put(b"</PartNumber><ETag>");
        write_escaped(part.etag, sink);
        sink.put(b"</ETag></Part>");
    }
    sink.put(b"</CompleteMultipartUpload>");
}

fn write_escaped(text: &str, sink: &mut impl ByteSink) {
    for byte in text.bytes() {
        match byte {
            b'&' => sink.put(b"&amp;"),
            b'<' => sink.put(b"&lt;"),
            b'>' => sink.put(b"&gt;"),
            b'"' => sink.put(b"&quot;"),
            _ => sink.put(&[byte]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COMPLETED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n  \
        <CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key>\
        <ETag>\"3858f62230ac3c915f300c664312c11f-9\"</ETag></CompleteMultipartUploadResult>";
    const FAILED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError\
        </Code><Message>We encountered an internal error. Please try again.</Message>\
        <RequestId>656c76696e6727732072657175657374</RequestId><HostId>h</HostId></Error>";

    fn complete(text: &str) -> Result<CompleteOutcome, XmlError> {
        parse_complete_multipart(text.as_bytes(), &XmlLimits::default())
    }

    #[test]
    fn an_upload_id_is_read() {
        let text = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>\
                    <UploadId>VXBsb2FkIElE+/=</UploadId></InitiateMultipartUploadResult>";
        let limits = XmlLimits::default();
        assert_eq!(parse_initiate_multipart(text.as_bytes(), &limits).unwrap(), "VXBsb2FkIElE+/=");
        for end in 0..text.len() {
            assert!(parse_initiate_multipart(&text.as_bytes()[..end], &limits).is_err());
        }
        let empty = text.replace("VXBsb2FkIElE+/=", " ");
        let missing = Err(XmlError::Missing { element: "UploadId" });
        assert_eq!(parse_initiate_multipart(empty.as_bytes(), &limits), missing);
    }

    #[test]
    fn a_completed_upload_gives_its_etag() {
        let etag = "\"3858f62230ac3c915f300c664312c11f-9\"".to_owned();
        assert_eq!(complete(COMPLETED), Ok(CompleteOutcome::Done { etag }));
        for end in 0..COMPLETED.len() {
            assert!(complete(&COMPLETED[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn blanks_sent_while_waiting_are_skipped() {
        let kept_open = format!("   \r\n \n{COMPLETED}\n");
        assert!(matches!(complete(&kept_open), Ok(CompleteOutcome::Done { .. })));
    }

    /// DATA-2
    #[test]
    fn an_error_inside_a_200_is_an_error() {
        let Ok(CompleteOutcome::Failed(document)) = complete(FAILED) else {
            panic!("taken for a success")
        };
        assert_eq!(document.code, "InternalError");
        assert_eq!(document.host_id.as_deref(), Some("h"));
        assert_eq!(complete(""), Err(XmlError::Truncated));
        assert!(matches!(complete("<Other/>"), Err(XmlError::Root { .. })));
        let nothing = complete("<CompleteMultipartUploadResult/>");
        assert_eq!(nothing, Err(XmlError::Missing { element: "ETag" }));
    }

    #[test]
    fn the_list_of_parts_is_written_and_escaped() {
        let parts = [
            CompletedPart { number: 1, etag: "\"a\"" },
            CompletedPart { number: 10_000, etag: "<&>" },
        ];
        let mut out = Vec::new();
        write_complete_multipart(parts, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>\
             <Part><PartNumber>10000</PartNumber><ETag>&lt;&amp;&gt;</ETag></Part>\
             </CompleteMultipartUpload>"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(body in any::<Vec<u8>>()) {
            let _ = parse_initiate_multipart(&body, &XmlLimits::default());
            let _ = parse_complete_multipart(&body, &XmlLimits::default());
        }

        #[test]
        fn a_changed_answer_is_never_a_panic(at in 0..FAILED.len(), byte: u8) {
            let mut body = FAILED.as_bytes().to_vec();
            body[at] = byte;
            let outcome = parse_complete_multipart(&body, &XmlLimits::default());
            let taken_for_success = matches!(outcome, Ok(CompleteOutcome::Done { .. }));
            prop_assert!(!taken_for_success);
        }
    }
}
