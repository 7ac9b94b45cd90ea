//! Objects: read, written, copied.

use super::*;
use crate::object::ObjectMeta;

#[test]
fn a_get_says_version_range_conditions_and_overrides() {
    let mut get = GetObject::new("a/b");
    get.version_id = Some("v1".into());
    get.part_number = Some(3);
    get.range = Some(ReadRange::Inclusive { first: 5, last: 9 });
    get.conditions.if_match = Some("\"e\"".into());
    get.conditions.if_none_match = Some("*".into());
    get.conditions.if_modified_since = Some(at(784_111_777));
    get.conditions.if_unmodified_since = Some(at(0));
    get.checksum_mode = true;
    get.response_content_type = Some("text/plain".into());
    get.access = access();
    let mut wanted = vec![
        "GET object a/b",
        "?versionId=v1",
        "?partNumber=3",
        "?response-content-type=text/plain",
        "range: bytes=5-9",
        "if-match: \"e\"",
        "if-none-match: *",
        "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-unmodified-since: Thu, 01 Jan 1970 00:00:00 GMT",
        "x-amz-checksum-mode: ENABLED",
    ];
    wanted.extend(ACCESS);
    assert_eq!(said(&get), wanted);
    wanted[0] = "HEAD object a/b";
    assert_eq!(said(&HeadObject(get)), wanted);
}

#[test]
fn ranges_that_are_none_are_refused() {
    for (range, text) in [
        (ReadRange::Inclusive { first: 0, last: 0 }, "bytes=0-0"),
        (ReadRange::From(7), "bytes=7-"),
        (ReadRange::Last(7), "bytes=-7"),
    ] {
        assert_eq!(range.to_string(), text);
    }
    for range in [ReadRange::Inclusive { first: 5, last: 4 }, ReadRange::Last(0)] {
        let get = GetObject { range: Some(range), ..GetObject::new("k") };
        let refused = get.encode(&mut RequestParts::new());
        assert!(matches!(refused, Err(InvalidRequest::Field { field: "Range", .. })), "{range:?}");
    }
}

#[test]
fn an_object_is_told_with_all_that_is_known_of_it() {
    let headers = "Content-Length: 5\nContent-Range: bytes 5-9/20\nETag: \"e-2\"\n\
        Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nx-amz-version-id: v1\n\
        Content-Type: text/plain\nCache-Control: no-store\nContent-Encoding: gzip\n\
        Content-Language: de\nContent-Disposition: inline\nExpires: 0\n\
        X-Amz-Meta-Made-By: me\nx-amz-meta-empty:\nx-amz-missing-meta: 2\n\
        x-amz-storage-class: GLACIER\nx-amz-restore: ongoing-request=\"true\"\n\
        x-amz-server-side-encryption: aws:kms\n\
        x-amz-server-side-encryption-aws-kms-key-id: key\n\
        x-amz-server-side-encryption-bucket-key-enabled: true\n\
        x-amz-checksum-crc64nvme: AAAAAAAAAAA=\nx-amz-checksum-type: FULL_OBJECT\n\
        x-amz-mp-parts-count: 2\nx-amz-tagging-count: 3\nx-amz-request-charged: requester\n\
        x-amz-something-new: that nobody knows\n";
    let info = read(&GetObject::new("k"), headers, "").unwrap();
    assert_eq!((info.content_length, info.object_bytes()), (Some(5), Some(20)));
    assert_eq!(info.etag.unwrap().as_str(), "\"e-2\"");
    assert_eq!(info.last_modified, Some(at(784_111_777)));
    assert_eq!(info.version_id.as_deref(), Some("v1"));
    assert_eq!(info.content_type.as_deref(), Some("text/plain"));
    assert_eq!(info.content_encoding.as_deref(), Some("gzip"));
    let metadata = [("made-by".to_owned(), "me".to_owned()), ("empty".to_owned(), String::new())];
    assert_eq!((info.metadata, info.missing_metadata), (metadata.to_vec(), 2));
    assert_eq!(info.storage_class.as_deref(), Some("GLACIER"));
    assert_eq!(info.encrypted.kms_key_id.as_deref(), Some("key"));
    assert!(info.encrypted.bucket_key && info.request_charged && !info.delete_marker);
    assert_eq!(info.checksums.get(ChecksumAlgorithm::Crc64Nvme), Some("AAAAAAAAAAA="));
    assert_eq!(info.checksums.kind, Some(ChecksumKind::FullObject));
    assert_eq!((info.parts, info.tags), (Some(2), Some(3)));
    same_meta_either_way(headers);
    same_meta_either_way("Expires: Sun, 06 Nov 1994 08:49:37 GMT\n");
    same_meta_either_way("");

    let bare = read(&GetObject::new("k"), "Content-Length: 0\n", "").unwrap();
    assert_eq!(bare, ObjectInfo { content_length: Some(0), ..ObjectInfo::default() });
    let missing = Err(DecodeError::Missing("Content-Length"));
    assert_eq!(read(&HeadObject::new("k"), "ETag: \"e\"\n", ""), missing);
}

