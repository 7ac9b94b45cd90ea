//! Documents of S3: what is read is within the limits, and cut short it is no document (DATA-2).

use std::fmt::Debug;

use hydrant::http1::response::{HeadLimits, HeadProgress, parse_head};
use hydrant::s3::xml::{XmlLimits, parse_error, parse_list_page};
use hydrant::s3::{
    CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload, DeleteObjects,
    GetBucketLocation, GetBucketVersioning, GetObjectAttributes, GetObjectTagging, ListBuckets,
    ListMultipartUploads, ListObjectVersions, ListObjectsV2, ListParts, Operation, UploadPartCopy,
};

pub fn run(data: &[u8]) {
    let limits = XmlLimits::default();
    if let Ok(error) = parse_error(data, &limits) {
        assert!(!error.code.is_empty() && error.message.len() <= limits.text_bytes_max);
    }
    if let Ok(page) = parse_list_page(data, &limits) {
        assert!(page.objects.len() + page.common_prefixes.len() <= limits.entries_max);
        if let Some(cut) = without_end(data) {
            assert!(parse_list_page(cut, &limits).is_err());
        }
        // With a comment behind it, the library alone reads it.
        let commented = [data, b"<!---->"].concat();
        assert_eq!(
            parse_list_page(&commented, &limits),
            Ok(page),
            "two ways to read a page differ"
        );
    }
    operations(data);
}

/// The document without its last bracket: whole no more, but where a comment stood behind the root.
fn without_end(data: &[u8]) -> Option<&[u8]> {
    let last = data.iter().rposition(|&byte| byte == b'>')?;
    let comment_at_end = data[..last].ends_with(b"--") || data[..last].ends_with(b"?");
    (!comment_at_end).then_some(&data[..last])
}

/// The answers of all operations that have a document.
fn operations(document: &[u8]) {
    answered(&ListObjectsV2::default(), document);
    answered(&ListObjectVersions::default(), document);
    answered(&ListParts::new("k", "u"), document);
    answered(&ListMultipartUploads::default(), document);
    answered(&ListBuckets::default(), document);
    answered(&CreateMultipartUpload::new("k"), document);
    answered(&CompleteMultipartUpload::new("k", "u", Vec::new()), document);
    answered(&CopyObject::new("k", CopySource::new("b", "k")), document);
    answered(&UploadPartCopy::new("k", "u", 1, CopySource::new("b", "k")), document);
    answered(&DeleteObjects::new(Vec::new()), document);
    answered(&GetObjectTagging::new("k"), document);
    answered(&GetObjectAttributes::new("k"), document);
    answered(&GetBucketLocation::default(), document);
    answered(&GetBucketVersioning::default(), document);
}

fn answered<O: Operation>(operation: &O, document: &[u8])
where
    O::Output: Debug,
{
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\n\r\n";
    let parsed = parse_head(HEAD, &HeadLimits::default());
    let Ok(HeadProgress::Complete { head, .. }) = parsed else { panic!("a head") };
    if operation.decode(&head, document).is_ok()
        && let Some(cut) = without_end(document)
    {
        let read = operation.decode(&head, cut);
        assert!(read.is_err(), "{}: cut short, and read as {read:?}", O::NAME);
    }
}