/// What a store knows of an object is the same after a HEAD and after a read.
#[track_caller]
fn same_meta_either_way(headers: &str) {
    #[derive(Debug)]
    struct Described;
    impl Operation for Described {
        type Output = ObjectMeta;
        const NAME: &'static str = "GetObject";
        fn encode(&self, _: &mut RequestParts) -> Result<(), InvalidRequest> {
            Ok(())
        }
        fn decode(&self, head: &ResponseHead<'_>, _: &[u8]) -> Result<ObjectMeta, DecodeError> {
            Ok(ObjectMeta::version_of(head)?.described_by(head))
        }
    }
    let told = ObjectMeta::from(read(&GetObject::new("k"), headers, "").unwrap());
    let described = read(&Described, headers, "").unwrap();
    assert_eq!(described, ObjectMeta { size_bytes: 0, ..told });
}

#[test]
fn a_put_says_all_that_is_to_be_kept() {
    let mut put = PutObject::new("k", &b"body"[..]);
    let object = &mut put.object;
    object.cache_control = Some("max-age=1".into());
    object.content_disposition = Some("inline".into());
    object.content_encoding = Some("gzip".into());
    object.content_language = Some("de".into());
    object.content_type = Some("text/plain".into());
    object.expires = Some(at(0));
    object.metadata = vec![("Made-By".into(), "me".into())];
    object.storage_class = Some("STANDARD_IA".into());
    object.tags = vec![("a b".into(), "c&d=/".into()), ("e".into(), String::new())];
    object.acl = Some("bucket-owner-full-control".into());
    object.retention = Some(Retention { mode: "GOVERNANCE".into(), until: at(784_111_777) });
    object.legal_hold = Some(true);
    object.server_side = Some(ServerSide::Kms {
        key_id: Some("arn:aws:kms:x".into()),
        context: Some("e30=".into()),
        bucket_key: Some(false),
        dual_layer: false,
    });
    put.conditions.if_none_match = Some("*".into());
    let (algorithm, value) = (ChecksumAlgorithm::Crc32c, "AAAAAA==".to_owned());
    put.checksum = Some(Checksum { algorithm, value });
    put.content_md5 = Some("md5".into());
    let wanted = [
        "PUT object k",
        "cache-control: max-age=1",
        "content-disposition: inline",
        "content-encoding: gzip",
        "content-language: de",
        "content-type: text/plain",
        "expires: Thu, 01 Jan 1970 00:00:00 GMT",
        "x-amz-meta-made-by: me",
        "x-amz-storage-class: STANDARD_IA",
        "x-amz-tagging: a%20b=c%26d%3D%2F&e=",
        "x-amz-acl: bucket-owner-full-control",
        "x-amz-object-lock-mode: GOVERNANCE",
        "x-amz-object-lock-retain-until-date: 1994-11-06T08:49:37Z",
        "x-amz-object-lock-legal-hold: ON",
        "x-amz-server-side-encryption: aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:x",
        "x-amz-server-side-encryption-context: e30=",
        "x-amz-server-side-encryption-bucket-key-enabled: false",
        "if-none-match: *",
        "x-amz-checksum-crc32c: AAAAAA==",
        "content-md5: md5",
    ];
    assert_eq!(said(&put), wanted);
    assert_eq!(put.payload(), Payload::Bytes(Bytes::from_static(b"body")));
    assert_eq!(put.repeat(), Repeat::IfNotPerformed);
    assert_eq!(PutObject::new("k", Bytes::new()).repeat(), Repeat::Freely);

    let headers = "ETag: \"e\"\nx-amz-version-id: v\nx-amz-object-size: 9\n";
    let stored = read(&put, headers, "").unwrap();
    assert_eq!(stored.etag.unwrap().as_str(), "\"e\"");
    assert_eq!((stored.version_id.as_deref(), stored.size_bytes), (Some("v"), Some(9)));
}

/// Base64 and MD5 were made with `openssl dgst -md5 -binary | base64`.
#[test]
fn a_key_of_the_customer_goes_with_its_md5_and_shows_nowhere() {
    let key = CustomerKey::new(*b"0123456789abcdef0123456789abcdef");
    let mut copy = CopyObject::new("k", CopySource::new("b", "s"));
    copy.object.customer_key = Some(key.clone());
    copy.source.customer_key = Some(key);
    let said = said(&copy);
    for prefix in ["x-amz-server-side", "x-amz-copy-source-server-side"] {
        let prefix = format!("{prefix}-encryption-customer");
        for line in [
            format!("{prefix}-algorithm: AES256"),
            format!("{prefix}-key: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
            format!("{prefix}-key-md5: hRasmdxgYDKV3nvbahU1MA=="),
        ] {
            assert!(said.contains(&line), "{line} is not in {said:#?}");
        }
    }
    assert!(!format!("{copy:?}").contains("MDEy") && !format!("{copy:?}").contains("48, 49"));
}

#[test]
fn a_copy_names_its_source_by_its_bytes() {
    let mut source = CopySource::new("b", "/ä+ %/../x");
    source.version_id = Some("v/1".into());
    source.conditions.if_match = Some("\"e\"".into());
    let mut copy = CopyObject::new("k", source.clone());
    copy.replace_metadata = true;
    copy.replace_tags = true;
    copy.checksum_algorithm = Some(ChecksumAlgorithm::Sha256);
    assert_eq!(
        said(&copy),
        [
            "PUT object k",
            "x-amz-copy-source: /b//%C3%A4%2B%20%25/../x?versionId=v%2F1",
            "x-amz-copy-source-if-match: \"e\"",
            "x-amz-metadata-directive: REPLACE",
            "x-amz-tagging-directive: REPLACE",
            "x-amz-checksum-algorithm: SHA256",
        ]
    );
    let mut part = UploadPartCopy::new("k", "U", 2, source);
    part.range = Some(ReadRange::Inclusive { first: 0, last: 9 });
    let lines = said(&part);
    assert_eq!(lines[..3], ["PUT object k", "?partNumber=2", "?uploadId=U"]);
    assert_eq!(lines.last().unwrap(), "x-amz-copy-source-range: bytes=0-9");
    part.range = Some(ReadRange::Last(9));
    assert!(part.encode(&mut RequestParts::new()).is_err());
}

/// DATA-2
#[test]
fn a_copy_that_failed_inside_a_200_has_failed() {
    let copy = CopyObject::new("k", CopySource::new("b", "s"));
    let good = "<CopyObjectResult><LastModified>1994-11-06T08:49:37.000Z</LastModified>\
        <ETag>&quot;e&quot;</ETag><ChecksumCRC32>AAAA</ChecksumCRC32><New/></CopyObjectResult>";
    let copied = read(&copy, "x-amz-copy-source-version-id: s1\n", good).unwrap();
    assert_eq!(copied.etag.unwrap().as_str(), "\"e\"");
    assert_eq!(copied.last_modified, Some(at(784_111_777)));
    assert_eq!(copied.source_version_id.as_deref(), Some("s1"));
    assert_eq!(copied.checksums.get(ChecksumAlgorithm::Crc32), Some("AAAA"));
    assert!(
        matches!(read(&copy, "", INTERNAL_ERROR), Err(DecodeError::Refused(it)) if it.code == "InternalError")
    );
    for end in 0..good.len() {
        assert!(read(&copy, "", &good[..end]).is_err(), "{end}");
    }
    let part = UploadPartCopy::new("k", "U", 1, CopySource::new("b", "s"));
    assert!(matches!(read(&part, "", INTERNAL_ERROR), Err(DecodeError::Refused(_))));
    let good = good.replace("CopyObjectResult", "CopyPartResult");
    assert!(read(&part, "", &good).is_ok());
}
